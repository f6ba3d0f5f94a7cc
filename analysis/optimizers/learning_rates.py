"""Validation against the learning rate: each method has its own best rate, so methods are compared at their best.

Any other numeric param can stand for the learning rate. A method's line goes through the means of its trials; where
several trials share a rate (another key is searched too) it goes through the best of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.export import sizes
from analysis.figures.marks import EDGE, at_edge
from analysis.figures.traces import cross, error_bars, halves, mean_line, seed_dots
from analysis.figures.value_axis import Scale, log_range, scale, value_axis
from analysis.runs.methods import Method, TrialResult, best_first
from analysis.statistics import ENOUGH_FOR_AN_INTERVAL, number, plus_minus
from analysis.statistics.samples import seed_name
from analysis.words import some

if TYPE_CHECKING:
    import plotly.graph_objects as go

LR: Final = "optimizer.lr"
ENOUGH_VALUES: Final = 3
"""A method tried at fewer rates than this has no edge that could be moved."""
ROW: Final = 0.032
"""The crosses of two methods stand so far apart, as a share of the figure's height: they often share their rates."""
DIVERGED: Final = "diverged"
BEYOND: Final = "worse than the scale"


def _best(trials: Iterable[TrialResult]) -> TrialResult | None:
    """The best of the trials with a finite result; None without any."""
    return next((trial for trial in best_first(trials) if trial.sample.values), None)


@dataclass(frozen=True)
class RateLine:
    """One method over its rates."""

    method: str
    rates: tuple[float, ...]
    """The rates of its trials, ascending."""
    trials: tuple[TrialResult, ...]
    """One per rate."""
    best: int | None
    """The position of the best trial."""

    @property
    def edge(self) -> str:
        """`lowest` or `highest` if the best trial has the outermost rate that was tried; else nothing."""
        tried = sorted(set(self.rates))
        if self.best is None or len(tried) < ENOUGH_VALUES:
            return ""
        rate = self.rates[self.best]
        return "lowest" if rate == tried[0] else "highest" if rate == tried[-1] else ""

    @property
    def line(self) -> list[int]:
        """Positions of the trials that the line goes through: at each rate the best that has a finite result."""
        positions = []
        for _, places in itertools.groupby(range(len(self.rates)), key=lambda place: self.rates[place]):
            best = _best(self.trials[place] for place in places)
            if best is not None:
                positions.append(self.trials.index(best))
        return positions


@dataclass(frozen=True)
class RatesInfo:
    """What `plot_rates` draws."""

    lines: list[RateLine]
    key: str
    metric: str
    scale: Scale
    missing: str = ""
    """Why no trial has the key; nothing where one has."""

    @property
    def problem(self) -> str:
        """Why there is nothing to draw; nothing where there is something."""
        if self.missing:
            return self.missing
        if not any(trial.sample.n for line in self.lines for trial in line.trials):
            return f"No trial has a {self.metric} yet."
        if all(len(set(line.rates)) < 2 for line in self.lines):
            return f"Every method was tried with one {self.key} only: search it to see where its best lies."
        return ""

    @property
    def sentence(self) -> str:
        """Where each method's best rate lies: plain text."""
        best = [(line.method, line.rates[line.best]) for line in self.lines if line.best is not None]
        if not best:
            return "All trials diverged." if any(line.trials for line in self.lines) else ""
        words = ", ".join(f"{name} {number(rate, 3)}" for name, rate in best)
        rates = [rate for _, rate in best]
        apart = ""
        if len(best) > 1 and min(rates) > 0:
            factor = max(rates) / min(rates)
            apart = (
                f": a factor of {_rounded(factor)} apart, so one for all would favour some"
                if factor >= 1.5
                else ": the same for all"
            )
        return f"Best {self.key}: {words}{apart}."

    @property
    def warnings(self) -> list[str]:
        """For each method whose best lies at the edge of its range, a sentence."""
        return [
            f"{line.method}: the best {self.key} is the {line.edge} tried ({number(line.rates[line.best or 0], 3)});"
            " a wider range may hold a better one."
            for line in self.lines
            if line.edge
        ]

    @property
    def diverged(self) -> tuple[int, int]:
        """How many runs diverged, of how many that came to a result."""
        samples = [trial.sample for line in self.lines for trial in line.trials]
        return sum(len(sample.diverged) for sample in samples), sum(sample.n for sample in samples)

    @property
    def band(self) -> str:
        """What the bars are; nothing where none is drawn."""
        sizes = {len(trial.sample.values) for line in self.lines for trial in line.trials}
        sizes = {size for size in sizes if size >= ENOUGH_FOR_AN_INTERVAL}
        if not sizes:
            return ""
        return f"95% t-interval, n={min(sizes)}" + (f" to {max(sizes)}" if len(sizes) > 1 else "")

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        return f"{self.metric} against {self.key}, a dot a run of the search"

    @property
    def n(self) -> str:
        """`n=8 seeds each`."""
        return sizes([trial.sample.n for line in self.lines for trial in line.trials])

    @property
    def interval(self) -> str:
        """The kind of the bars; nothing where none is drawn."""
        return self.band

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        bars = f" bars the {self.band}," if self.band else ""
        diverged, judged = self.diverged
        crosses = f" Red crosses at the upper edge: {diverged} of {judged} runs diverged." if diverged else ""
        return f"A dot is a run of the search, lines go through the means of trials,{bars} the best is ringed.{crosses}"

    def frame(self) -> pd.DataFrame:
        """One row per run: method, the key, trial, seed, the metric (nan where it diverged), diverged."""
        rows = [
            (line.method, rate, trial.label, seed_name(seed), value, diverged)
            for line in self.lines
            for rate, trial in zip(line.rates, line.trials, strict=True)
            for seed, value, diverged in [
                *((seed, value, False) for seed, value in trial.sample.values.items()),
                *((seed, math.nan, True) for seed in sorted(trial.sample.diverged, key=str)),
            ]
        ]
        return pd.DataFrame(rows, columns=["method", self.key, "trial", "seed", self.metric, "diverged"])


