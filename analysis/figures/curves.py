"""A metric over the epochs: every seed, the mean of a group's seeds, its interval where there are enough.

A mean is taken over the same seeds from its first to its last point: over the runs that ended ok (while none has,
over those that run), up to the last epoch that all of them reached. So it never jumps because a seed joined or left,
and nothing is padded. Diverged runs are drawn to their last finite point and marked there, and are in no mean.

Smoothing is a debiased exponential mean, taken before thinning; what was logged stays visible. Against updates or
seconds, which differ by seed, a mean still stands for one epoch: over its seeds both axes are averaged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.vertical_range import Span, edge_words, span_of
from analysis.runs.ranking import RUNNING, Group
from analysis.runs.steps_and_times import (
    Repeats,
    latest,
    mixed_steps_sentence,
    repeats,
    repeats_sentence,
    unplaced_sentence,
)
from analysis.statistics import ENOUGH_FOR_AN_INTERVAL, Interval, interval
from analysis.statistics.independent import DATASETS, any_shared, independent
from tracking.schema import Outcome

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Line:
    """One run's curve."""

    run_id: str
    seed: int
    outcome: str
    steps: np.ndarray
    values: np.ndarray
    along: np.ndarray | None = None
    """Where its points stand on the horizontal axis, if not at their steps."""
    smooth: np.ndarray | None = None
    """Its smoothed values, if it is smoothed."""
    data: int = -1
    """The seed of its training set; -1 where it is not known."""
    name: str = ""
    """The name of the run in a sentence."""
    repeats: Repeats | None = None
    """The steps that it logged more than once, if it did."""

    @property
    def x(self) -> np.ndarray:
        """Where its points stand on the horizontal axis."""
        return self.steps if self.along is None else self.along

    @property
    def y(self) -> np.ndarray:
        """What means are taken of: the smoothed values where there are some."""
        return self.values if self.smooth is None else self.smooth


@dataclass(frozen=True)
class Curve:
    """One group's curves: its runs, and their mean as one interval per step."""

    group: Group
    lines: list[Line]
    steps: np.ndarray
    means: list[Interval]
    along: np.ndarray | None = None
    """Where its means stand on the horizontal axis, if not at their steps."""

    @property
    def x(self) -> np.ndarray:
        """Where its means stand on the horizontal axis."""
        return self.steps if self.along is None else self.along

    @property
    def name(self) -> str:
        """What the legend calls it."""
        return theme.plain(theme.shortened(self.group.label))

    @property
    def n(self) -> int:
        """Seeds in the mean, or training sets where seeds share them."""
        return self.means[0].n if self.means else 0


@dataclass(frozen=True)
class CurvesInfo:
    """What `plot_curves` draws."""

    metric: str
    curves: list[Curve]
    axis: str = "epoch"
    """What the horizontal axis shows."""
    smoothing: float = 0.0
    baseline: str = ""
    """The group that values are differences from, if they are."""
    caveat: str = ""
    """A sentence on what misleads in where the runs stand on the horizontal axis; nothing where nothing does."""

    @property
    def title(self) -> str:
        """What the vertical axis shows."""
        unit = " (s)" if self.metric.startswith("time/") else ""
        baseline = f", minus {theme.shortened(self.baseline, 30)}" if self.baseline else ""
        return f"{self.metric}{unit}{baseline}"

    @property
    def notes(self) -> list[str]:
        """The sentences on what misleads in how the runs were logged."""
        repeated = [line.repeats for curve in self.curves for line in curve.lines if line.repeats is not None]
        return [*self.axis_notes, *filter(None, [repeats_sentence(repeated)])]

    @property
    def axis_notes(self) -> list[str]:
        """The notes that are about the horizontal axis."""
        lines = [line for curve in self.curves for line in curve.lines]
        mixed = mixed_steps_sentence([(line.name, line.steps) for line in lines if line.along is None])
        return [*filter(None, [self.caveat, mixed])]

    def span(self, log: bool) -> Span | None:
        """The vertical axis that the curves need; None where there is nothing to draw."""
        return span_of((line.values for curve in self.curves for line in curve.lines), log)

    def marks(self, log: bool) -> list[str]:
        """The words of a caption on the crosses, and on the values at the edge, that are drawn on such a scale."""
        lines = [line for curve in self.curves for line in curve.lines if len(line.values)]
        crossed = any(line.outcome == Outcome.DIVERGED and (line.values[-1] > 0 or not log) for line in lines)
        span = self.span(log)
        beyond = edge_words(span.beyond) if span else ""
        return [*filter(None, ["a red cross is where a run diverged" if crossed else "", beyond])]

    @property
    def empty(self) -> bool:
        """Whether there is no point to draw."""
        return not any(len(line.steps) for curve in self.curves for line in curve.lines)

    @property
    def band(self) -> str:
        """What the bands are, in words; nothing where none is drawn."""
        sizes = sorted({curve.n for curve in self.curves if curve.n >= ENOUGH_FOR_AN_INTERVAL})
        if not sizes:
            return ""
        n = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        shared = any(any_shared([line.data for line in _counted(curve.lines)]) for curve in self.curves)
        return f"95% t-interval, n={n}{f' {DATASETS}' if shared else ''}"

    def frame(self) -> pd.DataFrame:
        """One row per run and step: group, run, seed, step, the place on the axis, the value, the smoothed value."""
        rows = [
            (curve.group.label, line.run_id, line.seed, step, x, value, smooth)
            for curve in self.curves
            for line in curve.lines
            for step, x, value, smooth in zip(line.steps, line.x, line.values, line.y, strict=True)
        ]
        columns = ["group", "run", "seed", "step", self.axis, self.metric, "smoothed"]
        if len(set(columns)) < len(columns):
            columns[4] = f"{self.axis} on the axis"
        frame = pd.DataFrame(rows, columns=columns)
        return frame if self.smoothing else frame.drop(columns="smoothed")


