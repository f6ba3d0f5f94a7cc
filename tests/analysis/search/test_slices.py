"""Slices against Optuna's, and what they say of the edge of what was tried."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.visualization._slice import _get_slice_plot_info

from analysis.search.history import trial_results
from analysis.search.slices import plot_slice, slice_info

KEYS = ["optimizer.name", "optimizer.lr", "optimizer.momentum"]
TRIALS = [
    ("adam", 0.001, None, [0.5, 0.7]),
    ("sgd", 0.01, 0.9, [0.3, 0.3]),
    ("sgd", 0.1, 0.5, [0.2, 0.4]),
    ("adam", 1.0, None, ["diverged"]),
    ("sgd", 0.03, 0.0, ["pruned"]),
]


def trials(listed: Any = TRIALS) -> Any:
    rows = []
    for number, (name, lr, momentum, seeds) in enumerate(listed):
        for seed, value in enumerate(seeds):
            word = isinstance(value, str)
            rows.append(
                {
                    "run_id": f"{number}-{seed}", "trial": number, "outcome": value if word else "ok", "counts": True,
                    "objective": math.nan if word else value, "optimizer.name": name, "optimizer.lr": lr,
                    "optimizer.momentum": momentum,
                }
            )  # fmt: skip
    return trial_results(pd.DataFrame(rows), KEYS, {"4-0": (2, 0.8)})


def points(figure: Any) -> list[tuple[float, float]]:
    return [pair for trace in figure.data if trace.mode == "markers" for pair in zip(trace.x, trace.y, strict=True)]


def test_the_points_are_optunas() -> None:
    study = optuna.create_study()
    lrs, values = [0.001, 0.1, 0.01], [0.5, 0.2, 0.3]
    space = {"lr": optuna.distributions.FloatDistribution(0.001, 0.1, log=True)}
    study.add_trials(
        [
            optuna.create_trial(params={"lr": lr}, distributions=space, value=value)
            for lr, value in zip(lrs, values, strict=True)
        ]
    )
    theirs = _get_slice_plot_info(study, None, None, "value").subplots[0]
    frame = trials([("adam", lr, None, [value]) for lr, value in zip(lrs, values, strict=True)])
    info = slice_info(frame, "optimizer.lr", "val/loss", "minimize")
    assert info.values.values.tolist() == theirs.x and [trial.mean for trial in info.trials] == theirs.y
    assert info.values.log is theirs.is_log


def test_a_slice_shows_each_trial_its_seeds_and_its_fate() -> None:
    info = slice_info(trials(), "optimizer.lr", "val/loss", "minimize")
    figure = plot_slice(info)
    # The trials with a result, the best of them once more, the pruned one as it was judged, the diverged one's cross.
    results = [(0.001, 0.6), (0.01, 0.3), (0.1, 0.3)]
    x, y = zip(*sorted([*results, (0.01, 0.3), (0.03, 0.8), (1.0, 0.985)]), strict=True)
    assert [pair[0] for pair in sorted(points(figure))] == list(x)
    assert [pair[1] for pair in sorted(points(figure))] == pytest.approx(list(y))
    seeds = next(trace for trace in figure.data if trace.mode == "lines")
    assert list(seeds.x) == [0.001, 0.001, None, 0.01, 0.01, None, 0.1, 0.1, None]
    assert list(seeds.y) == [0.5, 0.7, None, 0.3, 0.3, None, 0.2, 0.4, None]


def test_trials_without_the_key_are_not_in_its_slice_and_scales_are_shared() -> None:
    momentum = slice_info(trials(), "optimizer.momentum", "val/loss", "minimize")
    rate = slice_info(trials(), "optimizer.lr", "val/loss", "minimize")
    assert [trial.number for trial in momentum.trials] == [1, 2, 4] and momentum.scale == rate.scale
    assert plot_slice(momentum).layout.yaxis.range == plot_slice(rate).layout.yaxis.range


def test_the_best_at_the_edge_is_said() -> None:
    rates = [("adam", lr, None, [value]) for lr, value in ((0.001, 0.1), (0.01, 0.2), (0.1, 0.3))]
    info = slice_info(trials(rates), "optimizer.lr", "val/loss", "minimize")
    assert info.edge == "lowest" and info.warning.startswith("The best trial has the lowest optimizer.lr tried (0.001)")
    assert slice_info(trials(rates), "optimizer.lr", "acc", "maximize").edge == "highest"
    inside = [("adam", lr, None, [value]) for lr, value in ((0.001, 0.2), (0.01, 0.1), (0.1, 0.3))]
    assert not slice_info(trials(inside), "optimizer.lr", "val/loss", "minimize").warning
    assert not slice_info(trials(rates[:2]), "optimizer.lr", "val/loss", "minimize").warning, "two values: no edge"
    assert not slice_info(trials(rates), "optimizer.name", "val/loss", "minimize").warning


@pytest.mark.parametrize("dark", [False, True])
def test_words_and_nothing_are_drawn(dark: bool) -> None:
    words = plot_slice(slice_info(trials(), "optimizer.name", "val/loss", "minimize"), dark=dark)
    assert list(words.layout.xaxis.ticktext) == ["adam", "sgd"]
    empty = slice_info([], "optimizer.lr", "val/loss", "minimize")
    assert empty.best is None and not plot_slice(empty, dark=dark).data
    lost = plot_slice(slice_info(trials([("adam", 0.1, None, ["diverged"])]), "optimizer.lr", "val/loss", "minimize"))
    assert points(lost) == [(0.1, 0.985)]


def test_a_long_logarithmic_panel_numbers_only_its_powers_of_ten() -> None:
    drawn = plot_slice(slice_info(trials(), "optimizer.lr", "val/loss", "minimize")).layout.xaxis
    ticks = {round(value, 9): text for value, text in zip(drawn.tickvals, drawn.ticktext, strict=True)}
    assert drawn.tickangle == 0
    assert [ticks[value] for value in (0.001, 0.002, 0.01, 0.05, 0.1, 1.0)] == ["0.001", "", "0.01", "", "0.1", "1"]
