"""Thresholds: how good the answers are if a class is answered wherever its probability reaches a threshold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.classification.predictions import (
    Predictions,
    PredictionsError,
    named,
    over_seeds,
    quoted,
    rarest,
    together,
)
from analysis.figures import theme
from analysis.figures.traces import band, bounds, mean_line, seed_line
from analysis.statistics import Interval, number, plus_minus

if TYPE_CHECKING:
    import plotly.graph_objects as go

STEPS = 101
"""How many thresholds there are unless the caller names them."""
MEASURES = ("precision", "recall", "F1", "accuracy")


@dataclass(frozen=True)
class ThresholdInfo:
    """The four measures at each threshold, as `plot_threshold` draws them."""

    positive: str
    thresholds: np.ndarray
    seeds: list[int]
    values: dict[str, np.ndarray]
    """(runs, thresholds) for each measure, nan where it is not defined."""
    means: dict[str, list[Interval]]
    """The mean of each measure at each threshold; empty where it is not defined in all runs, so that no mean jumps."""
    share: float
    """The class's share of the examples, the mean over the runs."""

    @property
    def band(self) -> str:
        """The name of the bands; empty where there are none."""
        return named(len(self.seeds))

    def frame(self) -> pd.DataFrame:
        """The table for a download: one row per threshold of each run."""
        parts = []
        for place, seed in enumerate(self.seeds):
            of_run = {name: by_run[place] for name, by_run in self.values.items()}
            parts.append(pd.DataFrame({"seed": seed, "threshold": self.thresholds, **of_run}))
        return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Threshold:
    """The measures at one threshold: means over the runs, and the four counts of all runs together."""

    threshold: float
    positive: str
    precision: Interval
    recall: Interval
    f1: Interval
    accuracy: Interval
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def sentence(self) -> str:
        """The numbers in words."""
        answered = self.true_positives + self.false_positives
        positives = self.true_positives + self.false_negatives
        total = answered + self.false_negatives + self.true_negatives
        name = quoted(self.positive)
        kind = named(self.recall.n)
        if not answered:
            return f"From {number(self.threshold)} on, {name} is never answered: its recall is 0."
        return (
            f"Answering {name} from {number(self.threshold)} on finds {self.true_positives:,} of {positives:,} (recall"
            f" {plus_minus(self.recall)}), and {self.true_positives:,} of {answered:,} such answers are right"
            f" (precision {plus_minus(self.precision)}); F1 {plus_minus(self.f1)}, accuracy {plus_minus(self.accuracy)}"
            f" of {total:,} answers{f' ({kind})' if kind else ''}."
        )


def _positive(runs: Sequence[Predictions], positive: int | None) -> int:
    """The class that is judged, refused if all or no examples of a run are of it."""
    k = rarest(runs) if positive is None else positive
    for run in runs:
        if not 0 < run.counts[k] < len(run.targets):
            many = "none" if not run.counts[k] else "all"
            raise PredictionsError(
                f"{quoted(run.names[k])}: {many} of the examples are of this class, so no threshold can be judged."
            )
    return k


def _counts(run: Predictions, positive: int, thresholds: np.ndarray) -> np.ndarray:
    """(4, thresholds): true and false positives, false and true negatives, if p >= threshold is an answer."""
    scores, truth = run.probabilities[:, positive], run.targets == positive
    false_negatives = np.searchsorted(np.sort(scores[truth]), thresholds, side="left")
    true_negatives = np.searchsorted(np.sort(scores[~truth]), thresholds, side="left")
    true_positives, false_positives = truth.sum() - false_negatives, (~truth).sum() - true_negatives
    return np.array([true_positives, false_positives, false_negatives, true_negatives])


def _measured(counts: np.ndarray) -> dict[str, np.ndarray]:
    """The four measures from counts (4, ...)."""
    true_positives, false_positives, false_negatives, true_negatives = counts.astype(float)
    right, wrong = true_positives + true_negatives, false_positives + false_negatives

    def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
        return np.asarray(np.divide(above, below, out=np.full(np.shape(below), math.nan), where=below > 0))

    return {
        "precision": ratio(true_positives, true_positives + false_positives),
        "recall": ratio(true_positives, true_positives + false_negatives),
        "F1": ratio(2 * true_positives, 2 * true_positives + wrong),
        "accuracy": ratio(right, right + wrong),
    }


