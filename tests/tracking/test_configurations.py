"""What params of any runs stand for, which runs are one group, and which only sum up others."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from tracking.configurations import group_names, identity, is_seed, summaries, values_of


def names(params: list[dict[str, Any]], tagged: list[str] | None = None, parents: list[str] | None = None) -> list[str]:
    """The groups of runs with these params."""
    texts = pd.DataFrame(params, dtype=object)
    values = pd.DataFrame({key: pd.Series(values_of(key, texts[key]), dtype=object) for key in texts})
    return group_names(values, tagged or [""] * len(params), parents or [""] * len(params))


@pytest.mark.parametrize(
    "texts",
    [
        ["0.003", "3e-3", "0.0030000000000000005", "+.003", "3E-03", " 0.003"],
        ["3", "3.0", "3e0"],
        ["True", "true", "TRUE"],
        ["None", "null", "", None, math.nan, "nan"],
        ["[64, 32]", "(64, 32)", "[64,32.0]", "(64, 32,)"],
        ["{'lr': 0.003, 'k': [1]}", '{"k": [1.0], "lr": 0.0030000000000000005}'],
        ["relu", "relu "],
        ["inf", "Infinity"],
    ],
)
def test_one_value_in_other_words_is_one_group(texts: list[Any]) -> None:
    assert len(set(names([{"x": text} for text in texts]))) == 1
    assert len({identity(value) for value in values_of("x", texts)}) == 1


@pytest.mark.parametrize(
    ("key", "texts"),
    [
        ("x", ["0.1", "0.10000001"]),
        ("x", ["True", "1"]),
        ("x", ["None", "0"]),
        ("x", ["[64]", "[64, 64]"]),
        ("x", ["relu", "Relu"]),
        ("x", ["-inf", "inf"]),
        ("hash of the data", ["1e5", "100000", "ab34f01"]),
        ("postcode", ["01000", "1000"]),
        ("run", ["12345678901234567", "12345678901234568"]),
        ("git_commit", ["1e5", "100000"]),
        ("model.version", ["1.10", "1.1"]),
        ("slurm_job_id", ["1000000001", "1000000002"]),
        ("step", ["1000000001", "1000000002"]),
    ],
)
def test_different_values_are_different_groups(key: str, texts: list[str]) -> None:
    assert len(set(names([{key: text} for text in texts]))) == len(texts)


def test_a_param_is_numeric_if_all_its_values_in_view_are_plain_numbers() -> None:
    assert values_of("lr", ["1e-3", "3", None]) == [0.001, 3, None]
    assert values_of("gamma", ["0.1", "scale"]) == ["0.1", "scale"]
    assert values_of("code", ["007", "8"]) == ["007", "8"]
    assert values_of("x", ["True", "None", "[64, 32]", "relu", "nan-like", "[1"]) == [
        True, "none", [64, 32], "relu", "nan-like", "[1",
    ]  # fmt: skip
    assert values_of("deep", ["[" * 5000]) == ["[" * 5000]
    assert values_of("lr", ["0.0030000000000000005"]) == [0.003], "nine digits everywhere, not only in groups"


def test_none_of_a_stranger_is_a_choice_unless_all_other_values_are_numbers() -> None:
    assert values_of("momentum", ["none", "0.9", "None"]) == [None, 0.9, None]
    assert values_of("norm", ["none", "batch", "None", "null"]) == ["none", "batch", "none", "none"]
    assert values_of("norm", ["none", None, ""]) == [None, None, None]
    assert values_of("norm", ["none", "batch", "", "nan"]) == ["none", "batch", None, None]


def test_a_param_of_our_own_runs_is_what_it_was_written_from() -> None:
    texts = ["1", "32", "full", "none", "null", "0.1", "[64, 32]", "true", "[" * 5000]
    values = [1, 32, "full", "none", None, 0.1, [64, 32], True, "[" * 5000]
    assert values_of("x", texts, [True] * len(texts)) == values


def test_a_strangers_value_beside_ours_is_the_same_value() -> None:
    ours = [True, True, False]
    assert values_of("batch_size", ["32", "full", "32.0"], ours) == [32, "full", 32]
    assert values_of("norm", ["none", "batch", "none"], ours) == ["none", "batch", "none"]
    assert values_of("momentum", ["0.9", "null", "none"], ours) == [0.9, None, None]


def test_seeds_are_known_by_their_names() -> None:
    for key in (
        "seed",
        "seeds.init",
        "data.seed",
        "random_state",
        "random_seed",
        "rng",
        "torchSeed",
        "seed_everything",
    ):
        assert is_seed(key), key
    assert not is_seed("model.seedling") and not is_seed("random_crop") and not is_seed("state")
    assert len(set(names([{"lr": "1", "rng": "0"}, {"lr": "1", "rng": "1"}]))) == 1


def test_a_sweeps_run_is_of_the_group_of_its_tag_and_one_configuration_of_two_sweeps_is_two() -> None:
    assert names([{"x": "1"}, {"x": "2"}], ["g", "g"], ["a", "a"]) == ["g", "g"]
    assert names([{"x": "1"}, {"x": "1"}], ["g", "g"], ["a", "b"]) == ["g@a", "g@b"]
    assert len(set(names([{"x": "1"}, {"x": "1"}], parents=["a", "b"]))) == 1, (
        "a stranger's seeds may have a parent each"
    )


def held(parent: tuple[dict[str, Any], dict[str, float]], *children: tuple[dict[str, Any], dict[str, float]]) -> bool:
    """Whether a parent with these params and metrics only sums up its child runs."""
    params = pd.DataFrame([parent[0], *(child[0] for child in children)], dtype=object)
    metrics = pd.DataFrame([parent[1], *(child[1] for child in children)], dtype=float)
    ids = ["p", *(f"c{place}" for place in range(len(children)))]
    first, *others = summaries(ids, ["", *["p"] * len(children)], params, metrics)
    assert not any(others)
    return first


TRIALS = (({"lr": 0.1, "seed": 0}, {"val_loss": 0.5}), ({"lr": 0.2, "seed": 0}, {"val_loss": 0.4}))


@pytest.mark.parametrize(
    ("params", "metrics"),
    [
        ({}, {"val_loss": 0.4}),
        ({"lr": 0.2}, {"val_loss": 0.4}),
        ({"lr": 0.2, "seed": 0}, {"val_loss": 0.4}),
        ({"trials": 50, "sampler": "tpe"}, {"best_val_loss": 0.4}),
        ({"trials": 50}, {}),
        ({}, {"val_loss": 0.45}),
    ],
)
def test_a_parent_that_copies_its_best_child_is_no_result(params: dict[str, Any], metrics: dict[str, float]) -> None:
    assert held((params, metrics), *TRIALS)


@pytest.mark.parametrize(
    ("params", "metrics"),
    [
        ({"lr": 0.3, "seed": 0}, {"val_loss": 0.4}),
        ({"lr": 0.2, "seed": 7}, {"val_loss": 0.4}),
        ({"epochs": 9}, {"val_loss": 0.3}),
        ({}, {"train_loss": 0.1}),
    ],
)
def test_a_parent_with_a_configuration_or_a_result_of_its_own_is_one(
    params: dict[str, Any], metrics: dict[str, float]
) -> None:
    assert not held((params, metrics), *TRIALS)


def test_a_pretrained_parent_with_a_result_unlike_its_fine_tuned_childs_is_a_run() -> None:
    child = ({"lr": 0.1, "stage": "ft"}, {"val_loss": 0.5})
    assert not held(({"lr": 0.1}, {"val_loss": 0.7}), child)
    assert not held(({"lr": 0.1}, {"val_loss": 0.3}), child)


def test_the_mean_of_equal_folds_sums_them_up_however_it_is_rounded() -> None:
    folds = [({"lr": 0.1, "fold": fold}, {"val_loss": 0.1}) for fold in range(3)]
    assert held(({"lr": 0.1}, {"val_loss": (0.1 + 0.1 + 0.1) / 3}), *folds)


def test_without_its_children_in_view_a_parent_is_a_run() -> None:
    assert not held(({"lr": 0.2}, {"val_loss": 0.4}))
