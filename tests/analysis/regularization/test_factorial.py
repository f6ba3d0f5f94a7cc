"""Factorial sweeps: known cell means, least squares on -1/+1 codes, and what may be permuted without any change."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.regularization.factorial import factorial_info, plot_factorial
from analysis.statistics.samples import seed_name

DROPOUT, L2, NORM = "model.dropout", "regularization.l2", "model.norm"
LEVELS: dict[str, list[Any]] = {DROPOUT: [0.0, 0.5], L2: [0.0, 0.01], NORM: ["none", "batch"]}


def runs_of(mean: Any, levels: dict[str, list[Any]] = LEVELS, seeds: int = 10, spread: float = 0.01) -> pd.DataFrame:
    """One run a cell and seed: `mean(cell as places)`, the seed's own level, and noise."""
    random = np.random.default_rng(0)
    offsets = random.normal(0, 1, seeds)
    rows = []
    for group, cell in enumerate(itertools.product(*(range(len(values)) for values in levels.values()))):
        params = {key: values[place] for (key, values), place in zip(levels.items(), cell, strict=True)}
        for seed in range(seeds):
            value = mean(cell) + offsets[seed] + random.normal(0, spread)
            rows.append({"group": f"g{group}", "seed": seed, "outcome": "ok", "objective": value, **params})
    return pd.DataFrame(rows)


def info_of(runs: pd.DataFrame, factors: Any = tuple(LEVELS), **more: Any) -> Any:
    return factorial_info(runs, factors, metric="val/error", **more)


def means(info: Any) -> dict[str, float]:
    return {effect.name: effect.interval.mean for effect in info.effects}


def test_known_cell_means_give_known_effects() -> None:
    """y = 3 - 0.4 a + 0.2 b + 0.1 a b, no noise: a changes y by -0.4 + 0.05 on average over b, a with b by 0.1 / 2."""
    runs = runs_of(lambda cell: 3 - 0.4 * cell[0] + 0.2 * cell[1] + 0.1 * cell[0] * cell[1], spread=0)
    info = info_of(runs)
    assert means(info) == pytest.approx(
        {
            "dropout 0.5": -0.35, "l2 0.01": 0.25, "norm batch": 0.0, "dropout 0.5 × l2 0.01": 0.05,
            "dropout 0.5 × norm batch": 0.0, "l2 0.01 × norm batch": 0.0,
        }
    )  # fmt: skip
    assert [effect.main for effect in info.effects] == [True] * 3 + [False] * 3
    assert [effect.name for effect in info.effects if effect.shown] == [
        "dropout 0.5", "l2 0.01", "dropout 0.5 × l2 0.01"
    ]  # fmt: skip
    assert info.first == "dropout 0, l2 0, norm none" == info_of(runs.iloc[::-1]).first
    assert info.shows == f"Main effects and interactions of {', '.join(info.factors)} on val/error"
    assert (info.seeds, info.n, info.interval) == (10, "n=10 seeds", info.basis)
    assert info.basis in info.reading and info.reading.endswith(info.meaning)


def test_effects_of_two_levels_are_twice_the_least_squares_coefficients() -> None:
    """The codes are -1 and +1 and their products; the spread over seeds is scipy's t-interval of the seeds' fits."""
    runs = runs_of(lambda cell: 0.3 * cell[0] - cell[1] * cell[2], spread=0.2)
    info = info_of(runs)
    codes = np.stack([np.where(runs[key] == values[1], 1.0, -1.0) for key, values in LEVELS.items()], axis=1)
    columns = [codes[:, k] for k in range(3)] + [codes[:, i] * codes[:, j] for i, j in ((0, 1), (0, 2), (1, 2))]
    design = np.stack([np.ones(len(runs)), *columns, codes.prod(axis=1)], axis=1)
    slopes = []
    for seed in range(10):
        mask = (runs["seed"] == seed).to_numpy()
        slopes.append(2 * np.linalg.lstsq(design[mask], runs["objective"][mask].to_numpy(), rcond=None)[0][1:7])
    fits = np.array(slopes)
    assert list(means(info).values()) == pytest.approx(fits.mean(axis=0))
    for effect, contrasts in zip(info.effects, fits.T, strict=True):
        assert list(effect.contrasts.values()) == pytest.approx(contrasts)
        theirs = stats.ttest_1samp(contrasts, 0).confidence_interval(0.95)
        assert (effect.interval.low, effect.interval.high) == pytest.approx(tuple(theirs))