def threshold_info(
    runs: Iterable[Predictions], positive: int | None = None, thresholds: Sequence[float] | np.ndarray | None = None
) -> ThresholdInfo:
    """Precision, recall, F1 and accuracy if the class is answered wherever its probability reaches a threshold.

    Args:
        runs: One run, or those of a group.
        positive: The class, against the rest; the rarest one if not given.
        thresholds: The thresholds, ascending from 0 to 1; 101 at equal distances if not given.

    Raises:
        PredictionsError: There are no runs, they do not belong together, or all or no examples are of the class.
    """
    chosen = together(runs)
    k = _positive(chosen, positive)
    at = np.linspace(0, 1, STEPS) if thresholds is None else np.asarray(thresholds, dtype=float)
    measured = [_measured(_counts(run, k, at)) for run in chosen]
    values = {name: np.array([by_measure[name] for by_measure in measured]) for name in MEASURES}
    undefined = over_seeds([])
    means = {
        name: [over_seeds(column) if np.isfinite(column).all() else undefined for column in by_run.T]
        for name, by_run in values.items()
    }
    share = float(np.mean([(run.targets == k).mean() for run in chosen]))
    return ThresholdInfo(chosen[0].names[k], at, [run.seed for run in chosen], values, means, share)


def at_threshold(runs: Iterable[Predictions], threshold: float, positive: int | None = None) -> Threshold:
    """The numbers at one threshold, for a slider.

    Args:
        runs: One run, or those of a group.
        threshold: The class is answered where its probability is at least this.
        positive: The class, against the rest; the rarest one if not given.

    Raises:
        PredictionsError: There are no runs, they do not belong together, or all or no examples are of the class.
    """
    chosen = together(runs)
    info = threshold_info(chosen, positive, [threshold])
    k = _positive(chosen, positive)
    total = np.sum([_counts(run, k, np.array([threshold])) for run in chosen], axis=0)[:, 0].tolist()
    precision, recall, f1, accuracy = (info.means[name][0] for name in MEASURES)
    return Threshold(threshold, info.positive, precision, recall, f1, accuracy, *total)


def best_threshold(runs: Iterable[Predictions], positive: int | None = None) -> float:
    """The threshold with the highest mean F1, the lowest of equals.

    Choose it on the validation part: a threshold that was chosen on the test part looks too good there.

    Args:
        runs: One run, or those of a group.
        positive: The class, against the rest; the rarest one if not given.

    Raises:
        PredictionsError: There are no runs, they do not belong together, or all or no examples are of the class.
    """
    info = threshold_info(runs, positive)
    return float(info.thresholds[int(np.argmax(info.values["F1"].mean(axis=0)))])


def plot_threshold(info: ThresholdInfo, *, at: float | None = None, dark: bool = False, height: int = 380) -> go.Figure:
    """A line a measure: seeds faint, means strong, bands where there are enough seeds; `at` is marked."""
    import plotly.graph_objects as go

    figure, palette = go.Figure(), theme.palette(dark)
    colours = dict(zip(MEASURES, (palette[0], palette[1], palette[2], palette[6]), strict=True))
    alone = len(info.seeds) == 1
    for name, colour in colours.items():
        means = info.means[name]
        if info.band:
            shown = np.array([mean.shown for mean in means])
            low, high = np.clip(bounds([mean for mean in means if mean.shown]), 0, 1)
            opacity = 0.14 if dark else 0.1
            band(figure, info.thresholds[shown], low, high, colour, opacity=opacity, legendgroup=name)
        for seed, values in zip(info.seeds, info.values[name], strict=True) if not alone else ():
            hover = f"seed {seed}, from %{{x:.2f}}: {name} %{{y:.4g}}<extra></extra>"
            seed_line(figure, info.thresholds, values, colour, opacity=0.3, hovertemplate=hover, legendgroup=name)
        mean_line(
            figure,
            info.thresholds,
            [mean.mean for mean in means],
            colour,
            dash="dot" if name == "accuracy" else "solid",
            text=[plus_minus(mean) for mean in means],
            hovertemplate=f"from %{{x:.2f}}: {name} %{{text}}<extra></extra>",
            name=name,
            legendgroup=name,
        )
    if at is not None:
        figure.add_vline(at, line={"width": 1.2, "color": palette[6], "dash": "dash"})
    kind = f" ({info.band})" if info.band else ""
    x_title = f"threshold on the probability of {theme.shortened(info.positive, 24)}"
    figure.update_layout(**theme.layout(dark, x=x_title, y=f"share{kind}", height=height))
    figure.update_xaxes(range=[-0.01, 1.01])
    figure.update_yaxes(range=[-0.02, 1.02])
    # The reader's hidden lines stay while the slider moves.
    figure.update_layout(uirevision=theme.plain(info.positive))
    return figure
