"""Calibration: whether probabilities mean what they say.

Among the examples with a probability near 0.8, is the class right in 80 %? Of two classes the probability of one of
them is compared, of more classes that of the answer (Guo et al. 2017). The expected calibration
error is sum over the bins of (examples in it / all) * |share that is right - mean probability|, over bins of equal
width. It is above 0 for a perfectly calibrated model too, the more so the fewer examples there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.classification.predictions import Predictions, named, over_seeds, rarest, together, wilson
from analysis.figures import theme
from analysis.figures.traces import error_bars, mean_line, seed_line, sides
from analysis.statistics import Interval, plus_minus

if TYPE_CHECKING:
    import plotly.graph_objects as go

BINS = 10
"""How many bins the diagram has unless the user asks for another number."""


@dataclass(frozen=True)
class Reliability:
    """One run's examples by bin: how many there are, their mean probability and the share that is right (or nan)."""

    seed: int
    counts: np.ndarray
    predicted: np.ndarray
    right: np.ndarray
    error: float
    """The expected calibration error."""


@dataclass(frozen=True)
class CalibrationInfo:
    """The reliability diagram's numbers, as `plot_calibration` draws them."""

    of: str
    """The class that has the probability, or "the answer"."""
    edges: np.ndarray
    lines: list[Reliability]
    predicted: list[Interval]
    """The mean probability in each bin, over the runs that have examples there."""
    right: list[Interval]
    """The share that is right in each bin: with Wilson's interval for one run, Student's over a group's seeds."""
    error: Interval
    """The expected calibration error over the runs."""

    @property
    def band(self) -> str:
        """The name of the intervals; empty where there are none."""
        return "95% Wilson interval" if len(self.lines) == 1 else named(len(self.lines))

    @property
    def caption(self) -> str:
        """The expected calibration error in a sentence."""
        kind = named(len(self.lines))
        examples = int(self.lines[0].counts.sum())
        text = f"Expected calibration error {plus_minus(self.error)}{f' ({kind})' if kind else ''}"
        text += f", {len(self.edges) - 1} bins, {examples:,} examples a run."
        return f"{text} With so many, perfect probabilities would not get 0 either."

    def frame(self) -> pd.DataFrame:
        """The table for a download: one row per bin of each run."""
        parts = [
            pd.DataFrame(
                {
                    "seed": line.seed,
                    "from": self.edges[:-1],
                    "to": self.edges[1:],
                    "examples": line.counts,
                    "mean probability": line.predicted,
                    "share right": line.right,
                }
            )
            for line in self.lines
        ]
        return pd.concat(parts, ignore_index=True)


def _reliability(run: Predictions, of: int | None, edges: np.ndarray) -> Reliability:
    if of is None:
        probabilities, right = run.probabilities.max(axis=1), run.answers == run.targets
    else:
        probabilities, right = run.probabilities[:, of], run.targets == of
    bins = np.digitize(probabilities, edges[1:-1])
    counts = np.bincount(bins, minlength=len(edges) - 1)

    def mean(values: np.ndarray) -> np.ndarray:
        sums = np.bincount(bins, weights=values, minlength=len(counts))
        return np.asarray(np.divide(sums, counts, out=np.full(len(counts), math.nan), where=counts > 0))

    predicted, share = mean(probabilities), mean(right)
    error = float(np.nansum(counts * np.abs(share - predicted)) / counts.sum())
    return Reliability(run.seed, counts, predicted, share, error)


