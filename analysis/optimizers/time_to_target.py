"""Time to target: which share of a method's runs has reached an error, against updates, epochs or seconds.

A run reaches the target where its error is first at or below it; a value that differs from the target by no more than
rounding (`analysis.statistics.rounding.resolution`) is at it. A run that never does, and one that diverged, has
missed it: it stays in the denominator, and the curve of its method ends below 1. Runs that have not ended are left out
and counted. With every run followed to its end the curve is the empirical distribution of the time; a share carries
Clopper and Pearson's exact interval.

Whether one method is sooner than another is asked of the times, a miss counting as later than any: exact tests of
ranks, corrected for all pairs, as in `analysis.statistics.verdicts`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.curves import Curve, CurvesInfo, Line
from analysis.figures.export import sizes
from analysis.figures.traces import error_bars, mean_line
from analysis.statistics import number
from analysis.statistics.rounding import precision, resolution
from analysis.statistics.samples import Sample
from analysis.statistics.seeds import possible_words
from analysis.statistics.verdicts import Decision, fewest_more, verdicts
from analysis.words import counted, joined
from tracking.schema import Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go

SHARE: Final = 0.75
"""The default target is what so many of the finite runs reach."""
JUDGED: Final = frozenset({Outcome.OK.value, Outcome.DIVERGED.value})


@dataclass(frozen=True)
class Reached:
    """When one run reached the target."""

    run_id: str
    seed: int
    at: float
    """Where on the horizontal axis; inf if it missed."""
    diverged: bool

    @property
    def missed(self) -> bool:
        """Whether it never reached it."""
        return not math.isfinite(self.at)


@dataclass(frozen=True)
class TargetLine:
    """When the runs of one method reached the target."""

    method: str
    label: str
    runs: tuple[Reached, ...]
    """Those that ended ok or diverged, the soonest first."""
    unfinished: int
    """Runs that have not ended, or ended otherwise."""

    @property
    def n(self) -> int:
        """Runs in the denominator."""
        return len(self.runs)

    @property
    def missed(self) -> int:
        """How many of them never reached it."""
        return sum(run.missed for run in self.runs)

    @property
    def share(self) -> float:
        """Which share reached it; nan without a run."""
        return 1 - self.missed / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's 95 % interval of that share."""
        return clopper_pearson(self.n - self.missed, self.n)

    @property
    def median(self) -> float:
        """When half of the runs had reached it; inf if fewer than half did, nan without a run."""
        return self.runs[(self.n - 1) // 2].at if self.n else math.nan

    @property
    def words(self) -> str:
        """`3 of 10 missed`, for the legend; nothing where none did."""
        diverged = sum(run.diverged for run in self.runs)
        return (
            f"{self.missed} of {self.n} missed" + (f", {diverged} diverged" if diverged else "") if self.missed else ""
        )

    def steps(self, end: float) -> tuple[np.ndarray, np.ndarray]:
        """The corners of its step function, from 0 to `end`."""
        times = [run.at for run in self.runs if not run.missed]
        x, y = [0.0], [0.0]
        for count, time in enumerate(times, start=1):
            x += [time]
            y += [count / self.n]
        return np.array([*x, end]), np.array([*y, y[-1]])


@dataclass(frozen=True)
class TargetsInfo:
    """What `plot_targets` draws."""

    lines: list[TargetLine]
    metric: str
    target: float
    axis: str
    end: float
    """Where the last run ended."""

    @property
    def problem(self) -> str:
        """Why there is nothing to draw; nothing where there is something."""
        if not any(line.n for line in self.lines):
            return f"No run that logged {self.metric} has ended yet."
        return ""

    @property
    def sentence(self) -> str:
        """Which method is there first, and whether that can be believed: plain text."""
        judged = [line for line in self.lines if line.n]
        if not judged:
            return ""
        goal = f"{self.metric} {number(self.target)}"
        if all(line.missed == line.n for line in judged):
            return f"No run reached {goal}."
        first = min(judged, key=lambda line: (line.median, -line.share))
        reached = f"in {first.n - first.missed} of {counted(first.n, 'run')}"
        if not math.isfinite(first.median):
            return f"{goal} is reached most often by {first.method}, yet {reached} only."
        half = f"within {_time(first.median, self.axis)}"
        tied = [first, *(line for line in judged if line.median == first.median and line is not first)]
        if len(tied) == 1:
            comparison = self._compared(judged, first, ", ")
            return f"{goal} is reached first by {first.method}: {reached}, half of all {half}{comparison}."
        most = [line.method for line in tied if line.share == first.share]
        often = f", of these most often by {joined(most)}" if len(most) < len(tied) else ""
        names = joined([line.method for line in tied])
        comparison = self._compared(judged, first, f"; {first.method} is ")
        return f"{goal} is reached equally soon by {names}: half of the runs of each {half}{often}{comparison}."

    def _compared(self, judged: Sequence[TargetLine], first: TargetLine, lead: str) -> str:
        """Whether the first is sooner than the others, after `lead`."""
        if len(judged) < 2:
            return ""
        lines = [first, *(line for line in judged if line is not first)]
        pairwise = verdicts([_sample(line) for line in lines])
        pairs = [pairwise[0, k] for k in range(1, len(lines))]
        m = len(pairwise)
        basis = "exact test" if m == 1 else f"exact tests, Holm's correction for {m} pairs"
        if more := fewest_more(pairs):
            return f"; too few seeds: {possible_words(more)}"
        sooner = [line.method for line, pair in zip(lines[1:], pairs, strict=True) if pair.decision is Decision.BETTER]
        rest = [line.method for line in lines[1:] if line.method not in sooner]
        words = [f"sooner than {joined(sooner)}"] if sooner else []
        words += [f"not to be told from {joined(rest)}"] if rest else []
        return f"{lead}{' but '.join(words)} ({basis})"

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        return f"Share of runs that reach {self.metric} {number(self.target)} against {self.axis}"

    @property
    def n(self) -> str:
        """`n=8 seeds each`."""
        return sizes([line.n for line in self.lines if line.n])

    @property
    def interval(self) -> str:
        """The kind of the intervals."""
        return "95% Clopper-Pearson of the final share"

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        unfinished = sum(line.unfinished for line in self.lines)
        waiting = f" {counted(unfinished, 'run')} without a result left out." if unfinished else ""
        return (
            "A step is a run that arrives; a line that ends below 100% has runs that missed, diverged ones among"
            f" them. Right of the end: the share with its 95% Clopper-Pearson interval.{waiting}"
        )

    def frame(self) -> pd.DataFrame:
        """One row per run: method, run, seed, when it reached the target (nan where it missed), diverged."""
        rows = [
            (line.method, run.run_id, run.seed, math.nan if run.missed else run.at, run.missed, run.diverged)
            for line in self.lines
            for run in line.runs
        ]
        return pd.DataFrame(rows, columns=["method", "run", "seed", self.axis, "missed", "diverged"])

    def table(self) -> pd.DataFrame:
        """One row per method: reached, runs, share with its exact interval, median time (inf where fewer than half)."""
        rows = [
            (line.label, line.n - line.missed, line.n, line.share, *line.interval, line.median, line.unfinished)
            for line in self.lines
        ]
        columns = ["method", "reached", "runs", "share", "low", "high", f"median {self.axis}", "unfinished"]
        return pd.DataFrame(rows, columns=columns)


def _time(value: float, axis: str) -> str:
    """`1 update`, `4 epochs`, `0.5 seconds of training`."""
    text, (unit, *rest) = number(value, 3), axis.split(" ")
    return " ".join([text, unit.removesuffix("s") + ("" if text == "1" else "s"), *rest])


def _sample(line: TargetLine) -> Sample:
    """The times as results: those that missed rank last, like diverged runs."""
    seeds = [run.seed for run in line.runs]
    paired = len(set(seeds)) == len(seeds) and -1 not in seeds
    keys: list[Hashable] = list(seeds) if paired else list(range(line.n))
    times: Mapping[Hashable, float] = {key: run.at for key, run in zip(keys, line.runs, strict=True) if not run.missed}
    missed = frozenset(key for key, run in zip(keys, line.runs, strict=True) if run.missed)
    return Sample(line.method, times, missed, paired_on="seed" if paired else None)


def clopper_pearson(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson 1934); nan without a trial."""
    from scipy.special import betaincinv

    if not n:
        return math.nan, math.nan
    alpha = (1 - level) / 2
    low = float(betaincinv(hits, n - hits + 1, alpha)) if hits else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - alpha)) if hits < n else 1.0
    return low, high


def _lines(curves: CurvesInfo) -> list[Line]:
    return [line for curve in curves.curves for line in curve.lines]


def default_target(curves: CurvesInfo) -> float:
    """What three of four runs that ended ok reach, rounded up to three digits; nan without such a run.

    It is chosen by the results: a target that was set before is worth more.
    """
    best = sorted(
        float(line.values.min()) for line in _lines(curves) if line.outcome == Outcome.OK and len(line.values)
    )
    if not best:
        return math.nan
    value = best[math.ceil(SHARE * len(best)) - 1]
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    return float(f"{math.ceil(round(value / unit, 9)) * unit:.12g}")


def _reached(line: Line, target: float) -> Reached:
    diverged = line.outcome == Outcome.DIVERGED
    close = resolution([target], precision(line.values))
    hits = np.flatnonzero(line.values <= target + close)
    at = float(line.x[hits[0]]) if len(hits) and not diverged else math.inf
    return Reached(line.run_id, line.seed, at, diverged)


def _target_line(curve: Curve, target: float) -> TargetLine:
    # A run that ended ok without a single value has logged another metric: it is no miss.
    judged = [
        line
        for line in curve.lines
        if line.outcome in JUDGED and (len(line.values) or line.outcome == Outcome.DIVERGED)
    ]
    runs = sorted((_reached(line, target) for line in judged), key=lambda run: run.at)
    return TargetLine(curve.group.method, curve.group.label, tuple(runs), len(curve.lines) - len(judged))


def targets_info(curves: CurvesInfo, target: float | None = None) -> TargetsInfo:
    """When the runs of each method reached an error.

    Args:
        curves: The error against updates or seconds, one curve per method: from `analysis.figures.curves.curves_info`.
        target: The error to be reached; `default_target` if not given.
    """
    chosen = default_target(curves) if target is None else target
    lines = [_target_line(curve, chosen) for curve in curves.curves]
    ends = [float(line.x[-1]) for line in _lines(curves) if len(line.x)]
    return TargetsInfo(lines, curves.metric, chosen, curves.axis, max(ends, default=1.0))


def plot_targets(info: TargetsInfo, *, dark: bool = False, height: int = 380) -> go.Figure:
    """One step function per method, one dot per run that reached the target; what ends below 1 has missed it."""
    import plotly.graph_objects as go

    figure, looks = go.Figure(), theme.line_looks([line.method for line in info.lines], dark)
    drawn = [line for line in info.lines if line.n]
    for line, (colour, dash) in zip(info.lines, looks, strict=True):
        if not line.n:
            continue
        name = theme.plain(theme.shortened(line.label))
        x, y = line.steps(info.end)
        legend = f"{name} ({line.words})" if line.words else name
        mean_line(figure, x, y, colour, dash=dash, shape="hv", name=legend, legendgroup=name, hoverinfo="skip")
        reached = [run for run in line.runs if not run.missed]
        figure.add_scatter(
            x=[run.at for run in reached],
            y=[(k + 1) / line.n for k in range(len(reached))],
            mode="markers",
            marker={"size": 6, "color": colour},
            showlegend=False,
            legendgroup=name,
            text=[f"seed {run.seed}" if run.seed >= 0 else "a run" for run in reached],
            hovertemplate=f"<b>{name}</b><br>%{{text}} after %{{x:.4g}} {info.axis}<br>then %{{y:.0%}}<extra></extra>",
        )
        low, high = line.interval
        figure.add_scatter(
            # Side by side right of the end, so that the intervals of equal shares do not hide each other.
            x=[info.end * (1.025 + 0.02 * drawn.index(line))],
            y=[line.share],
            mode="markers",
            marker={"size": 5, "color": colour, "symbol": "diamond"},
            error_y=error_bars([high - line.share], [line.share - low], colour=colour, thickness=1.4),
            showlegend=False,
            legendgroup=name,
            hovertemplate=f"<b>{name}</b><br>{line.n - line.missed} of {line.n}, 95% Clopper-Pearson {low:.2f} to"
            f" {high:.2f}<extra></extra>",
        )
    goal = f"runs with {info.metric} ≤ {number(info.target)}"
    figure.update_layout(**theme.layout(dark, x=info.axis, y=f"share of {goal}", height=height))
    figure.update_yaxes(range=[-0.03, 1.05], tickformat=".0%")
    figure.update_xaxes(range=[0, info.end * (1.05 + 0.02 * len(drawn))])
    return figure
