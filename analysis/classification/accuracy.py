"""Accuracy beside that of always answering the most frequent class, and beside balanced accuracy.

A group's interval is Student's over its seeds: how far another training would differ. A single run's is Wilson's over
its examples (Wilson 1927): how far another draw of as many examples would differ. The figure names which one it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.classification.confusion import LEGEND_ABOVE, class_ticks, row_height
from analysis.classification.predictions import Predictions, named, over_seeds, quoted, together, wilson
from analysis.figures import theme
from analysis.figures.traces import error_bars, halves, seed_dots, sides
from analysis.statistics import Interval, number, plus_minus

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Accuracy:
    """One run's or group's accuracy, and that of always answering the class that is most frequent there."""

    label: str
    seeds: list[int]
    values: list[float]
    accuracy: Interval
    """Wilson's interval over the examples of one run, Student's over the seeds of a group."""
    kind: str
    """The name of the interval; empty where there is none."""
    examples: int
    """How many examples a run has, the smallest number where they differ."""
    majority: str
    """The most frequent class."""
    baseline: float
    """The share of that class, the mean over the runs."""
    gains: list[float]
    """The accuracy minus the baseline, in each run."""
    gain: Interval
    """The mean of the gains over the seeds."""
    balanced: Interval
    """The mean recall of the classes: always answering one class gets 1 / classes, however frequent it is."""
    chance: float
    """1 / classes, counting those that have examples."""

    @property
    def sentence(self) -> str:
        """The numbers in words; they say where the interval lies, not that the run or group is better."""
        bounds = f" ({number(self.accuracy.low)} to {number(self.accuracy.high)}: {self.kind})"
        text = f"Accuracy {number(self.accuracy.mean)}{bounds if self.kind else ''}"
        text += f"; always answering {quoted(self.majority)} gets {number(self.baseline)}"
        if len(self.values) == 1:
            low, high = self.accuracy.low - self.baseline, self.accuracy.high - self.baseline
            where = "above" if low > 0 else "below" if high < 0 else "around"
            text += f", and the interval lies {where} that."
        else:
            above = sum(value > 0 for value in self.gains)
            difference = f"{plus_minus(self.gain)} more" if self.gain.mean >= 0 else f"{number(-self.gain.mean)} less"
            text += f": {difference}, above it in {above} of {len(self.values)} seeds."
        balanced = (
            f"Balanced accuracy {plus_minus(self.balanced)}, where one answer for all gets {number(self.chance)}."
        )
        return f"{text} {balanced}"


def _accuracy(label: str, runs: Iterable[Predictions]) -> Accuracy:
    from sklearn.metrics import accuracy_score, recall_score

    chosen = together(runs)
    values = [float(accuracy_score(run.targets, run.answers)) for run in chosen]
    counts = np.array([run.counts for run in chosen])
    shares = counts.max(axis=1) / counts.sum(axis=1)
    gains = [value - float(share) for value, share in zip(values, shares, strict=True)]
    balanced = [
        float(recall_score(run.targets, run.answers, labels=np.unique(run.targets), average="macro")) for run in chosen
    ]
    if len(chosen) == 1:
        (run,) = chosen
        accuracy = wilson(int((run.answers == run.targets).sum()), len(run.targets))
        kind = f"95% Wilson interval, {len(run.targets):,} examples"
    else:
        accuracy, kind = over_seeds(values), named(len(values))
    return Accuracy(
        label=label,
        seeds=[run.seed for run in chosen],
        values=values,
        accuracy=accuracy,
        kind=kind,
        examples=int(counts.sum(axis=1).min()),
        majority=chosen[0].names[int(counts.sum(axis=0).argmax())],
        baseline=float(shares.mean()),
        gains=gains,
        gain=over_seeds(gains),
        balanced=over_seeds(balanced),
        chance=1 / int((counts.sum(axis=0) > 0).sum()),
    )


@dataclass(frozen=True)
class AccuracyInfo:
    """Accuracies, one row per run or group, as `plot_accuracy` draws them."""

    rows: list[Accuracy]

    @property
    def kinds(self) -> str:
        """The names of the intervals; empty where there are none."""
        seeds = [len(row.values) for row in self.rows if row.kind and len(row.values) > 1]
        words = []
        if seeds:
            n = f"{min(seeds)}" if min(seeds) == max(seeds) else f"{min(seeds)} to {max(seeds)}"
            words.append(f"95% t-interval over seeds, n={n}")
        if any(len(row.values) == 1 for row in self.rows):
            words.append(f"{'of a single run ' if seeds else ''}95% Wilson interval")
        return "; ".join(words)

    def frame(self) -> pd.DataFrame:
        """The table for a download: one row per run."""
        rows = [
            (row.label, seed, value, row.baseline, row.majority, row.examples)
            for row in self.rows
            for seed, value in zip(row.seeds, row.values, strict=True)
        ]
        return pd.DataFrame(rows, columns=["group", "seed", "accuracy", "baseline", "always answering", "examples"])


def accuracy_info(groups: Mapping[str, Iterable[Predictions]]) -> AccuracyInfo:
    """Accuracy beside the majority-class baseline.

    The baseline is the best that one answer for all examples could get *on these examples*, so no constant beats it.

    Args:
        groups: The runs of each group by its label; a list of one for a single run.

    Raises:
        PredictionsError: A group has no runs, or runs that do not belong together.
    """
    return AccuracyInfo([_accuracy(label, runs) for label, runs in groups.items()])


def plot_accuracy(info: AccuracyInfo, *, dark: bool = False, height: int | None = None) -> go.Figure:
    """A row a group: seeds, mean and interval; a bar where the majority class alone would stand; balanced accuracy."""
    import plotly.graph_objects as go

    figure, (blue, ochre), ink = go.Figure(), theme.palette(dark)[:2], theme.ink(dark)
    names = [theme.plain(theme.shortened(row.label)) for row in info.rows]
    several = [(k, row) for k, row in enumerate(info.rows) if len(row.values) > 1]
    if several:
        seed_dots(
            figure,
            [value for _, row in several for value in row.values],
            [k - 0.12 for k, row in several for _ in row.values],
            blue,
            text=[f"{names[k]}</b><br>seed {seed}" for k, row in several for seed in row.seeds],
            hovertemplate="<b>%{text}: %{x:.4g}<extra></extra>",
            name="accuracy of a seed",
        )
    figure.add_scatter(
        x=[row.accuracy.mean for row in info.rows],
        y=[k - 0.12 for k in range(len(info.rows))],
        error_x=error_bars(*sides([row.accuracy for row in info.rows], [bool(row.kind) for row in info.rows])),
        mode="markers",
        marker={"color": blue, "size": 10},
        text=[
            f"{name}</b><br>{number(row.accuracy.mean)}{f', {row.kind}' if row.kind else ''}"
            for name, row in zip(names, info.rows, strict=True)
        ],
        hovertemplate="<b>%{text}<extra></extra>",
        name="accuracy",
    )
    figure.add_scatter(
        x=[row.baseline for row in info.rows],
        y=[k - 0.12 for k in range(len(info.rows))],
        mode="markers",
        marker={"symbol": "line-ns", "size": 18, "line": {"width": 2.5, "color": ink}},
        text=[f"{theme.plain(theme.shortened(row.majority))}</b>: {number(row.baseline)}" for row in info.rows],
        hovertemplate="always answering <b>%{text}<extra></extra>",
        name="always the most frequent class",
    )
    figure.add_scatter(
        x=[row.balanced.mean for row in info.rows],
        y=[k + 0.2 for k in range(len(info.rows))],
        error_x=error_bars(halves([row.balanced for row in info.rows]), thickness=1.5),
        mode="markers",
        marker={"color": ochre, "size": 8, "symbol": "diamond"},
        text=[
            f"{name}</b><br>balanced accuracy {plus_minus(row.balanced)}; one answer for all gets {number(row.chance)}"
            for name, row in zip(names, info.rows, strict=True)
        ],
        hovertemplate="<b>%{text}<extra></extra>",
        name="balanced accuracy",
    )
    figure.update_layout(**theme.layout(dark, x="", y="", height=height or row_height(info.rows) + 70), **LEGEND_ABOVE)
    # A line each: on a narrow page they would not fit beside each other.
    figure.update_xaxes(title_text="<br>".join(["share of examples", *info.kinds.split("; ")]))
    figure.update_xaxes(showgrid=True)
    figure.update_yaxes(**class_ticks([row.label for row in info.rows]), autorange="reversed", showgrid=False)
    return figure
