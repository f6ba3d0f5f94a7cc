"""Functions of two variables on which optimizers are watched: a bowl, Rosenbrock's valley, a saddle, Himmelblau's.

Values and gradients are written out and take points of any batch shape, (..., 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.explorers.update_rules import Array


@dataclass(frozen=True)
class Surface:
    """A function of two variables, and how it is looked at."""

    name: str
    value: Callable[[Array], Array]
    """(..., 2) -> (...)."""
    gradient: Callable[[Array], Array]
    """(..., 2) -> (..., 2)."""
    minima: Array
    """(n, 2): where it is lowest."""
    lowest: float
    """Its value there."""
    window: tuple[tuple[float, float], tuple[float, float]]
    """What is shown: from and to, of x and of y."""
    start: tuple[float, float]
    """The start if no other is given."""
    lr: float
    """A learning rate at which gradient descent comes down from there."""
    eigenvalues: tuple[float, float] | None = None
    """The curvatures of a quadratic, the smaller first."""
    eigenvectors: Array | None = None
    """The directions of the curvatures of a quadratic: (2, 2), one column per eigenvalue."""

    @property
    def condition(self) -> float | None:
        """The condition number of a quadratic."""
        return None if self.eigenvalues is None else self.eigenvalues[1] / self.eigenvalues[0]

    def distance(self, points: Array) -> Array:
        """How far points are from the nearest minimum: (...)."""
        with np.errstate(over="ignore", invalid="ignore"):
            gaps = points[..., None, :] - self.minima
            return np.asarray(np.hypot(gaps[..., 0], gaps[..., 1]).min(axis=-1))

    def inside(self, points: Array) -> Array:
        """Which points are in the window: (...), bool."""
        (left, right), (low, high) = self.window
        x, y = points[..., 0], points[..., 1]
        return np.asarray((left <= x) & (x <= right) & (low <= y) & (y <= high))


def bowl(condition: float = 100.0, degrees: float = 0.0) -> Surface:
    """The quadratic bowl ½·wᵀAw, whose curvatures are 1/√κ and √κ.

    Args:
        condition: κ, at least 1.
        degrees: By how much its axes are turned, counterclockwise; the flat one lies along x at 0.
    """
    if not condition >= 1:
        raise ValueError(f"condition: {condition} is not allowed; allowed: 1 and more")
    root, angle = math.sqrt(condition), math.radians(degrees)
    axes = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = axes @ np.diag([1 / root, root]) @ axes.T
    return Surface(
        name="bowl",
        value=lambda w: np.asarray(0.5 * np.sum(w * (w @ matrix), axis=-1)),
        gradient=lambda w: np.asarray(w @ matrix),
        minima=np.zeros((1, 2)),
        lowest=0.0,
        window=((-2.0, 2.0), (-2.0, 2.0)),
        start=(-1.8, 1.0),
        lr=0.1,
        eigenvalues=(1 / root, root),
        eigenvectors=axes,
    )


def _rosenbrock(w: Array) -> Array:
    x, y = w[..., 0], w[..., 1]
    return np.asarray((1 - x) ** 2 + 100 * (y - x * x) ** 2)


def _rosenbrock_gradient(w: Array) -> Array:
    x, y = w[..., 0], w[..., 1]
    off = y - x * x
    return np.stack([-2 * (1 - x) - 400 * x * off, 200 * off], axis=-1)


def rosenbrock() -> Surface:
    """(1 - x)² + 100·(y - x²)²: a curved valley that is easy to find and slow to walk along (Rosenbrock 1960)."""
    return Surface(
        name="Rosenbrock",
        value=_rosenbrock,
        gradient=_rosenbrock_gradient,
        minima=np.array([[1.0, 1.0]]),
        lowest=0.0,
        window=((-2.0, 2.0), (-1.0, 3.0)),
        start=(-1.2, 1.0),
        lr=0.001,
    )


def _saddle(w: Array) -> Array:
    x, y = w[..., 0], w[..., 1]
    return np.asarray(x * x / 2 - y * y / 2 + y**4 / 4)


def _saddle_gradient(w: Array) -> Array:
    x, y = w[..., 0], w[..., 1]
    return np.stack([x, y**3 - y], axis=-1)


def saddle() -> Surface:
    """x²/2 - y²/2 + y⁴/4: a saddle at the origin, flat when approached along x, between two minima at (0, ±1)."""
    return Surface(
        name="saddle",
        value=_saddle,
        gradient=_saddle_gradient,
        minima=np.array([[0.0, 1.0], [0.0, -1.0]]),
        lowest=-0.25,
        window=((-2.0, 2.0), (-2.0, 2.0)),
        start=(-1.5, 0.01),
        lr=0.1,
    )


def _himmelblau(w: Array) -> Array:
    x, y = w[..., 0], w[..., 1]
    return np.asarray((x * x + y - 11) ** 2 + (x + y * y - 7) ** 2)


def _himmelblau_gradient(w: Array) -> Array:
    x, y = w[..., 0], w[..., 1]
    one, other = x * x + y - 11, x + y * y - 7
    return np.stack([4 * x * one + 2 * other, 2 * one + 4 * y * other], axis=-1)


def himmelblau() -> Surface:
    """(x² + y - 11)² + (x + y² - 7)²: four minima of value 0, one of them at (3, 2) (Himmelblau 1972)."""
    minima = np.array(
        [
            [3.0, 2.0],
            [-2.805118086952745, 3.131312518250573],
            [-3.779310253377747, -3.283185991286169],
            [3.584428340330492, -1.848126526964404],
        ]
    )
    return Surface(
        name="Himmelblau",
        value=_himmelblau,
        gradient=_himmelblau_gradient,
        minima=minima,
        lowest=0.0,
        window=((-5.0, 5.0), (-5.0, 5.0)),
        start=(0.0, -0.5),
        lr=0.01,
    )


SURFACES: Final[dict[str, Callable[[], Surface]]] = {
    "bowl": bowl,
    "Rosenbrock": rosenbrock,
    "saddle": saddle,
    "Himmelblau": himmelblau,
}
