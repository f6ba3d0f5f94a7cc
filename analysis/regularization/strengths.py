"""The values of one param as the strengths of a regularizer: the runs of each, and the one for none.

Where other params are searched too, each strength is judged at its own best configuration (analysis.runs.methods).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.regularization.forest import REGULARIZERS, idle
from analysis.regularization.strength_places import Places, is_number, places_of
from analysis.runs.arguments import choice_of, having
from analysis.runs.comparison import shown
from analysis.runs.methods import Method, best_first, methods_of, selection_words
from analysis.statistics import number
from analysis.statistics.independent import DATASETS, SEEDS, any_shared
from analysis.statistics.samples import Sample
from analysis.words import counted, some
from tracking.configurations import identities, is_missing
from tracking.labels import NOT_SET, is_name, labels
from tracking.labels import label as label_of
from tracking.order import replicated

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_NAMED: Final = 8
"""How many strengths a caption names."""
RATES: Final = ("lr", "learning_rate")
"""The names of params that are retuned: each strength has its own best value of them."""
_NONE_WORDS: Final = ("false", "none", "identity", "constant")
_WEAKEST_IS_LARGEST: Final = ("trainer.max_epochs",)
"""Params that restrain more the smaller they are."""


def none_of(axis: str, values: Sequence[Any]) -> int | None:
    """The position of the value that stands for no regularization; None if the values are other words.

    That is 0, false or "none", else the weakest number: the smallest (the smallest training set, the least noise), for
    epochs the largest.
    """
    for place, value in enumerate(values):
        if (is_number(value) and value == 0 and axis not in _WEAKEST_IS_LARGEST) or shown(value) in _NONE_WORDS:
            return place
    numbers = [place for place, value in enumerate(values) if is_number(value)]
    if len(numbers) < 2:
        return None
    weakest = max if axis in _WEAKEST_IS_LARGEST else min
    return weakest(numbers, key=lambda place: values[place])


@dataclass(frozen=True)
class Strengths:
    """The strengths of one regularizer, numbers ascending, the one that is not set last."""

    axis: str
    """The dotted key."""
    levels: tuple[Method, ...]
    """One per strength, with the configuration that it is judged at."""
    places: Places
    none: int | None
    """The position of the strength that stands for none."""
    others: tuple[str, ...]
    """The other params that were searched: each strength has its own best values of them."""
    runs: pd.DataFrame
    """The runs that the strengths are judged by, with the column `level`: its position."""
    absent: tuple[str, ...] = ()
    """The strengths without a run at the held values of other params."""
    left_out: str = ""
    """Which runs are left out since their choice has no such argument, in plain text; often empty."""

    @property
    def short(self) -> str:
        """The key without its section, unless it needs the section to be understood: `l2`, `model.name`."""
        return _short(self.axis)

    def name(self, place: int) -> str:
        """The name of a strength in a sentence, different from those of the others: `l2 0.01`."""
        return self._names[place]

    @cached_property
    def _names(self) -> list[str]:
        return [
            *labels({str(k): {self.axis: level.value} for k, level in enumerate(self.levels)}, [self.axis]).values()
        ]

    @property
    def reference(self) -> str:
        """The name of the strength that others are compared with: `none` if it does nothing, else by its value."""
        if self.none is None:
            return ""
        value = self.levels[self.none].value
        off = shown(value) in _NONE_WORDS or (self.axis in REGULARIZERS and idle(self.axis, value))
        return "none" if off else self.name(self.none)

    def sample(self, place: int) -> Sample:
        """The results of a strength by seed, under its name."""
        return replace(self.levels[place].sample, name=self.name(place))

    def members(self, place: int) -> pd.DataFrame:
        """The runs that a strength is judged by."""
        return self.runs[self.runs["level"] == place]

    @property
    def sets(self) -> list[int]:
        """The training set of each run, by its seed; -1 where it is not known."""
        return self.runs["seed_data"].tolist() if "seed_data" in self.runs else [-1] * len(self.runs)

    @property
    def over(self) -> str:
        """What has one independent result each: `seeds`, or `training sets` where several runs share one."""
        by_level = pd.Series(self.sets, dtype=int).groupby(self.runs["level"].to_numpy())
        return DATASETS if any(any_shared(sets.tolist()) for _, sets in by_level) else SEEDS

    @property
    def ranked(self) -> list[int]:
        """The strengths with a result, best first, in the order of `tracking.order`."""
        places = {level.judged.group: place for place, level in enumerate(self.levels) if level.judged}
        return [places[trial.group] for trial in best_first(level.judged for level in self.levels if level.judged)]

    @property
    def choice(self) -> str:
        """How each strength's configuration was chosen, in plain text; empty where there was no choice."""
        selection = selection_words(self.levels).replace("Each method", "Each strength")
        sentences = [selection]
        judged = {place: level.judged.label for place, level in enumerate(self.levels) if level.judged}
        if self.others and (selection or len(set(judged.values())) > 1):
            # Of many strengths those that are compared are named first.
            first = [self.none, *self.ranked] if len(judged) > MOST_NAMED else []
            places = [place for place in dict.fromkeys([*first, *judged]) if place in judged]
            best = [" with ".join(filter(None, [self.name(place), judged[place]])) for place in places]
            sentences.append(
                f"Searched beside it: {', '.join(self.others)}; at its best stands {some(best, MOST_NAMED)}."
            )
            counts = sorted({len(level.trials) for level in self.levels if level.trials})
            if len(counts) > 1 and selection:
                sentences.append(f"Some had {counts[0]}, others {counts[-1]} to choose from: more choice flatters.")
        sentences.append(self.left_out)
        if self.absent:
            sentences.append(f"Not shown, without a run at what is held fast: {some(self.absent, MOST_NAMED)}.")
        return " ".join(filter(None, sentences))


