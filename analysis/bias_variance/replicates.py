"""The runs of one configuration on several training sets with several initialisations each, as one array of answers.

Only complete training sets can be taken apart, those with as many initialisations as the others: I is the largest
number that at least three sets have (two, where there are but two), and a set's first I trainings by their seed enter.
A run that diverged has no answers; the parts then speak of the runs that did not, and the words say how many did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.bias_variance.decomposition import CROSS_ENTROPY, LOSSES, SQUARED, ZERO_ONE, Decomposition, decomposition
from analysis.statistics import ENOUGH_FOR_AN_INTERVAL
from tracking.schema import Outcome

Arrays = Mapping[str, np.ndarray]
DATASETS_PARAM: Final = "replicate.datasets"
INITS_PARAM: Final = "replicate.inits"


@dataclass(frozen=True)
class Replicates:
    """What R x I trainings of one configuration answer at n points."""

    outputs: np.ndarray
    """(R, I, n, K): the probabilities of K classes, or one output."""
    targets: np.ndarray
    """(n,): integer classes, or what a regression is measured against."""
    truth: np.ndarray | None
    noise: float | None
    inputs: np.ndarray | None
    """(n,), of a regression in one dimension."""
    datasets: tuple[Any, ...]
    """The seeds of the R training sets."""
    run_ids: np.ndarray
    """(R, I)."""
    runs: int
    """Runs of the configuration that ended or train, diverged ones included."""
    diverged: int
    planned: int
    """How many there are to be; 0 where nobody said."""

    @property
    def classes(self) -> bool:
        """Whether it is a classification."""
        return bool(np.issubdtype(self.targets.dtype, np.integer))

    @property
    def losses(self) -> tuple[str, ...]:
        """The losses that can be taken apart."""
        return (ZERO_ONE, SQUARED, CROSS_ENTROPY) if self.classes else (SQUARED,)

    @property
    def noisy(self) -> bool:
        """Whether the noise of the targets is told apart from bias."""
        if self.truth is not None:
            return bool(np.any(self.truth != self.targets))
        return bool(self.noise)

    @property
    def left_out(self) -> int:
        """Runs that do not enter, diverged ones included."""
        return self.runs - self.run_ids.size

    @cached_property
    def note(self) -> str:
        """Which runs do not enter, as a clause; nothing if all do and all are there."""
        coming = f"{self.planned - self.runs} of {self.planned} runs are still to come"
        why = f", {self.diverged} of which diverged" if self.diverged else ""
        runs = "1 run is" if self.left_out == 1 else f"{self.left_out} runs are"
        out = f"{runs} left out to have as many initialisations on every training set{why}"
        return "; ".join([coming] * (self.planned > self.runs) + [out] * bool(self.left_out))

    def taken_apart(self, loss: str) -> Decomposition:
        """The risk in this loss, of LOSSES, and its parts."""
        assert loss in LOSSES
        truth = self.truth if self.noisy else None
        noise = self.noise if self.noisy else None
        return decomposition(self.outputs, self.targets, loss=loss, truth=truth, noise=noise)


def epochs_of(runs: pd.DataFrame, arrays: Mapping[str, Arrays]) -> list[int]:
    """The epochs at which all of these runs that have answers left them, in order."""
    known = [arrays[run]["epochs"] for run in runs["run_id"] if "epochs" in arrays.get(run, ())]
    own = [{int(epoch) for epoch in epochs} for epochs in known]
    return sorted(set.intersection(*own)) if own else []


def _answers(content: Arrays, epoch: int | None) -> np.ndarray | None:
    """(n, K) at that epoch, at the last one if none is named; None where there is none or it is not finite."""
    if not {"epochs", "outputs", "targets"} <= set(content) or not len(content["epochs"]):
        return None
    places = np.flatnonzero(content["epochs"] == epoch) if epoch is not None else [len(content["epochs"]) - 1]
    if not len(places):
        return None
    found = np.asarray(content["outputs"][places[0]], dtype=float)
    found = found[:, None] if found.ndim == 1 else found
    return found if len(found) == len(content["targets"]) and np.isfinite(found).all() else None


def _complete(sizes: Sequence[int]) -> int:
    """The largest I that at least three training sets have; two, where there are but two."""
    ordered = sorted(sizes, reverse=True)
    return ordered[min(ENOUGH_FOR_AN_INTERVAL, len(ordered)) - 1] if ordered else 0


def _planned(runs: pd.DataFrame) -> int:
    if DATASETS_PARAM not in runs or INITS_PARAM not in runs:
        return 0
    first = runs[[DATASETS_PARAM, INITS_PARAM]].iloc[0]
    known = [value for value in first if isinstance(value, int | float | np.integer) and not pd.isna(value)]
    return int(known[0]) * int(known[1]) if len(known) == 2 else 0


def _shared(contents: Sequence[Arrays]) -> bool:
    """Whether all answers are about the same points."""
    first = contents[0]["targets"]
    return all(np.array_equal(first, each["targets"]) for each in contents[1:])


def replicates(runs: pd.DataFrame, arrays: Mapping[str, Arrays], epoch: int | None = None) -> Replicates | str:
    """The answers of one configuration's runs; a sentence that says what is missing, where they cannot be used.

    Args:
        runs: Its runs that count: run_id, outcome, seed_data, seed_init.
        arrays: Run -> the arrays of its `tracking.schema.REPLICATE_FILE`.
        epoch: At which; the last one of each run if not given.
    """
    found: dict[Any, list[tuple[int, str, np.ndarray]]] = {}
    for run in runs[["run_id", "outcome", "seed_data", "seed_init"]].to_dict("records"):
        content = arrays.get(run["run_id"])
        answers = _answers(content, epoch) if content is not None and run["outcome"] == Outcome.OK else None
        if answers is not None:
            found.setdefault(run["seed_data"], []).append((int(run["seed_init"]), str(run["run_id"]), answers))
    if not found:
        return "No run has left its answers to the test examples: these come with a sweep that says replicate."
    if len(found) < 2:
        return "All runs have one training set: bias and variance are told apart by two or more."
    inits = _complete([len(own) for own in found.values()])
    sets = {seed: sorted(own)[:inits] for seed, own in sorted(found.items()) if len(own) >= inits}
    chosen = [arrays[run] for own in sets.values() for _, run, _ in own]
    if not _shared(chosen) or len({own[2].shape for each in sets.values() for own in each}) > 1:
        return "The runs were tested on different examples: their answers cannot be set side by side."
    first = chosen[0]
    targets = np.asarray(first["targets"])
    return Replicates(
        outputs=np.array([[answers for *_, answers in own] for own in sets.values()]),
        targets=targets.astype(int) if np.issubdtype(targets.dtype, np.integer) else targets.astype(float),
        truth=np.asarray(first["truth"], dtype=float) if "truth" in first else None,
        noise=float(first["noise"]) if "noise" in first else None,
        inputs=np.asarray(first["inputs"], dtype=float).ravel() if "inputs" in first else None,
        datasets=tuple(sets),
        run_ids=np.array([[run for _, run, _ in own] for own in sets.values()]),
        runs=len(runs),
        diverged=int((runs["outcome"] == Outcome.DIVERGED).sum()),
        planned=_planned(runs),
    )
