"""Time to target: the step function, misses, and the exact interval."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.figures.curves import curves_info
from analysis.optimizers.time_to_target import clopper_pearson, default_target, plot_targets, targets_info
from analysis.runs.ranking import ranking


def curves(
    courses: dict[str, list[list[float]]], outcomes: dict[str, list[str]] | None = None, along: bool = False
) -> Any:
    """Curves from the values of each seed's epochs by method, 10 updates an epoch."""
    runs, points = [], []
    for trial, (method, seeds) in enumerate(courses.items()):
        for seed, values in enumerate(seeds):
            run = f"{method}-{seed}"
            outcome = (outcomes or {}).get(method, ["ok"] * len(seeds))[seed]
            runs.append((run, method, trial, seed, outcome, True, 1.0, method))
            for step, value in enumerate(values, start=1):
                points += [(run, "val/loss", step, value), (run, "opt/steps", step, 10.0 * step)]
    columns = ["run_id", "group", "trial", "seed", "outcome", "counts", "objective", "optimizer.name"]
    frame = pd.DataFrame(runs, columns=columns)
    histories = pd.DataFrame(points, columns=["run_id", "key", "step", "value"])
    return curves_info(
        histories, frame, ranking(frame, ["optimizer.name"]), "val/loss", along="opt/steps" if along else None,
        axis="optimizer updates" if along else "epoch",
    )  # fmt: skip


def by_name(info: Any) -> dict[str, Any]:
    return {line.method: line for line in info.lines}


def test_a_run_is_there_when_it_is_first_at_or_below() -> None:
    info = targets_info(curves({"a": [[3, 2, 1, 2], [3, 3, 3, 2], [3, 3, 3, 3]]}, along=True), 2.0)
    (line,) = info.lines
    assert [run.at for run in line.runs] == [20, 40, math.inf] and line.missed == 1
    x, y = line.steps(info.end)
    assert x.tolist() == [0, 20, 40, 40] and y == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3])
    assert line.words == "1 of 3 missed" and line.median == 40
    assert info.axis == "optimizer updates"


def test_the_step_function_is_the_empirical_distribution() -> None:
    times = np.random.default_rng(0).integers(1, 30, size=12).tolist()
    courses = [[1.0] * (time - 1) + [0.0] * (31 - time) for time in times]
    (line,) = targets_info(curves({"a": courses}), 0.5).lines
    theirs = stats.ecdf(times).cdf
    x, y = line.steps(30.0)
    for at in range(31):
        assert y[np.flatnonzero(x <= at)[-1]] == pytest.approx(theirs.evaluate(at))


def test_diverged_runs_missed_whatever_they_had_reached_and_others_wait() -> None:
    courses = {"a": [[3, 1], [3, 1], [3, 1], [3, 1]]}
    info = targets_info(curves(courses, {"a": ["ok", "diverged", "running", "crashed"]}), 2.0)
    (line,) = info.lines
    assert (line.n, line.missed, line.unfinished) == (2, 1, 2)
    assert info.n == "n=2 seeds" and info.reading.endswith(" 2 runs without a result left out.")
    assert info.shows == "Share of runs that reach val/loss 2 against epoch" and "Clopper" in info.interval
    assert line.words == "1 of 2 missed, 1 diverged" and line.share == 0.5
    silent = targets_info(curves({"a": [[3, 1], []]}), 2.0).lines[0]
    assert (silent.n, silent.unfinished) == (1, 1), "a run that never logged the metric is no miss"


def test_the_default_target_is_what_three_of_four_finite_runs_reach() -> None:
    values = np.random.default_rng(2).gamma(2.0, size=17)
    metric_curves = curves({"a": [[9.0, float(value), 9.0] for value in values], "b": [[0.0001]]}, {"b": ["diverged"]})
    target = default_target(metric_curves)
    reach = sum(value <= target for value in values)
    assert reach >= 0.75 * 17 and sum(value <= target * 0.98 for value in values) <= reach
    assert len(f"{target:.12g}".replace(".", "").lstrip("0")) <= 3
    assert targets_info(metric_curves).target == target
    assert default_target(curves({"a": [[float(k)] for k in range(1, 6)]})) == 4, "three of five are less than 75%"
    assert math.isnan(default_target(curves({"a": [[1.0]]}, {"a": ["running"]})))
    assert default_target(curves({"a": [[0.0]]})) == 0


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (5, 5), (3, 10), (1, 1), (7, 20)])
def test_the_interval_is_scipys(hits: int, n: int) -> None:
    theirs = stats.binomtest(hits, n).proportion_ci(0.95, "exact")
    assert clopper_pearson(hits, n) == pytest.approx((theirs.low, theirs.high))
    assert all(map(math.isnan, clopper_pearson(0, 0)))


