"""How far the means of two groups lie apart: their difference, its interval, its exact p-value, the seeds it needs.

On the way of a verdict's p, this file subtracts: `analysis.statistics.evidence` hands it the finite results of two
groups, it sets to zero what is rounding alone, and lets `analysis.statistics.exact` test what is left. `holm` corrects
the p-values of several comparisons for each other, as `analysis.statistics.verdicts` asks.

Functions take finite numbers and refuse others: a diverged run has no mean. The evidence counts and ranks those.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.statistics.exact import Test, permutation, sign_flip
from analysis.statistics.intervals import (
    Interval,
    check_share,
    finite,
    interval,
    t_quantile,
)
from analysis.statistics.power import seeds_needed
from analysis.statistics.rounding import resolution
from tracking.schema import MAXIMIZE, MINIMIZE

ROUNDING: Final = 1e-12
"""Two results that differ by a smaller share of their size are the same."""

Values = Iterable[float] | Mapping[Any, float]
"""Results of a group: a sequence, or a mapping or a pandas Series from a key (the seed) to a result."""


@dataclass(frozen=True)
class Difference:
    """How far two groups' means lie apart, `a` minus `b`."""

    interval: Interval
    """The mean difference and its interval: Student's of the pairs' differences, or Welch's of independent groups."""
    test: Test
    """The exact sign-flip test of the pairs, or permutation test of independent groups."""
    n: int
    """Pairs, or results of the smaller group."""
    n_a: int
    """Results of the first group, those without a partner included."""
    n_b: int
    """Results of the second group, those without a partner included."""
    paired_on: str | None
    """What the pairs share ("seed"); None where the groups are independent."""
    effect: float
    """The mean difference in standard deviations: of the differences, or of the results; inf without any spread."""
    alpha: float
    """The threshold of the p-value: (1 - level) / comparisons."""
    resolution: float
    """The least difference between two results that is more than rounding."""

    @property
    def p(self) -> float:
        """The two-sided p-value of the exact sign-flip test (paired) or permutation test."""
        return self.test.p

    @property
    def smallest_p(self) -> float:
        """The least p that these results could have given."""
        return self.test.smallest_p

    @cached_property
    def needed(self) -> int | None:
        """The seeds (pairs, or in each group) for 80 % power at the observed effect; None if it takes too many."""
        return seeds_needed(self.effect, alpha=self.alpha, paired=self.paired_on is not None)

    @property
    def kind(self) -> str:
        """How the interval is named on a figure."""
        if self.paired_on is not None:
            return f"{self.interval.kind} pairs"
        return f"{100 * self.interval.level:g}% Welch t-interval, n={self.n_a} and {self.n_b}"

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval is there and does not hold zero."""
        return self.interval.low > 0 or self.interval.high < 0


def _keyed(name: str, values: Values) -> dict[Hashable, float]:
    """The results by key; those of a plain sequence by position."""
    if isinstance(values, pd.Series):
        keys: list[Hashable] = list(values.index)
        numbers = values.tolist()
    elif isinstance(values, Mapping):
        keys, numbers = list(values.keys()), list(values.values())
    else:
        numbers = list(values)
        keys = list(range(len(numbers)))
    if len(set(keys)) < len(keys):
        twice = next(key for position, key in enumerate(keys) if key in keys[:position])
        raise ValueError(f"{name}: {twice!r} is there twice; allowed: one result a key, since results are paired by it")
    return dict(zip(keys, finite(name, numbers).tolist(), strict=True))


def _unkeyed(name: str, values: Values) -> np.ndarray:
    return finite(name, values.values() if isinstance(values, Mapping) else values)


def _effect(mean: float, spread: float) -> float:
    """`mean` in units of `spread`: 0 where there is no difference, infinite where there is one and no spread."""
    if mean == 0:
        return 0.0
    return math.copysign(math.inf, mean) if spread == 0 else mean / spread


def _welch(a: np.ndarray, b: np.ndarray, level: float) -> tuple[Interval, float]:
    """The difference of two independent means, and that in (root mean square) standard deviations.

    Welch 1947, Biometrika 34, 28-35: df = (v_a + v_b)^2 / (v_a^2 / (n_a - 1) + v_b^2 / (n_b - 1)), v = s^2 / n.
    """
    n = min(len(a), len(b))
    mean = float(a.mean() - b.mean()) if n else math.nan
    if n < 2:
        return Interval(mean, math.nan, math.nan, n, level), math.nan
    variances = np.array([a.var(ddof=1), b.var(ddof=1)])
    of_means = variances / [len(a), len(b)]
    if of_means.sum() == 0:
        return Interval(mean, mean, mean, n, level), _effect(mean, 0.0)
    df = of_means.sum() ** 2 / (of_means**2 / [len(a) - 1, len(b) - 1]).sum()
    half = float(t_quantile((1 + level) / 2, df)) * math.sqrt(of_means.sum())
    return Interval(mean, mean - half, mean + half, n, level), _effect(mean, math.sqrt(variances.mean()))


def _levelled(x: np.ndarray, least: float) -> np.ndarray:
    """All values set to their mean if only rounding tells them apart; else the values as they are."""
    return np.full(len(x), x.mean()) if len(x) and np.ptp(x) <= least else x


def _without_rounding(gap: Interval, least: float) -> Interval:
    """The interval of a difference, moved to zero if its mean is no more than rounding."""
    if abs(gap.mean) <= least:
        return replace(gap, mean=0.0, low=gap.low - gap.mean, high=gap.high - gap.mean)
    return gap


def _independent_difference(a: Values, b: Values, level: float, alpha: float, precision: float | None) -> Difference:
    first, second = _unkeyed("a", a), _unkeyed("b", b)
    least = resolution(np.concatenate([first, second]), precision)
    first, second = _levelled(first, least), _levelled(second, least)
    gap, effect = _welch(first, second, level)
    gap = _without_rounding(gap, least)
    return Difference(
        gap,
        permutation(first, second, resolution=least),
        n=min(len(first), len(second)),
        n_a=len(first),
        n_b=len(second),
        paired_on=None,
        effect=effect if gap.mean else 0.0,
        alpha=alpha,
        resolution=least,
    )


def _paired_difference(
    a: Values, b: Values, paired_on: str, level: float, alpha: float, precision: float | None
) -> Difference:
    left, right = _keyed("a", a), _keyed("b", b)
    by_position = [not isinstance(values, Mapping | pd.Series) for values in (a, b)]
    if all(by_position) and len(left) != len(right):
        raise ValueError(f"a, b: {len(left)} and {len(right)} values are not allowed; allowed: as many, to be paired")
    pairs = np.array([(left[key], right[key]) for key in left if key in right]).reshape(-1, 2)
    x = pairs[:, 0] - pairs[:, 1]
    least = resolution(pairs.ravel(), precision)
    # The same method under two names may add in another order: that is no difference, however often it is seen.
    x[np.abs(x) <= np.maximum(least, ROUNDING * np.abs(pairs).max(axis=1, initial=0.0))] = 0.0
    x = _levelled(x, 2 * least)
    gap = _without_rounding(interval(x, level, rounding=least), least)
    spread = float(x.std(ddof=1)) if len(x) > 1 else math.nan
    return Difference(
        gap,
        sign_flip(x, resolution=least),
        n=len(x),
        n_a=len(left),
        n_b=len(right),
        paired_on=paired_on,
        effect=_effect(gap.mean, spread),
        alpha=alpha,
        resolution=least,
    )


def difference(
    a: Values,
    b: Values,
    paired_on: str | None = None,
    *,
    level: float = 0.95,
    comparisons: int = 1,
    precision: float | None = None,
) -> Difference:
    """The mean of `a` minus the mean of `b`: interval, exact p-value, and the seeds that it would take.

    Args:
        a: Finite results: a sequence, or a Series or mapping from key to result.
        b: Finite results of the other group, likewise.
        paired_on: What the two share ("seed"): results are paired by key (plain sequences by position), those without a
            partner are left out. None: the groups are independent.
        level: The level of the interval.
        comparisons: Among how many this is one: its p is compared with (1 - level) / comparisons.
        precision: The precision of the results from which `a` and `b` were made, if they are means (see
            `analysis.statistics.rounding`); by default that of `a` and `b`. Differences up to it are none.
    """
    check_share("level", level)
    if comparisons < 1:
        raise ValueError(f"comparisons: {comparisons} is not allowed; allowed: 1 or more")
    alpha = round(1 - level, 12) / comparisons
    if paired_on is None:
        return _independent_difference(a, b, level, alpha, precision)
    return _paired_difference(a, b, paired_on, level, alpha, precision)


def check_direction(direction: str) -> None:
    """Refuses a direction that is neither "minimize" nor "maximize"."""
    if direction not in (MINIMIZE, MAXIMIZE):
        raise ValueError(f"direction: {direction!r} is not allowed; allowed: {MINIMIZE!r}, {MAXIMIZE!r}")


def holm(p_values: Iterable[float]) -> np.ndarray:
    """Holm's adjusted p-values, in the order given: reject those at most alpha, and alpha holds for all together.

    The i-th smallest of m becomes max over j <= i of min(1, (m - j + 1) p_(j)) (Holm 1979, Scandinavian Journal of
    Statistics 6, 65-70).
    """
    p = np.asarray(list(p_values), dtype=float)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p_values: {p[~((p >= 0) & (p <= 1))][0]} is not allowed; allowed: 0 to 1")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, p[order] * np.arange(len(p), 0, -1)))
    return adjusted
