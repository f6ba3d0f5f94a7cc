"""How well probabilities separate a class from the rest: precision-recall and ROC curves, and the areas under them.

Their mean over seeds is vertical (Fawcett 2006): the mean precision at each recall, the mean true positive rate at each
false positive rate. The area under precision-recall is the average precision, a sum of steps: to join the points by
straight lines would promise too much (Davis and Goadrich 2006). Areas are averaged over the seeds, not computed from
the mean curve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd

from analysis.classification.predictions import Predictions, named, over_seeds, quoted, rarest, together
from analysis.figures import theme
from analysis.figures.traces import band, band_opacity, bounds, mean_line, seed_line, thin
from analysis.statistics import Interval, number, plus_minus

if TYPE_CHECKING:
    import plotly.graph_objects as go

Kind = Literal["precision-recall", "ROC"]
GRID = np.linspace(0, 1, 101)
"""The values of x at which means over seeds are taken."""
MOST_BANDS = 3
"""With more classes, their bands would hide each other: the lines alone are drawn."""


@dataclass(frozen=True)
class SeedCurve:
    """One run's curve for one class; x does not fall."""

    seed: int
    x: np.ndarray
    y: np.ndarray
    area: float


@dataclass(frozen=True)
class ClassCurve:
    """One class against the rest."""

    name: str
    number: int
    share: float
    """The class's share of the examples, the mean over the runs: the average precision of a guess."""
    lines: list[SeedCurve]
    means: list[Interval]
    """The mean curve on GRID; empty for a single run."""
    area: Interval
    """The mean area over the seeds."""


@dataclass(frozen=True)
class SeparationInfo:
    """The curves of one kind, one per class, as `plot_separation` draws them."""

    kind: Kind
    curves: list[ClassCurve]
    missing: list[str]
    """Classes without a curve: in some run all examples are of the class, or none is."""
    macro: Interval
    """The mean area of the classes."""
    n: int
    """How many runs there are."""

    @property
    def area_name(self) -> str:
        """The name of the area under the curves."""
        return "average precision" if self.kind == "precision-recall" else "AUC"

    @property
    def band(self) -> str:
        """The name of the bands and of the areas' intervals; empty where there are none."""
        return named(self.n)

    @property
    def caption(self) -> str:
        """The areas in a sentence, and the classes that have none."""
        if len(self.curves) == 1:
            (curve,) = self.curves
            text = f"{quoted(curve.name)} against the rest: {self.area_name} {plus_minus(curve.area)}"
            guess = curve.share if self.kind == "precision-recall" else 0.5
            text += f", of a guess {number(guess)}"
        elif self.curves:
            text = f"Mean {self.area_name} of {len(self.curves)} classes: {plus_minus(self.macro)}"
        else:
            text = "No class has both examples and others to tell it from"
        text += f" ({self.band})." if self.band and self.curves else "."
        if self.missing and self.curves:
            text += f" Without a curve, for want of examples: {', '.join(quoted(name) for name in self.missing)}."
        return text

    def frame(self) -> pd.DataFrame:
        """The table for a download: one row per point of each run's curve."""
        across, up = ("recall", "precision") if self.kind == "precision-recall" else ("false positives", "recall")
        parts = [
            pd.DataFrame(
                {"class": curve.name, "seed": line.seed, across: line.x, up: line.y, self.area_name: line.area}
            )
            for curve in self.curves
            for line in curve.lines
        ]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["class", "seed", across, up])


def _precision_recall(truth: np.ndarray, scores: np.ndarray, seed: int) -> SeedCurve:
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, _ = precision_recall_curve(truth, scores, drop_intermediate=True)
    precision, recall = precision[::-1].copy(), recall[::-1]
    precision[0] = precision[1]  # scikit-learn puts precision 1 at recall 0, which nothing supports
    return SeedCurve(seed, recall, precision, float(average_precision_score(truth, scores)))


def _roc(truth: np.ndarray, scores: np.ndarray, seed: int) -> SeedCurve:
    from sklearn.metrics import roc_auc_score, roc_curve

    false_positives, true_positives, _ = roc_curve(truth, scores)
    return SeedCurve(seed, false_positives, true_positives, float(roc_auc_score(truth, scores)))


def _on_grid(kind: Kind, line: SeedCurve) -> np.ndarray:
    """The values of a curve on GRID."""
    if kind == "ROC":
        return np.asarray(np.interp(GRID, line.x, line.y))
    # The first point with at least that recall, as average precision takes it.
    return np.asarray(line.y[np.searchsorted(line.x, np.maximum(GRID, np.nextafter(0, 1)), side="left")])


def _info(
    kind: Kind,
    make: Callable[[np.ndarray, np.ndarray, int], SeedCurve],
    runs: Iterable[Predictions],
    classes: Sequence[int] | None,
) -> SeparationInfo:
    chosen = together(runs)
    names = chosen[0].names
    if classes is None:
        classes = [rarest(chosen)] if len(names) == 2 else range(len(names))
    curves, missing = [], []
    for k in classes:
        truths = [run.targets == k for run in chosen]
        if any(truth.all() or not truth.any() for truth in truths):
            missing.append(names[k])
            continue
        lines = [make(truth, run.probabilities[:, k], run.seed) for truth, run in zip(truths, chosen, strict=True)]
        on_grid = np.array([_on_grid(kind, line) for line in lines]) if len(lines) > 1 else np.empty((0, 0))
        curves.append(
            ClassCurve(
                name=names[k],
                number=k,
                share=float(np.mean([truth.mean() for truth in truths])),
                lines=lines,
                means=[over_seeds(column) for column in on_grid.T],
                area=over_seeds(line.area for line in lines),
            )
        )
    by_seed = [float(np.mean([curve.lines[place].area for curve in curves])) for place in range(len(chosen)) if curves]
    return SeparationInfo(kind, curves, missing, over_seeds(by_seed), len(chosen))


