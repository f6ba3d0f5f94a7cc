"""The evidence on which of two groups is better, before any correction, and the rule that decides on it.

On the way of a verdict's p, this file pairs and counts: it pairs two groups on their seeds, counts the runs that
diverged, hands the finite results to `analysis.statistics.differences`, and takes that exact test, or one of ranks
where runs of one group alone diverged (`analysis.statistics.worst_rank`). `analysis.statistics.verdicts` states the
rule, corrects p for all the questions asked together, and calls `decide`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from analysis.statistics.differences import Difference, difference
from analysis.statistics.exact import (
    Test,
    one_sided_binomial,
    one_sided_hypergeometric,
    permutation,
    sign_flip,
)
from analysis.statistics.intervals import ENOUGH_FOR_AN_INTERVAL
from analysis.statistics.samples import Sample, shared_precision
from analysis.statistics.seeds import Prospect, Ranks
from analysis.statistics.worst_rank import shared_ranks, signed_ranks, worst_rank_flip, worst_rank_permutation


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
    """What the runs of two groups say before any correction.

    A side is 1 if it is that of `a` (`a` is better), -1 if it is that of `b`, 0 if it is neither's.
    """

    a: Sample
    b: Sample
    finite: Difference
    """The difference of the finite results (of the pairs in which both are finite), a minus b."""
    test: Test
    """The exact test of which is better: that of the difference, or of the ranks where runs of one alone diverged."""
    ranks: Ranks
    """The ranks that it tests; empty where it tests the difference."""
    test_side: int
    """The side that the test points at."""
    ranked_side: int
    """The side that ranks first: by the share of diverged runs, then by the mean."""
    interval_side: int
    """The side for which the interval of the finite differences speaks; 0 if the interval holds zero."""
    n_a: int
    n_b: int
    diverged_a: int
    diverged_b: int
    diverged_both: int
    shares_differ: bool
    """Whether the interval of the diverged shares excludes that they are equal."""
    equivalence: Test
    """The two one-sided tests against the margin as one; its p is 1 where there is no margin, or runs diverged."""
    without_partner: int
    """How many runs have a seed that the other group does not have."""
    level: float
    """The level of the interval."""

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
        """Whether one group alone diverged in some pair; of independent groups, whether any run diverged."""
        return self.diverged_a != self.diverged_both or self.diverged_b != self.diverged_both

    @property
    def informative(self) -> int:
        """How many pairs could show which is better; the smaller group's runs where there are no pairs."""
        return self.n_a - self.diverged_both if self.paired else min(self.n_a, self.n_b)

    @property
    def smallest_p(self) -> float:
        """The least p with which so many results could have decided, before any correction."""
        return min(self.test.smallest_p, self.equivalence.smallest_p)

    @property
    def better_prospect(self) -> Prospect:
        """The least p of the test of which is better, with more seeds."""
        return Prospect(self.test, self.n_a, None if self.paired else self.n_b, self.ranks)

    @property
    def equivalence_prospect(self) -> Prospect:
        """The least p of the tests against the margin, with more seeds."""
        return Prospect(self.equivalence, self.n_a, None if self.paired else self.n_b)

    @property
    def hopeless(self) -> bool:
        """Whether all results are the same and there is no margin: no number of seeds can be named."""
        return self.better_prospect.alike and self.equivalence_prospect.alike


def _side(value: float) -> int:
    return 0 if value == 0 or math.isnan(value) else int(math.copysign(1, value))


def _paired_on(a: Sample, b: Sample) -> str | None:
    """What to pair on: the seeds, if the other group has more than half of the smaller group's; None if not."""
    if a.paired_on is None or a.paired_on != b.paired_on:
        return None
    shared = len(a.keys & b.keys)
    return a.paired_on if 2 * shared > min(a.n, b.n) or not min(a.n, b.n) else None