def test_the_level_of_a_seed_cancels() -> None:
    runs = runs_of(lambda cell: cell[0], spread=0.1)
    moved = runs.assign(objective=runs["objective"] + 100 * runs["seed"])
    assert means(info_of(moved)) == pytest.approx(means(info_of(runs)))
    assert info_of(moved).effects[0].interval.half == pytest.approx(info_of(runs).effects[0].interval.half)


def test_the_order_of_runs_and_of_factors_changes_nothing() -> None:
    runs = runs_of(lambda cell: cell[0] - 0.5 * cell[1] * cell[2], spread=0.1)
    forward, back = info_of(runs), info_of(runs.sample(frac=1, random_state=1), tuple(reversed(LEVELS)))
    by_factors = {frozenset(effect.factors): effect for effect in back.effects}
    for effect in forward.effects:
        other = by_factors[frozenset(effect.factors)]
        assert (other.interval.mean, other.p) == pytest.approx((effect.interval.mean, effect.p))


def test_swapping_the_levels_of_a_factor_turns_its_effects_round() -> None:
    runs = runs_of(lambda cell: cell[0] - 0.5 * cell[0] * cell[1], spread=0.1)
    turned = runs.assign(**{DROPOUT: 0.5 - runs[DROPOUT]})
    for one, two in zip(info_of(runs).effects, info_of(turned).effects, strict=True):
        sign = -1 if DROPOUT in one.factors else 1
        assert two.interval.mean == pytest.approx(sign * one.interval.mean)


def test_each_level_is_compared_with_the_first() -> None:
    levels = {DROPOUT: [0.5, 0.0, 0.2], L2: [0.01, 0.0]}
    runs = runs_of(lambda cell: [1.0, 5.0, 3.0][cell[0]] + 0.4 * (cell == (0, 0)), levels, spread=0)
    info = info_of(runs, tuple(levels))
    assert info.first == "dropout 0, l2 0"
    assert means(info) == pytest.approx(
        {
            "dropout 0.2": -2.0, "dropout 0.5": -3.8, "l2 0.01": 0.4 / 3, "dropout 0.2 × l2 0.01": 0.0,
            "dropout 0.5 × l2 0.01": 0.2,
        }
    )  # fmt: skip


def test_holms_correction_and_the_exact_test_decide() -> None:
    """Six effects: the smallest of n seeds is 6 * 2 / 2^n, which 7 seeds cannot bring below 5 %."""
    large = lambda cell: 10.0 * cell[0]  # noqa: E731
    info = info_of(runs_of(large, seeds=7))
    assert info.more == 1 and not info.effects[0].shown and "at least 1 more makes" in info.sentence
    assert info.effects[0].p == pytest.approx(6 * 2 / 2**7)
    enough = info_of(runs_of(large, seeds=8))
    assert enough.more == 0 and enough.effects[0].shown and "dropout 0.5 +1" in enough.sentence
    assert "no two factors are shown to depend on each other" in enough.sentence
    assert "None of 6 effects" in info_of(runs_of(lambda cell: 0.0, seeds=12, spread=1.0)).sentence


def test_diverged_runs_are_counted_and_their_seeds_left_out() -> None:
    runs = runs_of(lambda cell: 10.0 * cell[0], seeds=10)
    runs.loc[(runs["seed"] == 3) & (runs[DROPOUT] == 0), ["outcome", "objective"]] = ["diverged", math.nan]
    info = info_of(runs)
    assert info.seeds == 9 and len(info.left_out) == 1 and "3" in map(seed_name, info.left_out)
    assert info.diverged == 4 and "4 runs diverged" in info.sentence and "1 seed left out" in info.basis
    every = runs.assign(outcome="diverged", objective=math.nan)
    assert info_of(every).problem == "No seed has a finite result in every combination, so none has a contrast."


def test_two_seeds_carry_dots_and_no_verdict() -> None:
    info = info_of(runs_of(lambda cell: 10.0 * cell[0], seeds=2))
    assert not any(effect.shown for effect in info.effects) and info.sentence.startswith("Too few seeds")
    assert not info.effects[0].interval.shown
    assert math.isnan(info_of(runs_of(lambda cell: 1.0, seeds=1)).effects[0].interval.low)


