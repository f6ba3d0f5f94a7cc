"""The objective over two searched keys at once: cells where they have few values, else a surface between the trials.

The surface is linear within the triangles that the trials make (Delaunay), in the scales of the axes, and nothing is
drawn outside of them: it shows what was tried and guesses no further. Where other keys vary too, a cell is the mean of
its trials and the surface goes through the mean of trials at one place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analysis.figures import theme
from analysis.figures.colour_scale import colour_scale
from analysis.figures.traces import crosses
from analysis.figures.value_axis import Scale, log_range, scale
from analysis.search.history import TrialResult, hover
from analysis.search.relations import Column, apart, axis, column
from analysis.statistics import number
from tracking.schema import MAXIMIZE, MINIMIZE, Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go

FEW: Final = 12
"""A key with at most so many different values is divided into cells."""
FINE: Final = 48
"""The surface is drawn from so many points along each axis."""
LABELLED: Final = 60
"""So many cells carry their value."""


@dataclass(frozen=True)
class Cells:
    """A table of means: one row per value of the second key."""

    x: tuple[Any, ...]
    y: tuple[Any, ...]
    means: np.ndarray
    """(y, x): the mean of the cell's trials that have a result, nan without one."""
    counts: np.ndarray
    """(y, x): how many those are."""
    diverged: np.ndarray
    """(y, x): how many trials of the cell diverged."""


@dataclass(frozen=True)
class Surface:
    """Values on a regular net in the scales of the axes; nan outside the trials."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    """(y, x), in the objective's own units."""


@dataclass(frozen=True)
class ContourInfo:
    """What `plot_contour` draws."""

    x: Column
    y: Column
    trials: list[TrialResult]
    metric: str
    maximize: bool
    cells: Cells | None
    surface: Surface | None

    @property
    def with_result(self) -> list[int]:
        """The positions of the trials that have a result."""
        return [place for place, trial in enumerate(self.trials) if trial.has_result]

    @property
    def scale(self) -> Scale:
        """What the colours stand for."""
        direction = MAXIMIZE if self.maximize else MINIMIZE
        shown = (
            [self.trials[place].mean for place in self.with_result] if self.cells is None else self.cells.means.ravel()
        )
        return scale([float(value) for value in shown], direction)

    @property
    def log(self) -> bool:
        """Whether colours go by the logarithm of the objective."""
        return self.scale.log

    @property
    def beyond(self) -> str:
        """What the palest colour stands for where some are worse than the scale: plain text, or nothing."""
        means = [self.trials[place].mean for place in self.with_result]
        worst = self.scale.low if self.maximize else self.scale.high
        if all(self.scale.holds(value) for value in means):
            return ""
        return f" What is worse than {number(worst, 2)} has the palest colour."

    @property
    def sentence(self) -> str:
        """How to read the figure, in plain text."""
        better = "higher" if self.maximize else "lower"
        how = ", on a logarithmic scale" if self.log else ""
        if self.cells is not None:
            text = f"Each cell is the mean over its trials, the stronger the colour the better ({better}){how}."
            return text + self.beyond
        if self.surface is not None:
            return (
                f"Dots are trials; between them the surface is interpolated, the stronger the colour the better"
                f" ({better}){how}. Nothing is drawn where nothing was tried.{self.beyond}"
            )
        return f"Dots are trials, the stronger the colour the better ({better}){how}.{self.beyond}"


def _levels(values: Column) -> tuple[list[Any], np.ndarray] | None:
    """The distinct values and each trial's place among them; None if there are too many."""
    if values.words:
        words = list(values.words)
        return (words, values.values.astype(int)) if len(words) <= FEW else None
    distinct, places = np.unique(values.values, return_inverse=True)
    return (distinct.tolist(), places) if len(distinct) <= FEW else None


