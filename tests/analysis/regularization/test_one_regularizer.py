"""Isolation: what is drawn is what the runs say, the best against none is corrected, edges are named."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.regularization.one_regularizer import IsolationInfo, isolation_info
from analysis.regularization.one_regularizer_figure import plot_isolation
from analysis.statistics.verdicts import verdicts

L2, LR = "regularization.l2", "optimizer.lr"
LUCK = np.random.default_rng(0).normal(0, 0.01, 8)
"""What the seeds have in common."""


def seeds(mean: float) -> list[float]:
    """Eight results of the given mean, but for the luck, the same in whatever order the tests run."""
    noise = np.random.default_rng(round(1000 * mean)).normal(0, 0.001, 8)
    return (mean + LUCK + noise - noise.mean()).tolist()


def info_of(runs: Any, axis: str = L2, **more: Any) -> IsolationInfo:
    return isolation_info(runs, axis, [L2, LR], metric="val/error", train_metric="train_eval/error", **more)


def test_means_and_intervals_are_scipys(strength_runs: Any) -> None:
    results = {(0.0,): seeds(0.3), (0.01,): seeds(0.2), (0.1,): seeds(0.4)}
    info = info_of(strength_runs(results, [L2]))
    for point, values in zip(info.points, results.values(), strict=True):
        low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert (point.dev.interval.low, point.dev.interval.high) == pytest.approx((low, high))
        assert point.train_interval.mean == pytest.approx(np.mean(values) / 2)
    assert info.n == "n=8 seeds each" and info.band == "95% t-interval, n=8"
    assert info.shows == "val/error against regularization.l2, 3 strengths" and info.interval == info.band


def test_the_best_against_none_is_paired_and_corrected_for_all_strengths(strength_runs: Any) -> None:
    results = {(0.0,): seeds(0.3), (0.001,): seeds(0.29), (0.01,): seeds(0.2), (0.1,): seeds(0.4)}
    info = info_of(strength_runs(results, [L2]))
    assert info.best == 2 and info.none == 0 and info.verdict is not None
    assert info.sentence.startswith("l2 0.01 is better than l2 0: val/error 0.1 lower")
    assert "Holm's correction for 3 pairs" in info.sentence and "n=8 paired seeds" in info.sentence
    alone = verdicts([info.points[2].dev, info.points[0].dev])[0, 1]
    assert info.verdict.p == pytest.approx(3 * alone.p)


def test_one_lucky_seed_is_neither_the_best_nor_the_baseline(strength_runs: Any) -> None:
    results = {(0.05,): [0.1], (0.1,): seeds(0.4), (0.2,): [0.5]}
    info = isolation_info(strength_runs(results, [LR]), LR, metric="val/error")
    assert info.best == 1 and info.verdict is None and info.sentence.startswith("Best at lr 0.1: val/error 0.4")
    assert "dotted" not in info.reading and not plot_isolation(info).layout.shapes


def test_the_dotted_line_is_named_by_what_it_is(strength_runs: Any) -> None:
    info = isolation_info(strength_runs({(0.05,): seeds(0.3), (0.1,): seeds(0.4)}, [LR]), LR, metric="val/error")
    assert "the dotted line is the mean of lr 0.05" in info.reading
    assert "is the mean of none" in info_of(strength_runs({(0.0,): seeds(0.3), (0.1,): seeds(0.4)}, [L2])).reading


def test_where_none_is_the_best_the_sentence_says_so(strength_runs: Any) -> None:
    info = info_of(strength_runs({(0.0,): seeds(0.1), (0.01,): seeds(0.2), (0.1,): seeds(0.4)}, [L2]))
    assert info.best == info.none == 0
    assert info.sentence.startswith("No strength of l2 has a lower mean than l2 0. l2 0.01 is worse than l2 0")
    assert info.edge == "", "less than nothing cannot be asked for"


@pytest.mark.parametrize(
    ("axis", "values", "best", "edge"),
    [
        (L2, [0.0, 0.01, 0.1], 2, "highest"), (L2, [0.0, 0.01, 0.1], 1, ""), (L2, [0.0, 0.1], 1, ""),
        (L2, [0.001, 0.01, 0.1], 0, "lowest"), ("data.train_size", [10, 20, 40], 2, "highest"),
        ("model.dropout", [0.0, 0.5, 0.9], 2, "highest"), ("model.norm", ["none", "batch", "layer"], 2, ""),
    ],
)  # fmt: skip
def test_the_edge_of_the_range(strength_runs: Any, axis: str, values: list[Any], best: int, edge: str) -> None:
    results = {(value,): [0.1, 0.1] if place == best else [0.3, 0.3] for place, value in enumerate(values)}
    info = isolation_info(strength_runs(results, [axis]), axis, metric="val/error")
    assert info.best == best and info.edge == edge
    assert ("wider range" in info.edge_sentence) is bool(edge)


def points_of(figure: Any, colour: str | None = None) -> list[tuple[float, float]]:
    return [pair for trace in figure.data if trace.mode == "markers" for pair in zip(trace.x, trace.y, strict=True)]


def test_every_seed_is_drawn_and_what_diverged_is_a_cross_with_its_count(strength_runs: Any) -> None:
    results = {(0.0,): [0.1, 0.2, 0.3], (0.01,): [0.05, 0.06, 0.07], (1.0,): [0.9, "diverged", "diverged"]}
    info = info_of(strength_runs(results, [L2]))
    figure = plot_isolation(info)
    heights = [y for _, y in points_of(figure)]
    for value in (0.1, 0.2, 0.3, 0.05, 0.06, 0.07, 0.9):
        assert value in heights and value / 2 in heights, "on validation and on training data"
    (cross,) = [trace for trace in figure.data if trace.name == "diverged"]
    assert list(cross.x) == [info.points[2].x] and cross.text[0].strip() == "2 of 3"
    assert cross.marker.symbol == "x-thin" and "2 diverged" in info.reading
    (ring,) = [trace for trace in figure.data if trace.marker.symbol == "circle-open" and trace.marker.size == 19]
    assert (ring.x[0], ring.y[0]) == (info.points[1].x, pytest.approx(0.06))
    assert [shape.y0 for shape in figure.layout.shapes] == pytest.approx([0.2]), "the mean of none"


def test_below_three_seeds_there_are_dots_and_no_bars(strength_runs: Any) -> None:
    info = info_of(strength_runs({(0.0,): [0.1, 0.2], (0.01,): [0.05, 0.06]}, [L2]))
    figure = plot_isolation(info)
    assert info.band == "" and "no interval" in info.reading and info.sentence.startswith("Too few seeds")
    assert all(not any(trace.error_y.array) for trace in figure.data if trace.error_y.array is not None)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    "results",
    [
        {(0.0,): [0.1]}, {(0.0,): ["diverged"] * 3, (0.1,): ["diverged"] * 3}, {(0.0,): ["running"]},
        {(0.0,): [math.nan, 0.1, math.inf], (0.1,): [0.2, math.nan, 0.3]}, {(0.0,): ["crashed"], (0.1,): [0.2]},
        {(None,): [0.1, 0.2], (0.1,): [0.2, 0.1]},
    ],
)  # fmt: skip
def test_poor_sweeps_are_drawn_and_spoken_of(strength_runs: Any, results: Any, dark: bool) -> None:
    info = info_of(strength_runs(results, [L2]))
    assert info.sentence and json.loads(plot_isolation(info, dark=dark).to_json())["layout"]
    points = [point for point in info.points if point.dev.n]
    assert len(info.frame()) == sum(len(results[point.value,]) for point in points)
    assert ("without a result" in info.reading) is (len(points) < len(info.points))


def test_what_has_no_result_says_so(strength_runs: Any) -> None:
    info = info_of(strength_runs({(0.0,): ["running"], (0.1,): ["crashed"]}, [L2]))
    assert info.empty and L2 in info.problem and info.best is None
    lost = info_of(strength_runs({(0.0,): ["diverged"] * 2, (0.1,): ["diverged"]}, [L2]))
    assert lost.sentence == "All 3 runs diverged." and not lost.empty


def test_the_numbers_are_those_of_the_runs_shown(strength_runs: Any) -> None:
    results = {(0.0, 0.1): [0.4, 0.4], (0.0, 0.01): [0.2, 0.3], (0.1, 0.1): [0.1, 0.3], (0.1, 0.01): [0.5, 0.5]}
    info = info_of(strength_runs(results, [L2, LR]))
    table = info.frame()
    assert table[L2].tolist() == [0.0, 0.0, 0.1, 0.1] and table["val/error"].tolist() == [0.2, 0.3, 0.1, 0.3]
    assert table["configuration"].tolist() == ["lr 0.01"] * 2 + ["lr 0.1"] * 2
    assert table["mean"].tolist() == pytest.approx([0.25, 0.25, 0.2, 0.2]) and table["half"].isna().all()
    held = info_of(strength_runs(results, [L2, LR]), pinned={LR: "0.1"})
    assert held.frame()["val/error"].tolist() == [0.4, 0.4, 0.1, 0.3]


def test_wrong_training_labels_are_named_and_a_ruinous_strength_does_not_flatten_the_others(strength_runs: Any) -> None:
    results = {(0.0,): seeds(0.2), (0.01,): seeds(0.15), (0.1,): seeds(0.18), (10.0,): seeds(0.9)}
    runs = strength_runs(results, [L2])
    info = info_of(runs)
    assert 0.25 < info.top < 0.9 and "beyond the scale" in info.reading and "labels" not in info.reading
    (beyond,) = [trace for trace in plot_isolation(info).data if trace.name == "worse than the scale"]
    assert list(beyond.x) == [info.points[3].x] and beyond.text[0] == "0.9"
    low, high = plot_isolation(info).layout.yaxis.range
    assert all(low < value < high for place in (0, 1) for value in info.points[place].dev.values.values())
    assert plot_isolation(info, whole=True).layout.yaxis.range is None
    assert "labels is wrong" in info_of(runs.assign(**{"data.label_noise": 0.2})).reading
    assert math.isinf(info_of(runs[runs[L2] != 10.0]).top), "nothing is far off"


def test_what_diverged_has_no_error_on_training_data(strength_runs: Any) -> None:
    runs = strength_runs({(0.0,): [0.2, 0.2], (0.1,): [0.3, "diverged"]}, [L2]).assign(train=0.05)
    assert [len(point.train) for point in info_of(runs).points] == [2, 1]


def test_runs_on_one_training_set_are_one_result_in_both_errors(strength_runs: Any) -> None:
    values = [0.2 + k / 100 for k in range(6)]
    runs = strength_runs({(0.0,): values, (0.1,): values}, [L2])
    info = info_of(runs.assign(seed_data=[0, 1, 2] * 4, train=values * 2))
    for point in info.points:
        assert point.dev.interval.n == point.train_interval.n == 3
        assert list(point.train.values()) == pytest.approx([0.215, 0.225, 0.235])
    assert info.verdict is not None and "all 3 paired training sets" in info.verdict.sentence
