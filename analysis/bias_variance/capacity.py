"""A risk and its parts over an axis: width, training size, strength of a regularizer, or epochs.

The interpolation threshold is the smallest value of the axis from which networks fit their training examples: the mean
training error stays at or below FITTED (the share of a classification's examples), or at or below FITTED_SHARE of the
spread of a regression's targets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.bias_variance.decomposition import FLOOR, HELPS, NOISE, RISK, SQUARED, ZERO_ONE, Decomposition, Part
from analysis.bias_variance.double_descent import Descent, descent
from analysis.bias_variance.replicates import Arrays, Replicates, epochs_of, replicates
from analysis.figures.param_axis import ParamAxis, axis_of
from analysis.statistics import number, plus_minus
from tracking.schema import Outcome

EPOCH: Final = "epoch"
"""The axis of the epochs of one configuration."""
FITTED: Final = 0.01
"""A classification is fitted if this share of its training examples is wrong, or less."""
FITTED_SHARE: Final = 0.05
"""A regression is fitted if its training error is this share of the targets' deviation, or less."""


@dataclass(frozen=True)
class Position:
    """One value of the axis."""

    value: Any
    text: str
    place: float
    replicates: Replicates | None
    """The answers of its runs; None where they cannot be used."""
    problem: str
    """Why its risk has no parts; empty where it has."""
    parts: Decomposition | None
    train: float
    """The mean training error of its runs; nan where it is not known."""
    runs: int
    diverged: int

    @property
    def risks(self) -> dict[Any, float]:
        """The measured risk by training set."""
        if self.replicates is None or self.parts is None:
            return {}
        return dict(zip(self.replicates.datasets, self.parts.risks.tolist(), strict=True))


