"""Gradients against torch's, minima against what a minimum is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, rosen, rosen_der

from analysis.explorers.surfaces import SURFACES, Surface, bowl, himmelblau, rosenbrock, saddle

ALL: dict[str, Surface] = {name: make() for name, make in SURFACES.items()} | {"turned": bowl(50, 35)}


def as_torch(name: str, w: Any) -> Any:
    """The same functions, written down once more."""
    x, y = w
    if name in ("bowl", "turned"):
        matrix = torch.tensor(np.array(ALL[name].gradient(np.eye(2))))
        return 0.5 * w @ matrix @ w
    return {
        "Rosenbrock": lambda: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
        "saddle": lambda: x**2 / 2 - y**2 / 2 + y**4 / 4,
        "Himmelblau": lambda: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2,
    }[name]()


@pytest.mark.parametrize("name", ALL)
def test_value_and_gradient_are_those_of_automatic_differentiation(name: str) -> None:
    surface = ALL[name]
    points = np.random.default_rng(0).uniform(-4, 4, (20, 2))
    for point in points:
        w = torch.tensor(point, requires_grad=True)
        value = as_torch(name, w)
        (gradient,) = torch.autograd.grad(value, w)
        assert surface.value(point) == pytest.approx(value.item(), rel=1e-9, abs=1e-9)
        assert surface.gradient(point) == pytest.approx(gradient.numpy(), rel=1e-9, abs=1e-9)
    assert surface.value(points.reshape(4, 5, 2)).shape == (4, 5)
    assert surface.gradient(points.reshape(4, 5, 2)).reshape(-1, 2) == pytest.approx(surface.gradient(points))


@pytest.mark.parametrize("name", ALL)
def test_the_gradient_is_the_slope_of_the_value(name: str) -> None:
    surface, small = ALL[name], 1e-5
    for point in np.random.default_rng(1).uniform(-2, 2, (10, 2)):
        steps = small * np.eye(2)
        slopes = [(surface.value(point + step) - surface.value(point - step)) / (2 * small) for step in steps]
        assert surface.gradient(point) == pytest.approx(slopes, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_minima_are_flat_lowest_and_all_there_are_in_the_window(name: str) -> None:
    surface = ALL[name]
    assert np.abs(surface.gradient(surface.minima)).max() < 1e-10
    assert surface.value(surface.minima) == pytest.approx(surface.lowest, abs=1e-12)
    assert surface.inside(surface.minima).all() and surface.inside(np.array(surface.start))
    x, y = (np.linspace(low, high, 201) for low, high in surface.window)
    net = np.stack(np.meshgrid(x, y), axis=-1)
    assert surface.value(net).min() >= surface.lowest
    # From anywhere the descent of another library comes to one of them.
    for start in net[::40, ::40].reshape(-1, 2) + 0.003:
        end = minimize(surface.value, start, jac=surface.gradient, method="BFGS", options={"gtol": 1e-8}).x
        assert surface.distance(end) < 1e-4


def test_rosenbrock_is_scipys() -> None:
    points = np.random.default_rng(2).uniform(-2, 2, (10, 2))
    assert rosenbrock().value(points) == pytest.approx([rosen(point) for point in points])
    assert rosenbrock().gradient(points) == pytest.approx(np.array([rosen_der(point) for point in points]))


@pytest.mark.parametrize("condition", [1, 7, 1000])
@pytest.mark.parametrize("degrees", [0, 30, 90])
def test_a_bowl_has_the_curvatures_and_axes_that_it_says(condition: float, degrees: float) -> None:
    surface = bowl(condition, degrees)
    matrix = surface.gradient(np.eye(2))
    assert surface.eigenvalues is not None and surface.eigenvectors is not None
    assert np.linalg.eigvalsh(matrix) == pytest.approx(surface.eigenvalues)
    assert matrix @ surface.eigenvectors == pytest.approx(surface.eigenvectors * np.array(surface.eigenvalues))
    assert surface.condition == pytest.approx(condition) == pytest.approx(np.linalg.cond(matrix))
    along = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    assert matrix @ along == pytest.approx(surface.eigenvalues[0] * along), "the flat axis is turned counterclockwise"


def test_the_saddle_is_one() -> None:
    hessian = np.diag([1.0, -1.0])
    small = 1e-4 * np.eye(2)
    assert (saddle().gradient(small) - saddle().gradient(-small)) / 2e-4 == pytest.approx(hessian, abs=1e-6)


def test_the_distance_is_to_the_nearest_minimum() -> None:
    surface = himmelblau()
    assert surface.distance(np.array([3.0, 2.5])) == pytest.approx(0.5)
    assert surface.distance(surface.minima + np.array([0.0, 0.1])) == pytest.approx([0.1] * 4)


def test_a_bowl_cannot_be_flatter_than_round() -> None:
    with pytest.raises(ValueError, match=r"condition: 0\.5 is not allowed"):
        bowl(0.5)
