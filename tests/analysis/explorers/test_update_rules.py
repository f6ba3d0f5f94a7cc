"""The written-out rules against torch's optimizers, against each other, and against what they must do by definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from analysis.explorers.update_rules import Adam, GradientDescent, Momentum, Nesterov, RMSprop, Rule, path

STEPS, SIZE = 200, 7
Problem = tuple[Callable[[Any], Any], Callable[[Any], Any], np.ndarray]


def problem(seed: int) -> Problem:
    """Σ log cosh(Aw - b) + Σ w⁴ / 4, badly scaled and without any symmetry: its gradient for both, and a start."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((11, SIZE)) * np.geomspace(0.2, 2, SIZE)
    b, start = rng.standard_normal(11), 1.5 * rng.standard_normal(SIZE)
    ta, tb = torch.tensor(a), torch.tensor(b)
    return (
        lambda w: np.tanh(w @ a.T - b) @ a + w**3,
        lambda w: torch.log(torch.cosh(ta @ w - tb)).sum() + (w**4).sum() / 4,
        start,
    )


def torch_path(make: Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer], task: Problem) -> np.ndarray:
    _, loss, start = task
    w = torch.nn.Parameter(torch.tensor(start))
    optimizer = make([w])
    points = [w.detach().clone().numpy()]
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss(w).backward()
        optimizer.step()
        points.append(w.detach().clone().numpy())
    return np.array(points)


# Where a rule jumps to and fro across a valley, rounding grows from step to step: these rates come down calmly.
PAIRS: list[tuple[Rule, Callable[[Any], torch.optim.Optimizer]]] = [
    (GradientDescent(0.05), lambda p: torch.optim.SGD(p, lr=0.05)),
    (GradientDescent(0.003), lambda p: torch.optim.SGD(p, lr=0.003)),
    (Momentum(0.01), lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9)),
    (Momentum(0.03, beta=0.5), lambda p: torch.optim.SGD(p, lr=0.03, momentum=0.5)),
    (Momentum(0.1, beta=0.9, average=True), lambda p: torch.optim.SGD(p, lr=0.1 * (1 - 0.9), momentum=0.9)),
    (Nesterov(0.01), lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True)),
    (Nesterov(0.004, beta=0.98), lambda p: torch.optim.SGD(p, lr=0.004, momentum=0.98, nesterov=True)),
    (RMSprop(0.002), lambda p: torch.optim.RMSprop(p, lr=0.002)),
    (RMSprop(0.05, beta=0.9, eps=1e-3), lambda p: torch.optim.RMSprop(p, lr=0.05, alpha=0.9, eps=1e-3)),
    (
        RMSprop(0.005, beta=0.95, eps=0.3, corrected=True),
        lambda p: torch.optim.Adam(p, lr=0.005, betas=(0.0, 0.95), eps=0.3),
    ),
    (Adam(0.001), lambda p: torch.optim.Adam(p)),
    (Adam(0.1, 0.8, 0.95, 1e-3), lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.95), eps=1e-3)),
    (Adam(0.05, 0.95, 0.9), lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.95, 0.9))),
    (Adam(2e4, 0.9, 0.999, 1e6), lambda p: torch.optim.Adam(p, lr=2e4, eps=1e6)),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("rule", "make"), PAIRS, ids=[f"{rule}" for rule, _ in PAIRS])
def test_a_rule_takes_the_path_of_torch(rule: Rule, make: Any, seed: int) -> None:
    task = problem(seed)
    ours, theirs = path(rule, task[0], task[2], STEPS), torch_path(make, task)
    assert ours.shape == theirs.shape == (STEPS + 1, SIZE)
    assert np.abs(ours - ours[0]).max() > 0.05, "it would be no test if nothing moved"
    assert ours == pytest.approx(theirs, rel=0, abs=1e-6)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
def test_momentum_is_the_same_in_both_conventions_at_the_right_learning_rates(beta: float) -> None:
    gradient, _, start = problem(3)
    lr = 0.02 * (1 - beta)
    by_sum = path(Momentum(lr, beta), gradient, start, STEPS)
    by_average = path(Momentum(lr / (1 - beta), beta, average=True), gradient, start, STEPS)
    assert by_average == pytest.approx(by_sum, rel=0, abs=1e-10)
    forgotten = path(Momentum(lr, beta, average=True), gradient, start, STEPS)
    assert (np.abs(forgotten - by_sum).max() > 0.1) == (beta > 0)


@pytest.mark.parametrize("corrected", [True, False])
def test_adam_with_a_huge_epsilon_is_momentum_with_another_learning_rate(corrected: bool) -> None:
    gradient, _, start = problem(4)
    lr, eps = 3e4, 1e6
    adam = path(Adam(lr, 0.9, 0.999, eps, corrected), gradient, start, STEPS)
    average = path(Momentum(lr / eps, 0.9, average=True, corrected=corrected), gradient, start, STEPS)
    assert np.abs(average - average[0]).max() > 0.5
    assert adam == pytest.approx(average, rel=0, abs=1e-4)


def test_bias_correction_makes_the_first_step_whole() -> None:
    gradient, _, start = problem(5)
    g = gradient(start)

    def first(rule: Rule) -> np.ndarray:
        return start - path(rule, gradient, start, 1)[1]

    assert first(Momentum(0.1, 0.9, average=True, corrected=True)) == pytest.approx(0.1 * g)
    assert first(Momentum(0.1, 0.9, average=True)) == pytest.approx(0.01 * g)
    assert first(Adam(0.1, 0.9, 0.99, 0.0)) == pytest.approx(0.1 * np.sign(g))
    assert first(Adam(0.1, 0.9, 0.99, 0.0, corrected=False)) == pytest.approx(0.1 * (1 - 0.9) / 0.1 * np.sign(g))
    assert first(RMSprop(0.1, 0.99, 0.0, corrected=True)) == pytest.approx(0.1 * np.sign(g))
    assert first(RMSprop(0.1, 0.99, 0.0)) == pytest.approx(1.0 * np.sign(g))


def test_bias_correction_is_forgotten_in_the_long_run() -> None:
    gradient, _, start = problem(6)
    rules = [Adam(0.05, 0.9, 0.99, 1e-8, corrected) for corrected in (True, False)]
    ends = [path(rule, gradient, start, 3000)[-1] for rule in rules]
    early = [path(rule, gradient, start, 5)[-1] for rule in rules]
    assert np.abs(early[0] - early[1]).max() > 0.05
    assert ends[0] == pytest.approx(ends[1], abs=5e-3)


@pytest.mark.parametrize("rule", [rule for rule, _ in PAIRS], ids=str)
def test_a_batch_of_points_and_rates_goes_the_way_of_each(rule: Rule) -> None:
    gradient, _, start = problem(7)
    starts, factors = np.stack([start, -start, start + 1]), np.array([0.5, 1.0, 0.7])
    together = path(replace(rule, lr=rule.lr * factors[:, None]), gradient, starts, 50)
    for place, factor in enumerate(factors):
        alone = path(replace(rule, lr=rule.lr * float(factor)), gradient, starts[place], 50)
        assert together[:, place] == pytest.approx(alone, rel=1e-9, abs=1e-12)


def test_what_diverges_ends_in_no_number_and_without_a_warning() -> None:
    points = path(Momentum(9.0), lambda w: w**3, np.array([2.0, 0.0]), 50)
    assert not np.isfinite(points[-1, 0]) and points[-1, 1] == 0


def test_a_sum_of_gradients_has_no_bias_to_correct() -> None:
    with pytest.raises(ValueError, match="corrected: True is not allowed for a sum"):
        Momentum(0.1, corrected=True)
