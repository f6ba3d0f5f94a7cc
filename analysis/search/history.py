"""The trials of a search, and how it went: the objective by trial in the order asked, and the best so far.

A trial's result is what its sampler sees: the mean of its seeds, all of them finite. A trial with a diverged seed has
failed and is marked, a pruned one stands where it was judged; neither is ever the best.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.marks import EDGE, at_edge
from analysis.figures.traces import cross, mean_line, seed_dots, seed_line
from analysis.figures.value_axis import Scale, scale, value_axis
from analysis.runs.ranking import RUNNING
from analysis.statistics import number
from analysis.statistics.rounding import resolution
from tracking.labels import labels
from tracking.schema import MAXIMIZE, Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class TrialResult:
    """One trial of the search."""

    number: int
    label: str
    params: Mapping[str, Any]
    """The searched keys that exist for it, and their values."""
    values: tuple[float, ...]
    """The finite results of its seeds."""
    outcome: str
    """ok, diverged, pruned, running, or what else became of it; ok if all judged seeds are finite."""
    seen: float = math.nan
    """The objective of a pruned trial when it was judged."""
    epoch: int | None = None
    """The epoch at which a pruned trial was judged."""

    @property
    def mean(self) -> float:
        """The mean of its finite seeds; nan without one."""
        return float(np.mean(self.values)) if self.values else math.nan

    @property
    def has_result(self) -> bool:
        """Whether it has a result that can be the best."""
        return self.outcome == Outcome.OK

    @property
    def height(self) -> float:
        """Where it stands: its mean, or what was seen of it when it was pruned."""
        return self.seen if self.outcome == Outcome.PRUNED else self.mean

    @property
    def words(self) -> str:
        """Its result for a reader, in plain text."""
        if self.outcome == Outcome.PRUNED:
            at = f" after epoch {self.epoch}" if self.epoch is not None else ""
            return f"pruned{at}" + (f" at {number(self.seen)}" if math.isfinite(self.seen) else "")
        seeds = f" (mean of {len(self.values)})" if len(self.values) > 1 else ""
        result = f"{number(self.mean)}{seeds}" if self.values else ""
        return ", ".join(filter(None, [result, "" if self.has_result else self.outcome]))


def _outcome(outcomes: Sequence[str], finite: int, ok: int) -> str:
    """What became of a trial, from its runs."""
    if Outcome.DIVERGED in outcomes or finite < ok:
        return Outcome.DIVERGED.value
    if finite:
        return Outcome.OK.value
    for outcome in (Outcome.PRUNED.value, RUNNING):
        if outcome in outcomes:
            return outcome
    return outcomes[-1]


def trial_results(
    runs: pd.DataFrame, searched: Sequence[str], judged: Mapping[str, tuple[int, float]] | None = None
) -> list[TrialResult]:
    """The trials in the order in which they were asked for.

    Args:
        runs: The search runs, one row each: run_id, trial, outcome, counts, objective and one column per searched key.
        searched: The dotted keys that are searched.
        judged: Pruned run -> (epoch, objective) when it was judged.
    """
    if not len(runs):
        return []
    trials: dict[int, list[dict[Any, Any]]] = {}
    for row in runs[runs["counts"].astype(bool)].to_dict("records"):
        trials.setdefault(int(row["trial"]), []).append(row)
    keys = [key for key in searched if key in runs]
    configurations = {str(number): {key: trials[number][0][key] for key in keys} for number in sorted(trials)}
    names = labels(configurations, keys)
    return [
        _result(int(number), names[number], params, trials[int(number)], judged or {})
        for number, params in configurations.items()
    ]


def _result(
    number: int,
    label: str,
    params: Mapping[str, Any],
    rows: list[dict[Any, Any]],
    judged: Mapping[str, tuple[int, float]],
) -> TrialResult:
    outcomes = [str(row["outcome"]) for row in rows]
    ok = [float(row["objective"]) for row in rows if row["outcome"] == Outcome.OK]
    finite = tuple(value for value in ok if math.isfinite(value))
    pruned = next((str(row["run_id"]) for row in rows if row["outcome"] == Outcome.PRUNED), "")
    epoch, seen = judged.get(pruned, (None, math.nan))
    return TrialResult(number, label, params, finite, _outcome(outcomes, len(finite), len(ok)), seen, epoch)


def last_seen(histories: pd.DataFrame) -> dict[str, tuple[int, float]]:
    """Each run's last step and the value there: for a pruned run, those at which it was judged.

    Args:
        histories: Long, of one metric: run_id, step, value.
    """
    if not len(histories):
        return {}
    last = histories.sort_values("step", kind="stable").drop_duplicates("run_id", keep="last")
    return {
        str(run): (int(step), float(value))
        for run, step, value in zip(last["run_id"], last["step"], last["value"], strict=True)
    }


@dataclass(frozen=True)
class HistoryInfo:
    """What `plot_history` draws."""

    trials: list[TrialResult]
    metric: str
    direction: str
    best: list[tuple[int, float]]
    """(trial, the best result up to it), a point for each trial that has a result."""

    @property
    def empty(self) -> bool:
        """Whether no trial has anything to draw."""
        return not any(math.isfinite(trial.height) or trial.outcome == Outcome.DIVERGED for trial in self.trials)

    @property
    def winner(self) -> TrialResult | None:
        """The trial with the best result; the first of equals."""
        finished = [trial for trial in self.trials if trial.has_result]
        if not finished:
            return None
        return (max if self.direction == MAXIMIZE else min)(finished, key=lambda trial: trial.mean)

    @property
    def sentence(self) -> str:
        """When the best was found, and what else became of the trials: plain text."""
        finished = sum(trial.has_result for trial in self.trials)
        if self.winner is None:
            return "No trial has a result yet."
        last = max(trial.number for trial in self.trials)
        words = [f"The best of {finished} trials is number {self.winner.number} of 0 to {last}: {self.winner.label}"]
        values = [value for trial in self.trials if trial.has_result for value in trial.values]
        if finished > 1 and max(values) - min(values) <= resolution(values):
            words = [f"All results are the same: {self.metric} {number(self.winner.mean)} in each of {finished} trials"]
        for outcome in (Outcome.PRUNED, Outcome.DIVERGED):
            count = sum(trial.outcome == outcome for trial in self.trials)
            words += [f"{count} {'were' if count > 1 else 'was'} pruned"] if count and outcome == Outcome.PRUNED else []
            words += [f"{count} diverged"] if count and outcome == Outcome.DIVERGED else []
        return "; ".join(words) + "."


def history_info(trials: Sequence[TrialResult], metric: str, direction: str) -> HistoryInfo:
    """How the search went.

    Args:
        trials: In the order asked, from `trial_results`.
        metric: What the objective is called.
        direction: "minimize" or "maximize".
    """
    better = np.fmax if direction == MAXIMIZE else np.fmin
    finished = [trial for trial in trials if trial.has_result]
    best = better.accumulate([trial.mean for trial in finished]).tolist() if finished else []
    numbers = [trial.number for trial in finished]
    return HistoryInfo(list(trials), metric, direction, list(zip(numbers, best, strict=True)))


@dataclass(frozen=True)
class Saved:
    """What pruning saved."""

    ended: int
    """Runs that were ended early."""
    spared: int
    """Further seeds of their trials, which were not trained."""
    seconds: float
    """Seconds of training, by the mean of the runs that were trained to their end; nan before there is one."""


def pruning_saved(runs: pd.DataFrame, seeds: int) -> Saved:
    """What pruning saved.

    Args:
        runs: The search runs: outcome, counts, start_time, end_time (milliseconds).
        seeds: How many runs a trial has that is not pruned.
    """
    if not len(runs):
        return Saved(0, 0, math.nan)
    counted = runs[runs["counts"].astype(bool)]
    seconds = (pd.to_numeric(counted["end_time"], errors="coerce") - counted["start_time"]).astype(float) / 1000
    pruned, whole = seconds[counted["outcome"] == Outcome.PRUNED], seconds[counted["outcome"] == Outcome.OK]
    typical = float(whole.mean()) if len(whole) else math.nan
    spared = len(pruned) * (seeds - 1)
    saved = spared * typical + float((typical - pruned).clip(lower=0).sum()) if len(whole) else math.nan
    return Saved(len(pruned), spared, saved)


def off_scale(
    figure: go.Figure, points: Sequence[tuple[TrialResult, Any]], scale: Scale, direction: str, *, dark: bool
) -> None:
    """Marks at the figure's edge what has no place on the scale: red crosses diverged, triangles are worse than it.

    Args:
        figure: To draw in.
        points: Trials, each with its place on the horizontal axis.
        scale: The scale.
        direction: "minimize" or "maximize": which end is the worse.
        dark: Whether the page is dark.
    """
    diverged = [(trial, x) for trial, x in points if trial.outcome == Outcome.DIVERGED]
    worse = [
        (trial, x)
        for trial, x in points
        if trial.outcome != Outcome.DIVERGED and math.isfinite(trial.height) and not scale.holds(trial.height)
    ]
    down = direction == MAXIMIZE
    triangle = {"symbol": f"triangle-{'down' if down else 'up'}-open", "size": 8, "color": theme.grey(dark)}
    looks = (("diverged", diverged, cross(dark)), ("worse than the scale", worse, triangle))
    for name, marked, marker in looks:
        if marked:
            at_edge(
                figure,
                [x for _, x in marked],
                marker,
                y=1 - EDGE if down else EDGE,
                name=name,
                text=[hover(trial) for trial, _ in marked],
                hovertemplate="%{text}<extra></extra>",
            )


def heights_of(trials: Sequence[TrialResult]) -> list[float]:
    """What a scale must consider: every seed of the trials that have a result, and pruned ones as they were judged."""
    values = [value for trial in trials if trial.has_result for value in trial.values]
    return values + [trial.seen for trial in trials if trial.outcome == Outcome.PRUNED and math.isfinite(trial.seen)]


def spread(trials: Sequence[TrialResult], x: Sequence[Any]) -> tuple[list[Any], list[float | None]]:
    """A line from the lowest to the highest seed of each trial with several, as plotly draws them in one trace."""
    xs: list[Any] = []
    ys: list[float | None] = []
    for trial, place in zip(trials, x, strict=True):
        if len(trial.values) > 1:
            xs += [place, place, None]
            ys += [min(trial.values), max(trial.values), None]
    return xs, ys


def hover(trial: TrialResult) -> str:
    """What a point says of its trial."""
    name = theme.plain(theme.shortened(trial.label, 60))
    return f"<b>{name}</b><br>trial {trial.number}: {theme.plain(trial.words)}"


def plot_history(info: HistoryInfo, *, dark: bool = False, height: int = 340) -> go.Figure:
    """One dot per trial with the range of its seeds, the best so far as a line; pruned hollow, diverged red crosses."""
    import plotly.graph_objects as go

    figure, accent, faint = go.Figure(), theme.palette(dark)[0], theme.grey(dark)
    vertical = scale(heights_of(info.trials), info.direction)
    finished = [trial for trial in info.trials if trial.has_result and vertical.holds(trial.mean)]
    xs, ys = spread(finished, [trial.number for trial in finished])
    if xs:
        seed_line(figure, xs, ys, faint, width=1.4, opacity=0.55, hoverinfo="skip")
    if finished:
        seed_dots(
            figure,
            [trial.number for trial in finished],
            [trial.mean for trial in finished],
            accent,
            size=7,
            opacity=0.75,
            name="trial",
            text=[hover(trial) for trial in finished],
            hovertemplate="%{text}<extra></extra>",
        )
    pruned = [trial for trial in info.trials if trial.outcome == Outcome.PRUNED and vertical.holds(trial.seen)]
    if pruned:
        figure.add_scatter(
            x=[trial.number for trial in pruned],
            y=[trial.seen for trial in pruned],
            mode="markers",
            name="pruned",
            marker={"size": 7, "symbol": "circle-open", "color": faint, "line": {"width": 1.5}},
            text=[hover(trial) for trial in pruned],
            hovertemplate="%{text}<extra></extra>",
        )
    if info.best:
        last = max(trial.number for trial in info.trials)
        line = [*info.best, (last, info.best[-1][1])] if last > info.best[-1][0] else info.best
        mean_line(
            figure,
            [place for place, _ in line],
            [value for _, value in line],
            accent,
            shape="hv",
            name="best so far",
            hovertemplate="best up to trial %{x}: %{y:.4g}<extra></extra>",
        )
    figure.update_layout(**theme.layout(dark, x="trial, in the order asked", y=info.metric, height=height))
    value_axis(figure, vertical)
    off_scale(figure, [(trial, trial.number) for trial in info.trials], vertical, info.direction, dark=dark)
    return figure
