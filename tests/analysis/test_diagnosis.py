"""Which fault a group of runs suffers from, and when none may be named."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.diagnosis import (
    ADVICE,
    BIAS,
    MISMATCH,
    VARIANCE,
    Finding,
    best_first,
    default_threshold,
    diagnoses,
    summary,
)
from analysis.statistics import holm
from analysis.waterfall import MOST_ROWS, plot_gaps, plot_waterfall, reading

NAMES = {"train": "train_eval/error", "dev": "val/error", "train_dev": "train_dev/error"}


def group(name, train, dev, n=6, spread=0.005, seed=0, **more):
    """Runs of one group about these errors."""
    random = np.random.default_rng(seed)
    noise = spread * random.standard_normal((2, n))
    columns = {
        "group": name, "label": f"width {name}", "outcome": "ok", "seed": range(n), "seed_data": range(n),
        "train": train + noise[0], "dev": dev + noise[0] + noise[1],
    }  # fmt: skip
    return pd.DataFrame(columns | more)


def one(runs, reference=0.0, threshold=0.02):
    (found,) = diagnoses(runs, reference, threshold)
    return found


def findings(found):
    return {gap.fault: gap.finding for gap in found.gaps}


@pytest.mark.parametrize(
    ("train", "dev", "faults"),
    [
        (0.15, 0.155, [BIAS]),
        (0.005, 0.12, [VARIANCE]),
        (0.15, 0.40, [VARIANCE, BIAS]),
        (0.005, 0.01, []),
    ],
)
def test_the_faults_are_the_gaps_that_clear_the_threshold_the_largest_first(train, dev, faults):
    found = one(group("a", train, dev))
    assert [gap.fault for gap in found.faults] == faults and list(found.advice) == faults
    assert all(found.advice[fault] == ADVICE[fault] for fault in faults)
    if faults:
        assert found.sentence.startswith(f"width a suffers from {faults[0]} (")
        assert "threshold 0.02" in found.sentence
    else:
        assert found.sentence.startswith("width a has no fault above the threshold 0.02")


def test_the_reference_takes_away_bias_that_cannot_be_avoided():
    runs = group("a", 0.15, 0.155)
    assert findings(one(runs, reference=0.145))[BIAS] is Finding.BELOW
    assert one(runs, reference=0.145).gaps[0].interval.mean == pytest.approx(runs["train"].mean() - 0.145)


def test_each_gap_is_paired_within_runs_with_a_t_interval():
    runs = group("a", 0.1, 0.3, spread=0.05)
    gap = one(runs).gaps[1]
    theirs = stats.ttest_1samp(runs["dev"] - runs["train"], 0).confidence_interval(0.95)
    assert (gap.interval.low, gap.interval.high) == pytest.approx(tuple(theirs)) and gap.interval.n == 6


def test_the_p_values_are_one_sided_t_tests_corrected_by_holm():
    runs = pd.concat([group("a", 0.04, 0.07, spread=0.02, seed=1), group("b", 0.03, 0.05, spread=0.02, seed=2)])
    found = diagnoses(runs, 0.0, 0.02)
    raw = []
    for _, own in runs.groupby("group"):
        for values in (own["train"], own["dev"] - own["train"]):
            raw.append(stats.ttest_1samp(values, 0.02, alternative="greater").pvalue)
    assert [gap.p for each in found for gap in each.gaps] == pytest.approx(holm(raw).tolist())
    assert found[0].tests == 4 and "Holm's correction for 4 gaps" in found[0].basis


def test_an_interval_that_holds_the_threshold_leaves_it_open():
    found = one(group("a", 0.001, 0.03, n=3, spread=0.02))
    assert findings(found)[VARIANCE] is Finding.UNDECIDED and not found.faults
    assert "its seeds leave open whether a gap exceeds the threshold" in found.sentence


@pytest.mark.parametrize("sweeps", [100, pytest.param(300, marks=pytest.mark.slow)])
def test_no_fault_is_found_where_there_is_none_more_often_than_promised(sweeps):
    """Gaps that equal the threshold: named in at most one sweep of forty, though five groups are judged."""
    random, named = np.random.default_rng(3), 0
    for _ in range(sweeps):
        runs = pd.concat(
            [
                pd.DataFrame({"group": k, "label": str(k), "outcome": "ok", "seed": range(5),
                              "train": 0.02 + 0.01 * random.standard_normal(5), "dev": 0.0})
                for k in range(5)
            ]
        )  # fmt: skip
        named += any(each.faults for each in diagnoses(runs, 0.0, 0.02))
    assert named / sweeps <= 0.05


@pytest.mark.parametrize(("n", "words"), [(1, "One seed carries no interval: no fault is named"), (2, "2 seeds carry")])
def test_one_or_two_seeds_carry_no_interval(n, words):
    found = one(group("a", 0.5, 0.9, n=n))
    assert not found.faults and found.sentence.startswith(words) and "no interval" in found.basis
    assert set(findings(found).values()) == {Finding.TOO_FEW} and not found.advice
    assert "±" not in found.sentence
    assert plot_waterfall(found, NAMES).data and plot_gaps([found]).data


def test_runs_on_one_training_set_are_one_value():
    runs = group("a", 0.1, 0.3, n=12)
    runs["seed_data"] = [k % 4 for k in range(12)]
    found = one(runs)
    assert found.n == 4 and found.over == "training sets" and "n=4 training sets" in found.basis
    means = runs.groupby("seed_data")[["train", "dev"]].mean()
    assert found.gaps[1].values == pytest.approx((means["dev"] - means["train"]).tolist())


def test_a_train_dev_error_parts_variance_from_mismatch():
    runs = group("a", 0.01, 0.3)
    runs["train_dev"] = runs["train"] + 0.001
    found = one(runs)
    assert [gap.fault for gap in found.gaps] == [BIAS, VARIANCE, MISMATCH]
    assert [gap.fault for gap in found.faults] == [MISMATCH]
    assert sum(gap.interval.mean for gap in found.gaps) == pytest.approx(runs["dev"].mean()), "from reference to dev"
    runs["train_dev"] = math.nan
    assert [gap.fault for gap in one(runs).gaps] == [BIAS, VARIANCE]


def test_diverged_runs_are_counted_drawn_and_rank_last():
    lost = group("a", 0.01, 0.02, n=6)
    lost.loc[[0, 1], ["outcome", "train", "dev"]] = ["diverged", math.nan, math.nan]
    found = diagnoses(pd.concat([lost, group("b", 0.2, 0.3)], ignore_index=True), 0.0, 0.02)
    assert found[0].diverged == 2 and found[0].n == 4
    assert [each.group for each in best_first(found)] == ["b", "a"]
    for figure in (plot_waterfall(found[0], NAMES), plot_gaps(found)):
        cross = next(trace for trace in figure.data if trace.name == "diverged runs")
        assert cross.customdata[0] == "2 of 6 runs"


def test_all_diverged_none_measured_and_nothing_at_all():
    runs = group("a", 0.01, 0.02)
    runs["outcome"] = "diverged"
    found = one(runs)
    assert found.sentence == "All 6 runs of width a diverged: there is no error to read a fault from."
    assert plot_waterfall(found, NAMES) and plot_gaps([found]) and reading([found])
    assert summary([found]) == "All 6 runs diverged: there is no error to read a fault from."
    runs = group("a", math.nan, 0.02)
    assert "no run with both" in one(runs).sentence and summary([one(runs)]).startswith("No run has both")
    assert diagnoses(runs.head(0)) == [] and "No run has both" in summary([])
    running = group("a", 0.1, 0.2, outcome="running")
    assert one(running).n == 0, "what still trains is not judged"


def test_equal_values_have_no_spread_and_are_judged_all_the_same():
    found = one(group("a", 0.5, 0.5, spread=0.0))
    assert findings(found) == {BIAS: Finding.FAULT, VARIANCE: Finding.BELOW}


def test_a_sweep_says_how_many_suffer_from_what_and_how_the_best_does():
    runs = pd.concat([group("a", 0.3, 0.31), group("b", 0.2, 0.21), group("c", 0.001, 0.1)], ignore_index=True)
    said = summary(diagnoses(runs, 0.0, 0.02))
    assert said.startswith("2 of 3 groups suffer from avoidable bias, 1 of 3 groups suffers from variance. The best: ")
    assert "width c suffers from variance" in said
    single = summary(diagnoses(runs.drop_duplicates("group"), 0.0, 0.02))
    assert "One seed a group carries no interval" in single and single.endswith("that of width c.")


def test_the_usual_threshold_is_a_tenth_of_the_error_to_one_digit():
    assert default_threshold(group("a", 0.1, 0.234, spread=0.0)) == pytest.approx(0.02)
    assert default_threshold(group("a", 0.1, math.nan)) == 0.0 and default_threshold(group("a", 0, 0).head(0)) == 0.0


def test_what_makes_no_sense_is_refused():
    for wrong in ((math.nan, 0.1), (0.0, -0.1), (0.0, math.inf)):
        with pytest.raises(ValueError, match="reference, threshold"):
            diagnoses(group("a", 0.1, 0.2), *wrong)


def test_the_waterfall_steps_from_the_reference_to_the_validation_error():
    found = one(group("a", 0.1, 0.3), reference=0.02)
    bars = [trace for trace in plot_waterfall(found, NAMES).data if trace.type == "bar"]
    ends = [trace.base[0] + trace.x[0] for trace in bars]
    train, dev = found.levels["train"].mean, found.levels["dev"].mean
    assert ends == pytest.approx([0.02, train, train, dev, dev]) and bars[1].base[0] == 0.02
    assert plot_waterfall(found, NAMES, dark=True).layout.yaxis.ticktext[-1] == "val/error"


def test_the_gaps_are_a_panel_a_fault_and_a_row_a_group_filled_where_it_is_one():
    found = best_first(diagnoses(pd.concat([group(str(k), 0.1 * k, 0.1 * k + 0.01) for k in range(50)]), 0.0, 0.02))
    figure = plot_gaps(found)
    filled = [trace for trace in figure.data if trace.marker.symbol == "circle"]
    assert sum(len(trace.x) for trace in filled) == MOST_ROWS - 1, "only the first has no bias, none has variance"
    assert {trace.xaxis for trace in figure.data} == {"x", "x2"}
    assert f"the first {MOST_ROWS} groups are drawn" in reading(found)


def test_the_table_of_a_diagnosis():
    table = one(group("a", 0.1, 0.3)).frame()
    assert table["gap"].tolist() == [BIAS, VARIANCE] and table["finding"].tolist() == ["fault", "fault"]
    assert (table["mean"] > table["threshold"]).all() and (table["n"] == 6).all()
