"""The path of a run through the space of its weights: its shadow on a plane, its principal directions, and what a
random walk of the same steps would show.

The principal components of a walk that knows nothing of any loss already look like those of a training: with many steps
in many dimensions the k-th explains 6 / (π² k²) of its variance, 61% and 15% for the first two (Antognini and
Sohl-Dickstein 2018, "PCA of high dimensional random walks with comparison to neural network training"). The shares that
the components of a training explain mean something only beside those of such walks; the walks here have its number of
steps, its step lengths and its number of dimensions.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

BLOCK: Final = 1 << 16
"""Columns of a path that are widened to 64 bits at once."""
STILL: Final = 1e-12
"""A component that explains a smaller share than this is rounding, and has no direction."""


def products(left: Floats, right: Floats) -> Floats:
    """left · rightᵀ (m, n) of rows of D numbers each, added up in 64 bits without widening all of them at once."""
    total = np.zeros((len(left), len(right)))
    for begin in range(0, left.shape[1], BLOCK):
        part = slice(begin, begin + BLOCK)
        total += left[:, part].astype(np.float64) @ right[:, part].astype(np.float64).T
    return total


def shadow(path: Floats, plane: Floats) -> tuple[Floats, float]:
    """The points of a plane through its last point that lie nearest to those of a path (least squares).

    Args:
        path: (T, D), minus its last point.
        plane: (2, D), the two directions that span it; they need not be at right angles.

    Returns:
        coordinates (T, 2) in these directions, and the share of Σ‖point‖² that lies outside the plane
    """
    projections, gram = products(path, plane), products(plane, plane)
    coordinates = np.linalg.solve(gram, projections.T).T
    total = sum(float(np.square(row, dtype=np.float64).sum()) for row in path)
    inside = float((coordinates * projections).sum())
    return coordinates, min(max(1 - inside / total, 0.0), 1.0) if total else 0.0


def principal(path: Floats) -> tuple[Floats, Floats] | None:
    """The first two principal components of a path, about its mean.

    Args:
        path: (T, D)

    Returns:
        shares (2,) of the variance that they explain, directions (2, D) of length 1; None for a path without two
    """
    # By the Gram matrix (T, T): the path has far fewer points than dimensions.
    count = len(path)
    centring = np.eye(count) - 1 / count
    values, vectors = np.linalg.eigh(centring @ products(path, path) @ centring)
    total = values.clip(min=0).sum()
    if count < 3 or not total or values[-2] / total < STILL:
        return None
    leading = vectors[:, [-1, -2]]
    leading = leading * np.where(leading[-1] < leading[0], -1.0, 1.0)  # from left to right, from below to above
    mixture = (centring @ leading / np.sqrt(values[[-1, -2]])).astype(path.dtype)  # (T, 2)
    return values[[-1, -2]] / total, mixture.T @ path


def walk_shares(lengths: Floats, dimension: int, walks: int, rng: np.random.Generator) -> Floats:
    """The shares of the variance of a random walk that its first two principal components explain, for many walks.

    Each step has a direction drawn uniformly, and its length from `lengths`. The components depend only on the inner
    products of the steps. With unit directions from D normal numbers each, these are a Wishart matrix brought to a
    diagonal of ones, and Bartlett's decomposition draws that exactly from as many numbers as there are steps.

    Args:
        lengths: (S,), the lengths of the steps, in their order
        dimension: D
        walks: The number of walks.
        rng: Where the random numbers come from.

    Returns:
        shares (walks, 2); 0 where there is no second component
    """
    steps = len(lengths)
    if dimension >= steps:
        draws = np.tril(rng.standard_normal((walks, steps, steps)), -1)
        degrees = dimension - np.arange(steps)
        draws[:, np.arange(steps), np.arange(steps)] = np.sqrt(rng.chisquare(degrees, (walks, steps)))
    else:
        draws = rng.standard_normal((walks, steps, dimension))
    draws *= (np.asarray(lengths) / np.linalg.norm(draws, axis=2))[:, :, None]
    points = np.concatenate([np.zeros_like(draws[:, :1]), draws.cumsum(axis=1)], axis=1)  # (walks, S + 1, ·)
    points -= points.mean(axis=1, keepdims=True)
    squares = np.linalg.svd(points, compute_uv=False)[:, :2] ** 2
    squares = np.pad(squares, ((0, 0), (0, 2 - squares.shape[1])))
    totals = np.square(points).sum(axis=(1, 2))
    return np.asarray(squares / np.where(totals, totals, 1.0)[:, None])
