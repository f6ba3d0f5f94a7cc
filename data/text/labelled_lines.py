"""User text files of labelled lines: one example per line, its label in front.

    label<TAB>text      if the first line has a tab: then each line must have one, and a label may hold spaces
    label text          else: the label is what stands before the first space

Empty lines are left out. The test part is a share of the lines, chosen once and stratified by class, or a separate
file. The probes are a few of the other lines, drawn by a stream of their own and the same in every run. What is left is
divided by the data seed. Classes are learnt from all labels of the file, the vocabulary from the texts of all lines
outside the test part and the probes (`data.text.vocabulary`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import numpy as np
from annotated_types import Interval, MinLen
from numpy.typing import NDArray

from data.base import DataModule
from data.files.common import CACHE_SIZE, divided, numbered, require_enough, require_two_classes
from data.files.delimited import MOST_CLASSES
from data.files.plain_text import Encoding, read_text
from data.files.roots import Stamp, find, listed, quoted, stamp
from data.parts import Parts
from data.text.parts import TokensPart
from data.text.vocabulary import LearntFrom, Vocabulary
from learning_tasks.refusals import one_of, require

PROBES: Final = 8
PROBE_STREAM: Final = 20_260_202

TokensAre = Literal["words", "characters"]
Separator = Literal["auto", "tab", "space"]


def words(text: str) -> list[str]:
    """The words of a text; each punctuation mark is one of its own."""
    return re.findall(r"\w+|[^\w\s]", text)


TOKENIZERS: Final[dict[str, Callable[[str], list[str]]]] = {"words": words, "characters": list}


@dataclass(frozen=True)
class Line:
    """One example."""

    number: int
    """Its line in the file, counted from 1."""
    label: str
    text: str


def read_lines(path: Path, encoding: str, separator: str) -> list[Line]:
    """The labelled lines of a file.

    Raises:
        ValueError: A line has no label or no text; the sentence names it.
    """
    lines = [(number, line) for number, line in enumerate(read_text(path, encoding).split("\n"), 1) if line.strip()]
    tabbed = "\t" in lines[0][1] if separator == "auto" else separator == "tab"
    examples = []
    for number, line in lines:
        label, divider, text = line.strip(" ").partition("\t") if tabbed else line.strip().partition(" ")
        where, form = f"{path.name}, line {number}", "label<TAB>text" if tabbed else "label text"
        if tabbed and not divider:
            raise ValueError(f"{where}: it has no tab; expected: {form} in every line, as in the first one.")
        if not (label.strip() and text.strip()):
            raise ValueError(f"{where}: it has no {'text' if label.strip() else 'label'}; expected: {form}.")
        examples.append(Line(number, label.strip(), text.strip()))
    return examples


@dataclass(frozen=True)
class Corpus:
    """The examples of a file, as all runs of a process share them."""

    classes: tuple[str, ...]
    texts: tuple[str, ...]
    targets: NDArray[np.int64]
    """The class of each text (n,)."""
    pool: NDArray[np.int64]
    """The numbers of the texts that training and validation share."""
    test: NDArray[np.int64]
    probes: NDArray[np.int64]


@lru_cache(maxsize=CACHE_SIZE)
def _corpus(file: Stamp, test_file: Stamp | None, encoding: str, separator: str, test_fraction: float) -> Corpus:
    path = Path(file[0])
    lines = read_lines(path, encoding, separator)
    require_enough(path.name, len(lines), "lines")
    classes, targets = numbered([line.label for line in lines])
    require_two_classes(path.name, classes)
    if len(classes) > MOST_CLASSES:
        raise ValueError(f"{path.name}: it has {len(classes):,} different labels; allowed: at most {MOST_CLASSES:,}.")
    counts = np.bincount(targets)
    if counts.min() < 2:
        rare = int(counts.argmin())
        line = lines[int((targets == rare).argmax())]
        problem = f"label {quoted(line.label)} has only this line; expected: two or more"
        raise ValueError(f"{path.name}, line {line.number}: {problem}.")
    if test_file is None:
        parts = divided(np.arange(len(lines)), targets, test_fraction, len(classes))
        pool, test = (np.sort(part.inputs) for part in parts)
    else:
        test_lines = read_lines(Path(test_file[0]), encoding, separator)
        pool, test = np.arange(len(lines)), np.arange(len(lines), len(lines) + len(test_lines))
        targets = np.concatenate([targets, _classes_like(Path(test_file[0]).name, test_lines, classes)])
        lines += test_lines
    order = np.random.default_rng(PROBE_STREAM).permutation(pool)
    count = min(PROBES, max(len(pool) // 10, 1))
    texts = tuple(line.text for line in lines)
    return Corpus(classes, texts, targets, np.sort(order[count:]), test, order[:count])


def _classes_like(file: str, lines: Sequence[Line], classes: tuple[str, ...]) -> NDArray[np.int64]:
    """The class of each line of the file with the test part; refuses one that the first file does not have."""
    numbers = {name: number for number, name in enumerate(classes)}
    for line in lines:
        if line.label not in numbers:
            problem = f"{quoted(line.label)} is no label of the first file; expected: one of its labels"
            raise ValueError(f"{file}, line {line.number}: {problem} ({listed(classes)}).")
    return np.array([numbers[line.label] for line in lines])


class LabelledLines(DataModule):
    """Classes of texts in a file of your own: one example per line, its label in front.

    Args:
        path: The file with the lines, its path as seen from the data folder; it may be packed with gzip.
        separator: What stands between label and text; auto takes the tab if the first line has one, else the first
            space.
        encoding: How the file is written.
        tokens: What a text is cut into: words, each punctuation mark one of its own, or characters.
        lowercase: Read all letters as small ones.
        min_count: How often a token must occur to have a number of its own; rarer ones are unknown.
        longest: Tokens of a text that are read; what follows is cut off.
        vocabulary: What the tokens are learnt from: all lines outside test part and probes, so that losses of all runs
            compare, or only those that a run trains on.
        test_path: A file of its own with the test part; if left empty, the test part is a share of the lines.
        test_fraction: The share of the lines that becomes the test part, the same lines in every run.
    """

    tasks = ("binary", "multiclass")
    gives = "tokens"

    def __init__(
        self,
        *,
        path: Annotated[str, MinLen(1)] = "",
        separator: Separator = "auto",
        encoding: Encoding = "utf-8",
        tokens: TokensAre = "words",
        lowercase: bool = True,
        min_count: Annotated[int, Interval(ge=1, le=1000)] = 2,
        longest: Annotated[int, Interval(ge=1, le=10_000)] = 100,
        vocabulary: LearntFrom = "pool",
        test_path: str = "",
        test_fraction: Annotated[float, Interval(gt=0, lt=1)] = 0.2,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        for key, value, allowed in (
            ("separator", separator, Separator),
            ("tokens", tokens, TokensAre),
            ("vocabulary", vocabulary, LearntFrom),
        ):
            one_of(key, value, get_args(allowed))
        require("min_count", min_count, min_count >= 1, "1 or more")
        require("longest", longest, longest >= 1, "1 or more")
        require("test_fraction", test_fraction, 0 < test_fraction < 1, "between 0 and 1")
        file = find("path", path)
        test_file = find("test_path", test_path) if test_path else None
        stamps = stamp(file), stamp(test_file) if test_file else None
        self.corpus = _corpus(*stamps, encoding, separator, test_fraction)
        self.source = " and ".join(used.name for used in (file, test_file) if used)
        self.tokens, self.lowercase, self.min_count, self.longest = tokens, lowercase, min_count, longest
        self.learnt_from = vocabulary
        self.task = "binary" if len(self.class_names) == 2 else "multiclass"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The labels of the file, in the order of their numbers."""
        return self.corpus.classes

    def tokenized(self, text: str) -> list[str]:
        """The tokens of a text that are read."""
        return TOKENIZERS[self.tokens](text.lower() if self.lowercase else text)[: self.longest]

    @cached_property
    def _divided(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The numbers of the texts to train on, and of those to validate on."""
        train, validation = self.split(len(self.corpus.pool))
        return self.corpus.pool[self.training_subset(train)], self.corpus.pool[validation]

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens that have a number."""
        numbers = self.corpus.pool if self.learnt_from == "pool" else self._divided[0]
        texts = [self.tokenized(self.corpus.texts[number]) for number in numbers]
        vocabulary = Vocabulary.learnt(texts, self.min_count)
        if len(vocabulary) < 2:
            most = max((text.count(token) for text in texts for token in text), default=0)
            raise ValueError(f"min_count: {self.min_count} leaves no token of {self.source}; allowed: at most {most}.")
        return vocabulary

    @property
    def dims(self) -> dict[str, Any]:
        """`vocab_size`, `num_outputs` (1, or the number of classes), `task`."""
        num_outputs = len(self.class_names) if self.task == "multiclass" else 1
        return {"vocab_size": len(self.vocabulary), "num_outputs": num_outputs, "task": self.task}

    def make_parts(self) -> Parts:
        return Parts(*(self._part(numbers) for numbers in (*self._divided, self.corpus.test, self.corpus.probes)))

    def _part(self, numbers: NDArray[np.int64]) -> TokensPart:
        texts = [self.vocabulary.encode(self.tokenized(self.corpus.texts[number])) for number in numbers]
        return TokensPart.of(texts, self.corpus.targets[numbers])
