"""Pairs of a source and a target text: a model reads the source and writes the target, token by token.

Texts are numbers of tokens, padded behind with PAD. While it is trained, a decoder is given the right tokens before
each place (teacher forcing): the target moved by one place to the right, with BEGIN first. What it has to give is the
target with END last.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from string import ascii_lowercase
from typing import Annotated, Any, ClassVar, Final
from zlib import crc32

import numpy as np
import torch
from annotated_types import Interval
from numpy.typing import NDArray
from torch import Tensor

from data.base import SAMPLE, DataModule
from data.parts import Parts
from data.text.parts import MOST_AT_ONCE, PER_PLACE
from data.text.special_ids import BEGIN, END, PAD, SPECIAL
from data.text.vocabulary import Vocabulary
from learning_tasks import IGNORED, Batch
from learning_tasks.language import Pair, Tokens
from learning_tasks.refusals import require

TEST_SIZE: Final = 500
PROBES: Final = 20
TEST_STREAM: Final = 20_141
"""The seed of the test part of generated pairs: the same in every run."""


def tokens(ids: Tensor) -> Tokens:
    """Texts (B, T) that are padded with PAD, of one sentence each."""
    return Tokens(ids, ids != PAD, torch.zeros_like(ids))


def trimmed(ids: Tensor) -> Tensor:
    """The texts (B, T) cut to the longest of them."""
    return ids[:, : max(int((ids != PAD).sum(dim=1).max()), 1)]


@dataclass(frozen=True)
class PairPart:
    """Pairs of texts of different lengths; a batch is cut to the longest source and the longest target in it."""

    sources: Tensor
    """(n, S) int64, PAD behind."""
    targets: Tensor
    """(n, T) int64, END behind the last symbol, then PAD."""
    outputs: int = 1
    """How many outputs a model has for each token of a target, which limits `at_once`."""
    clean: None = None
    """The targets are the true ones."""

    @property
    def at_once(self) -> int:
        places = self.sources.shape[1] + self.targets.shape[1]
        return max(MOST_AT_ONCE // (places * max(self.outputs, PER_PLACE)), 1)

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def longest_target(self) -> int:
        """The most tokens of a target, with its END."""
        return trimmed(self.targets).shape[1]

    def batch(self, indices: Tensor | slice) -> Batch:
        """A `Pair` of source (B, S) and decoder inputs (B, T), and targets (B, T) int64, IGNORED where padded."""
        targets = trimmed(self.targets[indices])
        padded = targets == PAD
        begins = torch.full_like(targets[:, :1], BEGIN)
        decoded = torch.cat([begins, targets[:, :-1]], dim=1).masked_fill(padded, PAD)
        pair = Pair(tokens(trimmed(self.sources[indices])), tokens(decoded))
        return Batch(pair, targets.masked_fill(padded, IGNORED))

    def first(self, count: int) -> "PairPart":
        return replace(self, sources=self.sources[:count], targets=self.targets[:count])

    def to(self, device: torch.device | str) -> "PairPart":
        return replace(self, sources=self.sources.to(device), targets=self.targets.to(device))

    def tensors(self) -> Iterator[Tensor]:
        return iter((self.sources, self.targets))


class TextPairs(DataModule):
    """The base of sets of pairs of texts: a subclass makes its parts of `PairPart`, and knows its vocabularies.

    It needs probes too: what a run writes for them is kept.
    """

    task = "translation"
    gives: ClassVar[str] = "sequence_pair"

    @property
    @abstractmethod
    def source_vocabulary(self) -> Vocabulary:
        """The tokens of sources, those of SPECIAL first."""

    @property
    @abstractmethod
    def target_vocabulary(self) -> Vocabulary:
        """The tokens of targets, those of SPECIAL first."""

    @property
    def dims(self) -> dict[str, Any]:
        """`source_vocab_size`, `target_vocab_size`, the numbers of the tokens `begin` and `end`, `task`."""
        return {
            "source_vocab_size": len(self.source_vocabulary),
            "target_vocab_size": len(self.target_vocabulary),
            "begin": BEGIN,
            "end": END,
            "task": self.task,
        }

    def source_text(self, ids: Sequence[int]) -> str:
        """A source as a text, its tokens with blanks between them."""
        return _text(ids, self.source_vocabulary)

    def target_text(self, ids: Sequence[int]) -> str:
        """A target, or what a decoder wrote, as a text down to the first END."""
        return _text(ids, self.target_vocabulary)


def _text(ids: Sequence[int], vocabulary: Vocabulary) -> str:
    ids = list(ids)
    before_end = ids[: ids.index(END)] if END in ids else ids
    return " ".join(vocabulary.decode(number for number in before_end if number not in (PAD, BEGIN)))


class Reverse(TextPairs):
    """Strings of random symbols, to be written in reverse order: d a c becomes c a d.

    How much of a long string an encoder can put into a vector of fixed size shows here. All strings of all parts are
    different, and each length is equally frequent where there are enough strings of it. A tenth of all possible
    strings, always the same, is set aside for the test part and the probes, so that no run trains on any of these.

    Args:
        num_symbols: Symbols that there are, from a on.
        min_length: Symbols of the shortest strings.
        max_length: Symbols of the longest strings.
        num_samples: Strings drawn for training and validation together, afresh for each data seed.
    """

    source = "generated"
    fresh = True

    def __init__(
        self,
        *,
        num_symbols: Annotated[int, Interval(ge=2, le=26)] = 10,
        min_length: Annotated[int, Interval(ge=1, le=200)] = 3,
        max_length: Annotated[int, Interval(ge=1, le=200)] = 8,
        num_samples: Annotated[int, Interval(ge=10, le=1_000_000)] = 5000,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        require("num_symbols", num_symbols, 2 <= num_symbols <= 26, "2 to 26")
        require("max_length", max_length, 1 <= max_length <= 200, "1 to 200")
        require("min_length", min_length, 1 <= min_length <= max_length, f"1 to {max_length}, the max_length")
        require("num_samples", num_samples, 10 <= num_samples <= 1_000_000, "10 to 1,000,000")
        longest, least = num_symbols**max_length, max(3 * num_samples, 20 * TEST_SIZE)
        enough = f"so many that at least {least:,} different strings are of max_length; there are {longest:,}"
        require("num_symbols", num_symbols, longest >= least, enough)
        self.num_symbols, self.num_samples = num_symbols, num_samples
        self.min_length, self.max_length = min_length, max_length

    @property
    def source_vocabulary(self) -> Vocabulary:
        return Vocabulary((*SPECIAL, *ascii_lowercase[: self.num_symbols]))

    @property
    def target_vocabulary(self) -> Vocabulary:
        return self.source_vocabulary

    def make_parts(self) -> Parts:
        pool = self._different(self.stream(SAMPLE), self.num_samples, tested=False)
        fixed = self._different(np.random.default_rng(TEST_STREAM), PROBES + TEST_SIZE, tested=True)
        train, validation = self.split(len(pool))
        train = self.training_subset(train)
        parts = (pool[train], pool[validation], fixed[PROBES:], fixed[:PROBES])
        return Parts(*(_reversing(strings, len(self.target_vocabulary)) for strings in parts))

    def _different(self, random: np.random.Generator, count: int, tested: bool) -> NDArray[np.uint8]:
        """Different strings (count, max_length), in the order in which they were drawn."""
        strings: dict[bytes, None] = {}  # a dict keeps the order
        while len(strings) < count:
            for row in self._drawn(random, count):
                string = row.tobytes()
                if (crc32(string.rstrip(b"\0")) % 10 == 0) == tested:
                    strings[string] = None
        chosen = b"".join(list(strings)[:count])
        return np.frombuffer(chosen, dtype=np.uint8).reshape(count, self.max_length)

    def _drawn(self, random: np.random.Generator, count: int) -> NDArray[np.uint8]:
        """Strings (count, max_length) of random symbols and lengths, padded."""
        symbols = random.integers(len(SPECIAL), len(self.source_vocabulary), (count, self.max_length), dtype=np.uint8)
        lengths = random.integers(self.min_length, self.max_length + 1, count)
        return np.where(np.arange(self.max_length) < lengths[:, None], symbols, np.uint8(PAD))


def _reversing(strings: NDArray[np.uint8], outputs: int) -> PairPart:
    """The pairs of these strings (n, S) and of the same in reverse order."""
    count, width = strings.shape
    lengths = (strings != PAD).sum(axis=1, keepdims=True)
    places = lengths - 1 - np.arange(width)  # which symbol comes to each place; negative ones are padding
    backwards = np.where(places >= 0, np.take_along_axis(strings, np.maximum(places, 0), axis=1), PAD)
    targets = np.concatenate([backwards, np.full((count, 1), PAD)], axis=1)
    np.put_along_axis(targets, lengths, END, axis=1)
    return PairPart(torch.tensor(strings, dtype=torch.int64), torch.tensor(targets, dtype=torch.int64), outputs)
