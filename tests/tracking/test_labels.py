"""Labels tell configurations apart by few params, names first, long values cut, what is absent said."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from tracking.labels import LONGEST, label, labels, meant, telling


def titles(*rows: dict[str, Any]) -> list[str]:
    return list(labels({str(place): row for place, row in enumerate(rows)}).values())


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"optimizer.name": "adam", "optimizer.lr": 0.01}, "adam, lr 0.01"),
        ({"optimizer.lr": 0.001}, "lr 0.001"),
        ({"model.hidden_sizes": [64, 32]}, "hidden_sizes 64-32"),
        ({"model.hidden_sizes": [8] * 5}, "hidden_sizes 5 × 8"),
        ({"a.x": 1, "b.x": 2}, "a.x 1, b.x 2"),
        ({"optimizer.name": "sgd", "optimizer.momentum": None, "optimizer.alpha": math.nan}, "sgd"),
        ({"optimizer": "Adam", "amsgrad": False}, "Adam, amsgrad false"),
        ({"dropout": None}, "dropout not set"),
        ({"model.name": None}, "model not set"),
        ({}, "the one configuration"),
    ],
)
def test_one_configuration(params: dict[str, Any], words: str) -> None:
    assert label(params) == words


def test_the_optimizer_is_named_and_what_follows_from_it_is_not() -> None:
    assert titles(
        {"beta1": 0.9, "beta2": 0.999, "learning_rate": 0.00025, "optimizer": "Adam"},
        {"learning_rate": 0.1585, "optimizer": "GradientDescent"},
        {"learning_rate": 0.0025, "momentum": 0.99, "optimizer": "Momentum", "use_nesterov": False},
    ) == ["Adam", "GradientDescent", "Momentum"]


def test_names_lead_whatever_they_are_called() -> None:
    rows = [
        {"lr": lr, "model_type": model, "optimizer_name": name}
        for model, name, lr in itertools.product(("cnn", "mlp"), ("adam", "sgd"), (0.1, 0.2))
    ]
    assert titles(*rows)[:2] == ["adam, cnn, lr 0.1", "adam, cnn, lr 0.2"]
    assert titles({"run_name": "gallant-fox-1", "lr": 0.1}, {"run_name": "wise-owl-2", "lr": 0.2}) == [
        "lr 0.1", "lr 0.2",
    ]  # fmt: skip


def test_an_absent_param_is_said() -> None:
    assert titles({"lr": 0.1}, {"lr": 0.1, "dropout": 0.5}) == ["dropout not set", "dropout 0.5"]
    both = [{"optimizer.name": "sgd"}, {"optimizer.name": "momentum", "optimizer.momentum": 0.9},
            {"optimizer.name": "momentum", "optimizer.momentum": 0.5}]  # fmt: skip
    assert titles(*both) == ["sgd", "momentum, momentum 0.9", "momentum, momentum 0.5"], "sgd has no momentum to set"


def test_labels_are_the_shortest() -> None:
    rows = [{"a": k % 2, "b": k // 2 % 2, "c": k // 4, "all": k, "same": 1} for k in range(8)]
    assert telling(rows) == ["all"]
    assert telling([{key: row[key] for key in "abc"} for row in rows]) == ["a", "b", "c"]
    # The param with the most values is not one of the two that suffice.
    trap = [{"x": x, "y": y, "most": place // 2} for place, (x, y) in enumerate(itertools.product(range(3), range(3)))]
    assert telling(trap) == ["x", "y"]
    many = [{f"p{j}": k >> j & 1 for j in range(9)} for k in range(512)]
    assert len(set(titles(*many))) == 512
    assert telling([]) == [] and telling([{"a": 1}]) == []


def test_a_short_param_is_preferred_to_a_whole_mapping_and_to_one_that_some_lack() -> None:
    rows = [{"config": {"lr": lr, "sizes": [1, 2]}, "early": early, "lr": lr} for lr, early in ((0.1, None), (0.2, 5))]
    assert titles(*rows) == ["lr 0.1", "lr 0.2"]


def test_different_values_have_different_words_and_long_ones_are_cut() -> None:
    assert titles({"lr": 0.00012341}, {"lr": 0.00012342}) == ["lr 0.00012341", "lr 0.00012342"]
    start = "s3://bucket/experiments/2024/"
    paths = titles({"path": f"{start}a.yaml"}, {"path": f"{start}b.yaml"}, {"path": "x" * 300})
    assert len(set(paths)) == 3 and all(len(text) <= len("path ") + LONGEST for text in paths)
    assert paths[0].endswith("a.yaml") and paths[2].endswith("…")
    assert "\n" not in label({"note": "two\nlines"})


def test_words_that_are_cut_alike_show_both_places_in_which_they_differ_or_a_number() -> None:
    """Four paths once had two labels, and two of them the places of the other two."""
    between = "/a/folder/with/a/long/name/"
    paths = [f"/data/experiments/run-{one}{between}split-{two}.csv" for one, two in itertools.product("12", "34")]
    names = titles(*({"path": path} for path in paths))
    assert len(set(names)) == 4 and all(len(text) <= len("path ") + LONGEST for text in names)
    assert all(
        one in text and f"{two}.csv" in text
        for text, (one, two) in zip(names, itertools.product("12", "34"), strict=True)
    )
    thrice = [f"{one}{between}{two}{between}{three}{between}" for one, two, three in itertools.product("12", repeat=3)]
    names = titles(*({"path": path * 2} for path in thrice))
    assert len(set(names)) == 8 and titles(*({"path": path * 2} for path in reversed(thrice))) == names[::-1]
    assert len(set(titles({"note": "a b"}, {"note": "a  b"}, {"note": "a b (1)"}))) == 3
    assert titles({"decay": "none"}, {"decay": None}) == ["decay none", "decay not set"], "no number beside what lacks"


def test_a_grid_was_meant_to_differ_in_its_keys() -> None:
    grid = [{"optimizer": name, "lr": lr} for name, lr in itertools.product(("adam", "sgd"), (0.1, 0.2, 0.3))]
    assert meant(grid) == meant(grid[:-1]) == ["optimizer", "lr"], "a cell may be missing"
    assert meant([{"batch_size": size} for size in (32, 64)]) == ["batch_size"]
    assert meant([{"lr": 0.1, "batch_size": 32}, {"lr": 0.2, "batch_size": 64}]) == [], "nobody knows which"
    assert meant([{"optimizer": "adam", "lr": 0.1}, {"optimizer": "sgd", "lr": 0.2}]) == ["optimizer"]
    assert meant([{"lr": 0.1, "output_dir": "a"}, {"lr": 0.2, "output_dir": "b"}]) == ["lr"]
