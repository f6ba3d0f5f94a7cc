"""How many more seeds a verdict takes: with so many one is possible, with one fewer it is not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest

from analysis.statistics import holm
from analysis.statistics.exact import enough_pairs
from analysis.statistics.samples import Sample, sample
from analysis.statistics.seeds import MOST, MOST_COMPARED, Plan, Prospect, seeds_missing
from analysis.statistics.standings import standings
from analysis.statistics.verdicts import Decision, Verdict, verdict, verdicts


def groups_of(values: Sequence[Sequence[float]], paired: bool = True, more: int = 0, far: float = 1e3) -> list[Sample]:
    """Groups by seed, each with `more` further seeds: the first lie below all, each next group's higher by `far`."""
    further = [[*row, *[far * (place - 0.5) + 0.001 * k for k in range(more)]] for place, row in enumerate(values)]
    return [sample(f"g{place}", row, paired_on="seed" if paired else None) for place, row in enumerate(further)]


def decided(rulings: dict[tuple[int, int], Verdict]) -> list[bool]:
    """Which exact tests reject, after Holm's correction made here."""
    p = holm(ruling.test.p for ruling in rulings.values())
    return [bool(value <= 0.05) and ruling.n >= 3 for value, ruling in zip(p, rulings.values(), strict=True)]


def apart(n: int, groups: int, ties: int = 0) -> list[list[float]]:
    """Results of which each group's are lower than those of the next in all seeds but the first ones, which tie."""
    noise = np.random.default_rng(n).normal(0, 0.01, n)
    step = np.where(np.arange(n) < ties, 0.0, np.linspace(0.99, 1.01, n))
    return [(noise + place * step).tolist() for place in range(groups)]


