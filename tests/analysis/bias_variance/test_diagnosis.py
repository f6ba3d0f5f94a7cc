"""Which fault a group of runs suffers from, and when none may be named."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.bias_variance.diagnosis import (
    ADVICE,
    BIAS,
    MISMATCH,
    VARIANCE,
    WRONG_LABELS,
    Finding,
    best_first,
    default_threshold,
    diagnoses,
)
from analysis.bias_variance.diagnosis_figure import MOST_ROWS, plot_gaps, plot_waterfall, reading
from analysis.bias_variance.diagnosis_words import summary
from analysis.statistics import holm

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
    (diagnosis,) = diagnoses(runs, reference, threshold)
    return diagnosis


def findings(diagnosis):
    return {gap.fault: gap.finding for gap in diagnosis.gaps}


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
    diagnosis = one(group("a", train, dev))
    assert [gap.fault for gap in diagnosis.faults] == faults and list(diagnosis.advice) == faults
    assert all(diagnosis.advice[fault] == ADVICE[fault] for fault in faults)
    if faults:
        assert diagnosis.sentence.startswith(f"width a suffers from {faults[0]} (")
        assert "threshold 0.02" in diagnosis.sentence
    else:
        assert diagnosis.sentence.startswith("width a has no fault above the threshold 0.02")


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
    groups = diagnoses(runs, 0.0, 0.02)
    raw = []
    for _, rows in runs.groupby("group"):
        for values in (rows["train"], rows["dev"] - rows["train"]):
            raw.append(stats.ttest_1samp(values, 0.02, alternative="greater").pvalue)
    assert [gap.p for diagnosis in groups for gap in diagnosis.gaps] == pytest.approx(holm(raw).tolist())
    assert groups[0].tests == 4 and "Holm's correction for 4 gaps" in groups[0].basis


def test_an_interval_that_holds_the_threshold_leaves_it_open():
    diagnosis = one(group("a", 0.001, 0.03, n=3, spread=0.02))
    assert findings(diagnosis)[VARIANCE] is Finding.UNDECIDED and not diagnosis.faults
    assert "its seeds leave open whether a gap exceeds the threshold" in diagnosis.sentence


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
        named += any(diagnosis.faults for diagnosis in diagnoses(runs, 0.0, 0.02))
    assert named / sweeps <= 0.05


@pytest.mark.parametrize(("n", "words"), [(1, "One seed carries no interval: no fault is named"), (2, "2 seeds carry")])
def test_one_or_two_seeds_carry_no_interval(n, words):
    diagnosis = one(group("a", 0.5, 0.9, n=n))
    assert not diagnosis.faults and diagnosis.sentence.startswith(words) and "no interval" in diagnosis.basis
    assert set(findings(diagnosis).values()) == {Finding.TOO_FEW} and not diagnosis.advice
    assert "±" not in diagnosis.sentence
    assert plot_waterfall(diagnosis, NAMES).data and plot_gaps([diagnosis]).data


def test_runs_on_one_training_set_are_one_value():
    runs = group("a", 0.1, 0.3, n=12)
    runs["seed_data"] = [k % 4 for k in range(12)]
    diagnosis = one(runs)
    assert diagnosis.n == 4 and diagnosis.over == "training sets" and "n=4 training sets" in diagnosis.basis
    means = runs.groupby("seed_data")[["train", "dev"]].mean()
    assert diagnosis.gaps[1].values == pytest.approx((means["dev"] - means["train"]).tolist())


def test_a_train_dev_error_parts_variance_from_mismatch():
    runs = group("a", 0.01, 0.3)
    runs["train_dev"] = runs["train"] + 0.001
    diagnosis = one(runs)
    assert [gap.fault for gap in diagnosis.gaps] == [BIAS, VARIANCE, MISMATCH]
    assert [gap.fault for gap in diagnosis.faults] == [MISMATCH]
    assert sum(gap.interval.mean for gap in diagnosis.gaps) == pytest.approx(runs["dev"].mean()), (
        "from reference to dev"
    )
    runs["train_dev"] = math.nan
    assert [gap.fault for gap in one(runs).gaps] == [BIAS, VARIANCE]


def test_diverged_runs_are_counted_drawn_and_rank_last():
    lost = group("a", 0.01, 0.02, n=6)
    lost.loc[[0, 1], ["outcome", "train", "dev"]] = ["diverged", math.nan, math.nan]
    groups = diagnoses(pd.concat([lost, group("b", 0.2, 0.3)], ignore_index=True), 0.0, 0.02)
    assert groups[0].diverged == 2 and groups[0].n == 4
    assert [diagnosis.group for diagnosis in best_first(groups)] == ["b", "a"]
    for figure in (plot_waterfall(groups[0], NAMES), plot_gaps(groups)):
        cross = next(trace for trace in figure.data if trace.name == "diverged runs")
        assert cross.customdata[0] == "2 of 6 runs"


def test_all_diverged_none_measured_and_nothing_at_all():
    runs = group("a", 0.01, 0.02)
    runs["outcome"] = "diverged"
    diagnosis = one(runs)
    assert diagnosis.sentence == "All 6 runs of width a diverged: there is no error to read a fault from."
    assert plot_waterfall(diagnosis, NAMES) and plot_gaps([diagnosis]) and reading([diagnosis])
    assert summary([diagnosis]) == "All 6 runs diverged: there is no error to read a fault from."
    runs = group("a", math.nan, 0.02)
    assert "no run with both" in one(runs).sentence and summary([one(runs)]).startswith("No run has both")
    assert diagnoses(runs.head(0)) == [] and "No run has both" in summary([])
    running = group("a", 0.1, 0.2, outcome="running")
    assert one(running).n == 0, "what still trains is not judged"


def test_equal_values_have_no_spread_and_are_judged_all_the_same():
    diagnosis = one(group("a", 0.5, 0.5, spread=0.0))
    assert findings(diagnosis) == {BIAS: Finding.FAULT, VARIANCE: Finding.BELOW}


def test_a_sweep_says_how_many_suffer_from_what_and_how_the_best_does():
    runs = pd.concat([group("a", 0.3, 0.31), group("b", 0.2, 0.21), group("c", 0.001, 0.1)], ignore_index=True)
    text = summary(diagnoses(runs, 0.0, 0.02))
    assert text.startswith("2 of 3 groups suffer from avoidable bias, 1 of 3 groups suffers from variance. The best: ")
    assert "width c suffers from variance" in text
    single = summary(diagnoses(runs.drop_duplicates("group"), 0.0, 0.02))
    assert "One seed a group carries no interval" in single
    assert single.endswith(" width c leads by its validation error.")


def test_faults_are_counted_among_all_groups_and_what_is_not_judged_is_named():
    """One group of two that has values is never all groups."""
    gone = group("10", math.nan, math.nan, n=3).assign(outcome="diverged")
    worse = gone.assign(group="100", label="width 100")
    biased, single = group("0.1", 0.4, 0.4), group("1", 0.3, 0.3, n=1)
    first = "1 of {} groups suffers from avoidable bias"

    def clauses(*groups):
        return summary(diagnoses(pd.concat(groups), 0.0, 0.02)).partition(". The best: ")[0].split("; ")

    assert clauses(biased, gone) == [first.format(2), "width 10 diverged in all its runs"]
    assert clauses(biased, gone, worse)[1:] == ["width 10 and width 100 diverged in all their runs"]
    assert clauses(biased, single) == [first.format(2), "width 1 has too few seeds"]
    running = group("10", math.nan, math.nan, outcome="running")
    assert clauses(biased, running)[1] == "width 10 has no run with both a training and a validation error yet"
    assert clauses(biased, group("2", 0.4, 0.4)) == ["Both groups suffer from avoidable bias"]


def test_the_usual_threshold_is_a_tenth_of_the_error_to_one_digit():
    assert default_threshold(group("a", 0.1, 0.234, spread=0.0)) == pytest.approx(0.02)
    assert default_threshold(group("a", 0.1, math.nan)) == 0.0 and default_threshold(group("a", 0, 0).head(0)) == 0.0


def test_what_makes_no_sense_is_refused():
    for wrong in ((math.nan, 0.1), (0.0, -0.1), (0.0, math.inf)):
        with pytest.raises(ValueError, match="reference, threshold"):
            diagnoses(group("a", 0.1, 0.2), *wrong)


def test_the_waterfall_steps_from_the_reference_to_the_validation_error():
    diagnosis = one(group("a", 0.1, 0.3), reference=0.02)
    bars = [trace for trace in plot_waterfall(diagnosis, NAMES).data if trace.type == "bar"]
    ends = [trace.base[0] + trace.x[0] for trace in bars]
    train, dev = diagnosis.levels["train"].mean, diagnosis.levels["dev"].mean
    assert ends == pytest.approx([0.02, train, train, dev, dev]) and bars[1].base[0] == 0.02
    assert plot_waterfall(diagnosis, NAMES, dark=True).layout.yaxis.ticktext[-1] == "val/error"


def test_groups_stand_in_the_one_order_of_all_pages():
    """What diverged wholly is last, and a lucky seed leads nothing, whatever else became of its group's runs."""
    gone = group("gone", np.nan, np.nan).assign(outcome="diverged")
    lucky = pd.concat([group("lucky", 0.0, 0.01, n=1), group("lucky", np.nan, np.nan, n=1).assign(outcome="crashed")])
    single, several = group("single", 0.0, 0.02, n=1), group("several", 0.1, 0.2)
    groups = best_first(diagnoses(pd.concat([gone, lucky, single, several]), 0.0, 0.02))
    assert [diagnosis.group for diagnosis in groups] == ["several", "lucky", "single", "gone"]


