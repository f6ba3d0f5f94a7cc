"""Runs of other programs whose training loss ended far above where it began: they may have diverged.

Runs of Sweepboard say themselves that they diverged (`sweeps.training.ledger`). For other programs' runs only a loss
that is not a number is certain, for a loss may have another scale, or may be negative. A run whose loss grew is named,
and counts as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

from analysis.runs.metric_roles import TRAIN, Role, ordered, words
from analysis.words import counted, some

GREW: Final = 10.0
"""A training loss grew if it ended above so many times its first value."""
MOST_NAMED: Final = 3
"""How many runs a sentence names."""


def training_loss(chosen: Mapping[str, Role]) -> str:
    """The metric that is the loss on training data; empty where there is none."""
    losses = [name for name in ordered(chosen) if chosen[name].part == TRAIN and "loss" in words(name)]
    return next(iter(losses), "")


def grown(histories: pd.DataFrame) -> list[str]:
    """The runs whose last finite value is above GREW times the first, where both are positive.

    Args:
        histories: run_id, step, value of the training loss.
    """
    finite = histories[histories["value"].abs() < float("inf")].sort_values("step", kind="stable")
    ends = finite.groupby("run_id", sort=False)["value"].agg(["first", "last"])
    return [str(run) for run in ends.index[(ends["first"] > 0) & (ends["last"] > GREW * ends["first"])]]


def sentence(names: list[str], metric: str) -> str:
    """The sentence that names the runs whose loss grew; empty without any.

    Args:
        names: The names of the runs.
        metric: The training loss.
    """
    if not names:
        return ""
    verb = "They count as they are, and" if len(names) > 1 else "It counts as it is, and"
    return (
        f"{metric} ended more than {GREW:g} times above its first value in {counted(len(names), 'run')}"
        f" ({some(names, MOST_NAMED)}). {verb} may have diverged."
    )
