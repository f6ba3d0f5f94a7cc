"""The loss in training mode against the loss in evaluation mode on training data by epoch, one panel per group.

Dropout, noise, augmentation, label smoothing and batch statistics act in training mode only: the gap shows how much
harder they make the task. Two things make a gap without that. The training loss is a running mean over the epoch and so
lags behind by about half an epoch, while the other loss is measured at the epoch's end; and label smoothing and
augmentation change the targets or inputs of the training loss, so that it cannot reach the loss in evaluation mode.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.curves import Curve, curves_info
from analysis.figures.export import sizes
from analysis.figures.traces import band, crosses, mean_line, seed_line, thin
from analysis.runs.ranking import Group
from analysis.statistics import Interval, interval, number, plus_minus
from analysis.statistics.independent import independent
from tracking.schema import Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go

LOG_FROM: Final = 4.0
"""The axis is logarithmic if the highest loss is at least so many times the lowest."""


@dataclass(frozen=True)
class GroupGap:
    """One group's two curves, and how far they lie apart."""

    group: Group
    training: Curve
    evaluation: Curve
    gap: Interval
    """The training minus the evaluation loss within seeds, at the last epoch that all seeds have of both."""
    epoch: float
    """That epoch; nan where there is none."""
    lag: Interval
    """How much of the gap comes from the running mean, which lags half an epoch behind."""

    @property
    def title(self) -> str:
        """The group's name."""
        return self.group.label

    @property
    def sentence(self) -> str:
        """The gap in words, plain text."""
        if not self.gap.n:
            return f"{self.title}: no epoch with both losses."
        way = "above" if self.gap.mean >= 0 else "below"
        basis = self.gap.kind if self.gap.shown else f"n={self.gap.n}"
        return f"{self.title}: {plus_minus(self.gap.size)} {way} evaluation mode ({basis})"


