"""What the independent values behind a mean are."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.statistics.independent import DATASETS, SEEDS, gap, independent, independent_rows, repeat_words, unit_name


def test_runs_on_one_training_set_are_one_value():
    runs = pd.DataFrame({"dev": [1.0, 3.0, 5.0, 7.0], "seed": range(4), "seed_data": [0, 1, 0, 1]})
    rows, over, shared = independent_rows(runs, ["dev"])
    assert rows["dev"].to_dict() == {0: 3.0, 1: 5.0} and over == DATASETS and shared


def test_runs_with_training_sets_of_their_own_or_one_for_all_are_values_by_their_seed():
    for sets in ([0, 1, 2], [4, 4, 4], [-1, -1, -1]):
        runs = pd.DataFrame({"dev": [1.0, 2.0, 3.0], "seed": [5, 6, 7], "seed_data": sets})
        rows, over, shared = independent_rows(runs, ["dev"])
        assert rows["dev"].to_dict() == {5: 1.0, 6: 2.0, 7: 3.0} and over == SEEDS and shared


def test_without_seeds_they_share_nothing():
    for more in ({}, {"seed": [-1, -1]}, {"seed": [3, 3]}):
        rows, over, shared = independent_rows(pd.DataFrame({"dev": [1.0, 2.0], **more}, index=[8, 9]), ["dev"])
        assert rows["dev"].to_dict() == {0: 1.0, 1: 2.0} and over == SEEDS and not shared
    none, _, shared = independent_rows(pd.DataFrame({"dev": []}), ["dev"])
    assert not len(none) and not shared


def test_what_is_no_number_is_nan():
    rows, *_ = independent_rows(pd.DataFrame({"dev": [None, "x", 2], "seed": [0, 1, 2]}, dtype=object), ["dev"])
    assert np.isnan(rows["dev"][0]) and np.isnan(rows["dev"][1]) and rows["dev"][2] == 2


def test_values_of_one_training_set_are_their_mean_and_what_is_not_finite_is_left_out():
    values = [1.0, 3.0, 5.0, np.nan, 7.0, np.inf]
    assert independent(values, [0, 0, 1, 1, 2, 2]) == [2.0, 5.0, 7.0] and unit_name([0, 0, 1]) == DATASETS
    for sets in (range(6), [4] * 6, [-1] * 6):
        assert independent(values, list(sets)) == [1.0, 3.0, 5.0, 7.0] and unit_name(list(sets)) == SEEDS


def test_a_gap_is_paired_where_keys_mean_the_same_and_are_shared():
    after, before = {0: 3.0, 1: 5.0, 2: 8.0}, {0: 1.0, 1: 2.0, 2: 4.0, 9: 100.0}
    gaps = np.array([2.0, 3.0, 4.0])
    low, high = stats.t.interval(0.95, 2, gaps.mean(), stats.sem(gaps))
    paired = gap(after, before, paired=True).interval
    assert (paired.mean, paired.low, paired.high) == pytest.approx((3.0, low, high))
    free = gap(after, before, paired=False).interval
    welch = stats.ttest_ind(list(after.values()), list(before.values()), equal_var=False).confidence_interval()
    assert (free.low, free.high) == pytest.approx((welch.low, welch.high))
    assert gap({0: 1.0, 5: 2.0}, {0: 1.0, 6: 2.0}, paired=True).interval.mean == 0, "half of the keys is too few"


def test_repeats_of_a_seed_are_one_value_and_a_seed_that_all_have_is_none() -> None:
    seeds, none = [0, 0, 1, 1, 2], [-1] * 5
    assert independent([1.0, 3.0, 5.0, np.nan, 7.0], none, seeds) == [2.0, 5.0, 7.0]
    assert independent([1.0, 3.0, 5.0, np.nan, 7.0], [8, 8, 8, 9, 9], seeds) == [3.0, 7.0], "training sets lead"
    assert independent([1.0, 3.0], none[:2], [4, 4]) == [1.0, 3.0]
    runs = pd.DataFrame({"dev": [1.0, 3.0, 5.0, 7.0, 9.0], "seed": seeds})
    rows, over, shared = independent_rows(runs, ["dev"])
    assert rows["dev"].to_dict() == {0: 2.0, 1: 6.0, 2: 9.0} and over == SEEDS and shared


@pytest.mark.parametrize(
    ("repeats", "words"),
    [
        ({0: 3, 1: 3, 2: 3, 3: 3, 4: 3}, "seeds 0 to 4 come 3 times each: their mean counts once"),
        ({0: 1, 7: 2, 9: 4}, "seeds 7 and 9 come 2 to 4 times each: their mean counts once"),
        ({0: 1, 7: 2}, "seed 7 comes 2 times: its mean counts once"),
        ({0: 1, 7: 1}, ""),
    ],
)
def test_repeats_are_said(repeats: dict[int, int], words: str) -> None:
    assert repeat_words(repeats) == words
