"""Noise and moved images against formulas, SciPy's shift, and ridge regression."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from data import DATASETS
from data.augmentation import Augmentation, moments, moved
from data.parts import Scaling

PLAIN = Scaling(torch.zeros(()), torch.ones(()))


def batches(name, epochs=1, **fields):
    loader = DATASETS[name](**fields).train_dataloader()
    return [batch for _ in range(epochs) for batch in loader]


def test_noise_is_normal_with_the_deviation_that_was_asked_for():
    parts = DATASETS["breast_cancer"]().parts
    noisy = torch.stack([inputs for inputs, _ in batches("breast_cancer", 20, batch_size="full", input_noise=0.7)])
    noise = (noisy - parts.train.inputs).flatten() / 0.7
    for order, moment, spread in ((1, 0, 1), (2, 1, 2), (4, 3, 96)):  # and the variance of the power of a normal number
        assert abs((noise**order).mean() - moment) < 4 * math.sqrt(spread / len(noise))


def test_input_noise_is_ridge_regression():
    # Bishop (1995): the mean over the noise of (1/n)·Σ(y - (x + e)·w)² is (1/n)·Σ(y - x·w)² + σ²·Σw².
    sigma, copies = 0.8, 400
    train = DATASETS["diabetes"]().parts.train
    inputs, targets = train.inputs.double(), train.targets.double()
    centre = targets.mean()
    noisy = [inputs for inputs, _ in batches("diabetes", copies, batch_size="full", input_noise=sigma)]
    rows = torch.cat(noisy).double()
    noisy_fit = torch.linalg.lstsq(rows, (targets - centre).repeat(copies)).solution
    gram, moment = inputs.T @ inputs / len(inputs), inputs.T @ (targets - centre) / len(inputs)
    ridge = torch.linalg.solve(gram + sigma**2 * torch.eye(inputs.shape[1], dtype=torch.float64), moment)
    plain = torch.linalg.solve(gram, moment)
    assert (noisy_fit - ridge).norm() < 0.02 * (plain - ridge).norm()


@pytest.mark.parametrize("shape", [(7, 5), (1, 8, 8), (3, 4, 6)])
@pytest.mark.parametrize("most", [1, 3])
def test_an_image_is_moved_as_scipy_moves_it(shape, most):
    random = torch.Generator().manual_seed(0)
    images, moves = (
        torch.rand((40, *shape), generator=random),
        torch.randint(0, 2 * most + 1, (2, 40), generator=random),
    )
    for image, result, move in zip(images, moved(images, moves, most), moves.T, strict=True):
        by = [0] * (len(shape) - 2) + (most - move).tolist()
        np.testing.assert_array_equal(result, ndimage.shift(image.numpy(), by, order=0, mode="constant"))


def test_every_move_is_as_likely_as_any_other():
    images = torch.zeros(9000, 1, 7, 7)
    images[:, :, 3, 3] = 1
    shifted = Augmentation(0.0, 1, PLAIN)(images, (0, 0, 0))
    counts = shifted.sum(dim=(0, 1))
    assert counts[2:5, 2:5].sum() == 9000
    assert (counts[2:5, 2:5] - 1000).abs().max() < 4.5 * math.sqrt(9000 * (1 / 9) * (8 / 9))


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_moments_are_those_of_all_moved_copies(shift):
    images = np.random.default_rng(0).gamma(0.3, size=(30, 2, 6, 5))
    images[:, :, 0, :] = 0.1
    by = range(-shift, shift + 1)
    copies = np.stack(
        [ndimage.shift(images, (0, 0, dy, dx), order=0, mode="constant") for dy in by for dx in by]
    ).reshape(-1, 2, 6, 5)
    mean, std = moments(images, shift)
    np.testing.assert_allclose(mean, copies.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(std, copies.std(axis=0), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("standardize", [True, False])
def test_a_moved_batch_is_the_moved_picture_standardised_by_what_training_sees(standardize):
    raw = DATASETS["digits"](standardize=False, train_size=300).parts.train.inputs.double()
    fields = {"shift": 1, "train_size": 300, "standardize": standardize, "batch_size": "full"}
    ((inputs, _),) = batches("digits", **fields)
    mean, std = (torch.tensor(values) for values in moments(raw.numpy(), 1))
    pictures = inputs * torch.where(std > 1e-12, std, 1) + mean if standardize else inputs
    moves = [(0, 0, dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    copies = torch.stack(
        [torch.from_numpy(ndimage.shift(raw.numpy(), move, order=0, mode="constant")) for move in moves]
    )
    distance = (copies - pictures).abs().amax(dim=(2, 3, 4)).amin(dim=0)
    assert distance.max() < 1e-5
    if standardize:
        all_inputs = torch.cat([inputs for inputs, _ in batches("digits", 100, **fields)])
        assert all_inputs.mean().abs() < 0.01
        assert all_inputs.abs().max() < 40, "no pixel at the margin stands out"


def test_an_image_cannot_be_moved_out_of_sight():
    assert DATASETS["digits"](shift=7).parts
    with pytest.raises(
        ValueError, match="shift: 8 is not allowed; allowed: 0 to 7, so that something is left of an image"
    ):
        assert DATASETS["digits"](shift=8).parts
    with pytest.raises(ValueError, match="shift: 65 is not allowed; allowed: 0 to 64"):
        DATASETS["digits"](shift=65)
    with pytest.raises(TypeError, match="shift"):
        DATASETS["iris"](shift=1)