def smoothed(values: np.ndarray, weight: float) -> np.ndarray:
    """The debiased exponential mean: s_k = weight s_(k-1) + (1 - weight) v_k, divided by 1 - weight^k.

    Args:
        values: Finite, in their order.
        weight: Of what was before, 0 to less than 1; 0 changes nothing.
    """
    if not 0 <= weight < 1:
        raise ValueError(f"weight: {weight} is not allowed; allowed: 0 to less than 1")
    means, last = np.empty(len(values)), 0.0
    for k, value in enumerate(values.tolist(), start=1):
        last = weight * last + (1 - weight) * value
        means[k - 1] = last / (1 - weight**k)
    return means


def _counted(lines: Sequence[Line]) -> list[Line]:
    """The lines whose values are in the mean."""
    counted = [line for line in lines if line.outcome == Outcome.OK and len(line.steps)]
    return counted or [line for line in lines if line.outcome == RUNNING and len(line.steps)]


def _means(lines: Sequence[Line]) -> tuple[np.ndarray, list[Interval], np.ndarray | None]:
    counted = _counted(lines)
    if not counted:
        return np.array([]), [], None
    shared = set(counted[0].steps.tolist())
    for line in counted[1:]:
        shared &= set(line.steps.tolist())
    steps = np.array(sorted(shared))
    values_at = [dict(zip(line.steps.tolist(), line.y.tolist(), strict=True)) for line in counted]
    sets, seeds = [line.data for line in counted], [line.seed for line in counted]
    means = [interval(independent([values[step] for values in values_at], sets, seeds)) for step in steps.tolist()]
    if all(line.along is None for line in counted):
        return steps, means, None
    places = [dict(zip(line.steps.tolist(), line.x.tolist(), strict=True)) for line in counted]
    return steps, means, np.array([np.mean([x_at[step] for x_at in places]) for step in steps.tolist()])


def _placed(line: Line, places: pd.DataFrame | None) -> Line:
    """The line with its points where another metric says, without those for which it says nothing."""
    if places is None or not len(line.steps):
        return replace(line, steps=np.array([]), values=np.array([]), along=np.array([]))
    x_of = dict(zip(places["step"].to_numpy(dtype=float).tolist(), places["value"].to_numpy(dtype=float), strict=True))
    x = np.array([x_of.get(step, math.nan) for step in line.steps.tolist()])
    placed = np.isfinite(x)
    return replace(line, steps=line.steps[placed], values=line.values[placed], along=x[placed])


