"""Exponentially weighted averages against their closed forms, pandas' own, and simulated noise."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.explorers.averages import (
    DAYS,
    averaged,
    averages_info,
    lag,
    memory,
    plot_averages,
    plot_weights,
    steps_until_right,
    variance_factor,
    weight_sum,
    weights,
)
from analysis.figures.curves import smoothed

BETAS = [0.0, 0.3, 0.9, 0.99]


@pytest.mark.parametrize("beta", BETAS)
def test_the_corrected_average_is_that_of_pandas_and_of_the_smoothed_curves(beta: float) -> None:
    values = np.random.default_rng(0).standard_normal(60)
    averages = averaged(values, beta, corrected=True)
    assert averages == pytest.approx(pd.Series(values).ewm(alpha=1 - beta, adjust=True).mean().to_numpy())
    assert averages == pytest.approx(smoothed(values, beta))


@pytest.mark.parametrize("beta", BETAS)
def test_the_plain_average_is_the_weighted_sum_and_short_by_its_weights(beta: float) -> None:
    values = np.random.default_rng(1).standard_normal(40)
    plain = averaged(values, beta, corrected=False)
    assert plain[-1] == pytest.approx(weights(beta, 40, corrected=False) @ values[::-1])
    constant = averaged(np.full(40, 7.0), beta, corrected=False)
    assert constant == pytest.approx(7 * (1 - beta ** np.arange(1, 41)))
    assert averaged(np.full(40, 7.0), beta, corrected=True) == pytest.approx(np.full(40, 7.0))


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("t", [1, 2, 30])
def test_weights_add_up_to_one_minus_beta_to_the_t(beta: float, t: int) -> None:
    assert weights(beta, t, corrected=False).sum() == pytest.approx(1 - beta**t) == pytest.approx(weight_sum(beta, t))
    assert weights(beta, t, corrected=True).sum() == pytest.approx(1)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("t", [1, 3, 50])
def test_the_variance_that_is_left_is_that_of_the_weights(beta: float, t: int) -> None:
    assert variance_factor(beta, t) == pytest.approx(float((weights(beta, t, corrected=True) ** 2).sum()))
    assert variance_factor(beta) == pytest.approx((1 - beta) / (1 + beta))


def test_simulated_noise_keeps_as_much() -> None:
    noise = np.random.default_rng(2).standard_normal((4000, 120))
    for beta in (0.5, 0.9):
        ends = np.array([averaged(row, beta, corrected=True)[[4, -1]] for row in noise])
        assert ends.var(axis=0) == pytest.approx([variance_factor(beta, 5), variance_factor(beta)], rel=0.1)


@pytest.mark.parametrize("beta", BETAS)
def test_a_slope_is_followed_late_by_the_lag(beta: float) -> None:
    slope = np.arange(4000.0)
    assert slope[-1] - averaged(slope, beta, corrected=True)[-1] == pytest.approx(lag(beta), abs=1e-6)


def test_the_memory_ends_where_a_weight_is_below_one_over_e() -> None:
    for beta in (0.5, 0.9, 0.99, 0.999):
        assert beta ** memory(beta) < 1 / math.e
    assert 0.9999 ** memory(0.9999) == pytest.approx(1 / math.e, rel=1e-3)


@pytest.mark.parametrize("beta", [0.0, 0.01, 0.1, 0.5, 0.9, 0.99])
def test_it_is_right_from_the_first_step_that_misses_no_more_than_a_hundredth(beta: float) -> None:
    short = 1 - averaged(np.ones(1000), beta, corrected=False)
    assert steps_until_right(beta) == np.flatnonzero(short <= 0.01 + 1e-12)[0] + 1


def test_the_sentence_says_the_numbers_of_its_beta() -> None:
    info = averages_info(0.9)
    assert "remembers about 10 days: it keeps 23% of the noise and is 9 days late" in info.sentence
    assert "begins at 10% of the truth and is still more than 1% short on day 43" in info.sentence
    assert 0.9**43 > 0.01 > 0.9**44
    assert averages_info(0.5).sentence.count("1 day late") == 1
    assert "At β = 0 the average is the latest value" in averages_info(0.0).sentence
    assert "1 − β³⁰ = 0.9576" in averages_info(0.9, at=30).weighing


def test_what_the_noise_left_is_measured_on_the_series() -> None:
    shares = [averages_info(0.9, seed=seed).kept ** 2 for seed in range(100)]
    expected = np.mean([variance_factor(0.9, t) for t in range(1, DAYS + 1)])
    assert np.mean(shares) == pytest.approx(expected, rel=0.1)
    silent = averages_info(0.9, noise=0.0)
    assert math.isnan(silent.kept) and "here" not in silent.reading and (silent.values == silent.truth).all()


def test_a_seed_is_the_same_series_and_another_seed_another() -> None:
    one, same, other = averages_info(0.9, seed=3), averages_info(0.5, seed=3, at=5), averages_info(0.9, seed=4)
    assert (one.values == same.values).all() and (one.values != other.values).any()


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize(("beta", "at"), [(0.0, 1), (0.9, 10), (0.99, DAYS)])
def test_the_figures_show_the_series_and_the_weights(beta: float, at: int, dark: bool) -> None:
    info = averages_info(beta, at=at)
    series = {trace.name: trace for trace in plot_averages(info, dark=dark).data}
    assert np.array(series["average, corrected"].y) == pytest.approx(averaged(info.values, beta, corrected=True))
    assert np.array(series["average, not corrected"].y) == pytest.approx(averaged(info.values, beta, corrected=False))
    bars = plot_weights(info, dark=dark)
    assert [trace.type for trace in bars.data] == ["bar", "bar"] and len(bars.data[0].x) <= at
    assert bars.data[0].name == "corrected, sum 1"
    assert len(info.frame()) == DAYS and len(info.weights_frame()) == at
    low, high = bars.layout.xaxis.range
    assert low < 0 < memory(beta) < high


@pytest.mark.parametrize("beta", [1.0, -0.1, math.nan])
def test_a_beta_out_of_range_is_refused(beta: float) -> None:
    for ask in (lag, memory, variance_factor, steps_until_right, averages_info):
        with pytest.raises(ValueError, match=r"beta: .* is not allowed; allowed: 0 to less than 1"):
            ask(beta)
    with pytest.raises(ValueError, match="at: 0 is not allowed"):
        averages_info(0.9, at=0)