@dataclass(frozen=True)
class ModesInfo:
    """The two losses of all groups; `plot_modes` draws one panel."""

    panels: list[GroupGap]
    training: str
    evaluation: str

    @property
    def empty(self) -> bool:
        """Whether no group has both losses."""
        return not any(panel.gap.n for panel in self.panels)

    @property
    def problem(self) -> str:
        """Why nothing can be drawn, in plain text; empty where something can."""
        if not self.empty:
            return ""
        missing = [] if self.training else ["in training mode"]
        missing += [] if self.evaluation else ["on training data in evaluation mode"]
        if missing:
            return f"No metric stands for the loss {' or '.join(missing)}: choose one under Metrics."
        return f"No run that ended ok has {self.training} and {self.evaluation} at the same epoch."

    @property
    def sentence(self) -> str:
        """The largest and the smallest gap, in plain text."""
        if self.empty:
            return self.problem
        by_gap = sorted((panel for panel in self.panels if panel.gap.n), key=lambda panel: panel.gap.mean)
        text = f"The loss in training mode at the last epoch, {by_gap[-1].sentence}"
        return f"{text}; {by_gap[0].sentence}." if len(by_gap) > 1 else f"{text}."

    @property
    def band(self) -> str:
        """The name of the bands; empty where none is drawn."""
        counts = sorted({panel.gap.n for panel in self.panels if panel.gap.shown})
        if not counts:
            return ""
        return f"95% t-interval, n={counts[0]}" + (f" to {counts[-1]}" if counts[-1] > counts[0] else "")

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        return f"{self.training} in training mode and {self.evaluation} in evaluation mode, a panel a group"

    @property
    def interval(self) -> str:
        """The kind of the bands; nothing where none is drawn."""
        return self.band

    @property
    def n(self) -> str:
        """`n=8 seeds each`."""
        return sizes([panel.gap.n for panel in self.panels if panel.gap.n])

    @property
    def reading(self) -> str:
        """How to read the panels, in plain text."""
        bands = f"bands the {self.band}" if self.band else "below three seeds no interval is drawn"
        lags = [panel.lag.mean for panel in self.panels if panel.lag.n]
        about = f" (worth about {number(float(np.mean(lags)), 2)} of the gap at the end)" if lags else ""
        return (
            f"Dashed is {self.training}, in training mode; solid {self.evaluation}, in evaluation mode; means over"
            f" seeds, {bands}; all panels share their axes. The first is a running mean over the epoch and lags half an"
            f" epoch behind{about}: only a gap beyond that is what training mode makes harder."
        )

    @property
    def log(self) -> bool:
        """Whether a logarithmic axis suits the losses."""
        heights = [value for panel in self.panels for value in _heights(panel)]
        return bool(heights) and min(heights) > 0 and max(heights) / min(heights) >= LOG_FROM

    @property
    def ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The ranges of the axes of all panels: epochs, losses."""
        ends = [curve.x[[0, -1]] for panel in self.panels for curve in _curves(panel) if len(curve.x)]
        x = np.concatenate(ends) if ends else np.array([0.0, 1.0])
        y = [value for panel in self.panels for value in _heights(panel)] or [0.0, 1.0]
        return (float(x.min()), float(x.max())), (min(y), max(y))

    def frame(self) -> pd.DataFrame:
        """One row per group and epoch: the mean losses, half of their intervals, and the seeds."""
        rows = []
        for panel in self.panels:
            for name, curve in ((self.training, panel.training), (self.evaluation, panel.evaluation)):
                rows += [
                    (panel.title, name, float(step), mean.mean, mean.half if mean.shown else math.nan, mean.n)
                    for step, mean in zip(curve.steps.tolist(), curve.means, strict=True)
                ]
        return pd.DataFrame(rows, columns=["group", "loss", "epoch", "mean", "half", "seeds"])

    def gaps_frame(self) -> pd.DataFrame:
        """One row per group: epoch, gap, half of its interval, seeds."""
        rows = [
            (panel.title, panel.epoch, panel.gap.mean, panel.gap.half if panel.gap.shown else math.nan, panel.gap.n)
            for panel in self.panels
        ]
        return pd.DataFrame(rows, columns=["group", "epoch", "gap", "half", "seeds"])


def _curves(panel: GroupGap) -> tuple[Curve, Curve]:
    return panel.training, panel.evaluation


def _heights(panel: GroupGap) -> list[float]:
    return [float(value) for curve in _curves(panel) for line in curve.lines for value in line.values]


def _gaps(training: Curve, evaluation: Curve) -> tuple[Interval, float, Interval]:
    """The gap at the last shared epoch, that epoch, and how much half an epoch of lag is worth there."""
    first, second = (
        {
            line.run_id: dict(zip(line.steps.tolist(), line.values.tolist(), strict=True))
            for line in curve.lines
            if line.outcome == Outcome.OK and len(line.steps)
        }
        for curve in (training, evaluation)
    )
    both = [line for line in training.lines if line.run_id in first and line.run_id in second]
    pairs = [(first[line.run_id], second[line.run_id]) for line in both]
    sets, seeds = [line.data for line in both], [line.seed for line in both]
    shared = set.intersection(*(set(a) & set(b) for a, b in pairs)) if pairs else set()
    if not shared:
        return interval([]), math.nan, interval([])
    last = max(shared)
    gap = interval(independent([a[last] - b[last] for a, b in pairs], sets, seeds))
    steps_before = [max((step for step in b if step < last), default=None) for _, b in pairs]
    # Over an epoch the loss falls from its value at the start to that at the end: the running mean lies half way.
    lags = [
        math.nan if step is None else (b[step] - b[last]) / 2 for step, (_, b) in zip(steps_before, pairs, strict=True)
    ]
    return gap, last, interval(independent(lags, sets, seeds))


def modes_info(
    training: pd.DataFrame,
    evaluation: pd.DataFrame,
    runs: pd.DataFrame,
    groups: Sequence[Group],
    *,
    training_metric: str,
    evaluation_metric: str,
) -> ModesInfo:
    """The two losses of each group.

    Args:
        training: The loss in training mode, in long form: run_id, key, step, value.
        evaluation: The loss on training data in evaluation mode, in the same form.
        runs: One row per run that counts: run_id, group, seed, outcome.
        groups: The groups of the panels, in their order.
        training_metric: The name of the first loss; empty where there is none.
        evaluation_metric: The name of the second loss; empty where there is none.
    """
    counted = runs.assign(counts=True)
    first = curves_info(training.assign(key=training_metric), counted, groups, training_metric)
    second = curves_info(evaluation.assign(key=evaluation_metric), counted, groups, evaluation_metric)
    panels = [
        GroupGap(group, a, b, *_gaps(a, b)) for group, a, b in zip(groups, first.curves, second.curves, strict=True)
    ]  # fmt: skip
    return ModesInfo(panels, training_metric, evaluation_metric)


def plot_modes(info: ModesInfo, place: int, *, dark: bool = False, height: int = 280) -> go.Figure:
    """One group's panel; the panels of an info share their axes.

    Args:
        info: All of them.
        place: Of the group among them.
        dark: Whether the page is dark.
        height: In pixels.
    """
    import plotly.graph_objects as go

    panel, figure = info.panels[place], go.Figure()
    log, (low, high) = info.log, info.ranges[1]
    looks = (
        (panel.evaluation, info.evaluation, theme.palette(dark)[0], "solid"),
        (panel.training, info.training, theme.palette(dark)[1], "dash"),
    )
    for curve, name, colour, dash in looks:
        if len(curve.steps) and curve.n and curve.means[0].shown:
            lows = [mean.low if mean.low > 0 or not log else low for mean in curve.means]
            band(figure, curve.x, lows, [mean.high for mean in curve.means], colour, opacity=0.16)
        for line in curve.lines:
            x, y = thin(line.x, line.values)
            seed_line(figure, x, y, colour, dash=dash, width=0.8, opacity=0.3, hoverinfo="skip")
            if line.outcome == Outcome.DIVERGED and len(line.steps):
                hover = f"seed {line.seed} diverged after epoch %{{x:g}}<extra></extra>"
                crosses(figure, [line.x[-1]], [line.values[-1]], dark, hovertemplate=hover)
        mean_line(
            figure,
            curve.x,
            [mean.mean for mean in curve.means],
            colour,
            dash=dash,
            name=theme.plain(name),
            text=[plus_minus(mean) for mean in curve.means],
            hovertemplate=f"{theme.plain(name)}<br>epoch %{{x:g}}: %{{text}}<extra></extra>",
        )
    figure.update_layout(**theme.layout(dark, x="epoch", y="loss", log_y=log, height=height))
    room = 0.04 * (info.ranges[0][1] - info.ranges[0][0]) or 0.5
    figure.update_xaxes(range=[info.ranges[0][0] - room, info.ranges[0][1] + room])
    if log:
        span = math.log10(high / low) or 1.0
        figure.update_yaxes(
            range=[math.log10(low) - 0.06 * span, math.log10(high) + 0.06 * span], **theme.log_ticks(low, high)
        )
    else:
        span = (high - low) or 1.0
        figure.update_yaxes(range=[low - 0.06 * span, high + 0.06 * span])
    figure.update_layout(
        margin={"t": 26}, legend={"y": -0.26},
        title={"text": theme.plain(theme.shortened(panel.title, 44)), "font": {"size": 13}, "x": 0, "y": 0.985},
    )  # fmt: skip
    return figure
