"""How good a classification is, counted from its answers: which class is taken for which, precision and recall.

Each figure shows one run or one group, whose runs differ in the seed alone. For a group, every seed is shown beside the
mean, and intervals are t-intervals over the seeds: they say how far another training would differ, not how far another
draw of the examples would.

A class that is never answered has no precision; in the macro mean it counts as 0, since leaving it out would reward a
model for answering nothing but the largest class. Micro-averaged precision, recall and F1 all equal the accuracy here,
where each example has one class and gets one answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.classification.predictions import Predictions, named, over_seeds, quoted, together
from analysis.figures import theme
from analysis.figures.traces import error_bars, halves, seed_dots
from analysis.statistics import Interval, plus_minus

if TYPE_CHECKING:
    import plotly.graph_objects as go

MEASURES = ("precision", "recall", "F1")
MOST_NUMBERS = 20
"""A confusion matrix of more classes is only coloured, its numbers are shown on hover."""
MOST_TICKS = 40
"""How many names of classes stand on an axis."""


# The confusion matrix


@dataclass(frozen=True)
class ConfusionInfo:
    """A confusion matrix: rows are the true classes, columns the answers."""

    names: tuple[str, ...]
    counts: np.ndarray
    """(K, K): examples of all runs together."""
    shares: list[list[Interval]]
    """The share of each row, over the runs; without a mean where no example has that class."""
    n: int
    """How many runs there are."""

    @property
    def caption(self) -> str:
        """A clause on what the figure counts."""
        total = f"{self.counts.sum():,} answers"
        if self.n == 1:
            return f"{total} of one run"
        kind = named(self.n)
        return f"{total} of {self.n} seeds together; shares are means over the seeds{f' ({kind})' if kind else ''}"

    def frame(self, *, shares: bool = False) -> pd.DataFrame:
        """The table for a download: one row per true class, one column per answer."""
        values = [[cell.mean for cell in row] for row in self.shares] if shares else self.counts
        frame = pd.DataFrame(values, columns=list(self.names))
        frame.insert(0, "true class", list(self.names), allow_duplicates=True)
        return frame


def confusion_info(runs: Iterable[Predictions]) -> ConfusionInfo:
    """The confusion matrix of one run or of a group's runs.

    Raises:
        PredictionsError: There are no runs, or they do not belong together.
    """
    from sklearn.metrics import confusion_matrix

    chosen = together(runs)
    names = chosen[0].names
    labels = np.arange(len(names))
    counts = np.array([confusion_matrix(run.targets, run.answers, labels=labels) for run in chosen])
    totals = counts.sum(axis=2, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, math.nan), where=totals > 0)
    cells = [[over_seeds(shares[:, row, column]) for column in labels] for row in labels]
    return ConfusionInfo(names, counts.sum(axis=0), cells, len(chosen))


def class_ticks(names: Sequence[str]) -> dict[str, Any]:
    """An axis with a name at each whole number, since two classes may have one name; of many names, every k-th."""
    step = math.ceil(len(names) / MOST_TICKS)
    places = list(range(0, len(names), step))
    texts = [theme.plain(theme.shortened(names[place], 18)) for place in places]
    return {"tickmode": "array", "tickvals": places, "ticktext": texts}


def plot_confusion(
    info: ConfusionInfo, *, shares: bool = True, dark: bool = False, height: int | None = None
) -> go.Figure:
    """The matrix, coloured by each row's shares (0 to 1 on every figure) or by the counts."""
    import plotly.graph_objects as go

    size = len(info.names)
    means = np.array([[cell.mean for cell in row] for row in info.shares])
    values = means if shares else info.counts.astype(float)
    form = ".2f" if shares else ",.0f"
    written = [
        ["" if not count else f"{value:{form}}" for value, count in zip(*row, strict=True)]
        for row in zip(values, info.counts, strict=True)
    ]
    names = [theme.plain(theme.shortened(name)) for name in info.names]
    hover = [
        [
            f"<b>{names[row]}</b>, answered <b>{names[column]}</b><br>{info.counts[row, column]:,} examples, "
            f"{plus_minus(info.shares[row][column])} of the class"
            for column in range(size)
        ]
        for row in range(size)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=values,
            text=written,
            texttemplate="%{text}" if size <= MOST_NUMBERS else None,
            customdata=hover,
            hovertemplate="%{customdata}<extra></extra>",
            colorscale=[[0, theme.background(dark)], [1, theme.palette(dark)[0]]],
            zmin=0,
            zmax=1 if shares else max(float(info.counts.max()), 1.0),
            xgap=1,
            ygap=1,
            colorbar={
                "thickness": 10,
                "outlinewidth": 0,
                "title": {"text": "share of row" if shares else "examples", "font": {"size": 12}},
            },
        )
    )
    figure.update_layout(
        **theme.layout(dark, x="answer", y="true class", height=height or min(max(240, 110 + 34 * size), 640))
    )
    figure.update_xaxes(**class_ticks(info.names), showgrid=False)
    figure.update_yaxes(**class_ticks(info.names), showgrid=False, autorange="reversed")
    return figure


# By class


@dataclass(frozen=True)
class Quality:
    """Precision, recall and F1 of a class, or their mean over the classes."""

    name: str
    support: float
    """How many examples of the class a run has, the mean over the runs."""
    seeds: Mapping[str, list[float]]
    """The value of each measure in each run, nan where it is not defined."""
    measures: Mapping[str, Interval]
    """The mean of each measure over the runs where it is defined."""


