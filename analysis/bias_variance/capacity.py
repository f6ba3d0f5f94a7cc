"""A risk and its parts along an axis: width, training size, strength of a regularizer, or epochs.

The interpolation threshold is the smallest value of the axis from which on networks fit their training examples: the
mean of the training error stays at or below FITTED of a classification's examples, or FITTED_SHARE of the spread of a
regression's targets.
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
from analysis.figures.param_axis import Along, along
from analysis.statistics import number, plus_minus
from tracking.schema import Outcome

EPOCH: Final = "epoch"
"""The axis of the epochs of one configuration."""
FITTED: Final = 0.01
FITTED_SHARE: Final = 0.05


@dataclass(frozen=True)
class Position:
    """One value of the axis."""

    value: Any
    text: str
    place: float
    found: Replicates | None
    problem: str
    """Why there is nothing to take apart."""
    parts: Decomposition | None
    train: float
    """Mean training error of its runs; nan where it is not known."""
    runs: int
    diverged: int

    @property
    def risks(self) -> dict[Any, float]:
        """Training set -> measured risk."""
        if self.found is None or self.parts is None:
            return {}
        return dict(zip(self.found.datasets, self.parts.risks.tolist(), strict=True))


@dataclass(frozen=True)
class CapacityInfo:
    """What `plot_capacity` draws."""

    axis: Along
    loss: str
    positions: tuple[Position, ...]
    threshold: Position | None
    """From where on the training examples are fitted; None where that is not so or not known."""
    limit: float
    """The training error that counts as fitted."""

    @property
    def drawn(self) -> list[Position]:
        """The positions that could be taken apart."""
        return [each for each in self.positions if each.parts is not None]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.drawn

    @property
    def problem(self) -> str:
        """What is missing, where nothing can be drawn."""
        if not self.empty:
            return ""
        if any(each.diverged and each.diverged == each.runs for each in self.positions):
            return f"All {sum(each.runs for each in self.positions)} runs diverged: there are no answers to take apart."
        return next((each.problem for each in self.positions if each.problem), "No run has come to its end yet.")

    @property
    def kind(self) -> str:
        """How the intervals are named."""
        kinds = sorted({each.parts.kind for each in self.drawn if each.parts is not None} - {""})
        return kinds[0] if len(kinds) == 1 else "95% t-intervals, jackknife over the training sets" if kinds else ""

    @cached_property
    def descent(self) -> Descent | None:
        """The second descent, along capacities in numbers."""
        if self.axis.key == EPOCH or not self.axis.numeric:
            return None
        return descent([each.text for each in self.drawn], [each.risks for each in self.drawn])

    @property
    def sentence(self) -> str:
        """How the parts move along the axis, and where the risk is lowest; plain text."""
        if self.empty:
            return ""
        drawn = self.drawn
        first, last = drawn[0].parts, drawn[-1].parts
        assert first is not None and last is not None
        if len(drawn) == 1:
            parts = ", ".join(f"{part.name} {plus_minus(part.estimate)}" for part in first.parts)
            return f"The {self.loss} of {plus_minus(first.risk)} is made of {parts}."
        lowest = min(drawn, key=lambda each: each.parts.risk.mean if each.parts else math.inf)
        assert lowest.parts is not None
        moves = ", ".join(
            f"{part.name} goes from {plus_minus(part.estimate)} to {plus_minus(last[part.key].estimate)}"
            for part in first.parts
            if part.key != NOISE and part.key in last
        )
        along_it = f"From {self.axis.key} {drawn[0].text} to {drawn[-1].text}" if self.axis.numeric else (
            f"Between {drawn[0].text} and {drawn[-1].text}"
        )  # fmt: skip
        return f"{along_it} {moves}; the {self.loss} is lowest at {lowest.text}: {plus_minus(lowest.parts.risk)}."

    @property
    def notes(self) -> list[str]:
        """What else is to be known of these numbers; sentences of plain text."""
        notes = []
        found = [each.found for each in self.drawn if each.found is not None]
        if any(each.outputs.shape[1] == 1 for each in found):
            notes.append(
                "With one initialisation a training set, variance from the data and from the initialisation cannot be"
                " told apart: they are one part."
            )
        if found and self.loss != ZERO_ONE and not found[0].noisy:
            notes.append(
                "The truth behind the test targets is not known: their noise is a part of bias."
                if found[0].truth is None
                else "The test targets have no noise: all that is not variance is bias."
            )
        if found and self.loss == ZERO_ONE:
            notes.append(
                "Domingos' terms: variance on examples that are wrong on the whole takes loss away. The main answer of"
                " finitely many runs is taken for the true one, which makes variance a little too small and bias a"
                " little too large."
            )
        if found and self.loss not in (ZERO_ONE, SQUARED):
            notes.append(f"Probabilities below {FLOOR:g} count as {FLOOR:g}.")
        if any(len(each.outputs) < 3 for each in found):
            notes.append("Below three training sets there is no interval.")
        left: dict[str, list[str]] = {}
        for each in self.drawn:
            if each.found is not None and each.found.note:
                left.setdefault(each.found.note, []).append(each.text)
        everywhere = len(left) == 1 and len(self.drawn) > 1 and len(next(iter(left.values()))) == len(self.drawn)
        notes += [f"At {'each' if everywhere else ', '.join(texts)}: {note}." for note, texts in left.items()]
        if missing := [each for each in self.positions if each.parts is None]:
            notes.append(f"Not drawn: {', '.join(each.text for each in missing)}. {missing[0].problem}")
        return notes

    @property
    def shows(self) -> str:
        """What is to be seen, for a caption."""
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
        """A row a part a value of the axis: estimate, its interval, and of how many it is."""
        rows = [
            {
                self.axis.title: each.text, "loss": self.loss, "part": part.name, "sign": part.sign,
                "estimate": part.estimate.mean, "low": part.estimate.low, "high": part.estimate.high,
                "training sets": each.parts.datasets, "initialisations": each.parts.inits,
                "test examples": each.parts.points, "training error": each.train, "runs": each.runs,
                "diverged": each.diverged,
            }
            for each in self.drawn
            if each.parts is not None
            for part in [*each.parts.parts, Part(RISK, "risk, measured", each.parts.risk)]
        ]  # fmt: skip
        return pd.DataFrame(rows)


def _position(
    value: Any, axis: Along, runs: pd.DataFrame, arrays: Mapping[str, Arrays], loss: str, epoch: int | None, train: str
) -> Position:
    found = replicates(runs, arrays, epoch)
    problem, parts = "", None
    if isinstance(found, str):
        problem = found
    elif loss not in found.losses:
        problem = f"A regression has no {loss}."
    else:
        parts = found.taken_apart(loss)
    ok = runs[runs["outcome"] == Outcome.OK]
    errors = pd.to_numeric(ok[train], errors="coerce").to_numpy(dtype=float) if train in ok else np.array([])
    errors = errors[np.isfinite(errors)]
    return Position(
        value, axis.text(value), axis.place(value), found if not isinstance(found, str) else None, problem, parts,
        float(errors.mean()) if len(errors) else math.nan, len(runs),
        int((runs["outcome"] == Outcome.DIVERGED).sum()),
    )  # fmt: skip


def fitted_from(errors: Sequence[float], limit: float) -> int | None:
    """The place from which on all training errors are at most `limit`; None where the last is not."""
    above = [place for place, error in enumerate(errors) if not error <= limit]
    first = above[-1] + 1 if above else 0
    return first if first < len(errors) else None


def _threshold(axis: Along, positions: Sequence[Position]) -> tuple[Position | None, float]:
    found = [each.found for each in positions if each.found is not None]
    if not found or not axis.numeric or axis.key == EPOCH:
        return None, math.nan
    limit = FITTED if found[0].classes else FITTED_SHARE * float(found[0].targets.std())
    place = fitted_from([each.train for each in positions], limit)
    return (None if place is None else positions[place]), limit


def along_epochs(runs: pd.DataFrame, arrays: Mapping[str, Arrays], loss: str) -> CapacityInfo:
    """The parts along the epochs of one configuration: see `capacity_info`."""
    epochs = epochs_of(runs, arrays)
    axis = along(EPOCH, epochs)
    positions = tuple(_position(epoch, axis, runs, arrays, loss, epoch, "") for epoch in epochs)
    if not positions:
        axis = along(EPOCH, [0])
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
        runs: One row a run that counts: run_id, outcome, seed_data, seed_init, `key`, `train`. Runs with one value of
            the param must differ in their seeds alone.
        arrays: Run -> the arrays of its `tracking.schema.REPLICATE_FILE`.
        key: The param.
        loss: One of `analysis.bias_variance.decomposition.LOSSES`.
        epoch: At which; the last one of each run if not given.
        train: The column of training errors.
    """
    axis = along(key, runs[key].tolist())
    texts = runs[key].map(repr)
    positions = tuple(
        _position(value, axis, runs[texts == repr(value)], arrays, loss, epoch, train) for value in axis.values
    )
    return CapacityInfo(axis, loss, positions, *_threshold(axis, positions))