def precision_recall_info(runs: Iterable[Predictions], classes: Sequence[int] | None = None) -> SeparationInfo:
    """Precision against recall, and the average precision.

    Args:
        runs: One run, or those of a group.
        classes: The classes, each against the rest; if not given, the rarer of two, or all of more.

    Raises:
        PredictionsError: There are no runs, or they do not belong together.
    """
    return _info("precision-recall", _precision_recall, runs, classes)


def roc_info(runs: Iterable[Predictions], classes: Sequence[int] | None = None) -> SeparationInfo:
    """The true positive rate (recall) against the false positive rate, and the area under it.

    Args:
        runs: One run, or those of a group.
        classes: The classes, each against the rest; if not given, the rarer of two, or all of more.

    Raises:
        PredictionsError: There are no runs, or they do not belong together.
    """
    return _info("ROC", _roc, runs, classes)


_AXES: Final[dict[Kind, tuple[str, str]]] = {
    "precision-recall": ("recall", "precision"),
    "ROC": ("false positive rate", "true positive rate"),
}
"""What the axes of each kind of curve show."""


def _guess(figure: go.Figure, curve: ClassCurve, colour: str, steps: bool) -> None:
    """What a guess would get: the diagonal of every ROC curve, the share of the class for precision."""
    grey = theme.translucent("#808080", 0.7)
    name = theme.plain(theme.shortened(curve.name))
    hover = f"{name}, a guess: {number(curve.share)}<extra></extra>" if steps else "a guess<extra></extra>"
    figure.add_scatter(
        x=[0, 1],
        y=[curve.share, curve.share] if steps else [0, 1],
        mode="lines",
        line={"color": theme.translucent(colour, 0.7) if steps else grey, "width": 1, "dash": "dot"},
        hovertemplate=hover,
        showlegend=False,
        legendgroup=str(curve.number) if steps else None,
    )


def _draw(figure: go.Figure, info: SeparationInfo, curve: ClassCurve, colour: str, dash: str) -> None:
    """The seeds of one class and their mean; a single run is drawn as a mean is."""
    name, key = theme.plain(theme.shortened(curve.name)), str(curve.number)
    label, (x, y) = f"{name}: {plus_minus(curve.area)}", _AXES[info.kind]
    steps, alone = info.kind == "precision-recall", len(curve.lines) == 1
    for line in curve.lines:
        seed = "" if alone else f"<br>seed {line.seed}"
        (mean_line if alone else seed_line)(
            figure,
            *thin(line.x, line.y),
            colour,
            dash=dash,
            shape="vh" if steps else "linear",
            hovertemplate=f"<b>{name}</b>{seed}<br>{x} %{{x:.3g}}, {y} %{{y:.3g}}<extra></extra>",
            name=label,
            showlegend=alone,
            legendgroup=key,
        )
    if curve.means:
        start = [] if steps else [0.0]  # a ROC curve begins at the origin, and may leave it upwards
        mean_line(
            figure,
            [*start, *GRID],
            [*start, *(mean.mean for mean in curve.means)],
            colour,
            dash=dash,
            text=[""] * len(start) + [plus_minus(mean) for mean in curve.means],
            hovertemplate=f"<b>{name}</b>, mean of {info.n} seeds<br>{x} %{{x:.3g}}, {y} %{{text}}<extra></extra>",
            name=label,
            legendgroup=key,
        )


def plot_separation(info: SeparationInfo, *, dark: bool = False, height: int = 380) -> go.Figure:
    """The curves: seeds faint, means strong, bands where there are few classes; dotted is what a guess would get."""
    import plotly.graph_objects as go

    figure, colours = go.Figure(), theme.palette(dark)
    places = [curve.number % len(colours) if len(info.curves) > 1 else 0 for curve in info.curves]
    few, steps = len(info.curves) <= MOST_BANDS, info.kind == "precision-recall"
    for curve, place, dash in zip(info.curves, places, theme.dashes(places), strict=True):
        if few if steps else curve is info.curves[0]:
            _guess(figure, curve, colours[place], steps)
        if curve.means and info.band and few:
            low, high = np.clip(bounds(curve.means), 0, 1)
            key, opacity = str(curve.number), band_opacity(dark)
            band(figure, GRID, low, high, colours[place], opacity=opacity, legendgroup=key)
        _draw(figure, info, curve, colours[place], dash)
    x, y = _AXES[info.kind]
    figure.update_layout(**theme.layout(dark, x=x, y=y, height=height))
    figure.update_xaxes(range=[-0.01, 1.01])
    figure.update_yaxes(range=[-0.01, 1.02])
    areas = f"{info.area_name} ({info.band})" if info.band else info.area_name
    figure.update_layout(legend={"title": {"text": areas, "side": "top"}, "y": -0.2})
    return figure