@dataclass(frozen=True)
class CapacityInfo:
    """The parts of a risk at each value of an axis, as `plot_capacity` draws them."""

    axis: ParamAxis
    loss: str
    positions: tuple[Position, ...]
    threshold: Position | None
    """The first position from which the training examples are fitted; None where there is none or it is not known."""
    limit: float
    """The training error that counts as fitted."""

    @property
    def drawn(self) -> list[Position]:
        """The positions whose risk has parts."""
        return [position for position in self.positions if position.parts is not None]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.drawn

    @property
    def problem(self) -> str:
        """Why nothing can be drawn; empty where something can."""
        if not self.empty:
            return ""
        if any(position.diverged and position.diverged == position.runs for position in self.positions):
            runs = sum(position.runs for position in self.positions)
            return f"All {runs} runs diverged: there are no answers to take apart."
        problems = (position.problem for position in self.positions if position.problem)
        return next(problems, "No run has come to its end yet.")

    @property
    def kind(self) -> str:
        """The name of the intervals on the figure; empty where there are none."""
        kinds = {position.parts.kind for position in self.drawn if position.parts is not None} - {""}
        if len(kinds) > 1:
            return "95% t-intervals, jackknife over the training sets"
        return kinds.pop() if kinds else ""

    @cached_property
    def descent(self) -> Descent | None:
        """The second descent; None over epochs, over values that are no numbers, and where the risk has no peak."""
        if self.axis.key == EPOCH or not self.axis.numeric:
            return None
        return descent([position.text for position in self.drawn], [position.risks for position in self.drawn])

    @property
    def sentence(self) -> str:
        """How the parts change over the axis, and where the risk is lowest, in plain text."""
        if self.empty:
            return ""
        drawn = self.drawn
        first, last = drawn[0].parts, drawn[-1].parts
        assert first is not None and last is not None
        if len(drawn) == 1:
            parts = ", ".join(f"{part.name} {plus_minus(part.estimate)}" for part in first.parts)
            return f"The {self.loss} of {plus_minus(first.risk)} is made of {parts}."
        lowest = min(drawn, key=lambda position: position.parts.risk.mean if position.parts else math.inf)
        assert lowest.parts is not None
        changes = ", ".join(
            f"{part.name} goes from {plus_minus(part.estimate)} to {plus_minus(last[part.key].estimate)}"
            for part in first.parts
            if part.key != NOISE and part.key in last
        )
        over = f"Between {drawn[0].text} and {drawn[-1].text}"
        if self.axis.numeric:
            over = f"From {self.axis.key} {drawn[0].text} to {drawn[-1].text}"
        return f"{over} {changes}; the {self.loss} is lowest at {lowest.text}: {plus_minus(lowest.parts.risk)}."

    @property
    def notes(self) -> list[str]:
        """Sentences in plain text on the limits of these numbers."""
        answers = [position.replicates for position in self.drawn if position.replicates is not None]
        return [*_method_notes(self.loss, answers), *self._run_notes, *self._missing_notes]

    @property
    def _run_notes(self) -> list[str]:
        """Which runs are not used, once for all positions of which the same is true."""
        texts_by_note: dict[str, list[str]] = {}
        for position in self.drawn:
            if position.replicates is not None and position.replicates.note:
                texts_by_note.setdefault(position.replicates.note, []).append(position.text)
        everywhere = len(self.drawn) > 1 and [len(texts) for texts in texts_by_note.values()] == [len(self.drawn)]
        return [f"At {'each' if everywhere else ', '.join(texts)}: {note}." for note, texts in texts_by_note.items()]

    @property
    def _missing_notes(self) -> list[str]:
        missing = [position for position in self.positions if position.parts is None]
        if not missing:
            return []
        return [f"Not drawn: {', '.join(position.text for position in missing)}. {missing[0].problem}"]

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        return f"The {self.loss} on {self._parts.points} test examples and its parts along {self.axis.title}"

    @property
    def n(self) -> str:
        """`n=5 training sets with 3 initialisations each`."""
        return f"n={self._parts.datasets} training sets with {self._parts.inits} initialisations each"

    @property
    def _parts(self) -> Decomposition:
        """The parts at the first position that is drawn: all have as many training sets and test examples."""
        return next(position.parts for position in self.drawn if position.parts is not None)

    @property
    def interval(self) -> str:
        """The kind of the intervals; nothing where there are none."""
        return self.kind

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        words = [
            "Bars are the parts of the risk, the line the risk as it was measured on the test examples, dots one"
            " training set each"
        ]
        if any(position.parts is not None and HELPS in position.parts for position in self.drawn):
            words += ["what hangs below zero is taken away"]
        else:
            words += ["an estimate below zero hangs below it"]
        words += [f"below, each part with its {self.kind}"] if self.kind else ["below three training sets no interval"]
        if self.threshold is not None:
            words += [f"from the dashed line on the mean training error is at most {number(self.limit, 2)}"]
        return "; ".join(words) + "."

    def frame(self) -> pd.DataFrame:
        """One row per part and value of the axis: the estimate, its interval, and the numbers of runs behind it."""
        rows = [
            {
                self.axis.title: position.text,
                "loss": self.loss,
                "part": part.name,
                "sign": part.sign,
                "estimate": part.estimate.mean,
                "low": part.estimate.low,
                "high": part.estimate.high,
                "training sets": position.parts.datasets,
                "initialisations": position.parts.inits,
                "test examples": position.parts.points,
                "training error": position.train,
                "runs": position.runs,
                "diverged": position.diverged,
            }
            for position in self.drawn
            if position.parts is not None
            for part in [*position.parts.parts, Part(RISK, "risk, measured", position.parts.risk)]
        ]
        return pd.DataFrame(rows)


def _method_notes(loss: str, answers: Sequence[Replicates]) -> list[str]:
    """Sentences on what can be concluded from these answers with this loss, and what cannot."""
    if not answers:
        return []
    notes = []
    if any(replicates.outputs.shape[1] == 1 for replicates in answers):
        notes.append(
            "With one initialisation a training set, variance from the data and from the initialisation cannot be"
            " told apart: they are one part."
        )
    if loss != ZERO_ONE and not answers[0].noisy:
        notes.append(
            "The truth behind the test targets is not known: their noise is a part of bias."
            if answers[0].truth is None
            else "The test targets have no noise: all that is not variance is bias."
        )
    if loss == ZERO_ONE:
        notes.append(
            "Domingos' terms: variance on examples that are wrong on the whole takes loss away. The main answer of"
            " finitely many runs is taken for the true one, which makes variance a little too small and bias a"
            " little too large."
        )
    if loss not in (ZERO_ONE, SQUARED):
        notes.append(f"Probabilities below {FLOOR:g} count as {FLOOR:g}.")
    if any(len(replicates.outputs) < 3 for replicates in answers):
        notes.append("Below three training sets there is no interval.")
    return notes


