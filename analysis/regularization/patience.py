"""What a patience makes of a run's curve: where it ends, which epoch it chooses, and what that costs.

Patience p ends a run at the first epoch that lies p after the best one so far of the watched metric; the epoch chosen
is that best one (the first of equals). Regret is the error at the chosen epoch minus the lowest that a longer training
reached. Beyond the end of a run nothing is known: where it was itself stopped early, regret is measured against a run
of the same seed and configuration that trained on (patience 0), if there is one, and is else a lower bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.runs.comparison import shown
from analysis.runs.steps_and_times import latest
from tracking.configurations import is_seed
from tracking.schema import Outcome

PATIENCE: Final = "regularization.early_stopping_patience"
"""The param of our runs that stops them early; 0 trains to the end."""
EPOCHS: Final = "trainer.max_epochs"


def simulate(watched: np.ndarray, patience: int) -> tuple[int, int]:
    """Where a patience would have ended a run, and which epoch it would have chosen.

    Args:
        watched: (E,) what is watched after each epoch; what is not finite is never the best.
        patience: Epochs without a new lowest value after which a run ends; 0 never ends it.

    Returns:
        Positions in `watched`: of the last epoch trained, and of the chosen one.

    Raises:
        ValueError: There is no epoch, or patience is negative.
    """
    if patience < 0 or not len(watched):
        raise ValueError(f"patience: {patience} over {len(watched)} epochs is not allowed; allowed: 0 or more, over 1")
    values = np.where(np.isfinite(watched), watched, np.inf)
    lowest = np.minimum.accumulate(values)
    better = np.concatenate([[True], values[1:] < lowest[:-1]])
    best = np.maximum.accumulate(np.where(better, np.arange(len(values)), 0))
    late = np.flatnonzero(np.arange(len(values)) - best >= patience) if patience else np.array([], dtype=int)
    end = int(late[0]) if len(late) else len(values) - 1
    return end, int(best[end])


@dataclass(frozen=True)
class Course:
    """What is known of one training, and what a patience makes of it."""

    run_id: str
    seed: int
    outcome: str
    epochs: np.ndarray
    watched: np.ndarray
    error: np.ndarray
    trained: int
    """How many of these epochs are the run's own; the rest are of another run of the same seed that went on."""
    own_patience: int
    """Of the run itself; 0 where it was to train to the end."""
    planned: float
    """Epochs that it was to train at most; inf where that is not known."""
    data: int = -1
    """The seed of its training set; -1 where it is not known."""

    @property
    def fine(self) -> bool:
        """Whether it ended ok, with a number at every epoch."""
        return self.outcome == Outcome.OK and bool(np.isfinite(self.error).all())

    @property
    def cut(self) -> bool:
        """Whether its own patience ended it, and nothing is known of what came after."""
        waited = len(self.watched) - 1 - simulate(self.watched, 0)[1]
        ended = 0 < self.own_patience <= waited and self.epochs[-1] < self.planned
        return ended and self.trained == len(self.epochs)

    @cached_property
    def lowest(self) -> float:
        """The lowest error that is known of this training."""
        return float(np.nanmin(self.error))

    def stopped(self, patience: int) -> tuple[int, int]:
        """The last and the chosen epoch, as positions."""
        return simulate(self.watched, patience)

    def regret(self, patience: int, *, last: bool = False) -> float:
        """The error at the chosen epoch (or at the last one trained) minus the lowest known.

        Args:
            patience: Simulated.
            last: With the weights of the last epoch instead of those that were best.
        """
        end, chosen = self.stopped(patience)
        return float(self.error[end if last else chosen]) - self.lowest


def longer_runs(runs: pd.DataFrame, patience: str = PATIENCE) -> dict[str, str]:
    """Run -> the run of the same seed and configuration that was not to stop early.

    Args:
        runs: One row a run: run_id, seed, a column a param.
        patience: The param.
    """
    if patience not in runs or not len(runs):
        return {}
    params = [key for key in map(str, runs) if "." in key and key != patience and not is_seed(key)]
    names = [(seed, *(shown(value) for value in row)) for seed, row in zip(
        runs["seed"], runs[params].itertuples(index=False), strict=True
    )]  # fmt: skip
    known = runs["seed"] >= 0
    whole = {
        name: str(run)
        for name, run, value, seeded in zip(names, runs["run_id"], runs[patience], known, strict=True)
        if value == 0 and seeded
    }
    return {
        str(run): whole[name]
        for name, run, value in zip(names, runs["run_id"], runs[patience], strict=True)
        if name in whole and value != 0
    }


def _curve(own: pd.DataFrame | None) -> dict[float, float]:
    if own is None:
        return {}
    own = latest(own)
    return dict(zip(own["step"].astype(float), own["value"].astype(float), strict=True))


def _by_run(histories: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(run): own for run, own in histories.groupby("run_id", sort=False)} if len(histories) else {}


def _whole_number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


def _same_training(own: Mapping[float, float], other: Mapping[float, float]) -> bool:
    """Whether `other` has the same errors up to the end of `own`."""
    shared = [step for step in own if step in other]
    first, second = [own[step] for step in shared], [other[step] for step in shared]
    return len(shared) == len(own) and np.allclose(first, second, rtol=1e-5, atol=1e-7, equal_nan=True)


def courses_of(
    errors: pd.DataFrame, watched: pd.DataFrame, runs: pd.DataFrame, longer: Mapping[str, str]
) -> list[Course]:
    """The courses of runs that ended ok or diverged, with two epochs or more.

    Args:
        errors: Long [run_id, step, value]: the error that is spoken of; those of the longer runs too.
        watched: The same of the metric that early stopping watches, lower is better; may be the same frame.
        runs: One row a run: run_id, seed, outcome and, where they have them, seed_data, PATIENCE and EPOCHS.
        longer: Run -> the run of the same seed that went on, from `longer_runs`.
    """
    error_of, watched_of = _by_run(errors), _by_run(watched)
    found = []
    for row in runs.to_dict("records"):
        run = str(row["run_id"])
        error, seen = _curve(error_of.get(run)), _curve(watched_of.get(run))
        steps = sorted(step for step in error if step in seen)
        if row["outcome"] not in (Outcome.OK, Outcome.DIVERGED) or len(steps) < 2:
            continue
        trained, partner = len(steps), longer.get(run, "")
        on, beside = _curve(error_of.get(partner)), _curve(watched_of.get(partner))
        if _same_training(error, on):
            steps += sorted(step for step in on if step in beside and step > steps[-1])
            error, seen = on | error, beside | seen
        found.append(
            Course(
                run, int(row["seed"]), str(row["outcome"]), np.array(steps), np.array([seen[step] for step in steps]),
                np.array([error[step] for step in steps]), trained, _whole_number(row.get(PATIENCE)),
                _whole_number(row.get(EPOCHS)) or math.inf, int(row.get("seed_data", -1)),
            )
        )  # fmt: skip
    return found
