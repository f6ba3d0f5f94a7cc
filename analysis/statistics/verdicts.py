"""Which of two groups is better, and whether that can be believed: one sentence, with its figures.

A verdict's p comes from four files. This one asks the questions and corrects their p-values for each other;
`analysis.statistics.evidence` pairs two groups and counts their diverged runs; `analysis.statistics.differences`
subtracts their finite results; `analysis.statistics.exact` tests what is left (`worst_rank` where runs diverged).

A verdict needs both the interval and the exact test. `a` is better than `b` if the exact test of their difference,
corrected by Holm for all the pairs that are compared, has p <= alpha, and the 95 % interval excludes zero on the same
side. There is no difference beyond a margin if the interval lies within it and two one-sided exact tests, each at
alpha / 2, reject that the difference reaches the margin's ends (Schuirmann 1987). Where even the most extreme results
could not have had p <= alpha, there are too few seeds. Without a verdict the sentence says how many more make one
possible (`analysis.statistics.seeds`): 6 pairs for one pair of groups and 8 for six pairs of groups follow from
2^(1 - n) <= alpha / pairs.

Groups are paired on their seeds where they share most of them.

Divergence. Groups rank by their share of diverged runs, then by the mean of the finite ones. A pair in which one run
diverged has no difference, but a sign: the exact test is then one of ranks, in which it counts as the largest (Lachin
1999). Pairs in which both diverged say nothing about which is better. A verdict then needs p <= alpha of that test, on
the side that ranks first, and an interval that excludes equality on that side: of the finite differences, or of the
shares that diverged (among the pairs in which one run diverged, the exact interval of the share in which it was `a`
excludes one half, Clopper and Pearson 1934; for independent groups Fisher's exact test, alpha / 2 a side). Where one
group diverges more often and the other does better otherwise, only the shares can decide. The sentence states all of
it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from analysis.statistics.differences import Difference, check_direction, holm
from analysis.statistics.evidence import Decision, Evidence, decide, gather_evidence
from analysis.statistics.exact import Test
from analysis.statistics.intervals import ENOUGH_FOR_AN_INTERVAL, check_share, number
from analysis.statistics.samples import Sample
from analysis.statistics.seeds import possible_words, seeds_missing
from analysis.statistics.verdict_words import (
    basis_words,
    conflict_words,
    divergence_words,
    gap_words,
    left_out_words,
    limits_words,
    pair_words,
    phases_words,
)
from analysis.words import counted
from tracking.schema import MINIMIZE

__all__ = ["Decision", "Question", "Verdict", "answers", "fewest_more", "verdict", "verdicts"]


@dataclass(frozen=True)
class Question:
    """Whether `a` is better than `b`, asked before the results were seen."""

    a: Sample
    b: Sample
    direction: str = MINIMIZE
    """What is better: "minimize" or "maximize"."""
    margin: float | None = None
    """A difference that would not matter, in units of the results: with it, "no difference" can be shown."""
    metric: str = "the result"
    """What the results are called."""

    def __post_init__(self) -> None:
        check_direction(self.direction)
        if self.margin is not None and not (self.margin > 0 and math.isfinite(self.margin)):
            raise ValueError(f"margin: {self.margin} is not allowed; allowed: more than 0, or None")


def _corrected(values: Iterable[float]) -> list[float]:
    corrected: list[float] = holm(values).tolist()
    return corrected


@dataclass(frozen=True)
class Family:
    """Questions that are corrected for each other, with the evidence on each: all lists are in the questions' order."""

    questions: tuple[Question, ...]
    evidence: tuple[Evidence, ...]
    alpha: float
    """The chance of any wrong "better" or "worse"."""

    @cached_property
    def p(self) -> list[float]:
        """The p-value of each pair's test, as Holm corrects it."""
        return _corrected(e.test.p for e in self.evidence)

    @cached_property
    def least_p(self) -> list[float]:
        """The least that `p` could have been with so many results."""
        return _corrected(e.test.smallest_p for e in self.evidence)

    @cached_property
    def equivalent_p(self) -> list[float]:
        """The p-value of each pair's tests against the margin, as Holm corrects it; 1 where there is none."""
        return _corrected(e.equivalence.p for e in self.evidence)

    @cached_property
    def least_equivalent_p(self) -> list[float]:
        """The least that `equivalent_p` could have been with so many results."""
        return _corrected(e.equivalence.smallest_p for e in self.evidence)

    @cached_property
    def missing(self) -> list[int | None]:
        """How many more seeds make a verdict on each question possible (see `analysis.statistics.seeds`)."""
        better = seeds_missing([e.better_prospect for e in self.evidence], self.alpha)
        equivalent = seeds_missing([e.equivalence_prospect for e in self.evidence], self.alpha)
        return [
            min((more for more in either if more is not None), default=None)
            for either in zip(better, equivalent, strict=True)
        ]

    def least_of_both(self, place: int) -> float:
        """The least p with which a question could have been answered, as Holm corrects it."""
        return min(self.least_p[place], self.least_equivalent_p[place])