def _rounded(factor: float) -> str:
    """A factor with two significant digits: `1.8`, `420,000`."""
    return f"{float(f'{factor:.2g}'):,.10g}"


def _numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _missing(methods: Sequence[Method], key: str, values: Sequence[Any]) -> str:
    numbers = [number(value) for value in sorted({value for value in values if _numeric(value)})]
    if not numbers:
        return f"No run has a numeric {key}."
    if not any(method.trials for method in methods):
        return f"All runs are confirm runs: the search, which tells one {key} from another, is not among them."
    same = len(numbers) == 1 and all(map(_numeric, values))
    setting = f"the same, {numbers[0]}, in all runs" if same else f"set to {some(numbers, 4)}"
    return f"{key} was {setting}: search it to see where each method's best lies."


def rates_info(methods: Sequence[Method], *, metric: str, key: str = LR, values: Iterable[Any] = ()) -> RatesInfo:
    """The search trials of methods against a numeric param.

    Args:
        methods: From `analysis.runs.methods.methods_of`.
        metric: What the results are called.
        key: The numeric param.
        values: What the runs have for it, searched or not.
    """
    lines = []
    for method in methods:
        pairs = sorted(
            ((trial.rate(key), trial) for trial in method.trials if math.isfinite(trial.rate(key))),
            key=lambda pair: pair[0],
        )
        trials = tuple(trial for _, trial in pairs)
        best = _best(trials)
        place = trials.index(best) if best is not None else None
        lines.append(RateLine(method.name, tuple(rate for rate, _ in pairs), trials, place))
    heights = [value for line in lines for trial in line.trials for value in trial.sample.values.values()]
    missing = "" if any(line.trials for line in lines) else _missing(methods, key, list(values))
    return RatesInfo(lines, key, metric, scale(heights, "minimize"), missing)


def _hover(info: RatesInfo, line: RateLine, place: int) -> str:
    trial = line.trials[place]
    name = theme.plain(theme.shortened(f"{line.method}, {trial.label}" if trial.label else line.method, 60))
    sample = trial.sample
    return f"<b>{name}</b><br>{info.metric} {plus_minus(sample.interval)} ({sample.runs} runs finite)"