def _equivalence(a: Sequence[float], b: Sequence[float], between: Difference, margin: float | None) -> Test:
    """Two one-sided exact tests against -margin and +margin, as one whose p is held against a two-sided alpha."""
    if margin is None or not a or not b:
        return Test(1.0, 1.0, 1.0, 1.0, 0, between.test.name)
    least = between.resolution
    if between.paired_on is not None:
        x = [left - right for left, right in zip(a, b, strict=True)]
        tests = [
            sign_flip((value + margin for value in x), resolution=least),
            sign_flip((margin - value for value in x), resolution=least),
        ]
    else:
        tests = [
            permutation([value + margin for value in a], b, resolution=least),
            permutation([value + margin for value in b], a, resolution=least),
        ]
    upper = max(test.upper for test in tests)
    smallest_p = max(test.smallest_p for test in tests)
    return Test(min(1.0, 2 * upper), upper, 1.0, smallest_p, tests[0].size, f"{tests[0].name}s against the margin")


def _test_of_pairs(worse: Sequence[float], only_a: int, only_b: int, finite: Difference) -> tuple[Test, Ranks]:
    """The test of which is better in pairs, and the ranks that it tests.

    Args:
        worse: How much worse `a` is in each pair in which both are finite.
        only_a: Pairs in which `a` alone diverged.
        only_b: Pairs in which `b` alone diverged.
        finite: The difference where both are finite.
    """
    if not only_a + only_b:
        return finite.test, ()
    lost = [*[math.inf] * only_a, *[-math.inf] * only_b]
    signed = signed_ranks(worse, finite.resolution).tolist()
    return worst_rank_flip([*worse, *lost], finite.resolution), (tuple(sorted([*signed, *lost])),)


def _test_of_groups(a: Sequence[float], b: Sequence[float], finite: Difference) -> tuple[Test, Ranks]:
    """The test of which of two independent groups is better, and the ranks that it tests.

    Args:
        a: Results of one group: low is good, and inf has diverged.
        b: Results of the other group.
        finite: The difference of those that are finite.
    """
    if math.inf not in a and math.inf not in b:
        return finite.test, ()
    ranks = tuple(
        tuple(sorted(np.where(np.isinf(values), math.inf, ranked).tolist()))
        for values, ranked in zip((a, b), shared_ranks(a, b, finite.resolution), strict=True)
    )
    return worst_rank_permutation(a, b, finite.resolution), ranks


@dataclass(frozen=True)
class _Comparison:
    """The runs of two groups set against each other, paired or not."""

    left: list[float]
    """The finite results of `a` that are compared: of the pairs in which both are finite, or all."""
    right: list[float]
    finite: Difference
    test: Test
    ranks: Ranks
    n_a: int
    n_b: int
    diverged_a: int
    diverged_b: int
    diverged_both: int
    shares_p: float
    """The one-sided p of the exact test that the shares of diverged runs are equal."""
    without_partner: int


def _paired(a: Sample, b: Sample, paired_on: str, sign: int, level: float, comparisons: int) -> _Comparison:
    keys = [key for key in [*a.values, *a.diverged] if key in b.keys]
    both = [key for key in keys if key in a.values and key in b.values]
    only_a = sum(key in a.diverged and key in b.values for key in keys)
    only_b = sum(key in b.diverged and key in a.values for key in keys)
    diverged_both = len(keys) - len(both) - only_a - only_b
    left, right = [a.values[key] for key in both], [b.values[key] for key in both]
    finite = difference(
        dict(zip(both, left, strict=True)),
        dict(zip(both, right, strict=True)),
        paired_on,
        level=level,
        comparisons=comparisons,
        precision=shared_precision(a, b),
    )
    worse = [sign * (x - y) for x, y in zip(left, right, strict=True)]
    test, ranks = _test_of_pairs(worse, only_a, only_b, finite)
    return _Comparison(
        left,
        right,
        finite,
        test,
        ranks,
        n_a=len(keys),
        n_b=len(keys),
        diverged_a=only_a + diverged_both,
        diverged_b=only_b + diverged_both,
        diverged_both=diverged_both,
        shares_p=one_sided_binomial(max(only_a, only_b), only_a + only_b),
        without_partner=len(a.keys ^ b.keys),
    )


