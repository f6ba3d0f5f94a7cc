"""Modes: gaps go from seed to seed at an epoch that both losses have, the lag is said, axes are shared."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.regularization.train_eval_gap import ModesInfo, modes_info, plot_modes
from analysis.runs.ranking import ranking


def sweep(offsets: dict[str, list[float]], epochs: int = 4) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """A group a dropout: in evaluation mode every seed falls as 1 / epoch, in training mode it is so much higher."""
    runs, training, evaluation = [], [], []
    for trial, (name, values) in enumerate(offsets.items()):
        for seed, offset in enumerate(values):
            run = f"{name}-{seed}"
            runs.append(
                {"run_id": run, "group": name, "trial": trial, "seed": seed, "outcome": "ok", "counts": True,
                 "objective": 0.1, "model.dropout": name}
            )  # fmt: skip
            for step in range(1, epochs + 1):
                evaluation.append((run, step, 1 / step + seed / 100))
                training.append((run, step, 1 / step + seed / 100 + offset))
    columns = ["run_id", "step", "value"]
    return pd.DataFrame(training, columns=columns), pd.DataFrame(evaluation, columns=columns), pd.DataFrame(runs)


def info_of(training: Any, evaluation: Any, runs: Any) -> ModesInfo:
    return modes_info(
        training, evaluation, runs, ranking(runs, ["model.dropout"]), training_metric="train/loss",
        evaluation_metric="train_eval/loss",
    )  # fmt: skip


def test_gaps_are_of_one_seed_each_with_scipys_interval() -> None:
    offsets = {"a": [0.1, 0.2, 0.4], "b": [-0.01, 0.0, 0.01]}
    info = info_of(*sweep(offsets))
    for panel, values in zip(info.panels, offsets.values(), strict=True):
        low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
        assert (panel.gap.mean, panel.gap.low, panel.gap.high) == pytest.approx((np.mean(values), low, high))
        assert panel.epoch == 4
    text = "The loss in training mode at the last epoch, dropout a: 0.23 ± 0.38 above evaluation mode"
    assert info.sentence.startswith(text)
    assert info.n == "n=3 seeds each" and info.band == "95% t-interval, n=3"


def test_half_an_epoch_of_lag_is_half_of_what_the_last_epoch_gained() -> None:
    info = info_of(*sweep({"a": [0.1, 0.2, 0.4]}))
    assert info.panels[0].lag.mean == pytest.approx((1 / 3 - 1 / 4) / 2) and "lags half an epoch" in info.reading


def test_a_gap_is_taken_where_all_seeds_have_both_losses() -> None:
    training, evaluation, runs = sweep({"a": [0.1, 0.1, 0.1]})
    evaluation = evaluation[~((evaluation["run_id"] == "a-1") & (evaluation["step"] > 2))]
    training = training[training["step"] != 2]
    info = info_of(training, evaluation, runs)
    assert info.panels[0].epoch == 1 and info.panels[0].gap.n == 3


def test_diverged_runs_are_in_no_gap_and_end_in_a_cross() -> None:
    training, evaluation, runs = sweep({"a": [0.1, 0.1, 9.0]})
    runs.loc[2, "outcome"] = "diverged"
    training.loc[(training["run_id"] == "a-2") & (training["step"] > 2), "value"] = math.inf
    info = info_of(training, evaluation, runs)
    assert info.panels[0].gap.n == 2 and info.panels[0].gap.mean == pytest.approx(0.1)
    crosses = [trace for trace in plot_modes(info, 0).data if trace.marker.symbol == "x-thin"]
    assert {(cross.x[0], cross.y[0]) for cross in crosses} == {(2, 0.5 + 0.02 + 9.0), (4, 0.25 + 0.02)}


def test_what_is_missing_is_said() -> None:
    training, evaluation, runs = sweep({"a": [0.1]})
    groups = ranking(runs, ["model.dropout"])
    nothing = training[:0]
    without = modes_info(nothing, evaluation, runs, groups, training_metric="", evaluation_metric="train_eval/loss")
    assert without.empty and "in training mode" in without.problem and "evaluation" not in without.problem
    silent = info_of(nothing, evaluation, runs)
    assert silent.empty and "train/loss" in silent.problem and silent.sentence == silent.problem
    assert info_of(training, evaluation, runs.assign(outcome="diverged")).empty


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("n", [1, 3])
def test_panels_share_their_axes(dark: bool, n: int) -> None:
    info = info_of(*sweep({"a": [0.1] * n, "b": [5.0] * n}))
    figures = [plot_modes(info, place, dark=dark) for place in (0, 1)]
    assert info.log and {figure.layout.yaxis.type for figure in figures} == {"log"}
    assert figures[0].layout.yaxis.range == figures[1].layout.yaxis.range
    assert figures[0].layout.xaxis.range == figures[1].layout.xaxis.range
    assert json.loads(figures[0].to_json()) and sum(trace.fill == "toself" for trace in figures[0].data) == 2 * (n > 2)
    assert len(info.frame()) == 2 * 2 * 4 and info.gaps_frame()["gap"].tolist() == pytest.approx([0.1, 5.0])


def test_runs_on_one_training_set_are_one_gap() -> None:
    offsets = [0.1, 0.2, 0.4, 0.6, 0.3, 0.5]
    training, evaluation, runs = sweep({"a": offsets})
    info = info_of(training, evaluation, runs.assign(seed_data=[0, 0, 1, 1, 2, 2]))
    gaps = np.array(offsets).reshape(3, 2).mean(axis=1)
    low, high = stats.t.interval(0.95, 2, gaps.mean(), stats.sem(gaps))
    gap = info.panels[0].gap
    assert (gap.mean, gap.low, gap.high, gap.n) == pytest.approx((gaps.mean(), low, high, 3))
