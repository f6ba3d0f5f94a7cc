"""Gradient descent, momentum, Nesterov's momentum, RMSprop and Adam, written out from their formulas.

Of a point w with gradient g a rule makes the next point. It remembers running averages, which begin at zero and are
called its memory; t = 1, 2, ... numbers its steps. Everything is elementwise: points may come in batches, with a
learning rate for each.

    gradient descent   w <- w - lr·g
    momentum           v <- β·v + g,  w <- w - lr·v                                     (Polyak 1964)
    Nesterov           v <- β·v + g,  w <- w - lr·(g + β·v)                  (Sutskever et al. 2013)
    RMSprop            s <- β·s + (1 - β)·g²,  w <- w - lr·g / (√s + ε)                (Hinton 2012)
    Adam               v <- β₁·v + (1 - β₁)·g,  s <- β₂·s + (1 - β₂)·g²
                       w <- w - lr·v̂ / (√ŝ + ε),  v̂ = v / (1 - β₁ᵗ),  ŝ = s / (1 - β₂ᵗ)      (Kingma and Ba 2015)

Momentum is also written v <- β·v + (1 - β)·g. That v is 1 - β times the other, so it takes the same path at the
learning rate lr / (1 - β). Dividing an average by 1 - βᵗ corrects its bias: it began at zero, and after t steps its
weights add up to 1 - βᵗ only. Adam has the correction by definition and RMSprop has none; here both can be had with and
without it, and so can momentum of the second kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Memory = tuple[Array, ...]
"""The running averages of a rule, each of the shape of the points."""
Rate = float | Array
"""A learning rate, or one per point of a batch: (n, 1)."""


@dataclass(frozen=True)
class Rule(ABC):
    """How an optimizer goes from one point to the next."""

    lr: Rate
    """Learning rate."""

    def begin(self, w: Array) -> Memory:
        """The memory before the first step at `w`."""
        return ()

    @abstractmethod
    def step(self, w: Array, g: Array, memory: Memory, t: int) -> tuple[Array, Memory]:
        """The next point and what is remembered there.

        Args:
            w: The points, of any shape.
            g: Their gradients.
            memory: From `begin` or the last step.
            t: The number of this step, from 1.
        """


@dataclass(frozen=True)
class GradientDescent(Rule):
    """w <- w - lr·g."""

    def step(self, w: Array, g: Array, memory: Memory, t: int) -> tuple[Array, Memory]:
        return w - self.lr * g, ()


@dataclass(frozen=True)
class Momentum(Rule):
    """v <- β·v + g, w <- w - lr·v; as an average v <- β·v + (1 - β)·g.

    torch's `dampening` is not that average: it leaves the first gradient whole.
    """

    beta: float = 0.9
    """Share of v that is kept from step to step."""
    average: bool = False
    """Whether v is an average of the gradients and not their decaying sum."""
    corrected: bool = False
    """Whether the average is divided by 1 - βᵗ."""

    def __post_init__(self) -> None:
        if self.corrected and not self.average:
            raise ValueError("corrected: True is not allowed for a sum of gradients; allowed: with average=True")

    def begin(self, w: Array) -> Memory:
        return (np.zeros_like(w),)

    def step(self, w: Array, g: Array, memory: Memory, t: int) -> tuple[Array, Memory]:
        (v,) = memory
        v = self.beta * v + ((1 - self.beta) * g if self.average else g)
        return w - self.lr * (unbiased(v, self.beta, t) if self.corrected else v), (v,)


@dataclass(frozen=True)
class Nesterov(Rule):
    """v <- β·v + g, w <- w - lr·(g + β·v)."""

    beta: float = 0.9
    """Share of v that is kept from step to step."""

    def begin(self, w: Array) -> Memory:
        return (np.zeros_like(w),)

    def step(self, w: Array, g: Array, memory: Memory, t: int) -> tuple[Array, Memory]:
        (v,) = memory
        v = self.beta * v + g
        return w - self.lr * (g + self.beta * v), (v,)


@dataclass(frozen=True)
class RMSprop(Rule):
    """s <- β·s + (1 - β)·g², w <- w - lr·g / (√s + ε)."""

    beta: float = 0.99
    """Share of the mean squared gradient that is kept from step to step."""
    eps: float = 1e-8
    """Added to the denominator."""
    corrected: bool = False
    """Whether s is divided by 1 - βᵗ."""

    def begin(self, w: Array) -> Memory:
        return (np.zeros_like(w),)

    def step(self, w: Array, g: Array, memory: Memory, t: int) -> tuple[Array, Memory]:
        (s,) = memory
        s = self.beta * s + (1 - self.beta) * g * g
        mean = unbiased(s, self.beta, t) if self.corrected else s
        return w - self.lr * g / (np.sqrt(mean) + self.eps), (s,)


@dataclass(frozen=True)
class Adam(Rule):
    """v <- β₁·v + (1 - β₁)·g, s <- β₂·s + (1 - β₂)·g², w <- w - lr·v̂ / (√ŝ + ε)."""

    beta1: float = 0.9
    """Share of the mean gradient that is kept from step to step."""
    beta2: float = 0.999
    """Share of the mean squared gradient that is kept."""
    eps: float = 1e-8
    """Added to the denominator."""
    corrected: bool = True
    """Whether both are divided by 1 - βᵗ."""

    def begin(self, w: Array) -> Memory:
        return np.zeros_like(w), np.zeros_like(w)

    def step(self, w: Array, g: Array, memory: Memory, t: int) -> tuple[Array, Memory]:
        v, s = memory
        v = self.beta1 * v + (1 - self.beta1) * g
        s = self.beta2 * s + (1 - self.beta2) * g * g
        v_hat, s_hat = (unbiased(v, self.beta1, t), unbiased(s, self.beta2, t)) if self.corrected else (v, s)
        return w - self.lr * v_hat / (np.sqrt(s_hat) + self.eps), (v, s)


def unbiased(average: Array, beta: float, t: int) -> Array:
    """An exponentially weighted average that began at zero, over the sum of its weights after `t` values: 1 - βᵗ."""
    return average / (1 - beta**t)


def path(rule: Rule, gradient: Callable[[Array], Array], start: Array, steps: int) -> Array:
    """The points that a rule goes through: (steps + 1, *start.shape), the first is `start`.

    Where it diverges the numbers grow beyond all bounds, to infinity and to nan.

    Args:
        rule: With one learning rate, or one per point of the batch.
        gradient: Of points of the shape of `start`.
        start: A point, or a batch of them.
        steps: How many steps are taken.
    """
    w = np.asarray(start, dtype=np.float64)
    points = np.empty((steps + 1, *w.shape))
    points[0] = w
    memory = rule.begin(w)
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(1, steps + 1):
            w, memory = rule.step(w, gradient(w), memory, t)
            points[t] = w
    return points