def _cells(x: Column, y: Column, trials: Sequence[TrialResult]) -> Cells | None:
    columns, rows = _levels(x), _levels(y)
    if columns is None or rows is None:
        return None
    shape = (len(rows[0]), len(columns[0]))
    sums, counts, diverged = np.zeros(shape), np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
    for place, trial in zip(zip(rows[1], columns[1], strict=True), trials, strict=True):
        if trial.has_result:
            sums[place] += trial.mean
            counts[place] += 1
        diverged[place] += trial.outcome == Outcome.DIVERGED
    means = np.where(counts > 0, sums / np.maximum(counts, 1), math.nan)
    return Cells(tuple(columns[0]), tuple(rows[0]), means, counts, diverged)


def _surface(x: Column, y: Column, trials: Sequence[TrialResult], log: bool) -> Surface | None:
    finished = [place for place, trial in enumerate(trials) if trial.has_result]
    if x.words or y.words or len(finished) < 3:
        return None
    from scipy.interpolate import LinearNDInterpolator
    from scipy.spatial import QhullError

    places = np.column_stack([x.drawn[finished], y.drawn[finished]])
    low, high = places.min(axis=0), places.max(axis=0)
    if (low == high).any():
        return None
    scaled = (places - low) / (high - low)
    heights = np.array([trials[place].mean for place in finished])
    distinct, group = np.unique(scaled, axis=0, return_inverse=True)
    means = np.bincount(group.ravel(), weights=np.log10(heights) if log else heights) / np.bincount(group.ravel())
    try:
        surface = LinearNDInterpolator(distinct, means)
    except QhullError:
        return None  # the trials lie on one line
    net = np.linspace(0, 1, FINE)
    z = surface(*np.meshgrid(net, net))
    ends = low + net[:, None] * (high - low)
    drawn_x, drawn_y = ends[:, 0], ends[:, 1]
    return Surface(
        10**drawn_x if x.log else drawn_x, 10**drawn_y if y.log else drawn_y, 10**z if log else np.asarray(z)
    )


def contour_info(trials: Sequence[TrialResult], x: str, y: str, metric: str, direction: str) -> ContourInfo:
    """The objective over two keys; trials without one of them are left out.

    Args:
        trials: From `trial_results`.
        x: The dotted key of the horizontal axis.
        y: The dotted key of the vertical axis.
        metric: What the objective is called.
        direction: "minimize" or "maximize".
    """

    def has(trial: TrialResult, key: str) -> bool:
        value = trial.params.get(key)
        return value is not None and not (isinstance(value, float) and math.isnan(value))

    complete = [trial for trial in trials if has(trial, x) and has(trial, y)]
    horizontal, vertical = (column(key, [trial.params[key] for trial in complete]) for key in (x, y))
    cells = _cells(horizontal, vertical, complete) if complete else None
    log = log_range([trial.mean for trial in complete if trial.has_result])
    surface = None if cells is not None else _surface(horizontal, vertical, complete, log)
    return ContourInfo(horizontal, vertical, complete, metric, direction == MAXIMIZE, cells, surface)


def _colours(info: ContourInfo, dark: bool) -> dict[str, Any]:
    """The colour scale, the best the strongest, and the range of values that it stands for."""
    low, high = info.scale.low, info.scale.high
    scale = colour_scale(info.metric, low, high, log=info.log, dark=dark)
    ends = (math.log10(low), math.log10(high)) if info.log else (low, high)
    return {**scale, "reversescale": info.maximize, "low": ends[0], "high": ends[1]}


def _level_words(levels: Sequence[Any]) -> list[str]:
    return [theme.plain(level if isinstance(level, str) else number(level)) for level in levels]


