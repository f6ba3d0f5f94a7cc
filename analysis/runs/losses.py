"""Losses that cannot be compared: two networks that minimise different losses have different numbers as their loss."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from analysis.words import joined

_LOSS: Final = "loss"
_ERROR: Final = "error"


def losses_sentence(metric: str, losses: Iterable[str]) -> str:
    """One sentence where runs are compared by their loss although they minimise different losses; else empty.

    Args:
        metric: What they are compared by; the loss of any part, such as val/loss.
        losses: The name of the loss that each run minimises, empty where it is not known.
    """
    part, slash, score = metric.rpartition("/")
    names = sorted(set(filter(None, losses)))
    if score != _LOSS or len(names) < 2:
        return ""
    return (
        f"The runs minimise different losses ({joined(names)}), so that {metric} is another number for each of them: "
        f"compare {part}{slash}{_ERROR} instead."
    )
