"""The learning-rate range test: the rate grows from epoch to epoch of a run, and its training loss says what it bears.

After Smith 2017 (Cyclical learning rates for training neural networks, WACV). The loss against the logarithm of the
rate first stands still, then falls, then turns and rises. Marked are the rate of the steepest descent and the rate
where the loss turns (its minimum), both of the loss smoothed by a centred mean of three, which shifts neither. The
steepest descent is a rate to begin with, the turn an upper bound. Over seeds rates are averaged by their logarithms,
with the t-interval of these.

What it cannot say: it is about training, not validation; each rate meets weights that the smaller ones have trained; it
holds for this batch size, initialisation and optimizer; and too few epochs make the marks coarse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.export import sizes
from analysis.figures.traces import crosses, seed_dots, seed_line
from analysis.figures.value_axis import Scale, scale, value_axis
from analysis.statistics.geometric_mean import GeometricMean, band, geometric_mean
from tracking.schema import Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go

FEWEST: Final = 5
"""A run with fewer points shows no course."""
SYMBOLS: Final = {"steepest descent": "triangle-down", "turn": "diamond-open"}
"""What is marked on a line -> its symbol."""
LIMITS: Final = (
    "The test speaks of the training loss alone, every rate meets weights that the smaller rates have trained, and it"
    " holds for this batch size, initialisation and optimizer: a starting point for a search, not its result."
)


@dataclass(frozen=True)
class RangeLine:
    """One run of the test."""

    run_id: str
    seed: int
    diverged: bool
    rates: np.ndarray
    """Ascending."""
    losses: np.ndarray
    smooth: np.ndarray
    steepest: float
    """The rate at which the smoothed loss falls fastest; nan where it never falls."""
    turn: float
    """The rate at which it is lowest; nan where it only rises, or falls to the end of the range."""
    data: int = -1
    """The seed of its training set; -1 where it is not known."""


@dataclass(frozen=True)
class RangeGroup:
    """The runs of one method."""

    method: str
    lines: tuple[RangeLine, ...]
    steepest: GeometricMean
    turn: GeometricMean

    @property
    def sentence(self) -> str:
        """What rate the test suggests: plain text."""
        if not self.steepest.n:
            return f"{self.method}: the training loss falls at none of the rates."
        words = f"{self.method}: the training loss falls fastest at {self.steepest.words}"
        if not self.turn.n:
            return f"{words} and does not turn within the range: begin a search there, and let the range reach further."
        turned = sum(math.isfinite(line.turn) for line in self.lines)
        some = f" in {turned} of {len(self.lines)} runs" if turned < len(self.lines) else ""
        return f"{words} and turns at {self.turn.words}{some}: begin a search at the first, end it before the second."


@dataclass(frozen=True)
class RangeInfo:
    """What `plot_range` draws."""

    groups: list[RangeGroup]
    loss: str
    key: str

    @property
    def problem(self) -> str:
        """Why there is nothing to draw; nothing where there is something."""
        if not any(group.lines for group in self.groups):
            return f"No run has {FEWEST} or more epochs of {self.loss} at a learning rate that grows."
        return ""

    @property
    def sentences(self) -> list[str]:
        """What the test suggests, one sentence per method: plain text."""
        return [group.sentence for group in self.groups if group.lines]

    @property
    def band(self) -> str:
        """What the intervals in the words are; nothing where there are none."""
        return band([group.steepest for group in self.groups], "the logarithm of the marked rates")

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        return f"{self.loss} against a learning rate that grows every epoch"

    @property
    def n(self) -> str:
        """`n=8 seeds each`."""
        return sizes([len(group.lines) for group in self.groups])

    @property
    def interval(self) -> str:
        """The kind of the intervals in the words; nothing where there are none."""
        return self.band

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        return (
            "Dots are epochs, lines their mean with both neighbours; a triangle marks the steepest descent, a"
            " diamond the turn."
        )

    def frame(self) -> pd.DataFrame:
        """One row per point: method, run, seed, the rate, the loss, the smoothed loss."""
        rows = [
            (group.method, line.run_id, line.seed, *point)
            for group in self.groups
            for line in group.lines
            for point in zip(line.rates.tolist(), line.losses.tolist(), line.smooth.tolist(), strict=True)
        ]
        return pd.DataFrame(rows, columns=["method", "run", "seed", self.key, self.loss, "smoothed"])


def _centred(values: np.ndarray) -> np.ndarray:
    """The mean of each value and its two neighbours; at the ends of it and one."""
    padded = np.concatenate([[math.nan], values, [math.nan]])
    return np.asarray(np.nanmean(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0))


def range_line(run_id: str, seed: int, diverged: bool, rates: np.ndarray, losses: np.ndarray) -> RangeLine:
    """The marks of one run.

    Args:
        run_id: The run's id.
        seed: Its seed.
        diverged: Whether it diverged.
        rates: (epochs,) positive, ascending.
        losses: (epochs,) finite.
    """
    smooth = _centred(losses)
    slopes = np.gradient(smooth, np.log(rates))
    lowest = int(np.argmin(smooth))
    # Only the descent before the turn counts: behind it the loss may fall again from wherever it was thrown.
    steepest = int(np.argmin(slopes[: lowest + 1]))
    falls = lowest > 0 and slopes[steepest] < 0
    turns = lowest > 0 and (lowest < len(rates) - 1 or diverged)
    return RangeLine(
        run_id=run_id,
        seed=seed,
        diverged=diverged,
        rates=rates,
        losses=losses,
        smooth=smooth,
        steepest=float(rates[steepest]) if falls else math.nan,
        turn=float(rates[lowest]) if turns else math.nan,
    )


def range_info(
    histories: pd.DataFrame, runs: pd.DataFrame, methods: Mapping[str, str], *, loss: str, key: str
) -> RangeInfo:
    """The range tests of runs whose learning rate grew.

    Args:
        histories: Long, of the loss and the rate: run_id, key, step, value.
        runs: One row per run: run_id, seed, outcome, and where it is known seed_data.
        methods: Run -> its method; runs that are missing are left out.
        loss: The metric of the training loss.
        key: The metric of the learning rate.
    """
    if not len(histories):
        return RangeInfo([], loss, key)
    wide = histories[histories["key"].isin([loss, key])].pivot_table(
        index=["run_id", "step"], columns="key", values="value", aggfunc="last"
    )
    wide = wide.reset_index()
    by_run = dict(tuple(wide.groupby("run_id", sort=False))) if {loss, key} <= set(wide.columns) else {}
    lines: dict[str, list[RangeLine]] = {}
    for row in runs.to_dict("records"):
        run = str(row["run_id"])
        if run not in by_run or run not in methods:
            continue
        points = by_run[run].sort_values("step")
        rates, losses = points[key].to_numpy(dtype=float), points[loss].to_numpy(dtype=float)
        usable = np.isfinite(rates) & np.isfinite(losses) & (rates > 0)
        rates, losses = rates[usable], losses[usable]
        if len(rates) < FEWEST or not (np.diff(rates) > 0).all():
            continue
        diverged = row["outcome"] == Outcome.DIVERGED
        line = range_line(run, int(row["seed"]), diverged, rates, losses)
        lines.setdefault(methods[run], []).append(replace(line, data=int(row.get("seed_data", -1))))
    groups = []
    for name, members in lines.items():
        sets = [line.data for line in members]
        steepest = geometric_mean([line.steepest for line in members], sets)
        turn = geometric_mean([line.turn for line in members], sets)
        groups.append(RangeGroup(name, tuple(members), steepest, turn))
    return RangeInfo(groups, loss, key)


def _draw_line(figure: go.Figure, line: RangeLine, colour: str, name: str, shown: Scale, *, in_legend: bool) -> None:
    """A run: its losses as dots, smoothed as a line, with what is marked on it."""
    losses = np.where((line.losses >= shown.low) & (line.losses <= shown.high), line.losses, math.nan)
    hover = f"<b>{name}</b><br>{_seed(line)}rate %{{x:.3g}}: %{{y:.4g}}<extra></extra>"
    seed_dots(figure, line.rates, losses, colour, size=4, opacity=0.4, legendgroup=name, hovertemplate=hover)
    seed_line(
        figure,
        line.rates,
        line.smooth,
        colour,
        width=1.7,
        opacity=0.9,
        name=name,
        legendgroup=name,
        showlegend=in_legend,
        hoverinfo="skip",
    )
    for rate, (what, symbol) in zip((line.steepest, line.turn), SYMBOLS.items(), strict=True):
        if math.isfinite(rate):
            figure.add_scatter(
                x=[rate],
                y=[line.smooth[int(np.argmin(np.abs(line.rates - rate)))]],
                mode="markers",
                marker={"symbol": symbol, "size": 11, "color": colour, "line": {"width": 2, "color": colour}},
                showlegend=False,
                legendgroup=name,
                hovertemplate=f"<b>{name}</b><br>{_seed(line)}{what} at %{{x:.3g}}<extra></extra>",
            )


def _seed(line: RangeLine) -> str:
    return f"seed {line.seed}, " if line.seed >= 0 else ""


def plot_range(info: RangeInfo, *, dark: bool = False, height: int = 400) -> go.Figure:
    """A line per run (raw as dots, smoothed as lines), steepest descent and turn marked, diverged ends crossed."""
    import plotly.graph_objects as go

    figure, palette, ink = go.Figure(), theme.palette(dark), theme.ink(dark)
    places = theme.colour_indices(group.method for group in info.groups)
    lines = [(group, line) for group in info.groups for line in group.lines]
    shown = scale([loss for _, line in lines for loss in line.losses.tolist()], "minimize")
    diverged: list[tuple[float, float, str]] = []
    for group, line in lines:
        name = theme.plain(theme.shortened(group.method))
        _draw_line(figure, line, palette[places[group.method]], name, shown, in_legend=line is group.lines[0])
        if line.diverged:
            end = min(max(float(line.smooth[-1]), shown.low), shown.high)
            diverged.append((float(line.rates[-1]), end, f"<b>{name}</b><br>{_seed(line)}diverged after"))
    for what, symbol in SYMBOLS.items():
        marker = {"symbol": symbol, "size": 10, "color": ink, "line": {"width": 2, "color": ink}}
        figure.add_scatter(x=[None], y=[None], mode="markers", name=what, marker=marker, hoverinfo="skip")
    if diverged:
        crosses(
            figure,
            [rate for rate, _, _ in diverged],
            [loss for _, loss, _ in diverged],
            dark,
            name="diverged",
            text=[text for *_, text in diverged],
            hovertemplate="%{text} rate %{x:.3g}<extra></extra>",
        )
    figure.update_layout(**theme.layout(dark, x="learning rate", y=info.loss, height=height))
    value_axis(figure, shown)
    rates = [float(rate) for _, line in lines for rate in (line.rates[0], line.rates[-1])]
    if rates:
        figure.update_xaxes(type="log", **theme.log_ticks(min(rates), max(rates)))
    return figure