def _short(axis: str) -> str:
    return axis if axis.endswith(".name") else axis.rpartition(".")[2]


def _name(axis: str, value: Any) -> str:
    if value is None or value != value:
        return f"{_short(axis)} {NOT_SET}"
    return label_of({axis: shown(value) if isinstance(value, bool) else value})


def held_of(runs: pd.DataFrame, axis: str, keys: Sequence[str]) -> dict[str, str]:
    """The values at which params beside the strength are held unless the user asks for others, as `shown` writes them.

    An argument that only some choices have is not held, or the other choices would be gone. Other regularizers are held
    at the value with which they do nothing, so that none is really none. All other params but a learning rate, which is
    retuned, are the same at all strengths: held at the value with which most strengths have runs, and among equals at
    that of the most runs. A value that would leave fewer than two strengths is not held.

    Args:
        runs: One column per param.
        axis: The param that is the strength.
        keys: The params in which the runs differ.
    """
    others = [key for key in keys if key != axis and key in runs and key.rpartition(".")[2] not in RATES]
    matching, held = having(runs, axis, keys), dict[str, str]()
    # Choices first: at one of them its arguments are params like others.
    for key in sorted(others, key=lambda key: (key not in REGULARIZERS, not is_name(key))):
        if choice_of(matching, key, keys):
            continue
        texts = matching[key].map(shown)
        off = {shown(value) for value in matching[key] if key in REGULARIZERS and idle(key, value)}
        counts = matching[axis].map(shown).groupby(texts).agg(["nunique", "size"])
        ranks = {str(text): (text in off and many > 1, many, size) for text, many, size in counts.itertuples()}
        best = max(ranks, key=lambda text: ranks[text], default="")
        if best and ranks[best][1] > 1:
            held[key] = best
            matching = matching[texts == best]
    return held


def strengths(
    runs: pd.DataFrame,
    axis: str,
    keys: Sequence[str] = (),
    *,
    value: str = "dev",
    pinned: Mapping[str, str] | None = None,
) -> Strengths:
    """The strengths of a param among some runs.

    Args:
        runs: One row per run that counts: run_id, group, seed, phase, outcome, `value`, one column per param.
        axis: The param.
        keys: The params in which the runs differ, which tell configurations of one strength apart.
        value: The column of the error by which the best configuration of a strength is chosen.
        pinned: The values at which other params are held, as `analysis.runs.comparison.shown` writes them.

    Raises:
        ValueError: The runs have no such param.
    """
    if axis not in runs.columns:
        raise ValueError(f"axis: {axis!r} is not allowed; allowed: a param of the runs")
    comparable = having(runs, axis, keys)
    matching = comparable
    for key, text in (pinned or {}).items():
        matching = matching[[shown(held) == text for held in matching[key]]]
    others = tuple(key for key in keys if key != axis and key in matching and _count(matching[key]) > 1)
    methods = _ordered_methods(matching, axis, others, value)
    level_of = {method.judged.group: place for place, method in enumerate(methods) if method.judged}
    levels = [level_of.get(group, -1) for group in matching["group"]]
    judged = matching.assign(level=pd.Series(levels, index=matching.index, dtype=int))
    return Strengths(
        axis,
        tuple(methods),
        places_of([method.value for method in methods]),
        none=_baseline(axis, methods),
        others=others,
        runs=judged[judged["level"] >= 0].reset_index(drop=True),
        absent=_absent(comparable, matching, axis),
        left_out=_left_out(len(runs) - len(comparable), axis, choice_of(runs, axis, keys)),
    )


