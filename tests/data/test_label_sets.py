"""Label sets: what is true of each label by its half-plane, and noise that flips as many labels as was asked for."""

import math

import pytest
import torch
from scipy.stats import norm

from data import DATASETS


def label_sets(**fields):
    return DATASETS["label_sets"](**fields)


@pytest.mark.parametrize("num_labels", [2, 5])
def test_without_noise_a_label_is_true_in_its_half_plane(num_labels):
    data = label_sets(noise=0.0, standardize=False, num_labels=num_labels, num_samples=4000)
    for part in (data.parts.train, data.parts.validation, data.parts.test):
        x, y = part.inputs.double().T
        for label in range(num_labels):
            angle, threshold = 2 * math.pi * label / num_labels, label / (num_labels - 1)
            distance = x * math.cos(angle) + y * math.sin(angle) - threshold
            sure = distance.abs() > 1e-5  # inputs were rounded to 32 bits
            assert torch.equal((distance > 0)[sure], (part.targets[:, label] == 1)[sure])
        assert part.targets.dtype == torch.int64 and set(part.targets.unique().tolist()) == {0, 1}


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_labels_are_as_frequent_as_the_normal_distribution_says(noise):
    targets = label_sets(noise=noise, num_samples=20_000).parts.train.targets.double()
    for label in range(4):
        share = norm.sf(label / 3, scale=math.sqrt(1 + noise**2))
        assert abs(targets[:, label].mean() - share) < 4 * math.sqrt(share * (1 - share) / len(targets))


def test_points_have_none_one_and_several_labels():
    counts = label_sets().parts.test.targets.sum(dim=1)
    assert set(counts.tolist()) >= {0, 1, 2}


def test_the_data_seed_draws_a_fresh_sample_and_the_test_part_stays():
    first, second = (label_sets(standardize=False, seed_data=seed).parts for seed in (0, 1))
    samples = [torch.cat([parts.train.inputs, parts.validation.inputs]).tolist() for parts in (first, second)]
    assert not set(map(tuple, samples[0])) & set(map(tuple, samples[1]))
    assert torch.equal(first.test.inputs, second.test.inputs) and torch.equal(first.test.targets, second.test.targets)


def test_label_noise_flips_its_share_of_the_training_labels_alone():
    clean = label_sets().parts
    flipped = []
    for share in (0.1, 0.25, 1.0):
        parts = label_sets(label_noise=share).parts
        assert torch.equal(parts.train.clean, clean.train.targets)
        assert torch.equal(parts.validation.targets, clean.validation.targets)
        assert torch.equal(parts.test.targets, clean.test.targets)
        flipped.append(parts.train.targets != parts.train.clean)
        assert flipped[-1].sum() == share * clean.train.targets.numel()
    assert (flipped[0] & ~flipped[1]).sum() == 0  # a larger share flips the same labels, and more
    assert label_sets().parts.train.clean is None


def test_dims_count_the_labels():
    expected = {"input_shape": (2,), "num_outputs": 7, "task": "multilabel"}
    assert label_sets(num_labels=7).dims == expected


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"num_labels": 1}, "num_labels: 1 is not allowed; allowed: 2 to 20"),
        ({"num_samples": 5}, "num_samples: 5 is not allowed; allowed: 10 to 1,000,000"),
        ({"noise": -1.0}, "noise: -1.0 is not allowed; allowed: 0 to 10"),
    ],
)
def test_values_are_refused(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        label_sets(**fields)