@dataclass(frozen=True)
class Verdict:
    """The answer to one question: which of two groups is better, with the evidence and the p-value behind it."""

    decision: Decision
    p: float
    """The p-value of the exact test that decided, or would have; corrected for all pairs (Holm)."""
    least_p: float
    """The least that `p` could have been with so many results."""
    test: Test
    """The exact test of `p`, before the correction."""
    evidence: Evidence = field(repr=False)
    family: Family = field(repr=False)
    place: int
    """Which question of the family it answers."""

    @property
    def a(self) -> str:
        """The name of the group that is judged."""
        return self.evidence.a.name

    @property
    def b(self) -> str:
        """The name of the group that it is compared with."""
        return self.evidence.b.name

    @property
    def difference(self) -> Difference:
        """The difference of the finite results (of the pairs in which both are finite), a minus b."""
        return self.evidence.finite

    @property
    def n(self) -> int:
        """Pairs, or runs of the smaller group, diverged ones included."""
        return min(self.evidence.n_a, self.evidence.n_b)

    @property
    def comparisons(self) -> int:
        """How many questions are corrected for each other, this one among them."""
        return len(self.family.questions)

    @property
    def decided(self) -> bool:
        """Whether one of the two is better."""
        return self.decision in (Decision.BETTER, Decision.WORSE)

    @property
    def settled(self) -> bool:
        """Whether one of the two is better, or it is shown that there is no difference."""
        return self.decided or self.decision is Decision.NO_DIFFERENCE

    @property
    def more(self) -> int | None:
        """The least number of further seeds that makes a verdict possible.

        0 where the exact test is sure already; None where all results are the same, so that no number can be named.
        """
        return 0 if self.settled else self.family.missing[self.place]

    @property
    def about(self) -> int | None:
        """How many seeds in all would find a difference of this size four times in five; None where it has no size."""
        e = self.evidence
        if e.one_diverged or e.diverged_both:
            return None
        needed = self.difference.needed
        if needed is None or self.settled:
            return needed
        enough = max(needed, e.informative + (self.more or 0))
        return enough if enough > e.informative else None

    @property
    def _about_words(self) -> str:
        if self.about is None:
            return ""
        e = self.evidence
        seeds = pair_words(e, self.about) if e.paired else f"{counted(self.about, 'seed')} each"
        return f"; about {seeds} in all would find a difference of this size four times in five"

    @cached_property
    def sentence(self) -> str:
        """The whole verdict in plain text: names are as they were given."""
        e, question = self.evidence, self.family.questions[self.place]
        divergence = divergence_words(e)
        gap = gap_words(e, question.metric, "" if self.decided else f" with {e.a.name}")
        where = "where both are finite" if e.paired else "among the finite ones"
        results = f"{divergence}; {where} {gap}" if divergence and gap else divergence or gap
        results = results or "all runs of both diverged"
        names, end = f"{e.a.name} and {e.b.name}", f"{left_out_words(e)}{phases_words(e)}"
        if self.decision is Decision.TOO_FEW:
            limits = limits_words(e, self.family.least_of_both(self.place), self.comparisons)
            so_far = f"; so far {results}" if divergence or gap else ""
            of = "" if e.paired or not e.informative else "a group"
            possible = possible_words(self.more, of) if self.more else "nothing can be decided"
            return f"Too few {e.a.units}: {possible} between {names} ({limits}){so_far}{end}{self._about_words}."
        basis = basis_words(e, self.p, self.comparisons, self.test.name)
        if self.decision is Decision.NO_DIFFERENCE:
            assert question.margin is not None
            return f"No difference beyond {number(question.margin)} between {names}: {results}, {basis}{end}."
        if self.decision is Decision.UNDECIDED:
            of = e.a.units if e.paired else f"{e.a.units} a group"
            possible = f"; {possible_words(self.more, of)}" if self.more else ""
            why = f"{conflict_words(e, self.p)}{possible}{self._about_words}"
            return f"Undecided between {names}: {results}, {basis}{end}{why}."
        return f"{e.a.name} is {self.decision} than {e.b.name}: {results}, {basis}{end}."


