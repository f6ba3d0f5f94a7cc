"""Strengths: their order and places, which is none, and at which configuration each is judged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from analysis.regularization.strength_places import places_of
from analysis.regularization.strengths import held_of, none_of, ramp, strength_axis, strengths

L2, LR, DROPOUT, HIDDEN = "regularization.l2", "optimizer.lr", "model.dropout", "model.hidden_sizes"


@pytest.mark.parametrize(
    ("values", "x", "breaks", "log"),
    [
        ([0, 1e-4, 1e-3, 1e-2], [-5, -4, -3, -2], [-4.5], True),
        ([1e-4, 1e-3, 1e-2, None], [-4, -3, -2, -1], [-1.5], True),
        ([0.0, 0.25, 0.5, 0.75], [0, 0.25, 0.5, 0.75], [], False),
        ([50, 100, 200, 400], np.log10([50, 100, 200, 400]), [], True),
        ([0, 1, 10], [-1, 0, 1], [-0.5], True),
        ([0, 3], [0, 3], [], False),
        (["batch", "none"], [0, 1], [], False),
        ([False, True], [0, 1], [], False),
        ([-1, 0, 1], [-1, 0, 1], [], False),
        ([], [], [], False),
    ],
)
def test_places(values: list[Any], x: Any, breaks: list[float], log: bool) -> None:
    places = places_of(values)
    assert places.x == pytest.approx(np.array(x, dtype=float)) and places.breaks == pytest.approx(breaks)
    assert places.log is log and len(places.texts) == len(values)
    low, high = places.range
    assert all(low < place < high for place in places.x)


def test_zero_and_what_is_not_set_have_ticks_of_their_own_behind_a_break() -> None:
    places = places_of([0, 0.001, 0.01, None])
    assert places.ticks["ticktext"] == ["0", "0.001", "0.01", "not set"]
    figure = go.Figure()
    strength_axis(figure, places, dark=False)
    assert [note.text for note in figure.layout.annotations] == ["//", "//"]
    assert [note.x for note in figure.layout.annotations] == pytest.approx(list(places.breaks))


def test_many_strengths_have_few_ticks_and_all_of_them_stand_somewhere() -> None:
    many = [0.0, *np.logspace(-5, 0, 21).tolist()]
    places = places_of(many)
    assert len(places.x) == 22 and len(places.ticks["tickvals"]) <= 9 and places.ticks["ticktext"][0] == "0"
    assert set(places.ticks["ticktext"][1:]) == {"1e-05", "0.0001", "0.001", "0.01", "0.1", "1"}


@pytest.mark.parametrize(
    ("axis", "values", "none"),
    [
        (L2, [0.0, 0.1], 0), ("optimizer.weight_decay", [0.1, 0.2, None], 0), ("model.norm", ["batch", "none"], 1),
        ("data.flip", [True, False], 1), ("data.train_size", [50, 100], 0), ("trainer.max_epochs", [5, 50], 1),
        ("model.name", ["lenet", "mlp"], None), (L2, [0.1], None), (L2, [None], None),
        ("regularization.early_stopping_patience", [0, 5, 10], 0),
    ],
)  # fmt: skip
def test_which_is_none(axis: str, values: list[Any], none: int | None) -> None:
    assert none_of(axis, values) == none


def test_each_strength_is_judged_at_its_own_best_configuration(strength_runs: Any) -> None:
    runs = strength_runs(
        {
            (0.0, 0.1): [0.3, 0.3], (0.0, 0.01): [0.2, 0.2], (0.1, 0.1): [0.1, 0.1], (0.1, 0.01): [0.4, "diverged"],
            (0.1, 0.001): [0.05, "diverged"],
        }, [L2, LR],
    )  # fmt: skip
    of_axis = strengths(runs, L2, [L2, LR])
    assert [level.judged.params[LR] for level in of_axis.levels if level.judged] == [0.01, 0.1]
    assert sorted(of_axis.runs["run_id"]) == [
        f"search-{key}-{k}" for key in ("(0.0, 0.01)", "(0.1, 0.1)") for k in (0, 1)
    ]
    assert of_axis.ranked == [1, 0] and of_axis.others == (LR,) and of_axis.name(1) == "l2 0.1"
    assert of_axis.sample(0).values == {(0,): 0.2, (1,): 0.2}
    assert "too good" in of_axis.choice and LR in of_axis.choice and "Some had 2, others 3" in of_axis.choice
    assert of_axis.members(0)["run_id"].tolist() == ["search-(0.0, 0.01)-0", "search-(0.0, 0.01)-1"]


def test_fresh_seeds_judge_what_the_search_chose(strength_runs: Any) -> None:
    search = strength_runs({(0.0,): [0.2] * 3, (0.1,): [0.1] * 3}, [L2])
    confirm = strength_runs({(0.0,): [0.25] * 4, (0.1,): [0.15] * 4}, [L2], "confirm")
    of_axis = strengths(pd.concat([search, confirm], ignore_index=True), L2, [L2])
    assert [of_axis.sample(place).interval.mean for place in (0, 1)] == pytest.approx([0.25, 0.15])
    assert set(of_axis.runs["phase"]) == {"confirm"} and "fresh seeds" in of_axis.choice


def test_another_param_can_be_held_fast(strength_runs: Any) -> None:
    runs = strength_runs({(0.0, 0.1): [0.3], (0.0, 0.01): [0.2], (0.1, 0.1): [0.1]}, [L2, LR])
    of_axis = strengths(runs, L2, [L2, LR], pinned={LR: "0.1"})
    assert of_axis.others == () and [of_axis.sample(place).interval.mean for place in (0, 1)] == [0.3, 0.1]
    assert of_axis.choice == "" and of_axis.absent == ()


def test_a_strength_without_a_run_at_what_is_held_fast_is_named(strength_runs: Any) -> None:
    runs = strength_runs({(0.0, 0.0): [0.3], (0.1, 0.0): [0.2], (1.0, 0.5): [0.1]}, [L2, DROPOUT])
    of_axis = strengths(runs, L2, [L2, DROPOUT], pinned={DROPOUT: "0"})
    assert of_axis.absent == ("l2 1",) and of_axis.choice == "Not shown, without a run at what is held fast: l2 1."


def test_what_differs_beside_the_strengths_is_said_though_nothing_was_chosen(strength_runs: Any) -> None:
    runs = strength_runs({(0.0, 0.1): [0.3], (0.1, 0.01): [0.2]}, [L2, LR])
    text = strengths(runs, L2, [L2, LR]).choice
    assert text == "Searched beside it: optimizer.lr; at its best stands l2 0 with lr 0.1 and l2 0.1 with lr 0.01."
    assert strengths(runs.assign(**{LR: 0.1}), L2, [L2, LR]).choice == ""


def test_long_strengths_are_cut_where_they_still_differ(strength_runs: Any) -> None:
    long = ["x" * 400 + end for end in "ab"]
    of_axis = strengths(strength_runs({(value,): [0.1, 0.2] for value in (*long, None)}, ["note"]), "note")
    names = [of_axis.name(place) for place in range(3)]
    assert len(set(names)) == 3 and max(map(len, names)) < 40 and names[2] == "note not set"


def test_a_strength_that_has_nothing_beside_it_is_named_alone(strength_runs: Any) -> None:
    runs = strength_runs({(0.0, 0.1): [0.3], (0.1, None): [0.2]}, [L2, LR])
    assert strengths(runs, L2, [L2, LR]).choice.endswith("at its best stands l2 0 with lr 0.1 and l2 0.1.")


def test_of_many_strengths_those_that_are_compared_are_named(strength_runs: Any) -> None:
    runs = strength_runs({(0.1 * k, 0.01 * (k % 2)): [0.9 - 0.02 * k] for k in range(12)}, [L2, LR])
    text = strengths(runs, L2, [L2, LR]).choice
    assert "stands l2 0 with lr 0, l2 1.1 with lr 0.01, l2 1 with lr 0, " in text and "and 4 more." in text


NETWORKS = {
    **{(l2, 0.0, "128"): [0.1] for l2 in (0.0, 0.01, 0.1)},
    **{(0.0, dropout, "256"): [0.1] * 2 for dropout in (0.0, 0.25, 0.5, 0.75)},
}


@pytest.mark.parametrize(
    ("trials", "keys", "axis", "held"),
    [
        (NETWORKS, [L2, DROPOUT, HIDDEN], L2, {DROPOUT: "0", HIDDEN: "128"}),
        (NETWORKS, [L2, DROPOUT, HIDDEN], DROPOUT, {L2: "0", HIDDEN: "256"}),
        # As many strengths have runs of both networks: that with more runs.
        ({(l2, h): [0.1] * n for l2 in (0.0, 0.1) for h, n in (("64", 1), ("8", 3))}, [L2, HIDDEN], L2, {HIDDEN: "8"}),
        # Off is off, though more strengths have runs with dropout.
        ({(0.0, 0.0): [0.1], (0.1, 0.0): [0.1]} | {(l2, 0.5): [0.1] * 2 for l2 in (0.0, 0.1, 1.0)}, [L2, DROPOUT], L2,
         {DROPOUT: "0"}),
        ({(0.0, "batch"): [0.1], (0.1, "batch"): [0.1], (0.0, "none"): [0.1], (0.1, "none"): [0.1]},
         [L2, "model.norm"], L2, {"model.norm": "none"}),
        # A learning rate is retuned; what no two strengths share is not held.
        ({(l2, lr): [0.1] for l2 in (0.0, 0.1) for lr in (0.1, 0.01)}, [L2, LR], L2, {}),
        ({(0.0, 0.0): [0.1], (0.1, 0.5): [0.1]}, [L2, DROPOUT], L2, {}),
        ({(0.0, 1.25): [0.1], (0.1, 1.5): [0.1], (1.0, 1.75): [0.1]}, [L2, "data.noise"], L2, {}),
        # A param that a run lacks does nothing.
        ({(0.0, None): [0.1], (0.1, None): [0.1], (0.0, 0.5): [0.1], (0.1, 0.5): [0.1]}, [L2, DROPOUT], L2,
         {DROPOUT: "–"}),
    ],
)  # fmt: skip
def test_what_is_held_fast_unless_told_otherwise(
    strength_runs: Any, trials: Any, keys: list[str], axis: str, held: dict[str, str]
) -> None:
    assert held_of(strength_runs(trials, keys), axis, keys) == held


OPTIMIZER, MOMENTUM, BETA = "optimizer.name", "optimizer.momentum", "optimizer.beta1"
ARGUMENTS = {
    ("sgd", None, None): [0.3] * 3, ("momentum", 0.9, None): [0.1] * 3, ("adam", None, 0.9): [0.2] * 3,
    ("adam", None, 0.5): [0.4] * 3,
}  # fmt: skip


def test_along_an_argument_of_one_choice_only_runs_that_have_it_are_compared(strength_runs: Any) -> None:
    keys = [OPTIMIZER, MOMENTUM, BETA]
    runs = strength_runs(ARGUMENTS, keys)
    of_axis = strengths(runs, BETA, keys)
    assert [of_axis.name(place) for place in range(len(of_axis.levels))] == ["beta1 0.5", "beta1 0.9"]
    assert of_axis.left_out == "6 runs without beta1 are left out: not every optimizer has it." and not of_axis.absent
    assert of_axis.left_out in of_axis.choice
    assert strengths(runs, MOMENTUM, keys).left_out.startswith("9 runs without momentum are")
    assert held_of(runs, BETA, keys) == {OPTIMIZER: "adam", MOMENTUM: "–"}


def test_an_argument_of_one_choice_is_not_held_fast_along_the_choice(strength_runs: Any) -> None:
    keys = [MOMENTUM, BETA, OPTIMIZER]
    runs = strength_runs(ARGUMENTS, [OPTIMIZER, MOMENTUM, BETA])
    assert held_of(runs, OPTIMIZER, keys) == {}
    of_axis = strengths(runs, OPTIMIZER, keys)
    assert {level.name for level in of_axis.levels} == {"sgd", "momentum", "adam"} and not of_axis.left_out
    # A regularizer that half of the runs of every choice lack is off there.
    crossed = {(name, l2): [0.1] for name in ("sgd", "adam") for l2 in (None, 0.1)}
    assert len(strengths(strength_runs(crossed, [OPTIMIZER, L2]), L2, [OPTIMIZER, L2]).levels) == 2


def test_a_strength_of_one_seed_is_no_baseline_where_others_have_several(strength_runs: Any) -> None:
    rates = strength_runs({(0.05,): [0.3], (0.1,): [0.4] * 3, (0.2,): [0.5]}, [LR])
    assert strengths(rates, LR).none is None and strengths(rates, LR).reference == ""
    several = strengths(strength_runs({(0.05,): [0.3], (0.1,): [0.4] * 3, (0.2,): [0.5] * 3}, [LR]), LR)
    assert several.none == 1 and several.reference == "lr 0.1"
    single = strengths(strength_runs({(0.05,): [0.3], (0.1,): [0.4]}, [LR]), LR)
    assert single.none == 0, "all of them have one seed"


def test_what_others_are_compared_with_is_called_none_only_if_it_is_that(strength_runs: Any) -> None:
    def reference(axis: str, *values: Any) -> str:
        return strengths(strength_runs({(value,): [0.1, 0.2] for value in values}, [axis]), axis).reference

    assert reference(L2, 0.0, 0.1) == "none" == reference("model.norm", "none", "batch")
    assert reference(L2, 0.01, 0.1) == "l2 0.01" and reference("data.train_size", 10, 20) == "train_size 10"


def test_words_truth_values_and_what_is_not_set(strength_runs: Any) -> None:
    runs = strength_runs({(True,): [0.1], (False,): [0.2]}, ["data.flip"])
    of_axis = strengths(runs, "data.flip")
    assert [of_axis.name(place) for place in (0, 1)] == ["flip false", "flip true"] and of_axis.none == 0
    mixed = strengths(strength_runs({(None,): [0.1], (0.5,): [0.3], (0.0,): [0.2]}, [L2]), L2)
    assert [mixed.name(place) for place in range(3)] == ["l2 0", "l2 0.5", "l2 not set"]
    with pytest.raises(ValueError, match=r"no\.such"):
        strengths(runs, "no.such")
    assert strengths(runs[:0], "data.flip").levels == ()


@pytest.mark.parametrize("dark", [False, True])
def test_a_ramp_gets_steadily_lighter(dark: bool) -> None:
    def lightness(colour: str) -> float:
        red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    shades = [lightness(colour) for colour in ramp(6, dark)]
    assert shades == sorted(shades) and len(set(shades)) == 6
    assert ramp(0, dark) == [] and len(ramp(1, dark)) == 1
