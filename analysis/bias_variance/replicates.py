"""The runs of one configuration on several training sets with several initialisations each, as one array of answers.

Only complete training sets can be taken apart, those with as many initialisations as the others: I is the largest
number that at least three sets have (two sets, where there are only two), and each set's first I trainings by their
seed are used. A run that diverged has no answers; the parts then describe the other runs, and the words say how many
diverged.
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
    """The answers of R x I trainings of one configuration at n points."""

    outputs: np.ndarray
    """(R, I, n, K): the probabilities of K classes, or one output."""
    targets: np.ndarray
    """(n,): integer classes, or the numbers that a regression is measured against."""
    truth: np.ndarray | None
    """(n,): the targets without their noise; None where they are not known."""
    noise: float | None
    """The variance of that noise; None where it is not known."""
    inputs: np.ndarray | None
    """(n,): the inputs of a regression in one dimension."""
    datasets: tuple[Any, ...]
    """The seeds of the R training sets."""
    run_ids: np.ndarray
    """(R, I)."""
    runs: int
    """How many runs of the configuration ended or train, diverged ones included."""
    diverged: int
    planned: int
    """How many runs there are to be; 0 where that is not known."""

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
        """Whether the noise of the targets can be separated from bias."""
        if self.truth is not None:
            return bool(np.any(self.truth != self.targets))
        return bool(self.noise)

    @property
    def left_out(self) -> int:
        """How many runs are not used, diverged ones included."""
        return self.runs - self.run_ids.size

    @cached_property
    def note(self) -> str:
        """Which runs are not used or still to come, as a clause; empty where there are none."""
        coming = f"{self.planned - self.runs} of {self.planned} runs are still to come"
        why = f", {self.diverged} of which diverged" if self.diverged else ""
        runs = "1 run is" if self.left_out == 1 else f"{self.left_out} runs are"
        out = f"{runs} left out to have as many initialisations on every training set{why}"
        return "; ".join([coming] * (self.planned > self.runs) + [out] * bool(self.left_out))

    def taken_apart(self, loss: str) -> Decomposition:
        """The risk in one of the LOSSES, with its parts."""
        assert loss in LOSSES
        truth = self.truth if self.noisy else None
        noise = self.noise if self.noisy else None
        return decomposition(self.outputs, self.targets, loss=loss, truth=truth, noise=noise)


def epochs_of(runs: pd.DataFrame, arrays: Mapping[str, Arrays]) -> list[int]:
    """The epochs, in order, at which every run that has answers left them."""
    of_runs = [arrays[run]["epochs"] for run in runs["run_id"] if "epochs" in arrays.get(run, ())]
    sets = [{int(epoch) for epoch in epochs} for epochs in of_runs]
    return sorted(set.intersection(*sets)) if sets else []


def _answers(content: Arrays, epoch: int | None) -> np.ndarray | None:
    """A run's answers (n, K) at an epoch, the last one if None; None where there are none or not all are finite."""
    if not {"epochs", "outputs", "targets"} <= set(content) or not len(content["epochs"]):
        return None
    places = np.flatnonzero(content["epochs"] == epoch) if epoch is not None else [len(content["epochs"]) - 1]
    if not len(places):
        return None
    outputs = np.asarray(content["outputs"][places[0]], dtype=float)
    outputs = outputs[:, None] if outputs.ndim == 1 else outputs
    return outputs if len(outputs) == len(content["targets"]) and np.isfinite(outputs).all() else None


def _complete(sizes: Sequence[int]) -> int:
    """The largest number of initialisations that at least three training sets have (two, where there are only two).

    Args:
        sizes: How many initialisations each training set has.
    """
    ordered = sorted(sizes, reverse=True)
    return ordered[min(ENOUGH_FOR_AN_INTERVAL, len(ordered)) - 1] if ordered else 0


def _planned(runs: pd.DataFrame) -> int:
    """How many runs the configuration is to have; 0 where its params do not say."""
    if DATASETS_PARAM not in runs or INITS_PARAM not in runs:
        return 0
    first = runs[[DATASETS_PARAM, INITS_PARAM]].iloc[0]
    counts = [value for value in first if isinstance(value, int | float | np.integer) and not pd.isna(value)]
    return int(counts[0]) * int(counts[1]) if len(counts) == 2 else 0


def _same_points(contents: Sequence[Arrays]) -> bool:
    """Whether all answers are about the same points."""
    first = contents[0]["targets"]
    return all(np.array_equal(first, content["targets"]) for content in contents[1:])


def replicates(runs: pd.DataFrame, arrays: Mapping[str, Arrays], epoch: int | None = None) -> Replicates | str:
    """The answers of one configuration's runs; or a sentence that says what is missing, if they cannot be used.

    Args:
        runs: The configuration's runs that count: run_id, outcome, seed_data, seed_init.
        arrays: The arrays of each run's `tracking.schema.REPLICATE_FILE`, by its id.
        epoch: The epoch of the answers; the last one of each run if not given.
    """
    by_set: dict[Any, list[tuple[int, str, np.ndarray]]] = {}  # seed_init, run and answers of each training
    for run in runs[["run_id", "outcome", "seed_data", "seed_init"]].to_dict("records"):
        content = arrays.get(run["run_id"])
        answers = _answers(content, epoch) if content is not None and run["outcome"] == Outcome.OK else None
        if answers is not None:
            by_set.setdefault(run["seed_data"], []).append((int(run["seed_init"]), str(run["run_id"]), answers))
    if not by_set:
        return "No run has left its answers to the test examples: these come with a sweep that says replicate."
    if len(by_set) < 2:
        return "All runs have one training set: bias and variance are told apart by two or more."
    inits = _complete([len(trainings) for trainings in by_set.values()])
    sets = {seed: sorted(trainings)[:inits] for seed, trainings in sorted(by_set.items()) if len(trainings) >= inits}
    chosen = [arrays[run] for trainings in sets.values() for _, run, _ in trainings]
    shapes = {answers.shape for trainings in sets.values() for *_, answers in trainings}
    if not _same_points(chosen) or len(shapes) > 1:
        return "The runs were tested on different examples: their answers cannot be set side by side."
    first = chosen[0]
    targets = np.asarray(first["targets"])
    return Replicates(
        outputs=np.array([[answers for *_, answers in trainings] for trainings in sets.values()]),
        targets=targets.astype(int) if np.issubdtype(targets.dtype, np.integer) else targets.astype(float),
        truth=np.asarray(first["truth"], dtype=float) if "truth" in first else None,
        noise=float(first["noise"]) if "noise" in first else None,
        inputs=np.asarray(first["inputs"], dtype=float).ravel() if "inputs" in first else None,
        datasets=tuple(sets),
        run_ids=np.array([[run for _, run, _ in trainings] for trainings in sets.values()]),
        runs=len(runs),
        diverged=int((runs["outcome"] == Outcome.DIVERGED).sum()),
        planned=_planned(runs),
    )
