"""Many runs at a glance: parallel coordinates, and any two columns against each other coloured by a third.

A column is a param or a metric's last value. Runs that diverged have no result: in parallel coordinates they stand at a
tick of their own at the worse end, in a scatter as red crosses at the upper edge over the param that they had.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.marks import at_edge
from analysis.figures.traces import cross
from analysis.runs.comparison import shown
from analysis.statistics import number
from tracking.schema import Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go

LOG_FROM: Final = 50.0
"""A positive column whose largest value is so many times its smallest is drawn on a logarithmic axis."""
MOST_WORDS: Final = 24
"""A column of more different words than this is drawn by place, without its words."""
MOST_TICKS: Final = 7
"""A column of so few different numbers has a tick for each."""
MOST_DIMENSIONS: Final = 12


@dataclass(frozen=True)
class Column:
    """One column, as numbers that can be placed on an axis."""

    name: str
    values: np.ndarray
    """Numbers; of words their places in `words`; nan where a run has none."""
    words: tuple[str, ...] = ()
    """What the places stand for; nothing for a column of numbers."""
    log: bool = False

    @property
    def range(self) -> tuple[float, float]:
        """Its smallest and largest value."""
        finite = self.values[np.isfinite(self.values)]
        return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)

    @property
    def drawn(self) -> np.ndarray:
        """Where its values stand: their logarithms on a logarithmic axis."""
        return np.log10(self.values) if self.log else self.values

    def text(self, place: int) -> str:
        """One value, for a reader."""
        value = self.values[place]
        if math.isnan(value):
            return "–"
        return self.words[int(value)] if self.words else number(value)


def column(name: str, values: Iterable[Any]) -> Column:
    """A column of numbers, or of words where anything in it is no number."""
    cleaned = [None if isinstance(value, float) and not math.isfinite(value) else value for value in values]
    present = [value for value in cleaned if value is not None]
    if all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in present):
        numbers = np.array([math.nan if value is None else float(value) for value in cleaned], dtype=float)
        finite = numbers[np.isfinite(numbers)]
        log = len(finite) > 1 and finite.min() > 0 and finite.max() / finite.min() >= LOG_FROM
        return Column(name, numbers, log=bool(log))
    texts = [shown(value) for value in cleaned]
    words = tuple(sorted(set(texts)))
    places = {word: float(place) for place, word in enumerate(words)}
    return Column(name, np.array([places[text] for text in texts]), words)


@dataclass(frozen=True)
class ParallelInfo:
    """What `plot_parallel` draws: one line per run."""

    columns: list[Column]
    result: Column
    """The last axis, which colours the lines too."""
    diverged: np.ndarray
    maximize: bool
    left_out: int
    """Runs with neither a result nor a divergence."""

    @property
    def n(self) -> int:
        """How many lines are drawn."""
        return len(self.diverged)


def parallel_info(runs: pd.DataFrame, columns: pd.DataFrame, metric: str, *, maximize: bool = False) -> ParallelInfo:
    """Parallel coordinates of runs.

    Args:
        runs: One row per run: outcome, counts, objective.
        columns: What the axes show, in their order, for the same rows.
        metric: What the objective is called.
        maximize: Whether more of it is better.
    """
    counts = runs["counts"].to_numpy(dtype=bool)
    result = runs["objective"].to_numpy(dtype=float)
    ok = (runs["outcome"] == Outcome.OK).to_numpy()
    diverged = (runs["outcome"] == Outcome.DIVERGED).to_numpy() | (ok & ~np.isfinite(result))
    keep = counts & (diverged | np.isfinite(result))
    part = columns[keep]
    drawn = [column(str(name), part[name]) for name in list(part)[:MOST_DIMENSIONS]]
    values = np.where(diverged, math.nan, result)[keep]
    return ParallelInfo(drawn, column(metric, values), diverged[keep], maximize, int((counts & ~keep).sum()))


def _ticks(column: Column) -> dict[str, Any]:
    if column.words:
        if len(column.words) > MOST_WORDS:
            return {"tickvals": [], "ticktext": []}
        texts = [theme.plain(theme.shortened(word, 18)) for word in column.words]
        return {"tickvals": list(range(len(texts))), "ticktext": texts}
    distinct = np.unique(column.values[np.isfinite(column.values)])
    low, high = column.range
    if column.log and len(distinct) > MOST_TICKS:
        ticks = theme.log_ticks(low, high)
        inside = [k for k, value in enumerate(ticks["tickvals"]) if low * 0.999 <= value <= high * 1.001]
        values = [ticks["tickvals"][k] for k in inside]
        return {"tickvals": np.log10(values).tolist(), "ticktext": [ticks["ticktext"][k] for k in inside]}
    if len(distinct) <= MOST_TICKS:
        places = np.log10(distinct) if column.log else distinct
        return {"tickvals": places.tolist(), "ticktext": [number(value) for value in distinct.tolist()]}
    return {}


def plot_parallel(info: ParallelInfo, *, dark: bool = False, height: int = 420) -> go.Figure:
    """One axis per column, the result last; lines from the best (blue) to the worst (grey), diverged ones red."""
    import plotly.graph_objects as go

    dimensions = []
    for column in info.columns:
        values = np.where(np.isfinite(column.drawn), column.drawn, np.nanmin(column.drawn, initial=0.0))
        name = column.name if "name" in column.name else column.name.rpartition(".")[2]
        dimensions.append({"label": theme.plain(theme.shortened(name, 22)), "values": values, **_ticks(column)})
    result = info.result
    finite = result.drawn[np.isfinite(result.drawn)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    span = (high - low) or 1.0
    worst = low - 0.12 * span if info.maximize else high + 0.12 * span
    places = np.where(info.diverged, worst, result.drawn)
    ticks = _ticks(result)
    if info.diverged.any():
        if not ticks:
            middle = np.linspace(low, high, 5).tolist()
            ticks = {"tickvals": middle, "ticktext": [number(value, 3) for value in middle]}
        ticks = {"tickvals": [*ticks["tickvals"], worst], "ticktext": [*ticks["ticktext"], "diverged"]}
    bounds = [min(low, worst) if info.diverged.any() else low, max(high, worst) if info.diverged.any() else high]
    if bounds[0] == bounds[1]:
        bounds = [bounds[0] - 0.5, bounds[1] + 0.5]
    name = theme.plain(theme.shortened(result.name, 22))
    dimensions.append({"label": name, "values": places, "range": bounds, **ticks})
    best, worse = theme.palette(dark)[0], "#3a4048" if dark else "#cfd4da"
    red = theme.diverged(dark)
    # Colours go by rank: one run that is far off would make all others look alike.
    order = pd.Series(np.where(info.diverged, math.nan, -places if info.maximize else places)).rank(pct=True)
    shade = np.where(info.diverged, 1.0, 0.8 * order.fillna(1.0).to_numpy())
    scale = [[0, best], [0.4, theme.palette(dark)[1]], [0.85, worse], [0.86, red], [1, red]]
    base = theme.layout(dark, x="", y="", height=height)
    figure = go.Figure(
        go.Parcoords(
            dimensions=dimensions,
            line={"color": shade, "colorscale": scale, "cmin": 0, "cmax": 1},
            labelfont={"size": 12, "color": base["font"]["color"]},
            tickfont={"size": 11, "color": base["font"]["color"]},
            rangefont={"size": 1, "color": "rgba(0,0,0,0)"},
            unselected={"line": {"opacity": 0.08}},
        )
    )
    figure.update_layout(**{key: base[key] for key in ("height", "paper_bgcolor", "plot_bgcolor", "font")})
    figure.update_layout(margin={"l": 64, "r": 64, "t": 56, "b": 24})
    return figure


@dataclass(frozen=True)
class ScatterInfo:
    """What `plot_scatter` draws: one point per run."""

    x: Column
    y: Column
    colour: Column
    labels: list[str]
    diverged: np.ndarray
    """Which of the runs diverged and have no value of y."""
    left_out: int
    """Runs that have no value on one of the axes and did not diverge."""

    @property
    def n(self) -> int:
        """How many points are drawn, crosses included."""
        return int((np.isfinite(self.x.values) & (np.isfinite(self.y.values) | self.diverged)).sum())


def scatter_info(
    runs: pd.DataFrame, columns: pd.DataFrame, x: str, y: str, colour: str, labels: Sequence[str]
) -> ScatterInfo:
    """Two columns against each other.

    Args:
        runs: One row per run: outcome, counts.
        columns: The columns, the same rows.
        x: The column of the horizontal axis.
        y: The column of the vertical axis.
        colour: The column of the colours.
        labels: What each run is called.
    """
    keep = runs["counts"].to_numpy(dtype=bool)
    part = columns[keep]
    drawn = [column(name, part[name]) for name in (x, y, colour)]
    diverged = (runs["outcome"] == Outcome.DIVERGED).to_numpy()[keep] & ~np.isfinite(drawn[1].values)
    missing = ~np.isfinite(drawn[0].values) | (~np.isfinite(drawn[1].values) & ~diverged)
    names = [label for label, chosen in zip(labels, keep, strict=True) if chosen]
    return ScatterInfo(drawn[0], drawn[1], drawn[2], names, diverged, int(missing.sum()))


def axis(column: Column) -> dict[str, Any]:
    """The plotly axis of a column: its words, or a logarithmic one where its range asks for it."""
    if column.words:
        return _ticks(column) | {"range": [-0.5, len(column.words) - 0.5]}
    return {"type": "log", **theme.log_ticks(*column.range)} if column.log else {}


def apart(column: Column) -> np.ndarray:
    """The values of a column, with words a little apart so that equal ones do not hide each other; always the same."""
    if not column.words:
        return column.values
    return np.asarray(column.values + (np.arange(len(column.values)) * 0.618 % 1 - 0.5) * 0.3)


def plot_scatter(info: ScatterInfo, *, dark: bool = False, height: int = 420) -> go.Figure:
    """One point per run, coloured by the third column; red crosses at the upper edge are runs that diverged."""
    import plotly.graph_objects as go

    figure, palette = go.Figure(), theme.palette(dark)
    x, y = apart(info.x), apart(info.y)
    present = np.isfinite(x) & np.isfinite(y)
    hover = [
        f"<b>{theme.plain(label)}</b><br>"
        + "<br>".join(
            f"{theme.plain(theme.shortened(column.name))} {theme.plain(theme.shortened(column.text(place)))}"
            for column in (info.x, info.y, info.colour)
        )
        for place, label in enumerate(info.labels)
    ]

    def points(which: np.ndarray, marker: dict[str, Any], **more: Any) -> None:
        texts = [text for text, chosen in zip(hover, which, strict=True) if chosen]
        figure.add_scatter(
            x=x[which],
            y=y[which],
            mode="markers",
            marker={"size": 9, "line": {"width": 1, "color": theme.background(dark)}} | marker,
            text=texts,
            hovertemplate="%{text}<extra></extra>",
            **more,
        )

    if info.colour.words:
        places = theme.colour_indices(info.colour.words)
        for place, word in enumerate(info.colour.words):
            name = theme.plain(theme.shortened(word))
            points(present & (info.colour.values == place), {"color": palette[places[word]]}, name=name)
    else:
        shade = info.colour.drawn
        ticks = _ticks(info.colour) if info.colour.log else {}
        bar = {"title": {"text": theme.plain(theme.shortened(info.colour.name, 24))}, "thickness": 10, **ticks}
        scale = [[0, palette[0]], [0.5, "#8a8f98"], [1, palette[1]]]
        coloured = present & np.isfinite(shade)
        marker = {"color": shade[coloured], "colorscale": scale, "colorbar": bar | {"outlinewidth": 0}}
        points(coloured, marker, showlegend=False)
        points(present & ~np.isfinite(shade), {"color": theme.ink(dark)}, showlegend=False)
    diverged = info.diverged & np.isfinite(x)
    if diverged.any():
        at_edge(
            figure,
            x[diverged],
            cross(dark),
            name="diverged",
            text=[text for text, chosen in zip(hover, diverged, strict=True) if chosen],
            hovertemplate="%{text}<br>diverged<extra></extra>",
        )
    figure.update_layout(**theme.layout(dark, x=info.x.name, y=info.y.name, height=height))
    figure.update_xaxes(**axis(info.x))
    figure.update_layout(yaxis=axis(info.y))
    return figure
