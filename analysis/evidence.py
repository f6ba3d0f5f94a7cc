"""What the runs of two groups say about which is better: the evidence, and the rule that decides on it.

The rule is told in analysis.verdicts, which puts it into words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from analysis import exact
from analysis.samples import Sample, shared_precision
from analysis.statistics import ENOUGH_FOR_AN_INTERVAL, Difference, difference


class Decision(StrEnum):
    """What can be said of `a` compared with `b`."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no difference"
    """None beyond the margin."""
    UNDECIDED = "undecided"
    TOO_FEW = "too few seeds"
    """No results could have decided."""


@dataclass(frozen=True)
class Evidence:
    """What the runs of two groups say before any correction."""

    a: Sample
    b: Sample
    finite: Difference
    test: exact.Test
    side: int
    """Which the test points at: 1 if `a` is better, -1 if `b` is, 0 if neither."""
    first: int
    """Which ranks first: by share of diverged runs, then by mean."""
    n_a: int
    n_b: int
    diverged_a: int
    diverged_b: int
    diverged_both: int
    shares_differ: bool
    """Whether the interval of the diverged shares excludes that they are equal."""
    equivalent_p: float
    """Of the two one-sided tests against the margin; 1 where there is none."""
    alone: int
    """Runs of a seed that the other group has not."""
    level: float
    points: int
    """Which the interval of the finite differences says is better; 0 if it holds zero."""

    @property
    def alpha(self) -> float:
        """The chance of a verdict where there is no difference."""
        return round(1 - self.level, 12)

    @property
    def paired(self) -> bool:
        """Whether seeds are compared with each other."""
        return self.finite.paired_on is not None

    @property
    def one_diverged(self) -> bool:
        """Whether there is a pair (a run of independent groups) in which one alone diverged."""
        return self.diverged_a != self.diverged_both or self.diverged_b != self.diverged_both

    @property
    def telling(self) -> int:
        """Pairs that could tell which is better; the smaller group's runs where there are no pairs."""
        return self.n_a - self.diverged_both if self.paired else min(self.n_a, self.n_b)

    @property
    def all_diverged(self) -> bool:
        """Whether there are runs, and all of them diverged."""
        return self.n_a > 0 and self.n_b > 0 and self.diverged_a == self.n_a and self.diverged_b == self.n_b


def _side(value: float) -> int:
    return 0 if value == 0 or math.isnan(value) else int(math.copysign(1, value))


def _paired_on(a: Sample, b: Sample) -> str | None:
    """What to pair on: the seeds, if the smaller group shares more than half of its own."""
    if a.paired_on is None or a.paired_on != b.paired_on:
        return None
    shared = len(a.keys & b.keys)
    return a.paired_on if 2 * shared > min(a.n, b.n) or not min(a.n, b.n) else None


def _equivalent(a: Sequence[float], b: Sequence[float], between: Difference, margin: float) -> float:
    """Two one-sided exact tests against -margin and +margin, their p doubled to be held against a two-sided alpha."""
    if not a or not b:
        return 1.0
    least = between.resolution
    if between.paired_on is not None:
        x = [left - right for left, right in zip(a, b, strict=True)]
        uppers = [
            exact.sign_flip((each + margin for each in x), resolution=least),
            exact.sign_flip((margin - each for each in x), resolution=least),
        ]
    else:
        uppers = [
            exact.permutation([each + margin for each in a], b, resolution=least),
            exact.permutation([each + margin for each in b], a, resolution=least),
        ]
    return min(1.0, 2 * max(each.upper for each in uppers))


