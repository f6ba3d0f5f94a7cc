"""A text as data of a language model: which character comes next.

Without a file of the user's own it is the first three chapters of *Alice's Adventures in Wonderland* (Lewis Carroll
1865; in the public domain), 32,010 characters: the Millennium Fulcrum edition 2.9, as in the Canterbury corpus
(alice29.txt; Arnold and Bell 1997), with plain line ends and headings not centred.

The text is cut into windows of context + 1 characters that share none: in each, all characters but the last are read,
and all but the first are to be predicted. So no character is in two parts. The last windows are the test part, the same
in every run; the probes are a few of the others, drawn by a stream of their own. Of what is left, the data seed draws
where the validation part begins: it is one stretch of the text, which goes on at the beginning where the text ends.
Windows of the rest are trained on in random order, of which `train_size` takes the first ones.
"""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, get_args

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from data.base import SPLIT, DataModule
from data.files.common import CACHE_SIZE
from data.files.plain_text import Encoding, read_text
from data.files.roots import Stamp, find, stamp
from data.parts import Parts
from data.text.parts import TokensPart
from data.text.vocabulary import LearntFrom, Vocabulary
from learning_tasks.refusals import one_of, require

ALICE: Final = Path(__file__).with_name("alice.txt")
PROBES: Final = 8
PROBE_STREAM: Final = 20_260_203
FEWEST: Final = 10
"""The fewest windows outside the test part."""


@lru_cache(maxsize=CACHE_SIZE)
def _text(file: Stamp, encoding: str) -> str:
    return read_text(Path(file[0]), encoding)


class TextFile(DataModule):
    """A language model of the characters of a text: three chapters of Alice in Wonderland, or a file of your own.

    `train_size` counts windows.

    Args:
        path: A file of your own, its path as seen from the data folder, which may be packed with gzip; if left empty,
            the text is the beginning of Alice's Adventures in Wonderland.
        encoding: How the file is written.
        context: Characters of a window: so far back can a model look.
        lowercase: Read all letters as small ones.
        vocabulary: What the characters are learnt from: all of the text outside test part and probes, so that losses of
            all runs compare, or only what a run trains on.
        test_fraction: The share of the text, its end, that becomes the test part.
    """

    task = "language_model"
    gives = "tokens"

    def __init__(
        self,
        *,
        path: str = "",
        encoding: Encoding = "utf-8",
        context: Annotated[int, Interval(ge=1, le=10_000)] = 64,
        lowercase: bool = False,
        vocabulary: LearntFrom = "pool",
        test_fraction: Annotated[float, Interval(gt=0, lt=1)] = 0.1,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        one_of("vocabulary", vocabulary, get_args(LearntFrom))
        require("context", context, context >= 1, "1 or more")
        require("test_fraction", test_fraction, 0 < test_fraction < 1, "between 0 and 1")
        file = find("path", path) if path else ALICE
        text = _text(stamp(file), encoding)
        self.text = text.lower() if lowercase else text
        self.source = file.name if path else "Alice's Adventures in Wonderland, chapters 1 to 3"
        self.context, self.learnt_from, self.test_fraction = context, vocabulary, test_fraction
        windows = len(self._windows)
        least = f"{FEWEST + 1} windows of context + 1 = {context + 1:,} characters"
        if windows <= FEWEST:
            raise ValueError(f"{file.name}: it has {len(text):,} characters; expected: at least {least}.")
        remaining = windows - self._test_windows
        fits = f"a share that leaves at least {FEWEST} of the {windows:,} windows outside the test part"
        require("test_fraction", test_fraction, remaining >= FEWEST, fits)

    @cached_property
    def _windows(self) -> list[str]:
        """The windows of the text in their order; the last one may be shorter, but has two characters or more."""
        size = self.context + 1
        windows = [self.text[begin : begin + size] for begin in range(0, len(self.text), size)]
        return windows if len(windows[-1]) > 1 else windows[:-1]

    @property
    def _test_windows(self) -> int:
        return max(round(self.test_fraction * len(self._windows)), 1)

    def split(self, size: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Divide a pool of this size: the indices for training in random order, and one stretch for validation."""
        stream = self.stream(SPLIT)
        count = min(max(round(self.validation_fraction * size), 1), size - 1)
        stretch = np.roll(np.arange(size), -int(stream.integers(size)))
        return stream.permutation(stretch[count:]), stretch[:count]

    @cached_property
    def _divided(self) -> dict[str, list[str]]:
        """The windows of each part, in the order of `Parts`, and of the `pool`, which training and validation share."""
        remaining = len(self._windows) - self._test_windows
        count = min(PROBES, remaining // 10)
        probes = np.sort(np.random.default_rng(PROBE_STREAM).permutation(remaining)[:count])
        pool = np.setdiff1d(np.arange(remaining), probes)
        train, validation = self.split(len(pool))
        numbers: dict[str, Any] = {
            "train": pool[self.training_subset(train)],
            "validation": pool[validation],
            "test": range(remaining, len(self._windows)),
            "probes": probes,
            "pool": pool,
        }
        return {name: [self._windows[place] for place in places] for name, places in numbers.items()}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The characters that have a number; the first one stands for all others."""
        return Vocabulary.learnt(self._divided["pool" if self.learnt_from == "pool" else "train"])

    @property
    def dims(self) -> dict[str, Any]:
        """`vocab_size`, `num_outputs` (the same), the `characters` of each token (1), `task`."""
        size = len(self.vocabulary)
        characters = self.vocabulary.characters
        return {"vocab_size": size, "num_outputs": size, "characters": characters, "task": self.task}

    def make_parts(self) -> Parts:
        return Parts(*(self._part(self._divided[name]) for name in ("train", "validation", "test", "probes")))

    def _part(self, windows: Sequence[str]) -> TokensPart:
        rows = [self.vocabulary.encode(window) for window in windows]
        return TokensPart.of([row[:-1] for row in rows], [row[1:] for row in rows], len(self.vocabulary))
