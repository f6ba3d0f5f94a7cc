"""The range test: the marks of a known course, over seeds, and what has none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.optimizers.range_test import plot_range, range_info, range_line

RATES = 10.0 ** np.linspace(-5, 1, 61)


def course(steepest: float, turn: float) -> np.ndarray:
    """A loss that falls fastest at one rate, is lowest at another and rises behind it."""
    x = np.log10(RATES)
    fall = -stats.logistic.cdf(x, np.log10(steepest), 0.25)
    return 2.5 + 2 * fall + 4 * np.clip(x - np.log10(turn), 0, None) ** 2


def frames(losses: dict[str, np.ndarray], outcomes: dict[str, str] | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = []
    for run, values in losses.items():
        for step, (rate, loss) in enumerate(zip(RATES, values, strict=False), start=1):
            rows += [(run, "opt/lr", step, rate), (run, "train/loss", step, loss)]
    runs = [(run, k, (outcomes or {}).get(run, "ok")) for k, run in enumerate(losses)]
    return pd.DataFrame(rows, columns=["run_id", "key", "step", "value"]), pd.DataFrame(
        runs, columns=["run_id", "seed", "outcome"]
    )


def info_of(losses: dict[str, np.ndarray], outcomes: dict[str, str] | None = None) -> Any:
    histories, runs = frames(losses, outcomes)
    return range_info(histories, runs, dict.fromkeys(losses, "sgd"), loss="train/loss", key="opt/lr")


@pytest.mark.parametrize(("steepest", "turn"), [(1e-3, 0.1), (1e-2, 1.0)])
def test_the_marks_are_where_the_course_has_them(steepest: float, turn: float) -> None:
    line = range_line("r", 0, False, RATES, course(steepest, turn))
    step = math.log(RATES[1] / RATES[0])
    assert math.log(line.steepest) == pytest.approx(math.log(steepest), abs=1.01 * step)
    lowest = RATES[int(np.argmin(course(steepest, turn)))]
    assert math.log(line.turn) == pytest.approx(math.log(lowest), abs=2.01 * step)


def test_over_seeds_marks_are_geometric_means_with_intervals_of_logarithms() -> None:
    info = info_of({f"r{k}": course(10.0 ** (-3 + 0.1 * k), 0.1) for k in range(4)})
    (group,) = info.groups
    logs = np.log([line.steepest for line in group.lines])
    low, high = stats.t.interval(0.95, 3, logs.mean(), stats.sem(logs))
    assert (group.steepest.mean, group.steepest.low, group.steepest.high) == pytest.approx(
        np.exp([logs.mean(), low, high])
    )
    assert "begin a search at the first, end it before the second" in info.sentences[0]
    assert info.band == "95% t-interval of the logarithm of the marked rates, n=4"
    assert info.n == "n=4 seeds" and info.interval == info.band and info.shows.startswith(f"{info.loss} against a ")


def test_a_loss_that_never_turns_asks_for_a_wider_range() -> None:
    info = info_of({"r": 2 - stats.logistic.cdf(np.log10(RATES), -1, 0.5)})
    assert "does not turn within the range: begin a search there" in info.sentences[0] and info.band == ""


def test_a_turn_in_some_runs_says_in_how_many() -> None:
    info = info_of({"turns": course(1e-3, 0.1), "falls": 2 - stats.logistic.cdf(np.log10(RATES), -1, 0.5)})
    assert "in 1 of 2 runs: begin" in info.sentences[0] and info.groups[0].turn.n == 1


def test_a_loss_that_only_rises_has_no_mark() -> None:
    info = info_of({"r": np.linspace(1, 2, 61)})
    assert "falls at none of the rates" in info.sentences[0]
    assert math.isnan(info.groups[0].lines[0].steepest)


def test_what_falls_again_behind_the_turn_is_not_the_descent() -> None:
    thrown = course(1e-3, 0.1)
    thrown[52:] = [50, 80, 20, 90, 10, 60, 30, 20, 9]
    line = range_line("r", 0, True, RATES, thrown)
    assert math.log10(line.steepest) == pytest.approx(-3, abs=0.11)


def test_diverged_ends_are_crossed_and_values_that_are_no_numbers_left_out() -> None:
    losses = course(1e-3, 0.1)
    losses[50:] = math.nan
    info = info_of({"r": losses}, {"r": "diverged"})
    assert len(info.groups[0].lines[0].rates) == 50 and math.isfinite(info.groups[0].lines[0].turn)
    (cross,) = [trace for trace in plot_range(info).data if trace.name == "diverged"]
    assert list(cross.x) == [pytest.approx(RATES[49])]


def test_runs_without_a_growing_rate_are_left_out() -> None:
    histories, runs = frames({"r": course(1e-3, 0.1), "few": course(1e-3, 0.1)[:4]})
    constant = histories.assign(value=histories["value"].where(histories["key"] != "opt/lr", 0.1))
    for rows in (
        constant,
        histories[histories["run_id"] == "few"],
        histories[histories["key"] == "opt/lr"],
        histories[:0],
    ):
        info = range_info(rows, runs, {"r": "a", "few": "a"}, loss="train/loss", key="opt/lr")
        assert "5 or more epochs" in info.problem and info.sentences == []
    assert range_info(histories, runs, {}, loss="train/loss", key="opt/lr").problem


@pytest.mark.parametrize("dark", [False, True])
def test_the_figure_shows_raw_and_smooth_and_the_marks(dark: bool) -> None:
    info = info_of({"r0": course(1e-3, 0.1), "r1": course(1e-3, 0.1)})
    figure = plot_range(info, dark=dark)
    assert {"steepest descent", "turn", "sgd"} <= {trace.name for trace in figure.data}
    assert figure.layout.xaxis.type == "log" and len(info.frame()) == 122


def test_runs_on_one_training_set_are_one_mark() -> None:
    histories, runs = frames({f"r{k}": course(10.0 ** (-3 + 0.1 * k), 0.1) for k in range(6)})
    runs = runs.assign(seed_data=[0, 0, 1, 1, 2, 2])
    info = range_info(histories, runs, dict.fromkeys(runs["run_id"], "sgd"), loss="train/loss", key="opt/lr")
    (group,) = info.groups
    logs = np.log([line.steepest for line in group.lines]).reshape(3, 2).mean(axis=1)
    low, high = stats.t.interval(0.95, 2, logs.mean(), stats.sem(logs))
    assert (group.steepest.low, group.steepest.high) == pytest.approx((math.exp(low), math.exp(high)))
    assert info.band.endswith("n=3") and "of 6 runs" not in group.sentence