def _draw_cells(figure: go.Figure, info: ContourInfo, cells: Cells, dark: bool) -> None:
    look = _colours(info, dark)
    words_x, words_y = _level_words(cells.x), _level_words(cells.y)
    failures = [[f"<br>{int(count)} diverged" if count else "" for count in row] for row in cells.diverged]
    notes = [
        [
            f"{theme.plain(info.x.name)} {across}<br>{theme.plain(info.y.name)} {up}<br>"
            + (f"{number(cells.means[j, i])} (mean of {cells.counts[j, i]})" if cells.counts[j, i] else "no result")
            + failures[j][i]
            for i, across in enumerate(words_x)
        ]
        for j, up in enumerate(words_y)
    ]
    labelled = cells.means.size <= LABELLED
    figure.add_heatmap(
        x=list(range(len(words_x))),
        y=list(range(len(words_y))),
        z=np.log10(cells.means) if info.log else cells.means,
        text=[[number(value, 3) if math.isfinite(value) else "" for value in row] for row in cells.means],
        texttemplate="%{text}" if labelled else None,
        customdata=notes,
        hovertemplate="%{customdata}<extra></extra>",
        xgap=2,
        ygap=2,
        zmin=look["low"],
        zmax=look["high"],
        colorscale=look["colorscale"],
        reversescale=look["reversescale"],
        colorbar=look["colorbar"],
    )
    failed = np.argwhere((cells.counts == 0) & (cells.diverged > 0))
    if len(failed):
        crosses(
            figure,
            failed[:, 1],
            failed[:, 0],
            dark,
            name="all diverged",
            text=[notes[j][i] for j, i in failed],
            hovertemplate="%{text}<extra></extra>",
        )
    figure.update_xaxes(tickvals=list(range(len(words_x))), ticktext=words_x, showgrid=False)
    figure.update_yaxes(tickvals=list(range(len(words_y))), ticktext=words_y, showgrid=False)


def _draw_points(figure: go.Figure, info: ContourInfo, dark: bool) -> None:
    finished = info.with_result
    heights = np.array([info.trials[place].mean for place in finished])
    look = _colours(info, dark)
    shade = np.log10(heights) if info.log else heights
    if info.surface is not None:
        z = np.log10(info.surface.z) if info.log else info.surface.z
        figure.add_contour(
            x=info.surface.x,
            y=info.surface.y,
            z=z,
            zmin=look["low"],
            zmax=look["high"],
            hoverinfo="skip",
            colorscale=look["colorscale"],
            reversescale=look["reversescale"],
            colorbar=look["colorbar"],
            line={"width": 0.5, "color": "rgba(128,136,148,0.5)"},
            ncontours=14,
            connectgaps=False,
        )
    x, y = apart(info.x), apart(info.y)
    ink, ground = theme.ink(dark), theme.background(dark)
    marker: dict[str, Any] = {"size": 8, "color": ink, "line": {"width": 1.2, "color": ground}}
    if info.surface is None:
        marker |= {
            "color": shade,
            "cmin": look["low"],
            "cmax": look["high"],
            "colorscale": look["colorscale"],
            "reversescale": look["reversescale"],
            "colorbar": look["colorbar"],
            "line": {"width": 1, "color": ink},
        }
    figure.add_scatter(
        x=x[finished],
        y=y[finished],
        mode="markers",
        marker=marker,
        text=[hover(info.trials[place]) for place in finished],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    diverged = [place for place, trial in enumerate(info.trials) if trial.outcome == Outcome.DIVERGED]
    if diverged:
        crosses(
            figure,
            x[diverged],
            y[diverged],
            dark,
            name="diverged",
            text=[hover(info.trials[place]) for place in diverged],
            hovertemplate="%{text}<extra></extra>",
        )
    figure.update_xaxes(**axis(info.x))
    figure.update_yaxes(**axis(info.y))


def plot_contour(info: ContourInfo, *, dark: bool = False, height: int = 440) -> go.Figure:
    """Cells, or a surface with the trials on it; red crosses are what diverged."""
    import plotly.graph_objects as go

    figure = go.Figure()
    names = (theme.shortened(info.x.name, 40), theme.shortened(info.y.name, 40))
    figure.update_layout(**theme.layout(dark, x=names[0], y=names[1], height=height))
    if info.cells is not None:
        _draw_cells(figure, info, info.cells, dark)
    else:
        _draw_points(figure, info, dark)
    return figure
