"""Exact tests of ranks, where runs diverged: a diverged run has no number but is worse than any.

The results are ranked with the diverged ones last, tied, and the ranks are tested (Lachin 1999, Controlled Clinical
Trials 20, 408-422): a sign-flip test of signed ranks for pairs, a permutation test of ranks for independent groups.
Twice a rank is a small whole number, so all deals are counted by their sums, of which there are far fewer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from analysis.statistics.exact import EXACT_UP_TO, Test, permutation, sign_flip, two_sided


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
    """How many subsets of `size` numbers have each sum, from 0 on."""
    ways = np.zeros((size + 1, int(numbers.sum()) + 1), dtype=np.int64)
    ways[0, 0] = 1
    for number in numbers:
        ways[1:, number:] += ways[:-1, :-number]
    return np.asarray(ways[size])


def signed_ranks(differences: Iterable[float], resolution: float = 0.0) -> np.ndarray:
    """The ranks of the sizes of paired differences, with their signs; differences that are none are left out.

    Args:
        differences: One number per pair, an infinite one where one of the pair diverged: these share the last rank.
        resolution: The resolution of the results that were subtracted; both of two differences may be off by so much.
    """
    x = np.asarray(list(differences), dtype=float)
    if np.isnan(x).any():
        raise ValueError("differences: nan is not allowed; allowed: numbers, and inf where one of the pair diverged")
    x = x[np.abs(x) > resolution]
    return np.asarray(np.sign(x) * _mid_ranks(np.abs(x), 2 * resolution), dtype=float)


def worst_rank_flip(differences: Iterable[float], resolution: float = 0.0) -> Test:
    """The sign-flip test of signed ranks: what is +inf or -inf (one of the pair diverged) counts as the largest.

    Args:
        differences: One number per pair, or an infinite one.
        resolution: As for `signed_ranks`.
    """
    what, ranks = "worst-rank sign-flip test", signed_ranks(differences, resolution)
    n = len(ranks)
    if not 0 < n <= EXACT_UP_TO:
        return sign_flip(ranks, what)
    doubled = _doubled(ranks)
    ways, positive = _ways_of_sums(np.abs(doubled)), int(doubled[doubled > 0].sum())
    upper, lower = int(ways[positive:].sum()) / 2**n, int(ways[: positive + 1].sum()) / 2**n
    return Test(two_sided(upper, lower), upper, lower, min(1.0, 2 / 2**n), n, f"exact {what}")


def shared_ranks(a: Iterable[float], b: Iterable[float], resolution: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The ranks of the results of two independent groups among all of them.

    Args:
        a: Results of one group; low is good, and inf has diverged.
        b: Results of the other group.
        resolution: The resolution of all results: those that differ by no more share a rank.
    """
    first, second = (np.asarray(list(values), dtype=float) for values in (a, b))
    both = np.concatenate([first, second])
    if np.isnan(both).any():
        raise ValueError("a, b: nan is not allowed; allowed: numbers, and inf for what diverged")
    ranks = _mid_ranks(both, resolution)
    return ranks[: len(first)], ranks[len(first) :]


def worst_rank_permutation(a: Iterable[float], b: Iterable[float], resolution: float = 0.0) -> Test:
    """The permutation test of the ranks of two independent groups; a diverged run (inf) ranks last.

    Args:
        a: Results of one group.
        b: Results of the other group.
        resolution: As for `shared_ranks`.
    """
    what, (first, second) = "worst-rank permutation test", shared_ranks(a, b, resolution)
    n, chosen = len(first) + len(second), len(first)
    if not len(first) or not len(second) or n > EXACT_UP_TO:
        return permutation(first, second, what)
    ways = _ways_of_sized_sums(_doubled(np.concatenate([first, second])), chosen)
    total, observed, ends = math.comb(n, chosen), int(_doubled(first).sum()), np.flatnonzero(ways)[[0, -1]]
    upper, lower = int(ways[observed:].sum()) / total, int(ways[: observed + 1].sum()) / total
    smallest_p = min(1.0, 2 * int(ways[ends].min()) / total)
    return Test(two_sided(upper, lower), upper, lower, smallest_p, n, f"exact {what}")
