"""A patience simulated on a run's curve: where it ends, which epoch it chooses, and what that costs.

Patience p ends a run at the first epoch that lies p epochs after the best one so far of the watched metric; that best
epoch is chosen (the first of equals). Regret is the error at the chosen epoch minus the lowest that a longer training
reached. Beyond the end of a run nothing is known: where it was itself stopped early, regret is measured against a run
of the same seed and configuration that trained on (patience 0); without such a run it is a lower bound.
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
"""The param that stops Sweepboard's runs early; 0 trains to the end."""
EPOCHS: Final = "trainer.max_epochs"
"""The param that says how many epochs a run trains at most."""


def simulate(watched: np.ndarray, patience: int) -> tuple[int, int]:
    """Where a patience would have ended a run, and which epoch it would have chosen.

    Args:
        watched: (E,): the watched metric after each epoch; a value that is not finite is never the best.
        patience: After how many epochs without a new lowest value a run ends; 0 never ends it.

    Returns:
        The positions in `watched` of the last epoch trained and of the chosen one.

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
    """The curve of one training, on which patiences are simulated."""

    run_id: str
    seed: int
    outcome: str
    epochs: np.ndarray
    watched: np.ndarray
    error: np.ndarray
    trained: int
    """How many of these epochs are the run's own; the rest are of another run of the same seed that went on."""
    own_patience: int
    """The patience of the run itself; 0 where it was to train to the end."""
    planned: float
    """How many epochs it was to train at most; inf where that is not known."""
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
        """The lowest known error of this training."""
        return float(np.nanmin(self.error))

    def stopped(self, patience: int) -> tuple[int, int]:
        """The positions of the last epoch and of the chosen one."""
        return simulate(self.watched, patience)

    def regret(self, patience: int, *, last: bool = False) -> float:
        """The error at the chosen epoch (or at the last one trained) minus the lowest known.

        Args:
            patience: The patience that is simulated.
            last: Whether to take the weights of the last epoch instead of the best ones.
        """
        end, chosen = self.stopped(patience)
        return float(self.error[end if last else chosen]) - self.lowest


def longer_runs(runs: pd.DataFrame, patience: str = PATIENCE) -> dict[str, str]:
    """For each run that has one, the run of the same seed and configuration that was not to stop early.

    Args:
        runs: One row per run: run_id, seed, one column per param.
        patience: The param that is the patience.
    """
    if patience not in runs or not len(runs):
        return {}
    params = [key for key in map(str, runs) if "." in key and key != patience and not is_seed(key)]
    rows = runs[params].itertuples(index=False)
    names = [(seed, *(shown(value) for value in row)) for seed, row in zip(runs["seed"], rows, strict=True)]
    has_seed = runs["seed"] >= 0
    whole = {
        name: str(run)
        for name, run, value, seeded in zip(names, runs["run_id"], runs[patience], has_seed, strict=True)
        if value == 0 and seeded
    }
    return {
        str(run): whole[name]
        for name, run, value in zip(names, runs["run_id"], runs[patience], strict=True)
        if name in whole and value != 0
    }


def _curve(history: pd.DataFrame | None) -> dict[float, float]:
    """The value of each step; empty without a history."""
    if history is None:
        return {}
    history = latest(history)
    return dict(zip(history["step"].astype(float), history["value"].astype(float), strict=True))


def _by_run(histories: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(run): history for run, history in histories.groupby("run_id", sort=False)} if len(histories) else {}


def _whole_number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


def _same_training(curve: Mapping[float, float], longer: Mapping[float, float]) -> bool:
    """Whether `longer` has the same errors up to the end of `curve`."""
    shared = [step for step in curve if step in longer]
    first, second = [curve[step] for step in shared], [longer[step] for step in shared]
    return len(shared) == len(curve) and np.allclose(first, second, rtol=1e-5, atol=1e-7, equal_nan=True)


def courses_of(
    errors: pd.DataFrame, watched: pd.DataFrame, runs: pd.DataFrame, longer: Mapping[str, str]
) -> list[Course]:
    """The courses of runs that ended ok or diverged, with two epochs or more.

    Args:
        errors: The error in long form [run_id, step, value], of the longer runs too.
        watched: The metric that early stopping watches in the same form, lower is better; may be the same frame.
        runs: One row per run: run_id, seed, outcome and, where they have them, seed_data, PATIENCE and EPOCHS.
        longer: The run of the same seed that went on, for each run that has one, from `longer_runs`.
    """
    errors_by_run, watched_by_run = _by_run(errors), _by_run(watched)
    courses = []
    for row in runs.to_dict("records"):
        run = str(row["run_id"])
        error_at, watched_at = _curve(errors_by_run.get(run)), _curve(watched_by_run.get(run))
        steps = sorted(step for step in error_at if step in watched_at)
        if row["outcome"] not in (Outcome.OK, Outcome.DIVERGED) or len(steps) < 2:
            continue
        trained, partner = len(steps), longer.get(run, "")
        longer_error, longer_watched = _curve(errors_by_run.get(partner)), _curve(watched_by_run.get(partner))
        if _same_training(error_at, longer_error):
            steps += sorted(step for step in longer_error if step in longer_watched and step > steps[-1])
            error_at, watched_at = longer_error | error_at, longer_watched | watched_at
        courses.append(
            Course(
                run,
                seed=int(row["seed"]),
                outcome=str(row["outcome"]),
                epochs=np.array(steps),
                watched=np.array([watched_at[step] for step in steps]),
                error=np.array([error_at[step] for step in steps]),
                trained=trained,
                own_patience=_whole_number(row.get(PATIENCE)),
                planned=_whole_number(row.get(EPOCHS)) or math.inf,
                data=int(row.get("seed_data", -1)),
            )
        )
    return courses
