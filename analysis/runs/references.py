"""What a run could at best reach, or has to beat, read from the file that it leaves: drawn beside its curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from analysis.runs.array_files import ArrayFileError, checked_arrays
from analysis.statistics import number
from analysis.words import counted, joined
from tracking import schema
from tracking.legible import legible

MOST_REFERENCES: Final = 10
MOST_METRICS: Final = 100
LONGEST: Final = 300
"""Characters of a name or of words that are shown."""
_KINDS: Final = {"names": "U", "words": "U", "metrics": "U", "values": "f"}
_LOSSES: Final = {schema.TRAIN_EVAL_LOSS: "training loss", schema.VAL_LOSS: "validation loss"}
"""The metrics that the sentence reads, and what it calls them."""


class ReferencesError(ValueError):
    """References cannot be shown; the message says why in one sentence."""


@dataclass(frozen=True)
class Reference:
    """One answer that a run is compared with, such as the closed form of a linear regression."""

    name: str
    words: str
    """A description of the reference, in words."""
    values: dict[str, float]
    """By metric, all finite."""

    @property
    def sentence(self) -> str:
        """The description with the name in front: `Closed form: the weights with ...`."""
        return f"{self.name[:1].upper()}{self.name[1:]}: {self.words}."


def _parsed(content: bytes) -> list[Reference]:
    names, words, metrics, values = checked_arrays(content, _KINDS)
    shapes = [names.shape, words.shape, metrics.shape, values.shape]
    if shapes != [(names.size,), (names.size,), (metrics.size,), (names.size, metrics.size)]:
        raise ArrayFileError("its arrays do not fit each other")
    if names.size > MOST_REFERENCES or metrics.size > MOST_METRICS:
        allowed = f"allowed: at most {MOST_REFERENCES} references, {MOST_METRICS} metrics"
        raise ArrayFileError(f"it holds {names.size} references of {metrics.size} metrics; {allowed}")
    references = []
    for name, about, row in zip(names, words, values, strict=True):
        finite = {str(metric): float(value) for metric, value in zip(metrics, row, strict=True) if math.isfinite(value)}
        references.append(Reference(legible(str(name))[:LONGEST], legible(str(about))[:LONGEST], finite))
    return references


def read(content: bytes) -> list[Reference]:
    """The references in the bytes of a run's REFERENCES_FILE.

    Raises:
        ReferencesError: The file is not one that runs of Sweepboard write.
    """
    try:
        return _parsed(content)
    except ArrayFileError as error:
        raise ReferencesError(f"{schema.REFERENCES_FILE} cannot be read: {error}.") from error.__cause__


def reading(references: Sequence[Reference], latest: Mapping[str, tuple[float, float]]) -> str:
    """How far the run is from its references, and what they are, in sentences; empty where none has a metric of it.

    `After 20 epochs the training loss is 0.512; the closed form reaches 0.498.`

    Args:
        references: What it is compared with.
        latest: By metric that is drawn: the last epoch that measured it, and its value then.
    """
    sentences = []
    for reference in references:
        if not latest.keys() & reference.values.keys():
            continue
        metrics = [metric for metric in _LOSSES if metric in latest and metric in reference.values]
        if metrics:
            epoch = int(max(latest[metric][0] for metric in metrics))
            of_run = joined([f"the {_LOSSES[metric]} is {number(latest[metric][1])}" for metric in metrics])
            reached = joined([number(reference.values[metric]) for metric in metrics])
            sentences.append(f"After {counted(epoch, 'epoch')} {of_run}; the {reference.name} reaches {reached}.")
        sentences.append(f"Dashed, in the colour of each curve, is the {reference.name}: {reference.words}.")
    return " ".join(sentences)
