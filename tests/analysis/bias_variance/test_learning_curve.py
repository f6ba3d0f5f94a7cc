"""The learning curve: what it says of bias, of variance, of too few seeds; and the same figure along a capacity."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.bias_variance.diagnosis import VARIANCE, diagnoses
from analysis.bias_variance.learning_curve import DEV, TRAIN, learning_curve_info
from analysis.bias_variance.learning_curve_figure import plot_learning_curve
from analysis.statistics import Interval, interval, plus_minus

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
                 "group": f"{size} {more}", "label": f"{key} {size}",
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
    info = curve(variance(), reference=0.13)
    assert info.sentence.startswith("At 400 examples validation error is ") and "(n=6 seeds)" in info.sentence
    assert "from 200 it fell by 0.01" in info.sentence and "This is variance: more examples help." in info.sentence
    assert info.kind == "95% t-intervals, n=6 seeds" and info.along_size
    assert info.shows == "val/error and training error against data.train_size"
    assert info.n == "n=6 seeds" and info.interval == info.kind
    assert info.reading == "Dots are seeds, thick points their means; bars the 95% t-intervals, n=6 seeds."
    last = variance().query("`data.train_size` == 400")
    assert f", {plus_minus(interval(last['dev'] - last['train']))} above training error" in info.sentence
    drawn(info)


def test_curves_that_meet_above_the_reference_error_are_bias():
    text = curve(biased(), reference=0.1, threshold=0.02).sentence
    assert "This is avoidable bias: more examples alone will not help." in text
    other = curve(variance(values=[10, 20, 40]), reference=0.13).sentence
    assert "This is variance: more examples help." in other
    both = curve(variance(values=[10, 20, 40]), reference=0.01).sentence
    assert "more examples help against variance alone." in both
    reached = curve(biased(), reference=0.9, threshold=0.02).sentence
    assert "It lies below the reference error 0.9. No fault exceeds the threshold 0.02." in reached
    assert "Whether a fault exceeds the threshold 0 cannot be told." in curve(biased(n=3), reference=0.3).sentence


def test_a_last_step_that_made_it_worse_does_not_promise_that_more_examples_help():
    rising = runs_along(lambda n: 0.2 + n / 4000, lambda n: 0.01)
    text = curve(rising, threshold=0.05).sentence
    assert "from 200 it rose by" in text and "This is variance." in text and "more examples" not in text


def test_noisy_labels_are_read_from_the_true_ones():
    noisy = variance(**{"data.name": "digits", "data.label_noise": 0.1})
    measured = noisy.assign(train_clean=noisy["train"] - 0.09, memorised=0.0)
    info = curve(measured)
    assert info.lines[0].dots[-1].means[TRAIN].mean == pytest.approx(
        noisy[noisy["data.train_size"] == 400]["train"].mean() - 0.09
    )
    assert "This is " in info.sentence
    assert "Bias and variance cannot be told from wrong labels." in curve(noisy).sentence
    memorised = curve(measured.assign(train=0.0, train_clean=0.1, memorised=0.1), threshold=0.01).sentence
    assert "This is variance: more examples help. It has memorised wrong labels: most of" in memorised


def test_where_networks_fit_their_training_set_is_read_from_the_labels_as_they_are():
    runs = runs_along(lambda n: 0.3, lambda n: 0.0, key="width", values=[1, 2, 4])
    runs["train"] = runs["width"].map({1: 0.3, 2: 0.1, 4: 0.0})
    fitted = runs.assign(**{"data.name": "digits", "data.label_noise": 0.1, "train_clean": 0.0, "memorised": 0.0})
    assert curve(fitted, "width").threshold.value == 4


# One advice


def situations():
    """Training error, gap, last step, wrong labels and whether the true ones are known; and the reference error."""
    labels = ((0.0, True), (0.1, True), (0.3, True), (0.1, False))
    return itertools.product((0.0, 0.1), (0.0, 0.03, 0.2), (-0.1, 0.1), labels, (0.0, 0.1))


def two_sizes(train, gap, step, labels, n=6, spread=0.01):
    share, true_labels = labels
    random = np.random.default_rng(0)
    rows = []
    for size, worse in ((100, max(step, -train - gap)), (200, 0.0)):
        for seed in range(n):
            train_error, dev = train + spread * random.standard_normal(2)
            rows.append({"outcome": "ok", "seed": seed, "data.train_size": size, "data.name": "digits", "group": size,
                         "label": f"size {size}", "data.label_noise": share, "train": max(train_error, 0.0),
                         "dev": max(dev + gap + worse, 0.0)})  # fmt: skip
    runs = pd.DataFrame(rows)
    if not (share and true_labels):
        return runs
    true = (runs["train"] - share).abs()
    return runs.assign(train_clean=true, memorised=((true + share - runs["train"]) / 2).clip(lower=0))


def test_the_diagnosis_and_the_curve_never_give_opposite_advice():
    cases = set()
    for *errors, reference in situations():
        runs = two_sizes(*errors)
        group = diagnoses(runs, reference, 0.02)[-1]
        text = curve(runs, reference=reference, threshold=0.02).sentence
        assert ("This is" in text) == bool(group.faults), (errors, text, group.sentence)
        assert ("variance" in text and "This is" in text) == (VARIANCE in group.named), (errors, text, group.sentence)
        helps, fails = "more examples help" in text, "more examples alone will not help" in text
        assert not (helps and fails)
        assert not helps or "more training data" in group.advice[VARIANCE], (errors, text, group.sentence)
        assert not fails or VARIANCE not in group.advice, (errors, text, group.sentence)
        assert not (helps and "it rose" in text)
        larger = any("larger network" in way for ways in group.advice.values() for way in ways)
        assert not (larger and "memorised" in text), (errors, text)
        assert ("cannot be told from wrong labels" in text) == (group.untold and group.judged)
        cases |= {(helps, fails, larger, "memorised" in text)}
    assert {(True, False, False, False), (False, True, True, False), (True, False, True, False),
            (True, False, False, True)} <= cases  # fmt: skip


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
    means = runs[runs["data.train_size"] == 25].groupby("seed_data")["dev"].mean()
    assert info.lines[0].dots[0].seeds[DEV] == pytest.approx(means.to_dict())


@pytest.mark.parametrize(("n", "words"), [(1, "(n=1 seed): too few"), (2, "(n=2 seeds): too few")])
def test_below_three_seeds_there_are_dots_and_no_verdict(n, words):
    info = curve(variance(n=n))
    assert words in info.sentence and info.kind == "" and "±" not in info.sentence
    assert info.n == "n below 3" and not info.interval and "no interval is drawn" in info.reading
    figure = plot_learning_curve(info)
    assert all(not any(trace.error_y.array or ()) for trace in figure.data if trace.error_y)


def test_every_seed_is_a_dot_and_every_mean_its_mean():
    runs = variance()
    figure = plot_learning_curve(curve(runs, reference=0.2))
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    assert sorted(dots[0].y) == pytest.approx(sorted(runs["dev"])) and len(dots[1].y) == len(runs)
    means = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert list(means[0].y) == pytest.approx(runs.groupby("data.train_size")["dev"].mean().tolist())
    assert list(means[0].x) == pytest.approx(np.log10(SIZES)), "a logarithmic axis"
    assert figure.data[-1].name == "reference error 0.2" and set(figure.data[-1].y) == {0.2}


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
    drawn(curve(runs, reference=-0.1), log=True)
    runs["dev"] = -runs["dev"]
    drawn(curve(runs), log=True)


def test_the_table_holds_every_value():
    table = curve(variance()).frame()
    assert len(table) == 60 and set(table["error"]) == {DEV, TRAIN} and table["value"].notna().all()