def _independent(a: Sample, b: Sample, sign: int, level: float, comparisons: int) -> _Comparison:
    left, right = list(a.values.values()), list(b.values.values())
    diverged_a, diverged_b = len(a.diverged), len(b.diverged)
    finite = difference(left, right, level=level, comparisons=comparisons, precision=shared_precision(a, b))
    test, ranks = _test_of_groups(
        [*(sign * x for x in left), *[math.inf] * diverged_a],
        [*(sign * x for x in right), *[math.inf] * diverged_b],
        finite,
    )
    return _Comparison(
        left,
        right,
        finite,
        test,
        ranks,
        n_a=a.n,
        n_b=b.n,
        diverged_a=diverged_a,
        diverged_b=diverged_b,
        diverged_both=0,
        shares_p=min(
            one_sided_hypergeometric(diverged, drawn, diverged_a + diverged_b, a.n + b.n)
            for diverged, drawn in ((diverged_a, a.n), (diverged_b, b.n))
        ),
        without_partner=0,
    )


def gather_evidence(a: Sample, b: Sample, sign: int, margin: float | None, level: float, comparisons: int) -> Evidence:
    """The evidence on which of two groups is better.

    Args:
        a: The group that is judged.
        b: The group that it is compared with.
        sign: 1 if lower is better, -1 if higher is.
        margin: A difference that would not matter, or None.
        level: The level of the interval.
        comparisons: How many pairs of groups are compared.
    """
    on = _paired_on(a, b)
    if on is None:
        compared = _independent(a, b, sign, level, comparisons)
    else:
        compared = _paired(a, b, on, sign, level, comparisons)
    finite, test, ranks = compared.finite, compared.test, compared.ranks
    by_mean = -sign * _side(finite.interval.mean)
    by_rank_test = 0 if test.p == 1 else 1 if test.upper > 0.5 else -1
    by_share = _side(compared.diverged_b * compared.n_a - compared.diverged_a * compared.n_b)
    return Evidence(
        a,
        b,
        finite,
        test,
        ranks,
        test_side=by_rank_test if ranks else by_mean,
        ranked_side=by_share or by_mean,
        interval_side=by_mean if finite.excludes_zero else 0,
        n_a=compared.n_a,
        n_b=compared.n_b,
        diverged_a=compared.diverged_a,
        diverged_b=compared.diverged_b,
        diverged_both=compared.diverged_both,
        shares_differ=bool(by_share) and compared.shares_p <= round(1 - level, 12) / 2,
        equivalence=_equivalence(compared.left, compared.right, finite, None if ranks else margin),
        without_partner=compared.without_partner,
        level=level,
    )


def decide(e: Evidence, p: float, equivalent_p: float, margin: float | None, *, possible: bool) -> Decision:
    """The decision on a pair of groups, by the rule that `analysis.statistics.verdicts` states.

    Args:
        e: The evidence on the pair.
        p: The p-value of its test, as Holm corrected it.
        equivalent_p: The p-value of its tests against the margin, as Holm corrected it.
        margin: A difference that would not matter, or None.
        possible: Whether so many results could have decided.
    """
    gap = e.finite.interval
    if margin is not None and -margin < gap.low and gap.high < margin and equivalent_p <= e.alpha:
        return Decision.NO_DIFFERENCE
    supported = e.interval_side == e.test_side or (e.one_diverged and e.shares_differ)
    agree = e.test_side and e.test_side == e.ranked_side
    if p <= e.alpha and agree and supported and e.informative >= ENOUGH_FOR_AN_INTERVAL:
        return Decision.BETTER if e.test_side > 0 else Decision.WORSE
    return Decision.UNDECIDED if possible else Decision.TOO_FEW
