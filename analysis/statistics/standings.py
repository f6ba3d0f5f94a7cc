"""The ranked table of many groups: which one leads, and which ones cannot be told apart.

Every pair of groups gets its verdict, corrected by Holm for all pairs. Groups stand in the order of the ranking rule
(`tracking.order`: share of diverged runs, then mean of the finite ones), but a place is claimed only as far as verdicts
carry it: a group is at best behind those that are better than it, and at worst before those that it is better than.
"1–3" says that it may be the first or the third.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.statistics.intervals import number, plus_minus
from analysis.statistics.samples import Sample, alike, ordering_means
from analysis.statistics.seeds import possible_words
from analysis.statistics.verdict_words import p_words
from analysis.statistics.verdicts import Decision, Verdict, fewest_more, verdicts
from analysis.words import listed, some
from tracking.order import order_key, replicated
from tracking.schema import MINIMIZE

NAMED = 3
"""How many groups a sentence names; it counts the others."""


@dataclass(frozen=True)
class Standing:
    """One group's row of the ranked table."""

    name: str
    sample: Sample
    best_place: int | None
    """1 + the number of groups that are better; None without a result."""
    worst_place: int | None
    """The number of groups that it is not better than, itself included; None without a result."""
    tied: tuple[str, ...]
    """The groups that it cannot be told from, for want of a difference or of seeds."""

    @property
    def place(self) -> str:
        """`2`, or `1–3` where it is tied; `–` without a result."""
        if self.best_place is None:
            return "–"
        return f"{self.best_place}" if self.best_place == self.worst_place else f"{self.best_place}–{self.worst_place}"


@dataclass(frozen=True)
class Standings:
    """The ranked table, its sentence, and the verdicts behind it."""

    rows: list[Standing]
    sentence: str
    verdicts: dict[tuple[int, int], Verdict]
    """By positions in `rows`: the first of a pair ranks before the second."""

    def frame(self) -> pd.DataFrame:
        """One row per group, best first, with place, name, mean, low, high, runs ("2 of 3"), diverged, tied (names)."""
        columns = ["place", "name", "mean", "low", "high", "runs", "diverged", "tied"]
        rows = []
        for row in self.rows:
            mean, runs, diverged = row.sample.interval, row.sample.runs, len(row.sample.diverged)
            rows.append((row.place, row.name, mean.mean, mean.low, mean.high, runs, diverged, listed(row.tied)))
        return pd.DataFrame(rows, columns=columns)


def same_words(metric: str, mean: float, groups: str) -> str:
    """The sentence that no group leads, since nothing but rounding tells their results apart.

    Args:
        metric: What the results are called.
        mean: What all of them are.
        groups: The groups, counted.
    """
    return f"All results are the same: {metric} {number(mean)} in each of {groups}."


def _sentence(rows: Sequence[Standing], verdicts: dict[tuple[int, int], Verdict], metric: str, level: float) -> str:
    judged = [row for row in rows if row.sample.n]
    if not judged:
        return "No group has a result yet."
    leader = judged[0]
    mean = leader.sample.interval
    basis = f" ({mean.kind})" if mean.shown else f" (n={mean.n})"
    value = f"{metric} {plus_minus(mean)}{basis}"
    if not mean.n:
        names = some([row.name for row in judged], NAMED)
        return f"All {sum(row.sample.n for row in judged)} runs of {names} diverged."
    lost = len(leader.sample.diverged)
    though = f", though {lost} of its {leader.sample.n} runs diverged" if lost else ""
    if len(judged) == 1:
        return f"Only {leader.name} has results: {value}{though}."
    if alike([row.sample for row in judged]):
        return same_words(metric, mean.mean, f"{len(judged)} groups")
    if len(rows) == 2:
        return verdicts[0, 1].sentence
    of_leader = [verdicts[0, j] for j in range(1, len(rows)) if rows[j].sample.n]
    others = f"the other {len(of_leader)} groups"
    m = of_leader[0].comparisons
    if more := fewest_more(verdicts.values()):
        least_p = number(round(1 - level, 12) / m, 2)
        return (
            f"Too few {leader.sample.units}: {possible_words(more, 'a group')} on at least one of {m} pairs"
            f" (Holm's correction asks for an exact p of {least_p}); so far {leader.name} leads with"
            f" {value}{though}."
        )
    better = [verdict for verdict in of_leader if verdict.decision is Decision.BETTER]
    if len(better) == len(of_leader):
        largest = p_words(max(verdict.p for verdict in of_leader))
        return (
            f"{leader.name} is better than each of {others}: {value}, the largest p of its"
            f" exact tests {largest} after Holm's correction for {m} pairs{though}."
        )
    beaten = f", is better than {len(better)} of {others}" if better else ""
    return (
        f"{leader.name} leads with {value}{though}{beaten}{' and' if better else ', but'} cannot be told from"
        f" {some(leader.tied, NAMED)} (exact tests, Holm's correction for {m} pairs)."
    )


def _better_but_diverged(rows: Sequence[Standing], sign: float, metric: str) -> str:
    """The group with a better mean than the leader, and why it does not lead; empty where there is none."""
    finite = [row.sample for row in rows if row.sample.values]
    if not finite:
        return ""
    means = [sign * mean for mean in ordering_means(finite)]
    best = finite[means.index(min(means))]
    if min(means) == means[0] or not best.diverged:
        return ""
    return (
        f" {best.name} has the better mean, {metric} {number(best.interval.mean)}, but"
        f" {len(best.diverged)} of its {best.n} runs diverged, and those count first."
    )


def _standing(ordered: Sequence[Sample], place: int, judged: int, by_pair: dict[tuple[int, int], Verdict]) -> Standing:
    """The row of the group at `place` of `ordered`, of which the first `judged` have a result."""
    group = ordered[place]
    if not group.n:
        return Standing(group.name, group, None, None, ())
    better = worse = 0
    tied = []
    for other in range(judged):
        if other == place:
            continue
        verdict = by_pair[min(place, other), max(place, other)]
        if not verdict.decided:
            tied.append(ordered[other].name)
        elif (verdict.decision is Decision.BETTER) == (place < other):
            worse += 1
        else:
            better += 1
    return Standing(group.name, group, 1 + better, judged - worse, tuple(tied))


def standings(
    groups: Sequence[Sample],
    *,
    direction: str = MINIMIZE,
    margin: float | None = None,
    level: float = 0.95,
    metric: str = "the result",
) -> Standings:
    """The ranked table of groups, with ties.

    Args:
        groups: The groups, from `analysis.statistics.samples`; those without a result come last.
        direction: What is better: "minimize" or "maximize".
        margin: A difference that would not matter: groups that differ by less are tied.
        level: The level of the intervals; 1 - level is the chance of any wrong verdict where groups do not differ.
        metric: What the results are called.
    """
    sign = 1.0 if direction == MINIMIZE else -1.0

    several = replicated((len(group.values), group.n) for group in groups)
    means = ordering_means(groups)

    def order(place: int) -> tuple[Any, ...]:
        group = groups[place]
        return order_key(len(group.values), group.n, sign * means[place], several)

    ordered = [groups[place] for place in sorted(range(len(groups)), key=order)]
    by_pair = verdicts(ordered, direction=direction, margin=margin, level=level, metric=metric)
    judged = sum(group.n > 0 for group in ordered)
    rows = [_standing(ordered, place, judged, by_pair) for place in range(len(ordered))]
    sentence = _sentence(rows, by_pair, metric, level) + _better_but_diverged(rows, sign, metric)
    return Standings(rows, sentence, by_pair)
