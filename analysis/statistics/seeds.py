"""How many more seeds a verdict takes: one rule for every page, before the first result and after the last.

A p-value has a floor. With one more pair that points the same way as the others, more clearly than all of them, the
p-value of the sign-flip test halves; with k more results in each of two independent groups, those of one group beyond
all others, that of the permutation test shrinks by C(n_a + n_b, n_a) / C(n_a + n_b + 2 k, n_a + k). So the p-value that
is there tells the least one that k more seeds could give. Pairs without a difference do not lower it, and pairs that
point the other way have to be outweighed. Where runs diverged, the ranks are tested again with k more seeds in which
one group alone diverges, as long as all deals can be counted; beyond that the same floor is named.

Pairs of groups that are compared together get the same number of further seeds, and Holm's correction is applied to the
least p-value of each: the smallest is held against alpha / pairs, the next against alpha / (pairs - 1), and so on.

Fewer seeds cannot give a verdict; so many seeds can, but need not. How many would find a difference of the size that
was seen is computed by `analysis.statistics.power`. The interval that a verdict needs too rarely asks for more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from analysis.statistics.differences import holm
from analysis.statistics.exact import EXACT_UP_TO, LEAST_DRAWN, Test, enough_pairs
from analysis.statistics.intervals import ENOUGH_FOR_AN_INTERVAL
from analysis.statistics.worst_rank import worst_rank_flip, worst_rank_permutation

ALPHA: Final = 0.05
"""The chance of any wrong verdict where groups do not differ."""
MOST: Final = 64
"""More further seeds than this are not named."""
MOST_COMPARED: Final = 30
"""Groups of which every pair gets a verdict: in more pairs Holm's correction leaves nothing to find."""

Ranks = tuple[tuple[float, ...], ...]
"""What is tested where runs of one group alone diverged: the signed ranks of the pairs, or the ranks of each of two
independent groups; inf stands for a diverged run."""


@lru_cache(maxsize=4096)
def _least_p_of_ranks(ranks: Ranks, more: int, a_behind: bool) -> float:
    """The least p of a worst-rank test with `more` further seeds in which the group that is behind diverges."""
    lost, won = [math.inf] * more, [0.0] * more  # beyond the last rank, and before the first
    if len(ranks) == 1:
        (signed,) = ranks
        return worst_rank_flip([*signed, *(lost if a_behind else [-math.inf] * more)]).p
    a, b = ranks
    return worst_rank_permutation([*a, *(lost if a_behind else won)], [*b, *(won if a_behind else lost)]).p


@dataclass(frozen=True)
class Prospect:
    """The exact test of two groups, and the least p that it could have with more seeds."""

    test: Test
    n_a: int
    """Pairs, or results of the first of two independent groups."""
    n_b: int | None = None
    """Results of the second group; None where the two are paired."""
    ranks: Ranks = ()
    """The ranks that are tested where runs of one group alone diverged; else empty."""

    @property
    def n(self) -> int:
        """Pairs, or results of the smaller group."""
        return self.n_a if self.n_b is None else min(self.n_a, self.n_b)

    @property
    def alike(self) -> bool:
        """Whether there are results, and all are the same, so that nothing tells how many seeds would differ."""
        return self.n > 0 and self.test.upper == self.test.lower == 1.0

    def deals(self, more: int) -> int:
        """In how many ways chance could deal the results with `more` further seeds in each group."""
        if self.n_b is None:
            return 1 << (self.test.size + more)
        return math.comb(self.n_a + self.n_b + 2 * more, self.n_a + more)

    def drawn(self, more: int) -> bool:
        """Whether the test with `more` further seeds in each group is too large to count all deals."""
        return self.test.size + more * (1 if self.n_b is None else 2) > EXACT_UP_TO

    def least_p(self, more: int) -> float:
        """The p-value, or the least that it could be with `more` further seeds in each group."""
        if not more:
            return self.test.p
        drawn = self.drawn(more)
        if self.ranks and not drawn:
            tails = {True: self.test.upper, False: self.test.lower}  # by whether it is the first group that is behind
            smaller = [a_behind for a_behind, tail in tails.items() if tail == min(tails.values())]
            return min(_least_p_of_ranks(self.ranks, more, a_behind) for a_behind in smaller)
        least = min(1.0, 2 * min(self.test.upper, self.test.lower) * self.deals(0) / self.deals(more))
        return max(least, LEAST_DRAWN) if drawn else least