def _draw_line(figure: go.Figure, info: RatesInfo, line: RateLine, colour: str, dash: str) -> None:
    """The seeds of a method, their means with intervals, and the ring of the best."""
    name = theme.plain(theme.shortened(line.method))
    dots = [
        (rate, value, seed)
        for rate, trial in zip(line.rates, line.trials, strict=True)
        for seed, value in trial.sample.values.items()
        if info.scale.holds(value)
    ]
    seed_dots(
        figure,
        [rate for rate, _, _ in dots],
        [value for _, value, _ in dots],
        colour,
        legendgroup=name,
        customdata=[seed_name(seed) for *_, seed in dots],
        hovertemplate=f"<b>{name}</b><br>{info.key} %{{x:.4g}}, seed %{{customdata}}: %{{y:.4g}}<extra></extra>",
    )
    means = [line.trials[k].sample.interval for k in line.line]
    heights = [mean.mean if info.scale.holds(mean.mean) else None for mean in means]
    above = [0.0 if height is None else half for half, height in zip(halves(means), heights, strict=True)]
    below = [
        # A bound at or below zero has no place on a logarithmic axis: the bar ends at the axis' lower end.
        min(half, height - info.scale.low) if info.scale.log and height is not None and height - half <= 0 else half
        for half, height in zip(above, heights, strict=True)
    ]
    mean_line(
        figure,
        [line.rates[k] for k in line.line],
        heights,
        colour,
        dash=dash,
        size=7,
        error_y=error_bars(above, below, colour=colour, thickness=1.3),
        name=name,
        legendgroup=name,
        text=[_hover(info, line, k) for k in line.line],
        hovertemplate="%{text}<extra></extra>",
    )
    if line.best is not None:
        figure.add_scatter(
            x=[line.rates[line.best]],
            y=[line.trials[line.best].sample.interval.mean],
            mode="markers",
            marker={"symbol": "circle-open", "size": 15, "color": colour, "line": {"width": 2.4}},
            showlegend=False,
            legendgroup=name,
            hoverinfo="skip",
        )


@dataclass(frozen=True)
class _Mark:
    """A trial that stands at the edge of the figure."""

    row: int
    rate: float
    text: str
    kind: str
    """DIVERGED or BEYOND."""


def _off_scale(info: RatesInfo) -> list[_Mark]:
    """The trials that diverged or are worse than the scale."""
    marks = []
    for row, line in enumerate(info.lines):
        for rate, trial in zip(line.rates, line.trials, strict=True):
            text = theme.plain(theme.shortened(f"{line.method}, {trial.label}" if trial.label else line.method, 60))
            if trial.sample.diverged:
                count = f"{len(trial.sample.diverged)} of {trial.sample.n} runs diverged"
                marks.append(_Mark(row, rate, f"<b>{text}</b><br>{count}", DIVERGED))
            elif trial.sample.values and not info.scale.holds(trial.sample.interval.mean):
                value = f"{info.metric} {plus_minus(trial.sample.interval)}, beyond the scale"
                marks.append(_Mark(row, rate, f"<b>{text}</b><br>{value}", BEYOND))
    return marks


def plot_rates(info: RatesInfo, *, dark: bool = False, height: int = 420) -> go.Figure:
    """One dot per run, one line per method through the means, the best ringed; red crosses on top for what diverged."""
    import plotly.graph_objects as go

    figure, edge = go.Figure(), _off_scale(info)
    looks = theme.line_looks([line.method for line in info.lines], dark)
    for line, (colour, dash) in zip(info.lines, looks, strict=True):
        _draw_line(figure, info, line, colour, dash)
    figure.update_layout(**theme.layout(dark, x=info.key, y=info.metric, height=height))
    triangle = {"symbol": "triangle-up-open", "size": 8, "color": theme.grey(dark)}
    for kind, marker in ((DIVERGED, cross(dark)), (BEYOND, triangle)):
        marks = [mark for mark in edge if mark.kind == kind]
        if marks:
            at_edge(
                figure,
                [mark.rate for mark in marks],
                marker,
                y=[EDGE - ROW * mark.row for mark in marks],
                name=kind,
                text=[mark.text for mark in marks],
                hovertemplate="%{text}<extra></extra>",
            )
    value_axis(figure, info.scale)
    _room_above(figure, len(info.lines) if edge else 0)
    rates = np.array([rate for line in info.lines for rate in line.rates])
    if log_range(rates.tolist()):
        figure.update_xaxes(type="log", **theme.log_ticks(float(rates.min()), float(rates.max())))
    return figure


def _room_above(figure: go.Figure, rows: int) -> None:
    """The vertical axis with room for the rows of what stands at its upper edge."""
    if rows:
        low, high = figure.layout.yaxis.range
        share = ROW * rows + 1 - EDGE
        figure.update_layout(yaxis={"range": [low, low + (high - low) / (1 - share)]})
