"""One regularizer alone: its strength against the error on validation and on training data, and its best against none.

The best strength is found by looking, so its verdict against none is corrected (Holm) for all strengths that it was
the best of. Its error on training data stands beside it: a restraint that helps lets that rise and validation fall.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.export import sizes
from analysis.figures.value_axis import EDGE, cross, grey
from analysis.regularization.strengths import Strengths, is_number, strength_axis, strengths
from analysis.runs.true_labels import label_noise
from analysis.statistics import Interval, interval, number, plus_minus
from analysis.statistics.independent import units
from analysis.statistics.samples import Sample, key_words
from analysis.statistics.verdicts import Verdict, verdicts
from analysis.words import counted, listed
from tracking.schema import Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go

ENOUGH_VALUES: Final = 3
"""Of fewer strengths none is at an edge that could be moved."""
BOUNDED: Final[dict[str, tuple[float, float]]] = {
    "early_stopping_patience": (0, math.inf), "l1": (0, math.inf), "l2": (0, math.inf), "shift": (0, math.inf),
    "input_noise": (0, math.inf), "label_smoothing": (0, 1), "weight_decay": (0, math.inf), "dropout": (0, 1),
}  # fmt: skip
"""Param -> between which numbers it must lie: no wider range can be asked for there."""


@dataclass(frozen=True)
class Point:
    """One strength."""

    name: str
    value: Any
    x: float
    dev: Sample
    train: Mapping[Any, float]
    """Seed -> finite error on training data, of the runs that ended ok; of a training set where runs share it."""
    configuration: str
    """What else it has of what was searched beside it."""
    tried: int
    """Configurations that it is the best of."""

    @property
    def train_interval(self) -> Interval:
        """The mean error on training data, and its 95 % t-interval."""
        return interval(self.train.values())


@dataclass(frozen=True)
class IsolationInfo:
    """What `plot_isolation` draws."""

    strengths: Strengths
    points: list[Point]
    metric: str
    train_metric: str
    verdict: Verdict | None
    """On the best strength (on the best of the others, where none is the best) against none."""

    @property
    def empty(self) -> bool:
        """Whether no run came to a result."""
        return not any(point.dev.n for point in self.points)

    @property
    def problem(self) -> str:
        """What is missing, in plain text; nothing where there is something to draw."""
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
        """`highest` or `lowest` where the best strength is the outermost number tried and more could be asked for."""
        known = [place for place, point in enumerate(self.points) if is_number(point.value)]
        if self.best not in known or len(known) < ENOUGH_VALUES:
            return ""
        value = float(self.points[self.best].value)
        low, high = BOUNDED.get(self.strengths.short, (-math.inf, math.inf))
        if self.best == known[-1] and value < high:
            return "highest"
        return "lowest" if self.best == known[0] and value > low else ""

    @property
    def edge_sentence(self) -> str:
        """Whether the best lies at the edge of what was tried, in plain text; nothing where that says nothing."""
        known = [point for point in self.points if is_number(point.value)]
        if self.best is None or len(known) < ENOUGH_VALUES or not is_number(self.points[self.best].value):
            return ""
        name = self.points[self.best].name
        if self.edge:
            return f"The best, {name}, is the {self.edge} tried: a wider range may hold a better one."
        return f"The best, {name}, lies inside the range tried ({known[0].name} to {known[-1].name})."

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
        """What the bars are; nothing where none is drawn."""
        counts = sorted({point.dev.interval.n for point in self.points if point.dev.interval.shown})
        if not counts:
            return ""
        return f"95% t-interval, n={counts[0]}" + (f" to {counts[-1]}" if counts[-1] > counts[0] else "")

    @property
    def shows(self) -> str:
        """What is to be seen, for a caption."""
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
        lost = sum(len(point.dev.diverged) for point in self.points)
        words += [f"red crosses at the upper edge: {lost} diverged"] if lost else []
        silent = [point.name for point in self.points if not point.dev.n]
        words += [f"without a result: {listed(silent)}"] if silent else []
        said = "; ".join(words) + "."
        return f"{said} {self.strengths.choice}".strip()

    @property
    def _wrong_labels(self) -> str:
        """That training and validation errors are not of the same kind of labels; nothing where they are."""
        if not label_noise(self.strengths.runs):
            return ""
        return "a part of its labels is wrong, unlike those of validation, so that it may lie above"

    @property
    def top(self) -> float:
        """Where the axis ends so that the better strengths can be told apart; inf where all of it can be shown.

        A strength that ruins everything would flatten the others: the axis then ends three times as far from the best
        run as the median lies, or above what the best strength and none have.
        """
        values = np.array([value for point in self.points for value in point.dev.values.values()])
        if not len(values):
            return math.inf
        low, middle, high = np.quantile(values, [0.0, 0.5, 1.0]).tolist()
        if not 0 < 6 * (middle - low) < high - low:
            return math.inf
        must = [place for place in (self.best, self.none) if place is not None]
        held = [value for place in must for value in (*self.points[place].dev.values.values(),
                                                      *self.points[place].train.values())]  # fmt: skip
        top = max([low + 3 * (middle - low), *held])
        return top if top < high else math.inf

    @property
    def _reference(self) -> Interval | None:
        if self.none is None or not self.points[self.none].dev.values:
            return None
        return self.points[self.none].dev.interval

    def frame(self) -> pd.DataFrame:
        """One row a run: strength, configuration, run, seed, outcome, errors; the mean and half are its strength's."""
        rows = []
        for point in self.points:
            own = self.strengths.members(self.points.index(point))
            for run in own.to_dict("records"):
                rows.append(
                    {
                        self.strengths.axis: point.value, "configuration": point.configuration,
                        "run": run["run_id"], "seed": run["seed"], "outcome": run["outcome"],
                        self.metric: run["dev"], self.train_metric or "train": run.get("train", math.nan),
                        "mean": point.dev.interval.mean,
                        "half": point.dev.interval.half if point.dev.interval.shown else math.nan,
                    }
                )  # fmt: skip
        return pd.DataFrame(rows)