def seeds_missing(prospects: Sequence[Prospect], alpha: float = ALPHA) -> list[int | None]:
    """The least number of further seeds of every group after which each exact test could decide.

    Args:
        prospects: All the tests that are corrected for each other.
        alpha: A test decides if its corrected p-value is at most this.

    Returns:
        For each test: 0 where it decides already, None where no number can be named.
    """
    missing: list[int | None] = [None] * len(prospects)
    waiting = {place for place, prospect in enumerate(prospects) if not prospect.alike}
    for more in range(MOST + 1):
        if not waiting:
            break
        if len(prospects) * LEAST_DRAWN > alpha and all(prospect.drawn(more) for prospect in prospects):
            break  # no p of drawn deals is as small as Holm's correction asks of the first
        if all(2 * len(prospects) > alpha * prospect.deals(more) for prospect in prospects):
            continue  # not even one deal of all is as rare as Holm's correction asks of the first
        least = holm(prospect.least_p(more) for prospect in prospects)
        decidable = {
            place for place in waiting if least[place] <= alpha and prospects[place].n + more >= ENOUGH_FOR_AN_INTERVAL
        }
        missing = [more if place in decidable else number for place, number in enumerate(missing)]
        waiting -= decidable
    return missing


def possible_words(more: int, of: str = "") -> str:
    """`at least 2 more make a verdict possible`: the words that every page uses.

    Args:
        more: From `seeds_missing`; 1 or more.
        of: What the seeds are called ("paired seeds", "a group"), if the sentence does not say it before.
    """
    of = of.removesuffix("s") if more == 1 else of
    return f"at least {more:,} more{f' {of}' if of else ''} make{'s' if more == 1 else ''} a verdict possible"


def too_many(groups: int) -> bool:
    """Whether there are more groups than those of which all pairs are compared."""
    return groups > MOST_COMPARED


def too_many_words(groups: int, of: str = "configurations", instead: str = "") -> str:
    """`5,000 configurations are too many to compare all pairs: state a claim, or name up to 30 of them on Compare.`

    Args:
        groups: How many there are.
        of: What they are called.
        instead: What the user can do; by default what can be done from any page.
    """
    instead = instead or f"state a claim, or name up to {MOST_COMPARED} of them on Compare"
    return f"{groups:,} {of} are too many to compare all pairs: {instead}."


@dataclass(frozen=True)
class Plan:
    """What a sweep is to decide, and with how many seeds, before there is a result."""

    seeds: int
    """How many seeds, or training sets, each configuration has."""
    units: str
    """Which of the two: `seeds` or `training sets`."""
    claims: int
    """How many claims the sweep states."""
    groups: int
    """How many configurations it has; every pair of them is compared where it states no claim."""

    @property
    def too_many(self) -> bool:
        """Whether it states no claim, and has too many configurations to compare all pairs."""
        return not self.claims and too_many(self.groups)

    @property
    def comparisons(self) -> int:
        """How many comparisons are corrected for each other; 0 where there are too many pairs to compare."""
        return self.claims or (0 if self.too_many else math.comb(self.groups, 2))

    @property
    def needed(self) -> int:
        """The least number of seeds that can decide: what `seeds_missing` names before there is a result."""
        return max(enough_pairs(ALPHA / self.comparisons), ENOUGH_FOR_AN_INTERVAL) if self.comparisons else 0

    @property
    def missing(self) -> int:
        """How many seeds it lacks."""
        return max(0, self.needed - self.seeds)

    @property
    def sentence(self) -> str:
        """Whether its seeds can decide, in plain text; empty where there is nothing to compare."""
        if self.too_many:
            return too_many_words(self.groups)
        if not self.comparisons:
            return ""
        rule = f"an exact test needs {self.needed}"
        if self.comparisons > 1:
            tested = f"{self.comparisons:,} {'claims' if self.claims else 'pairs of configurations'}"
            rule = f"exact tests of {tested}, corrected for each other (Holm), need {self.needed}"
        if not self.missing:
            return f"{self.seeds:,} {self.units} can decide: {rule}."
        single = "" if self.claims or self.comparisons == 1 else f" One claim needs {enough_pairs(ALPHA)}."
        return f"Too few {self.units}: {possible_words(self.missing)}, as {rule}.{single}"
