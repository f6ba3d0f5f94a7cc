"""A param as the horizontal axis of a figure: numbers where they belong, zero beside them, words one after another.

A list of numbers, such as the sizes of hidden layers, counts by its sum: the units of a network. Positive numbers that
span a factor of LOG_FROM stand on a logarithmic axis; a zero among them stands apart, to their left.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from analysis.figures.theme import plain, shortened
from analysis.runs.comparison import shown
from analysis.words import chained

LOG_FROM: Final = 8.0
MOST_TICKS: Final = 9
_SIZE: Final = re.compile(
    r"(train(ing)?_?(set_?)?size|n_?train|train_?(examples|samples|fraction)|(num|n)_?(samples|examples)|subset)$"
)


@dataclass(frozen=True)
class ParamAxis:
    """Where the values of a param stand on an axis that plotly takes for linear."""

    key: str
    unit: str
    """`units` where lists of sizes are added up; else nothing."""
    values: tuple[Any, ...]
    """The different ones, in their order on the axis."""
    numbers: tuple[float, ...]
    """The values as numbers; nan for words."""
    places: tuple[float, ...]
    log: bool

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers."""
        return all(math.isfinite(number) for number in self.numbers)

    @property
    def title(self) -> str:
        """`model.hidden_sizes (units)`."""
        return f"{self.key} ({self.unit})" if self.unit else self.key

    def place(self, value: Any) -> float:
        """Where a value stands."""
        return self.places[[_hashable(other) for other in self.values].index(_hashable(value))]

    def text(self, value: Any) -> str:
        """A value, for a reader: a number as it counts, `20 (10-10)` where several sizes are added up."""
        number = size(value)
        if not self.numeric or not math.isfinite(number):
            return shown(value)
        parts = f" ({chained([*map(shown, value)])})" if isinstance(value, list | tuple) and len(value) > 1 else ""
        return f"{number:.6g}{parts}"

    def room(self, place: float) -> float:
        """The distance from a place to its nearest neighbour."""
        return min((abs(other - place) for other in self.places if other != place), default=1.0)

    @property
    def step(self) -> float:
        """The least distance between two places."""
        return min((b - a for a, b in zip(self.places, self.places[1:], strict=False)), default=1.0)

    def layout(self, *, bars: bool = False) -> dict[str, Any]:
        """The ticks and the range for a plotly axis: no more ticks than have room.

        Args:
            bars: Leave room for the bars at its ends, each as wide as the distance to its neighbour.
        """
        if not self.places:
            return {}
        first, last = self.places[0], self.places[-1]
        least = (last - first) / MOST_TICKS
        ticks: list[tuple[float, str]] = []
        for place, value in zip(self.places, self.values, strict=True):
            if not ticks or place - ticks[-1][0] >= least:
                ticks.append((place, plain(shortened(self.text(value), 18))))
            elif place == last:
                ticks[-1] = (place, plain(shortened(self.text(value), 18)))
        pad = 0.06 * (last - first) or 0.6
        low, high = (0.5 * self.room(end) if bars else pad for end in (first, last))
        return {
            "tickmode": "array",
            "tickvals": [place for place, _ in ticks],
            "ticktext": [text for _, text in ticks],
            "range": [first - max(low, pad), last + max(high, pad)],
        }


def size(value: Any) -> float:
    """A value as a number: itself, or the sum of a list of numbers; nan for anything else."""
    if isinstance(value, bool) or value is None:
        return math.nan
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, list | tuple) and value and all(math.isfinite(size(part)) for part in value):
        return sum(size(part) for part in value)
    return math.nan


def size_like(keys: Sequence[str]) -> list[str]:
    """The params whose names say that they are the size of a training set, then the others."""
    return sorted(keys, key=lambda key: not _SIZE.search(key.rsplit(".", 1)[-1].lower()))


def is_size(key: str) -> bool:
    """Whether a param's name says that it is the size of a training set."""
    return bool(_SIZE.search(key.rsplit(".", 1)[-1].lower()))


def _hashable(value: Any) -> Hashable:
    if isinstance(value, float) and math.isnan(value):
        return None
    return json.dumps(value) if isinstance(value, list | tuple | dict) else value  # type: ignore[no-any-return]


def axis_of(key: str, values: Sequence[Any]) -> ParamAxis:
    """The axis of a param.

    Args:
        key: Its dotted key.
        values: Its values, in any order and as often as they come.
    """
    unique = list({_hashable(value): value for value in values}.values())
    numbers = [size(value) for value in unique]
    lists = any(isinstance(value, list | tuple) for value in unique)
    if not unique or not all(math.isfinite(number) for number in numbers) or len(set(numbers)) < len(numbers):
        ordered = sorted(unique, key=lambda value: (not math.isfinite(size(value)), size(value), shown(value)))
        order = tuple(ordered)
        return ParamAxis(key, "", order, (math.nan,) * len(order), tuple(float(k) for k in range(len(order))), False)
    pairs = sorted(zip(numbers, unique, strict=True), key=lambda pair: pair[0])
    sizes = tuple(number for number, _ in pairs)
    positive = [number for number in sizes if number > 0]
    log = sizes[0] >= 0 and len(positive) > 1 and positive[-1] / positive[0] >= LOG_FROM
    places = [math.log10(number) if number > 0 else math.nan for number in sizes] if log else list(sizes)
    if log and sizes[0] == 0:
        gaps = [b - a for a, b in itertools.pairwise(places[1:])]
        places[0] = places[1] - max(min(gaps), (places[-1] - places[1]) / 8)
    return ParamAxis(key, "units" if lists else "", tuple(value for _, value in pairs), sizes, tuple(places), log)