def _answer(family: Family, place: int) -> Verdict:
    """The verdict on one question of a family."""
    e, question = family.evidence[place], family.questions[place]
    possible = family.least_of_both(place) <= e.alpha and e.informative >= ENOUGH_FOR_AN_INTERVAL
    decision = decide(e, family.p[place], family.equivalent_p[place], question.margin, possible=possible or e.hopeless)
    p, least_p, test = family.p[place], family.least_p[place], e.test
    if decision is Decision.NO_DIFFERENCE:
        p, least_p, test = family.equivalent_p[place], family.least_equivalent_p[place], e.equivalence
    return Verdict(decision, p, least_p, test, e, family, place)


def answers(questions: Sequence[Question], level: float = 0.95) -> list[Verdict]:
    """The verdicts on questions, corrected for each other (Holm); they may be about different results.

    Args:
        questions: What is asked, in the order of the verdicts; their groups come from `analysis.statistics.samples`.
        level: The level of the intervals; 1 - level is the chance that there is any wrong "better" or "worse" among the
            verdicts where the groups do not differ.
    """
    check_share("level", level)
    m = len(questions)
    evidence = (gather_evidence(q.a, q.b, 1 if q.direction == MINIMIZE else -1, q.margin, level, m) for q in questions)
    family = Family(tuple(questions), tuple(evidence), round(1 - level, 12))
    return [_answer(family, place) for place in range(m)]


def verdicts(
    groups: Sequence[Sample],
    pairs: Iterable[tuple[int, int]] | None = None,
    *,
    direction: str = MINIMIZE,
    margin: float | None = None,
    level: float = 0.95,
    metric: str = "the result",
) -> dict[tuple[int, int], Verdict]:
    """The verdicts on pairs of groups, corrected for each other (Holm).

    Args:
        groups: The groups, from `analysis.statistics.samples`.
        pairs: Which to compare, as positions in `groups`; all of them if not given. They must be chosen before the
            results are seen: to compare only the best with the others is to compare all.
        direction: What is better: "minimize" or "maximize".
        margin: A difference that would not matter, in units of the results: with it, "no difference" can be shown.
        level: As for `answers`.
        metric: What the results are called.

    Returns:
        The verdict on the first group of each pair compared with its second, in the order of `pairs`.
    """
    chosen = list(itertools.combinations(range(len(groups)), 2)) if pairs is None else list(pairs)
    Question(Sample("", {}), Sample("", {}), direction, margin)  # refuses what is wrong even where nothing is compared
    questions = [Question(groups[i], groups[j], direction, margin, metric) for i, j in chosen]
    return dict(zip(chosen, answers(questions, level), strict=True))


def fewest_more(verdicts: Iterable[Verdict]) -> int | None:
    """The least number of further seeds that makes a verdict on one of several pairs possible.

    None where one of them is more than a matter of seeds: results could have decided on it.
    """
    not_hopeless = [verdict for verdict in verdicts if not verdict.evidence.hopeless]
    if not all(verdict.decision is Decision.TOO_FEW for verdict in not_hopeless):
        return None
    return min((verdict.more for verdict in not_hopeless if verdict.more is not None), default=None)


def verdict(
    a: Sample,
    b: Sample,
    *,
    direction: str = MINIMIZE,
    margin: float | None = None,
    level: float = 0.95,
    metric: str = "the result",
) -> Verdict:
    """The verdict on one pair of groups that was chosen before its results were seen: see `verdicts`."""
    return verdicts([a, b], direction=direction, margin=margin, level=level, metric=metric)[0, 1]
