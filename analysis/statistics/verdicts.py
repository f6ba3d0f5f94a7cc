"""Which of two groups is better, and whether that can be believed: one sentence, with its figures.

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
shares that diverged (the exact interval of which one it was in the pairs in which one diverged excludes one half,
Clopper and Pearson 1934; for independent groups Fisher's exact test, alpha / 2 a side). Where one group diverges more
often and the other does better otherwise, only the shares can decide. The sentence states all of it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from analysis.statistics.differences import Difference, check_direction, holm
from analysis.statistics.evidence import Decision, Evidence, decide, weigh
from analysis.statistics.exact import Test
from analysis.statistics.intervals import ENOUGH_FOR_AN_INTERVAL, check_share, number
from analysis.statistics.samples import TRAINING_SET, Sample, phase_words
from analysis.statistics.seeds import possible_words, seeds_missing
from analysis.words import counted
from tracking.schema import MINIMIZE

__all__ = ["Decision", "Question", "Verdict", "answers", "fewest_more", "verdict", "verdicts"]


def _pairs(e: Evidence, count: int) -> str:
    """`8 paired seeds`."""
    on = e.finite.paired_on
    return counted(count, f"paired {on}") if on in ("seed", TRAINING_SET) else f"{counted(count, 'pair')} of one {on}"


def _p(value: float) -> str:
    return f"p={number(value, 2)}" if value >= 0.0001 else "p<0.0001"


def _interval(e: Evidence, flip: bool) -> str:
    found = e.finite.interval
    if found.n < ENOUGH_FOR_AN_INTERVAL:
        return f"n={found.n}"
    low, high = (-found.high, -found.low) if flip else (found.low, found.high)
    kind = "t-interval" if e.paired else "Welch t-interval"
    own = f", n={found.n}" if e.paired and found.n != e.n_a else ""
    return f"{100 * found.level:g}% {kind} {number(low, 3)} to {number(high, 3)}{own}"


def _gap(e: Evidence, metric: str, whose: str) -> str:
    """`val/loss 0.012 lower with adam (95% t-interval 0.008 to 0.016)`, of what is finite; nothing if nothing is."""
    found = e.finite.interval
    if not found.n:
        return ""
    if found.low == found.high == 0:
        return f"{metric} is the same in {f'all {_pairs(e, found.n)}' if e.paired else 'every run of both'}"
    if abs(found.mean) <= 1e-9 * (found.high - found.low):
        return f"{metric} is the same on average ({_interval(e, flip=False)})"
    lower = found.mean < 0
    always = f", the same in every {'seed' if e.paired else 'run'}" if found.low == found.high else ""
    return (
        f"{metric} {number(abs(found.mean), 3)} {'lower' if lower else 'higher'}{whose}"
        f" ({_interval(e, flip=lower)}{always})"
    )


def _divergence(e: Evidence) -> str:
    """`sgd diverged in 3 of 8 runs, adam in none`; nothing where no run of one alone diverged."""
    if not e.one_diverged:
        return ""
    own, other = (e.diverged_a, e.n_a, e.a.name), (e.diverged_b, e.n_b, e.b.name)
    more, less = (own, other) if own[0] * other[1] >= other[0] * own[1] else (other, own)
    rest = f"{less[0]} of {less[1]}" if less[0] else "none"
    return f"{more[2]} diverged in {more[0]} of {more[1]} runs, {less[2]} in {rest}"


def _basis(e: Evidence, p: float, comparisons: int, name: str) -> str:
    """`exact sign-flip test p=0.0078, n=8 paired seeds`."""
    corrected = f" after Holm's correction for {comparisons} pairs" if comparisons > 1 else ""
    n = f"n={_pairs(e, e.n_a)}" if e.paired else f"n={e.n_a} and {e.n_b} independent runs"
    both = f", {e.diverged_both} of which diverged in both" if e.diverged_both else ""
    return f"{name} {_p(p)}{corrected}, {n}{both}"


def _left_out(e: Evidence) -> str:
    parts = []
    if e.alone:
        parts.append(f"{counted(e.alone, 'run')} without a partner")
    unfinished = sum(e.a.unfinished.values()) + sum(e.b.unfinished.values())
    if unfinished:
        parts.append(f"{counted(unfinished, 'run')} without a result")
    return f", leaving out {' and '.join(parts)}" if parts else ""


def _phases(e: Evidence) -> str:
    a, b = phase_words(e.a.phase), phase_words(e.b.phase)
    if not a and not b:
        return ""
    if a == b:
        return f", from their {a}"
    return f", {e.a.name} by its {a or 'search runs'}, {e.b.name} by its {b or 'search runs'}"


def _conflict(e: Evidence, p: float) -> str:
    """Why a small p is no verdict."""
    if p > e.alpha:
        return ""
    if e.side != e.first:
        return "; one diverges less often, the other does better otherwise"
    return "; the test alone would decide, the interval does not"


def _limits(e: Evidence, least_p: float, comparisons: int) -> str:
    """Why the runs that there are cannot decide."""
    if not e.telling:
        return "there is no result yet"
    now = _pairs(e, e.telling) if e.paired else f"{e.n_a} and {e.n_b} independent runs"
    ties = e.telling - e.test.size if e.paired else 0
    now += f", {ties} of them without a difference," if ties else ""
    if least_p <= e.alpha:
        return f"{now} carry no interval"
    corrected = f", or {number(least_p, 2)} after Holm's correction for {comparisons} pairs" if comparisons > 1 else ""
    return f"{now} cannot bring an exact p below {number(e.smallest_p, 2)}{corrected}"


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
    """Questions that are corrected for each other, with the evidence on each."""

    questions: tuple[Question, ...]
    evidence: tuple[Evidence, ...]
    alpha: float
    """The chance of any wrong "better" or "worse"."""

    @cached_property
    def p(self) -> list[float]:
        """Of each pair's test, as Holm corrects it."""
        return _corrected(e.test.p for e in self.evidence)

    @cached_property
    def least_p(self) -> list[float]:
        """The least that `p` could have been with so many results."""
        return _corrected(e.test.smallest_p for e in self.evidence)

    @cached_property
    def equivalent_p(self) -> list[float]:
        """Of each pair's tests against the margin, as Holm corrects it; 1 where there is none."""
        return _corrected(e.equivalence.p for e in self.evidence)

    @cached_property
    def least_equivalent_p(self) -> list[float]:
        """The least that `equivalent_p` could have been with so many results."""
        return _corrected(e.equivalence.smallest_p for e in self.evidence)

    @cached_property
    def missing(self) -> list[int | None]:
        """How many more seeds make a verdict on each question possible (see `analysis.statistics.seeds`)."""
        better = seeds_missing([e.better for e in self.evidence], self.alpha)
        same = seeds_missing([e.same for e in self.evidence], self.alpha)
        either = zip(better, same, strict=True)
        return [min((more for more in both if more is not None), default=None) for both in either]

    def least(self, place: int) -> float:
        """The least p with which a question could have been answered, as Holm corrects it."""
        return min(self.least_p[place], self.least_equivalent_p[place])


