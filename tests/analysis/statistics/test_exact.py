"""Exact tests against listing every deal, against scipy, and against counting whole numbers."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from analysis.statistics.exact import (
    EXACT_UP_TO,
    Test,
    enough_each,
    enough_pairs,
    one_sided_binomial,
    one_sided_hypergeometric,
    permutation,
    sign_flip,
)
from analysis.statistics.rounding import resolution
from analysis.statistics.worst_rank import worst_rank_flip, worst_rank_permutation


def listed_flips(x: list[float]) -> float:
    sums = [sum(s * v for s, v in zip(signs, x, strict=True)) for signs in itertools.product((-1, 1), repeat=len(x))]
    return sum(abs(total) >= abs(sum(x)) - 1e-9 for total in sums) / len(sums)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 11])
def test_sign_flips_are_all_counted(n: int) -> None:
    generator = np.random.default_rng(n)
    for x in (generator.normal(0.5, 1, n), generator.integers(-2, 4, n).astype(float), np.full(n, 0.1)):
        assert sign_flip(x).p == pytest.approx(listed_flips(x.tolist()), abs=1e-12)


@pytest.mark.parametrize("n", [4, 9])
def test_sign_flips_agree_with_scipy(n: int) -> None:
    from scipy import stats

    x = np.random.default_rng(n).normal(0.8, 1, n)
    scipy_test = stats.permutation_test((x,), np.sum, permutation_type="samples", n_resamples=np.inf)
    above = stats.permutation_test(
        (x,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="greater"
    )  # fmt: skip
    assert sign_flip(x).p == pytest.approx(scipy_test.pvalue)
    assert sign_flip(x).upper == pytest.approx(above.pvalue)


@pytest.mark.parametrize(("n_a", "n_b"), [(2, 2), (2, 5), (4, 4), (6, 3), (2, 12)])
def test_permutations_agree_with_scipy(n_a: int, n_b: int) -> None:
    from scipy import stats

    generator = np.random.default_rng(n_a + n_b)
    for draw in (generator.normal, lambda loc, scale, n: generator.integers(0, 4, n).astype(float)):
        a, b = draw(0.7, 1, n_a), draw(0, 1, n_b)

        def sums(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
            return x.mean(axis=axis) - y.mean(axis=axis)

        for alternative in ("two-sided", "greater"):
            expected = stats.permutation_test(
                (a, b), sums, n_resamples=np.inf, vectorized=True, alternative=alternative
            ).pvalue
            test = permutation(a, b)
            assert (test.p if alternative == "two-sided" else test.upper) == pytest.approx(expected)


def test_so_many_pairs_that_they_cannot_be_listed_are_counted_exactly() -> None:
    x = np.random.default_rng(3).integers(-9, 14, EXACT_UP_TO)
    ways = Counter({0: 1})
    for value in x.tolist():
        more: Counter[int] = Counter()
        for total, count in ways.items():
            more[total + value] += count
            more[total - value] += count
        ways = more
    extreme = sum(count for total, count in ways.items() if abs(total) >= abs(x.sum()))
    test = sign_flip(x)
    assert test.p == pytest.approx(extreme / 2 ** len(x), rel=1e-12)
    assert test.name == "exact sign-flip test"


def test_so_many_deals_that_they_cannot_be_listed_are_counted_exactly() -> None:
    generator = np.random.default_rng(4)
    a, b = generator.integers(0, 20, 15).tolist(), generator.integers(4, 24, EXACT_UP_TO - 15).tolist()
    ways = {(0, 0): 1}
    for value in a + b:
        more = Counter(ways)
        for (size, total), count in ways.items():
            more[size + 1, total + value] += count
        ways = dict(more)
    sums = {total: count for (size, total), count in ways.items() if size == len(a)}
    below = sum(count for total, count in sums.items() if total <= sum(a))
    above = sum(count for total, count in sums.items() if total >= sum(a))
    assert sum(sums.values()) == math.comb(len(a) + len(b), len(a))
    test = permutation(a, b)
    assert test.p == pytest.approx(2 * min(above, below) / sum(sums.values()), rel=1e-12)
    assert test.upper == pytest.approx(above / sum(sums.values()), rel=1e-12)


def test_beyond_that_deals_are_drawn_and_the_name_says_so() -> None:
    x = np.random.default_rng(5).normal(0.3, 1, EXACT_UP_TO + 4)
    test = sign_flip(x)
    # With so many pairs the flipped sums are as good as normal.
    tail = math.erfc(abs(x.sum()) / math.sqrt(2 * (x**2).sum()))
    assert test.p == pytest.approx(tail, abs=4 * math.sqrt(2 * tail / 19_999) + 0.002)
    assert test.name == "sign-flip test (19,999 random flips)" and test.p == sign_flip(x).p
    assert sign_flip(np.full(60, 1.0)).p == sign_flip(np.full(60, 1.0)).smallest_p > 0
    assert sign_flip(x).upper == pytest.approx(1 - sign_flip(-x).upper, abs=0.01)


@pytest.mark.parametrize(("n_a", "n_b"), [(30, 25), (10, 40), (40, 10)])
def test_drawn_deals_are_close_to_the_normal_limit(n_a: int, n_b: int) -> None:
    generator = np.random.default_rng(6)
    a, b = generator.normal(0.4, 1, n_a), generator.normal(0, 1, n_b)
    pooled = np.concatenate([a, b])
    variance = pooled.var(ddof=1) * n_a * n_b / (n_a + n_b)  # of the sum of one group under permutation
    z = (a.sum() - n_a * pooled.mean()) / math.sqrt(variance)
    test = permutation(a, b)
    assert test.p == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), abs=0.015)
    assert test.upper == pytest.approx(math.erfc(z / math.sqrt(2)) / 2, abs=0.01)
    assert "random deals" in test.name


def test_the_order_of_addition_does_not_break_ties() -> None:
    # 0.1 + 0.2 + 0.3 in another order is another float: every flip must still count the one that was seen.
    assert sign_flip([0.1, 0.2, 0.3, 0.7, 1.1, 1e-3]).p == 2 / 2**6
    assert permutation([0.1, 0.2, 0.3], [0.7, 1.1, 1.3]).p == 2 / math.comb(6, 3)
    assert sign_flip(np.array([0.1, 0.2, 0.3, 0.7, 1.1, 1e-3]) * 1e300).p == 2 / 2**6, "sums do not overflow"


def test_the_smallest_p_is_the_least_that_these_results_could_give() -> None:
    assert sign_flip([1.0, 2.0, 3.0]).smallest_p == 0.25, "FIGURES: three paired seeds cannot go below"
    assert sign_flip([0.0, 2.0, 3.0, 0.0]).smallest_p == 0.5, "pairs without a difference say nothing"
    assert sign_flip([0.0, 0.0]).p == sign_flip([0.0, 0.0]).smallest_p == sign_flip([]).p == 1.0
    generator = np.random.default_rng(8)
    for _ in range(20):
        x = generator.integers(0, 4, 7).astype(float)
        listed = [
            permutation(x[list(side)], np.delete(x, list(side))).p for side in itertools.combinations(range(7), 3)
        ]
        assert permutation(x[:3], x[3:]).smallest_p == pytest.approx(min(listed))


def test_no_group_no_evidence() -> None:
    assert permutation([], [1.0, 2.0]).p == 1.0
    assert permutation([2.0, 2.0], [2.0, 2.0, 2.0]).p == 1.0
    assert permutation([9.0], range(8)).p == permutation(range(8), [9.0]).p == 2 / 9, (
        "one run can be the highest of nine"
    )


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_no_finite_number_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match=rf"differences: {wrong} is not allowed; allowed: finite"):
        sign_flip([1.0, wrong])
    with pytest.raises(ValueError, match=rf"b: {wrong} is not allowed; allowed: finite"):
        permutation([1.0], [wrong])
    with pytest.raises(ValueError, match="nan is not allowed"):
        worst_rank_flip([math.nan])
    with pytest.raises(ValueError, match="nan is not allowed"):
        worst_rank_permutation([math.nan], [1.0])


def test_what_diverged_counts_as_the_largest_difference() -> None:
    # Ranks 1, 2 of the finite ones and 3.5, 3.5 of the two that diverged.
    assert worst_rank_flip([0.1, -5.0, math.inf, math.inf]).p == listed_flips([1, -2, 3.5, 3.5])
    assert worst_rank_flip([0.1, -5.0, math.inf, -math.inf]).p == listed_flips([1, -2, 3.5, -3.5])
    assert worst_rank_flip([3.0, 3.0, -3.0]).p == listed_flips([2, 2, -2])
    assert worst_rank_flip([math.inf] * 6).p == 2 / 2**6
    assert "worst-rank" in worst_rank_flip([1.0]).name


def test_what_diverged_ranks_last_among_independent_runs() -> None:
    test = worst_rank_permutation([1.0, math.inf, math.inf], [0.5, 2.0, 2.0, math.inf])
    assert test.p == permutation([2, 6, 6], [1, 3.5, 3.5, 6]).p
    assert test.upper == permutation([2, 6, 6], [1, 3.5, 3.5, 6]).upper


def test_ranks_without_ties_are_wilcoxons_and_mann_and_whitneys() -> None:
    from scipy import stats

    generator = np.random.default_rng(9)
    x, a, b = generator.normal(0.5, 1, 9), generator.normal(0.5, 1, 6), generator.normal(size=7)
    assert worst_rank_flip(x).p == pytest.approx(stats.wilcoxon(x, method="exact").pvalue)
    assert worst_rank_permutation(a, b).p == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue)


def test_seeds_that_are_enough_follow_from_the_attainable_p() -> None:
    assert (enough_pairs(0.05), enough_pairs(0.05 / 6)) == (6, 8), "FIGURES: 6 for one pair, 8 for six under Holm"
    assert enough_pairs(0.25) == 3 and enough_pairs(0.24) == 4
    for alpha in (0.05, 0.05 / 6, 0.05 / 45, 0.01):
        n = enough_pairs(alpha)
        assert sign_flip(np.arange(1, n + 1)).p <= alpha < sign_flip(np.arange(1, n)).p
        size = enough_each(alpha)
        assert permutation(np.arange(size), 100.0 + np.arange(size)).p <= alpha
        assert permutation(np.arange(size - 1), 100.0 + np.arange(size - 1)).p > alpha
    assert enough_each(0.05, 20, 2) == 1, "two against twenty are enough: 2 / 231"
    assert enough_each(0.05, 20, 1) == 2, "one against twenty is not: 2 / 21"
    with pytest.raises(ValueError, match="alpha: 0 is not allowed"):
        enough_pairs(0)


def test_exact_tails_agree_with_scipy() -> None:
    from scipy import stats

    for hits, n in ((0, 0), (3, 5), (8, 8), (11, 15)):
        expected = stats.binomtest(hits, n, alternative="greater").pvalue if n else 1.0
        assert one_sided_binomial(hits, n) == pytest.approx(expected)
    for a, n_a, b, n_b in ((3, 8, 0, 9), (5, 6, 1, 7), (2, 2, 2, 2), (0, 3, 2, 5)):
        table = [[a, n_a - a], [b, n_b - b]]
        expected = stats.fisher_exact(table, alternative="greater").pvalue
        assert one_sided_hypergeometric(a, n_a, a + b, n_a + n_b) == pytest.approx(expected)


def numbers_of(test: Test) -> list[float]:
    """Everything that a test found: ranks are counted by their sums, other numbers by their deals."""
    return [test.p, test.upper, test.lower, test.smallest_p, test.size]


def test_ties_share_the_mean_of_their_ranks() -> None:
    from scipy import stats

    generator = np.random.default_rng(10)
    for _ in range(30):
        x, a, b = (generator.integers(-4, 6, n).astype(float) for n in (7, 5, 4))
        x, a, b = (np.where(values == 5, math.inf, values) for values in (x, a, b))
        signed = np.sign(x) * stats.rankdata(np.where(x == 0, 0, np.abs(x)))
        signed = np.where(x == 0, 0, signed - (x == 0).sum() * np.sign(x))
        assert numbers_of(worst_rank_flip(x)) == pytest.approx(numbers_of(sign_flip(signed)))
        ranks = stats.rankdata([*a, *b])
        assert numbers_of(worst_rank_permutation(a, b)) == pytest.approx(numbers_of(permutation(ranks[:5], ranks[5:])))


def counts(generator: np.random.Generator, share: float, n: int, runs: int) -> np.ndarray:
    """How many of n examples each of so many runs gets wrong (or right), as results with many ties are."""
    return generator.binomial(n, share, runs)


@pytest.mark.parametrize("runs", [8, 20])
@pytest.mark.parametrize("n", [30, 97, 287, 1000, 10_000])
@pytest.mark.parametrize("share", [0.1, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shares_are_tested_as_the_whole_numbers_behind_them(runs: int, n: int, share: float, dtype: type) -> None:
    """Errors near 0.1 and scores near 0.9, k / n as it is stored, against the same test of k."""
    generator = np.random.default_rng(n + runs)
    for _ in range(3):
        a, b = counts(generator, share, n, runs), counts(generator, share, n, runs)
        x, y = ((k / n).astype(dtype).astype(float) for k in (a, b))
        least = resolution([*x, *y])
        assert 0 < least < 0.5 / n
        for test, expected in (
            (sign_flip(x - y, resolution=least), sign_flip(a - b)),
            (worst_rank_flip(x - y, least), worst_rank_flip(a - b)),
            (worst_rank_flip([*(x - y), math.inf], least), worst_rank_flip([*(a - b), math.inf])),
            (permutation(x[:7], y[:7], resolution=least), permutation(a[:7], b[:7])),
            (worst_rank_permutation(x[:7], y[:7], least), worst_rank_permutation(a[:7], b[:7])),
        ):
            assert (test.p, test.upper, test.smallest_p) == (expected.p, expected.upper, expected.smallest_p)


def test_a_tie_that_is_missed_makes_p_wrong() -> None:
    a = np.array([50, 31, 40, 22, 35, 28, 44, 30])
    b = np.array([19, 31, 9, 53, 30, 33, 13, 61])
    x, y = ((k / 287).astype(np.float32).astype(float) for k in (a, b))
    assert sign_flip(x - y).p != sign_flip(a - b).p, "what the resolution is for"
    assert sign_flip(x - y, resolution=resolution([*x, *y])).p == sign_flip(a - b).p