@dataclass(frozen=True)
class ByClassInfo:
    """Precision, recall and F1 of each class and their means, as `plot_by_class` draws them."""

    classes: list[Quality]
    macro: Quality
    micro: Quality
    seeds: list[int]

    @property
    def rows(self) -> list[Quality]:
        """The classes, then the two means."""
        return [*self.classes, self.macro, self.micro]

    @property
    def notes(self) -> list[str]:
        """A sentence for each class that is never answered, and for those without an example."""
        never = [row.name for row in self.classes if any(math.isnan(v) for v in row.seeds["precision"])]
        absent = [row.name for row in self.classes if any(math.isnan(v) for v in row.seeds["recall"])]
        where = "in at least one seed" if len(self.seeds) > 1 else "here"
        notes = []
        if never:
            notes.append(
                f"Never answered {where}: {_listed(never)}. Such a precision is undefined, and 0 in the macro mean."
            )
        if absent:
            notes.append(f"Without an example {where}: {_listed(absent)}. Such a class is in no macro mean.")
        return notes

    def frame(self) -> pd.DataFrame:
        """The table for a download: one row per class, then the means; low and high are empty below three seeds."""
        records = []
        for row in self.rows:
            record: dict[str, Any] = {"class": row.name, "examples": row.support}
            for measure, value in row.measures.items():
                bounds = (value.low, value.high) if value.shown else (math.nan, math.nan)
                record |= {measure: value.mean, f"{measure} low": bounds[0], f"{measure} high": bounds[1]}
            records.append(record)
        return pd.DataFrame(records)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(quoted(name) for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def _quality(name: str, support: float, values: np.ndarray) -> Quality:
    """The quality of a class, from `values` (runs, 3): the MEASURES in each run."""
    by_measure = {measure: values[:, place].tolist() for place, measure in enumerate(MEASURES)}
    means = {measure: over_seeds(numbers) for measure, numbers in by_measure.items()}
    return Quality(name, support, by_measure, means)


def by_class_info(runs: Iterable[Predictions]) -> ByClassInfo:
    """Precision, recall and F1 of each class, and their macro and micro means.

    Raises:
        PredictionsError: There are no runs, or they do not belong together.
    """
    from sklearn.metrics import precision_recall_fscore_support

    chosen = together(runs)
    names = chosen[0].names
    labels = np.arange(len(names))

    def measured(run: Predictions, **options: Any) -> list[Any]:
        return list(precision_recall_fscore_support(run.targets, run.answers, **options))[:3]

    by_class = np.array([measured(run, labels=labels, zero_division=np.nan) for run in chosen])  # (runs, 3, K)
    macro = [measured(run, labels=np.unique(run.targets), average="macro", zero_division=0) for run in chosen]
    micro = [measured(run, labels=labels, average="micro", zero_division=0) for run in chosen]
    support = np.mean([run.counts for run in chosen], axis=0)
    return ByClassInfo(
        classes=[_quality(name, float(support[k]), by_class[:, :, k]) for k, name in enumerate(names)],
        macro=_quality("macro mean", float(support.sum()), np.array(macro, dtype=float)),
        micro=_quality("micro mean", float(support.sum()), np.array(micro, dtype=float)),
        seeds=[run.seed for run in chosen],
    )


def plot_by_class(info: ByClassInfo, *, dark: bool = False, height: int | None = None) -> go.Figure:
    """A row a class: the seeds as small dots, their means as large marks with intervals; the two means at the foot."""
    import plotly.graph_objects as go

    figure, colours = go.Figure(), theme.palette(dark)
    rows, names = info.rows, [theme.plain(theme.shortened(row.name)) for row in info.rows]
    symbols = ("circle", "diamond", "square")
    for place, (measure, symbol) in enumerate(zip(MEASURES, symbols, strict=True)):
        colour, offset = colours[place], 0.22 * (place - 1)
        if len(info.seeds) > 1:
            seed_dots(
                figure,
                [value for row in rows for value in row.seeds[measure]],
                [k + offset for k, row in enumerate(rows) for _ in row.seeds[measure]],
                colour,
                size=4,
                opacity=0.4,
                text=[f"{name}</b><br>seed {seed}" for name in names for seed in info.seeds],
                hovertemplate=f"<b>%{{text}}, {measure} %{{x:.4g}}<extra></extra>",
                legendgroup=measure,
            )
        means = [row.measures[measure] for row in rows]
        figure.add_scatter(
            x=[mean.mean for mean in means],
            y=[k + offset for k in range(len(rows))],
            error_x=error_bars(halves(means), thickness=1.5),
            mode="markers",
            marker={"color": colour, "size": 8, "symbol": symbol},
            name=measure,
            legendgroup=measure,
            text=[
                f"{name}</b><br>{measure} {plus_minus(mean)} (n={mean.n}), {row.support:,.4g} examples"
                for name, mean, row in zip(names, means, rows, strict=True)
            ],
            hovertemplate="<b>%{text}<extra></extra>",
        )
    kind = named(len(info.seeds))
    x = f"share ({kind})" if kind else "share"
    figure.update_layout(**theme.layout(dark, x=x, y="", height=height or row_height(rows)), **LEGEND_ABOVE)
    figure.update_xaxes(range=[-0.02, 1.02], showgrid=True)
    figure.update_yaxes(**class_ticks([row.name for row in rows]), autorange="reversed", showgrid=False)
    if len(info.classes) <= MOST_TICKS:
        figure.add_hline(len(info.classes) - 0.5, line={"width": 1, "color": theme.translucent("#808080", 0.4)})
    return figure


LEGEND_ABOVE: dict[str, Any] = {"legend_yanchor": "bottom", "legend_y": 1.0}
"""Below, a legend would cover the axis of a figure with few rows."""


def row_height(rows: Sequence[Any]) -> int:
    """The height of a figure with so many rows, in pixels."""
    return min(max(180, 90 + 38 * len(rows)), 900)
