"""Verdicts: what they need, what they say, and how they treat runs that diverged."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest

from analysis.statistics.samples import Sample, sample, samples
from analysis.statistics.verdicts import Decision, Verdict, verdict, verdicts

NOISE = np.random.default_rng(0).normal(0, 0.01, 40)


def seeded(name: str, values: Iterable[float], diverged: Iterable[int] = ()) -> Sample:
    """Results by seed, from 0; the seeds that diverged are passed over."""
    lost = set(diverged)
    left = iter(values)
    results: dict[int, float] = {}
    seed = 0
    for value in left:
        while seed in lost:
            seed += 1
        results[seed] = value
        seed += 1
    return sample(name, results, diverged=lost, paired_on="seed")


def one_sentence(ruling: Verdict) -> str:
    text = ruling.sentence
    assert text.endswith(".") and not re.search(r"[.!?] [A-Z]", text) and "nan" not in text and "  " not in text
    return text


def spread(n: int) -> np.ndarray:
    return np.linspace(0.9, 1.1, n)


def test_better_needs_six_pairs_and_says_what_it_rests_on() -> None:
    ruling = verdict(seeded("adam", NOISE[:6]), seeded("sgd", NOISE[:6] + 0.1 * spread(6)), metric="val/loss")
    assert ruling.decision is Decision.BETTER and ruling.decided and ruling.more == 0 and ruling.n == 6
    assert ruling.p == 2 / 2**6
    text = one_sentence(ruling)
    assert text.startswith("adam is better than sgd: val/loss 0.1 lower (95% t-interval 0.0")
    assert text.endswith("exact sign-flip test p=0.031, n=6 paired seeds.")


def test_worse_is_better_seen_from_the_other_side_and_direction_turns_it() -> None:
    low, high = seeded("low", NOISE[:8]), seeded("high", NOISE[:8] + spread(8))
    assert verdict(high, low).decision is Decision.WORSE
    assert verdict(low, high, direction="maximize").decision is Decision.WORSE
    assert verdict(high, low, direction="maximize").decision is Decision.BETTER
    assert "1 higher" in verdict(high, low).sentence and "1 lower" in verdict(low, high).sentence


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
def test_below_six_pairs_it_says_how_many_more(n: int) -> None:
    ruling = verdict(seeded("adam", NOISE[:n]), seeded("sgd", NOISE[:n] + spread(n)), metric="val/loss")
    assert ruling.decision is Decision.TOO_FEW and ruling.more == 6 - n
    text = one_sentence(ruling)
    of = "" if n < 5 else "s"
    assert text.startswith(f"Too few seeds: at least {6 - n} more make{of} a verdict possible between adam and sgd (")
    assert ("below 0.25" in text) == (n == 3)
    assert ("t-interval" in text) == (n >= 3), "no interval of fewer than three"


def test_four_independent_runs_each_can_decide_and_three_cannot() -> None:
    a, b = NOISE[:4].tolist(), (NOISE[4:8] + 1).tolist()
    assert verdict(sample("a", a), sample("b", b)).decision is Decision.BETTER
    few = verdict(sample("a", a[:3]), sample("b", b[:3]))
    assert few.decision is Decision.TOO_FEW and few.more == 1
    assert one_sentence(few).startswith("Too few seeds: at least 1 more a group makes a verdict possible between a")
    lone = verdict(sample("a", a[:2]), sample("b", (NOISE[:30] + 1).tolist()))
    assert lone.decision is Decision.TOO_FEW and lone.more == 1, "the exact test could, an interval of two is none"
    assert "carry no interval" in one_sentence(lone)


def test_six_pairs_of_groups_need_eight_seeds() -> None:
    for n, decision in ((7, Decision.TOO_FEW), (8, Decision.BETTER)):
        groups = [seeded(name, NOISE[:n] + shift * spread(n)) for shift, name in enumerate("abcd")]
        rulings = verdicts(groups)
        assert {ruling.decision for ruling in rulings.values()} == {decision}
        assert {ruling.more for ruling in rulings.values()} == {8 - n}
        assert {ruling.comparisons for ruling in rulings.values()} == {6}
    assert rulings[0, 1].p == 6 * 2 / 2**8, "Holm's: the smallest of six counts six times"
    assert "p=0.047 after Holm's correction for 6 pairs" in one_sentence(rulings[0, 1])


def test_chosen_pairs_are_corrected_for_each_other_only() -> None:
    groups = [seeded(name, NOISE[:7] + shift * spread(7)) for shift, name in enumerate("abcd")]
    rulings = verdicts(groups, [(1, 0), (2, 0), (3, 0)])
    assert list(rulings) == [(1, 0), (2, 0), (3, 0)]
    assert {ruling.decision for ruling in rulings.values()} == {Decision.WORSE}
    assert rulings[1, 0].comparisons == 3


def test_both_the_interval_and_the_test_are_needed() -> None:
    # All of eight pairs have the same sign, but one is huge: the exact test is sure, the t-interval is not.
    wild = NOISE[:8] * 0 + [0.01, 0.02, 0.01, 0.02, 0.01, 0.02, 0.01, 5.0]
    ruling = verdict(seeded("a", np.zeros(8)), seeded("b", wild))
    assert ruling.p == 2 / 2**8 and ruling.difference.interval.low < 0 < ruling.difference.interval.high
    assert ruling.decision is Decision.UNDECIDED
    assert "the test alone would decide, the interval does not" in one_sentence(ruling)
    # Six pairs can be so even that the interval excludes zero, while one of the other sign keeps the test from it.
    even = [1.0, 1.0, 1.0, 1.0, 1.0, -0.1]
    ruling = verdict(seeded("a", np.zeros(6)), seeded("b", even))
    assert ruling.difference.excludes_zero and ruling.p > 0.05 and ruling.decision is Decision.UNDECIDED


def test_undecided_says_how_many_seeds_would_show_what_was_seen() -> None:
    noise = np.random.default_rng(3).normal(0, 1, 10)
    ruling = verdict(seeded("a", noise * 0), seeded("b", (noise - noise.mean()) / noise.std(ddof=1) + 0.5))
    assert ruling.decision is Decision.UNDECIDED and ruling.difference.effect == pytest.approx(-0.5)
    assert 30 < (ruling.about or 0) < 40 and ruling.about == ruling.difference.needed
    assert one_sentence(ruling).endswith(
        f"; at least {ruling.more} more seeds make a verdict possible;"
        f" about {ruling.about} paired seeds in all would find a difference of this size four times in five."
    )


def test_no_difference_is_shown_not_assumed() -> None:
    a, b = seeded("a", NOISE[:8]), seeded("b", NOISE[:8] + 0.001 * np.array([1, -1, 1, -1, 1, -1, 1, -1]))
    assert verdict(a, b).decision is Decision.UNDECIDED, "without a margin nothing can be the same"
    ruling = verdict(a, b, margin=0.01)
    assert ruling.decision is Decision.NO_DIFFERENCE and ruling.p == 2 / 2**8
    assert one_sentence(ruling).startswith(
        "No difference beyond 0.01 between a and b: the result is the same on average"
    )
    assert "exact sign-flip tests against the margin p=0.0078" in ruling.sentence
    assert verdict(a, b, margin=0.0005).decision is Decision.UNDECIDED, "the interval is wider than this margin"
    few = verdict(seeded("a", NOISE[:5]), seeded("b", NOISE[:5] + 1e-6), margin=0.01)
    assert few.decision is Decision.TOO_FEW and few.more == 1, "sameness takes as many seeds as a difference"
    independent = verdict(sample("a", NOISE[:9].tolist()), sample("b", NOISE[9:18].tolist()), margin=0.1)
    assert independent.decision is Decision.NO_DIFFERENCE


def test_a_real_difference_within_the_margin_is_no_difference() -> None:
    ruling = verdict(seeded("a", NOISE[:8]), seeded("b", NOISE[:8] + 0.001 * spread(8)), margin=0.01)
    assert ruling.decision is Decision.NO_DIFFERENCE and "0.001 lower with a" in one_sentence(ruling)
    beyond = verdict(seeded("a", NOISE[:8]), seeded("b", NOISE[:8] + 0.1 * spread(8)), margin=0.01)
    assert beyond.decision is Decision.BETTER


def test_one_method_under_two_names_is_a_tie() -> None:
    ruling = verdict(seeded("adam", NOISE[:12]), seeded("adam again", NOISE[:12]))
    assert ruling.decision is Decision.UNDECIDED and ruling.p == 1.0
    assert "the result is the same in all 12 paired seeds" in one_sentence(ruling)
    another_order = verdict(seeded("a", NOISE[:12]), seeded("b", NOISE[:12] * (1 + 4e-16)))
    assert another_order.decision is Decision.UNDECIDED and another_order.p == 1.0, "rounding is no difference"
    assert verdict(seeded("a", NOISE[:12]), seeded("b", NOISE[:12]), margin=1e-6).decision is Decision.NO_DIFFERENCE


@pytest.mark.parametrize("share", [0.1, 0.9])
@pytest.mark.parametrize("together", [False, True])
def test_shares_in_single_precision_are_judged_as_the_counts_behind_them(share: float, together: bool) -> None:
    """k of 287 as a run stores it; with `together`, each result is the mean of two runs on one training set."""
    generator = np.random.default_rng(7)
    for _ in range(20):
        wrong = generator.binomial(287, share, (2, 16))
        runs = pd.DataFrame({
            "group": ["a"] * 16 + ["b"] * 16, "seed": [*range(16)] * 2, "outcome": "ok",
            "seed_data": [*np.repeat(range(8), 2)] * 2 if together else -1,
            "objective": (wrong / 287).astype(np.float32).astype(float).ravel(), "count": wrong.ravel(),
        })  # fmt: skip
        ruling, expected = (verdict(*samples(runs, value=value)) for value in ("objective", "count"))
        assert (ruling.decision, ruling.p) == (expected.decision, expected.p)
        assert ruling.n == (8 if together else 16)


def stored(counts: Iterable[int]) -> np.ndarray:
    """Shares of 287 as a run stores them: in single precision."""
    return (np.array(list(counts)) / 287).astype(np.float32).astype(float)


def test_what_is_only_rounding_is_never_said_to_be_a_difference() -> None:
    counts = np.array([25, 31, 28, 40, 19, 33, 22, 30])
    one, as_many = stored(counts), stored([24, 33, 27, 41, 20, 32, 25, 26])
    beside = np.nextafter(one.astype(np.float32), np.float32(1)).astype(float)
    assert (one != beside).all() and one.mean() != as_many.mean()
    for pair in ("seed", None):
        for other in (beside, as_many):
            text = one_sentence(verdict(sample("a", one, paired_on=pair), sample("b", other, paired_on=pair)))
            assert "the result is the same" in text and "e-" not in text, text
    more = verdict(seeded("a", one), seeded("b", stored(counts + 10)))
    assert "0.0348 lower" in more.sentence and "the same in every seed" in more.sentence


def test_without_any_spread_the_exact_test_still_holds_and_it_is_said() -> None:
    ruling = verdict(seeded("xor", [0.5] * 6), seeded("mlp", [0.0] * 6))
    assert ruling.decision is Decision.WORSE and "the same in every seed" in one_sentence(ruling)


# Divergence


def test_a_method_that_diverges_and_is_worse_elsewhere_is_worse() -> None:
    ruling = verdict(seeded("safe", NOISE[:8]), seeded("bold", NOISE[:5] + 0.1 * spread(5), diverged=(5, 6, 7)))
    assert ruling.decision is Decision.BETTER and ruling.n == 8 and ruling.p == 2 / 2**8
    text = one_sentence(ruling)
    assert "bold diverged in 3 of 8 runs, safe in none; where both are finite the result 0.1 lower" in text
    assert ", n=5)" in text and "exact worst-rank sign-flip test p=0.0078, n=8 paired seeds" in text
    turned = verdict(
        seeded("bold", NOISE[:5] - 0.1, diverged=(5, 6, 7)), seeded("safe", NOISE[:8]), direction="maximize"
    )
    assert turned.decision is Decision.WORSE, "diverged is worst in either direction"


def test_a_method_that_always_diverges_is_worse_without_a_mean() -> None:
    for n, decision in ((8, Decision.BETTER), (5, Decision.TOO_FEW)):
        ruling = verdict(seeded("safe", NOISE[:n]), seeded("bold", [], diverged=range(n)))
        assert ruling.decision is decision
        assert f"bold diverged in {n} of {n} runs, safe in none" in one_sentence(ruling)
        independent = verdict(sample("safe", NOISE[:n].tolist()), sample("bold", [], diverged=n))
        assert independent.decision is Decision.BETTER, "four runs each are enough"
        assert one_sentence(independent)


def test_better_when_it_does_not_diverge_is_no_verdict() -> None:
    bold, safe = seeded("bold", NOISE[:29], diverged=[29]), seeded("safe", NOISE[:30] + spread(30))
    ruling = verdict(bold, safe)
    assert ruling.p < 1e-4 and ruling.difference.excludes_zero and ruling.decision is Decision.UNDECIDED
    assert "bold diverged in 1 of 30 runs, safe in none; where both are finite the result 0.9" in one_sentence(ruling)
    assert "one diverges less often, the other does better otherwise" in ruling.sentence
    reverse = verdict(seeded("safe", NOISE[:30]), seeded("bold", NOISE[:29] + spread(29), diverged=[29]))
    assert reverse.decision is Decision.BETTER, "if both point the same way there is one"


def test_shares_that_differ_beyond_doubt_decide_alone() -> None:
    bold = seeded("bold", NOISE[:3] - 0.001 * spread(3), diverged=range(3, 12))
    ruling = verdict(bold, seeded("safe", NOISE[:12]))
    assert ruling.decision is Decision.WORSE and "lower (95% t-interval" in one_sentence(ruling)
    # Five of six: the ranks' exact test is sure, neither interval is.
    few = verdict(seeded("bold", [1.0], diverged=range(1, 6)), seeded("safe", NOISE[:6]))
    assert few.p == 2 / 2**6 and few.decision is Decision.UNDECIDED


def test_divergence_in_both_says_nothing_about_either() -> None:
    a, b = seeded("a", NOISE[:6], diverged=(6, 7)), seeded("b", NOISE[:6] + spread(6), diverged=(6, 7))
    ruling = verdict(a, b)
    assert ruling.decision is Decision.BETTER and ruling.n == 8 and ruling.p == 2 / 2**6
    assert "n=8 paired seeds, 2 of which diverged in both" in one_sentence(ruling)
    few = verdict(
        seeded("a", NOISE[:4], diverged=range(4, 8)), seeded("b", NOISE[:4] + spread(4), diverged=range(4, 8))
    )
    assert few.decision is Decision.TOO_FEW and few.more == 2, "pairs in which both diverge do not count towards six"
    everything = verdict(seeded("a", [], diverged=range(8)), seeded("b", [], diverged=range(8)))
    assert everything.decision is Decision.UNDECIDED and "all runs of both diverged" in one_sentence(everything)


def test_one_of_each_diverged_does_not_hide_a_difference() -> None:
    a = seeded("a", NOISE[:19], diverged=[3])
    b = seeded("b", np.delete(NOISE[:20] + 1, 7), diverged=[7])
    ruling = verdict(a, b)
    assert ruling.decision is Decision.BETTER and one_sentence(ruling)
    assert "a diverged in 1 of 20 runs, b in 1 of 20" in ruling.sentence


def test_diverged_runs_are_never_equivalent_to_finite_ones() -> None:
    a, b = seeded("a", NOISE[:12]), seeded("b", NOISE[:11] + 0.001, diverged=[11])
    assert verdict(b, a, margin=1.0).decision is Decision.WORSE
    tied = verdict(a, seeded("b", NOISE[:11], diverged=[11]), margin=1.0)
    assert tied.decision is Decision.TOO_FEW and "12 paired seeds, 11 of them without a difference," in tied.sentence


# Pairing and what is left out


def test_what_is_left_out_is_said() -> None:
    a = seeded("a", NOISE[:8])
    b = Sample(
        "b",
        {seed: float(NOISE[seed]) + 1 + seed / 10 for seed in range(1, 9)},
        unfinished={"running": 2},
        paired_on="seed",
    )
    ruling = verdict(a, b)
    assert (
        ruling.n == 7
        and "n=7 paired seeds, leaving out 2 runs without a partner and 2 runs without a result" in one_sentence(ruling)
    )


def test_groups_that_share_few_seeds_are_independent() -> None:
    a = Sample("a", {seed: float(NOISE[seed]) for seed in range(8)}, paired_on="seed")
    b = Sample("b", {seed: float(NOISE[seed]) + 1 for seed in range(6, 14)}, paired_on="seed")
    ruling = verdict(a, b)
    assert ruling.decision is Decision.BETTER and "n=8 and 8 independent runs" in one_sentence(ruling)
    assert "Welch t-interval" in ruling.sentence
    other = Sample("b", {seed: float(NOISE[seed]) + 1 for seed in range(8)}, paired_on="fold")
    assert verdict(a, other).difference.paired_on is None, "seed 3 is no partner of fold 3"
    folds = [Sample(name, {k: shift + k / 7 for k in range(6)}, paired_on="fold") for shift, name in enumerate("ab")]
    assert "n=6 pairs of one fold" in one_sentence(verdict(*folds))


def test_confirm_runs_are_named() -> None:
    a = Sample("a", {seed: float(NOISE[seed]) for seed in range(8)}, paired_on="seed", phase="confirm")
    b = Sample("b", {seed: float(NOISE[seed]) + 1 for seed in range(8)}, paired_on="seed", phase="confirm")
    assert one_sentence(verdict(a, b)).endswith(", from their confirm runs.")
    c = Sample("c", {seed: float(NOISE[seed]) + 1 for seed in range(8)}, paired_on="seed", phase="search")
    assert one_sentence(verdict(a, c)).endswith(", a by its confirm runs, c by its search runs.")


def test_wrong_arguments_are_refused() -> None:
    a, b = seeded("a", NOISE[:6]), seeded("b", NOISE[:6])
    for margin in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"margin: {margin} is not allowed; allowed: more than 0"):
            verdict(a, b, margin=margin)
    with pytest.raises(ValueError, match="direction: 'lower' is not allowed"):
        verdict(a, b, direction="lower")
    with pytest.raises(ValueError, match="level: 95 is not allowed"):
        verdict(a, b, level=95)
    assert verdicts([a]) == {} and verdicts([]) == {}
