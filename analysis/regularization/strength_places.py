"""The places of a regularizer's strengths on an axis.

Numbers stand where their size puts them, on a logarithmic axis if that spaces them more evenly. A logarithmic axis has
no zero, and no axis has a place for a param that was not set: both stand apart, behind a break of the axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from analysis.figures import theme
from analysis.runs.comparison import shown
from tracking.labels import NOT_SET

MOST_TICKS: Final = 9
"""How many strengths each have a tick; of more, only powers of ten have one."""


def is_number(value: Any) -> bool:
    """Whether a value of a param has a place on an axis of numbers."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Places:
    """Where the strengths stand on an axis that plotly takes for linear."""

    x: np.ndarray
    texts: tuple[str, ...]
    """The texts of the ticks."""
    breaks: tuple[float, ...] = ()
    """The places at which the axis is broken."""
    log: bool = False

    @property
    def range(self) -> tuple[float, float]:
        """The range of the axis, with a little room on both sides."""
        if not len(self.x):
            return (-0.5, 0.5)
        low, high = float(self.x.min()), float(self.x.max())
        room = 0.07 * (high - low) or 0.5
        return (low - room, high + room)

    @property
    def step(self) -> float:
        """The smallest distance between two neighbours."""
        return float(np.diff(np.sort(self.x)).min()) if len(self.x) > 1 else 1.0

    @property
    def ticks(self) -> dict[str, Any]:
        """The ticks as arguments of a Plotly axis."""
        places = list(range(len(self.x)))
        if len(places) > MOST_TICKS:
            whole = [k for k in places if not self.log or abs(self.x[k] - round(self.x[k])) < 1e-9 or k == 0]
            places = whole if 2 < len(whole) <= MOST_TICKS else places[:: -(-len(places) // MOST_TICKS)]
        texts = [theme.plain(theme.shortened(self.texts[k], 16)) for k in places]
        return {"tickmode": "array", "tickvals": [float(self.x[k]) for k in places], "ticktext": texts}


def _log_is_better(positive: np.ndarray) -> bool:
    """Whether these numbers are spaced more evenly by their logarithms."""
    if len(positive) < 2 or positive[-1] / positive[0] < 4:
        return False
    if len(positive) == 2:
        return bool(positive[1] / positive[0] >= 10)
    uneven = [float(np.std(gaps) / np.mean(gaps)) for gaps in (np.diff(np.log10(positive)), np.diff(positive))]
    return uneven[0] < uneven[1]


def places_of(values: Sequence[Any]) -> Places:
    """The places of values on an axis; numbers must be in ascending order and come first.

    Args:
        values: Numbers, words or truth values; None for a param that is not set.
    """
    texts = tuple(NOT_SET if value is None else shown(value) for value in values)
    numbers = np.array([float(value) for value in values if is_number(value)])
    rest = len(values) - len(numbers)
    if not len(numbers) or rest > sum(value is None for value in values):
        return Places(np.arange(len(values), dtype=float), texts)
    positive = numbers[numbers > 0]
    log = _log_is_better(positive) and numbers[0] >= 0
    x, breaks = (np.log10(positive), []) if log else (numbers, [])
    step = float(np.diff(x).max()) if len(x) > 1 else 1.0
    if log and len(positive) < len(numbers):
        x = np.concatenate([[x[0] - step], x])
        breaks.append(float(x[0]) + 0.5 * step)
    for _ in range(rest):
        breaks.append(float(x[-1]) + 0.5 * step)
        x = np.append(x, x[-1] + step)
    return Places(x, texts, tuple(breaks), bool(log))
