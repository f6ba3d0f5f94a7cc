"""The curves are the functions that they say they are, and their noise is as large as was asked for."""

import math

import numpy as np
import pytest
import torch

from data import DATASETS
from data.noisy_curve import FUNCTIONS


def make(**fields):
    return DATASETS["noisy_curve"](**{"standardize": False, **fields})


AT = {
    "linear": {-1: -1, 0.25: 0.25},
    "quadratic": {-1: 1, 0.5: 0.25},
    "cubic": {1: 1, 0.5: -1, -0.5: 1},
    "sine": {0.25: 1, 0.5: 0, -0.25: -1},
    "step": {-0.01: -1, 0: 1, 1: 1},
    "runge": {0: 1, 0.2: 0.5, -1: 1 / 26},
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_without_noise_every_target_is_the_functions_value(function):
    data = make(function=function, noise=0.0)
    for part in (data.parts.train, data.parts.validation, data.parts.test):
        x = part.inputs[:, 0].double().numpy()
        away = np.abs(x) > 1e-6  # 32 bits do not tell on which side of the step a point next to it lies
        np.testing.assert_allclose(part.targets.numpy()[away], data.f(x)[away], atol=1e-5)
    for x, y in AT[function].items():
        assert data.f(np.array(x)) == pytest.approx(y, abs=1e-12)


def test_the_test_part_is_an_even_grid_with_the_truth_beside_it():
    data = make(noisy_test=False)
    np.testing.assert_allclose(data.parts.test.inputs[:, 0].numpy(), data.grid, atol=1e-7)
    np.testing.assert_allclose(data.parts.test.targets.numpy(), data.truth, atol=1e-6)
    assert (data.grid[0], data.grid[-1]) == (-1, 1) and np.ptp(np.diff(data.grid)) < 1e-12


def test_noise_has_the_deviation_that_was_asked_for_in_all_parts():
    data = make(function="linear", noise=0.5, num_samples=20_000)
    for part in (data.parts.train, data.parts.validation, data.parts.test):
        noise = part.targets - part.inputs[:, 0]
        assert abs(noise.std() - 0.5) < 4 * 0.5 / math.sqrt(2 * len(noise))
        assert abs(noise.mean()) < 4 * 0.5 / math.sqrt(len(noise))


def test_the_true_targets_are_the_functions_values_in_training_and_validation():
    data = make(function="sine", noise=0.5)
    for part in (data.parts.train, data.parts.validation):
        expected = data.f(part.inputs[:, 0].double().numpy())
        np.testing.assert_allclose(part.clean.numpy(), expected, atol=1e-5)
        assert not torch.equal(part.clean, part.targets)
    both = make(function="sine", noise=0.5, label_noise=0.5)
    assert torch.equal(both.parts.train.clean, data.parts.train.clean)
    assert torch.equal(both.parts.validation.targets, data.parts.validation.targets)


def test_inputs_are_uniform_between_minus_1_and_1():
    x = make(num_samples=20_000).parts.train.inputs
    assert x.abs().max() <= 1
    assert abs(x.mean()) < 4 / math.sqrt(3 * len(x))
    assert abs(x.square().mean() - 1 / 3) < 4 * math.sqrt(4 / 45 / len(x))


def test_a_line_through_the_quadratic_has_the_bias_of_theory():
    # The best line through x² on -1..1 is the constant 1/3; the mean square of x² - 1/3 is 4/45.
    fits = []
    for seed in range(40):
        train = make(function="quadratic", noise=0.3, num_samples=400, seed_data=seed).parts.train
        design = torch.column_stack([torch.ones(len(train)), train.inputs]).double()
        fits.append(torch.linalg.lstsq(design, train.targets.double()).solution)
    data = make(function="quadratic")
    mean_fit = torch.stack(fits).mean(dim=0).numpy() @ np.stack([np.ones_like(data.grid), data.grid])
    bias = np.trapezoid((mean_fit - data.truth) ** 2, data.grid) / 2
    assert bias == pytest.approx(4 / 45, rel=0.05)


def test_the_data_seed_draws_a_fresh_sample_and_leaves_the_test_part():
    one, other = make(), make(seed_data=1)
    assert not set(one.parts.train.inputs.flatten().tolist()) & set(other.parts.train.inputs.flatten().tolist())
    assert torch.equal(one.parts.test.targets, other.parts.test.targets)
    assert not torch.equal(one.parts.test.targets, make(noisy_test=False).parts.test.targets)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"function": "sin"}, "function: sin is not allowed; allowed: linear, quadratic"),
        ({"noise": -0.1}, "noise: -0.1 is not allowed; allowed: 0 to 1000"),
        ({"noise": math.nan}, "noise: nan is not allowed"),
        ({"num_samples": 9}, "num_samples: 9 is not allowed; allowed: 10 to 1,000,000"),
    ],
)
def test_options_are_checked(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        make(**fields)