def test_who_is_first_is_a_verdict_only_with_enough_seeds() -> None:
    def courses(at: int, n: int) -> list[list[float]]:
        return [[1.0] * (at + seed % 3) + [0.0] * (20 - at) for seed in range(n)]

    few = targets_info(curves({"fast": courses(2, 3), "slow": courses(9, 3)}), 0.5).sentence
    assert "reached first by fast: in 3 of 3 runs, half of all within 4 epochs" in few and "too few seeds" in few
    many = targets_info(curves({"fast": courses(2, 8), "slow": courses(9, 8)}), 0.5).sentence
    assert many.endswith("sooner than slow (exact test).")
    same = targets_info(curves({"fast": courses(2, 8), "too": courses(2, 8)}), 0.5).sentence
    assert "not to be told from" in same and "sooner" not in same
    never = targets_info(curves({"fast": courses(2, 8), "never": [[1.0] * 20] * 8}), 0.5).sentence
    assert never.endswith("sooner than never (exact test)."), "a miss is later than any"


def test_a_tie_in_the_median_names_all_that_are_as_soon() -> None:
    soon, late = [0.0], [1.0, 0.0]
    tie = targets_info(curves({"a": [soon, soon, late], "b": [soon, soon, [1.0]], "c": [late] * 3}), 0.5).sentence
    assert (
        "equally soon by a and b: half of the runs of each within 1 epoch, of these most often by a; too few seeds"
        in tie
    )
    even = targets_info(curves({"a": [soon] * 8, "b": [soon] * 8, "c": [late] * 8}), 0.5).sentence
    assert "within 1 epoch; a is sooner than c but not to be told from b (exact tests" in even
    assert "1 of 1 run, half of all within 1 epoch." in targets_info(curves({"a": [soon]}), 0.5).sentence


@pytest.mark.parametrize(
    ("axis", "value", "words"),
    [("updates", 54.0, "54 updates"), ("seconds of training", 1.0, "1 second of training"), ("step", 2.0, "2 steps")],
)
def test_times_are_counted(axis: str, value: float, words: str) -> None:
    metric_curves = curves({"a": [[1.0] * (int(value) - 1) + [0.0]]})
    assert f"within {words}." in targets_info(replace(metric_curves, axis=axis), 0.5).sentence


def test_half_of_the_runs_may_never_arrive() -> None:
    info = targets_info(curves({"a": [[0.0], [1.0], [1.0]], "b": [[1.0], [1.0], [1.0]]}), 0.5)
    assert info.sentence == "val/loss 0.5 is reached most often by a, yet in 1 of 3 runs only."
    assert targets_info(curves({"a": [[1.0]]}), 0.5).sentence == "No run reached val/loss 0.5."


def test_edges() -> None:
    empty = targets_info(curves({}))
    assert "has ended yet" in empty.problem and empty.sentence == ""
    lost = targets_info(curves({"a": [[2.0], [2.0]]}, {"a": ["diverged", "diverged"]}), 1.0)
    assert lost.problem == "" and lost.lines[0].share == 0 and len(plot_targets(lost).data)
    gaps = targets_info(curves({"a": [[math.nan, 3.0, 1.0]]}), 2.0)
    assert gaps.lines[0].runs[0].at == 3


@pytest.mark.parametrize("dark", [False, True])
def test_misses_are_visible(dark: bool) -> None:
    info = targets_info(curves({"a": [[3, 1], [3, 3], [3, 3]], "b": [[3, 1]] * 3}), 2.0)
    figure = plot_targets(info, dark=dark)
    lines = {trace.name: trace for trace in figure.data if trace.mode == "lines"}
    assert max(next(trace for name, trace in lines.items() if "2 of 3 missed" in name).y) == pytest.approx(1 / 3)
    assert any(max(trace.y) == 1 for trace in lines.values())
    table = info.table().set_index("method")
    assert table.loc["a", ["reached", "runs"]].tolist() == [1, 3] and len(info.frame()) == 6


def test_rounding_does_not_miss_a_target() -> None:
    assert 0.4 + 0.02 > 0.42
    single = float(np.float32(0.3))
    assert single > 0.3
    for reached, missed, target in ((0.4 + 0.02, 0.42 + 1e-9, 0.42), (single, single + 1e-6, 0.3)):
        (line,) = targets_info(curves({"a": [[64.0, reached], [64.0, missed]]}), target).lines
        assert [run.at for run in line.runs] == [2, math.inf]