def test_the_gaps_are_a_panel_a_fault_and_a_row_a_group_filled_where_it_is_one():
    groups = best_first(diagnoses(pd.concat([group(str(k), 0.1 * k, 0.1 * k + 0.01) for k in range(50)]), 0.0, 0.02))
    figure = plot_gaps(groups)
    filled = [trace for trace in figure.data if trace.marker.symbol == "circle"]
    assert sum(len(trace.x) for trace in filled) == MOST_ROWS - 1, "only the first has no bias, none has variance"
    assert {trace.xaxis for trace in figure.data} == {"x", "x2"}
    assert f"the first {MOST_ROWS} groups are drawn" in reading(groups)


def test_the_table_of_a_diagnosis():
    table = one(group("a", 0.1, 0.3)).frame()
    assert table["gap"].tolist() == [BIAS, VARIANCE] and table["finding"].tolist() == ["fault", "fault"]
    assert (table["mean"] > table["threshold"]).all() and (table["n"] == 6).all()


# Training labels that were made wrong

LARGER = ADVICE[BIAS][0]


def noisy(name, *, share, error, clean, dev, n=8, spread=0.003, true_labels=True):
    """Runs trained with this share of wrong labels: their errors on the labels as they are and on the true ones."""
    random = np.random.default_rng(0)
    shift = spread * random.standard_normal((2, n))
    errors = np.maximum(error + shift[0], 0)
    true = np.maximum(clean + shift[0], 0)
    measured = {"train_clean": true, "memorised": np.clip((true + share - errors) / 2, 0, true)} if true_labels else {}
    columns = {"group": name, "label": f"size {name}", "outcome": "ok", "seed": range(n), "data.name": "digits",
               "data.label_noise": share, "train": errors, "dev": np.maximum(dev + shift.sum(axis=0), 0)}  # fmt: skip
    return pd.DataFrame(columns | measured)