def calibration_info(runs: Iterable[Predictions], bins: int = BINS, positive: int | None = None) -> CalibrationInfo:
    """The reliability diagram's numbers.

    Args:
        runs: One run, or those of a group.
        bins: How many bins of equal width lie between 0 and 1; a value on an edge falls into the upper one.
        positive: The class whose probability is compared; if not given, of two classes the rarer one, of more classes
            the answer, whichever it is.

    Raises:
        PredictionsError: There are no runs, or they do not belong together.
    """
    chosen = together(runs)
    names = chosen[0].names
    if positive is None and len(names) == 2:
        positive = rarest(chosen)
    edges = np.linspace(0, 1, bins + 1)
    lines = [_reliability(run, positive, edges) for run in chosen]
    if len(lines) == 1:
        right = [wilson(round(s * n), n) for s, n in zip(np.nan_to_num(lines[0].right), lines[0].counts, strict=True)]
    else:
        right = [over_seeds(column) for column in np.array([line.right for line in lines]).T]
    return CalibrationInfo(
        of="the answer" if positive is None else names[positive],
        edges=edges,
        lines=lines,
        predicted=[over_seeds(column) for column in np.array([line.predicted for line in lines]).T],
        right=right,
        error=over_seeds(line.error for line in lines),
    )


def _seeds(figure: go.Figure, info: CalibrationInfo, colour: str) -> None:
    for line in info.lines:
        filled = line.counts > 0
        seed_line(
            figure,
            line.predicted[filled],
            line.right[filled],
            colour,
            opacity=0.3,
            mode="lines+markers",
            marker={"color": theme.translucent(colour, 0.4), "size": 4},
            text=[f"{n:,}" for n in line.counts[filled]],
            hovertemplate=f"seed {line.seed}: said %{{x:.3f}}, right %{{y:.3f}}, %{{text}} examples<extra></extra>",
            row=1,
            col=1,
        )


def _means(figure: go.Figure, info: CalibrationInfo, colour: str) -> None:
    """The mean of the seeds, or the only run, whose intervals are over its examples."""
    alone = len(info.lines) == 1
    bins = [k for k, right in enumerate(info.right) if right.n]
    rights = [info.right[k] for k in bins]
    name = "this run" if alone else f"mean of {len(info.lines)} seeds"
    mean_line(
        figure,
        [info.predicted[k].mean for k in bins],
        [right.mean for right in rights],
        colour,
        width=2,
        size=7,
        error_y=error_bars(*sides(rights, [alone or right.shown for right in rights]), thickness=1.5),
        text=[f"n={right.n:,}{' examples' if alone else ' seeds'}" for right in rights],
        hovertemplate="said %{x:.3f}, right %{y:.3f}, %{text}<extra></extra>",
        name=f"{name} ({info.band})" if info.band else name,
        row=1,
        col=1,
    )


def _counts(figure: go.Figure, info: CalibrationInfo, colour: str) -> None:
    figure.add_bar(
        x=(info.edges[:-1] + info.edges[1:]) / 2,
        y=np.mean([line.counts for line in info.lines], axis=0),
        width=np.diff(info.edges) * 0.94,
        marker={"color": theme.translucent(colour, 0.5), "line": {"width": 0}},
        hovertemplate="%{y:,.4g} examples<extra></extra>",
        showlegend=False,
        row=2,
        col=1,
    )


def plot_calibration(info: CalibrationInfo, *, dark: bool = False, height: int = 440) -> go.Figure:
    """Above: the share that is right against the probability, with the diagonal of what is meant. Below: the counts."""
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.76, 0.24], vertical_spacing=0.05)
    colour = theme.palette(dark)[0]
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": theme.translucent("#808080", 0.7), "width": 1, "dash": "dot"},
        name="what is said is so",
        hoverinfo="skip",
        row=1,
        col=1,
    )
    if len(info.lines) > 1:
        _seeds(figure, info, colour)
    _means(figure, info, colour)
    _counts(figure, info, colour)
    layout = theme.layout(dark, x="", y="share that is right", height=height)
    layout["legend"] |= {"y": -0.2}
    figure.update_layout(**layout)
    below = theme.layout(dark, x=theme.shortened(f"probability of {info.of}"), y="examples")
    figure.update_layout(xaxis2=below["xaxis"], yaxis2=below["yaxis"])
    figure.update_xaxes(range=[-0.01, 1.01], showgrid=True)
    figure.update_yaxes(range=[-0.03, 1.03], row=1, col=1)
    figure.update_xaxes(showticklabels=False, row=1, col=1)
    return figure
