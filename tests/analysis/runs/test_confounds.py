"""The confound guard: names what else differs, and only that."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd
import pytest

from analysis.runs.confounds import Confound, configurations_of, confound_sentence
from analysis.runs.confounds import confounds as confounds_of_values
from tracking.configurations import values_of

ADAM = {"optimizer.name": "adam", "optimizer.lr": "0.001", "optimizer.eps": "1e-08", "data.batch_size": "64"}
SGD = {"optimizer.name": "sgd", "optimizer.lr": "0.1", "data.batch_size": "64"}


def confounds(groups: Mapping[str, Any], varied: Collection[str], ignored: Collection[str] = ()) -> list[Confound]:
    """The confounds of groups whose params are texts, read as those of any run."""
    rows = [(name, row) for name, group in groups.items() for row in (group if isinstance(group, list) else [group])]
    names = dict.fromkeys(key for _, row in rows for key in row)
    read = {key: values_of(key, [row.get(key) for _, row in rows]) for key in names}
    values: dict[str, list[dict[str, Any]]] = {name: [] for name in groups}
    for place, (name, row) in enumerate(rows):
        values[name].append({key: read[key][place] for key in row})
    return confounds_of_values(values, varied, ignored)


def keys(named: list[Confound]) -> list[str]:
    return [confound.key for confound in named]


def test_what_else_differs_is_named_with_its_values() -> None:
    named = confounds({"adam": ADAM, "sgd": SGD | {"data.batch_size": "128"}}, ["optimizer.name"])
    assert keys(named) == ["optimizer.lr", "data.batch_size"]
    assert named[1].values == {"adam": ("64",), "sgd": ("128",)}
    assert confound_sentence(named, ["optimizer.name"]) == (
        "Not only optimizer.name differs, but also optimizer.lr and data.batch_size: either may be the cause of a"
        " difference."
    )


def test_what_is_varied_ignored_or_a_seed_is_no_confound() -> None:
    seeds = {"seeds.init": "1", "data.seed": "1", "random_state": "1"}
    other = {"seeds.init": "2", "data.seed": "2", "random_state": "2"}
    assert not confounds({"adam": ADAM | seeds, "sgd": SGD | other}, ["optimizer.name", "optimizer.lr"])
    assert not confounds({"adam": ADAM, "sgd": SGD}, ["optimizer.name"], ignored=["optimizer.lr"])
    assert confound_sentence([], ["optimizer.name"]) == ""


def test_fields_that_a_choice_brings_along_belong_to_it() -> None:
    assert keys(confounds({"adam": ADAM, "sgd": SGD}, ["optimizer.name", "optimizer.lr"])) == []
    # Without a varied choice the same key is a difference like any other.
    plain = confounds({"x": {"optimizer.eps": 1e-8}, "y": {}}, ["data.name"])
    assert plain == [Confound("optimizer.eps", {"x": ("1e-08",), "y": ("not set",)})]
    # A third method that has the field as well must agree with the first.
    rms = SGD | {"optimizer.name": "rmsprop", "optimizer.eps": "0.1"}
    named = confounds({"adam": ADAM, "sgd": SGD, "rmsprop": rms}, ["optimizer.name", "optimizer.lr"])
    assert keys(named) == ["optimizer.eps"]
    # A factor of each step and one of each epoch are two things of one name, unless only the factor differs.
    step = {"schedule.name": "step", "schedule.gamma": 0.1}
    both = {"step": step, "exponential": {"schedule.name": "exponential", "schedule.gamma": 0.95}}
    assert not confounds(both, ["schedule.name"])
    assert keys(confounds(both, ["optimizer.lr"])) == [*step]


def test_what_only_an_optimizer_has_belongs_to_it_in_flat_params_too() -> None:
    groups = {
        "sgd": {"optimizer": "sgd", "lr": "0.1"},
        "momentum": {"optimizer": "momentum", "lr": "0.1", "momentum": "0.9", "use_nesterov": "False"},
        "adam": {"optimizer": "adam", "lr": "0.1", "adam_beta1": "0.9", "augment": "True"},
    }
    assert keys(confounds(groups, ["optimizer"])) == ["augment"], "no optimizer brings that along"
    both = {name: row | {"momentum": value} for (name, row), value in zip(groups.items(), "124", strict=True)}
    assert "momentum" in keys(confounds(both, ["optimizer"])), "where several have it, it must agree"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.001", "1e-3"), (1, "1.0"), ("True", True), ("[64, 64]", [64, 64]), ("(64, 64)", "[64.0, 64]"),
        (None, "None"), (math.nan, None), ("{'a': 1}", {"a": 1.0}), ("relu", "relu "),
    ],
)  # fmt: skip
def test_equal_values_in_other_words_are_equal(one: object, other: object) -> None:
    assert not confounds({"a": {"x": one}, "b": {"x": other}}, [])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.1, 0.1000001), ("relu", "Relu"), ([64], [64, 64]), (True, 1), (None, 0), ("[1", "[2"), ("inf", "-inf"),
        (math.inf, 1.0), ({"a": 1}, {"a": 2}), (12345678.25, 12345678.5),
    ],
)  # fmt: skip
def test_different_values_are_told_apart(one: object, other: object) -> None:
    (confound,) = confounds({"a": {"x": one}, "b": {"x": other}}, [])
    assert confound.values["a"] != confound.values["b"]


def test_a_balanced_design_is_no_confound_and_an_unbalanced_one_is() -> None:
    def grid(name: str, rates: list[float]) -> list[dict[str, object]]:
        return [{"optimizer.name": name, "optimizer.lr": lr} for lr in rates]

    assert not confounds({"adam": grid("adam", [0.1, 0.2]), "sgd": grid("sgd", [0.2, 0.1])}, ["optimizer.name"])
    named = confounds({"adam": grid("adam", [0.1, 0.2]), "sgd": grid("sgd", [0.1])}, ["optimizer.name"])
    assert named == [Confound("optimizer.lr", {"adam": ("0.1", "0.2"), "sgd": ("0.1",)})]
    assert not confounds({"adam": grid("adam", [0.1]), "waiting": []}, ["optimizer.name"])
    assert not confounds({}, [])


def test_a_text_that_was_read_is_not_read_again() -> None:
    (confound,) = confounds_of_values({"a": {"x": "none"}, "b": {"x": 0.5}}, [])
    assert confound.values == {"a": ("none",), "b": ("0.5",)}


def test_long_lists_are_counted() -> None:
    groups = {f"g{k}": {f"p{j}": k for j in range(9)} for k in range(7)}
    text = confound_sentence(confounds(groups, []), [])
    assert text == "The groups differ in p0, p1, p2, p3 and 5 more: any of it may be the cause."
    many = confound_sentence(confounds({"a": {"x": 1}, "b": {"x": 2}}, ["m", "n"]), ["n", "m"])
    assert many.startswith("Not only m and n differ, but also x: either")


def test_configurations_come_from_a_frame_of_runs() -> None:
    frame = pd.DataFrame(
        {
            "name": ["r1", "r2", "r3"],
            "group": ["a", "a", "b"],
            "params.lr": ["0.1", "0.10", "0.1"],
            "params.epochs": ["5", "5", None],
            "params.same": ["x", "x", "x"],
        }
    )
    configurations = configurations_of(frame, "group")
    assert configurations == {
        "a": [{"lr": "0.1", "epochs": "5"}, {"lr": "0.10", "epochs": "5"}],
        "b": [{"lr": "0.1", "epochs": None}],
    }
    assert keys(confounds(configurations, [])) == ["epochs"]
    assert configurations_of(frame.iloc[:0], "group") == {}
