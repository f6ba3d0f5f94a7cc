"""Without noise, each generated point lies exactly where its formula says."""

import math

import pytest
import torch

from data import DATASETS
from data.toy import Toy

TOYS = [name for name, data in DATASETS.items() if issubclass(data, Toy)]


def points(name, part="train", **fields):
    data = DATASETS[name](standardize=False, noise=0.0, **fields)
    part = getattr(data.parts, part)
    return part.inputs.double(), part.targets


def polar(inputs):
    return inputs.norm(dim=1), torch.atan2(inputs[:, 1], inputs[:, 0])


def close(one, other):
    torch.testing.assert_close(one, torch.as_tensor(other).expand_as(one).double(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("part", ["train", "test"])
def test_moons(part):
    inputs, targets = points("moons", part)
    upper, lower = inputs[targets == 0], torch.tensor([1.0, 0.5]) - inputs[targets == 1]
    for half in (upper, lower):
        close(half.norm(dim=1), 1.0)
        assert (half[:, 1] >= -1e-6).all()


def test_circles():
    inputs, targets = points("circles")
    close(inputs.norm(dim=1), torch.where(targets == 0, 1.0, 0.5))


@pytest.mark.parametrize("turns", [0.5, 2.0])
def test_spirals_turn_with_their_radius(turns):
    inputs, targets = points("spirals", turns=turns)
    radius, angle = polar(inputs)
    position = (radius - 0.2) / 1.8
    assert ((position > 0) & (position < 1)).all()
    difference = angle - (2 * math.pi * turns * position + math.pi * targets)
    close(torch.cos(difference), 1.0)


def test_xor():
    inputs, targets = points("xor")
    assert torch.equal(inputs.prod(dim=1) < 0, targets == 1)
    assert inputs.abs().max() <= 1
    assert len({tuple(quarter) for quarter in inputs.sign().tolist()}) == 4


def test_blobs_lie_evenly_on_a_circle():
    inputs, targets = points("blobs", num_classes=5)
    close(inputs, torch.stack([torch.cos(targets * 0.4 * math.pi), torch.sin(targets * 0.4 * math.pi)], dim=1))


@pytest.mark.parametrize("name", TOYS)
def test_classes_are_of_equal_size(name):
    counts = torch.bincount(DATASETS[name]().parts.test.targets)
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("name", TOYS)
def test_the_data_seed_draws_a_fresh_sample(name):
    both = [DATASETS[name](standardize=False, seed_data=seed).parts for seed in (0, 1)]
    inputs = [torch.cat([parts.train.inputs, parts.validation.inputs]) for parts in both]
    assert not set(map(tuple, inputs[0].tolist())) & set(map(tuple, inputs[1].tolist()))


def test_noise_has_the_deviation_that_was_asked_for():
    data = DATASETS["blobs"](standardize=False, noise=0.3, num_samples=8000).parts.train
    close_to_first = data.inputs[data.targets == 0] - torch.tensor([1.0, 0.0])
    count = close_to_first.numel()
    assert abs(close_to_first.std() - 0.3) < 4 * 0.3 / math.sqrt(2 * count)
