"""The vertical range of curves, without the values that are too far off to be shown beside the others.

A loss of 1e308 beside losses of 0.5 would leave one line of them, on a logarithmic scale too. What is more than
FARTHEST times as large as the median stands at the edge of the figure, and its caption says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.figures import theme
from analysis.words import counted

if TYPE_CHECKING:
    import plotly.graph_objects as go

FARTHEST: Final = 1e12
"""Values up to so many times the median size are shown."""
LARGEST: Final = 1e300
"""No axis reaches farther: the room around its ends is a number too."""


@dataclass(frozen=True)
class Span:
    """The values that a vertical axis holds."""

    low: float
    high: float
    log: bool
    beyond: int
    """How many values stand at its edge."""

    @property
    def range(self) -> list[float]:
        """The ends of the axis as plotly takes them, with a little room."""
        low, high = np.log10([self.low, self.high]).tolist() if self.log else (self.low, self.high)
        room = 0.05 * (high - low) or 0.5
        return [low - room, high + room]


def span_of(parts: Iterable[np.ndarray], log: bool) -> Span | None:
    """The range that curves need; None where there is nothing to draw.

    Args:
        parts: The finite values of each curve.
        log: Whether the axis is logarithmic: values at or below zero have no place on it.
    """
    values = np.concatenate([np.zeros(0), *parts])
    values = values[values > 0] if log else values
    if not len(values):
        return None
    sizes = np.abs(values)
    # The median of values none of which is zero: most errors of a run may be exactly zero.
    middle = float(np.quantile(sizes[sizes > 0], 0.5, method="lower")) if sizes.any() else 0.0
    inside = sizes <= min(FARTHEST * min(middle, LARGEST), LARGEST)
    shown = values[inside] if inside.any() else np.array([1.0, 10.0])
    return Span(float(shown.min()), float(shown.max()), log, int((~inside).sum()))


def edge_words(beyond: int) -> str:
    """What stands at the edge, for a caption; nothing where nothing does."""
    verb = "is" if beyond == 1 else "are"
    return f"{counted(beyond, 'value')} {verb} too large for the scale and drawn at its edge" if beyond else ""


def fit(figure: go.Figure, span: Span, *, fixed: bool = False) -> None:
    """Moves what is beyond the span to its edge, where the hover text keeps the values, and puts ticks on a log axis.

    Args:
        figure: Of curves.
        span: What its vertical axis is to hold.
        fixed: Whether the axis ends with the span; else it does so only where something is beyond.
    """
    if span.log:
        figure.update_yaxes(**theme.log_ticks(span.low, span.high))
    if fixed or span.beyond:
        figure.update_yaxes(range=span.range)
    if not span.beyond:
        return
    for trace in figure.data:
        values = np.array(trace.y, dtype=float)
        hover = (trace.hovertemplate or "").replace("%{y:", "%{customdata:") or None
        trace.update(y=np.clip(values, span.low if not span.log else None, span.high), customdata=values)
        trace.update(hovertemplate=hover)
