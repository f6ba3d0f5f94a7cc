"""Parity: strings of bits, and whether the number of ones in them is odd. Generated.

A network that reads one bit after the other has to keep one bit of memory and change it at each 1; one that forgets
cannot do better than chance. A fifth of all strings there are, chosen once by a hash of the string, is never trained
on: the test part (up to 1,000 of them) and the probes are drawn from it, the same in every run with the same lengths.
The data seed draws a fresh sample of the others. No string occurs twice, in whatever parts.
"""

import hashlib
from collections.abc import Iterator
from typing import Annotated, Any, Final

import numpy as np
from annotated_types import Interval

from data.base import SAMPLE, DataModule
from data.parts import Parts
from data.text.parts import TokensPart
from learning_tasks.refusals import require

TEST_SIZE: Final = 1000
PROBES: Final = 8
TEST_STREAM: Final = 20_260_201
CANDIDATES: Final = 20_000
"""Strings that the test part and the probes are chosen from; those that occur twice count once."""

String = tuple[int, ...]


def held_out(string: String) -> bool:
    """Whether a string is of the fifth that is never trained on."""
    return hashlib.sha256(bytes(string)).digest()[0] % 5 == 0


class Parity(DataModule):
    """Strings of bits; the class is odd where the number of ones is odd, else even.

    Args:
        num_samples: Strings drawn for training and validation together, all different.
        min_length: Bits of the shortest strings.
        max_length: Bits of the longest strings; all lengths are equally likely as long as there are strings left.
    """

    task = "binary"
    gives = "tokens"
    source = "generated"
    fresh = True

    def __init__(
        self,
        *,
        num_samples: Annotated[int, Interval(ge=10, le=100_000)] = 1000,
        min_length: Annotated[int, Interval(ge=1, le=500)] = 1,
        max_length: Annotated[int, Interval(ge=8, le=500)] = 10,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        require("max_length", max_length, max_length >= 8, "8 or more")
        require("min_length", min_length, 1 <= min_length <= max_length, f"1 to {max_length}, the max_length")
        half = (2 ** (max_length + 1) - 2**min_length) // 2
        strings = f"10 to {half:,}, half of the strings that have {min_length} to {max_length} bits"
        require("num_samples", num_samples, 10 <= num_samples <= half, strings)
        self.num_samples, self.min_length, self.max_length = num_samples, min_length, max_length

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class of strings with an even number of ones, and of those with an odd one."""
        return "even", "odd"

    @property
    def dims(self) -> dict[str, Any]:
        """`vocab_size` 2, `num_outputs` 1, `task`."""
        return {"vocab_size": 2, "num_outputs": 1, "task": self.task}

    def make_parts(self) -> Parts:
        candidates = self._strings(np.random.default_rng(TEST_STREAM))
        fixed = dict.fromkeys(string for string in (next(candidates) for _ in range(CANDIDATES)) if held_out(string))
        test = list(fixed)[: PROBES + TEST_SIZE]
        sample: dict[String, None] = {}
        for string in self._strings(self.stream(SAMPLE)):
            if not held_out(string):
                sample[string] = None
            if len(sample) == self.num_samples:
                break
        pool = list(sample)
        train, validation = self.split(len(pool))
        chosen = ([pool[place] for place in indices] for indices in (self.training_subset(train), validation))
        return Parts(*(_part(strings) for strings in (*chosen, test[PROBES:], test[:PROBES])))

    def _strings(self, random: np.random.Generator) -> Iterator[String]:
        """Strings without end, of lengths that are equally likely, some of them more than once."""
        while True:
            lengths = random.integers(self.min_length, self.max_length + 1, 1000)
            bits = random.integers(0, 2, (1000, self.max_length))
            for length, row in zip(lengths.tolist(), bits.tolist(), strict=True):
                yield tuple(row[:length])


def _part(strings: list[String]) -> TokensPart:
    return TokensPart.of(strings, [sum(string) % 2 for string in strings])
