"""What the data sets made of a user's own files share: the test part, the classes, and the least there must be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.base import Classification, Examples
from data.bundled import held_out
from data.files.roots import MOST_VALUES, quoted
from learning_tasks.refusals import require

FEWEST = 10
"""Examples that a set must have beside a test part of its own, and with a part of itself."""
KEPT = 3
"""Sets of files that a process keeps after reading them, so that a worker reads each once."""


@dataclass(frozen=True)
class Loaded:
    """A data set as it was read: shared by all runs of a process, so its arrays cannot be written to."""

    pool: Examples
    test: Examples
    classes: tuple[str, ...] = ()
    """The names of the classes, in the order of their numbers; nothing for a regression."""
    scaling: str = ""
    """How the inputs were scaled, in words, where the files' own numbers decided it."""

    def __post_init__(self) -> None:
        for examples in (self.pool, self.test):
            examples.inputs.flags.writeable = examples.targets.flags.writeable = False


def limit(file: str, examples: int, inputs: int) -> None:
    """Refuses what would not fit into memory: examples x inputs."""
    if examples * inputs > MOST_VALUES:
        size = f"{examples:,} examples of {inputs:,} inputs are {examples * inputs:,} values"
        raise ValueError(f"{file}: {size}; allowed: at most {MOST_VALUES:,}.")


def enough(file: str, examples: int, what: str) -> None:
    """Refuses a set that is too small to be divided into parts."""
    if examples < FEWEST:
        raise ValueError(f"{file}: it has {examples} {what}; expected: at least {FEWEST}.")


def divided(inputs: NDArray[Any], targets: NDArray[Any], fraction: float, classes: int) -> tuple[Examples, Examples]:
    """The pool and the test part, chosen once and stratified by class; each class has two examples or more.

    Args:
        inputs: Of all examples.
        targets: Of all examples.
        fraction: The share that becomes the test part.
        classes: Number of classes; 0 for a regression.
    """
    test = math.ceil(fraction * len(targets))
    least = max(classes, 2)
    fits = least <= test <= len(targets) - least
    parts = f"a share that leaves at least {least} of the {len(targets):,} examples to each part"
    require("test_fraction", fraction, fits, f"{parts}{', one a class' if classes else ''}.")
    return held_out(inputs, targets, fraction, stratified=classes > 0)


def numbered(names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The classes that these names (of each example, or of each code) are, and the class of each.

    Numbers are in their order, and 1 and 1.0 are one class; all else is in alphabetical order.
    """
    try:
        values: list[Any] = [float(name) for name in names]
    except ValueError:
        values = list(names)
    first: dict[Any, str] = {}
    for value, name in zip(values, names, strict=True):
        first.setdefault(value, name)
    order = {value: number for number, value in enumerate(sorted(first))}
    return tuple(first[value] for value in order), np.array([order[value] for value in values], dtype=np.int64)


def two_or_more(where: str, classes: Sequence[str]) -> None:
    """Refuses a single class."""
    if len(classes) < 2:
        raise ValueError(f"{where}: there is only one class, {quoted(classes[0])}; expected: two or more.")


def as_floats(inputs: NDArray[Any]) -> NDArray[Any]:
    """Inputs of one unsigned byte from 0 to 1, all others as the numbers they are."""
    if inputs.dtype == np.uint8:
        return inputs.astype(np.float32) / 255
    return inputs if inputs.dtype.kind == "f" else inputs.astype(np.float32)


class OwnClasses(Classification):
    """A classification whose files decide how many classes there are: two make it binary."""

    tasks = ("binary", "multiclass")

    def take(self, loaded: Loaded, source: str) -> None:
        """What was read becomes this set's."""
        self.loaded = loaded
        self.source = f"{source}, {loaded.scaling}" if loaded.scaling else source
        self.named_classes = loaded.classes
        self.task = "binary" if len(loaded.classes) == 2 else "multiclass"

    def examples(self) -> tuple[Examples, Examples]:
        pool, test = self.loaded.pool, self.loaded.test
        return replace(pool, inputs=as_floats(pool.inputs)), replace(test, inputs=as_floats(test.inputs))
