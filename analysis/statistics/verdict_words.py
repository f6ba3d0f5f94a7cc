"""The parts of a verdict's sentence: how far apart, by which test, with which interval, and what was left out.

Each function takes the evidence on two groups (`e`) and returns plain text; names are as they were given.
"""

from __future__ import annotations

from analysis.statistics.evidence import Evidence
from analysis.statistics.intervals import ENOUGH_FOR_AN_INTERVAL, Interval, number
from analysis.statistics.samples import TRAINING_SET, phase_words
from analysis.words import counted


def pair_words(e: Evidence, count: int) -> str:
    """`8 paired seeds`."""
    on = e.finite.paired_on
    return counted(count, f"paired {on}") if on in ("seed", TRAINING_SET) else f"{counted(count, 'pair')} of one {on}"


def p_words(value: float) -> str:
    """`p=0.0078`, or `p<0.0001`."""
    return f"p={number(value, 2)}" if value >= 0.0001 else "p<0.0001"


def _interval_words(interval: Interval, e: Evidence) -> str:
    if interval.n < ENOUGH_FOR_AN_INTERVAL:
        return f"n={interval.n}"
    kind = "t-interval" if e.paired else "Welch t-interval"
    fewer = f", n={interval.n}" if e.paired and interval.n != e.n_a else ""
    return f"{100 * interval.level:g}% {kind} {number(interval.low, 3)} to {number(interval.high, 3)}{fewer}"


def gap_words(e: Evidence, metric: str, whose: str) -> str:
    """`val/loss 0.012 lower with adam (95% t-interval 0.008 to 0.016)`, of the finite results; empty without any.

    Args:
        e: The evidence on two groups.
        metric: What the results are called.
        whose: ` with adam`, or nothing where the sentence has named the group before.
    """
    gap = e.finite.interval
    if not gap.n:
        return ""
    if gap.low == gap.high == 0:
        return f"{metric} is the same in {f'all {pair_words(e, gap.n)}' if e.paired else 'every run of both'}"
    if abs(gap.mean) <= 1e-9 * (gap.high - gap.low):
        return f"{metric} is the same on average ({_interval_words(gap, e)})"
    lower = gap.mean < 0
    always = f", the same in every {'seed' if e.paired else 'run'}" if gap.low == gap.high else ""
    return (
        f"{metric} {number(abs(gap.mean), 3)} {'lower' if lower else 'higher'}{whose}"
        f" ({_interval_words(gap.turned if lower else gap, e)}{always})"
    )


def divergence_words(e: Evidence) -> str:
    """`sgd diverged in 3 of 8 runs, adam in none`; empty where no run of one alone diverged."""
    if not e.one_diverged:
        return ""
    counts = [(e.a.name, e.diverged_a, e.n_a), (e.b.name, e.diverged_b, e.n_b)]
    if e.diverged_a * e.n_b < e.diverged_b * e.n_a:
        counts.reverse()
    (more, diverged, runs), (less, less_diverged, less_runs) = counts
    rest = f"{less_diverged} of {less_runs}" if less_diverged else "none"
    return f"{more} diverged in {diverged} of {runs} runs, {less} in {rest}"


def basis_words(e: Evidence, p: float, comparisons: int, name: str) -> str:
    """`exact sign-flip test p=0.0078, n=8 paired seeds`."""
    corrected = f" after Holm's correction for {comparisons} pairs" if comparisons > 1 else ""
    n = f"n={pair_words(e, e.n_a)}" if e.paired else f"n={e.n_a} and {e.n_b} independent runs"
    both = f", {e.diverged_both} of which diverged in both" if e.diverged_both else ""
    return f"{name} {p_words(p)}{corrected}, {n}{both}"


def left_out_words(e: Evidence) -> str:
    """`, leaving out 2 runs without a partner`; empty where nothing is left out."""
    parts = []
    if e.without_partner:
        parts.append(f"{counted(e.without_partner, 'run')} without a partner")
    unfinished = sum(e.a.unfinished.values()) + sum(e.b.unfinished.values())
    if unfinished:
        parts.append(f"{counted(unfinished, 'run')} without a result")
    return f", leaving out {' and '.join(parts)}" if parts else ""


def phases_words(e: Evidence) -> str:
    """`, from their confirm runs`; empty where both groups have search runs only."""
    a, b = phase_words(e.a.phase), phase_words(e.b.phase)
    if not a and not b:
        return ""
    if a == b:
        return f", from their {a}"
    return f", {e.a.name} by its {a or 'search runs'}, {e.b.name} by its {b or 'search runs'}"


def conflict_words(e: Evidence, p: float) -> str:
    """`; the test alone would decide, the interval does not`: why a small p is no verdict; empty if p is not small."""
    if p > e.alpha:
        return ""
    if e.test_side != e.ranked_side:
        return "; one diverges less often, the other does better otherwise"
    return "; the test alone would decide, the interval does not"


def limits_words(e: Evidence, least_p: float, comparisons: int) -> str:
    """`3 paired seeds cannot bring an exact p below 0.25`: why the runs that there are cannot decide."""
    if not e.informative:
        return "there is no result yet"
    now = pair_words(e, e.informative) if e.paired else f"{e.n_a} and {e.n_b} independent runs"
    ties = e.informative - e.test.size if e.paired else 0
    now += f", {ties} of them without a difference," if ties else ""
    if least_p <= e.alpha:
        return f"{now} carry no interval"
    corrected = f", or {number(least_p, 2)} after Holm's correction for {comparisons} pairs" if comparisons > 1 else ""
    return f"{now} cannot bring an exact p below {number(e.smallest_p, 2)}{corrected}"
