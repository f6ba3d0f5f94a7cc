"""What misleads in how a run was logged: steps logged twice, steps that count different things, wrong times.

A job that was resumed logs some steps again: the latest value of a step stands, as in MLflow, and a sentence says so.
Runs of different programs may count epochs or batches as their steps: nothing in a store says which, so they are only
suspected, by two signs together. Both the distance between two logged steps and the last step have to be ten times
those of another run. Runs that are merely longer have the same distance; runs that are merely logged less often end at
the same step.
A program that logs seconds, or its steps, as milliseconds dates its values to 1970: such a run has no clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.words import joined, some

SINCE_START: Final = "seconds since the run's start"
FACTOR: Final = 10.0
"""From this ratio on, steps are suspected to count different things."""
FEWEST_STEPS: Final = 3
"""Below this many logged steps a history has no usual distance between them."""
EARLY_MS: Final = 60_000
"""How much the clocks of two machines may differ."""
LATE_MS: Final = 2 * 365 * 86_400_000
"""How long after a run's end its values cannot have been logged."""
MOST_NAMED: Final = 3
"""How many runs a sentence names."""


def _listed(names: Sequence[str]) -> str:
    """`a, b and c`; `a, b, c and 3 others`."""
    return some(names, MOST_NAMED, "{:,} others") if len(names) > MOST_NAMED + 1 else joined(names)


def latest(history: pd.DataFrame) -> pd.DataFrame:
    """The latest value of each step, in the order of the steps.

    Args:
        history: One metric of one run [step, ...], the values of a step in the order of their times.
    """
    return history.drop_duplicates("step", keep="last").sort_values("step")


# Steps that were logged more than once


@dataclass(frozen=True)
class Repeats:
    """The steps of one history that were logged more than once, with different values."""

    name: str
    """The name of the run or the metric whose history it is."""
    steps: str
    """`steps 5 to 9`"""
    times: int
    """How often the step was logged that was logged most often."""


def repeats(name: str, history: pd.DataFrame) -> Repeats | None:
    """The repeated steps of a history; None where each step has one value.

    Args:
        name: The name of the run or the metric whose history it is.
        history: One metric of one run [step, value].
    """
    if not history["step"].duplicated().any():
        return None
    values = history.drop_duplicates(["step", "value"])
    counts = values["step"].value_counts()
    again = sorted(int(step) for step in counts.index[counts > 1])
    if not again:
        return None
    first, last = again[0], again[-1]
    between = int(history["step"][history["step"].between(first, last)].nunique())
    if first == last:
        steps = f"step {first:,}"
    elif between == len(again):
        steps = f"steps {first:,} to {last:,}"
    else:
        steps = f"{len(again):,} of the steps {first:,} to {last:,}"
    return Repeats(name, steps, int(counts.max()))


def repeats_of(histories: pd.DataFrame, names: Mapping[str, str]) -> list[Repeats]:
    """The repeated steps of several runs in one metric.

    Args:
        histories: The metric in long form: run_id, step, value.
        names: The name of each run by its id.
    """
    of_runs = [repeats(names[str(run)], history) for run, history in histories.groupby("run_id", sort=False)]
    return [repeated for repeated in of_runs if repeated is not None]


def repeats_sentence(repeated: Sequence[Repeats], what: str = "runs") -> str:
    """The sentence on which steps were logged more than once and which value is shown; empty where none were.

    Args:
        repeated: The histories that repeat steps.
        what: The plural of what their names name.
    """
    if not repeated:
        return ""
    # By name, so that pages with other orders of runs say the same.
    repeated = sorted(repeated, key=lambda history: history.name)
    shown = "the latest value of each step is shown"
    if len({(history.steps, history.times) for history in repeated}) == 1 and len(repeated) <= MOST_NAMED:
        often = "twice" if repeated[0].times == 2 else "more than twice"
        steps = repeated[0].steps[0].upper() + repeated[0].steps[1:]
        were = "was" if steps.startswith("Step ") else "were"
        return f"{steps} of {joined([history.name for history in repeated])} {were} logged {often}: {shown}."
    first = repeated[0]
    many = f"{len(repeated):,} {what} logged some steps" if len(repeated) > 1 else f"{first.name} logged some steps"
    return f"{many} more than once, such as {first.steps} of {first.name}: {shown}."


# Steps that count other things