def weigh(a: Sample, b: Sample, sign: int, margin: float | None, level: float, comparisons: int) -> Evidence:
    """The evidence of two groups.

    Args:
        a: The group that is judged.
        b: The group that it is compared with.
        sign: 1 if lower is better, -1 if higher is.
        margin: A difference that would not matter, or None.
        level: Of the interval.
        comparisons: How many pairs of groups are compared.
    """
    on, precision = _paired_on(a, b), shared_precision(a, b)
    alpha = round(1 - level, 12)
    if on is not None:
        keys = [key for key in [*a.values, *a.diverged] if key in b.keys]
        both = [key for key in keys if key in a.values and key in b.values]
        only_a = sum(key in a.diverged and key in b.values for key in keys)
        only_b = sum(key in b.diverged and key in a.values for key in keys)
        n_a = n_b = len(keys)
        diverged_both = len(keys) - len(both) - only_a - only_b
        diverged_a, diverged_b = only_a + diverged_both, only_b + diverged_both
        left, right = [a.values[key] for key in both], [b.values[key] for key in both]
        found = difference(
            dict(zip(both, left, strict=True)), dict(zip(both, right, strict=True)), on, level=level,
            comparisons=comparisons, precision=precision,
        )  # fmt: skip
        tail = exact.one_sided_binomial(max(only_a, only_b), only_a + only_b)
        test = found.test
        if only_a + only_b:
            worse = [sign * (x - y) for x, y in zip(left, right, strict=True)]
            test = exact.worst_rank_flip([*worse, *[math.inf] * only_a, *[-math.inf] * only_b], found.resolution)
        alone = len(a.keys ^ b.keys)
    else:
        left, right = list(a.values.values()), list(b.values.values())
        n_a, n_b, diverged_a, diverged_b, diverged_both = a.n, b.n, len(a.diverged), len(b.diverged), 0
        found = difference(left, right, level=level, comparisons=comparisons, precision=precision)
        tail = min(
            exact.one_sided_hypergeometric(more, drawn, diverged_a + diverged_b, n_a + n_b)
            for more, drawn in ((diverged_a, n_a), (diverged_b, n_b))
        )
        test, alone = found.test, 0
        if diverged_a + diverged_b:
            test = exact.worst_rank_permutation(
                [*(sign * x for x in left), *[math.inf] * diverged_a],
                [*(sign * x for x in right), *[math.inf] * diverged_b],
                found.resolution,
            )
    by_mean = -sign * _side(found.interval.mean)
    shares = _side(diverged_b * n_a - diverged_a * n_b)
    ranks = test is not found.test
    return Evidence(
        a, b, found, test,
        side=(0 if test.p == 1 else 1 if test.upper > 0.5 else -1) if ranks else by_mean,
        first=shares or by_mean,
        n_a=n_a, n_b=n_b, diverged_a=diverged_a, diverged_b=diverged_b, diverged_both=diverged_both,
        shares_differ=bool(shares) and tail <= alpha / 2,
        equivalent_p=1.0 if margin is None or ranks else _equivalent(left, right, found, margin),
        alone=alone, level=level, points=by_mean if found.excludes_zero else 0,
    )  # fmt: skip


def seeds_missing(e: Evidence, comparisons: int) -> int:
    """How many more seeds it takes before the exact test could decide, were these as telling as seeds can be."""
    if e.all_diverged:
        return 0
    alpha = e.alpha / comparisons
    enough = exact.enough_pairs(alpha) if e.paired else exact.enough_each(alpha, e.n_a, e.n_b)
    return max(0, max(enough, ENOUGH_FOR_AN_INTERVAL) - e.telling)


def decide(e: Evidence, p: float, equivalent_p: float, margin: float | None, comparisons: int) -> Decision:
    """What can be said, given the p-values as Holm corrected them."""
    found = e.finite.interval
    if margin is not None and -margin < found.low and found.high < margin and equivalent_p <= e.alpha:
        return Decision.NO_DIFFERENCE
    supported = e.points == e.side or (e.one_diverged and e.shares_differ)
    if p <= e.alpha and e.side and e.side == e.first and supported and e.telling >= ENOUGH_FOR_AN_INTERVAL:
        return Decision.BETTER if e.side > 0 else Decision.WORSE
    return Decision.TOO_FEW if seeds_missing(e, comparisons) else Decision.UNDECIDED