def test_wrong_labels_that_a_network_rightly_ignores_are_no_bias():
    diagnosis = one(noisy("800", share=0.1, error=0.107, clean=0.007, dev=0.06), threshold=0.012)
    assert diagnosis.named == (VARIANCE,) and LARGER not in diagnosis.advice[VARIANCE]
    assert diagnosis.gaps[0].finding is Finding.BELOW and diagnosis.gaps[0].interval.mean == pytest.approx(
        0.007, abs=0.005
    )


def test_errors_that_wrong_labels_cause_on_the_true_ones_are_no_bias():
    """As training-set-size has them at 800 examples; without wrong labels its training error is 0.004."""
    diagnosis = one(noisy("800", share=0.1, error=0.107, clean=0.051, dev=0.115, spread=0.001), threshold=0.03)
    assert diagnosis.named == (VARIANCE,)
    assert diagnosis.gaps[0].interval.mean == pytest.approx(0.029, abs=0.001), "(0.107 - 0.1 + 0.051) / 2"


def test_a_network_that_is_too_small_is_told_so_whatever_its_labels():
    biased = one(noisy("800", share=0.1, error=0.37, clean=0.3, dev=0.295), threshold=0.02)
    assert biased.named == (BIAS,) and biased.advice[BIAS][0] == LARGER