def _ordered_methods(runs: pd.DataFrame, axis: str, others: Sequence[str], value: str) -> list[Method]:
    """The strengths as methods: numbers ascending, one that is not set last; of words the one for none first."""
    # Of many params only these: the frame is cut again and again.
    needed = [name for name in ("group", "seed", "seed_data", "phase", "outcome") if name in runs]
    methods = methods_of(runs[[*needed, axis, *others]].assign(objective=runs[value]), axis, [axis, *others])
    methods = [replace(method, value=None) if is_missing(method.value) else method for method in methods]
    if all(method.value is None or is_number(method.value) for method in methods):
        return sorted(methods, key=lambda method: math.inf if method.value is None else float(method.value))
    return sorted(methods, key=lambda method: shown(method.value) not in _NONE_WORDS)


def _absent(comparable: pd.DataFrame, matching: pd.DataFrame, axis: str) -> tuple[str, ...]:
    """The names of the strengths that no run has at the held values."""
    present = {shown(value) for value in matching[axis]}
    names = {shown(value): _name(axis, value) for value in comparable[axis] if shown(value) not in present}
    return tuple(names[text] for text in sorted(names, key=lambda text: (len(text), text)))


def _left_out(lacking: int, axis: str, choice: str) -> str:
    """The sentence on how many runs lack an argument, and whose argument it is; empty where none lacks it."""
    if not lacking:
        return ""
    verb = "is" if lacking == 1 else "are"
    chooser = choice.removesuffix(".name").rpartition(".")[2]
    return f"{counted(lacking, 'run')} without {_short(axis)} {verb} left out: not every {chooser} has it."


def _baseline(axis: str, methods: Sequence[Method]) -> int | None:
    """The strength that the others are compared with: none of a single seed where others have several."""
    counts = [(len(method.sample.values), method.sample.n) for method in methods]
    several = replicated(counts)
    usable = [place for place, (_, judged) in enumerate(counts) if not (several and judged == 1)]
    weakest = none_of(axis, [methods[place].value for place in usable])
    return None if weakest is None else usable[weakest]


def _count(column: pd.Series[Any]) -> int:
    return len(set(identities(column.tolist())))


def level_text(value: Any) -> str:
    """The text of a strength at a tick or above a panel."""
    return NOT_SET if value is None else number(value) if is_number(value) else shown(value)


def ramp(count: int, dark: bool) -> list[str]:
    """Colours from weak to strong that differ in lightness, for every kind of sight, and from the background."""
    from plotly.colors import sample_colorscale, unlabel_rgb

    low, high = (0.28, 0.95) if dark else (0.0, 0.82)
    places = np.linspace(low, high, max(2, count))[:count].tolist()
    colours = sample_colorscale("Viridis", places) if count else []
    return ["#" + "".join(f"{round(part):02x}" for part in unlabel_rgb(colour)) for colour in colours]


def strength_axis(figure: go.Figure, places: Places, *, dark: bool, row: int = 1) -> None:
    """Put the strengths on a horizontal axis, with two strokes where it is broken.

    Args:
        figure: To draw in.
        places: Where they stand.
        dark: Whether the page is dark.
        row: Of its panels, counted from 1 at the top.
    """
    suffix = "" if row == 1 else f"{row}"
    figure.layout[f"xaxis{suffix}"].update(**places.ticks, range=list(places.range), showgrid=False)
    for at in places.breaks:
        figure.add_annotation(
            text="//", x=at, xref=f"x{suffix}", y=0, yref=f"y{suffix} domain", yanchor="middle", showarrow=False,
            font={"size": 13, "color": "#c4c9d1" if dark else "#4a515c"},
            bgcolor=theme.background(dark), borderpad=0,
        )  # fmt: skip
