"""Early stopping: the simulation against a plain loop and our own trainer's rule, regret against what is known."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.regularization.early_stopping import (
    EarlyStoppingInfo,
    early_stopping_info,
    plot_early_stopping,
    plot_patience,
)
from analysis.regularization.patience import EPOCHS, PATIENCE, longer_runs, simulate


def loop(values: list[float], patience: int) -> tuple[int, int]:
    """The rule as a trainer writes it."""
    best, chosen = math.inf, 0
    for epoch, value in enumerate(values):
        if value < best:
            best, chosen = value, epoch
        if patience and epoch - chosen >= patience:
            return epoch, chosen
    return len(values) - 1, chosen


@pytest.mark.parametrize("patience", [0, 1, 2, 5, 12, 100])
def test_a_simulated_patience_is_a_plain_loop(patience: int) -> None:
    rng = np.random.default_rng(patience)
    for length in (1, 2, 3, 17, 60):
        for _ in range(20):
            values = np.round(np.cumsum(rng.normal(-0.1, 1, length)), 0 if length < 20 else 3)  # with ties
            assert simulate(values, patience) == loop(values.tolist(), patience)


def test_what_is_no_number_is_never_the_best() -> None:
    assert simulate(np.array([3.0, math.nan, 2.0, math.nan, math.nan]), 2) == (4, 2)
    assert simulate(np.array([math.nan, 1.0]), 0) == (1, 1)
    for values, patience in (([], 1), ([1.0], -1)):
        with pytest.raises(ValueError, match="0 or more"):
            simulate(np.array(values), patience)


def valley(at: int, length: int = 20, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """A curve that falls to 0 at an epoch and then rises."""
    return np.abs(np.arange(1, length + 1) - at) / 10 + np.random.default_rng(seed).normal(0, noise, length)


def long(curves: dict[str, np.ndarray]) -> pd.DataFrame:
    rows = [(run, step, value) for run, values in curves.items() for step, value in enumerate(values.tolist(), start=1)]
    return pd.DataFrame(rows, columns=["run_id", "step", "value"])


def runs_of(names: list[str], **columns: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"run_id": names, "seed": range(len(names)), "outcome": "ok"})
    return frame.assign(**{"trainer.max_epochs": 20, PATIENCE: 0} | columns)


def info_of(curves: dict[str, np.ndarray], patience: int, **more: Any) -> EarlyStoppingInfo:
    arguments = {"watched": long(curves), "runs": runs_of(list(curves)), "watches": "val/loss"} | more
    return early_stopping_info(long(curves), name="g", metric="val/error", patience=patience, **arguments)


def test_regret_and_what_is_saved() -> None:
    curves = {run: valley(at) for run, at in (("a", 5), ("b", 7), ("c", 12))}
    curves["c"][4] = -0.01  # an early dip, after which nothing is better for seven epochs
    curves["c"][11] = -0.5
    info = info_of(curves, 3)
    cost = info.cost(3)
    regrets = [0.0, 0.0, 0.49]
    low, high = stats.t.interval(0.95, 2, np.mean(regrets), stats.sem(regrets))
    assert (cost.regret.mean, cost.regret.low, cost.regret.high) == pytest.approx((np.mean(regrets), low, high))
    assert cost.saved.mean == pytest.approx(np.mean([1 - 8 / 20, 1 - 10 / 20, 1 - 8 / 20]))
    assert cost.regret_last.mean == pytest.approx(np.mean([0.3, 0.3, 0.4 + 0.5]))
    table = info.frame()
    assert table["chosen epoch"].tolist() == [5, 7, 5] and table["last epoch"].tolist() == [8, 10, 8]
    assert "epoch 5 to 7 of g" in info.sentence and "at least" not in info.sentence and info.unknown == ""


def test_without_patience_nothing_is_saved_and_the_best_is_chosen() -> None:
    info = info_of({run: valley(6, noise=0.02, seed=k) for k, run in enumerate("abc")}, 0)
    assert info.cost(0).saved.mean == 0 and info.cost(0).regret.mean == 0
    assert info.sentence.startswith("Trained to the end, the best is epoch")


def test_more_patience_never_chooses_worse_and_never_saves_more() -> None:
    info = info_of({run: valley(9, noise=0.3, seed=k) for k, run in enumerate("abcd")}, 2)
    regrets, saved = ([getattr(cost, name).mean for cost in info.costs] for name in ("regret", "saved"))
    assert (np.diff(regrets) <= 1e-12).all() and (np.diff(saved) <= 1e-12).all() and regrets[-1] >= 0
    assert len(info.costs_frame()) == len(info.costs) == 19


def test_the_watched_metric_chooses_and_the_other_is_judged() -> None:
    watched, error = {"a": valley(4)}, {"a": valley(10)}
    info = early_stopping_info(
        long(error), long(watched), runs_of(["a"]), name="g", metric="val/error", watches="val/loss", patience=3
    )
    assert info.frame()["chosen epoch"].tolist() == [4] and info.cost(3).regret.mean == pytest.approx(0.6)
    assert "watches val/loss" in info.reading


def test_what_a_stopped_run_would_have_reached_is_not_known() -> None:
    curves = {"a": valley(5)[:8], "b": valley(6)[:9], "c": valley(30)}
    info = info_of(curves, 2, runs=runs_of(list("abc"), **{PATIENCE: 3}))
    assert info.cut == 2 and "2 of 3 runs" in info.unknown and "at least" in info.sentence
    assert info.frame()["lower bound"].tolist() == [True, True, False], "the third came to its last epoch"
    assert info.most == 3 and len(info.costs) == 3, "what a larger patience would have done is not known"
    expired = info_of({"a": valley(17)}, 2, runs=runs_of(["a"], **{PATIENCE: 3}))
    assert expired.cut == 0, "its patience ran out in the last epoch that was planned"
    unplanned = info_of({"a": valley(5)[:8]}, 2, runs=runs_of(["a"], **{PATIENCE: 3, EPOCHS: None}))
    assert unplanned.cut == 1


def test_the_same_seed_that_trained_on_gives_the_truth() -> None:
    whole = valley(5)
    whole[16] = -0.4  # what the patience misses
    curves = {"short": whole[:8], "long": whole}
    runs = runs_of(["short", "long"], **{PATIENCE: [3, 0], "seed": 1, "optimizer.lr": 0.1})
    longer = longer_runs(runs)
    assert longer == {"short": "long"}
    rows = runs[runs["run_id"] == "short"]
    info = early_stopping_info(
        long(curves), long(curves), rows, name="g", metric="e", watches="e", patience=3, longer=longer
    )
    assert info.cut == 0 and info.cost(3).regret.mean == pytest.approx(0.4)
    assert info.most == 19 and info.cost(12).regret.mean == 0, "a larger patience is simulated on what came after"
    assert info.cost(3).saved.mean == pytest.approx(1 - 8 / 20) and "dotted" in info.reading
    other = early_stopping_info(
        long(curves | {"long": whole + 0.1}), long(curves), rows, name="g", metric="e", watches="e", patience=3,
        longer=longer,
    )  # fmt: skip
    assert other.cut == 1, "another training, whatever its seed says"


def test_partners_share_seed_and_configuration() -> None:
    runs = runs_of(list("abcd"), **{PATIENCE: [3, 0, 3, 0], "seed": [1, 2, 3, 3], "optimizer.lr": [1, 1, 1, 2]})
    assert longer_runs(runs) == {}
    assert longer_runs(runs.assign(**{"optimizer.lr": 1})) == {"c": "d"}
    assert longer_runs(runs.assign(seed=-1, **{"optimizer.lr": 1})) == {}, "an unknown seed is shared with nobody"
    assert longer_runs(runs.drop(columns=PATIENCE)) == {} and longer_runs(runs[:0]) == {}


def test_diverged_runs_are_drawn_named_and_not_counted() -> None:
    curves = {"a": valley(5), "b": valley(5), "c": np.array([1.0, 0.8, math.nan])}
    runs = runs_of(list("abc"), outcome=["ok", "ok", "diverged"])
    info = info_of(curves, 3, runs=runs)
    assert len(info.courses) == 2 and len(info.diverged) == 1 and "1 diverged" in info.reading
    (cross,) = [trace for trace in plot_early_stopping(info).data if trace.marker.symbol == "x-thin"]
    assert (cross.x[0], cross.y[0]) == (2, 0.8)
    lost = info_of(curves, 3, runs=runs.assign(outcome="diverged"))
    assert lost.empty and "All 3 runs" in lost.problem


@pytest.mark.parametrize("runs", [runs_of([]), runs_of(["a"], outcome="running"), runs_of(["z"])])
def test_without_a_curve_it_says_what_is_missing(runs: pd.DataFrame) -> None:
    info = info_of({"a": valley(5)}, 3, runs=runs)
    assert info.empty and "val/error" in info.problem and info.sentence == info.problem
    assert info.frame().empty and json.loads(plot_early_stopping(info).to_json())


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("patience", [0, 4])
def test_the_figures_render_and_show_what_is_chosen(dark: bool, n: int, patience: int) -> None:
    curves = {run: valley(5 + k, noise=0.05, seed=k) for k, run in enumerate("abcd"[:n])}
    info = info_of(curves, patience)
    figure = plot_early_stopping(info, dark=dark)
    (chosen,) = [trace for trace in figure.data if trace.name == "chosen epoch"]
    assert list(chosen.x) == info.frame()["chosen epoch"].tolist()
    assert any(trace.name == f"patience {patience}" for trace in figure.data) is bool(patience)
    costs = plot_patience(info, dark=dark)
    assert json.loads(costs.to_json()) and sum(trace.fill == "toself" for trace in costs.data) == (3 if n > 2 else 0)


def test_runs_on_one_training_set_are_one_result() -> None:
    curves = {run: valley(at) for run, at in zip("abcdef", (5, 7, 9, 9, 12, 6), strict=True)}
    info = info_of(curves, 3, runs=runs_of(list("abcdef"), seed_data=[0, 0, 1, 1, 2, 2]))
    saved = np.array([1 - (at + 3) / 20 for at in (5, 7, 9, 9, 12, 6)]).reshape(3, 2).mean(axis=1)
    low, high = stats.t.interval(0.95, 2, saved.mean(), stats.sem(saved))
    interval = info.cost(3).saved
    assert (interval.mean, interval.low, interval.high) == pytest.approx((saved.mean(), low, high))
    assert info.n == "n=3 training sets" and info.band == "95% t-interval, n=3"
