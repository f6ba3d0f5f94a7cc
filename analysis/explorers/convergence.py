"""How fast gradient descent, momentum and Nesterov's momentum come down a quadratic, from its curvatures alone.

ParamAxis each eigenvector of a quadratic the error e obeys its own recurrence (curvature λ, learning rate η):

    e(t+1) = p·e(t) - q·e(t-1),   e(1) = s·e(0)

    gradient descent   p = 1 - ηλ              q = 0             s = 1 - ηλ
    momentum           p = 1 + β - ηλ          q = β             s = 1 - ηλ
    Nesterov           p = (1 + β)(1 - ηλ)     q = β(1 - ηλ)     s = 1 - ηλ(1 + β)

In the end e shrinks by ρ per step, the spectral radius of the companion matrix [[p, -q], [1, 0]]. The best rates for
curvatures from μ to L, κ = L / μ, are in Lessard, Recht and Packard (2016), SIAM J. Optim. 26, table 1:

    gradient descent   η = 2 / (L + μ)                                              ρ = (κ - 1) / (κ + 1)
    momentum           η = 4 / (√L + √μ)²,  β = ((√κ - 1) / (√κ + 1))²              ρ = (√κ - 1) / (√κ + 1)
    Nesterov           η = 4 / (3L + μ),  β = (√(3κ+1) - 2) / (√(3κ+1) + 2)         ρ = 1 - 2 / √(3κ+1)
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.explorers.update_rules import Array, GradientDescent, Momentum, Nesterov, Rule


@dataclass(frozen=True)
class Recurrence:
    """e(t+1) = p·e(t) - q·e(t-1), e(1) = first·e(0)."""

    p: float
    q: float
    first: float

    @property
    def roots(self) -> tuple[complex, complex]:
        """The eigenvalues of the companion matrix, the larger first."""
        spread = cmath.sqrt(self.p**2 - 4 * self.q)
        one, other = (self.p + spread) / 2, (self.p - spread) / 2
        return (one, other) if abs(one) >= abs(other) else (other, one)

    @property
    def rate(self) -> float:
        """ρ, the factor by which the error shrinks per step in the long run."""
        return abs(self.roots[0])

    def envelope(self, t: Array) -> Array:
        """What |e(t)| / |e(0)| does not exceed: of the shape of `t`.

        e(t) = a^t + (e(1) - a)·(a^t - b^t) / (a - b) with the roots a and b. The quotient is at most t·ρ^(t-1), and at
        most (ρ^t + |b|^t) / |a - b|.
        """
        a, b = self.roots
        with np.errstate(over="ignore"):
            powers = self.rate**t
            spread = t * self.rate ** np.maximum(t - 1, 0)
            if a != b:
                spread = np.minimum(spread, (powers + abs(b) ** t) / abs(a - b))
            return np.asarray(powers + abs(self.first - a) * spread)

    def steps_to(self, share: float) -> int | None:
        """The step from which |e| is at most `share` of what it was, as the envelope says; None if it never is.

        Exact for gradient descent; for the others it may come earlier.
        """
        if not self.rate < 1:
            return None
        if self.rate <= share**2:  # reached at once, but for what the first step does
            few = np.arange(10, dtype=np.float64)
            return int(np.flatnonzero(self.envelope(few) > share)[-1]) + 1
        # 0.9^k is 0.81 in the second step, whatever the logarithms round to. From here on the envelope falls.
        low = high = max(1, math.ceil(math.log(share) / math.log(self.rate) - 1e-9))

        def above(step: int) -> bool:
            return bool(self.envelope(np.array(float(step))) > share * (1 + 1e-9))

        while above(high):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if above(middle) else (low, middle)
        return high


def recurrence(rule: Rule, curvature: float) -> Recurrence | None:
    """How the error goes along one eigenvector; None for a rule whose steps are not linear in the gradient.

    Args:
        rule: With one learning rate.
        curvature: The eigenvalue.
    """
    step = float(rule.lr) * curvature
    match rule:
        case GradientDescent():
            return Recurrence(1 - step, 0.0, 1 - step)
        case Momentum(corrected=False):
            # The average is 1 - β times the sum.
            step *= 1 - rule.beta if rule.average else 1
            return Recurrence(1 + rule.beta - step, rule.beta, 1 - step)
        case Nesterov():
            left = 1 - step
            return Recurrence((1 + rule.beta) * left, rule.beta * left, 1 - step * (1 + rule.beta))
    return None


@dataclass(frozen=True)
class Convergence:
    """What is known beforehand of a rule on a quadratic."""

    curvatures: tuple[float, ...]
    """The eigenvalues, the smallest first."""
    along: tuple[Recurrence, ...]
    """One per eigenvalue."""

    @property
    def rates(self) -> tuple[float, ...]:
        """ρ of each direction."""
        return tuple(direction.rate for direction in self.along)

    @property
    def rate(self) -> float:
        """ρ of the slowest direction: in the long run, of the distance to the minimum."""
        return max(self.rates)

    def steps_to(self, share: float) -> int | None:
        """The step from which every direction is within `share` of what it was; None if one never is."""
        steps = [direction.steps_to(share) for direction in self.along]
        return None if None in steps else max(step for step in steps if step is not None)

    def envelope(self, parts: Sequence[float], steps: int) -> Array:
        """What the distance to the minimum does not exceed: (steps + 1,).

        Args:
            parts: The distance at the start along each eigenvector.
            steps: How many steps.
        """
        t = np.arange(steps + 1, dtype=np.float64)
        errors = [abs(part) * direction.envelope(t) for part, direction in zip(parts, self.along, strict=True)]
        with np.errstate(over="ignore"):
            return np.asarray(np.sqrt(np.sum(np.square(errors), axis=0)))


def convergence(rule: Rule, curvatures: Sequence[float]) -> Convergence | None:
    """What is known of a rule on the quadratic with these eigenvalues; None if nothing is."""
    ordered = sorted(curvatures)
    along = [recurrence(rule, curvature) for curvature in ordered]
    directions = tuple(direction for direction in along if direction is not None)
    return Convergence(tuple(ordered), directions) if len(directions) == len(ordered) else None


def best(rule: type[Rule], curvatures: Sequence[float]) -> Rule | None:
    """The rule with the learning rate, and β, that come down fastest; None where the theory does not say.

    Args:
        rule: The kind of rule.
        curvatures: The eigenvalues, all positive.
    """
    low, high = min(curvatures), max(curvatures)
    condition = high / low
    if rule is GradientDescent:
        return GradientDescent(2 / (high + low))
    if rule is Momentum:
        root = math.sqrt(condition)
        return Momentum(4 / (math.sqrt(high) + math.sqrt(low)) ** 2, beta=((root - 1) / (root + 1)) ** 2)
    if rule is Nesterov:
        root = math.sqrt(3 * condition + 1)
        return Nesterov(4 / (3 * high + low), beta=(root - 2) / (root + 2))
    return None
