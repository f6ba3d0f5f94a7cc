"""Early stopping: which epoch a patience would have chosen of whole curves, what that costs and what it saves.

The lowest point of a noisy curve is lower than what its weights would show on fresh data: regret against it is biased
upwards, the same for every patience. How a patience is simulated, and what is known beyond the end of a run, stands in
`analysis.regularization.patience`.
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
from analysis.figures.traces import band, bounds, crosses, mean_line, seed_line, thin
from analysis.regularization.patience import Course, courses_of
from analysis.statistics import Interval, interval, number, plus_minus
from analysis.statistics.independent import independent, unit_name

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_PATIENCES: Final = 60
"""For how many patiences at most, evenly spaced, the cost is computed."""


@dataclass(frozen=True)
class Cost:
    """What one patience costs and saves, over the seeds."""

    patience: int
    regret: Interval
    """The error at the chosen epoch minus the lowest known."""
    regret_last: Interval
    """The error at the last epoch trained minus the lowest known."""
    saved: Interval
    """The share of the epochs that was not trained."""


@dataclass(frozen=True)
class EarlyStoppingInfo:
    """The seeds of one group and a patience, as `plot_early_stopping` and `plot_patience` draw them."""

    name: str
    metric: str
    watched: str
    courses: list[Course]
    """The courses of the runs that ended ok."""
    diverged: list[Course]
    """The courses of the other runs."""
    patience: int
    """The patience that is simulated."""

    @property
    def empty(self) -> bool:
        """Whether no run that ended ok has a curve of two epochs."""
        return not self.courses

    @property
    def problem(self) -> str:
        """Why nothing can be drawn, in plain text; empty where something can."""
        if not self.empty:
            return ""
        if self.diverged:
            return f"All {len(self.diverged)} runs of {self.name} diverged: there is no epoch to choose."
        return f"No run of {self.name} that ended has {self.metric} at two or more epochs."

    @property
    def most(self) -> int:
        """The largest patience that can be simulated: no larger than that of a run that its own patience stopped."""
        longest = max((len(course.epochs) for course in self.courses), default=0)
        return max(1, min([longest - 1, *(course.own_patience for course in self.courses if course.cut)]))

    @property
    def cut(self) -> int:
        """How many runs were stopped by their own patience, with nothing known beyond."""
        return sum(course.cut for course in self.courses)

    def mean(self, values: Iterable[float]) -> Interval:
        """The mean of one value per course, with its 95 % t-interval; courses on one training set or seed are one."""
        sets, seeds = [course.data for course in self.courses], [course.seed for course in self.courses]
        return interval(independent(values, sets, seeds))

    @property
    def n(self) -> str:
        """`n=8 seeds`."""
        unit = unit_name([course.data for course in self.courses])
        return f"n={self.mean(0.0 for _ in self.courses).n} {unit}"

    def cost(self, patience: int) -> Cost:
        """What a patience costs and saves."""
        stopped = [(course, *course.stopped(patience)) for course in self.courses]
        return Cost(
            patience,
            regret=self.mean(float(course.error[chosen]) - course.lowest for course, _, chosen in stopped),
            regret_last=self.mean(float(course.error[end]) - course.lowest for course, end, _ in stopped),
            saved=self.mean(1 - (end + 1) / len(course.epochs) for course, end, _ in stopped),
        )

    @cached_property
    def costs(self) -> list[Cost]:
        """The costs of patiences from 1 to the largest that can be simulated."""
        patiences = np.unique(np.linspace(1, self.most, min(self.most, MOST_PATIENCES)).round().astype(int))
        return [self.cost(int(patience)) for patience in patiences]

    @property
    def sentence(self) -> str:
        """What the patience would have cost and saved, in plain text."""
        if self.empty:
            return self.problem
        cost = self.cost(self.patience)
        chosen = [float(course.epochs[course.stopped(self.patience)[1]]) for course in self.courses]
        span = f"{min(chosen):g}" if min(chosen) == max(chosen) else f"{min(chosen):g} to {max(chosen):g}"
        bound = "at least " if self.cut else ""
        n = cost.regret.kind if cost.regret.shown else f"n={cost.regret.n}"
        how = f"Patience {self.patience} would have chosen" if self.patience else "Trained to the end, the best is"
        share = cost.saved
        percent = Interval(100 * share.mean, 100 * share.low, 100 * share.high, share.n)
        saved = f" and saves {plus_minus(percent)}% of the epochs" if self.patience else ""
        return (
            f"{how} epoch {span} of {self.name}: {self.metric} there is {bound}{plus_minus(cost.regret)} above the"
            f" lowest that the training reached ({n}){saved}."
        )

    @property
    def unknown(self) -> str:
        """What cannot be known about these runs, in plain text; empty where all is known."""
        if not self.cut:
            return ""
        return (
            f"{self.cut} of {len(self.courses)} runs were stopped by their own patience: what a longer training would"
            " have reached is not known, the regret is a lower bound, and no larger patience can be simulated. A sweep"
            " over the patience with 0 among its values trains the same seeds to the end."
        )

    @property
    def band(self) -> str:
        """The name of the bands; empty where none is drawn."""
        interval_of_all = self.mean(0.0 for _ in self.courses)
        return interval_of_all.kind if interval_of_all.shown else ""

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
        """One row per seed: the epochs that the patience trains and chooses, the errors there and the lowest known."""
        rows = []
        for course in self.courses:
            end, chosen = course.stopped(self.patience)
            rows.append(
                {
                    "run": course.run_id,
                    "seed": course.seed,
                    "patience": self.patience,
                    "chosen epoch": course.epochs[chosen],
                    "last epoch": course.epochs[end],
                    f"{self.metric} chosen": course.error[chosen],
                    f"{self.metric} last": course.error[end],
                    "lowest known": course.lowest,
                    "regret": course.regret(self.patience),
                    "regret of the last": course.regret(self.patience, last=True),
                    "known epochs": len(course.epochs),
                    "lower bound": course.cut,
                }
            )
        return pd.DataFrame(rows)

    def costs_frame(self) -> pd.DataFrame:
        """One row per patience: mean regrets and the share of epochs saved, with half of their intervals."""
        rows = []
        for cost in self.costs:
            row: dict[str, Any] = {"patience": cost.patience}
            intervals = {"regret": cost.regret, "regret of the last": cost.regret_last, "saved": cost.saved}
            for name, mean in intervals.items():
                row |= {name: mean.mean, f"{name} half": mean.half if mean.shown else math.nan}
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
    """The seeds of a group, and the epochs that a patience would have chosen.

    Args:
        errors: The error in long form [run_id, step, value], of the longer runs too.
        watched: The metric that early stopping watches in the same form, lower is better; may be the same frame.
        runs: The group's runs that count: run_id, seed, outcome and, where they have one, PATIENCE.
        name: The group's name.
        metric: The error's name.
        watches: The watched metric's name.
        patience: The patience in epochs; 0 for training to the end.
        longer: The run of the same seed that went on, for each run that has one, from `longer_runs`.
    """
    courses = courses_of(errors, watched, runs, longer or {})
    fine = [course for course in courses if course.fine]
    diverged = [course for course in courses if not course.fine]
    return EarlyStoppingInfo(name, metric, watches, fine, diverged, patience)


def _mean(info: EarlyStoppingInfo) -> tuple[np.ndarray, list[Interval]]:
    """The mean over the seeds, up to the last epoch that all of them reached."""
    at = [dict(zip(course.epochs.tolist(), course.error.tolist(), strict=True)) for course in info.courses]
    shared = sorted(set.intersection(*map(set, at))) if at else []
    return np.array(shared), [info.mean(error_at[step] for error_at in at) for step in shared]


def plot_early_stopping(info: EarlyStoppingInfo, *, dark: bool = False, height: int = 380) -> go.Figure:
    """The curves of the seeds with what the patience chooses of each, and how long it would have gone on."""
    import plotly.graph_objects as go

    figure, (accent, zone), ink = go.Figure(), theme.palette(dark)[:2], theme.ink(dark)
    figure.update_layout(**theme.layout(dark, x="epoch", y=info.metric, height=height))
    for course in info.courses + info.diverged:
        x, y = thin(course.epochs[: course.trained], course.error[: course.trained])
        hover = f"seed {course.seed}, epoch %{{x:g}}: %{{y:.4g}}<extra></extra>"
        seed_line(figure, x, y, accent, hovertemplate=hover)
        if course.trained < len(course.epochs):
            beyond = slice(course.trained - 1, None)
            x, y = course.epochs[beyond], course.error[beyond]
            hover = f"seed {course.seed}, trained on: %{{y:.4g}}<extra></extra>"
            seed_line(figure, x, y, theme.grey(dark), opacity=0.6, dash="dot", hovertemplate=hover)
    steps, means = _mean(info)
    if len(steps) and len(info.courses) > 1:
        mean_line(
            figure,
            steps,
            [mean.mean for mean in means],
            accent,
            width=2.4,
            name=f"mean of {len(info.courses)} seeds",
            text=[plus_minus(mean) for mean in means],
            hovertemplate="epoch %{x:g}: %{text}<extra></extra>",
        )
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
            last = finite[-1:]
            hover = f"seed {course.seed} diverged<extra></extra>"
            crosses(figure, course.epochs[last], course.error[last], dark, hovertemplate=hover)
    return figure


def plot_patience(info: EarlyStoppingInfo, *, dark: bool = False, height: int = 380) -> go.Figure:
    """Above: the regret of every patience, of the chosen and of the last epoch. Below: the share of epochs saved."""
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.07, row_heights=[0.6, 0.4])
    accent, faint, green = theme.palette(dark)[0], theme.grey(dark), theme.palette(dark)[2]
    figure.update_layout(**theme.layout(dark, x="", y="regret", height=height))
    below = theme.layout(dark, x="patience (epochs)", y="epochs saved")
    figure.update_layout(xaxis2=below["xaxis"], yaxis2=below["yaxis"])
    x = [cost.patience for cost in info.costs]
    looks = (
        ("weights of the best epoch", [cost.regret for cost in info.costs], accent, "solid", 1),
        ("weights of the last epoch", [cost.regret_last for cost in info.costs], faint, "dash", 1),
        ("share of the epochs saved", [cost.saved for cost in info.costs], green, "solid", 2),
    )
    for name, means, colour, dash, row in looks:
        if means and means[0].shown:
            band(figure, x, *bounds(means), colour, opacity=0.15, row=row, col=1)
        mean_line(
            figure,
            x,
            [mean.mean for mean in means],
            colour,
            dash=dash,
            size=5 if len(x) < 12 else None,
            name=name,
            text=[plus_minus(mean) for mean in means],
            hovertemplate=f"{name}<br>patience %{{x:g}}: %{{text}}<extra></extra>",
            row=row,
            col=1,
        )
    if info.patience:
        for row in (1, 2):
            figure.add_vline(info.patience, line={"width": 1.2, "dash": "dot", "color": faint}, row=row, col=1)
    figure.update_xaxes(showticklabels=False, row=1, col=1)
    figure.update_yaxes(tickformat=".0%", range=[-0.03, 1.03], row=2, col=1)
    figure.update_layout(legend={"y": -0.2})
    return figure
