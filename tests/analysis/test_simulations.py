"""Verdicts over thousands of simulated comparisons: how often they claim what is not there."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from analysis.statistics.samples import Sample, sample
from analysis.statistics.verdicts import Decision, verdict, verdicts

LONG = 2_000
short_and_long = pytest.mark.parametrize("repeats", [500, pytest.param(LONG, marks=pytest.mark.slow)])
"""How many comparisons are simulated: few in the fast suite, as many as the claim needs in the long one."""


def allowed(repeats: int) -> float:
    """The largest share of false claims that a test at 5 % makes, within two standard errors: 6 % of 2,000."""
    return 0.05 + 0.01 * float(np.sqrt(LONG / repeats))


def groups_of(draws: np.ndarray, paired: bool) -> list[Sample]:
    on = "seed" if paired else None
    return [sample(f"g{k}", dict(enumerate(row.tolist())), paired_on=on) for k, row in enumerate(draws)]


def drawn(
    groups: int, n: int, seed: int, repeats: int = LONG, *, paired: bool = True, kind: str = "normal"
) -> np.ndarray:
    """Results (repeats, groups, n), of one distribution in all groups; paired results share the noise of their seed."""
    generator = np.random.default_rng(seed)
    shape = (repeats, groups, n)
    noise = generator.normal(size=shape) if kind == "normal" else generator.gamma(1.0, size=shape)
    return noise + generator.normal(size=(repeats, 1, n)) if paired else noise


def any_decided(rulings: Iterable[object]) -> bool:
    return any(ruling.decided for ruling in rulings)  # type: ignore[attr-defined]


@short_and_long
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("n", [8, 12])
def test_one_pair_of_equals_is_told_apart_in_at_most_six_of_a_hundred(n: int, paired: bool, repeats: int) -> None:
    claims = [verdict(*groups_of(draws, paired)).decided for draws in drawn(2, n, n, repeats, paired=paired)]
    # Never claiming anything would pass as well: a test at 5 % must claim in some.
    assert 0.03 <= np.mean(claims) <= allowed(repeats)


@short_and_long
@pytest.mark.parametrize("n", [8, 12])
def test_ten_pairs_of_equals_are_told_apart_in_at_most_six_of_a_hundred(n: int, repeats: int) -> None:
    claims = [any_decided(verdicts(groups_of(draws, True)).values()) for draws in drawn(5, n, 50 + n, repeats)]
    assert np.mean(claims) <= allowed(repeats)
    assert any(claims) == (n == 12), "ten pairs need nine seeds"


@pytest.mark.slow
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("kind", ["normal", "skewed"])
def test_ten_pairs_of_equals_the_long_form(kind: str, paired: bool) -> None:
    claims = [
        any_decided(verdicts(groups_of(draws, paired)).values())
        for draws in drawn(5, 10, seed=3, paired=paired, kind=kind)
    ]
    assert np.mean(claims) <= allowed(LONG)


@short_and_long
@pytest.mark.parametrize("paired", [True, False])
def test_equals_that_diverge_alike_are_not_told_apart(paired: bool, repeats: int) -> None:
    n = 12
    draws = drawn(2, n, 9, repeats, paired=paired)
    lost = np.random.default_rng(10).random(draws.shape) < 0.25
    claims = 0
    for rows, gone in zip(draws, lost, strict=True):
        groups = [
            sample(
                f"g{k}",
                {seed: float(row[seed]) for seed in range(n) if not lost[seed]},
                diverged=np.flatnonzero(lost).tolist(),
                paired_on="seed" if paired else None,
            )
            for k, (row, lost) in enumerate(zip(rows, gone, strict=True))
        ]
        claims += verdict(*groups).decided
    assert 0 < claims / repeats <= allowed(repeats)


def test_a_difference_as_large_as_the_margin_is_seldom_called_none() -> None:
    claims = [
        verdict(*groups_of(draws + np.array([[1.5], [0.0]]), paired=True), margin=1.5).decision
        is Decision.NO_DIFFERENCE
        for draws in drawn(2, 12, seed=11)
    ]
    assert 0 < np.mean(claims) <= 0.03, "a one-sided test at 2.5 %"


def test_equal_groups_are_found_equal_within_a_wide_margin() -> None:
    claims = [
        verdict(*groups_of(draws, paired=True), margin=2.0).decision is Decision.NO_DIFFERENCE
        for draws in drawn(2, 12, seed=12)[:500]
    ]
    assert np.mean(claims) > 0.9
