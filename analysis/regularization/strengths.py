"""The values of one param as the strengths of a regularizer: which runs stand for each, where it stands on an axis.

Where other params are searched too, each strength is judged at its own best configuration (analysis.runs.methods).
Numbers stand where their size puts them, on a logarithmic axis where that spaces them more evenly. A logarithmic axis
has no zero, and no axis has a number for what was not set: they stand apart, behind a break of the axis.
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
from analysis.runs.arguments import choice_of, having
from analysis.runs.comparison import shown
from analysis.runs.methods import Method, best_first, methods_of, selection_words
from analysis.statistics import number
from analysis.statistics.independent import DATASETS, SEEDS, share
from analysis.statistics.samples import Sample
from analysis.words import counted, some
from tracking.configurations import identities, is_missing
from tracking.labels import NOT_SET, is_name, labels
from tracking.labels import label as label_of
from tracking.order import replicated

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_NAMED: Final = 8
"""Strengths that a caption names."""
RATES: Final = ("lr", "learning_rate")
"""What another param is called that each strength has its own best of."""
MOST_TICKS: Final = 9
"""Strengths that each have a tick; of more, only powers of ten."""
_NONE_WORDS: Final = ("false", "none", "identity", "constant")
_WEAKEST_IS_LARGEST: Final = ("trainer.max_epochs",)
"""Params that restrain more the smaller they are."""


def is_number(value: Any) -> bool:
    """Whether a value of a param has a place on an axis of numbers."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Places:
    """Where the strengths stand on an axis that plotly takes for linear."""

    x: np.ndarray
    texts: tuple[str, ...]
    """What the ticks say."""
    breaks: tuple[float, ...] = ()
    """Where the axis is broken."""
    log: bool = False

    @property
    def range(self) -> tuple[float, float]:
        """Of the axis, with a little room."""
        if not len(self.x):
            return (-0.5, 0.5)
        low, high = float(self.x.min()), float(self.x.max())
        room = 0.07 * (high - low) or 0.5
        return (low - room, high + room)

    @property
    def step(self) -> float:
        """The smallest distance between two neighbours."""
        return float(np.diff(np.sort(self.x)).min()) if len(self.x) > 1 else 1.0

    @property
    def ticks(self) -> dict[str, Any]:
        """Plotly's ticks."""
        kept = list(range(len(self.x)))
        if len(kept) > MOST_TICKS:
            whole = [k for k in kept if not self.log or abs(self.x[k] - round(self.x[k])) < 1e-9 or k == 0]
            kept = whole if 2 < len(whole) <= MOST_TICKS else kept[:: -(-len(kept) // MOST_TICKS)]
        texts = [theme.plain(theme.shortened(self.texts[k], 16)) for k in kept]
        return {"tickmode": "array", "tickvals": [float(self.x[k]) for k in kept], "ticktext": texts}


def _log_is_better(positive: np.ndarray) -> bool:
    """Whether these numbers are spaced more evenly by their logarithms."""
    if len(positive) < 2 or positive[-1] / positive[0] < 4:
        return False
    if len(positive) == 2:
        return bool(positive[1] / positive[0] >= 10)
    uneven = [float(np.std(gaps) / np.mean(gaps)) for gaps in (np.diff(np.log10(positive)), np.diff(positive))]
    return uneven[0] < uneven[1]


def places_of(values: Sequence[Any]) -> Places:
    """Where values stand; those that are numbers must be in ascending order and come first.

    Args:
        values: Numbers, words or truth values; what is not set is None.
    """
    texts = tuple(NOT_SET if value is None else shown(value) for value in values)
    numbers = np.array([float(value) for value in values if is_number(value)])
    rest = len(values) - len(numbers)
    if not len(numbers) or rest > sum(value is None for value in values):
        return Places(np.arange(len(values), dtype=float), texts)
    positive = numbers[numbers > 0]
    log = _log_is_better(positive) and numbers[0] >= 0
    x, breaks = (np.log10(positive), []) if log else (numbers, [])
    step = float(np.diff(x).max()) if len(x) > 1 else 1.0
    if log and len(positive) < len(numbers):
        x = np.concatenate([[x[0] - step], x])
        breaks.append(float(x[0]) + 0.5 * step)
    for _ in range(rest):
        breaks.append(float(x[-1]) + 0.5 * step)
        x = np.append(x, x[-1] + step)
    return Places(x, texts, tuple(breaks), bool(log))


def none_of(axis: str, values: Sequence[Any]) -> int | None:
    """Which of the values stands for no regularization: 0, false or "none", else the weakest number; None of words.

    The weakest is the smallest number (the smallest training set, the least noise), of epochs the largest.
    """
    for place, value in enumerate(values):
        if (is_number(value) and value == 0 and axis not in _WEAKEST_IS_LARGEST) or shown(value) in _NONE_WORDS:
            return place
    known = [place for place, value in enumerate(values) if is_number(value)]
    if len(known) < 2:
        return None
    weakest = max if axis in _WEAKEST_IS_LARGEST else min
    return weakest(known, key=lambda place: values[place])


@dataclass(frozen=True)
class Strengths:
    """The strengths of one regularizer, numbers ascending, what is not set last."""

    axis: str
    """The dotted key."""
    levels: tuple[Method, ...]
    """One a strength, with the configuration that it is judged at."""
    places: Places
    none: int | None
    """Which of them stands for none."""
    others: tuple[str, ...]
    """What else was searched: each strength has its own best of them."""
    runs: pd.DataFrame
    """The runs that the strengths are judged by, with the column `level`: its position."""
    absent: tuple[str, ...] = ()
    """Strengths without a run at what is held fast."""
    left_out: str = ""
    """Which runs are left out since their choice has no such argument, in plain text; often nothing."""

    @property
    def short(self) -> str:
        """The axis without its section, unless that says what it is of: `l2`, `model.name`."""
        return _short(self.axis)

    def name(self, place: int) -> str:
        """What a strength is called in a sentence, apart from the others: `l2 0.01`."""
        return self._names[place]

    @cached_property
    def _names(self) -> list[str]:
        return [
            *labels({str(k): {self.axis: level.value} for k, level in enumerate(self.levels)}, [self.axis]).values()
        ]

    @property
    def reference(self) -> str:
        """What the strength that others are compared with is called: `none` if it is that, else by its value."""
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
        """Says what gives one independent result each: `seeds`, or `training sets` that several runs share."""
        own = pd.Series(self.sets, dtype=int).groupby(self.runs["level"].to_numpy())
        return DATASETS if any(share(each.tolist()) for _, each in own) else SEEDS

    @property
    def ranked(self) -> list[int]:
        """The strengths with a result, best first, in the order of `tracking.order`."""
        places = {level.judged.group: place for place, level in enumerate(self.levels) if level.judged}
        return [places[trial.group] for trial in best_first(level.judged for level in self.levels if level.judged)]

    @property
    def choice(self) -> str:
        """How each strength's configuration was chosen, in plain text; nothing where there was nothing to choose."""
        said = [selection_words(self.levels).replace("Each method", "Each strength")]
        judged = {place: level.judged.label for place, level in enumerate(self.levels) if level.judged}
        if self.others and (said[0] or len(set(judged.values())) > 1):
            # Of many strengths those that are compared are named.
            first = [self.none, *self.ranked] if len(judged) > MOST_NAMED else []
            at = [place for place in dict.fromkeys([*first, *judged]) if place in judged]
            best = [" with ".join(filter(None, [self.name(place), judged[place]])) for place in at]
            said += [f"Searched beside it: {', '.join(self.others)}; at its best stands {some(best, MOST_NAMED)}."]
            tried = sorted({len(level.trials) for level in self.levels if level.trials})
            unequal = len(tried) > 1 and said[0]
            said += [f"Some had {tried[0]}, others {tried[-1]} to choose from: more choice flatters."] * bool(unequal)
        said += [self.left_out]
        if self.absent:
            said += [f"Not shown, without a run at what is held fast: {some(self.absent, MOST_NAMED)}."]
        return " ".join(filter(None, said))


def _short(axis: str) -> str:
    return axis if axis.endswith(".name") else axis.rpartition(".")[2]


def _name(axis: str, value: Any) -> str:
    if value is None or value != value:
        return f"{_short(axis)} {NOT_SET}"
    return label_of({axis: shown(value) if isinstance(value, bool) else value})


def held_of(runs: pd.DataFrame, axis: str, keys: Sequence[str]) -> dict[str, str]:
    """The params beside the strength that stand at one value unless told otherwise, as `shown` writes it.

    An argument that only some choices have is not held, or the other choices would be gone. Regularizers do nothing,
    so that none is none. All else but a learning rate, which is retuned, is the same at all strengths: the value that
    most strengths have runs of, and among equals that of the most runs. What would leave fewer than two strengths is
    not held.

    Args:
        runs: A column a param.
        axis: The strength.
        keys: The params in which the runs differ.
    """
    others = [key for key in keys if key != axis and key in runs and key.rpartition(".")[2] not in RATES]
    kept, held = having(runs, axis, keys), dict[str, str]()
    # Choices first: at one of them its arguments are params like others.
    for key in sorted(others, key=lambda key: (key not in REGULARIZERS, not is_name(key))):
        if choice_of(kept, key, keys):
            continue
        texts = kept[key].map(shown)
        off = {shown(value) for value in kept[key] if key in REGULARIZERS and idle(key, value)}
        found = kept[axis].map(shown).groupby(texts).agg(["nunique", "size"])
        ranks = {str(text): (text in off and many > 1, many, size) for text, many, size in found.itertuples()}
        best = max(ranks, key=lambda text: ranks[text], default="")
        if best and ranks[best][1] > 1:
            held[key] = best
            kept = kept[texts == best]
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
        runs: One row a run that counts: run_id, group, seed, phase, outcome, the column `value`, a column a param.
        axis: The param.
        keys: The params in which the runs differ: what tells configurations of one strength apart.
        value: The column by which the best configuration of a strength is found: an error.
        pinned: Other param -> the value (as `analysis.runs.comparison.shown` writes it) that it is to have.

    Raises:
        ValueError: The runs have no such param.
    """
    if axis not in runs.columns:
        raise ValueError(f"axis: {axis!r} is not allowed; allowed: a param of the runs")
    comparable = having(runs, axis, keys)
    kept = comparable
    for key, wanted in (pinned or {}).items():
        kept = kept[[shown(each) == wanted for each in kept[key]]]
    others = tuple(key for key in keys if key != axis and key in kept and _count(kept[key]) > 1)
    # Of many params only these: a frame is cut again and again.
    needed = [name for name in ("group", "seed", "seed_data", "phase", "outcome") if name in kept]
    methods = methods_of(kept[[*needed, axis, *others]].assign(objective=kept[value]), axis, [axis, *others])
    methods = [replace(each, value=None) if is_missing(each.value) else each for each in methods]
    if all(each.value is None or is_number(each.value) for each in methods):
        methods.sort(key=lambda each: math.inf if each.value is None else float(each.value))
    else:
        methods.sort(key=lambda each: shown(each.value) not in _NONE_WORDS)
    values = [method.value for method in methods]
    owner = {method.judged.group: place for place, method in enumerate(methods) if method.judged}
    level = [owner.get(group, -1) for group in kept["group"]]
    own = kept.assign(level=pd.Series(level, index=kept.index, dtype=int))
    own = own[own["level"] >= 0].reset_index(drop=True)
    left = {shown(each) for each in kept[axis]}
    gone = {shown(each): _name(axis, each) for each in comparable[axis] if shown(each) not in left}
    absent = tuple(gone[text] for text in sorted(gone, key=lambda text: (len(text), text)))
    left_out = _left_out(len(runs) - len(comparable), axis, choice_of(runs, axis, keys))
    return Strengths(axis, tuple(methods), places_of(values), _baseline(axis, methods), others, own, absent, left_out)


def _left_out(lacking: int, axis: str, choice: str) -> str:
    """How many runs lack an argument, and whose argument it is."""
    if not lacking:
        return ""
    verb = "is" if lacking == 1 else "are"
    chooser = choice.removesuffix(".name").rpartition(".")[2]
    return f"{counted(lacking, 'run')} without {_short(axis)} {verb} left out: not every {chooser} has it."


def _baseline(axis: str, methods: Sequence[Method]) -> int | None:
    """Which strength the others are compared with: never one of a single seed where there are replicated ones."""
    counts = [(len(method.sample.values), method.sample.n) for method in methods]
    several = replicated(counts)
    usable = [place for place, (_, judged) in enumerate(counts) if not (several and judged == 1)]
    weakest = none_of(axis, [methods[place].value for place in usable])
    return None if weakest is None else usable[weakest]


def _count(column: pd.Series[Any]) -> int:
    return len(set(identities(column.tolist())))


def level_text(value: Any) -> str:
    """A strength for a tick or a panel's head."""
    return NOT_SET if value is None else number(value) if is_number(value) else shown(value)


def ramp(count: int, dark: bool) -> list[str]:
    """Colours from weak to strong, apart in lightness for every kind of sight, all of them off the background."""
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
