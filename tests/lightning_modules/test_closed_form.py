"""Least squares by its closed form, against scikit-learn, and against gradient descent."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, Ridge

from data import DATASETS
from lightning_modules import MODELS, Recipe
from lightning_modules.closed_form import Solvable, least_squares, takes_too_long

SETS = {
    "diabetes": ("diabetes", {}),
    "diabetes as it is": ("diabetes", {"standardize": False}),
    "curve": ("noisy_curve", {"num_samples": 60}),
    "curve with label noise": ("noisy_curve", {"num_samples": 60, "label_noise": 0.5}),
}


def training_part(name):
    set_name, fields = SETS[name]
    part = DATASETS[set_name](**fields).parts.train
    return part.inputs.double(), part.targets.double()


def drawn(size, width, seed=0):
    random = np.random.default_rng(seed)
    inputs = random.standard_normal((size, width))
    return torch.from_numpy(inputs), torch.from_numpy(inputs.sum(axis=1) + 3 + random.standard_normal(size))


def assert_solves(solution, reference, inputs):
    np.testing.assert_allclose(solution.weight, reference.coef_, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(solution.bias, reference.intercept_, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(inputs @ solution.weight + solution.bias, reference.predict(inputs), rtol=1e-10)


@pytest.mark.parametrize("l2", [0.0, 1e-4, 0.3, 10.0])
@pytest.mark.parametrize("name", SETS)
def test_it_is_that_of_scikit_learn(name, l2):
    inputs, targets = training_part(name)
    estimator = Ridge(len(targets) * l2 / 2, solver="svd") if l2 else LinearRegression()
    solution = least_squares(inputs, targets, l2)
    assert_solves(solution, estimator.fit(inputs.numpy(), targets.numpy()), inputs)
    assert solution.unique


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_collinear_inputs_get_the_smallest_weights(l2):
    inputs, targets = drawn(40, 4)
    inputs = torch.cat([inputs, 2 * inputs[:, :1] - inputs[:, 1:2], torch.full((40, 1), 0.1)], dim=1)
    estimator = Ridge(40 * l2 / 2, solver="svd") if l2 else LinearRegression()
    solution = least_squares(inputs, targets, l2)
    assert_solves(solution, estimator.fit(inputs.numpy(), targets.numpy()), inputs)
    assert solution.unique == bool(l2)


def test_fewer_examples_than_inputs_are_fitted_exactly_by_the_smallest_weights():
    inputs, targets = drawn(6, 9)
    solution = least_squares(inputs, targets)
    assert_solves(solution, LinearRegression().fit(inputs.numpy(), targets.numpy()), inputs)
    torch.testing.assert_close(inputs @ solution.weight + solution.bias, targets)
    assert not solution.unique


def test_what_rounding_to_float32_leaves_of_collinear_inputs_is_not_fitted():
    inputs, targets = drawn(200, 3)
    standardised = torch.cat([inputs, inputs[:, :1] / 3 + inputs[:, 1:2] / 7], dim=1)
    rounded = least_squares(standardised.float(), targets)
    assert not rounded.unique and rounded.weight.norm() < 10
    exact = least_squares(standardised, targets)
    torch.testing.assert_close(rounded.weight, exact.weight, rtol=1e-5, atol=1e-5)


def test_units_of_the_inputs_do_not_matter():
    inputs, targets = drawn(100, 3)
    units = torch.tensor([1e9, 1.0, 1e-6], dtype=torch.float64)
    solution = least_squares((inputs * units).float(), targets)
    assert solution.unique
    torch.testing.assert_close(solution.weight * units, least_squares(inputs, targets).weight, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [1, 5])
def test_inputs_that_never_vary_leave_the_mean(size):
    targets = torch.arange(size, dtype=torch.float32)
    solution = least_squares(torch.tensor([[0.1, 0.0]]).expand(size, 2), targets)
    assert solution.weight.tolist() == [0.0, 0.0] and solution.bias == targets.mean() and not solution.unique


def module_for(data, loss="auto", **recipe):
    module = MODELS["linear_regression"].for_data(data.dims, loss=loss)
    module.recipe = Recipe(optimizer={"name": "sgd", "lr": 0.1}, **recipe)
    return module


@pytest.mark.parametrize("recipe", [{}, {"l2": 0.05}])
def test_at_the_closed_form_the_gradient_of_loss_and_penalty_is_zero(recipe):
    data = DATASETS["diabetes"]()
    module = module_for(data, **recipe).double()
    inputs, targets = data.parts.train.batch(slice(None))
    module.load_state_dict(module.closed_form(inputs, targets).parameters)
    loss = module.loss((inputs.double(), targets.double())) + module.penalty()
    loss.backward()
    for parameter in module.parameters():
        torch.testing.assert_close(parameter.grad, torch.zeros_like(parameter), rtol=0, atol=1e-9)
    assert loss.item() > 0


def test_there_is_none_with_the_absolute_error_l1_or_too_many_examples():
    data = DATASETS["diabetes"]()
    part = data.parts.train.batch(slice(None))
    assert module_for(data).closed_form(*part) is not None
    assert module_for(data, loss="squared").closed_form(*part) is not None
    assert module_for(data, loss="absolute").closed_form(*part) is None
    assert module_for(data, l1=0.1).closed_form(*part) is None
    assert takes_too_long(10_000, 10_000) and not takes_too_long(100_000, 100)


def test_only_a_linear_regression_says_that_it_can_be_solved():
    for name, model in MODELS.items():
        assert (hasattr(model, "closed_form")) == (name == "linear_regression")
    assert isinstance(module_for(DATASETS["diabetes"]()), Solvable)