@dataclass(frozen=True)
class Verdict:
    """What is known of two groups."""

    decision: Decision
    p: float
    """Of the exact test that decided, or would have; corrected for all pairs."""
    least_p: float
    """The least that `p` could have been with so many results."""
    test: Test
    """That test, before the correction."""
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
        """Of the finite results (of the pairs in which both are finite), a minus b."""
        return self.evidence.finite

    @property
    def n(self) -> int:
        """Pairs, or runs of the smaller group, diverged ones included."""
        return min(self.evidence.n_a, self.evidence.n_b)

    @property
    def comparisons(self) -> int:
        """Among how many questions this is one."""
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
        """The number of seeds in all that would find a difference of this size four times in five; None without one."""
        e = self.evidence
        if e.one_diverged or e.diverged_both:
            return None
        needed = self.difference.needed
        if needed is None or self.settled:
            return needed
        enough = max(needed, e.telling + (self.more or 0))
        return enough if enough > e.telling else None

    @property
    def _about_words(self) -> str:
        if self.about is None:
            return ""
        e = self.evidence
        seeds = _pairs(e, self.about) if e.paired else f"{counted(self.about, 'seed')} each"
        return f"; about {seeds} in all would find a difference of this size four times in five"

    @cached_property
    def sentence(self) -> str:
        """All of it, plain text: names are as they were given."""
        e, question = self.evidence, self.family.questions[self.place]
        apart, gap = _divergence(e), _gap(e, question.metric, "" if self.decided else f" with {e.a.name}")
        where = "where both are finite" if e.paired else "among the finite ones"
        found = f"{apart}; {where} {gap}" if apart and gap else apart or gap or "all runs of both diverged"
        names, end = f"{e.a.name} and {e.b.name}", f"{_left_out(e)}{_phases(e)}"
        if self.decision is Decision.TOO_FEW:
            limits = _limits(e, self.family.least(self.place), self.comparisons)
            so_far = f"; so far {found}" if apart or gap else ""
            of = "" if e.paired or not e.telling else "a group"
            possible = possible_words(self.more, of) if self.more else "nothing can be decided"
            return f"Too few {e.a.units}: {possible} between {names} ({limits}){so_far}{end}{self._about_words}."
        basis = _basis(e, self.p, self.comparisons, self.test.name)
        if self.decision is Decision.NO_DIFFERENCE:
            assert question.margin is not None
            return f"No difference beyond {number(question.margin)} between {names}: {found}, {basis}{end}."
        if self.decision is Decision.UNDECIDED:
            of = e.a.units if e.paired else f"{e.a.units} a group"
            possible = f"; {possible_words(self.more, of)}" if self.more else ""
            return (
                f"Undecided between {names}: {found}, {basis}{end}{_conflict(e, self.p)}{possible}{self._about_words}."
            )
        return f"{e.a.name} is {self.decision} than {e.b.name}: {found}, {basis}{end}."


