"""Validation against the learning rate: where the best lies, what the line goes through, what is at the edge."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.optimizers.learning_rates import plot_rates, rates_info
from analysis.runs.methods import methods_of

KEYS = ["optimizer.name", "optimizer.lr"]
SEARCH = {
    ("adam", 0.001): [0.30, 0.32, 0.34], ("adam", 0.01): [0.10, 0.12, 0.11], ("adam", 0.1): [None, None, 9.0],
    ("sgd", 0.01): [0.6, 0.61, 0.62], ("sgd", 0.1): [0.3, 0.31, 0.32], ("sgd", 1.0): [0.20, 0.21, 0.22],
}  # fmt: skip


def info_of(runs: Any, **more: Any) -> Any:
    return rates_info(methods_of(runs, "optimizer.name", KEYS), metric="val/loss", **more)


def test_each_method_has_its_best_rate_and_an_edge_is_warned_of(method_runs: Any) -> None:
    info = info_of(method_runs(SEARCH))
    assert [line.rates[line.best] for line in info.lines] == [0.01, 1.0]
    assert [line.edge for line in info.lines] == ["", "highest"], "a rate that diverged was tried: it is the edge"
    (warning,) = info.warnings
    assert warning.startswith("sgd: the best optimizer.lr is the highest tried (1)")
    assert "adam 0.01, sgd 1: a factor of 100 apart" in info.sentence
    assert info.diverged == (2, 18) and info.problem == ""
    assert info.n == "n=3 seeds each" and info.interval == info.band and f" bars the {info.band}," in info.reading
    assert info.reading.endswith(" Red crosses at the upper edge: 2 of 18 runs diverged.")
    assert info.shows == "val/loss against optimizer.lr, a dot a run of the search"


def test_a_rate_of_one_seed_is_not_the_best_beside_rates_of_several(method_runs: Any) -> None:
    lines = info_of(method_runs({**SEARCH, ("adam", 0.05): [0.001], ("sgd", 10.0): [0.001]})).lines
    assert [line.rates[line.best] for line in lines] == [0.01, 1.0] and [line.edge for line in lines] == ["", ""]
    assert [len(line.line) for line in lines] == [len(line.trials) for line in lines], "it is drawn all the same"


def test_a_large_factor_is_rounded(method_runs: Any) -> None:
    info = info_of(method_runs({("a", 1.33e-6): [1.0], ("a", 1.0): [2.0], ("b", 0.562): [1.0], ("b", 1.0): [2.0]}))
    assert "a factor of 420,000 apart" in info.sentence


def test_two_rates_have_no_edge(method_runs: Any) -> None:
    assert info_of(method_runs({("a", 0.1): [1.0], ("a", 1.0): [2.0]})).warnings == []


def test_the_line_goes_through_the_best_trial_of_each_rate(method_runs: Any) -> None:
    runs = method_runs({("a", 0.1): [1.0], ("a", 1.0): [3.0], ("b", 1.0): [2.0]})
    runs["optimizer.name"], runs["model.width"] = "a", [8, 8, 16]
    methods = methods_of(runs, "optimizer.name", [*KEYS, "model.width"])
    (line,) = rates_info(methods, metric="m").lines
    means = [line.trials[k].sample.interval.mean for k in line.line]
    assert means == [1.0, 2.0] and len(line.trials) == 3


@pytest.mark.parametrize("dark", [False, True])
def test_the_figure_has_every_run_and_named_intervals(method_runs: Any, dark: bool) -> None:
    info = info_of(method_runs(SEARCH))
    figure = plot_rates(info, dark=dark)
    dots = [
        value for trace in figure.data if trace.mode == "markers" and trace.customdata is not None for value in trace.y
    ]
    finite = [value for values in SEARCH.values() for value in values if value is not None]
    assert sorted(dots) == sorted(value for value in finite if info.scale.holds(value))
    line = next(trace for trace in figure.data if trace.mode == "lines+markers" and trace.name == "sgd")
    half = stats.t.ppf(0.975, 2) * np.std(SEARCH["sgd", 0.1], ddof=1) / math.sqrt(3)
    assert line.error_y.array[1] == pytest.approx(half)
    assert info.band == "95% t-interval, n=3", "the trial of one finite seed has none"
    (crosses,) = [trace for trace in figure.data if trace.name == "diverged"]
    assert list(crosses.x) == [0.1] and "2 of 3 runs diverged" in crosses.text[0]
    assert figure.layout.xaxis.type == "log"


def test_every_run_is_in_the_table(method_runs: Any) -> None:
    frame = info_of(method_runs(SEARCH)).frame()
    assert len(frame) == 18 and frame["diverged"].sum() == 2
    assert frame.loc[frame["diverged"], "val/loss"].isna().all() and frame["seed"].isin(["0", "1", "2"]).all()


def test_empty_states_say_what_is_missing(method_runs: Any) -> None:
    assert "No run has a numeric optimizer.lr" in info_of(method_runs({})).problem
    assert "No trial has a val/loss yet" in info_of(method_runs({("a", 0.1): [math.nan]})).problem
    assert "one optimizer.lr only" in info_of(method_runs({("a", 0.1): [1.0]})).problem
    lost = info_of(method_runs({("a", 0.1): [None] * 3, ("a", 1.0): [None] * 3}))
    assert lost.problem == "" and lost.sentence == "All trials diverged."
    assert [trace.name for trace in plot_rates(lost).data if trace.x and trace.name == "diverged"] == ["diverged"]
    words = method_runs({("a", "auto"): [1.0]})
    assert "No run has a numeric" in info_of(words, values=["auto", None, True]).problem


def test_a_rate_that_was_not_searched_is_told_from_none(method_runs: Any) -> None:
    methods = methods_of(method_runs({("a", 0.03): [1.0], ("b", 0.03): [1.0]}), "optimizer.name", ["optimizer.name"])

    def problem(*values: Any) -> str:
        return rates_info(methods, metric="m", values=values).problem

    assert problem(0.03, 0.03).startswith("optimizer.lr was the same, 0.03, in all runs: search it")
    assert problem(0.1, 0.03).startswith("optimizer.lr was set to 0.03 and 0.1: search it")
    assert "in all runs" not in problem(0.03, None), "some have none"
    assert problem() == problem(None, math.nan) == "No run has a numeric optimizer.lr."
    confirmed = method_runs({}, {("a", 0.03): [1.0], ("b", 0.1): [1.0]})
    assert info_of(confirmed, values=[0.03, 0.1]).problem.startswith("All runs are confirm runs")


def test_names_are_text(method_runs: Any) -> None:
    figure = plot_rates(info_of(method_runs({("<i>x", 0.1): [1.0, 2.0, 3.0], ("<i>x", 1.0): [1.0, 2.0, None]})))
    assert "<i>" not in figure.to_json().replace("\\u003c", "<") and "&lt;i" in figure.data[0].hovertemplate
