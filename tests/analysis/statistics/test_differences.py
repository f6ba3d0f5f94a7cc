"""Intervals, differences and corrections against scipy, closed forms and brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from analysis.statistics import Interval, difference, expected_best, holm, interval, number, plus_minus, t_quantile


@pytest.mark.parametrize("n", [2, 3, 5, 10, 200])
def test_interval_is_scipys(n: int) -> None:
    from scipy import stats

    values = np.random.default_rng(n).normal(3, 2, n)
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    estimate = interval(values)
    assert (estimate.low, estimate.high, estimate.n) == (pytest.approx(low), pytest.approx(high), n)
    assert estimate.mean == pytest.approx(values.mean())


@pytest.mark.parametrize("p", [0.6, 0.9, 0.975, 0.995])
def test_t_quantile_has_its_closed_forms(p: float) -> None:
    assert float(t_quantile(p, 1)) == pytest.approx(math.tan(math.pi * (p - 0.5)))
    assert float(t_quantile(p, 2)) == pytest.approx((2 * p - 1) / math.sqrt(2 * p * (1 - p)))


def covered_by_t(n: int, repeats: int = 4000) -> float:
    draws = np.random.default_rng(100 + n).normal(3, 2, size=(repeats, n))
    estimates = [interval(row) for row in draws]
    return float(np.mean([estimate.low <= 3 <= estimate.high for estimate in estimates]))


@pytest.mark.parametrize("n", [3, 5, 10, 30])
def test_means_are_covered_as_promised(n: int) -> None:
    assert 0.93 <= covered_by_t(n) <= 0.97


def test_too_few_values_have_no_interval() -> None:
    assert math.isnan(interval([]).mean) and interval([]).n == 0
    one = interval([2.0])
    assert one.mean == 2.0 and math.isnan(one.low) and not one.shown
    assert not interval([1.0, 2.0]).shown and interval([1.0, 2.0, 3.0]).shown


def test_what_is_not_finite_is_refused_not_averaged() -> None:
    with pytest.raises(ValueError, match="finite"):
        interval([1.0, math.nan])
    with pytest.raises(ValueError, match=r"level: 1\.5"):
        interval([1.0, 2.0], level=1.5)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.09123, "0.09123"),
        (1.0, "1"),
        (0, "0"),
        (123456.0, "123456"),
        (math.nan, "–"),
        (-0.5, "-0.5"),
        (1e-9, "1e-09"),
    ],
)
def test_numbers_have_at_most_four_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_mean_and_half_width_end_at_the_same_digit() -> None:
    assert plus_minus(Interval(0.091234, 0.083234, 0.099234, 3)) == "0.0912 ± 0.0080"
    assert plus_minus(Interval(12.345, 10.345, 14.345, 5)) == "12.3 ± 2.0"
    assert plus_minus(Interval(0.25, 0.25, 0.25, 4)) == "0.25 ± 0"
    assert plus_minus(Interval(0.5, 0.1, 0.9, 2)) == "0.5", "two seeds carry no interval"


def test_an_interval_says_what_it_is() -> None:
    assert interval([1.0, 2.0, 4.0]).kind == "95% t-interval, n=3"
    assert interval([1.0, 2.0, 4.0], level=0.9).kind == "90% t-interval, n=3"


def test_paired_difference_is_scipys() -> None:
    from scipy import stats

    generator = np.random.default_rng(2)
    a, b = generator.normal(size=9), generator.normal(size=9)
    gap = difference(a, b, "seed")
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (gap.interval.low, gap.interval.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    exact = stats.permutation_test((a - b,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert gap.p == pytest.approx(exact)
    assert gap.interval.mean == pytest.approx(a.mean() - b.mean())
    assert (gap.n, gap.smallest_p, gap.kind) == (9, 2 / 2**9, "95% t-interval, n=9 pairs")
    assert gap.effect == pytest.approx((a - b).mean() / (a - b).std(ddof=1))


def test_independent_difference_is_welchs() -> None:
    from scipy import stats

    generator = np.random.default_rng(3)
    a, b = generator.normal(1, 3, size=7), generator.normal(size=5)
    gap = difference(a, b, level=0.9)
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    assert (gap.interval.low, gap.interval.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert (gap.n, gap.n_a, gap.n_b) == (5, 7, 5)
    assert gap.kind == "90% Welch t-interval, n=7 and 5"
    assert gap.smallest_p == 2 / math.comb(12, 5)


def test_pairs_are_found_by_key_and_what_has_no_partner_is_left_out() -> None:
    a = pd.Series([1.0, 2.0, 4.0], index=[5, 3, 9])
    b = pd.Series([0.5, 0.0, 7.0], index=[3, 5, 8])
    gap = difference(a, b, "seed")
    assert gap.interval.mean == pytest.approx(((1.0 - 0.0) + (2.0 - 0.5)) / 2)
    assert (gap.n, gap.n_a, gap.n_b) == (2, 3, 3)
    assert difference(a.to_dict(), b.to_dict(), "seed").interval == gap.interval
    assert difference(a, b).interval.mean == pytest.approx(7 / 3 - 2.5), "unpaired, all of them"
    with pytest.raises(ValueError, match="a: 3 is there twice; allowed: one result a key"):
        difference(pd.Series([1.0, 2.0], index=[3, 3]), b, "seed")
    with pytest.raises(ValueError, match="2 and 1 values are not allowed; allowed: as many"):
        difference([1.0, 2.0], [1.0], "seed")


def test_shared_noise_between_pairs_cancels() -> None:
    noise = np.random.default_rng(4).normal(0, 10, 8)
    step = np.linspace(0.9, 1.1, 8)
    assert difference(noise + step, noise, "seed").p == 2 / 2**8
    assert difference(noise + step, noise).p > 0.5


def test_a_difference_without_spread_or_seeds() -> None:
    constant = difference([2.0] * 6, [1.5] * 6, "seed")
    assert (constant.interval.low, constant.interval.high, constant.p) == (0.5, 0.5, 2 / 2**6)
    assert constant.excludes_zero and constant.effect == math.inf and constant.needed == 6
    equal = difference([2.0] * 6, [2.0] * 6, "seed")
    assert equal.p == equal.smallest_p == 1.0 and not equal.excludes_zero and equal.needed is None
    assert difference([2.0] * 6, [1.5] * 6).interval == Interval(0.5, 0.5, 0.5, 6)
    for on in (None, "seed"):
        one = difference([2.0], [1.0], on)
        assert one.interval.mean == 1.0 and math.isnan(one.interval.low) and not one.excludes_zero
        assert one.p == 1.0 and one.needed is None
        none = difference([], [], on)
        assert none.n == 0 and math.isnan(none.interval.mean) and none.p == 1.0


def test_differences_refuse_what_they_cannot_average() -> None:
    for on in (None, "seed"):
        with pytest.raises(ValueError, match="b: inf is not allowed; allowed: finite numbers, what diverged"):
            difference([1.0, 2.0], [1.0, math.inf], on)
    with pytest.raises(ValueError, match="comparisons: 0 is not allowed"):
        difference([1.0], [1.0], comparisons=0)
    with pytest.raises(ValueError, match="level: 1 is not allowed"):
        difference([1.0], [1.0], level=1)


def test_holm_by_hand() -> None:
    # Holm 1979: 4 x .005, 3 x .01, then 2 x .03, and the last may not be below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]).tolist() == [1.0, 1.0]
    assert holm([0.02]).tolist() == [0.02] and holm([]).tolist() == []
    for wrong in (math.nan, 1.5, -0.1):
        with pytest.raises(ValueError, match=f"p_values: {wrong} is not allowed; allowed: 0 to 1"):
            holm([0.5, wrong])


def test_holm_rejects_what_stepping_down_rejects() -> None:
    for p in np.random.default_rng(6).beta(0.3, 3, size=(200, 7)):
        rejected = set()
        for step, index in enumerate(np.argsort(p)):  # Holm's own words: stop at the first that is not small enough
            if p[index] > 0.05 / (7 - step):
                break
            rejected.add(int(index))
        assert set(np.flatnonzero(holm(p) <= 0.05).tolist()) == rejected


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_expected_best_is_the_mean_over_all_subsets(direction: str) -> None:
    best = min if direction == "minimize" else max
    values = [*np.random.default_rng(8).normal(size=7).tolist(), 0.5, 0.5]
    bests = expected_best(values, range(1, 10), direction)
    for k in range(1, 10):
        brute = np.mean([best(subset) for subset in itertools.combinations(values, k)])
        assert bests[k - 1] == pytest.approx(brute)
    assert float(expected_best(values, 9, direction)) == best(values)
    assert float(expected_best(values, 1, direction)) == pytest.approx(float(np.mean(values)))


def test_expected_best_counts_what_diverged_in_the_budget() -> None:
    values, lost = [3.0, 1.0, 2.0, 5.0], 2
    bests = expected_best(values, [1, 2, 3, 6], diverged=lost)
    brute = np.mean([min(subset) for subset in itertools.combinations([*values, math.inf, math.inf], 3)])
    assert np.isnan(bests[:2]).all(), "two trials may both diverge: then there is no best"
    assert bests[2] == pytest.approx(brute) and bests[3] == 1.0
    for wrong in (0, 7, 1.5):
        with pytest.raises(ValueError, match=f"budget: {wrong} is not allowed; allowed: 1 to 6"):
            expected_best(values, wrong, diverged=lost)  # type: ignore[arg-type]


def test_expected_best_of_many_trials_stays_finite() -> None:
    values = np.arange(1.0, 5001.0)
    # The mean minimum of k of 1..N is (N + 1) / (k + 1).
    for k in (1, 10, 2500, 5000):
        assert float(expected_best(values, k)) == pytest.approx(5001 / (k + 1), rel=1e-9)


def test_rounding_is_no_spread() -> None:
    values = [0.1 + 0.2, 0.3, 0.3, 0.3, 0.1 + 0.2]
    assert interval(values).half == 0 and plus_minus(interval(values)).endswith("± 0")
    single = [float(np.float32(0.3)), float(np.nextafter(np.float32(0.3), np.float32(1)))] * 3
    assert interval(single).half == 0, "single precision rounds more coarsely"
    assert interval([0.3, 0.3 + 1e-9, 0.3, 0.3 + 1e-9]).half > 0


def test_the_rounding_of_a_difference_is_that_of_the_results() -> None:
    gaps = [(100.3 + 7 * k) - (100 + 7 * k) for k in range(7)]
    assert interval(gaps).half > 0 and interval(gaps, rounding=142.3 * 2.0**-50).half == 0
