"""What the runs of two groups say about which is better: the evidence, and the rule that decides on it.

The rule is told in analysis.statistics.verdicts, which puts it into words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from analysis.statistics import exact
from analysis.statistics.differences import Difference, difference
from analysis.statistics.exact import Test
from analysis.statistics.intervals import ENOUGH_FOR_AN_INTERVAL
from analysis.statistics.samples import Sample, shared_precision
from analysis.statistics.seeds import Prospect, Ranks


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
    test: Test
    ranks: Ranks
    """What it tests if these are ranks: where runs of one group alone diverged."""
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
    equivalence: Test
    """The two one-sided tests against the margin as one; its p is 1 where there is no margin, or runs diverged."""
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
    def smallest_p(self) -> float:
        """The least p with which so many results could have decided, before any correction."""
        return min(self.test.smallest_p, self.equivalence.smallest_p)

    @property
    def better(self) -> Prospect:
        """What the test of which is better could come to with more seeds."""
        return Prospect(self.test, self.n_a, None if self.paired else self.n_b, self.ranks)

    @property
    def same(self) -> Prospect:
        """What the tests against the margin could come to with more seeds."""
        return Prospect(self.equivalence, self.n_a, None if self.paired else self.n_b)

    @property
    def hopeless(self) -> bool:
        """Whether all results are the same and there is no margin: nothing tells how many seeds would differ."""
        return self.better.alike and self.same.alike


def _side(value: float) -> int:
    return 0 if value == 0 or math.isnan(value) else int(math.copysign(1, value))


def _paired_on(a: Sample, b: Sample) -> str | None:
    """What to pair on: the seeds, if the smaller group shares more than half of its own."""
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
            exact.sign_flip((value + margin for value in x), resolution=least),
            exact.sign_flip((margin - value for value in x), resolution=least),
        ]
    else:
        tests = [
            exact.permutation([value + margin for value in a], b, resolution=least),
            exact.permutation([value + margin for value in b], a, resolution=least),
        ]
    upper = max(test.upper for test in tests)
    smallest_p = max(test.smallest_p for test in tests)
    return Test(min(1.0, 2 * upper), upper, 1.0, smallest_p, tests[0].size, f"{tests[0].name}s against the margin")


def _tested_pairs(worse: Sequence[float], only_a: int, only_b: int, between: Difference) -> tuple[Test, Ranks]:
    """The test of pairs, and the ranks that it is of.

    Args:
        worse: How much worse `a` is in each pair in which both are finite.
        only_a: Pairs in which `a` alone diverged.
        only_b: Pairs in which `b` alone diverged.
        between: The difference where both are finite.
    """
    if not only_a + only_b:
        return between.test, ()
    lost = [*[math.inf] * only_a, *[-math.inf] * only_b]
    signed = exact.signed_ranks(worse, between.resolution).tolist()
    return exact.worst_rank_flip([*worse, *lost], between.resolution), (tuple(sorted([*signed, *lost])),)


def _tested_groups(a: Sequence[float], b: Sequence[float], between: Difference) -> tuple[Test, Ranks]:
    """The test of independent groups, and the ranks that it is of.

    Args:
        a: Results of one group: low is good, and inf has diverged.
        b: Those of the other.
        between: The difference of those that are finite.
    """
    if math.inf not in a and math.inf not in b:
        return between.test, ()
    ranks = tuple(
        tuple(sorted(math.inf if math.isinf(value) else rank for value, rank in zip(values, own.tolist(), strict=True)))
        for values, own in zip((a, b), exact.shared_ranks(a, b, between.resolution), strict=True)
    )
    return exact.worst_rank_permutation(a, b, between.resolution), ranks


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
        worse = [sign * (x - y) for x, y in zip(left, right, strict=True)]
        test, ranks = _tested_pairs(worse, only_a, only_b, found)
        alone = len(a.keys ^ b.keys)
    else:
        left, right = list(a.values.values()), list(b.values.values())
        n_a, n_b, diverged_a, diverged_b, diverged_both = a.n, b.n, len(a.diverged), len(b.diverged), 0
        found = difference(left, right, level=level, comparisons=comparisons, precision=precision)
        tail = min(
            exact.one_sided_hypergeometric(more, drawn, diverged_a + diverged_b, n_a + n_b)
            for more, drawn in ((diverged_a, n_a), (diverged_b, n_b))
        )
        test, ranks = _tested_groups(
            [*(sign * x for x in left), *[math.inf] * diverged_a],
            [*(sign * x for x in right), *[math.inf] * diverged_b],
            found,
        )
        alone = 0
    by_mean = -sign * _side(found.interval.mean)
    shares = _side(diverged_b * n_a - diverged_a * n_b)
    return Evidence(
        a, b, found, test, ranks,
        side=(0 if test.p == 1 else 1 if test.upper > 0.5 else -1) if ranks else by_mean,
        first=shares or by_mean,
        n_a=n_a, n_b=n_b, diverged_a=diverged_a, diverged_b=diverged_b, diverged_both=diverged_both,
        shares_differ=bool(shares) and tail <= alpha / 2,
        equivalence=_equivalence(left, right, found, None if ranks else margin),
        alone=alone, level=level, points=by_mean if found.excludes_zero else 0,
    )  # fmt: skip


def decide(e: Evidence, p: float, equivalent_p: float, margin: float | None, *, possible: bool) -> Decision:
    """What can be said of a pair.

    Args:
        e: Its evidence.
        p: Of its test, as Holm corrected it.
        equivalent_p: Of its tests against the margin, as Holm corrected it.
        margin: A difference that would not matter, or None.
        possible: Whether so many results could have decided.
    """
    found = e.finite.interval
    if margin is not None and -margin < found.low and found.high < margin and equivalent_p <= e.alpha:
        return Decision.NO_DIFFERENCE
    supported = e.points == e.side or (e.one_diverged and e.shares_differ)
    if p <= e.alpha and e.side and e.side == e.first and supported and e.telling >= ENOUGH_FOR_AN_INTERVAL:
        return Decision.BETTER if e.side > 0 else Decision.WORSE
    return Decision.UNDECIDED if possible else Decision.TOO_FEW