@pytest.mark.parametrize("n", [1, 2, 8])
def test_a_network_that_has_memorised_wrong_labels_is_named_and_never_called_too_small(n):
    diagnosis = one(noisy("a", share=0.33, error=0.0, clean=0.33, dev=0.25, n=n, spread=0.0), threshold=0.02)
    assert (
        WRONG_LABELS in diagnosis.named and LARGER not in str(diagnosis.advice) and diagnosis.gaps[0].interval.mean == 0
    )
    assert "It has memorised wrong labels: most of its error on the true training labels comes" in diagnosis.sentence
    assert diagnosis.sentence.endswith("(0.33 ± 0)." if n > 2 else "(0.33).")
    assert (VARIANCE in diagnosis.named) == (n > 2)
    half = one(noisy("b", share=0.3, error=0.2, clean=0.3, dev=0.35, n=n), threshold=0.02)
    assert WRONG_LABELS in half.named and BIAS not in half.named and half.gaps[0].finding is not Finding.FAULT
    assert half.tests == (2 if n > 2 else 0), "what is corrected for does not depend on it"


def test_few_memorised_labels_are_below_the_threshold():
    diagnosis = one(noisy("a", share=0.1, error=0.095, clean=0.01, dev=0.05), threshold=0.02)
    assert WRONG_LABELS not in diagnosis.named and "memorised" not in diagnosis.sentence


@pytest.mark.parametrize("n", [1, 8])
def test_without_the_error_on_true_labels_bias_is_not_told_from_wrong_labels(n):
    runs = noisy("800", share=0.1, error=0.107, clean=0.007, dev=0.06, n=n, true_labels=False)
    diagnosis = one(runs, threshold=0.01)
    assert not diagnosis.named and not diagnosis.advice and diagnosis.untold and diagnosis.tests == 0
    assert diagnosis.sentence.startswith("size 800: bias and variance cannot be told from wrong labels.")
    assert set(findings(diagnosis).values()) == {Finding.UNTOLD}
    assert plot_waterfall(diagnosis, NAMES).data and plot_gaps([diagnosis]).data and reading([diagnosis])


def test_a_group_that_was_measured_in_part_is_not_judged():
    runs = noisy("a", share=0.1, error=0.107, clean=0.007, dev=0.06)
    runs.loc[0, "train_clean"] = math.nan
    assert one(runs).untold


def test_what_cannot_be_judged_is_no_test_among_the_others():
    old = noisy("old", share=0.1, error=0.107, clean=0.0, dev=0.06, true_labels=False)
    runs = pd.concat([old, noisy("new", share=0.1, error=0.3, clean=0.25, dev=0.3)], ignore_index=True)
    groups = diagnoses(runs, 0.0, 0.02)
    assert [diagnosis.tests for diagnosis in groups] == [2, 2] and groups[1].named[0] == BIAS
    text = summary(groups)
    assert "in 1 of 2 groups bias and variance cannot be told from wrong labels" in text


def test_a_sweep_says_how_many_groups_have_memorised_wrong_labels():
    runs = pd.concat([noisy("25", share=0.1, error=0.0, clean=0.1, dev=0.4),
                      noisy("800", share=0.1, error=0.107, clean=0.007, dev=0.06)], ignore_index=True)  # fmt: skip
    text = summary(diagnoses(runs, 0.0, 0.02))
    assert text.startswith("Both groups suffer from variance, 1 of 2 groups has memorised wrong labels. The best: ")
    single = summary(diagnoses(runs.drop_duplicates("group"), 0.0, 0.02))
    assert "no fault is named, but 1 of 2 groups has memorised wrong labels" in single


def test_the_rounding_of_errors_is_no_spread_of_their_gap() -> None:
    runs = pd.DataFrame({
        "group": "a", "label": "a", "outcome": "ok", "seed": range(7), "dev": [100.3 + 7 * k for k in range(7)],
        "train": [100 + 7 * k for k in range(7)],
    })  # fmt: skip
    (diagnosis,) = diagnoses(runs, 0.0, 0.01)
    assert np.ptp(diagnosis.gaps[1].values) > 0 and diagnosis.gaps[1].interval.half == 0
