"""Lanes and how busy they were, by hand and by a property that any division into lanes must have."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.search.timeline import LONG_IDLE, cuts_of, lanes_of, plot_timeline, timeline_info


def runs(rows: list[tuple[float, float, str]]) -> pd.DataFrame:
    """A frame of runs, each given as (start s, end s, outcome)."""
    return pd.DataFrame(
        [
            {
                "run_id": f"r{k}", "name": f"run {k}", "outcome": outcome, "counts": True, "phase": "search",
                "start_time": 5_000 + 1000 * start, "end_time": 5_000 + 1000 * end,
            }
            for k, (start, end, outcome) in enumerate(rows)
        ]
    )  # fmt: skip


def test_two_workers_are_two_lanes() -> None:
    info = timeline_info(runs([(0, 10, "ok"), (0, 4, "pruned"), (4, 10, "ok"), (10, 12, "ok")]), 0.0)
    assert [span.lane for span in info.spans] == [0, 1, 1, 0]
    assert info.lanes == 2 and info.length == pytest.approx(12)
    assert info.busy == pytest.approx((10 + 4 + 6 + 2) / 24)
    assert info.sentence == "At most 2 runs at one time; over 12 seconds the lanes were busy 92%."


def test_there_are_as_many_lanes_as_runs_at_one_time_and_none_overlap() -> None:
    generator = np.random.default_rng(0)
    starts = np.sort(generator.uniform(0, 100, 200))
    ends = starts + generator.exponential(5, 200)
    lanes = lanes_of(starts.tolist(), ends.tolist())
    at_once = max(int(((starts <= moment) & (ends > moment)).sum()) for moment in starts)
    assert max(lanes) + 1 == at_once
    for lane in set(lanes):
        spans = [(start, end) for start, end, place in zip(starts, ends, lanes, strict=True) if place == lane]
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_a_running_run_ends_now_and_a_clock_that_went_back_makes_no_negative_span() -> None:
    info = timeline_info(runs([(0, math.nan, "running"), (3, 2, "ok")]), now_ms=5_000 + 8_000)
    assert [span.seconds for span in info.spans] == [pytest.approx(8), 0.0]


def test_a_superseded_run_took_time_too() -> None:
    frame = runs([(0, 10, "crashed"), (10, 20, "ok")])
    frame.loc[0, "counts"] = False
    info = timeline_info(frame, 0.0)
    assert info.busy == pytest.approx(1.0) and "1 pale run was trained again" in info.sentence
    assert "one run at a time" in info.sentence


@pytest.mark.parametrize(("length", "unit"), [(30, "seconds"), (600, "minutes"), (10_000, "hours")])
def test_the_axis_counts_in_what_a_person_would(length: float, unit: str) -> None:
    info = timeline_info(runs([(0, length, "ok")]), 0.0)
    assert info.unit[0] == unit
    (bar,) = plot_timeline(info).data
    assert list(bar.x) == pytest.approx([length / {"seconds": 1, "minutes": 60, "hours": 3600}[unit]])


@pytest.mark.parametrize("dark", [False, True])
def test_each_outcome_has_its_bars(dark: bool) -> None:
    outcomes = ["ok", "pruned", "diverged", "stopped", "crashed", "running"]
    frame = runs([(k, k + 1.0, outcome) for k, outcome in enumerate(outcomes)])
    frame.loc[0, "phase"] = "confirm"
    figure = plot_timeline(timeline_info(frame, 0.0), dark=dark)
    drawn: dict[str, Any] = {bar.name: bar for bar in figure.data}
    assert set(drawn) == set(outcomes)
    assert [list(drawn[outcome].base) for outcome in outcomes] == [[k] for k in range(6)]
    assert drawn["ok"].marker.line.width[0] > drawn["pruned"].marker.line.width[0], "confirm runs are outlined"
    assert len({str(bar.marker.color) + str(bar.marker.pattern.shape) for bar in figure.data}) == 6


def test_nothing_ran_yet() -> None:
    info = timeline_info(pd.DataFrame(), 0.0)
    assert not info.spans and info.busy == 0 and not plot_timeline(info).data


def test_long_idle_time_is_cut_out_and_marked() -> None:
    # 20 s of training, an hour of nothing, 20 s of training: of the hour 1 s is left, which is half of LONG_IDLE.
    info = timeline_info(runs([(0, 20, "ok"), (3620, 3640, "ok")]), 0.0)
    assert info.length == pytest.approx(41) and LONG_IDLE == 0.05
    assert info.cuts == [(pytest.approx(20.5), pytest.approx(3599))]
    assert info.busy == pytest.approx(40 / 41)
    assert "without 60 minutes in which nothing ran" in info.sentence
    figure = plot_timeline(info)
    (bars,) = figure.data
    assert list(bars.base) == pytest.approx([0, 21]) and list(bars.x) == pytest.approx([20, 20])
    assert [note.text for note in figure.layout.annotations] == ["60 min"]


def test_short_idle_time_and_the_whole_time_stay_as_they_are() -> None:
    assert cuts_of([0.0, 21.0], [20.0, 41.0]) == ([0.0, 0.0], [])
    assert cuts_of([0.0, 5.0], [100.0, 10.0]) == ([0.0, 0.0], []), "a run within another leaves no gap"
    assert cuts_of([], []) == ([], [])
    generator = np.random.default_rng(2)
    starts = np.sort(generator.uniform(0, 1000, 50))
    ends = starts + generator.exponential(3, 50)
    before, marks = cuts_of(starts.tolist(), ends.tolist())
    assert before[-1] == pytest.approx(sum(seconds for _, seconds in marks)), "nothing is lost but what is marked"
    assert (np.diff(starts - np.array(before)) >= -1e-9).all(), "the order stays"
