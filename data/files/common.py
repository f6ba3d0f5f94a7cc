"""What data sets made of user files share: the test part, the classes, and the least that a set must hold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.bundled import held_out
from data.files.roots import MOST_VALUES, quoted
from data.parts import Examples
from data.tabular import Classification
from learning_tasks.refusals import require

FEWEST = 10
"""The fewest examples that a set must have, those of a separate test file not counted."""
CACHE_SIZE = 3
"""Data sets that a process keeps after reading their files, so that a worker reads each once."""


@dataclass(frozen=True)
class Loaded:
    """A data set as it was read; all runs of a process share it, so its arrays cannot be written to."""

    pool: Examples
    test: Examples
    classes: tuple[str, ...] = ()
    """The names of the classes, in the order of their numbers; empty for a regression."""
    scaling: str = ""
    """How the inputs were scaled, in words, where the numbers in the files decided it; else empty."""

    def __post_init__(self) -> None:
        for examples in (self.pool, self.test):
            examples.inputs.flags.writeable = examples.targets.flags.writeable = False


def require_limit(file: str, examples: int, inputs: int) -> None:
    """Refuse a set whose examples x inputs would not fit into memory."""
    if examples * inputs > MOST_VALUES:
        size = f"{examples:,} examples of {inputs:,} inputs are {examples * inputs:,} values"
        raise ValueError(f"{file}: {size}; allowed: at most {MOST_VALUES:,}.")


def require_enough(file: str, examples: int, what: str) -> None:
    """Refuse a set that is too small to be divided into parts; `what` its examples are called."""
    if examples < FEWEST:
        raise ValueError(f"{file}: it has {examples} {what}; expected: at least {FEWEST}.")


def divided(inputs: NDArray[Any], targets: NDArray[Any], fraction: float, classes: int) -> tuple[Examples, Examples]:
    """The pool and the test part, chosen once and stratified by class; each class has two examples or more.

    Args:
        inputs: Those of all examples.
        targets: Those of all examples.
        fraction: The share that becomes the test part.
        classes: Number of classes; 0 for a regression.
    """
    test_size = math.ceil(fraction * len(targets))
    least = max(classes, 2)
    fits = least <= test_size <= len(targets) - least
    parts = f"a share that leaves at least {least} of the {len(targets):,} examples to each part"
    require("test_fraction", fraction, fits, f"{parts}{', one a class' if classes else ''}.")
    return held_out(inputs, targets, fraction, stratified=classes > 0)


def numbered(names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The different classes among these names, in their order, and the number of each name's class.

    If all names are numbers, they are ordered as numbers, and 1 and 1.0 are one class; else the order is alphabetical.
    """
    try:
        values: list[Any] = [float(name) for name in names]
    except ValueError:
        values = list(names)
    first_names: dict[Any, str] = {}
    for value, name in zip(values, names, strict=True):
        first_names.setdefault(value, name)
    order = {value: number for number, value in enumerate(sorted(first_names))}
    return tuple(first_names[value] for value in order), np.array([order[value] for value in values], dtype=np.int64)


def require_two_classes(where: str, classes: Sequence[str]) -> None:
    """Refuse a set with a single class."""
    if len(classes) < 2:
        raise ValueError(f"{where}: there is only one class, {quoted(classes[0])}; expected: two or more.")


def as_floats(inputs: NDArray[Any]) -> NDArray[Any]:
    """The inputs as floating-point numbers: unsigned bytes from 0 to 1, all others as the numbers they are."""
    if inputs.dtype == np.uint8:
        return inputs.astype(np.float32) / 255
    return inputs if inputs.dtype.kind == "f" else inputs.astype(np.float32)


class FileClassification(Classification):
    """A classification whose files decide how many classes there are: two make it binary."""

    tasks = ("binary", "multiclass")

    def use(self, loaded: Loaded, source: str) -> None:
        """Take the examples, the classes and the task from what was read, and say where it comes from."""
        self.loaded = loaded
        self.source = f"{source}, {loaded.scaling}" if loaded.scaling else source
        self.named_classes = loaded.classes
        self.task = "binary" if len(loaded.classes) == 2 else "multiclass"

    def examples(self) -> tuple[Examples, Examples]:
        pool, test = self.loaded.pool, self.loaded.test
        return replace(pool, inputs=as_floats(pool.inputs)), replace(test, inputs=as_floats(test.inputs))
