"""The second descent: found where it was planted, doubted where it is noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.bias_variance.double_descent import descent

NAMES = ["1", "2", "4", "8", "16", "32", "64"]
PLANTED = np.array([0.5, 0.3, 0.35, 0.6, 0.4, 0.25, 0.2])


def risks(means, spread, sets=8, seed=0):
    """For each capacity the risk by training set; the sets differ by far more than the capacities, seed from seed."""
    random = np.random.default_rng(seed)
    shared = random.standard_normal(sets)
    return [dict(enumerate(mean + shared + spread * random.standard_normal(sets))) for mean in means]


def test_a_planted_peak_is_found_with_its_rise_and_its_fall():
    second = descent(NAMES, risks(PLANTED, 0.02))
    assert (second.best, second.peak, second.widest) == ("2", "8", "64") and second.shown
    assert second.rise.mean == pytest.approx(0.3, abs=0.05) and second.fall.mean == pytest.approx(0.4, abs=0.05)
    assert second.gain.low > 0
    assert second.sentence.startswith("There is a second descent: from 2 to 8 the risk rises by 0.3")
    assert (
        "64 is then better than any before the peak" in second.sentence
        and "n=8 paired training sets" in second.sentence
    )


def test_its_intervals_are_paired_and_corrected_for_the_peaks_that_could_have_been():
    values = risks(PLANTED, 0.02)
    second = descent(NAMES, values)
    pairs = [values[3][k] - values[6][k] for k in range(8)]
    theirs = stats.ttest_1samp(pairs, 0).confidence_interval(1 - 0.05 / 5)
    assert (second.fall.low, second.fall.high) == pytest.approx(tuple(theirs)) and second.candidates == 5


def test_one_descent_is_none():
    assert descent(NAMES, risks(np.linspace(1, 0, 7), 0.0)) is None
    assert descent(NAMES, risks(np.linspace(0, 1, 7), 0.0)) is None
    assert descent(NAMES[:3], risks([0.1, 0.5, 0.1], 0.0)) is None, "three capacities have no room for two descents"
    assert descent(NAMES, [{}] * 7) is None and descent([], []) is None


def test_pure_noise_seldom_shows_one():
    shown = [descent(NAMES, risks(np.zeros(7), 1.0, seed=seed)) for seed in range(200)]
    assert sum(second is not None and second.shown for second in shown) <= 10
    doubted = next(second for second in shown if second is not None and not second.shown)
    assert doubted.sentence.startswith("A second descent cannot be told from chance")


def test_a_clear_fall_alone_is_no_second_descent():
    flat = [dict.fromkeys(range(4), mean) for mean in (0.5, 0.3, 0.1, 0.05)]
    peak = {0: 0.4, 1: 0.22, 2: 0.4, 3: 0.22}  # on average above what comes before, not in every training set
    second = descent(NAMES[:5], [*flat[:2], peak, *flat[2:]])
    assert second is not None and second.fall.low > 0 > second.rise.low and not second.shown
    assert "cannot be told from chance" in second.sentence


def test_fewer_than_three_training_sets_give_no_verdict():
    second = descent(NAMES, risks(PLANTED, 0.02, sets=2), "seeds")
    assert (
        not second.shown and "no verdict on a second descent" in second.sentence and "2 paired seeds" in second.sentence
    )


def test_the_first_minimum_may_remain_the_best():
    second = descent(NAMES, risks([0.5, 0.1, 0.3, 0.6, 0.4, 0.3, 0.25], 0.01))
    assert second.shown and "2 remains better than 64, by 0.1" in second.sentence
