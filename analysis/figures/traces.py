"""The traces that figures share: seeds as dots or lines, means with a band or bars, crosses of what diverged.

Each function adds one trace. What a single figure needs beyond that (hover texts, its row and column, the group of its
legend) goes to plotly by keyword as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from analysis.figures import theme
from analysis.statistics import Interval

if TYPE_CHECKING:
    import plotly.graph_objects as go

BUCKETS: Final = 300
"""A line is thinned to at most this many buckets, each with its lowest and its highest point."""


class Bounded(Protocol):
    """A mean with bounds that need not lie equally far from it."""

    @property
    def mean(self) -> float:
        """The mean."""

    @property
    def low(self) -> float:
        """The lower bound."""

    @property
    def high(self) -> float:
        """The upper bound."""


def thin(steps: np.ndarray, values: np.ndarray, buckets: int = BUCKETS) -> tuple[np.ndarray, np.ndarray]:
    """At most two points per bucket, the lowest and the highest, and both ends: every spike stays."""
    if len(steps) <= 2 * buckets:
        return steps, values
    places = {0, len(steps) - 1}
    for bucket in np.array_split(np.arange(len(steps)), buckets):
        places.add(int(bucket[np.argmin(values[bucket])]))
        places.add(int(bucket[np.argmax(values[bucket])]))
    chosen = np.array(sorted(places))
    return steps[chosen], values[chosen]


def seed_dots(
    figure: go.Figure, x: Any, y: Any, colour: str, *, size: float = 5, opacity: float = 0.45, **trace: Any
) -> None:
    """Small pale dots, one per seed; they stand in the legend only with a `name`."""
    marker = {"size": size, "color": theme.translucent(colour, opacity)}
    figure.add_scatter(x=x, y=y, **({"mode": "markers", "marker": marker} | _in_legend(trace)))


def seed_line(
    figure: go.Figure,
    x: Any,
    y: Any,
    colour: str,
    *,
    dash: str | None = None,
    shape: str | None = None,
    width: float = 1,
    opacity: float = 0.35,
    **trace: Any,
) -> None:
    """The thin pale line of one seed; it stands in the legend only with a `name`."""
    line = {"color": theme.translucent(colour, opacity), "width": width, "dash": dash, "shape": shape}
    figure.add_scatter(x=x, y=y, **({"mode": "lines", "line": line} | _in_legend(trace)))


def mean_line(
    figure: go.Figure,
    x: Any,
    y: Any,
    colour: str,
    *,
    dash: str | None = None,
    shape: str | None = None,
    width: float = 2.2,
    size: float | None = None,
    **trace: Any,
) -> None:
    """The strong line through means, with a marker of `size` on each mean if a size is given."""
    line = {"color": colour, "width": width, "dash": dash, "shape": shape}
    marker = {"size": size, "color": colour} if size else None
    look = {"mode": "lines+markers" if size else "lines", "line": line, "marker": marker}
    figure.add_scatter(x=x, y=y, **(look | trace))


def mean_dots(
    figure: go.Figure, x: Any, y: Any, colour: str, *, filled: bool = True, size: float = 10, **trace: Any
) -> None:
    """Large ringed dots, one per mean, filled or hollow."""
    symbol = "circle" if filled else "circle-open"
    marker = {"size": size, "symbol": symbol, "color": colour, "line": {"width": 2, "color": colour}}
    figure.add_scatter(x=x, y=y, **({"mode": "markers", "marker": marker} | trace))


def band(
    figure: go.Figure,
    x: Sequence[float] | np.ndarray,
    low: Sequence[float] | np.ndarray,
    high: Sequence[float] | np.ndarray,
    colour: str,
    *,
    opacity: float,
    **trace: Any,
) -> None:
    """The area between the bounds of intervals along a line.

    Args:
        figure: What it is added to.
        x: Where the intervals stand.
        low: Their lower bounds; on a logarithmic axis all above zero.
        high: Their upper bounds.
        colour: That of the line.
        opacity: That of the area, such as `band_opacity`.
        trace: More for plotly.
    """
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        mode="lines",  # few points would else get markers along the edges
        fill="toself",
        fillcolor=theme.translucent(colour, opacity),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        **trace,
    )


def band_opacity(dark: bool) -> float:
    """The opacity of bands that several lines of a figure have."""
    return 0.16 if dark else 0.13


def bounds(intervals: Sequence[Bounded]) -> tuple[np.ndarray, np.ndarray]:
    """The lower and the upper bounds of intervals."""
    return np.array([interval.low for interval in intervals]), np.array([interval.high for interval in intervals])


def halves(intervals: Sequence[Interval]) -> list[float]:
    """How far each interval reaches to either side of its mean; 0 where none may be shown."""
    return [interval.half if interval.shown and math.isfinite(interval.half) else 0.0 for interval in intervals]


def sides(intervals: Sequence[Bounded], shown: Sequence[bool]) -> tuple[list[float], list[float]]:
    """How far each interval reaches above and below its mean; 0 where it is not shown."""
    pairs = list(zip(intervals, shown, strict=True))
    above = [interval.high - interval.mean if drawn else 0.0 for interval, drawn in pairs]
    below = [interval.mean - interval.low if drawn else 0.0 for interval, drawn in pairs]
    return above, below


def error_bars(
    above: Sequence[float],
    below: Sequence[float] | None = None,
    *,
    colour: str | None = None,
    thickness: float = 1.8,
    width: float = 0,
) -> dict[str, Any]:
    """Plotly's error bars: as far below as above each mean if `below` is not given."""
    bars: dict[str, Any] = {"type": "data", "array": above, "color": colour, "thickness": thickness, "width": width}
    return bars if below is None else bars | {"arrayminus": below, "symmetric": False}


def cross(dark: bool, *, size: float = 9, width: float = 2.5) -> dict[str, Any]:
    """The marker of what diverged."""
    return {"symbol": "x-thin", "size": size, "line": {"width": width, "color": theme.diverged(dark)}}


def crosses(figure: go.Figure, x: Any, y: Any, dark: bool, **trace: Any) -> None:
    """Red crosses where something diverged; they stand in the legend only with a `name`."""
    figure.add_scatter(x=x, y=y, **({"mode": "markers", "marker": cross(dark)} | _in_legend(trace)))


def _in_legend(trace: dict[str, Any]) -> dict[str, Any]:
    return trace if trace.get("name") else {"showlegend": False} | trace
