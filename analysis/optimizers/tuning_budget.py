"""Expected best validation against the number of trials: what a method is worth at a given cost of tuning.

The best of k trials drawn at random from the N that were run has the expectation sum_i v_(i) C(N - i, k - 1) / C(N, k)
(`analysis.statistics.best_of.expected_best`). Trials are chosen by the mean of their seeds, as a sampler sees them;
with the same weights each seed has its own line, and the expectation is exactly the mean of these lines.

A trial of one seed does not count where others have several, as it stands for no method (`analysis.runs.methods`).

A trial with a diverged seed has failed, and so has one that was pruned. While k is no larger than their number, all k
may have failed: there is no expectation then, and the chance of it is stated. Methods are compared up to the smallest
number of trials that any had.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.export import sizes
from analysis.figures.marks import EDGE, at_edge
from analysis.figures.traces import band, band_opacity, bounds, cross, mean_line, seed_line
from analysis.figures.value_axis import log_range, scale, value_axis
from analysis.runs.methods import Method, TrialResult, maybe_lucky
from analysis.statistics import ENOUGH_FOR_AN_INTERVAL, ROUNDING, Interval, best_weights, interval, number, plus_minus
from analysis.statistics.samples import seed_name
from analysis.statistics.standings import same_words
from analysis.words import counted

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class BudgetLine:
    """One method over its budgets 1, 2, ..., the largest that is compared."""

    method: str
    trials: int
    """Trials that ended."""
    failed: int
    """How many of these have a diverged seed or were pruned."""
    seeds: tuple[str, ...]
    """Seeds that every trial without a failure has; nothing where trials share none."""
    by_seed: np.ndarray
    """(seeds, budgets): the expectation by each seed; nan where there is none."""
    means: tuple[Interval, ...]
    """The expectation of each budget, with the t-interval of its seeds."""

    def at(self, budget: int) -> Interval:
        """The expectation with so many trials."""
        return self.means[budget - 1]

    def all_fail_chance(self, budget: int) -> float:
        """The chance that all of so many trials fail: C(failed, k) / C(trials, k)."""
        return math.comb(self.failed, budget) / math.comb(self.trials, budget)


@dataclass(frozen=True)
class BudgetsInfo:
    """What `plot_budgets` draws."""

    lines: list[BudgetLine]
    metric: str
    most: int
    """The largest budget that is compared: the smallest number of trials of any method."""
    waiting: list[str]
    """Methods no trial of which has ended, or none that counts."""
    maybe_lucky: int = 0
    """Trials of one seed, which do not count since others have several."""

    @property
    def problem(self) -> str:
        """Why there is nothing to draw; nothing where there is something."""
        if not self.lines:
            return "No trial has ended yet."
        if self.most < 2:
            few = min(self.lines, key=lambda line: line.trials)
            one = "one trial that counts" if self.maybe_lucky else "one trial only"
            words = f"{few.method} has {one}: what more trials would bring takes at least two of every method."
            return f"{words} {self.luck}".strip()
        return ""

    @property
    def luck(self) -> str:
        """Which trials do not count, in one sentence; nothing where all do."""
        if not self.maybe_lucky:
            return ""
        return f"Not counted, since one seed may be luck: {counted(self.maybe_lucky, 'trial')} of one seed."

    @property
    def equal(self) -> bool:
        """Whether every method had as many trials."""
        return len({line.trials for line in self.lines}) <= 1 and not self.waiting

    @property
    def unequal(self) -> str:
        """How budgets differ, in one sentence; nothing where they are equal."""
        if self.equal:
            return ""
        words = [f"{line.method} {line.trials}" for line in self.lines] + [f"{name} 0" for name in self.waiting]
        return f"Unequal budgets ({', '.join(words)} trials): compared up to {self.most} only."

    def best(self, budget: int) -> BudgetLine | None:
        """The method with the lowest expectation at a budget; None where no method has one."""
        lines = [line for line in self.lines if line.at(budget).n]
        return min(lines, key=lambda line: line.at(budget).mean) if lines else None

    @property
    def alike(self) -> bool:
        """Whether several methods are compared, and all their expectations are the same but for rounding."""
        means = [mean for line in self.lines for mean in line.means]
        spread = any(not mean.n or mean.half > 0 for mean in means)  # nan of a single seed is not above 0
        values = [mean.mean for mean in means]
        return len(self.lines) > 1 and not spread and max(values) - min(values) <= ROUNDING * max(map(abs, values))

    def sentence(self, budget: int) -> str:
        """What a budget buys, and how long the leader leads: plain text."""
        trials = counted(budget, "trial")
        leader = self.best(budget)
        if leader is None:
            return f"With {trials} all trials of every method may fail: there is no expectation."
        expected = leader.at(budget)
        if self.alike:
            return same_words(self.metric, expected.mean, counted(len(self.lines), "method"))
        basis = f" ({expected.kind})" if expected.shown else f" (n={expected.n})"
        words = f"With {trials} {leader.method} is expected to reach {self.metric} {plus_minus(expected)}{basis}"
        if len(self.lines) == 1:
            return words + "."
        words += ", the lowest"
        last = budget
        while last < self.most and self.best(last + 1) is leader:
            last += 1
        if last < self.most:
            other = self.best(last + 1)
            words += f"; it leads up to {last}, then {other.method}" if other else ""
        elif self.most > budget:
            words += f"; it leads up to all {self.most}"
        tied = [
            line.method
            for line in self.lines
            if line is not leader
            and line.at(budget).n
            and line.at(budget).mean <= expected.mean + ROUNDING * abs(expected.mean)
        ]
        return words + (f", as does {' and '.join(tied)}" if tied else "") + "."

    @property
    def band(self) -> str:
        """What the bands are; nothing where none is drawn."""
        sizes = {len(line.seeds) for line in self.lines if len(line.seeds) >= ENOUGH_FOR_AN_INTERVAL}
        if not sizes:
            return ""
        return f"95% t-interval, n={min(sizes)}" + (f" to {max(sizes)}" if len(sizes) > 1 else "")

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        return f"Expected best {self.metric} against the number of trials"

    @property
    def n(self) -> str:
        """`n=12 trials each`."""
        return sizes([line.trials for line in self.lines], "trial")

    @property
    def interval(self) -> str:
        """The kind of the bands; nothing where none is drawn."""
        return self.band

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        if any(len(line.seeds) > 1 for line in self.lines):
            lines = "Thin lines are seeds" + (f", bands the {self.band}" if self.band else "")
        else:
            lines = "A line a method"
        failed = any(line.failed for line in self.lines)
        crosses = " A cross: so few trials may all fail, so there is no expectation." if failed else ""
        return (
            "The mean over all subsets of so many of the search's trials, chosen by their seeds' mean."
            f" {lines}.{crosses}"
        )

    def frame(self) -> pd.DataFrame:
        """One row per method and budget: the expectation, low, high, n, and the chance that all trials fail."""
        rows = [
            (line.method, k, mean.mean, mean.low, mean.high, mean.n, line.all_fail_chance(k))
            for line in self.lines
            for k, mean in enumerate(line.means, start=1)
        ]
        return pd.DataFrame(rows, columns=["method", "trials", self.metric, "low", "high", "seeds", "all_fail"])


def _line(method: Method, ended: Sequence[TrialResult], most: int) -> BudgetLine:
    finished = sorted((trial for trial in ended if trial.has_result), key=lambda trial: trial.sample.interval.mean)
    paired = all(trial.sample.paired_on for trial in finished)
    shared = set.intersection(*(set(trial.sample.values) for trial in finished)) if finished and paired else set()
    complete = all(set(trial.sample.values) == shared for trial in finished)
    total, failed = len(ended), len(ended) - len(finished)
    # Seeds that only some trials have would make the lines' mean another number than the expectation.
    seeds = sorted(shared, key=str) if complete else []
    values = np.array([[trial.sample.values[seed] for seed in seeds] for trial in finished])
    values = values.reshape(len(finished), len(seeds))
    means = np.array([trial.sample.interval.mean for trial in finished])
    by_seed = np.full((len(seeds), most), math.nan)
    expectations = []
    for k in range(1, most + 1):
        if k <= failed:
            expectations.append(Interval(math.nan, math.nan, math.nan, 0))
            continue
        weights = best_weights(len(finished), total, k)
        by_seed[:, k - 1] = weights @ values
        if seeds:
            expectations.append(interval(by_seed[:, k - 1]))
        else:
            expectations.append(Interval(float(weights @ means), math.nan, math.nan, 1))
    return BudgetLine(method.name, total, failed, tuple(map(seed_name, seeds)), by_seed, tuple(expectations))


def budgets_info(methods: Sequence[Method], *, metric: str) -> BudgetsInfo:
    """The expected best of each method's search trials against their number.

    Args:
        methods: From `analysis.runs.methods.methods_of`.
        metric: What the results are called.
    """
    lucky = {trial.group for trial in maybe_lucky([trial for method in methods for trial in method.trials])}
    ended = {
        method.name: [trial for trial in method.trials if trial.ended and trial.group not in lucky]
        for method in methods
    }
    most = min((len(trials) for trials in ended.values() if trials), default=0)
    lines = [_line(method, ended[method.name], most) for method in methods if ended[method.name]]
    waiting = [name for name, trials in ended.items() if not trials]
    return BudgetsInfo(lines, metric, most, waiting, len(lucky))


def plot_budgets(info: BudgetsInfo, *, budget: int | None = None, dark: bool = False, height: int = 400) -> go.Figure:
    """One line per method with its seeds and band; red crosses where all trials may diverge; the budget as a line."""
    import plotly.graph_objects as go

    figure, looks = go.Figure(), theme.line_looks([line.method for line in info.lines], dark)
    heights = [float(value) for line in info.lines for value in line.by_seed.ravel() if math.isfinite(value)]
    heights += [mean.mean for line in info.lines for mean in line.means if mean.n]
    vertical = scale(heights, "minimize")
    budgets = list(range(1, info.most + 1))
    failing = []
    for row, (line, (colour, dash)) in enumerate(zip(info.lines, looks, strict=True)):
        name = theme.plain(theme.shortened(line.method))
        # Where the mean is far above the scale its band would cover all others.
        shown = [k for k in budgets if line.at(k).shown and vertical.holds(line.at(k).mean)]
        if shown:
            low, high = bounds([line.at(k) for k in shown])
            # A bound at or below zero has no place on a logarithmic axis: the band ends at the axis' lower end.
            low = np.maximum(low, vertical.low) if vertical.log else low
            band(figure, shown, low, high, colour, opacity=band_opacity(dark), legendgroup=name)
        for seed, values in zip(line.seeds, line.by_seed, strict=True) if len(line.seeds) > 1 else ():
            hover = f"<b>{name}</b><br>seed {seed}, %{{x}} trials: %{{y:.4g}}<extra></extra>"
            seed_line(figure, budgets, values, colour, dash=dash, hovertemplate=hover, legendgroup=name)
        mean_line(
            figure,
            budgets,
            [line.at(k).mean if line.at(k).n else None for k in budgets],
            colour,
            dash=dash,
            size=5,
            name=name,
            legendgroup=name,
            text=[plus_minus(line.at(k)) for k in budgets],
            hovertemplate=f"<b>{name}</b><br>%{{x}} trials: %{{text}}<extra></extra>",
        )
        failing += [
            (row, k, f"<b>{name}</b><br>{k} trials: all fail with chance {number(line.all_fail_chance(k), 2)}")
            for k in budgets
            if not line.at(k).n
        ]
    figure.update_layout(**theme.layout(dark, x="trials", y=f"expected best {info.metric}", height=height))
    value_axis(figure, vertical)
    if failing:
        at_edge(
            figure,
            [k for _, k, _ in failing],
            cross(dark),
            y=[EDGE - 0.032 * row for row, _, _ in failing],
            name="all may fail",
            text=[text for *_, text in failing],
            hovertemplate="%{text}<extra></extra>",
        )
        bottom, top = figure.layout.yaxis.range
        figure.update_layout(yaxis={"range": [bottom, bottom + (top - bottom) / (1 - 0.032 * len(info.lines))]})
    if budget is not None:
        figure.add_vline(budget, line={"width": 1.2, "color": theme.ink(dark), "dash": "dash"})
    if log_range([1, info.most]) and info.most > 30:
        figure.update_xaxes(type="log", **theme.log_ticks(1, info.most))
    elif info.most <= 15:
        figure.update_xaxes(dtick=1)
    return figure