def mixed_steps_sentence(histories: Iterable[tuple[str, np.ndarray]]) -> str:
    """The sentence that one history's steps seem to count something else than another's; empty where none do.

    Args:
        histories: The name of each history, a run's or a metric's, and its logged steps, ascending.
    """
    usual = [(name, steps) for name, steps in histories if len(steps) >= FEWEST_STEPS]
    if not usual:
        return ""
    strides = np.array([float(np.median(np.diff(steps))) for _, steps in usual])
    ends = np.array([float(steps[-1]) for _, steps in usual])
    # For each history sorted by its stride: how far the furthest of the histories that are as coarse or coarser goes.
    order = np.argsort(strides)
    furthest = np.append(np.maximum.accumulate(ends[order][::-1])[::-1], -np.inf)
    reached = furthest[np.searchsorted(strides[order], FACTOR * strides)]
    finer = np.flatnonzero((ends > 0) & (reached >= FACTOR * ends))
    if not len(finer):
        return ""
    first = finer[0]
    other = np.flatnonzero((strides >= FACTOR * strides[first]) & (ends >= FACTOR * ends[first]))[0]
    fine, coarse = (
        f"{usual[place][0]} has one value per {_steps_words(strides[place])}, up to step {ends[place]:,.6g}"
        for place in (first, other)
    )
    return f"These steps may not count the same thing, such as epochs and batches: {fine}; {coarse}."


def _steps_words(stride: float) -> str:
    return "step" if stride == 1 else f"{stride:,.6g} steps"


def foreign_steps_sentence(names: Sequence[str]) -> str:
    """The sentence that the steps of some runs beside Sweepboard's need not be epochs; empty where there are none.

    Args:
        names: The runs that other programs trained.
    """
    if not names:
        return ""
    return f"The steps of {_listed(names)} were counted by another program: they may not be epochs."


def unplaced_sentence(names: Sequence[str], axis: str) -> str:
    """The sentence on which runs have no place on an axis; empty where all have one.

    Args:
        names: The runs that did not log their values on it.
        axis: What the axis shows.
    """
    if not names:
        return ""
    are, they = ("is", "it") if len(names) == 1 else ("are", "they")
    return f"{_listed(names)} {are} not drawn: {they} logged no {axis}."


# Times


def in_time(first: float, last: float, start: float, end: float) -> bool:
    """Whether values logged from `first` to `last` can be a run's: neither before its start nor years after its end.

    Args:
        first: The earliest time, in milliseconds, as all times here.
        last: The latest time.
        start: When the run started; 0 where that is not known.
        end: When the run ended; nan while it trains.
    """
    known_end = max(start, end if math.isfinite(end) else first)
    return start > 0 and first >= start - EARLY_MS and last <= known_end + LATE_MS


def clock_sentence(dated: Sequence[tuple[str, float]]) -> str:
    """The sentence on what is not drawn over time, and why; empty where all is drawn.

    Args:
        dated: The name of each run or metric that is not drawn, and a time of it that is not `in_time`.
    """
    if not dated:
        return ""
    are, their = ("is", "its") if len(dated) == 1 else ("are", "their")
    day = _day(dated[0][1])
    when = f"times such as {day}" if day else "times"
    who = f"{_listed([name for name, _ in dated])} {are} not drawn over time"
    return f"{who}: {their} values have {when}, before the run's start or years after its end."


def _day(milliseconds: float) -> str:
    """The date of a time; empty where the calendar does not reach so far."""
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d}"
    except (ValueError, OverflowError, OSError):
        return ""


def since_start(histories: pd.DataFrame, runs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The seconds from each run's start to each of its values, without the runs whose times are wrong.

    Args:
        histories: In long form: run_id, key, step, time (milliseconds), value.
        runs: One row per run: run_id, name, start_time, end_time (milliseconds, missing while it trains).

    Returns:
        The same rows as if the seconds had been logged as SINCE_START, and a sentence that names the runs left out.
    """
    if not len(histories):
        return histories, ""
    about = runs.drop_duplicates("run_id").set_index("run_id")
    starts = about["start_time"].astype(float)
    ends = pd.to_numeric(about["end_time"], errors="coerce").astype(float)
    wrong = {}
    for run, first, last in histories.groupby("run_id")["time"].agg(["min", "max"]).itertuples():
        if not in_time(first, last, starts[run], ends[run]):
            wrong[run] = first if first < starts[run] else last
    rest = histories[~histories["run_id"].isin(list(wrong))]
    seconds = (rest["time"].astype(float) - rest["run_id"].map(starts).astype(float)) / 1000
    sentence = clock_sentence([(about["name"][run] or run[:8], time) for run, time in wrong.items()])
    return rest.assign(key=SINCE_START, value=seconds), sentence


def duration_seconds(starts: pd.Series[Any], ends: pd.Series[Any]) -> pd.Series[Any]:
    """How long runs took; nan where a run has no end, or one before its start.

    Args:
        starts: The starts in milliseconds.
        ends: The ends in milliseconds, missing while a run trains.
    """
    seconds = (pd.to_numeric(ends, errors="coerce").astype(float) - starts.astype(float)) / 1000
    return seconds.where(seconds >= 0)
