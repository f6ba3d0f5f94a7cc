"""Exact tests of whether two groups differ, by counting every way in which chance could have dealt the results.

Paired results: had the two groups been equal, each pair's difference could as well have had the other sign, so the sum
of the differences is compared with its value under all 2^n choices of signs (Fisher 1935, The Design of Experiments,
§21). Unpaired results: the labels are dealt anew in all C(n_a + n_b, n_a) ways (Pitman 1937). A p-value is two-sided,
twice the smaller tail, and never above 1; the deal that happened counts in both tails, so n pairs cannot give less than
2 / 2^n: 0.25 with 3 pairs, 0.031 with 6.

Nothing is listed: both halves of the results are summed apart, one is sorted, and the sums that reach the observed one
are counted by bisection. This is exact up to EXACT_UP_TO pairs or results; above, RANDOM deals drawn with a fixed seed
stand for all of them, (1 + those at least as extreme) / (1 + RANDOM) a tail, and the test's name says so.

Sums count as equal if they differ by at most the number of results times their resolution, which the tests take
(`analysis.statistics.rounding`). Where runs diverged, `analysis.statistics.worst_rank` tests ranks instead.

This is where the p of every verdict is computed. The way there: `verdicts` corrects it for all the questions that are
asked together and decides; `evidence` pairs two groups and counts their diverged runs; `differences` subtracts and says
what is rounding; the tests here count the deals.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Final

import numpy as np

EXACT_UP_TO: Final = 36
"""Pairs of a sign-flip test, results of both groups of a permutation test: two halves of 2^18 sums take 50 ms."""
RANDOM: Final = 19_999
"""Deals drawn where there are too many to count."""
LEAST_DRAWN: Final = 2 / (RANDOM + 1)
"""The least two-sided p where deals are drawn."""
_CLOSE: Final = 1e-12
"""Sums that differ by less, for results of size 1, are the same: addition in another order rounds so."""
_AT_ONCE: Final = 4_000_000
"""Random numbers that are held in memory at a time."""


@dataclass(frozen=True)
class Test:
    """The result of an exact test of two groups: its p-value, both tails, and the least p that was possible."""

    __test__ = False  # no test case, whatever pytest thinks of the name

    p: float
    """Two-sided: the share of deals at least as far from equality as what was seen."""
    upper: float
    """One-sided: the share of deals with a sum (of differences, of the first group) at least as high."""
    lower: float
    """One-sided: the share of deals with a sum at most as high."""
    smallest_p: float
    """The least `p` that these results could have given; ties and zeros raise it."""
    size: int
    """How many pairs with a difference, or results of both groups, were dealt anew."""
    name: str
    """`exact sign-flip test`, as a figure names it."""


def _checked(name: str, values: Iterable[float]) -> np.ndarray:
    """`values` as an array, refused if one of them is no finite number."""
    x = np.asarray(list(values), dtype=float)
    if not np.isfinite(x).all():
        wrong = x[~np.isfinite(x)][0]
        raise ValueError(
            f"{name}: {wrong} is not allowed; allowed: finite numbers (a diverged run is ranked, not summed)"
        )
    return x


def two_sided(upper: float, lower: float) -> float:
    """The two-sided p-value of a test with these tails."""
    return min(1.0, 2 * min(upper, lower))


def _signed_sums(values: np.ndarray) -> np.ndarray:
    """The sums of `values` under all 2^n choices of signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums


def sign_flip(differences: Iterable[float], what: str = "sign-flip test", resolution: float = 0.0) -> Test:
    """The exact sign-flip test of paired differences against zero.

    Args:
        differences: One finite number per pair.
        what: The test's name in `Test.name`.
        resolution: The resolution of the results that were subtracted; a difference up to it is none.
    """
    x = _checked("differences", differences)
    x = x[np.abs(x) > resolution]  # either sign gives the same sum
    n = len(x)
    if not n:
        return Test(1.0, 1.0, 1.0, 1.0, n, f"exact {what}")
    largest = np.abs(x).max()
    x = x / largest
    observed, close = float(x.sum()), n * max(_CLOSE, resolution / largest)
    if n <= EXACT_UP_TO:
        # Each half's sums apart: a sum of the left and one of the right are one deal.
        left, right = np.sort(_signed_sums(x[: n // 2])), np.sort(_signed_sums(x[n // 2 :]))
        above = len(right) * len(left) - int(np.searchsorted(right, observed - close - left, side="left").sum())
        # Flipping all signs mirrors the sums: those below are those above the negative.
        below = len(right) * len(left) - int(np.searchsorted(right, -observed - close - left, side="left").sum())
        upper, lower = above / 2**n, below / 2**n
        return Test(two_sided(upper, lower), upper, lower, min(1.0, 2 / 2**n), n, f"exact {what}")
    generator = np.random.default_rng(0)
    above = below = 1
    for size in _batches(n):
        sums = 2 * (generator.integers(0, 2, (size, n), dtype=np.int8) @ x) - x.sum()
        above += int((sums >= observed - close).sum())
        below += int((sums <= observed + close).sum())
    return _test_of_drawn(above, below, n, f"{what} ({RANDOM:,} random flips)")


def _batches(width: int) -> list[int]:
    """How many of RANDOM deals of `width` results to draw at a time."""
    size = max(1, min(RANDOM, _AT_ONCE // width))
    return [min(size, RANDOM - start) for start in range(0, RANDOM, size)]


def _test_of_drawn(above: int, below: int, size: int, name: str) -> Test:
    """The test where deals were drawn: in `above` and `below` the deal that happened counts as one more."""
    upper, lower = above / (RANDOM + 1), below / (RANDOM + 1)
    return Test(two_sided(upper, lower), upper, lower, LEAST_DRAWN, size, name)


def _subset_sums(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sums of all 2^n subsets of `values`, and how many values each holds."""
    sums, sizes = np.zeros(1), np.zeros(1, dtype=np.int64)
    for value in values:
        sums, sizes = np.concatenate([sums, sums + value]), np.concatenate([sizes, sizes + 1])
    return sums, sizes


def _count_subsets(x: np.ndarray, chosen: int, at_least: float, at_most: float) -> tuple[int, int]:
    """How many subsets of `chosen` values have a sum of at least `at_least`, and how many of at most `at_most`."""
    sums, sizes = _subset_sums(x[: len(x) // 2])
    other_sums, other_sizes = _subset_sums(x[len(x) // 2 :])
    above = below = 0
    for size in range(max(0, chosen - int(other_sizes[-1])), min(chosen, int(sizes[-1])) + 1):
        left, right = np.sort(sums[sizes == size]), np.sort(other_sums[other_sizes == chosen - size])
        above += len(left) * len(right) - int(np.searchsorted(right, at_least - left, side="left").sum())
        below += int(np.searchsorted(right, at_most - left, side="right").sum())
    return above, below


def _ways_to_lowest_sum(x: np.ndarray, chosen: int, close: float) -> int:
    """In how many ways `chosen` values of sorted `x` have the lowest sum there is."""
    last = x[chosen - 1]
    tied = np.abs(x - last) <= close
    return math.comb(int(tied.sum()), int(tied[:chosen].sum()))


def permutation(
    a: Iterable[float], b: Iterable[float], what: str = "permutation test", resolution: float = 0.0
) -> Test:
    """The exact permutation test of whether two independent groups have the same mean.

    Args:
        a: Finite results of the first group.
        b: Finite results of the second group.
        what: The test's name in `Test.name`.
        resolution: The resolution of the results.
    """
    first, second = _checked("a", a), _checked("b", b)
    n, chosen = len(first) + len(second), len(first)
    if not len(first) or not len(second):
        return Test(1.0, 1.0, 1.0, 1.0, n, f"exact {what}")
    x = np.concatenate([first, second])
    x = x - x.mean()
    if np.ptp(x) <= resolution:
        return Test(1.0, 1.0, 1.0, 1.0, n, f"exact {what}")
    largest = np.abs(x).max() or 1.0
    x = x / largest
    observed, close = float(x[:chosen].sum()), n * max(_CLOSE, resolution / largest)
    if n <= EXACT_UP_TO:
        above, below = _count_subsets(x, chosen, observed - close, observed + close)
        total = math.comb(n, chosen)
        ordered = np.sort(x)
        ways = min(_ways_to_lowest_sum(ordered, chosen, close), _ways_to_lowest_sum(-ordered[::-1], chosen, close))
        upper, lower = above / total, below / total
        return Test(two_sided(upper, lower), upper, lower, min(1.0, 2 * ways / total), n, f"exact {what}")
    generator = np.random.default_rng(0)
    above = below = 1
    smaller = min(chosen, n - chosen)
    observed = observed if smaller == chosen else -observed  # all sum to zero: the smaller group tells as much
    for size in _batches(n):
        drawn = np.argpartition(generator.random((size, n)), smaller - 1, axis=1)[:, :smaller]
        sums = x[drawn].sum(axis=1)
        above += int((sums >= observed - close).sum())
        below += int((sums <= observed + close).sum())
    above, below = (above, below) if smaller == chosen else (below, above)
    return _test_of_drawn(above, below, n, f"{what} ({RANDOM:,} random deals)")


def one_sided_binomial(hits: int, n: int) -> float:
    """The chance of at least `hits` heads in `n` tosses of a fair coin."""
    return float(sum(math.comb(n, k) for k in range(hits, n + 1)) / 2**n)


def one_sided_hypergeometric(hits: int, drawn: int, marked: int, n: int) -> float:
    """The chance that at least `hits` of `drawn` are among the `marked` of `n` (Fisher's exact test)."""
    ways = sum(math.comb(marked, k) * math.comb(n - marked, drawn - k) for k in range(hits, min(drawn, marked) + 1))
    return ways / math.comb(n, drawn)


@lru_cache(maxsize=1024)
def enough_pairs(alpha: float = 0.05) -> int:
    """How many pairs a sign-flip test needs for a p as small as `alpha`: the least n with 2^(1 - n) <= alpha."""
    _check_alpha(alpha)
    return next(n for n in count(1) if 2.0 ** (1 - n) <= alpha)


@lru_cache(maxsize=4096)
def enough_each(alpha: float = 0.05, n_a: int = 0, n_b: int = 0) -> int:
    """How many results each of two groups needs before a permutation test's p can be as small as `alpha`.

    The least n with 2 / C(max(n_a, n) + max(n_b, n), max(n_a, n)) <= alpha: n_a and n_b results are there already.
    """
    _check_alpha(alpha)
    for n in count(1):
        a, b = max(n_a, n), max(n_b, n)
        if alpha * math.comb(a + b, a) >= 2:
            return n
    raise AssertionError("unreachable")


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha: {alpha} is not allowed; allowed: more than 0 and less than 1")
