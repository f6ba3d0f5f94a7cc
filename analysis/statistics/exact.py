"""Exact tests of whether two groups differ, by counting every way in which chance could have dealt the results.

Paired results: had the two groups been equal, each pair's difference could as well have had the other sign, so the sum
of the differences is compared with its value under all 2^n choices of signs (Fisher 1935, The Design of Experiments,
§21). Unpaired results: the labels are dealt anew in all C(n_a + n_b, n_a) ways (Pitman 1937). A p-value is two-sided,
twice the smaller tail, and never above 1; the deal that happened counts in both tails, so n pairs cannot give less than
2 / 2^n: 0.25 with 3 pairs, 0.031 with 6.

Nothing is listed: both halves of the results are summed apart, one is sorted, and the sums that reach the observed one
are counted by bisection. This is exact up to EXACT_UP_TO pairs or results; above, RANDOM deals drawn with a fixed seed
stand for all of them, (1 + those at least as extreme) / (1 + RANDOM) a tail, and the test's name says so.

Results that are equal are often not equal as stored. The difference of 50 / 287 and 19 / 287, both stored in single
precision, is a billionth away from that of 40 / 287 and 9 / 287, and every tie that is missed makes p wrong. So sums
count as equal if they differ by at most the number of results times their `resolution`, which the tests take.

A diverged run has no number but is worse than any: `worst_rank_flip` and `worst_rank_permutation` rank the results with
the diverged ones last, tied, and test the ranks (Lachin 1999, Controlled Clinical Trials 20, 408-422).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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
SINGLE: Final = 2.0**-23
"""What single precision may be off by, in units of a number: two halves of its last binary digit."""
DOUBLE: Final = 2.0**-50
"""The same of double precision, after a few additions."""
_CLOSE: Final = 1e-12
"""Sums that differ by less, for results of size 1, are the same: addition in another order rounds so."""
_AT_ONCE: Final = 4_000_000


@dataclass(frozen=True)
class Test:
    """What a test of two groups found."""

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


def _numbers(name: str, values: Iterable[float]) -> np.ndarray:
    x = np.asarray(list(values), dtype=float)
    if not np.isfinite(x).all():
        wrong = x[~np.isfinite(x)][0]
        raise ValueError(
            f"{name}: {wrong} is not allowed; allowed: finite numbers (a diverged run is ranked, not summed)"
        )
    return x


def precision(values: Iterable[float]) -> float:
    """Tell what results may be off by, in units of their size: SINGLE if it can hold every one, else DOUBLE.

    Whole numbers are counts, and exact. What is not finite is left out.
    """
    x = np.asarray(list(values), dtype=float)
    x = x[np.isfinite(x)]
    with np.errstate(over="ignore"):
        single = (x == x.astype(np.float32)).all()
    return SINGLE if single and not (x == np.rint(x)).all() else DOUBLE


def resolution(values: Iterable[float], of: float | None = None) -> float:
    """The least difference between results that is more than rounding.

    Args:
        values: All that is compared with each other, not its differences.
        of: The results' `precision`, where these are means of others; by default that of the values.
    """
    x = np.asarray(list(values), dtype=float)
    x = x[np.isfinite(x)]
    return (precision(x) if of is None else of) * float(np.abs(x).max(initial=0.0))


def all_same(values: Sequence[float], least: float | None = None) -> bool:
    """Whether there are several values, and nothing but rounding tells them apart.

    Args:
        values: Finite numbers.
        least: The difference up to which two values are the same; by default their resolution.
    """
    least = resolution(values) if least is None else least
    return len(values) > 1 and max(values) - min(values) <= least


def level_ties(values: Sequence[float], close: float) -> list[float]:
    """The values, those that rounding alone tells apart as the lowest of them; what is not finite stays as it is.

    Args:
        values: Means or results that are to be ordered.
        close: Their `resolution`: sorted values that follow each other within it are tied.
    """
    x = np.asarray(values, dtype=float)
    order = np.argsort(x, kind="stable")
    ordered = x[order]
    with np.errstate(invalid="ignore"):
        begins = np.concatenate([[True], ~(np.diff(ordered) <= close)])[: len(x)]
    levelled = np.empty(len(x))
    levelled[order] = ordered[np.maximum.accumulate(np.where(begins, np.arange(len(x)), 0))]
    return [float(value) for value in levelled]


def _two_sided(upper: float, lower: float) -> float:
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
        differences: One finite number a pair.
        what: The test's name in `Test.name`.
        resolution: Of the results that were subtracted (see `resolution`); a difference up to it is none.
    """
    x = _numbers("differences", differences)
    x = x[np.abs(x) > resolution]  # either sign gives the same sum
    n = len(x)
    if not n:
        return Test(1.0, 1.0, 1.0, 1.0, n, f"exact {what}")
    largest = np.abs(x).max()
    x = x / largest
    observed, close = float(x.sum()), n * max(_CLOSE, resolution / largest)
    if n <= EXACT_UP_TO:
        left, right = np.sort(_signed_sums(x[: n // 2])), np.sort(_signed_sums(x[n // 2 :]))
        above = len(right) * len(left) - int(np.searchsorted(right, observed - close - left, side="left").sum())
        # Flipping all signs mirrors the sums: those below are those above the negative.
        below = len(right) * len(left) - int(np.searchsorted(right, -observed - close - left, side="left").sum())
        upper, lower = above / 2**n, below / 2**n
        return Test(_two_sided(upper, lower), upper, lower, min(1.0, 2 / 2**n), n, f"exact {what}")
    generator = np.random.default_rng(0)
    above = below = 1
    for size in _batches(n):
        sums = 2 * (generator.integers(0, 2, (size, n), dtype=np.int8) @ x) - x.sum()
        above += int((sums >= observed - close).sum())
        below += int((sums <= observed + close).sum())
    return _drawn(above, below, n, f"{what} ({RANDOM:,} random flips)")


def _batches(width: int) -> list[int]:
    size = max(1, min(RANDOM, _AT_ONCE // width))
    return [min(size, RANDOM - start) for start in range(0, RANDOM, size)]


def _drawn(above: int, below: int, size: int, name: str) -> Test:
    upper, lower = above / (RANDOM + 1), below / (RANDOM + 1)
    return Test(_two_sided(upper, lower), upper, lower, LEAST_DRAWN, size, name)


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


def _ways_to_the_end(x: np.ndarray, chosen: int, close: float) -> int:
    """In how many ways `chosen` values of sorted `x` have the lowest sum there is."""
    last = x[chosen - 1]
    tied = np.abs(x - last) <= close
    return math.comb(int(tied.sum()), int(tied[:chosen].sum()))


def permutation(
    a: Iterable[float], b: Iterable[float], what: str = "permutation test", resolution: float = 0.0
) -> Test:
    """The exact permutation test of whether two independent groups have the same mean.

    Args:
        a: Finite numbers.
        b: Finite numbers.
        what: The test's name in `Test.name`.
        resolution: Of the results (see `resolution`).
    """
    first, second = _numbers("a", a), _numbers("b", b)
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
        ways = min(_ways_to_the_end(ordered, chosen, close), _ways_to_the_end(-ordered[::-1], chosen, close))
        upper, lower = above / total, below / total
        return Test(_two_sided(upper, lower), upper, lower, min(1.0, 2 * ways / total), n, f"exact {what}")
    generator = np.random.default_rng(0)
    above = below = 1
    few = min(chosen, n - chosen)
    observed = observed if few == chosen else -observed  # all sum to zero: the smaller group tells as much
    for size in _batches(n):
        drawn = np.argpartition(generator.random((size, n)), few - 1, axis=1)[:, :few]
        sums = x[drawn].sum(axis=1)
        above += int((sums >= observed - close).sum())
        below += int((sums <= observed + close).sum())
    above, below = (above, below) if few == chosen else (below, above)
    return _drawn(above, below, n, f"{what} ({RANDOM:,} random deals)")


def _mid_ranks(values: np.ndarray, close: float) -> np.ndarray:
    """Ranks from 1; values that follow each other within `close` share the mean of theirs, as those at infinity do."""
    order = np.argsort(values, kind="stable")
    with np.errstate(invalid="ignore"):
        begins = np.diff(values[order]) > close  # infinity minus itself is no number, which is not above anything
    place = np.empty(len(values), dtype=np.int64)
    place[order] = np.concatenate([[0], np.cumsum(begins)])[: len(values)]
    counts = np.bincount(place)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place], dtype=float)


def _doubled(ranks: np.ndarray) -> np.ndarray:
    """Twice the ranks, which shared ones make whole numbers too."""
    return np.asarray(np.rint(2 * ranks), dtype=np.int64)


def _ways_of_sums(numbers: np.ndarray) -> np.ndarray:
    """How many subsets have each sum, from 0 on: of small whole numbers there are far fewer sums than subsets.

    Args:
        numbers: At most EXACT_UP_TO whole numbers above zero.
    """
    ways = np.zeros(int(numbers.sum()) + 1, dtype=np.int64)
    ways[0] = 1
    for number in numbers:
        ways[number:] += ways[:-number]
    return ways


def _ways_of_sized_sums(numbers: np.ndarray, size: int) -> np.ndarray:
    """The same of the subsets of one size."""
    ways = np.zeros((size + 1, int(numbers.sum()) + 1), dtype=np.int64)
    ways[0, 0] = 1
    for number in numbers:
        ways[1:, number:] += ways[:-1, :-number]
    return np.asarray(ways[size])


def signed_ranks(differences: Iterable[float], resolution: float = 0.0) -> np.ndarray:
    """The ranks of the sizes of paired differences, with their signs; differences that are none are left out.

    Args:
        differences: One number a pair, or an infinite one where one of the pair diverged: these share the last rank.
        resolution: Of the results that were subtracted; both of two differences may be off by so much.
    """
    x = np.asarray(list(differences), dtype=float)
    if np.isnan(x).any():
        raise ValueError("differences: nan is not allowed; allowed: numbers, and inf where one of the pair diverged")
    x = x[np.abs(x) > resolution]
    return np.asarray(np.sign(x) * _mid_ranks(np.abs(x), 2 * resolution), dtype=float)


def worst_rank_flip(differences: Iterable[float], resolution: float = 0.0) -> Test:
    """The sign-flip test of signed ranks: what is +inf or -inf (one of the pair diverged) counts as the largest.

    Args:
        differences: One number a pair, or an infinite one.
        resolution: As for `signed_ranks`.
    """
    what, ranks = "worst-rank sign-flip test", signed_ranks(differences, resolution)
    n = len(ranks)
    if not 0 < n <= EXACT_UP_TO:
        return sign_flip(ranks, what)
    doubled = _doubled(ranks)
    ways, positive = _ways_of_sums(np.abs(doubled)), int(doubled[doubled > 0].sum())
    upper, lower = int(ways[positive:].sum()) / 2**n, int(ways[: positive + 1].sum()) / 2**n
    return Test(_two_sided(upper, lower), upper, lower, min(1.0, 2 / 2**n), n, f"exact {what}")


def shared_ranks(a: Iterable[float], b: Iterable[float], resolution: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The ranks of the results of two independent groups among all of them.

    Args:
        a: Results of one group; low is good, and inf has diverged.
        b: Those of the other.
        resolution: Of both: results that differ by no more share a rank.
    """
    first, second = (np.asarray(list(values), dtype=float) for values in (a, b))
    both = np.concatenate([first, second])
    if np.isnan(both).any():
        raise ValueError("a, b: nan is not allowed; allowed: numbers, and inf for what diverged")
    ranks = _mid_ranks(both, resolution)
    return ranks[: len(first)], ranks[len(first) :]


def worst_rank_permutation(a: Iterable[float], b: Iterable[float], resolution: float = 0.0) -> Test:
    """The permutation test of `shared_ranks`.

    Args:
        a: Results of one group.
        b: Those of the other.
        resolution: Of both.
    """
    what, (first, second) = "worst-rank permutation test", shared_ranks(a, b, resolution)
    n, chosen = len(first) + len(second), len(first)
    if not len(first) or not len(second) or n > EXACT_UP_TO:
        return permutation(first, second, what)
    ways = _ways_of_sized_sums(_doubled(np.concatenate([first, second])), chosen)
    total, observed, ends = math.comb(n, chosen), int(_doubled(first).sum()), np.flatnonzero(ways)[[0, -1]]
    upper, lower = int(ways[observed:].sum()) / total, int(ways[: observed + 1].sum()) / total
    smallest_p = min(1.0, 2 * int(ways[ends].min()) / total)
    return Test(_two_sided(upper, lower), upper, lower, smallest_p, n, f"exact {what}")


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
