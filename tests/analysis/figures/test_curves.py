"""Curves: who is in a mean, what thinning keeps, that the figure shows what the numbers say."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.figures.curves import CurvesInfo, curves_info, smoothed
from analysis.figures.curves_figure import plot_curves
from analysis.figures.traces import thin
from analysis.runs.ranking import ranking

NAME = "<b>adam</b>"


def sweep(lengths: dict[str, int], outcomes: dict[str, str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One group whose run `k` logged value k at each of its epochs."""
    histories = pd.DataFrame(
        [
            {"run_id": run, "key": "val/loss", "step": step, "value": float(number)}
            for number, (run, length) in enumerate(lengths.items(), start=1)
            for step in range(1, length + 1)
        ],
        columns=["run_id", "key", "step", "value"],
    )
    runs = pd.DataFrame(
        [
            {
                "run_id": run, "group": "g", "trial": 0, "seed": seed, "outcome": outcomes.get(run, "ok"),
                "counts": True, "objective": 1.0, "optimizer.name": NAME,
            }
            for seed, run in enumerate(lengths)
        ]
    )  # fmt: skip
    return histories, runs


def info_of(lengths: dict[str, int], outcomes: dict[str, str] | None = None) -> CurvesInfo:
    histories, runs = sweep(lengths, outcomes or {})
    return curves_info(histories, runs, ranking(runs, ["optimizer.name"]), "val/loss")


def test_the_mean_ends_where_the_first_of_its_seeds_ended() -> None:
    (curve,) = info_of({"a": 10, "b": 6, "c": 10}).curves
    assert curve.steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert {mean.n for mean in curve.means} == {3} and {mean.mean for mean in curve.means} == {2.0}


def test_running_and_diverged_seeds_are_drawn_but_in_no_mean() -> None:
    (curve,) = info_of({"a": 10, "b": 10, "c": 2, "d": 3}, {"c": "running", "d": "diverged"}).curves
    assert len(curve.steps) == 10 and {mean.mean for mean in curve.means} == {1.5}
    assert [len(line.steps) for line in curve.lines] == [10, 10, 2, 3]


def test_while_none_has_ended_the_mean_is_over_those_that_run() -> None:
    (curve,) = info_of({"a": 4, "b": 2}, {"a": "running", "b": "running"}).curves
    assert curve.steps.tolist() == [1, 2] and curve.n == 2


def test_a_band_is_named_and_needs_three_seeds() -> None:
    three, two = info_of({"a": 3, "b": 3, "c": 3}), info_of({"a": 3, "b": 3})
    assert three.band == "95% t-interval, n=3" and two.band == ""

    def bands(info: CurvesInfo) -> int:
        return sum(trace.fill == "toself" for trace in plot_curves(info).data)

    assert (bands(three), bands(two)) == (1, 0)
    (band,) = [trace for trace in plot_curves(three).data if trace.fill == "toself"]
    assert band.mode == "lines", "few points would get markers along the edges"


def test_a_step_logged_twice_counts_once() -> None:
    histories, runs = sweep({"a": 2}, {})
    doubled = pd.concat([histories, histories.assign(value=5.0)])
    (curve,) = curves_info(doubled, runs, ranking(runs, ["optimizer.name"]), "val/loss").curves
    assert curve.lines[0].values.tolist() == [5.0, 5.0]


@pytest.mark.parametrize("n", [10, 601, 5000, 20011])
def test_thinning_keeps_every_spike_and_both_ends(n: int) -> None:
    rng = np.random.default_rng(n)
    steps, values = np.arange(n, dtype=float), rng.normal(size=n)
    spikes = rng.choice(n, 5, replace=False)
    values[spikes] = 100 + np.arange(5)
    kept_steps, thinned = thin(steps, values, buckets=300)
    assert len(thinned) <= max(2 * 300 + 2, 600)
    assert {thinned.min(), thinned.max()} == {values.min(), values.max()}
    for part in np.array_split(np.arange(n), 300) if n > 600 else []:
        assert values[part].max() in thinned and values[part].min() in thinned
    assert (kept_steps[0], kept_steps[-1]) == (0, n - 1)
    assert np.array_equal(values[kept_steps.astype(int)], thinned) and (np.diff(kept_steps) > 0).all()


def test_a_diverged_run_ends_in_a_red_cross_at_its_last_finite_point() -> None:
    histories, runs = sweep({"a": 3, "b": 3}, {"b": "diverged"})
    histories.loc[histories.index[-1], "value"] = math.inf
    info = curves_info(histories, runs, ranking(runs, ["optimizer.name"]), "val/loss")
    (cross,) = [trace for trace in plot_curves(info).data if trace.marker.symbol == "x-thin"]
    assert (list(cross.x), list(cross.y)) == ([2.0], [2.0])


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("log", [False, True])
def test_the_figure_renders_and_names_are_text(dark: bool, log: bool) -> None:
    figure = plot_curves(info_of({"a": 30, "b": 30, "c": 30, "d": 5}, {"d": "diverged"}), dark=dark, log=log)
    text = figure.to_json()
    assert NAME not in text and "&lt;b&gt;adam" in text.replace("\\u0026", "&")
    assert figure.layout.yaxis.type == ("log" if log else None)


def test_on_a_log_axis_a_band_stays_positive_and_ticks_say_their_whole_value() -> None:
    histories, runs = sweep({"a": 3, "b": 3, "c": 3}, {})
    histories["value"] = [0.01, 0.02, 0.03, 5.0, 0.02, 0.03, 0.03, 0.02, 0.03]
    info = curves_info(histories, runs, ranking(runs, ["optimizer.name"]), "val/loss")
    assert info.curves[0].means[0].low < 0, "the case that the test is about"
    figure = plot_curves(info, log=True)
    (band,) = [trace for trace in figure.data if trace.fill == "toself"]
    assert min(band.y) > 0
    assert "0.05" in figure.layout.yaxis.ticktext