def _point(own: Strengths, place: int) -> Point:
    level, members = own.levels[place], own.members(place)
    finite = members[members["outcome"] == Outcome.OK]
    if "train" in finite:
        finite = finite[np.isfinite(pd.to_numeric(finite["train"], errors="coerce"))]
    trained = units(finite, ["train"])[0]["train"].to_dict() if "train" in finite else {}
    return Point(
        own.name(place), level.value, float(own.places.x[place]), own.sample(place), trained,
        level.judged.label if level.judged else "", len(level.trials),
    )  # fmt: skip


def isolation_info(
    runs: pd.DataFrame,
    axis: str,
    keys: Sequence[str] = (),
    *,
    metric: str,
    train_metric: str = "",
    pinned: Mapping[str, str] | None = None,
) -> IsolationInfo:
    """The strengths of one regularizer against the error.

    Args:
        runs: One row a run that counts: run_id, group, seed, phase, outcome, dev and train (errors, lower is better),
            a column a param.
        axis: The regularizer, a dotted key; words and truth values are taken too.
        keys: The params in which the runs differ.
        metric: What `dev` is called.
        train_metric: What `train` is called.
        pinned: Other param -> the value that it is to have, where it is not to be each strength's best.

    Raises:
        ValueError: The runs have no such param.
    """
    own = strengths(runs, axis, keys, pinned=pinned)
    points = [_point(own, place) for place in range(len(own.levels))]
    judged, said = own.ranked, None
    if own.none is not None and own.none in judged and len(judged) > 1:
        groups = [points[place].dev for place in judged]
        none = judged.index(own.none)
        pairs = [(place, none) for place in range(len(judged)) if place != none]
        said = verdicts(groups, pairs, metric=metric)[pairs[0]]
    return IsolationInfo(own, points, metric, train_metric, said)


