"""Theory against the eigenvalues of the companion matrix, against brute force, and against what the rules do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from analysis.explorers.convergence import Recurrence, best, convergence, recurrence
from analysis.explorers.surfaces import bowl
from analysis.explorers.update_rules import Adam, GradientDescent, Momentum, Nesterov, RMSprop, Rule, path

LINEAR = [GradientDescent, Momentum, Nesterov]


def radius(law: Recurrence) -> float:
    return float(np.abs(np.linalg.eigvals(np.array([[law.p, -law.q], [1.0, 0.0]]))).max())


def on_a_line(rule: Rule, curvature: float, steps: int) -> np.ndarray:
    return path(rule, lambda w: curvature * w, np.array([1.0]), steps)[:, 0]


def test_momentum_at_condition_number_100_shrinks_by_nine_elevenths() -> None:
    curvatures = bowl(100).eigenvalues
    assert curvatures is not None
    rule = best(Momentum, curvatures)
    assert rule is not None
    speed = convergence(rule, curvatures)
    assert speed is not None
    assert speed.rate == pytest.approx(0.8181818, abs=1e-7) == (math.sqrt(100) - 1) / (math.sqrt(100) + 1)


@pytest.mark.parametrize("condition", [1.5, 4.0, 25.0, 1000.0])
def test_the_best_rates_are_those_of_lessard_recht_and_packard(condition: float) -> None:
    curvatures = (0.3, 0.3 * condition)
    root = math.sqrt(condition)
    expected = [(condition - 1) / (condition + 1), (root - 1) / (root + 1), 1 - 2 / math.sqrt(3 * condition + 1)]
    for kind, rate in zip(LINEAR, expected, strict=True):
        rule = best(kind, curvatures)
        assert rule is not None
        speed = convergence(rule, curvatures)
        assert speed is not None and speed.rate == pytest.approx(rate, abs=1e-7)


@pytest.mark.parametrize("kind", LINEAR)
def test_no_other_learning_rate_or_momentum_is_faster(kind: type[Rule]) -> None:
    curvatures = (0.2, 5.0)
    chosen = best(kind, curvatures)
    assert chosen is not None
    optimum = convergence(chosen, curvatures)
    assert optimum is not None

    def rate(lr: float, beta: float) -> float:
        rule = kind(lr) if kind is GradientDescent else kind(lr, beta)  # type: ignore[call-arg]
        speed = convergence(rule, curvatures)
        assert speed is not None
        return speed.rate

    for beta in [0.0] if kind is GradientDescent else np.linspace(0, 0.95, 96):
        minimum = minimize_scalar(lambda lr, beta=beta: rate(lr, beta), bounds=(1e-3, 2.0), method="bounded")
        assert minimum.fun >= optimum.rate - 1e-6
    assert best(Adam, curvatures) is None and best(RMSprop, curvatures) is None


RULES: list[Rule] = [
    GradientDescent(0.1),
    GradientDescent(1.9),
    GradientDescent(2.1),
    Momentum(0.1),
    Momentum(0.5, 0.3),
    Momentum(0.01, 0.5),
    Momentum(0.4, 0.9, average=True),
    Momentum(4.0, 0.9),
    Nesterov(0.1),
    Nesterov(0.6, 0.5),
    Nesterov(0.02, 0.99),
    Nesterov(2.0, 0.9),
    Momentum((1 - math.sqrt(0.6)) ** 2, 0.6),  # a double root
]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_error_obeys_its_recurrence_and_stays_below_its_envelope(rule: Rule) -> None:
    law = recurrence(rule, 1.0)
    assert law is not None
    errors = on_a_line(rule, 1.0, 120)
    assert errors[1] == pytest.approx(law.first)
    assert errors[2:] == pytest.approx(law.p * errors[1:-1] - law.q * errors[:-2], rel=1e-7, abs=1e-12)
    assert law.rate == pytest.approx(radius(law), abs=1e-7)
    envelope = law.envelope(np.arange(121.0))
    assert (np.abs(errors) <= envelope * (1 + 1e-9) + 1e-12).all()
    # It is no empty promise: in the long run it falls, or grows, by the rate itself.
    assert envelope[120] / envelope[119] == pytest.approx(law.rate, rel=0.02)


@pytest.mark.parametrize("rule", [rule for rule in RULES if radius(recurrence(rule, 1.0)) < 1], ids=str)  # type: ignore[arg-type]
@pytest.mark.parametrize("share", [0.1, 0.01, 0.001])
def test_the_steps_to_a_share_are_those_of_the_envelope(rule: Rule, share: float) -> None:
    law = recurrence(rule, 1.0)
    assert law is not None
    envelope = law.envelope(np.arange(5000.0))
    assert law.steps_to(share) == np.flatnonzero(envelope > share * (1 + 1e-9))[-1] + 1
    errors = np.abs(on_a_line(rule, 1.0, 5000))
    taken = np.flatnonzero(errors > share * (1 + 1e-9))[-1] + 1
    assert taken == law.steps_to(share) if isinstance(rule, GradientDescent) else taken <= law.steps_to(share)


def test_a_rule_that_grows_takes_no_number_of_steps() -> None:
    growing, still = recurrence(GradientDescent(2.1), 1.0), recurrence(GradientDescent(2.0), 1.0)
    assert growing is not None and growing.steps_to(0.01) is None
    assert still is not None and still.steps_to(0.01) is None
    speed = convergence(GradientDescent(0.25), (0.1, 10.0))
    assert speed is not None and speed.rates == pytest.approx((0.975, 1.5)) and speed.steps_to(0.01) is None


def test_what_is_gone_at_once_takes_one_step() -> None:
    assert Recurrence(0.0, 0.0, 0.0).steps_to(0.01) == 1
    assert Recurrence(0.1, 0.0, 0.1).steps_to(0.01) == 2


def test_the_distance_stays_below_the_bound_in_any_direction() -> None:
    rng = np.random.default_rng(0)
    for rule in (GradientDescent(0.15), Momentum(0.1), Momentum(0.331, 0.669), Nesterov(0.13, 0.79)):
        speed = convergence(rule, (0.1, 10.0))
        assert speed is not None
        for _ in range(10):
            start = rng.standard_normal(2)
            points = path(rule, lambda w: w * np.array([0.1, 10.0]), start, 200)
            bound = speed.envelope(start.tolist(), 200)
            assert (np.hypot(*points.T) <= bound * (1 + 1e-9) + 1e-12).all()


def test_theory_is_silent_on_rules_that_scale_each_direction() -> None:
    for rule in (RMSprop(0.1), Adam(0.1), Momentum(0.1, average=True, corrected=True)):
        assert recurrence(rule, 1.0) is None and convergence(rule, (1.0, 2.0)) is None
