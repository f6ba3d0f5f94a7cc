"""Seeds needed: what is advised is enough, and one seed less is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.statistics import difference, interval
from analysis.statistics.exact import enough_each, enough_pairs, permutation, sign_flip
from analysis.statistics.power import AT_MOST, SIMULATED_PAIRS, seeds_needed
from analysis.statistics.samples import sample
from analysis.statistics.verdicts import Decision, verdict


def advised(effect: float, paired: bool) -> int:
    """What `difference` advises after results that show exactly this effect."""
    x = np.random.default_rng(0).normal(size=20)
    x = (x - x.mean()) / x.std(ddof=1)
    gap = difference(x + effect, np.zeros(20), "seed") if paired else difference(x + effect, x[::-1])
    assert gap.effect == pytest.approx(effect)
    assert gap.needed is not None
    return gap.needed


def decided(a: np.ndarray, b: np.ndarray, paired: bool, alpha: float) -> float:
    """The share of rows in which the verdict is that `a` is higher."""
    on = "seed" if paired else None
    hits = 0
    for x, y in zip(a, b, strict=True):
        groups = [sample(name, row.tolist(), paired_on=on) for name, row in (("a", x), ("b", y))]
        hits += verdict(*groups, direction="maximize", level=1 - alpha).decision is Decision.BETTER
    return hits / len(a)


def simulated(effect: float, n: int, paired: bool, alpha: float = 0.05, repeats: int = 1500) -> float:
    generator = np.random.default_rng(1000 + n)
    # Two groups' differences have twice the variance: scaled so that the effect is in units of theirs.
    a, b = generator.normal(scale=math.sqrt(0.5) if paired else 1, size=(2, repeats, n))
    return decided(a + effect, b, paired, alpha)


@pytest.mark.parametrize("effect", [1.0, *(pytest.param(effect, marks=pytest.mark.slow) for effect in (1.25, 0.8))])
def test_the_pairs_advised_are_enough_and_no_more(effect: float) -> None:
    n = advised(effect, paired=True)
    assert 0.77 <= simulated(effect, n, paired=True) <= 0.85
    assert simulated(effect, n - 1, paired=True) < 0.80 + 0.02  # two standard errors of 1,500 draws


@pytest.mark.parametrize("effect", [1.2, pytest.param(1.3, marks=pytest.mark.slow)])
def test_the_seeds_advised_for_independent_groups_are_enough_and_no_more(effect: float) -> None:
    n = advised(effect, paired=False)
    assert 0.77 <= simulated(effect, n, paired=False, repeats=1000) <= 0.85
    assert simulated(effect, n - 1, paired=False, repeats=1000) < 0.80 + 0.025


def test_a_discrete_test_needs_more_than_the_t_test_says() -> None:
    # At 1.8 standard deviations the t-test needs 5 pairs; an exact test cannot decide with 5, and is too weak with 6.
    assert seeds_needed(1.8) == 7
    assert simulated(1.8, 6, paired=True) < 0.8 < simulated(1.8, 7, paired=True)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.05 / 3, 0.05 / 6, 0.05 / 10])
@pytest.mark.parametrize("effect", [0.9, 1.1, 1.3])
def test_corrected_levels_are_advised_as_well(effect: float, alpha: float) -> None:
    n = seeds_needed(effect, alpha=alpha)
    assert n is not None
    assert 0.76 <= simulated(effect, n, paired=True, alpha=alpha, repeats=2500) <= 0.86


def test_from_simulation_to_formula_there_is_no_jump() -> None:
    counts = [seeds_needed(effect) for effect in np.arange(2.5, 0.3, -0.02)]
    assert counts == sorted(counts, key=lambda n: n or 0), "a smaller effect never needs fewer seeds"
    assert counts[0] == enough_pairs(0.05) and (counts[-1] or 0) > 4 * SIMULATED_PAIRS


def test_large_numbers_follow_the_normal_approximation() -> None:
    z = 1.9599639845 + 0.8416212336  # of 0.975 and 0.8
    assert seeds_needed(0.05) == pytest.approx((z / 0.05) ** 2, rel=0.01)
    assert seeds_needed(0.05, paired=False) == pytest.approx(2 * (z / 0.05) ** 2, rel=0.01)
    assert seeds_needed(-0.05) == seeds_needed(0.05)


def test_no_effect_or_a_hopeless_one_has_no_answer() -> None:
    assert seeds_needed(0.0) is None and seeds_needed(math.nan) is None
    assert seeds_needed(0.001) is None, f"more than {AT_MOST}"
    assert seeds_needed(math.inf) == 6 == enough_pairs(0.05)
    assert seeds_needed(1e6) == 6
    assert seeds_needed(1e6, paired=False) == enough_each(0.05) == 4
    assert seeds_needed(1e6, alpha=0.05 / 6) == 8
    with pytest.raises(ValueError, match="power: 1 is not allowed"):
        seeds_needed(1.0, power=1)
    with pytest.raises(ValueError, match="alpha: 0 is not allowed"):
        seeds_needed(1.0, alpha=0)


def test_the_threshold_of_a_sample_is_where_both_rules_begin_to_decide() -> None:
    from analysis.statistics import power

    for paired, n in ((True, 7), (False, 5)):
        threshold = (power.decided_pairs if paired else power.decided_each)(n, 0.05)
        draws = np.random.default_rng(n).normal(size=(power.DRAWS, n if paired else 2 * n))
        for z, d in list(zip(draws, threshold, strict=True))[:60]:
            for shift, expected in ((d + 1e-6, True), (d - 1e-6, False)):
                if paired:
                    both = sign_flip(z + shift).p <= 0.05 and interval(z + shift).low > 0
                else:
                    a, b = z[:n] + shift, z[n:]
                    both = permutation(a, b).p <= 0.05 and difference(a, b).interval.low > 0
                assert both is expected