def _means(figure: go.Figure, x: Sequence[float], found: Sequence[Interval], texts: Sequence[str], **look: Any) -> None:
    """Means with their intervals, joined by a line."""
    bars = [each.half if each.shown and math.isfinite(each.half) else 0.0 for each in found]
    colour = look["colour"]
    figure.add_scatter(
        x=list(x), y=[each.mean for each in found], mode="lines+markers", name=look["name"],
        line={"width": 1.4, "color": theme.translucent(colour, 0.55), "dash": look["dash"]},
        marker={"size": 9, "color": colour, "symbol": look["symbol"], "line": {"width": 2, "color": colour}},
        error_y={"type": "data", "array": bars, "color": colour, "thickness": 1.8, "width": 0},
        text=[f"{text}: {plus_minus(each)} (n={each.n})" for text, each in zip(texts, found, strict=True)],
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _dots(figure: go.Figure, points: Sequence[tuple[float, float, str]], colour: str, size: int) -> None:
    figure.add_scatter(
        x=[point[0] for point in points], y=[point[1] for point in points], mode="markers", showlegend=False,
        marker={"size": size, "color": theme.translucent(colour, 0.45)}, text=[point[2] for point in points],
        hovertemplate="%{text}: %{y:.4g}<extra></extra>",
    )  # fmt: skip


def _cut(figure: go.Figure, info: IsolationInfo, dark: bool) -> None:
    """End the axis at `info.top`; means beyond it stand at its edge with their value."""
    values = [value for point in info.points for value in (*point.dev.values.values(), *point.train.values())]
    room = 0.08 * (info.top - min(values))
    figure.update_yaxes(range=[min(values) - room, info.top + room])
    beyond = [point for point in info.points if point.dev.interval.n and point.dev.interval.mean > info.top]
    if beyond:
        figure.add_scatter(
            x=[point.x for point in beyond], y=[0.96] * len(beyond), yaxis="y2", mode="markers+text",
            name="worse than the scale", text=[number(point.dev.interval.mean, 2) for point in beyond],
            textposition="bottom center", textfont={"size": 11},
            marker={"symbol": "triangle-up-open", "size": 9, "color": theme.palette(dark)[0]},
            hovertext=[f"{theme.plain(point.name)}: {plus_minus(point.dev.interval)}" for point in beyond],
            hovertemplate="%{hovertext}<extra></extra>",
        )  # fmt: skip


def _who(sample: Sample, key: Any) -> str:
    """What a dot is: its seed, where seeds are known."""
    return f"{sample.paired_on} {key_words(key)}" if sample.paired_on else "a run"


def plot_isolation(info: IsolationInfo, *, whole: bool = False, dark: bool = False, height: int = 400) -> go.Figure:
    """Validation in colour, training in grey; seeds as dots beside their mean, diverged ones as red crosses on top.

    Args:
        info: What to draw.
        whole: With strengths that ruin everything on the scale, which else stand at its edge as triangles.
        dark: Whether the page is dark.
        height: In pixels.
    """
    import plotly.graph_objects as go

    figure, accent, faint = go.Figure(), theme.palette(dark)[0], grey(dark)
    own = info.strengths
    # Beside and not on the mean, so that its bar is not taken for one of them.
    beside = 0.012 * (own.places.range[1] - own.places.range[0])
    trained = [point for point in info.points if point.train]
    _dots(
        figure, [(point.x + 2 * beside, value, f"{theme.plain(point.name)}, training")
                 for point in trained for value in point.train.values()], faint, 4,
    )  # fmt: skip
    if trained:
        _means(
            figure, [point.x + beside for point in trained], [point.train_interval for point in trained],
            [f"{theme.plain(point.name)}, training" for point in trained],
            colour=faint, name=theme.plain(info.train_metric or "training"), dash="dot", symbol="circle-open",
        )  # fmt: skip
    told = [point for point in info.points if point.dev.values]
    _dots(
        figure, [(point.x - beside, value, f"{theme.plain(point.name)}, {_who(point.dev, key)}")
                 for point in told for key, value in point.dev.values.items()], accent, 5,
    )  # fmt: skip
    _means(
        figure, [point.x for point in told], [point.dev.interval for point in told],
        [theme.plain(", ".join(filter(None, [point.name, point.configuration]))) for point in told],
        colour=accent, name=theme.plain(info.metric), dash="solid", symbol="circle",
    )  # fmt: skip
    if info.best is not None:
        best = info.points[info.best]
        figure.add_scatter(
            x=[best.x], y=[best.dev.interval.mean], mode="markers", showlegend=False, hoverinfo="skip",
            marker={"size": 19, "symbol": "circle-open", "color": theme.palette(dark)[6], "line": {"width": 1.8}},
        )  # fmt: skip
    figure.update_layout(**theme.layout(dark, x=own.axis, y=info.metric, height=height))
    if info._reference is not None:
        figure.add_hline(
            info._reference.mean, line={"width": 1, "dash": "dot", "color": theme.translucent(accent, 0.7)}
        )
    if math.isfinite(info.top) and not whole:
        _cut(figure, info, dark)
    lost = [point for point in info.points if point.dev.diverged]
    if lost:
        figure.add_scatter(
            x=[point.x for point in lost], y=[EDGE] * len(lost), yaxis="y2", mode="markers+text", name="diverged",
            marker=cross(dark), text=[f"  {len(point.dev.diverged)} of {point.dev.n}" for point in lost],
            textposition="middle right", textfont={"size": 11}, cliponaxis=False,
            hovertemplate="%{text} diverged<extra></extra>",
        )  # fmt: skip
    figure.update_layout(yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True})
    figure.update_layout(legend={"traceorder": "reversed"})
    strength_axis(figure, own.places, dark=dark)
    return figure