@pytest.mark.parametrize(
    ("change", "factors", "words"),
    [
        (lambda runs: runs.iloc[:0], LEVELS, "No run has a result yet."),
        (lambda runs: runs, [DROPOUT], "1 factors"),
        (lambda runs: runs, [DROPOUT, "model.depth"], "no param model.depth"),
        (lambda runs: runs[runs[DROPOUT] == 0], LEVELS, "model.dropout has one value only"),
        (lambda runs: runs[(runs[DROPOUT] == 0) | (runs[L2] == 0)], LEVELS, "no run with dropout 0.5, l2 0.01"),
        (lambda runs: runs.assign(seed=0), LEVELS, "do not have one seed each"),
        (lambda runs: runs.assign(seed=-1), LEVELS, "do not have one seed each"),
        (lambda runs: runs.assign(outcome="running"), LEVELS, "not fully crossed"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_apart_is_said(change: Any, factors: Any, words: str) -> None:
    info = info_of(change(runs_of(lambda cell: 1.0)), tuple(factors))
    assert info.empty and words in info.sentence and info.seeds == 0 and info.more == 0 and not len(info.frame())


def test_combinations_that_differ_in_something_else_are_refused() -> None:
    runs = runs_of(lambda cell: 1.0)
    both = pd.concat([runs.assign(lr=0.1), runs.assign(lr=0.2, seed=runs["seed"] + 100)])
    assert "differ in lr too" in info_of(both, others=["lr"]).problem
    assert not info_of(runs.assign(lr=0.1), others=["lr", NORM]).problem


def test_it_is_drawn() -> None:
    runs = runs_of(lambda cell: 10.0 * cell[0])
    for dark in (False, True):
        figure = plot_factorial(info_of(runs), dark=dark)
        assert len(figure.data[0].x) == 6 * 10
        assert {name for trace in figure.data for name in [trace.name]} >= {"a seed", "mean, an effect"}
    assert len(figure.layout.annotations) == 6
    assert list(info_of(runs).frame()) == ["effect", "kind", "mean", "low", "high", "n", "p_holm"]
    runs.loc[0, ["outcome", "objective"]] = ["diverged", math.nan]
    assert "1 diverged: 1 seed left out" in plot_factorial(info_of(runs)).layout.xaxis.title.text


def test_what_an_effect_is_and_what_is_not_looked_for_is_said() -> None:
    info = info_of(runs_of(lambda cell: 1.0))
    assert "first level (dropout 0, l2 0, norm none), averaged over all levels of the other factors" in info.meaning
    assert "half of the difference" in info.meaning and "compared with" not in info.basis
    assert "three or more factors are not shown" in info.meaning and "further factors" in info.meaning
    two = {DROPOUT: LEVELS[DROPOUT], L2: LEVELS[L2]}
    text = info_of(runs_of(lambda cell: 1.0, two), tuple(two)).meaning
    assert "three or more" not in text and "further" not in text


def test_effects_are_those_of_a_table_taken_apart_by_hand() -> None:
    """Effects are means over the other factor's levels, which are not the differences from the cell without either."""
    table = {(0, 0): 0.30, (1, 0): 0.20, (0, 1): 0.24, (1, 1): 0.22}
    two = {DROPOUT: LEVELS[DROPOUT], L2: LEVELS[L2]}
    effects = means(info_of(runs_of(lambda cell: table[cell], two, spread=0), tuple(two)))
    assert effects["dropout 0.5"] == pytest.approx(((0.20 - 0.30) + (0.22 - 0.24)) / 2)
    assert effects["l2 0.01"] == pytest.approx(((0.24 - 0.30) + (0.22 - 0.20)) / 2)
    assert effects["dropout 0.5 × l2 0.01"] == pytest.approx(((0.22 - 0.24) - (0.20 - 0.30)) / 2)


def test_runs_on_one_training_set_are_one_contrast() -> None:
    runs = runs_of(lambda cell: 3 - 0.4 * cell[0], seeds=16)
    info = info_of(runs.assign(seed_data=runs["seed"] // 2))
    assert info.seeds == 8 and "n=8 training sets, one contrast per training set" in info.basis
    pairs = runs.assign(seed=runs["seed"] // 2).groupby([*LEVELS, "group", "outcome", "seed"], as_index=False).mean()
    assert means(info) == pytest.approx(means(info_of(pairs)))
    few = info_of(runs[runs["seed"] < 4].assign(seed_data=lambda frame: frame["seed"] // 2))
    assert few.sentence.startswith("Too few training sets: 2 training sets")