@pytest.mark.parametrize("groups", [2, 3, 16])
@pytest.mark.parametrize("paired", [True, False])
def test_so_many_seeds_make_a_verdict_possible_and_no_fewer(groups: int, paired: bool) -> None:
    """1, 3 and 120 pairs of groups, each of which the further seeds favour as well."""
    for n in range(13) if groups < 16 else (0, 3, 6, 12):
        # Of several independent groups those in the middle cannot lie beyond both neighbours at once.
        for ties in {0, 1, n // 2} if n and (paired or groups == 2) else {0}:
            values, far = apart(n, groups, ties), 1e3 if paired or groups == 2 else 1.0
            rulings = verdicts(groups_of(values, paired))
            for more in {ruling.more for ruling in rulings.values()} - {None, 0}:
                assert more is not None
                enough = decided(verdicts(groups_of(values, paired, more, far)))
                fewer = decided(verdicts(groups_of(values, paired, more - 1, far)))
                advised = [ruling.more == more for ruling in rulings.values()]
                assert all(itertools.compress(enough, advised)), (n, ties, more)
                assert not any(itertools.compress(fewer, advised)), (n, ties, more)


def test_what_points_the_other_way_has_to_be_outweighed() -> None:
    """Noise without a difference: two more seeds, which six pairs of one sign would take, can decide nothing."""
    random = np.random.default_rng(0)
    for n in range(1, 13):
        x = random.normal(size=n)
        x *= np.sign(x.mean())
        (more,) = {verdict(*groups_of([[0.0] * n, x.tolist()])).more}
        assert more is not None
        tests = [verdict(*groups_of([[0.0] * n, x.tolist()], more=k)) for k in (more, max(0, more - 1))]
        assert tests[0].p <= 0.05 and (not more or tests[1].p > 0.05)
    even = verdict(*groups_of([[0.0] * 4, [1.0, -1.0, 2.0, -2.0]]))
    assert even.decision is Decision.TOO_FEW and even.more == 5 and even.about is None


def test_a_tie_raises_the_least_p_of_its_pair_alone_as_holm_counts() -> None:
    """Seven seeds of three pairs: two can reach .0167, and the third, with a tie, has only to reach .05 then."""
    values = [[0.0] * 6, [1.0, 1.1, 1.2, 1.3, 1.4, 1.5], [1.0, 2.1, 2.2, 2.3, 2.4, 2.5]]
    rulings = verdicts(groups_of(values))
    assert [ruling.decision for ruling in rulings.values()] == [Decision.TOO_FEW] * 3
    assert [ruling.more for ruling in rulings.values()] == [1, 1, 1]
    further = verdicts(groups_of(values, more=1, far=1.5))
    assert [ruling.decision for ruling in further.values()] == [Decision.BETTER] * 3
    assert rulings[1, 2].test.smallest_p == 2 / 2**5 and rulings[0, 1].test.smallest_p == 2 / 2**6
    tied = verdict(*groups_of(apart(8, 2, ties=4)))
    assert tied.decision is Decision.TOO_FEW and tied.more == 2 and tied.least_p == 2 / 2**4
    assert "8 paired seeds, 4 of them without a difference, cannot bring an exact p below 0.12" in tied.sentence


@pytest.mark.parametrize("n", [1, 4, 12])
@pytest.mark.parametrize("paired", [True, False])
def test_all_alike_names_no_number(n: int, paired: bool) -> None:
    ruling = verdict(*groups_of([[0.1] * n, [0.1] * n], paired))
    assert ruling.decision is Decision.UNDECIDED and ruling.more is None and ruling.about is None
    assert "more" not in ruling.sentence and "would find" not in ruling.sentence
    three = standings(groups_of([[0.1] * n] * 3, paired))
    assert three.sentence == "All results are the same: the result 0.1 in each of 3 groups."


def test_with_a_margin_that_all_are_alike_can_be_shown() -> None:
    few = verdict(*groups_of([[0.1] * 4, [0.1] * 4]), margin=0.01)
    assert few.decision is Decision.TOO_FEW and few.more == 2
    shown = verdict(*groups_of([[0.1] * 6, [0.1] * 6]), margin=0.01)
    assert shown.decision is Decision.NO_DIFFERENCE and shown.more == 0 and shown.least_p == shown.p == 2 / 2**6


def ranked(lost: tuple[int, int], paired: bool, more: int = 0, loser: int = 0) -> Verdict:
    """Two groups of three seeds of which some diverged, and further seeds in which one of the groups diverges."""
    groups = []
    for place, count in enumerate(lost):
        values = {("old", k): place + k / 10 for k in range(count, 3)}
        gone = {("old", k) for k in range(count)}
        further = {("new", k) for k in range(more)}
        gone |= further if place == loser else set()
        values |= {} if place == loser else dict.fromkeys(further, -1.0)
        groups.append(sample("ab"[place], values, diverged=gone, paired_on="seed"))
    if not paired:
        groups = [sample(group.name, list(group.values.values()), diverged=len(group.diverged)) for group in groups]
    return verdict(*groups)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("lost", [(0, 1), (1, 0), (1, 2), (0, 3)])
def test_where_runs_diverged_the_ranks_are_tested_again(lost: tuple[int, int], paired: bool) -> None:
    ruling = ranked(lost, paired)
    assert ruling.more and ruling.about is None

    def least(more: int) -> float:
        return min(ranked(lost, paired, more, loser).p for loser in (0, 1))

    assert least(ruling.more) <= 0.05 < least(ruling.more - 1)


@pytest.mark.parametrize("paired", [True, False])
def test_where_all_runs_of_both_diverged_no_number_is_named(paired: bool) -> None:
    ruling = ranked((3, 3), paired)
    assert ruling.more is None and ruling.decision is Decision.UNDECIDED and "more" not in ruling.sentence


def test_before_there_is_a_result_the_plan_says_the_same() -> None:
    for pairs in (1, 2, 3, 6, 120, 435):
        nothing = Prospect(verdict(*groups_of([[], []])).test, 0)
        assert (
            set(seeds_missing([nothing] * pairs))
            == {Plan(0, "seeds", pairs, 5).missing}
            == {enough_pairs(0.05 / pairs)}
        )
    assert seeds_missing([]) == []


def test_no_number_is_named_where_random_deals_can_never_decide() -> None:
    """More than 36 pairs are tested by random flips, whose least p is too large for so many comparisons."""
    ruling = verdict(*groups_of([[0.0] * 40, (1 + np.arange(40) / 40).tolist()]))
    assert ruling.decided
    many = [ruling.evidence.better_prospect] * 600
    assert set(seeds_missing(many)) == {None} and set(seeds_missing(many[:400])) == {0} and MOST > 40


def test_no_number_costs_drawn_deals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare waited 20 s for 45 pairs of 40 seeds of which some had diverged: each pair was drawn 64 times anew."""
    noise = np.random.default_rng(2).normal(size=(2, 40))
    values = [{k: x for k, x in enumerate(row.tolist()) if k % 10 != place} for place, row in enumerate(noise)]
    lost = [range(place, 40, 10) for place in (0, 1)]
    pairs = [
        [
            sample(name, results, diverged=gone, paired_on="seed")
            for name, results, gone in zip("ab", values, lost, strict=True)
        ]
    ]
    pairs += [[sample(name, list(results.values()), diverged=4) for name, results in zip("ab", values, strict=True)]]
    rulings = [verdict(*pair) for pair in pairs]
    monkeypatch.setattr(np.random, "default_rng", lambda seed: pytest.fail("deals are drawn"))
    assert all(one.evidence.ranks and one.more for one in rulings)


def test_the_search_for_a_number_ends_where_drawn_deals_can_never_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    ruling = verdict(*groups_of([[0.0] * 35, np.random.default_rng(3).normal(size=35).tolist()]))
    counts = set()
    least_p = Prospect.least_p
    monkeypatch.setattr(Prospect, "least_p", lambda prospect, more: (counts.add(more), least_p(prospect, more))[1])
    assert set(seeds_missing([ruling.evidence.better_prospect] * 600)) == {None} and counts == {0, 1}


def test_what_is_advised_is_never_fewer_than_what_makes_it_possible() -> None:
    random = np.random.default_rng(4)
    for n in range(2, 13):
        for paired in (True, False):
            ruling = verdict(*groups_of([random.normal(size=n).tolist(), random.normal(0.7, 1, n).tolist()], paired))
            if not ruling.settled and ruling.about is not None:
                assert ruling.more is not None and ruling.about >= n + ruling.more
    # The power of normal differences knows nothing of the two ties, which the exact test leaves out.
    tied = verdict(*groups_of([[0.0] * 7, [0.0, 1.66, 2.07, 1.89, 0.0, 1.34, 2.29]]))
    assert tied.difference.needed == 7 and (tied.more, tied.about) == (1, 8)


def test_one_panel_has_one_test() -> None:
    """All three runs of one group diverged: the test is of ranks, and so is the least p."""
    a, b = sample("a", {0: 0.1, 1: 0.2, 2: 0.3}, paired_on="seed"), sample("b", {}, diverged=range(3), paired_on="seed")
    ruling = verdict(a, b)
    assert (ruling.p, ruling.least_p, ruling.n, ruling.more) == (0.25, 0.25, 3, 3)
    assert ruling.test.name == "exact worst-rank sign-flip test" and ruling.difference.test.smallest_p == 1.0


@pytest.mark.parametrize(
    ("plan", "missing", "words"),
    [
        (Plan(3, "seeds", 0, 16), 10, "Too few seeds: at least 10 more make a verdict possible, as exact tests of 120"),
        (Plan(13, "seeds", 0, 16), 0, "13 seeds can decide: exact tests of 120 pairs of configurations, corrected"),
        (
            Plan(5, "seeds", 1, 16),
            1,
            "Too few seeds: at least 1 more makes a verdict possible, as an exact test needs 6.",
        ),
        (Plan(6, "seeds", 1, 16), 0, "6 seeds can decide: an exact test needs 6."),
        (Plan(4, "training sets", 3, 4), 3, "Too few training sets: at least 3 more make a verdict possible, as exact"),
        (
            Plan(1, "seeds", 0, 2),
            5,
            "Too few seeds: at least 5 more make a verdict possible, as an exact test needs 6.",
        ),
        (Plan(1, "seeds", 0, 1), 0, ""),
    ],
)
def test_a_plan_says_whether_its_seeds_can_decide(plan: Plan, missing: int, words: str) -> None:
    assert plan.missing == missing and plan.sentence.startswith(words) and bool(plan.sentence) == bool(words)
    single = plan.missing and plan.comparisons > 1 and not plan.claims
    assert plan.sentence.endswith(" One claim needs 6.") == bool(single)
    assert math.isclose(plan.comparisons, plan.claims or plan.groups * (plan.groups - 1) / 2)


def test_a_plan_of_more_configurations_than_are_compared_asks_for_no_seeds() -> None:
    """5,000 random trials were told that 12,497,500 pairs need 29 seeds; no page compares so many."""
    plan = Plan(3, "seeds", 0, 5000)
    assert (plan.comparisons, plan.needed, plan.missing) == (0, 0, 0)
    assert plan.sentence == (
        f"5,000 configurations are too many to compare all pairs: state a claim, or name up to {MOST_COMPARED} of"
        " them on Compare."
    )
    assert Plan(3, "seeds", 0, MOST_COMPARED).missing > 0, "so many are compared"
    assert Plan(3, "seeds", 1, 5000).sentence.startswith("Too few seeds: at least 3 more"), "a claim is one comparison"
