"""Steps logged twice, steps that count other things and times that are none are found, and nothing else is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.runs.steps_and_times import (
    clock_sentence,
    duration_seconds,
    foreign_steps_sentence,
    in_time,
    latest,
    mixed_steps_sentence,
    repeats,
    repeats_sentence,
    since_start,
)

DAY = 86_400_000
NOW = 20_000 * DAY
"""A day of the year 2024, in milliseconds."""


def history(pairs: Any) -> pd.DataFrame:
    """One metric of one run, by step and then as it was logged."""
    frame = pd.DataFrame(pairs, columns=["step", "value"])
    return frame.sort_values("step", kind="stable")


def resumed(first: int, again: range) -> pd.DataFrame:
    """A job that logged `first` steps, and then some of them again with other values."""
    return history([(step, 1.0 / (step + 1)) for step in range(first)] + [(step, 0.5 - step / 99) for step in again])


# Steps that were logged more than once


def test_a_resumed_job_is_told_apart_from_one_that_was_not() -> None:
    repeat = repeats("seed 0", resumed(10, range(5, 15)))
    assert repeat is not None and (repeat.steps, repeat.times) == ("steps 5 to 9", 2)
    assert repeats("seed 0", resumed(10, range(10, 15))) is None


def test_the_latest_value_of_a_step_stands() -> None:
    assert latest(resumed(10, range(5, 15)))["value"].tolist() == pytest.approx(
        [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, *(0.5 - step / 99 for step in range(5, 15))]
    )


def test_the_same_value_logged_twice_hides_nothing() -> None:
    assert repeats("a", history([(0, 1.0), (1, 0.5), (1, 0.5), (2, math.nan), (2, math.nan)])) is None
    assert repeats("a", history([(0, 1.0), (1, 0.5), (1, math.nan)])) is not None


@pytest.mark.parametrize(
    ("histories", "sentence"),
    [
        ({"a": resumed(10, range(5, 15))}, "Steps 5 to 9 of a were logged twice: "),
        ({"a": resumed(4, range(3, 9)), "b": resumed(4, range(3, 5))}, "Step 3 of a and b was logged twice: "),
        ({"a": history([(0, 1.0), (0, 2.0), (0, 3.0)])}, "Step 0 of a was logged more than twice: "),
        ({"a": resumed(10, range(5, 15)), "b": resumed(9, range(5, 15))},
         "2 runs logged some steps more than once, such as steps 5 to 9 of a: "),
        ({name: resumed(10, range(5, 15)) for name in "abcd"},
         "4 runs logged some steps more than once, such as steps 5 to 9 of a: "),
        ({"a": history([(step, value) for step in range(9) for value in (1.0, 1.0 + step % 2)])},
         "4 of the steps 1 to 7 of a were logged twice: "),
        ({"a": resumed(10, range(10, 15))}, ""),
    ],
)  # fmt: skip
def test_one_sentence_says_which_steps_and_which_value(histories: dict[str, pd.DataFrame], sentence: str) -> None:
    repeated = [repeats(name, history) for name, history in histories.items()]
    text = repeats_sentence([repeat for repeat in repeated if repeat is not None])
    assert text == (sentence and f"{sentence}the latest value of each step is shown.")


# Steps that count other things


def steps(stride: int, count: int, first: int = 0) -> np.ndarray:
    return first + stride * np.arange(count, dtype=float)


@pytest.mark.parametrize(
    "runs",
    [
        {"long": steps(1, 2000), "short": steps(1, 10)},
        {"often": steps(1, 1001), "rarely": steps(100, 11)},
        {"stopped early, logged often": steps(10, 40), "whole, logged rarely": steps(50, 21)},
        {"epochs": steps(1, 20), "one value at the end": np.array([9380.0])},
        {"epochs": steps(1, 20), "two values": np.array([0.0, 9380.0])},
        {"from one": steps(1, 20, 1), "from zero": steps(1, 20)},
        {"nothing": np.array([]), "negative": np.array([-5.0, -4.0, -3.0])},
    ],
)
def test_ordinary_runs_of_different_lengths_raise_no_alarm(runs: dict[str, np.ndarray]) -> None:
    assert mixed_steps_sentence(runs.items()) == ""


@pytest.mark.parametrize("batches", [steps(469, 20, 468), steps(100, 94)])
def test_epochs_beside_batches_are_said(batches: np.ndarray) -> None:
    others = {"a": steps(1, 20), "b": steps(1, 12)}
    text = mixed_steps_sentence({"trained elsewhere": batches, **others}.items())
    fine = "a has one value per step, up to step 19"
    coarse = f"trained elsewhere has one value per {batches[1] - batches[0]:.0f} steps, up to step {batches[-1]:,.0f}"
    assert text == f"These steps may not count the same thing, such as epochs and batches: {fine}; {coarse}."


# Times


@pytest.mark.parametrize(
    ("first", "last", "start", "end", "right"),
    [
        (NOW, NOW + DAY, NOW, NOW + DAY, True),
        (NOW - 500, NOW, NOW, NOW + DAY, True),  # two clocks
        (NOW, NOW + 300 * DAY, NOW, math.nan, True),  # still trains
        (NOW, NOW + 1000, NOW, NOW - 5000, True),  # ended before it began
        (0, 99, NOW, NOW + DAY, False),  # a step given as time
        (NOW // 1000, NOW // 1000 + 99, NOW, NOW, False),  # seconds
        (NOW * 1000, NOW * 1000 + 99, NOW, NOW, False),  # microseconds
        (NOW, NOW * 1000, NOW, math.nan, False),
        (NOW, NOW + 99, 0, NOW, False),  # nobody knows when it began
    ],
)
def test_a_time_lies_within_the_run(first: float, last: float, start: float, end: float, right: bool) -> None:
    assert in_time(first, last, start, end) is right


def test_seconds_since_the_start_are_those_of_runs_with_a_clock() -> None:
    runs = pd.DataFrame(
        {"run_id": ["a", "b"], "name": ["good", "in seconds"], "start_time": [NOW, NOW], "end_time": [NOW + DAY, pd.NA]}
    )
    times = {"a": [NOW + 1000, NOW + 2500], "b": [NOW // 1000, NOW // 1000 + 1]}
    rows = [(run, "loss", step, time, 1.0) for run, stamps in times.items() for step, time in enumerate(stamps)]
    frame, sentence = since_start(pd.DataFrame(rows, columns=["run_id", "key", "step", "time", "value"]), runs)
    assert frame["run_id"].tolist() == ["a", "a"] and frame["value"].tolist() == [1.0, 2.5]
    assert sentence == (
        "in seconds is not drawn over time: its values have times such as 1970-01-21, before the run's start or years "
        "after its end."
    )


def test_a_time_beyond_the_calendar_is_said_without_a_date() -> None:
    text = clock_sentence([(name, 1e18) for name in "abcdef"])
    assert text.startswith("a, b, c and 3 others are not drawn over time: their values have times, before")
    assert clock_sentence([]) == ""


def test_a_run_that_ended_before_it_began_has_no_duration() -> None:
    seconds = duration_seconds(pd.Series([1000, 1000, 1000]), pd.array([3500, 500, pd.NA], dtype="Int64"))
    assert seconds.fillna(-1).tolist() == [2.5, -1, -1]


def test_steps_of_runs_from_elsewhere_are_named_beside_ours() -> None:
    assert foreign_steps_sentence([]) == ""
    assert foreign_steps_sentence(["a", "b"]).startswith("The steps of a and b were counted by another program")
    assert foreign_steps_sentence([*"abcdef"]).startswith("The steps of a, b, c and 3 others were counted by")
    assert foreign_steps_sentence([*"abcd"]).startswith("The steps of a, b, c and d were counted by another program")
