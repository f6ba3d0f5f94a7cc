"""How many seeds it takes to see a difference of a given size.

A verdict needs the t-interval to exclude zero and the exact test to reject. Its power for normal results is found by
drawing standard normal samples: the exact test rejects once the true effect d (in standard deviations) exceeds the
K-th largest of the means over subsets of the results, signs turned, K = floor(alpha 2^n / 2), since a flip of the
shifted results is as extreme as what was seen if and only if the mean of those flipped is not positive (Hartigan 1969,
JASA 64, 1303-1317). The interval excludes zero once d exceeds t s / sqrt(n) - mean. So each sample has one d from which
on it is decided, and the d that is found with a given power is a quantile of these. Dealing labels anew works likewise,
with differences of the means of equally many results. Above SIMULATED_PAIRS the discrete test has become as powerful as
the t-test to within about 2 %, and the noncentral t distribution gives the answer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import numpy as np

from analysis.statistics.exact import enough_each, enough_pairs
from analysis.statistics.intervals import check_share, t_quantile

SIMULATED_PAIRS: Final = 13
"""The largest number of pairs whose power is simulated; a few more where so many are needed at all."""
SIMULATED_EACH: Final = 7
"""The largest size of each of two independent groups whose power is simulated."""
AT_MOST: Final = 100_000
"""More seeds than this are not advised."""
DRAWS: Final = 4_000
"""Samples that are drawn to find the power."""
_AT_ONCE: Final = 4_000_000
"""Numbers that are held in memory at a time."""


def _blocks(draws: np.ndarray, width: int) -> Iterator[np.ndarray]:
    """The rows of `draws` in blocks, each of which takes `width` numbers per row in memory."""
    yield from np.array_split(draws, max(1, math.ceil(len(draws) * width / _AT_ONCE)))


def _kth_largest(rows: np.ndarray, k: int) -> np.ndarray:
    return np.asarray(np.partition(rows, rows.shape[1] - k, axis=1)[:, rows.shape[1] - k])


def decided_pairs(n: int, alpha: float) -> np.ndarray:
    """For each drawn sample of n paired differences: the effect from which on both interval and sign flips decide."""
    members = ((np.arange(1, 2**n)[:, None] >> np.arange(n)) & 1).astype(float)
    weights = (members / members.sum(axis=1, keepdims=True)).T  # (n, subsets): a subset's mean
    k = math.floor(alpha * 2**n / 2)
    t = t_quantile(1 - alpha / 2, n - 1)
    effects = []
    for z in _blocks(np.random.default_rng(n).normal(size=(DRAWS, n)), 2**n):
        by_interval = t * z.std(axis=1, ddof=1) / math.sqrt(n) - z.mean(axis=1)
        effects.append(np.maximum(by_interval, _kth_largest(-z @ weights, k)))
    return np.concatenate(effects)


def decided_each(n: int, alpha: float) -> np.ndarray:
    """For each drawn sample of two groups of n results: the effect from which on Welch's interval and deals decide."""
    deals = np.array(
        [np.isin(np.arange(2 * n), chosen) for chosen in itertools.combinations(range(2 * n), n)], dtype=float
    )
    moved = n - deals[:, :n].sum(axis=1)
    deals, moved = deals[moved > 0], moved[moved > 0]
    weights = np.concatenate([-(1 - deals[:, :n]), deals[:, n:]], axis=1).T / moved  # (2 n, deals)
    k = math.floor(alpha * math.comb(2 * n, n) / 2)
    effects = []
    for z in _blocks(np.random.default_rng(n).normal(size=(DRAWS, 2 * n)), math.comb(2 * n, n)):
        a, b = z[:, :n], z[:, n:]
        of_means = np.stack([a.var(axis=1, ddof=1), b.var(axis=1, ddof=1)]) / n  # (2, draws)
        df = of_means.sum(axis=0) ** 2 * (n - 1) / (of_means**2).sum(axis=0)
        half = t_quantile(1 - alpha / 2, df) * np.sqrt(of_means.sum(axis=0))
        by_interval = half - (a.mean(axis=1) - b.mean(axis=1))
        effects.append(np.maximum(by_interval, _kth_largest(z @ weights, k)))
    return np.concatenate(effects)


@lru_cache(maxsize=4096)
def _detectable(n: int, alpha: float, power: float, paired: bool) -> float:
    """The least effect that a verdict finds with this power."""
    decided = decided_pairs(n, alpha) if paired else decided_each(n, alpha)
    return float(np.quantile(decided, power))


def _by_t(effect: float, alpha: float, power: float, paired: bool) -> int | None:
    """The least n at which the two-sided t-test has the power; None above AT_MOST."""
    from scipy.special import nctdtr

    def reached(n: int) -> bool:
        df = n - 1 if paired else 2 * n - 2
        shift = effect * math.sqrt(n if paired else n / 2)
        # Beyond 30 standard errors the test is certain, and the distribution function no longer converges.
        return shift > 30 or float(nctdtr(df, shift, t_quantile(1 - alpha / 2, df))) <= 1 - power

    low, high = 1, 2
    while not reached(high):
        low, high = high, 2 * high
        if low > AT_MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high if high <= AT_MOST else None


@lru_cache(maxsize=4096)
def _needed(effect: float, alpha: float, power: float, paired: bool) -> int | None:
    enough = enough_pairs(alpha) if paired else max(3, enough_each(alpha))
    simulated = max(SIMULATED_PAIRS, enough + 4) if paired else max(SIMULATED_EACH, enough + 1)
    n = enough if math.isinf(effect) else _by_t(effect, alpha, power, paired)
    if n is None:
        return None
    n = max(n, enough)
    while n <= simulated and _detectable(n, alpha, power, paired) > effect:
        n += 1
    return n


def seeds_needed(effect: float, *, alpha: float = 0.05, power: float = 0.8, paired: bool = True) -> int | None:
    """The least number of paired seeds, or of seeds in each group, at which a verdict finds an effect with this power.

    Args:
        effect: The true mean difference in standard deviations: of the differences if paired, else of the results.
            An effect that was measured, not known, is as uncertain as its measurement, and so is this answer.
        alpha: The chance of a verdict where there is no difference; divided by the number of comparisons.
        power: The chance of a verdict where there is this difference.
        paired: Whether the groups share their seeds.

    Returns:
        None where there is no effect, or AT_MOST seeds would not do.
    """
    check_share("alpha", alpha)
    check_share("power", power)
    if math.isnan(effect) or effect == 0:
        return None
    # Three digits are more than an effect is ever known to, and let the answers be remembered.
    return _needed(float(f"{abs(effect):.3g}"), float(f"{alpha:.6g}"), power, paired)
