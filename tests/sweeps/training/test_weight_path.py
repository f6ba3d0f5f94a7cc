"""The way of a run through its weights: against least squares, scikit-learn's PCA, and random walks."""

import math

import numpy as np
import pytest
from sklearn.decomposition import PCA

from sweeps.training import weight_path
from sweeps.training.weight_path import principal, products, shadow, walk_shares


def way(points, dimension, seed=0):
    """A path that ends at 0."""
    rng = np.random.default_rng(seed)
    path = rng.standard_normal((points, dimension)).cumsum(axis=0)
    return path - path[-1]


def test_products_are_added_up_over_blocks(monkeypatch):
    monkeypatch.setattr(weight_path, "BLOCK", 7)
    one, other = way(5, 40), way(3, 40, seed=1)
    np.testing.assert_allclose(products(one, other), one @ other.T)


def test_a_shadow_is_the_least_squares_fit_in_a_plane_of_any_angle():
    path = way(9, 30)
    plane = np.random.default_rng(1).standard_normal((2, 30))
    plane[1] += 2 * plane[0]
    coordinates, outside = shadow(path, plane)
    fitted, residuals, *_ = np.linalg.lstsq(plane.T, path.T, rcond=None)
    np.testing.assert_allclose(coordinates, fitted.T, atol=1e-10)
    assert outside == pytest.approx(residuals.sum() / (path**2).sum())


def test_a_path_in_the_plane_has_nothing_outside_and_one_at_right_angles_all():
    plane = np.eye(2, 6)
    inside = np.array([[3.0, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    coordinates, outside = shadow(inside, plane)
    assert outside == 0 and coordinates.tolist() == inside[:, :2].tolist()
    assert shadow(np.roll(inside, 2, axis=1), plane)[1] == 1
    assert shadow(np.zeros((3, 6)), plane)[1] == 0, "weights that did not move"


def test_principal_components_are_those_of_scikit_learn():
    path = way(12, 50)
    shares, directions = principal(path)
    pca = PCA(2).fit(path)
    np.testing.assert_allclose(shares, pca.explained_variance_ratio_)
    np.testing.assert_allclose(np.abs((directions * pca.components_).sum(axis=1)), 1)
    assert ((path[-1] - path[0]) @ directions.T >= 0).all(), "from left to right and from below to above"


@pytest.mark.parametrize("path", [np.zeros((5, 9)), way(2, 9), np.outer(np.arange(5.0), np.ones(9))])
def test_a_path_on_a_line_has_no_two_components(path):
    assert principal(path) is None


def test_random_walks_of_many_steps_in_many_dimensions_explain_what_theory_says():
    shares = walk_shares(np.ones(400), 10**7, 20, np.random.default_rng(0)).mean(axis=0)
    np.testing.assert_allclose(shares, [6 / math.pi**2, 6 / (4 * math.pi**2)], rtol=0.01)


def test_few_steps_in_many_dimensions_explain_what_the_spectrum_of_their_sums_says():
    """The centred second moments of n points of a walk have the eigenvalues 1 / (4 sin²(πk / 2n)), k = 1..n-1."""
    points = 12
    spectrum = 1 / np.sin(np.pi * np.arange(1, points) / (2 * points)) ** 2
    shares = walk_shares(np.ones(points - 1), 10**8, 20, np.random.default_rng(0)).mean(axis=0)
    np.testing.assert_allclose(shares, spectrum[:2] / spectrum.sum(), rtol=2e-3)


@pytest.mark.parametrize("dimension", [3, 11, 40])
def test_the_products_of_the_steps_are_drawn_as_if_the_steps_were(dimension):
    """Few dimensions, dimensions about as many as steps, and more: each against walks made step by step."""
    lengths, count = np.geomspace(0.1, 1, 10), 20_000
    steps = np.random.default_rng(0).standard_normal((count, len(lengths), dimension))
    steps *= (lengths / np.linalg.norm(steps, axis=2))[:, :, None]
    places = np.concatenate([np.zeros((count, 1, dimension)), steps.cumsum(axis=1)], axis=1)
    values = np.linalg.svd(places - places.mean(axis=1, keepdims=True), compute_uv=False) ** 2
    walked = values[:, :2] / values.sum(axis=1, keepdims=True)
    drawn = walk_shares(lengths, dimension, count, np.random.default_rng(1))
    levels = [0.025, 0.25, 0.5, 0.75, 0.975]
    np.testing.assert_allclose(np.quantile(drawn, levels, axis=0), np.quantile(walked, levels, axis=0), atol=0.006)


def test_one_dimension_has_one_component():
    np.testing.assert_allclose(walk_shares(np.ones(5), 1, 4, np.random.default_rng(0)), [[1, 0]] * 4)
