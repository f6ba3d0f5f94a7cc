"""The trials of a search and its history: numbers by hand and by Optuna's own, marks for what has no result."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.visualization._optimization_history import _get_optimization_history_info_list

from analysis.figures.value_axis import log_range, scale
from analysis.search.history import Saved, history_info, last_seen, plot_history, pruning_saved, trial_results

KEYS = ["optimizer.name", "optimizer.lr"]
OUTCOMES: dict[int, list[tuple[str, float]]] = {
    0: [("ok", 0.4), ("ok", 0.6)],
    1: [("pruned", math.nan)],
    2: [("ok", 0.3), ("diverged", math.nan)],
    3: [("ok", 0.2), ("ok", 0.4)],
    4: [("ok", 0.35), ("running", math.nan)],
    5: [("running", math.nan)],
    6: [("crashed", math.nan)],
    7: [("ok", math.inf)],
}
"""Trial -> outcome and objective of each seed."""


def frame(outcomes: dict[int, list[tuple[str, float]]] = OUTCOMES) -> pd.DataFrame:
    rows = [
        {
            "run_id": f"{trial}-{seed}", "trial": trial, "seed": seed, "outcome": outcome, "counts": True,
            "objective": value, "optimizer.name": "adam", "optimizer.lr": 10.0**-trial,
        }
        for trial, seeds in reversed(list(outcomes.items()))
        for seed, (outcome, value) in enumerate(seeds)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def traces(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data if trace.name}


def test_a_trial_is_its_seeds_in_the_order_asked() -> None:
    trials = trial_results(frame(), KEYS, {"1-0": (3, 0.9)})
    assert [trial.number for trial in trials] == list(range(8))
    assert [trial.outcome for trial in trials] == [
        "ok", "pruned", "diverged", "ok", "ok", "running", "crashed", "diverged",
    ]  # fmt: skip
    assert trials[0].mean == pytest.approx(0.5) and trials[3].values == (0.2, 0.4)
    assert trials[1].words == "pruned after epoch 3 at 0.9" and trials[1].height == 0.9
    assert trials[2].words == "0.3, diverged" and trials[0].words == "0.5 (mean of 2)"
    assert trials[0].params == {"optimizer.name": "adam", "optimizer.lr": 1.0}


def test_runs_that_do_not_count_are_no_seed_of_a_trial() -> None:
    runs = frame({0: [("crashed", math.nan), ("ok", 0.5)]})
    runs.loc[runs["outcome"] == "crashed", "counts"] = False
    (trial,) = trial_results(runs, KEYS)
    assert trial.values == (0.5,) and trial.outcome == "ok"


def test_the_best_so_far_is_of_trials_whose_seeds_are_all_finite() -> None:
    info = history_info(trial_results(frame(), KEYS), "val/loss", "minimize")
    assert info.best == [(0, pytest.approx(0.5)), (3, pytest.approx(0.3)), (4, pytest.approx(0.3))]
    assert info.winner is not None and info.winner.number == 3
    assert info.sentence == ("The best of 3 trials is number 3 of 0 to 7: adam, lr 0.001; 1 was pruned; 2 diverged.")


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_best_so_far_is_optunas(direction: str) -> None:
    values = [0.5, 0.9, 0.2, 0.7, 0.1, 0.95]
    study = optuna.create_study(direction=direction)
    study.add_trials([optuna.create_trial(value=value) for value in values])
    (theirs,) = _get_optimization_history_info_list(study, None, "value", False)
    info = history_info(
        trial_results(frame({k: [("ok", value)] for k, value in enumerate(values)}), KEYS), "val/loss", direction
    )
    assert theirs.best_values_info is not None
    assert [value for _, value in info.best] == theirs.best_values_info.values
    assert info.winner is not None and info.winner.mean == (max if direction == "maximize" else min)(values)


def test_a_pruned_run_is_known_by_its_last_value() -> None:
    histories = pd.DataFrame([("a", 2, 0.5), ("a", 1, 0.7), ("b", 1, 0.9)], columns=["run_id", "step", "value"])
    assert last_seen(histories) == {"a": (2, 0.5), "b": (1, 0.9)}
    assert last_seen(pd.DataFrame()) == {}


@pytest.mark.parametrize("dark", [False, True])
def test_the_figure_marks_what_became_of_each_trial(dark: bool) -> None:
    info = history_info(trial_results(frame(), KEYS, {"1-0": (3, 0.9)}), "val/loss", "minimize")
    drawn = traces(plot_history(info, dark=dark))
    assert list(drawn["trial"].x) == [0, 3, 4] and list(drawn["trial"].y) == pytest.approx([0.5, 0.3, 0.35])
    assert (list(drawn["pruned"].x), list(drawn["pruned"].y)) == ([1], [0.9])
    assert list(drawn["diverged"].x) == [2, 7] and drawn["diverged"].marker.symbol == "x-thin"
    line = drawn["best so far"]
    assert list(line.x) == [0, 3, 4, 7], "the line goes on to the last trial that was asked for"
    assert list(line.y) == pytest.approx([0.5, 0.3, 0.3, 0.3]) and line.line.shape == "hv"


def test_the_seeds_of_a_trial_are_a_line() -> None:
    figure = plot_history(history_info(trial_results(frame(), KEYS), "val/loss", "minimize"))
    seeds = next(trace for trace in figure.data if trace.mode == "lines" and trace.name is None)
    assert list(seeds.y) == [0.4, 0.6, None, 0.2, 0.4, None]


def test_names_in_the_figure_are_text() -> None:
    runs = frame({0: [("ok", 0.5)]}).assign(**{"optimizer.name": "<img src=x>"})
    figure = plot_history(history_info(trial_results(runs, KEYS), "val/<b>", "minimize"))
    assert "<img" not in figure.to_json() and "val/<b>" not in figure.to_json()


def test_values_over_a_power_of_ten_are_drawn_by_their_logarithm() -> None:
    assert log_range([0.1, 1.0]) and not log_range([0.1, 0.9])
    assert not log_range([-1.0, 20.0]) and not log_range([math.nan]) and not log_range([])


def test_nothing_is_a_designed_state() -> None:
    info = history_info(trial_results(pd.DataFrame(), KEYS), "val/loss", "minimize")
    assert info.empty and info.best == [] and info.sentence == "No trial has a result yet."
    only_diverged = history_info(trial_results(frame({0: [("diverged", math.nan)]}), KEYS), "val/loss", "minimize")
    assert not only_diverged.empty and traces(plot_history(only_diverged))["diverged"].x == (0,)


def test_the_scale_ends_where_the_worst_would_squeeze_the_better_half() -> None:
    assert scale([1.0, 2.0, 3.0], "minimize") == scale([3.0, math.nan, 1.0, 2.0], "minimize")
    assert (scale([1.0, 2.0, 3.0], "minimize").low, scale([1.0, 2.0, 3.0], "minimize").high) == (1.0, 3.0)
    low = scale([1.0, 1.1, 1.2, 1.3, 9.0], "minimize")
    assert not low.log and low.low == 1.0 and low.high == pytest.approx(1.0 + 3 * 0.2)
    high = scale([-9.0, 0.7, 0.8, 0.9, 1.0], "maximize")
    assert high.high == 1.0 and high.low == pytest.approx(1.0 - 3 * 0.2)
    wide = scale([0.1, 0.1, 1.0, 10.0, 1e20], "minimize")
    assert wide.log and wide.high == pytest.approx(10 ** (-1 + 3)), (
        "three times the median's distance, in powers of ten"
    )
    assert all(wide.holds(value) for value in (0.1, 100.0)) and not wide.holds(1e20) and not wide.holds(math.nan)
    assert scale([], "minimize").high > scale([], "minimize").low


@pytest.mark.parametrize(
    ("direction", "symbol"), [("minimize", "triangle-up-open"), ("maximize", "triangle-down-open")]
)
def test_what_is_worse_than_the_scale_stands_at_its_edge(direction: str, symbol: str) -> None:
    sign = 1 if direction == "minimize" else -1
    values = [1.0, 1.1, 1.2, 1.3, 9.0]
    trials = trial_results(frame({k: [("ok", sign * value)] for k, value in enumerate(values)}), KEYS)
    drawn = traces(plot_history(history_info(trials, "val/loss", direction)))
    assert list(drawn["trial"].x) == [0, 1, 2, 3]
    far = drawn["worse than the scale"]
    assert list(far.x) == [4] and far.marker.symbol == symbol and "9" in far.text[0]


def test_what_pruning_saved() -> None:
    rows = [("ok", 10), ("ok", 14), ("pruned", 4), ("pruned", 20), ("diverged", 1)]
    runs = pd.DataFrame(
        [
            {"outcome": outcome, "counts": True, "start_time": 1000, "end_time": 1000 + 1000 * seconds}
            for outcome, seconds in rows
        ]
    )
    # Two trials had two more seeds each of 12 s; one run ended 8 s early, the other took longer than most.
    assert pruning_saved(runs, 3) == Saved(2, 4, pytest.approx(4 * 12 + 8))
    assert pruning_saved(runs, 1) == Saved(2, 0, pytest.approx(8))
    assert pruning_saved(pd.DataFrame(), 3).ended == 0
    assert math.isnan(pruning_saved(runs[runs["outcome"] != "ok"], 3).seconds)


def test_a_scale_leaves_out_what_no_axis_can_show() -> None:
    for direction in ("minimize", "maximize"):
        bounds = scale([0.5, 0.6, 1e308, -1e308], direction)
        assert (bounds.low, bounds.high) == pytest.approx((0.5, 0.6)) and not bounds.holds(1e308)
    assert scale([1e308, 1e308], "minimize") == scale([], "minimize")


def test_where_all_results_are_the_same_no_trial_is_the_best() -> None:
    trials = trial_results(frame({0: [("ok", 0.1 + 0.2)], 1: [("ok", 0.3)], 2: [("diverged", None)]}), KEYS)
    text = history_info(trials, "val/loss", "minimize").sentence
    assert text == "All results are the same: val/loss 0.3 in each of 2 trials; 1 diverged."
