"""The vertical axis of results: its scale and its range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.figures import theme
from analysis.figures.vertical_range import LARGEST
from analysis.statistics import ROUNDING
from tracking.schema import MAXIMIZE

if TYPE_CHECKING:
    import plotly.graph_objects as go


def log_range(heights: Sequence[float]) -> bool:
    """Whether these values are to be drawn on a logarithmic axis: positive, over more than a power of ten."""
    finite = [value for value in heights if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) / min(finite) >= 10


@dataclass(frozen=True)
class Scale:
    """The vertical axis of results: which values it holds, and how."""

    low: float
    high: float
    log: bool

    def holds(self, value: float) -> bool:
        """Whether the value is on it."""
        # Powers of ten do not come back from their logarithms to the last digit.
        return self.low * (1 - ROUNDING if self.log else 1) <= value <= self.high * (1 + ROUNDING if self.log else 1)


def scale(heights: Sequence[float], direction: str) -> Scale:
    """An axis on which the better half of the values can be told apart.

    It is logarithmic where the values ask for it. Where the worst value would leave the better half less than a sixth
    of the axis, it ends three times as far from the best as the median lies: what is worse stands at the edge. So does
    what no axis reaches (`analysis.figures.vertical_range`).

    Args:
        heights: All values, not all of them finite.
        direction: "minimize" or "maximize".
    """
    finite = np.array([value for value in heights if math.isfinite(value)])
    finite = finite[np.abs(finite) <= LARGEST]
    if not len(finite):
        return Scale(0.0, 1.0, False)
    log = log_range(finite.tolist())
    drawn = np.log10(finite) if log else finite
    sign = -1.0 if direction == MAXIMIZE else 1.0
    best, middle, worst = np.quantile(sign * drawn, [0.0, 0.5, 1.0]).tolist()
    if 0 < 6 * (middle - best) < worst - best:
        worst = best + 3 * (middle - best)
    low, high = sorted([sign * best, sign * worst])
    return Scale(10**low, 10**high, True) if log else Scale(low, high, False)


def value_axis(figure: go.Figure, scale: Scale) -> None:
    """The vertical axis of results, with a little room at both ends."""
    low, high = (math.log10(scale.low), math.log10(scale.high)) if scale.log else (scale.low, scale.high)
    room = 0.07 * (high - low) or 0.05 * abs(high) or 0.5
    figure.update_layout(yaxis={"range": [low - room, high + room]})
    if scale.log:
        figure.update_layout(yaxis={"type": "log"} | theme.log_ticks(scale.low, scale.high))
