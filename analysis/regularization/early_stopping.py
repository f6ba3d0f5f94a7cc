"""Early stopping: what a patience would have chosen of whole curves, what that costs and what it saves.

The lowest point of a noisy curve is lower than what its weights would show on fresh data: regret against it is biased
upwards, the same for every patience. How a patience is simulated and what is known beyond the end of a run is told in
analysis.regularization.patience.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.curves import thin
from analysis.figures.value_axis import cross, grey
from analysis.regularization.patience import Course, courses_of
from analysis.statistics import Interval, interval, number, plus_minus
from analysis.statistics.independent import independent, kind

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_PATIENCES: Final = 60
"""The cost is worked out for so many patiences at most, evenly spaced."""


@dataclass(frozen=True)
class Cost:
    """What one patience costs and saves, over the seeds."""

    patience: int
    regret: Interval
    regret_last: Interval
    saved: Interval
    """The share of the epochs that was not trained."""


@dataclass(frozen=True)
class EarlyStoppingInfo:
    """What `plot_early_stopping` and `plot_patience` draw: the seeds of one group."""

    name: str
    metric: str
    watched: str
    courses: list[Course]
    """Of the runs that ended ok."""
    diverged: list[Course]
    patience: int
    """That which is asked about."""

    @property
    def empty(self) -> bool:
        """Whether no run that ended ok has a curve of two epochs."""
        return not self.courses

    @property
    def problem(self) -> str:
        """What is missing, in plain text; nothing where there is something to draw."""
        if not self.empty:
            return ""
        if self.diverged:
            return f"All {len(self.diverged)} runs of {self.name} diverged: there is no epoch to choose."
        return f"No run of {self.name} that ended has {self.metric} at two or more epochs."

    @property
    def most(self) -> int:
        """The largest patience that can be asked about: of a run that was stopped by its own, no larger one."""
        longest = max((len(course.epochs) for course in self.courses), default=0)
        return max(1, min([longest - 1, *(course.own_patience for course in self.courses if course.cut)]))

    @property
    def cut(self) -> int:
        """Runs that were stopped by their own patience, with nothing known beyond."""
        return sum(course.cut for course in self.courses)

    def mean(self, values: Iterable[float]) -> Interval:
        """The mean of a value of each course, those on one training set or seed being one, and its 95 % t-interval."""
        sets, seeds = [course.data for course in self.courses], [course.seed for course in self.courses]
        return interval(independent(values, sets, seeds))

    @property
    def n(self) -> str:
        """`n=8 seeds`."""
        of = kind([course.data for course in self.courses])
        return f"n={self.mean(0.0 for _ in self.courses).n} {of}"

    def cost(self, patience: int) -> Cost:
        """What a patience costs and saves."""
        each = [(course, *course.stopped(patience)) for course in self.courses]
        return Cost(
            patience,
            self.mean(float(course.error[chosen]) - course.lowest for course, _, chosen in each),
            self.mean(float(course.error[end]) - course.lowest for course, end, _ in each),
            self.mean(1 - (end + 1) / len(course.epochs) for course, end, _ in each),
        )

    @cached_property
    def costs(self) -> list[Cost]:
        """The costs of patiences from 1 to the largest that can be asked about."""
        asked = np.unique(np.linspace(1, self.most, min(self.most, MOST_PATIENCES)).round().astype(int))
        return [self.cost(int(patience)) for patience in asked]

    @property
    def sentence(self) -> str:
        """What the patience would have cost and saved, in plain text."""
        if self.empty:
            return self.problem
        found = self.cost(self.patience)
        chosen = [float(course.epochs[course.stopped(self.patience)[1]]) for course in self.courses]
        span = f"{min(chosen):g}" if min(chosen) == max(chosen) else f"{min(chosen):g} to {max(chosen):g}"
        bound = "at least " if self.cut else ""
        n = found.regret.kind if found.regret.shown else f"n={found.regret.n}"
        how = f"Patience {self.patience} would have chosen" if self.patience else "Trained to the end, the best is"
        share = found.saved
        percent = Interval(100 * share.mean, 100 * share.low, 100 * share.high, share.n)
        saved = f" and saves {plus_minus(percent)}% of the epochs" if self.patience else ""
        return (
            f"{how} epoch {span} of {self.name}: {self.metric} there is {bound}{plus_minus(found.regret)} above the"
            f" lowest that the training reached ({n}){saved}."
        )

    @property
    def unknown(self) -> str:
        """What cannot be known of these runs, in plain text; nothing where everything is."""
        if not self.cut:
            return ""
        return (
            f"{self.cut} of {len(self.courses)} runs were stopped by their own patience: what a longer training would"
            " have reached is not known, the regret is a lower bound, and no larger patience can be simulated. A sweep"
            " over the patience with 0 among its values trains the same seeds to the end."
        )

    @property
    def band(self) -> str:
        """What the bands are; nothing where none is drawn."""
        found = self.mean(0.0 for _ in self.courses)
        return found.kind if found.shown else ""

    @property
    def shows(self) -> str:
        """What the curves show, for a caption."""
        return f"{self.metric} over the epochs of {self.name}, with what patience {self.patience} chooses"

    @property
    def interval(self) -> str:
        """Nothing: the curves are of single seeds, and their mean has no band."""
        return ""

    @property
    def reading(self) -> str:
        """How to read the curves, in plain text."""
        words = ["Thin lines are seeds, the thick one their mean"]
        words += [
            "a dot is the epoch that is chosen, an upright bar the last one trained, the band between them patience"
        ]
        beyond = any(course.trained < len(course.epochs) for course in self.courses)
        words += ["dotted: the same training beyond the run's end, from the run that went on"] if beyond else []
        words += [f"{len(self.diverged)} diverged, ended by a red cross and not counted"] if self.diverged else []
        watched = "" if self.watched == self.metric else f" Stopping watches {self.watched}."
        noisy = " The lowest point of a noisy curve is lower than its weights deserve: regret against it is too large."
        return "; ".join(words) + "." + watched + noisy

    def frame(self) -> pd.DataFrame:
        """One row a seed: the epochs that the patience trains and chooses, the errors there and the lowest known."""
        rows = []
        for course in self.courses:
            end, chosen = course.stopped(self.patience)
            rows.append(
                {
                    "run": course.run_id, "seed": course.seed, "patience": self.patience,
                    "chosen epoch": course.epochs[chosen], "last epoch": course.epochs[end],
                    f"{self.metric} chosen": course.error[chosen], f"{self.metric} last": course.error[end],
                    "lowest known": course.lowest, "regret": course.regret(self.patience),
                    "regret of the last": course.regret(self.patience, last=True), "known epochs": len(course.epochs),
                    "lower bound": course.cut,
                }
            )  # fmt: skip
        return pd.DataFrame(rows)

    def costs_frame(self) -> pd.DataFrame:
        """One row a patience: mean regrets and the share of epochs saved, with half of their intervals."""
        rows = []
        for cost in self.costs:
            row: dict[str, Any] = {"patience": cost.patience}
            named = {"regret": cost.regret, "regret of the last": cost.regret_last, "saved": cost.saved}
            for name, own in named.items():
                row |= {name: own.mean, f"{name} half": own.half if own.shown else math.nan}
            rows.append(row)
        return pd.DataFrame(rows)


def early_stopping_info(
    errors: pd.DataFrame,
    watched: pd.DataFrame,
    runs: pd.DataFrame,
    *,
    name: str,
    metric: str,
    watches: str,
    patience: int,
    longer: Mapping[str, str] | None = None,
) -> EarlyStoppingInfo:
    """The seeds of a group, and what a patience would have chosen.

    Args:
        errors: Long [run_id, step, value]: the error that is spoken of; those of the longer runs too.
        watched: The same of the metric that early stopping watches, lower is better; may be the same frame.
        runs: The group's runs that count: run_id, seed, outcome and, where they have one, PATIENCE.
        name: What the group is called.
        metric: What the error is called.
        watches: What the watched metric is called.
        patience: Epochs; 0 for training to the end.
        longer: Run -> the run of the same seed that went on, from `longer_runs`.
    """
    courses = courses_of(errors, watched, runs, longer or {})
    fine = [course for course in courses if course.fine]
    diverged = [course for course in courses if not course.fine]
    return EarlyStoppingInfo(name, metric, watches, fine, diverged, patience)


def _mean(info: EarlyStoppingInfo) -> tuple[np.ndarray, list[Interval]]:
    """The mean over the seeds, up to the last epoch that all of them reached."""
    at = [dict(zip(course.epochs.tolist(), course.error.tolist(), strict=True)) for course in info.courses]
    shared = sorted(set.intersection(*(set(own) for own in at))) if at else []
    return np.array(shared), [info.mean(own[step] for own in at) for step in shared]


def plot_early_stopping(info: EarlyStoppingInfo, *, dark: bool = False, height: int = 380) -> go.Figure:
    """The curves of the seeds with what the patience chooses of each, and how long it would have gone on."""
    import plotly.graph_objects as go

    figure, accent, ink = go.Figure(), theme.palette(dark)[0], theme.palette(dark)[6]
    zone = theme.palette(dark)[1]
    figure.update_layout(**theme.layout(dark, x="epoch", y=info.metric, height=height))
    for course in info.courses + info.diverged:
        own = slice(0, course.trained)
        x, y = thin(course.epochs[own], course.error[own])
        figure.add_scatter(
            x=x, y=y, mode="lines", line={"width": 1, "color": theme.translucent(accent, 0.35)}, showlegend=False,
            hovertemplate=f"seed {course.seed}, epoch %{{x:g}}: %{{y:.4g}}<extra></extra>",
        )  # fmt: skip
        if course.trained < len(course.epochs):
            beyond = slice(course.trained - 1, None)
            figure.add_scatter(
                x=course.epochs[beyond], y=course.error[beyond], mode="lines",
                line={"width": 1, "color": theme.translucent(grey(dark), 0.6), "dash": "dot"}, showlegend=False,
                hovertemplate=f"seed {course.seed}, trained on: %{{y:.4g}}<extra></extra>",
            )  # fmt: skip
    steps, means = _mean(info)
    if len(steps) and len(info.courses) > 1:
        figure.add_scatter(
            x=steps, y=[each.mean for each in means], mode="lines", line={"width": 2.4, "color": accent},
            name=f"mean of {len(info.courses)} seeds",
            text=[plus_minus(each) for each in means], hovertemplate="epoch %{x:g}: %{text}<extra></extra>",
        )  # fmt: skip
    if info.patience:
        waits: list[tuple[Any, Any]] = []
        for course in info.courses:
            end, chosen = course.stopped(info.patience)
            waits += [(step, course.error[chosen]) for step in (course.epochs[chosen], course.epochs[end])]
            waits += [(None, None)]
        figure.add_scatter(
            x=[x for x, _ in waits], y=[y for _, y in waits], mode="lines", name=f"patience {info.patience}",
            line={"width": 5, "color": theme.translucent(zone, 0.45)}, hoverinfo="skip",
        )  # fmt: skip
        ends = [(course, course.stopped(info.patience)[0]) for course in info.courses]
        figure.add_scatter(
            x=[course.epochs[end] for course, end in ends], y=[course.error[end] for course, end in ends],
            mode="markers", name="last epoch trained", text=[f"seed {course.seed}" for course, _ in ends],
            marker={"symbol": "line-ns", "size": 11, "line": {"width": 2, "color": zone}},
            hovertemplate="%{text} stops after epoch %{x:g}: %{y:.4g}<extra></extra>",
        )  # fmt: skip
    picks = [(course, course.stopped(info.patience)[1]) for course in info.courses]
    figure.add_scatter(
        x=[course.epochs[at] for course, at in picks], y=[course.error[at] for course, at in picks], mode="markers",
        name="chosen epoch", marker={"size": 8, "color": accent, "line": {"width": 1.5, "color": ink}},
        text=[f"seed {course.seed}: regret {number(course.regret(info.patience), 3)}" for course, _ in picks],
        hovertemplate="epoch %{x:g}: %{y:.4g}<br>%{text}<extra></extra>",
    )  # fmt: skip
    for course in info.diverged:
        finite = np.flatnonzero(np.isfinite(course.error))
        if len(finite):
            figure.add_scatter(
                x=[course.epochs[finite[-1]]], y=[course.error[finite[-1]]], mode="markers", marker=cross(dark),
                showlegend=False, hovertemplate=f"seed {course.seed} diverged<extra></extra>",
            )  # fmt: skip
    return figure


def plot_patience(info: EarlyStoppingInfo, *, dark: bool = False, height: int = 380) -> go.Figure:
    """Above: the regret of every patience, of the chosen and of the last epoch. Below: the share of epochs saved."""
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.07, row_heights=[0.6, 0.4])
    accent, faint, green = theme.palette(dark)[0], grey(dark), theme.palette(dark)[2]
    figure.update_layout(**theme.layout(dark, x="", y="regret", height=height))
    below = theme.layout(dark, x="patience (epochs)", y="epochs saved")
    figure.update_layout(xaxis2=below["xaxis"], yaxis2=below["yaxis"])
    x = [cost.patience for cost in info.costs]
    looks = (
        ("weights of the best epoch", [cost.regret for cost in info.costs], accent, "solid", 1),
        ("weights of the last epoch", [cost.regret_last for cost in info.costs], faint, "dash", 1),
        ("share of the epochs saved", [cost.saved for cost in info.costs], green, "solid", 2),
    )
    for name, found, colour, dash, row in looks:
        if found and found[0].shown:
            figure.add_scatter(
                x=[*x, *x[::-1]], y=[*(each.high for each in found), *(each.low for each in found[::-1])],
                mode="lines", fill="toself", fillcolor=theme.translucent(colour, 0.15), line={"width": 0},
                hoverinfo="skip", showlegend=False, row=row, col=1,
            )  # fmt: skip
        figure.add_scatter(
            x=x, y=[each.mean for each in found], mode="lines+markers" if len(x) < 12 else "lines", name=name,
            line={"width": 2.2, "color": colour, "dash": dash}, marker={"size": 5, "color": colour},
            text=[plus_minus(each) for each in found],
            hovertemplate=f"{name}<br>patience %{{x:g}}: %{{text}}<extra></extra>", row=row, col=1,
        )  # fmt: skip
    if info.patience:
        for row in (1, 2):
            figure.add_vline(info.patience, line={"width": 1.2, "dash": "dot", "color": faint}, row=row, col=1)
    figure.update_xaxes(showticklabels=False, row=1, col=1)
    figure.update_yaxes(tickformat=".0%", range=[-0.03, 1.03], row=2, col=1)
    figure.update_layout(legend={"y": -0.2})
    return figure