def _apart(line: Line, partners: Mapping[int, Line], mean: Mapping[float, float]) -> Line:
    """The line minus its partner of the same seed; minus the baseline's mean where it has none."""
    partner = partners.get(line.seed)
    reference = dict(zip(partner.steps.tolist(), partner.values.tolist(), strict=True)) if partner else mean
    shared = np.array([step in reference for step in line.steps.tolist()], dtype=bool)
    steps = line.steps[shared]
    values = line.values[shared] - np.array([reference[step] for step in steps.tolist()])
    return replace(line, steps=steps, values=values, along=None if line.along is None else line.along[shared])


def _differences(lines: Mapping[str, list[Line]], baseline: str) -> dict[str, list[Line]]:
    steps, means, _ = _means(lines[baseline])
    mean_at = dict(zip(steps.tolist(), [mean.mean for mean in means], strict=True))
    partners = {line.seed: line for line in _counted(lines[baseline])}
    seeds = [line.seed for line in lines[baseline]]
    if -1 in seeds or len(set(seeds)) < len(seeds):
        partners = {}
    return {name: [_apart(line, partners, mean_at) for line in group_lines] for name, group_lines in lines.items()}


def _line(row: Mapping[Any, Any], history: pd.DataFrame | None) -> Line:
    """A run's finite values by step.

    Args:
        row: The run: run_id, seed, outcome, and where they are known name and seed_data.
        history: What it logged [step, value]; None where it logged nothing.
    """
    name = str(row.get("name") or row["run_id"][:8])
    steps, values = np.array([]), np.array([])
    if history is not None:
        points = latest(history)
        points = points[np.isfinite(points["value"].to_numpy(dtype=float))]
        steps, values = points["step"].to_numpy(dtype=float), points["value"].to_numpy(dtype=float)
    return Line(
        row["run_id"],
        int(row["seed"]),
        str(row["outcome"]),
        steps,
        values,
        data=row.get("seed_data", -1),
        name=name,
        repeats=None if history is None else repeats(name, history),
    )


def curves_info(
    histories: pd.DataFrame,
    runs: pd.DataFrame,
    groups: Sequence[Group],
    metric: str,
    *,
    along: str | None = None,
    axis: str = "epoch",
    smoothing: float = 0.0,
    baseline: str | None = None,
    caveat: str = "",
) -> CurvesInfo:
    """The curves of `groups` for one metric.

    Args:
        histories: Long: run_id, key, step, value.
        runs: One row per run: run_id, group, seed, outcome, counts, and where they are known name and seed_data.
        groups: What to draw, in the order of the legend.
        metric: The metric's name.
        along: The metric whose values, logged at the same steps, are the horizontal axis; the steps if not given.
        axis: What the horizontal axis is called.
        smoothing: The weight of `smoothed`, 0 for none.
        baseline: The group (its `group`) from which differences are drawn: seed from seed where both have it.
        caveat: A sentence on what misleads in where the runs stand on the horizontal axis.
    """
    group_ids = {group.group for group in groups} | ({baseline} if baseline else set())
    chosen = runs[runs["counts"].astype(bool) & runs["group"].isin(group_ids)] if len(runs) else runs
    points = histories[histories["key"] == metric] if len(histories) else histories
    by_run = dict(tuple(points.groupby("run_id", sort=False))) if len(points) else {}
    axis_points = histories[histories["key"] == along] if along and len(histories) else histories[:0]
    places = dict(tuple(axis_points.groupby("run_id", sort=False))) if len(axis_points) else {}
    lines: dict[str, list[Line]] = {name: [] for name in group_ids}
    unplaced: list[str] = []
    for row in chosen.to_dict("records"):
        line = _line(row, by_run.get(row["run_id"]))
        placed = _placed(line, places.get(row["run_id"])) if along else line
        if len(line.steps) and not len(placed.steps):
            unplaced.append(line.name)
        lines[row["group"]].append(placed)
    if baseline:
        lines = _differences(lines, baseline)
    curves = []
    for group in groups:
        members = sorted(lines[group.group], key=lambda line: line.seed)
        if smoothing:
            members = [replace(line, smooth=smoothed(line.values, smoothing)) for line in members]
        steps, means, x = _means(members)
        curves.append(Curve(group, members, steps, means, x))
    label = next((group.label for group in groups if group.group == baseline), "the baseline") if baseline else ""
    return CurvesInfo(metric, curves, axis, smoothing, label, caveat or unplaced_sentence(unplaced, axis))
