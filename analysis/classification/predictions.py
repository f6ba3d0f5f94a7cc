"""The answers of classification runs, example by example, read from the file that each run leaves behind.

The file comes from a store that anyone may write to: no pickles are read, and a wrong file is refused in a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from analysis.figures.theme import shortened
from analysis.runs.array_files import ArrayFileError, checked_arrays
from analysis.statistics import ENOUGH_FOR_AN_INTERVAL, Interval, interval
from tracking import schema
from tracking.legible import spelled_out
from tracking.schema import Outcome

MOST_CLASSES: Final = 1000
TEST: Final = schema.PREDICTED[-1]


class PredictionsError(ValueError):
    """Predictions cannot be shown; its text says why in one sentence."""


@dataclass(frozen=True)
class Predictions:
    """One run's answers on one part of the data, by the weights that validation chose.

    `probabilities` (n, classes) and `targets` (n,) are those of the first n examples; the part has `size` examples.
    """

    names: tuple[str, ...]
    probabilities: np.ndarray
    targets: np.ndarray
    split: str = TEST
    size: int = 0
    epoch: int = 0
    run_id: str = ""
    seed: int = 0

    @cached_property
    def answers(self) -> np.ndarray:
        """(n,): the most probable class of each example, the first of equals."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def counts(self) -> np.ndarray:
        """(classes,): how many examples each class has."""
        return np.bincount(self.targets, minlength=len(self.names))


def _parsed(content: bytes, split: str) -> Predictions:
    """The predictions of a file; its arrays are checked one by one."""
    kinds = {
        "classes": "U",
        "epoch": "iu",
        f"{split}_probabilities": "f",
        f"{split}_targets": "iu",
        f"{split}_size": "iu",
    }
    names, epoch, probabilities, targets, size = checked_arrays(content, kinds)
    classes, n = names.size, targets.size
    if names.ndim != 1 or targets.ndim != 1 or probabilities.shape != (n, classes) or epoch.shape or size.shape:
        raise PredictionsError("its arrays do not fit each other")
    if n < 1 or not 2 <= classes <= MOST_CLASSES:
        allowed = f"allowed: at least one example, 2 to {MOST_CLASSES:,} classes"
        raise PredictionsError(f"it holds {n} examples of {classes} classes; {allowed}")
    if targets.min() < 0 or targets.max() >= classes:
        raise PredictionsError("a target is none of the classes")
    probabilities = probabilities.astype(float)
    # Comparisons with nan are false, so that values that are not finite are refused too.
    if not (probabilities.min() >= 0 and np.abs(probabilities.sum(axis=1) - 1).max() < 0.01):
        raise PredictionsError("the probabilities of an example are negative, not finite or do not add up to 1")
    texts = tuple(spelled_out(str(name)) for name in names)
    return Predictions(texts, probabilities, targets.astype(int), split, max(int(size), n), int(epoch))


def read(content: bytes, split: str = TEST, *, run_id: str = "", seed: int = 0) -> Predictions:
    """The predictions in the bytes of a run's PREDICTIONS_FILE.

    Args:
        content: The file.
        split: The part of the data, one of PREDICTED.
        run_id: The run's id.
        seed: The run's seed.

    Raises:
        PredictionsError: The file is not one that runs of Sweepboard write.
    """
    try:
        predictions = _parsed(content, split)
    except (PredictionsError, ArrayFileError) as error:
        raise PredictionsError(f"{schema.PREDICTIONS_FILE} cannot be read: {error}.") from error.__cause__
    return replace(predictions, run_id=run_id, seed=seed)


@dataclass(frozen=True)
class Source:
    """A run that may hold predictions; `content` is its file, None where it has none."""

    run_id: str
    seed: int
    outcome: str
    content: bytes | None


def _note(seeds: Sequence[int], reason: str) -> str:
    listed = ", ".join(str(seed) for seed in seeds[:10]) + (", …" if len(seeds) > 10 else "")
    return f"{'Seed' if len(seeds) == 1 else 'Seeds'} {listed}: {reason}"


def gather(sources: Iterable[Source], split: str = TEST) -> tuple[list[Predictions], list[str]]:
    """The predictions of a group's runs by seed, and a sentence for each reason why some are missing.

    Diverged runs have no answers: figures of the others look better than the whole group is, and the sentence says so.
    """
    runs: list[Predictions] = []
    seeds_by_reason: dict[str, list[int]] = {}
    for source in sorted(sources, key=lambda source: source.seed):
        if source.content is not None:
            try:
                runs.append(read(source.content, split, run_id=source.run_id, seed=source.seed))
                continue
            except PredictionsError as error:
                reason = str(error)
        elif source.outcome == Outcome.DIVERGED:
            reason = "diverged, so there are no answers; the figures below are of the other seeds only."
        elif source.outcome == Outcome.OK:
            reason = f"ended ok, but without {schema.PREDICTIONS_FILE}; train again to get it."
        else:
            reason = f"no predictions, since they are written by runs that end ok ({source.outcome})."
        seeds_by_reason.setdefault(reason, []).append(source.seed)
    return runs, [_note(seeds, reason) for reason, seeds in seeds_by_reason.items()]


def together(runs: Iterable[Predictions]) -> list[Predictions]:
    """The runs as a list, if figures can be made of them together.

    Raises:
        PredictionsError: There is none, or they differ in their classes or in the part of the data.
    """
    chosen = list(runs)
    if not chosen:
        raise PredictionsError(
            "There are no predictions here: classification runs that end ok write them. Launch a sweep to get some."
        )
    for run in chosen[1:]:
        if run.names != chosen[0].names:
            raise PredictionsError("These runs do not have the same classes: choose runs of one data set.")
        if run.split != chosen[0].split:
            raise PredictionsError("These predictions are of different parts of the data: choose one part.")
    return chosen


def over_seeds(values: Iterable[float]) -> Interval:
    """The mean over the seeds where a value is defined, and its t-interval."""
    return interval([float(value) for value in values if math.isfinite(value)])


def wilson(count: int, n: int) -> Interval:
    """The share `count` of n examples, with Wilson's interval (1927) at 95 %; nan without examples."""
    from scipy.stats import binomtest

    if not n:
        return over_seeds([])
    bounds = binomtest(int(count), int(n)).proportion_ci(0.95, method="wilson")
    return Interval(int(count) / int(n), float(bounds.low), float(bounds.high), int(n))


def named(n: int) -> str:
    """The name of intervals over n seeds, for a figure; empty where n is too small for an interval."""
    return f"95% t-interval over seeds, n={n}" if n >= ENOUGH_FOR_AN_INTERVAL else ""


def quoted(name: str) -> str:
    """A class's name in a sentence, where a bare 0 would read as a number."""
    return f"“{shortened(name, 30)}”"


def rarest(runs: Sequence[Predictions]) -> int:
    """The class with the fewest examples, the last of equals: the one whose errors accuracy hides best."""
    counts = np.sum([run.counts for run in runs], axis=0)
    present = np.flatnonzero(counts)
    return int(present[np.flatnonzero(counts[present] == counts[present].min())[-1]])