def test_without_a_point_the_info_says_so() -> None:
    histories, runs = sweep({"a": 3}, {})
    empty = curves_info(histories, runs, ranking(runs, ["optimizer.name"]), "val/error")
    assert empty.empty and not info_of({"a": 1}).empty


def test_smoothing_is_a_debiased_mean_and_the_raw_curve_stays() -> None:
    assert smoothed(np.array([3.0, 3.0, 3.0]), 0.9) == pytest.approx([3, 3, 3])
    assert smoothed(np.array([1.0, 2.0]), 0.5) == pytest.approx([1, (0.25 * 1 + 0.5 * 2) / 0.75])
    histories, runs = sweep({"a": 9}, {})
    histories["value"] = [1.0, 9.0] * 4 + [1.0]
    groups = ranking(runs, ["optimizer.name"])
    info = curves_info(histories, runs, groups, "val/loss", smoothing=0.8)
    raw, mean = plot_curves(info).data
    assert list(raw.y) == histories["value"].tolist() and np.ptp(mean.y[1:]) < np.ptp(raw.y)
    with pytest.raises(ValueError, match="less than 1"):
        smoothed(np.array([1.0]), 1.0)


def test_another_metric_can_be_the_horizontal_axis() -> None:
    histories, runs = sweep({"a": 3, "b": 3}, {})
    seconds = histories.assign(key="time", value=[10.0, 20.0, 30.0, 12.0, 22.0, 32.0])
    both = pd.concat([histories, seconds[seconds["step"] < 3]])
    info = curves_info(both, runs, ranking(runs, ["optimizer.name"]), "val/loss", along="time", axis="seconds")
    (curve,) = info.curves
    assert [line.x.tolist() for line in curve.lines] == [[10, 20], [12, 22]], "what has no time has no place"
    assert curve.x.tolist() == [11, 21] and [mean.mean for mean in curve.means] == [1.5, 1.5]
    assert plot_curves(info).layout.xaxis.title.text == "seconds"


@pytest.mark.parametrize("shared", [True, False])
def test_differences_from_a_baseline_go_from_seed_to_seed_where_both_have_it(shared: bool) -> None:
    histories, runs = sweep({"a": 2, "b": 2, "c": 2, "d": 2, "e": 2, "f": 2}, {})
    runs["group"], runs["optimizer.name"] = list("gghhhh")[0:6], ["x"] * 2 + ["y"] * 4
    runs = runs[runs["run_id"].isin(list("abcd"))].assign(seed=[0, 1, 0, 1] if shared else [0, 1, 7, 8])
    groups = ranking(runs.assign(objective=[1.0, 1.0, 2.0, 2.0]), ["optimizer.name"])
    info = curves_info(histories, runs, groups, "val/loss", baseline="g")
    base, other = info.curves
    assert [line.values.tolist() for line in base.lines] == [[0, 0], [0, 0]] and info.baseline == "x"
    assert [line.values[0] for line in other.lines] == ([2.0, 2.0] if shared else [1.5, 2.5])


def test_a_single_diverged_run_is_drawn() -> None:
    info = info_of({"a": 4}, {"a": "diverged"})
    assert any(trace.mode and "lines" in trace.mode and len(trace.x) == 4 for trace in plot_curves(info).data)


def test_a_band_is_over_training_sets_where_runs_share_them() -> None:
    histories, runs = sweep(dict.fromkeys("abcdef", 2), {})
    runs = runs.assign(seed_data=[0, 1, 2] * 2)
    info = curves_info(histories, runs, ranking(runs, ["optimizer.name"]), "val/loss")
    (curve,) = info.curves
    assert (curve.n, curve.means[0].mean, len(curve.lines)) == (3, 3.5, 6)
    assert curve.means[0].high - 3.5 == pytest.approx(stats.t.ppf(0.975, 2) * stats.sem([2.5, 3.5, 4.5]))
    assert info.band == "95% t-interval, n=3 training sets"


def test_a_run_that_has_no_place_on_the_axis_is_named() -> None:
    histories, runs = sweep({"a": 3, "b": 3}, {})
    seconds = histories[histories["run_id"] == "a"].assign(key="time")
    both = pd.concat([histories, seconds])
    info = curves_info(both, runs, ranking(runs, ["optimizer.name"]), "val/loss", along="time", axis="updates")
    assert info.notes == ["b is not drawn: it logged no updates."]
    assert info_of({"a": 3, "b": 3}).notes == []


def test_the_table_has_a_row_per_run_and_step_and_no_column_twice():
    histories, runs = sweep({"a": 2, "b": 3}, {})
    order = ranking(runs, ["optimizer.name"])
    table = curves_info(histories, runs, order, "val/loss").frame()
    assert list(table) == ["group", "run", "seed", "step", "epoch", "val/loss"]
    assert table[["run", "seed", "epoch", "val/loss"]].values.tolist() == [
        ["a", 0, 1, 1.0], ["a", 0, 2, 1.0], ["b", 1, 1, 2.0], ["b", 1, 2, 2.0], ["b", 1, 3, 2.0]
    ]  # fmt: skip
    by_step = curves_info(histories, runs, order, "val/loss", axis="step", smoothing=0.5).frame()
    assert list(by_step) == ["group", "run", "seed", "step", "step on the axis", "val/loss", "smoothed"]
