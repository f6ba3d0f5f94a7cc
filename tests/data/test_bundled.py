"""The parts of the real data sets are, together, what scikit-learn loads."""

import numpy as np
import pytest
from sklearn import datasets as sklearn_datasets

from data import DATASETS

LOADERS = {
    "digits": (sklearn_datasets.load_digits, {}),
    "breast_cancer": (sklearn_datasets.load_breast_cancer, {}),
    "diabetes": (sklearn_datasets.load_diabetes, {"scaled": False}),
    "iris": (sklearn_datasets.load_iris, {}),
    "wine": (sklearn_datasets.load_wine, {}),
}


def rows(inputs, targets):
    table = np.column_stack([inputs, targets]).astype(np.float32)
    return table[np.lexsort(table.T)]


@pytest.mark.parametrize("name", list(LOADERS))
def test_no_example_is_lost_or_in_two_parts(name):
    load, options = LOADERS[name]
    inputs, targets = load(return_X_y=True, **options)
    if name == "digits":
        inputs = inputs / 16
    if name == "diabetes":
        targets = (targets - 150) / 75
    parts = DATASETS[name](standardize=False, seed_data=3).parts
    all_parts = (parts.train, parts.validation, parts.test)
    together = rows(
        np.concatenate([part.inputs.flatten(1).numpy() for part in all_parts]),
        np.concatenate([part.targets.numpy() for part in all_parts]),
    )
    np.testing.assert_array_equal(together, rows(inputs, targets))


@pytest.mark.parametrize("name", [name for name in LOADERS if name != "diabetes"])
def test_the_test_part_is_a_stratified_fifth(name):
    load, options = LOADERS[name]
    counts = np.bincount(load(return_X_y=True, **options)[1])
    test = np.bincount(DATASETS[name]().parts.test.targets.numpy())
    assert np.abs(test - counts / 5).max() <= 1


@pytest.mark.parametrize("name", ["breast_cancer", "iris"])
def test_classes_are_called_as_scikit_learn_calls_them(name):
    assert DATASETS[name]().class_names == tuple(LOADERS[name][0]().target_names)


def test_changing_the_tensors_of_one_run_does_not_reach_the_next():
    first = DATASETS["iris"](standardize=False)
    first.parts.test.inputs.zero_()
    assert DATASETS["iris"](standardize=False).parts.test.inputs.abs().sum() > 0
