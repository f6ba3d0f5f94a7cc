"""One regularizer alone: errors on validation and training data over its strength, and its best strength against none.

The best strength is chosen by its results, so its verdict against none is corrected (Holm) for all strengths that it
was the best of. The error on training data stands beside it: a regularizer that helps lets that error rise and the
validation error fall.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from analysis.figures.export import sizes
from analysis.regularization.strength_places import is_number
from analysis.regularization.strengths import Strengths, strengths
from analysis.runs.true_labels import label_noise
from analysis.statistics import Interval, interval, plus_minus
from analysis.statistics.independent import independent_rows
from analysis.statistics.samples import Sample
from analysis.statistics.verdicts import Verdict, verdicts
from analysis.words import counted, listed
from tracking.schema import Outcome

if TYPE_CHECKING:
    pass

ENOUGH_VALUES: Final = 3
"""With fewer strengths than this, no strength counts as being at an edge."""
BOUNDED: Final[dict[str, tuple[float, float]]] = {
    "early_stopping_patience": (0, math.inf),
    "l1": (0, math.inf),
    "l2": (0, math.inf),
    "shift": (0, math.inf),
    "input_noise": (0, math.inf),
    "label_smoothing": (0, 1),
    "weight_decay": (0, math.inf),
    "dropout": (0, 1),
}
"""The numbers between which each param must lie: no wider range can be tried."""


@dataclass(frozen=True)
class Point:
    """The results at one strength."""

    name: str
    value: Any
    x: float
    dev: Sample
    train: Mapping[Any, float]
    """The finite training errors of the runs that ended ok, by seed, or by training set where runs share one."""
    configuration: str
    """Its values of the other searched params, in words."""
    tried: int
    """How many configurations it is the best of."""

    @property
    def train_interval(self) -> Interval:
        """The mean error on training data, and its 95 % t-interval."""
        return interval(self.train.values())


@dataclass(frozen=True)
class IsolationInfo:
    """All strengths of one regularizer, as `plot_isolation` draws them."""

    strengths: Strengths
    points: list[Point]
    metric: str
    train_metric: str
    verdict: Verdict | None
    """The verdict on the best strength against none; on the best of the other strengths where none is the best."""

    @property
    def empty(self) -> bool:
        """Whether no run has a result."""
        return not any(point.dev.n for point in self.points)

    @property
    def problem(self) -> str:
        """Why nothing can be drawn, in plain text; empty where something can."""
        if self.empty:
            return f"No run with a value of {self.strengths.axis} has come to a result by {self.metric}."
        return ""

    @property
    def best(self) -> int | None:
        """The strength that ranks first; None where no run is finite."""
        first = next(iter(self.strengths.ranked), None)
        return first if first is not None and self.points[first].dev.values else None

    @property
    def none(self) -> int | None:
        """The strength that stands for none."""
        return self.strengths.none

    @property
    def edge(self) -> str:
        """`highest` or `lowest` where the best strength is the outermost number tried and could be moved further."""
        numbers = [place for place, point in enumerate(self.points) if is_number(point.value)]
        if self.best not in numbers or len(numbers) < ENOUGH_VALUES:
            return ""
        value = float(self.points[self.best].value)
        low, high = BOUNDED.get(self.strengths.short, (-math.inf, math.inf))
        if self.best == numbers[-1] and value < high:
            return "highest"
        return "lowest" if self.best == numbers[0] and value > low else ""

    @property
    def edge_sentence(self) -> str:
        """Whether the best strength lies at the edge of those tried, in plain text; empty where that says nothing."""
        numbers = [point for point in self.points if is_number(point.value)]
        if self.best is None or len(numbers) < ENOUGH_VALUES or not is_number(self.points[self.best].value):
            return ""
        name = self.points[self.best].name
        if self.edge:
            return f"The best, {name}, is the {self.edge} tried: a wider range may hold a better one."
        return f"The best, {name}, lies inside the range tried ({numbers[0].name} to {numbers[-1].name})."

    @property
    def sentence(self) -> str:
        """How far the best improves on none, in plain text."""
        if self.empty:
            return self.problem
        if self.best is None:
            return f"All {sum(point.dev.n for point in self.points)} runs diverged."
        best = self.points[self.best]
        if self.verdict is None:
            basis = best.dev.interval.kind if best.dev.interval.shown else f"n={best.dev.interval.n}"
            return f"Best at {best.name}: {self.metric} {plus_minus(best.dev.interval)} ({basis})."
        if self.best == self.none:
            return f"No strength of {self.strengths.short} has a lower mean than {best.name}. {self.verdict.sentence}"
        return self.verdict.sentence

    @property
    def band(self) -> str:
        """The name of the bars; empty where none is drawn."""
        counts = sorted({point.dev.interval.n for point in self.points if point.dev.interval.shown})
        if not counts:
            return ""
        return f"95% t-interval, n={counts[0]}" + (f" to {counts[-1]}" if counts[-1] > counts[0] else "")

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        return f"{self.metric} against {self.strengths.axis}, {counted(len(self.points), 'strength')}"

    @property
    def interval(self) -> str:
        """The kind of the bars; nothing where none is drawn."""
        return self.band

    @property
    def n(self) -> str:
        """`n=8 seeds each`."""
        return sizes([point.dev.n for point in self.points if point.dev.n])

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        words = ["Small dots are seeds, large ones their mean"]
        words += [f"bars the {self.band}"] if self.band else ["below three seeds no interval is drawn"]
        words += ["grey is training data"] if any(point.train for point in self.points) else []
        words += [wrong] if (wrong := self._wrong_labels) else []
        words += ["the best is ringed"] if self.best is not None else []
        words += [f"the dotted line is the mean of {self.strengths.reference}"] if self._reference else []
        words += ["triangles stand for means beyond the scale"] if math.isfinite(self.top) else []
        diverged = sum(len(point.dev.diverged) for point in self.points)
        words += [f"red crosses at the upper edge: {diverged} diverged"] if diverged else []
        without = [point.name for point in self.points if not point.dev.n]
        words += [f"without a result: {listed(without)}"] if without else []
        return f"{'; '.join(words)}. {self.strengths.choice}".strip()

    @property
    def _wrong_labels(self) -> str:
        """A clause if training and validation labels are not of the same kind; empty if they are."""
        if not label_noise(self.strengths.runs):
            return ""
        return "a part of its labels is wrong, unlike those of validation, so that it may lie above"

    @property
    def top(self) -> float:
        """The end of the axis at which the better strengths can be told apart; inf where everything can be shown.

        A strength with very large errors would flatten the others: the axis then ends three times as far from the best
        run as the median lies, or above all errors of the best strength and of none.
        """
        values = np.array([value for point in self.points for value in point.dev.values.values()])
        if not len(values):
            return math.inf
        low, middle, high = np.quantile(values, [0.0, 0.5, 1.0]).tolist()
        if not 0 < 6 * (middle - low) < high - low:
            return math.inf
        always_shown = [self.points[place] for place in (self.best, self.none) if place is not None]
        errors = [error for point in always_shown for error in (*point.dev.values.values(), *point.train.values())]
        top = max([low + 3 * (middle - low), *errors])
        return top if top < high else math.inf

    @property
    def _reference(self) -> Interval | None:
        if self.none is None or not self.points[self.none].dev.values:
            return None
        return self.points[self.none].dev.interval

    def frame(self) -> pd.DataFrame:
        """One row per run: its strength, configuration and errors, with mean and half-width of its strength."""
        return pd.DataFrame(
            [
                {
                    self.strengths.axis: point.value,
                    "configuration": point.configuration,
                    "run": run["run_id"],
                    "seed": run["seed"],
                    "outcome": run["outcome"],
                    self.metric: run["dev"],
                    self.train_metric or "train": run.get("train", math.nan),
                    "mean": point.dev.interval.mean,
                    "half": point.dev.interval.half if point.dev.interval.shown else math.nan,
                }
                for place, point in enumerate(self.points)
                for run in self.strengths.members(place).to_dict("records")
            ]
        )


def _point(of_axis: Strengths, place: int) -> Point:
    level, members = of_axis.levels[place], of_axis.members(place)
    finite = members[members["outcome"] == Outcome.OK]
    if "train" in finite:
        finite = finite[np.isfinite(pd.to_numeric(finite["train"], errors="coerce"))]
    trained = independent_rows(finite, ["train"])[0]["train"].to_dict() if "train" in finite else {}
    return Point(
        of_axis.name(place),
        level.value,
        x=float(of_axis.places.x[place]),
        dev=of_axis.sample(place),
        train=trained,
        configuration=level.judged.label if level.judged else "",
        tried=len(level.trials),
    )


def isolation_info(
    runs: pd.DataFrame,
    axis: str,
    keys: Sequence[str] = (),
    *,
    metric: str,
    train_metric: str = "",
    pinned: Mapping[str, str] | None = None,
) -> IsolationInfo:
    """The errors at each strength of one regularizer, with the verdict on its best.

    Args:
        runs: One row per run that counts: run_id, group, seed, phase, outcome, dev and train (errors, lower is better),
            one column per param.
        axis: The regularizer, a dotted key; its values may be words and truth values too.
        keys: The params in which the runs differ.
        metric: The name of `dev`.
        train_metric: The name of `train`.
        pinned: The values of other params that are held, by their keys, instead of each strength's best.

    Raises:
        ValueError: The runs have no such param.
    """
    of_axis = strengths(runs, axis, keys, pinned=pinned)
    points = [_point(of_axis, place) for place in range(len(of_axis.levels))]
    judged, verdict = of_axis.ranked, None
    if of_axis.none is not None and of_axis.none in judged and len(judged) > 1:
        groups = [points[place].dev for place in judged]
        none = judged.index(of_axis.none)
        pairs = [(place, none) for place in range(len(judged)) if place != none]
        verdict = verdicts(groups, pairs, metric=metric)[pairs[0]]
    return IsolationInfo(of_axis, points, metric, train_metric, verdict)