def _answer(family: Family, place: int) -> Verdict:
    """The verdict on one question of a family."""
    e, question = family.evidence[place], family.questions[place]
    possible = family.least(place) <= e.alpha and e.telling >= ENOUGH_FOR_AN_INTERVAL
    decision = decide(e, family.p[place], family.equivalent_p[place], question.margin, possible=possible or e.hopeless)
    p, least_p, test = family.p[place], family.least_p[place], e.test
    if decision is Decision.NO_DIFFERENCE:
        p, least_p, test = family.equivalent_p[place], family.least_equivalent_p[place], e.equivalence
    return Verdict(decision, p, least_p, test, e, family, place)


def answers(questions: Sequence[Question], level: float = 0.95) -> list[Verdict]:
    """The verdict on each question, corrected for each other (Holm); they may be about different results.

    Args:
        questions: Whose groups come from `analysis.statistics.samples`.
        level: Of the intervals; 1 - level is the chance that there is any wrong "better" or "worse" among the verdicts
            where the groups do not differ.
    """
    check_share("level", level)
    m = len(questions)
    weighed = (weigh(q.a, q.b, 1 if q.direction == MINIMIZE else -1, q.margin, level, m) for q in questions)
    family = Family(tuple(questions), tuple(weighed), round(1 - level, 12))
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
        The pair -> what is said of its first group compared with its second, in the order of `pairs`.
    """
    chosen = list(itertools.combinations(range(len(groups)), 2)) if pairs is None else list(pairs)
    Question(Sample("", {}), Sample("", {}), direction, margin)  # refuses what is wrong even where nothing is compared
    asked = [Question(groups[i], groups[j], direction, margin, metric) for i, j in chosen]
    return dict(zip(chosen, answers(asked, level), strict=True))


def fewest_more(found: Iterable[Verdict]) -> int | None:
    """The least number of further seeds that makes a verdict on one of several pairs possible.

    None where one of them is more than a matter of seeds: results could have decided on it.
    """
    open_pairs = [each for each in found if not each.evidence.hopeless]
    if not all(each.decision is Decision.TOO_FEW for each in open_pairs):
        return None
    return min((each.more for each in open_pairs if each.more is not None), default=None)


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