def _position(
    value: Any,
    axis: ParamAxis,
    runs: pd.DataFrame,
    arrays: Mapping[str, Arrays],
    loss: str,
    epoch: int | None,
    train: str,
) -> Position:
    answers = replicates(runs, arrays, epoch)
    problem, parts = "", None
    if isinstance(answers, str):
        problem = answers
    elif loss not in answers.losses:
        problem = f"A regression has no {loss}."
    else:
        parts = answers.taken_apart(loss)
    ok = runs[runs["outcome"] == Outcome.OK]
    errors = pd.to_numeric(ok[train], errors="coerce").to_numpy(dtype=float) if train in ok else np.array([])
    errors = errors[np.isfinite(errors)]
    return Position(
        value,
        text=axis.text(value),
        place=axis.place(value),
        replicates=answers if isinstance(answers, Replicates) else None,
        problem=problem,
        parts=parts,
        train=float(errors.mean()) if len(errors) else math.nan,
        runs=len(runs),
        diverged=int((runs["outcome"] == Outcome.DIVERGED).sum()),
    )


def fitted_from(errors: Sequence[float], limit: float) -> int | None:
    """The place from which all training errors are at most `limit`; None where the last one is not."""
    above = [place for place, error in enumerate(errors) if not error <= limit]
    first = above[-1] + 1 if above else 0
    return first if first < len(errors) else None


def _threshold(axis: ParamAxis, positions: Sequence[Position]) -> tuple[Position | None, float]:
    """The interpolation threshold, and the training error that counts as fitted."""
    answers = next((position.replicates for position in positions if position.replicates is not None), None)
    if answers is None or not axis.numeric or axis.key == EPOCH:
        return None, math.nan
    limit = FITTED if answers.classes else FITTED_SHARE * float(answers.targets.std())
    place = fitted_from([position.train for position in positions], limit)
    return (None if place is None else positions[place]), limit


def along_epochs(runs: pd.DataFrame, arrays: Mapping[str, Arrays], loss: str) -> CapacityInfo:
    """The parts over the epochs of one configuration: see `capacity_info`."""
    epochs = epochs_of(runs, arrays)
    axis = axis_of(EPOCH, epochs)
    positions = tuple(_position(epoch, axis, runs, arrays, loss, epoch, "") for epoch in epochs)
    if not positions:
        axis = axis_of(EPOCH, [0])
        positions = (_position(0, axis, runs, arrays, loss, None, ""),)
    return CapacityInfo(axis, loss, positions, None, math.nan)


def capacity_info(
    runs: pd.DataFrame,
    arrays: Mapping[str, Arrays],
    key: str,
    loss: str,
    *,
    epoch: int | None = None,
    train: str = "train",
) -> CapacityInfo:
    """The parts of a risk at each value of a param.

    Args:
        runs: One row per run that counts: run_id, outcome, seed_data, seed_init, `key`, `train`. Runs with one value of
            the param must differ in their seeds alone.
        arrays: The arrays of each run's `tracking.schema.REPLICATE_FILE`, by its id.
        key: The param.
        loss: One of `analysis.bias_variance.decomposition.LOSSES`.
        epoch: The epoch of the answers; the last one of each run if not given.
        train: The column of training errors.
    """
    axis = axis_of(key, runs[key].tolist())
    texts = runs[key].map(repr)
    positions = tuple(
        _position(value, axis, runs[texts == repr(value)], arrays, loss, epoch, train) for value in axis.values
    )
    return CapacityInfo(axis, loss, positions, *_threshold(axis, positions))
