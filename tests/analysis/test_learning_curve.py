"""The learning curve: what it says of bias, of variance, of too few seeds; and the same figure along a capacity."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.intervals import Interval, interval, plus_minus
from analysis.learning_curve import DEV, TRAIN, learning_curve_info
from analysis.learning_curve_figure import plot_learning_curve

SIZES = [25, 50, 100, 200, 400]


def runs_along(dev, train, n=6, spread=0.004, key="data.train_size", values=SIZES, **more):
    """Runs whose errors follow these functions of the value, seed from seed."""
    random = np.random.default_rng(0)
    rows = []
    for value in values:
        size = value[0] if isinstance(value, list) else value
        for seed in range(n):
            shared = 0.02 * np.random.default_rng(seed).standard_normal()
            rows.append(
                {"run_id": f"{size}-{seed}", "outcome": "ok", "seed": seed, "seed_data": seed, key: value,
                 "dev": dev(size) + shared + spread * random.standard_normal(),
                 "train": train(size) + shared + spread * random.standard_normal(), **more}
            )  # fmt: skip
    return pd.DataFrame(rows)


def variance(**more):
    return runs_along(lambda n: 0.1 + 4 / n, lambda n: 0.1 - 1 / n, **more)


def biased(**more):
    return runs_along(lambda n: 0.3 + 0.4 / n, lambda n: 0.3 - 0.4 / n, **more)


def curve(runs, key="data.train_size", **more):
    return learning_curve_info(runs, key, dev="val/error", train="train_eval/error", **more)


def drawn(info, **more):
    for dark in (False, True):
        assert plot_learning_curve(info, dark=dark, **more).data


def test_a_gap_that_narrows_says_that_more_examples_help():
    info = curve(variance(), desired=0.13)
    assert info.sentence.startswith("At 400 examples validation error is ") and "(n=6 seeds)" in info.sentence
    assert "from 200 it fell by 0.01" in info.sentence and "more examples still help" in info.sentence
    assert info.kind == "95% t-intervals, n=6 seeds" and info.along_size
    last = variance().query("`data.train_size` == 400")
    assert f", {plus_minus(interval(last['dev'] - last['train']))} above training error" in info.sentence
    drawn(info)


def test_curves_that_meet_above_the_desired_error_are_bias():
    said = curve(biased(), desired=0.1).sentence
    assert "lies above the desired 0.1: this is bias, more data alone will not help" in said
    other = curve(variance(values=[10, 20, 40]), desired=0.13).sentence
    assert "Training error lies below the desired 0.13, validation error above it: this is variance" in other
    assert "It lies below the desired 0.9" in curve(biased(), desired=0.9).sentence
    assert "cannot be told" in curve(biased(n=3), desired=0.3).sentence


def test_the_last_step_is_judged_by_pairs_of_one_seed():
    runs = variance()
    before, last = (runs[runs["data.train_size"] == size]["dev"].to_numpy() for size in (200, 400))
    theirs = stats.ttest_1samp(before - last, 0).confidence_interval(0.95)
    shown = plus_minus(Interval((before - last).mean(), theirs.low, theirs.high, 6))
    assert f"it fell by {shown} (95% t-interval, n=6 pairs)" in curve(runs).sentence


def test_runs_on_one_training_set_are_one_value_of_the_curve():
    runs = variance(n=8)
    runs["seed_data"] = runs["seed"] % 4
    info = curve(runs)
    assert info.kind.endswith("n=4 training sets")
    own = runs[runs["data.train_size"] == 25].groupby("seed_data")["dev"].mean()
    assert info.lines[0].dots[0].seeds[DEV] == pytest.approx(own.to_dict())


@pytest.mark.parametrize(("n", "words"), [(1, "(n=1 seed): too few"), (2, "(n=2 seeds): too few")])
def test_below_three_seeds_there_are_dots_and_no_verdict(n, words):
    info = curve(variance(n=n))
    assert words in info.sentence and info.kind == "" and "±" not in info.sentence
    figure = plot_learning_curve(info)
    assert all(not any(trace.error_y.array or ()) for trace in figure.data if trace.error_y)


def test_every_seed_is_a_dot_and_every_mean_its_mean():
    runs = variance()
    figure = plot_learning_curve(curve(runs, desired=0.2))
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    assert sorted(dots[0].y) == pytest.approx(sorted(runs["dev"])) and len(dots[1].y) == len(runs)
    means = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert list(means[0].y) == pytest.approx(runs.groupby("data.train_size")["dev"].mean().tolist())
    assert list(means[0].x) == pytest.approx(np.log10(SIZES)), "a logarithmic axis"
    assert figure.data[-1].name == "desired error 0.2" and set(figure.data[-1].y) == {0.2}


def test_along_a_capacity_the_lowest_error_the_threshold_and_a_second_descent_are_named():
    errors = {1: 0.5, 2: 0.3, 4: 0.35, 8: 0.6, 16: 0.4, 32: 0.2}
    trains = {1: 0.4, 2: 0.2, 4: 0.1, 8: 0.0, 16: 0.0, 32: 0.0}
    runs = runs_along(errors.get, trains.get, key="model.hidden_sizes", values=[[width] for width in errors])
    runs["train"] = [max(0.0, trains[value[0]]) for value in runs["model.hidden_sizes"]]
    info = curve(runs, "model.hidden_sizes")
    assert (
        info.sentence.startswith("At model.hidden_sizes 32 validation error is ") and "the lowest of 6" in info.sentence
    )
    assert "There is a second descent: from 2 to 8 the risk rises by 0.3" in info.sentence
    assert "n=6 paired seeds" in info.sentence
    assert info.threshold is not None and info.threshold.value == [8]
    drawn(info, log=True)
    assert curve(variance()).threshold is None, "a size of the training set is no capacity"


def test_several_configurations_are_several_lines():
    runs = pd.concat([variance(model="a"), biased(model="b")], ignore_index=True)
    info = curve(runs, line="model")
    assert [line.name for line in info.lines] == ["a", "b"] and info.descent is None and info.threshold is None
    assert info.sentence.startswith("a: at 400 examples") and " b: at 400 examples" in info.sentence
    assert {trace.name for trace in plot_learning_curve(info).data if trace.showlegend is None} == {
        "a, val/error", "a, train_eval/error", "b, val/error", "b, train_eval/error",
    }  # fmt: skip


def test_diverged_runs_are_crosses_at_their_place():
    runs = variance()
    lost = (runs["data.train_size"] == 400) & (runs["seed"] < 2)
    runs.loc[lost, ["outcome", "dev", "train"]] = ["diverged", math.nan, math.nan]
    info = curve(runs)
    cross = next(trace for trace in plot_learning_curve(info).data if trace.name == "diverged runs")
    assert list(cross.x) == pytest.approx([math.log10(400)]) and cross.customdata[0] == "400: 2 of 6 runs"
    assert info.kind == "95% t-intervals, n=4 to 6 seeds"
    runs["outcome"] = "diverged"
    assert curve(runs).problem == "All 30 runs diverged."


def test_nothing_one_run_and_no_training_error():
    runs = variance()
    assert curve(runs.head(0)).empty and curve(runs.head(0)).problem == "No run has a validation error yet."
    drawn(curve(runs.head(1)))
    runs["dev"] = math.nan
    assert curve(runs).empty
    alone = variance().drop(columns="train")
    info = learning_curve_info(alone, "data.train_size", dev="loss", train="")
    assert "above training error" not in info.sentence and info.lines[0].dots[0].seeds[TRAIN] == {}
    drawn(info)
    words = variance()
    words["data.train_size"] = "all"
    assert curve(words).empty, "what is no number has no place on the axis"


def test_errors_at_or_below_zero_do_not_break_a_logarithmic_axis():
    runs = variance()
    runs["train"] = 0.0
    drawn(curve(runs, desired=0.0), log=True)
    runs["dev"] = -runs["dev"]
    drawn(curve(runs), log=True)


def test_the_table_holds_every_value():
    table = curve(variance()).frame()
    assert len(table) == 60 and set(table["error"]) == {DEV, TRAIN} and table["value"].notna().all()
