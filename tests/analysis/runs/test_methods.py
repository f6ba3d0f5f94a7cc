"""Methods: each at its own best, judged by fresh seeds where there are some, and equal ones tie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.runs.methods import groups_of, judged_runs, methods_of, names_of, selection_words, verdict_of
from analysis.statistics.verdicts import Decision
from tracking.labels import LONGEST

KEYS = ["optimizer.name", "optimizer.lr"]
SEARCH = {
    ("adam", 0.01): [0.10, 0.12, 0.11], ("adam", 0.1): [0.05, 0.05, None], ("sgd", 0.1): [0.30, 0.31, 0.32],
    ("sgd", 1.0): [0.20, 0.21, 0.22],
}  # fmt: skip


def chosen_methods(runs: pd.DataFrame, key: str = "optimizer.name") -> Any:
    return methods_of(runs, key, KEYS)


def test_the_best_trial_diverges_least_and_then_has_the_smallest_mean(method_runs: Any) -> None:
    adam, sgd = chosen_methods(method_runs(SEARCH))
    assert (adam.best.label, sgd.best.label) == ("lr 0.01", "lr 1"), "adam at 0.1 has the smaller mean, but diverged"
    assert adam.sample.interval.mean == pytest.approx(np.mean(SEARCH["adam", 0.01])) and not adam.fresh
    assert adam.title == "adam, lr 0.01" and adam.sample.name == "adam"


def test_a_winner_is_judged_by_its_fresh_seeds_alone(method_runs: Any) -> None:
    confirm = {("sgd", 1.0): [0.4, 0.5], ("adam", 0.01): [0.2, 0.3], ("adam", 0.1): [0.01, 0.01]}
    adam, sgd = chosen_methods(method_runs(SEARCH, confirm))
    assert adam.fresh and sgd.fresh
    assert adam.sample.interval.mean == pytest.approx(0.25), "another winner with a better confirm score was not chosen"
    assert sgd.sample.interval.mean == pytest.approx(0.45)
    waiting = {("adam", 0.01): [math.nan, math.nan]}
    assert not chosen_methods(method_runs(SEARCH, waiting))[0].fresh, "confirm runs without a result judge nothing"


def test_a_trial_of_one_seed_stands_for_no_method_that_has_trials_of_several(method_runs: Any) -> None:
    lucky = {("adam", 0.05): [0.01], ("sgd", 0.05): [0.01]}
    (adam, sgd) = chosen_methods(method_runs({**SEARCH, **lucky}))
    assert (adam.best.label, sgd.best.label) == ("lr 0.01", "lr 1")
    assert "adam with lr 0.05 and sgd with lr 0.05" in selection_words([adam, sgd])
    (adam, sgd) = chosen_methods(method_runs(lucky | {("adam", 0.1): [0.02]}))
    assert (adam.best.label, sgd.best.label) == ("lr 0.05", "lr 0.05"), "all of them have one seed"
    assert "luck" not in selection_words([adam, sgd])
    (adam,) = chosen_methods(method_runs({("adam", 0.05): [0.01], ("adam", 0.1): [None, None]}))
    assert adam.best.label == "lr 0.05", "nothing can be said of what diverged in every seed"
    fresh = {("adam", 0.1): [0.01], ("adam", 1.0): [0.2, 0.2]}
    assert chosen_methods(method_runs(SEARCH, fresh))[0].judged.label == "lr 1", "fresh seeds are judged alike"


def test_trials_are_called_by_few_params_of_their_method(method_runs: Any) -> None:
    runs = method_runs(SEARCH)
    runs["beta"] = [0.9 if name == "adam" else None for name in runs["optimizer.name"]]
    adam, sgd = methods_of(runs, "optimizer.name", [*KEYS, "beta"], KEYS)
    assert adam.title == "adam, lr 0.01" and adam.best.params["beta"] == 0.9
    assert sgd.title == "sgd, lr 1", "it has no beta that could be set"


def test_numbers_ascend_and_words_keep_their_order(method_runs: Any) -> None:
    runs = method_runs(SEARCH)
    assert [method.name for method in chosen_methods(runs, "optimizer.lr")] == ["lr 0.01", "lr 0.1", "lr 1"], (
        "a number alone says nothing"
    )
    assert [method.name for method in chosen_methods(runs)] == ["adam", "sgd"]
    runs["model.hidden_sizes"] = [[32, 32] if trial else [] for trial in runs["trial"]]
    assert [method.name for method in methods_of(runs, "model.hidden_sizes", KEYS)] == [
        "hidden_sizes none", "hidden_sizes 32-32",
    ]  # fmt: skip
    runs["optimizer.name"] = [None, *runs["optimizer.name"][1:]]
    assert "optimizer not set" in [method.name for method in chosen_methods(runs)]


def test_methods_are_cut_like_labels_and_a_missing_one_is_named_by_its_param() -> None:
    long = ["x" * 400 + end for end in "ab"]
    names = names_of([*long, None, "sgd"], "opt")
    assert names[2:] == ["opt not set", "sgd"] and names[0] != names[1]
    assert all(len(name) <= LONGEST for name in names[:2])
    assert names_of(["y" * 400, "y" * 400], "opt") == ["y" * (LONGEST - 1) + "…"] * 2
    assert names_of([0.1, None], "model.lr") == ["lr 0.1", "lr not set"]


def test_edges(method_runs: Any) -> None:
    assert chosen_methods(method_runs({})) == []
    (one,) = chosen_methods(method_runs({("adam", 0.1): [0.3]}))
    assert one.sample.n == 1 and verdict_of([one], metric="m").sentence.startswith("Only adam has results")
    (lost,) = chosen_methods(method_runs({("adam", 0.1): [None, None, None]}))
    assert lost.judged is not None and lost.sample.share_diverged == 1
    (running,) = chosen_methods(method_runs({("adam", 0.1): [math.nan]}))
    assert running.best is None and running.sample.n == 0 and running.title == "adam"
    with pytest.raises(ValueError, match="method"):
        chosen_methods(method_runs(SEARCH), "model.name")


def test_groups_and_runs_are_those_that_judge(method_runs: Any) -> None:
    runs = method_runs(SEARCH, {("adam", 0.01): [0.2, 0.3]})
    methods = chosen_methods(runs)
    groups = groups_of(methods, runs)
    assert [(group.label, group.method) for group in groups] == [("sgd, lr 1", "sgd"), ("adam, lr 0.01", "adam")]
    judged = judged_runs(methods, runs)
    assert set(judged["run_id"]) == {"confirm-0-1000", "confirm-0-1001", "search-3-0", "search-3-1", "search-3-2"}
    assert set(judged.loc[judged["phase"] == "confirm", "method"]) == {"adam"}


def test_what_is_said_of_the_choice(method_runs: Any) -> None:
    fresh = {("adam", 0.01): [0.2], ("sgd", 1.0): [0.2]}
    assert "fresh seeds" in selection_words(chosen_methods(method_runs(SEARCH, fresh)))
    assert "too good on average" in selection_words(chosen_methods(method_runs(SEARCH)))
    assert "sgd" in selection_words(chosen_methods(method_runs(SEARCH, {("adam", 0.01): [0.2]})))
    assert selection_words(chosen_methods(method_runs({("adam", 0.1): [0.1], ("sgd", 0.1): [0.1]}))) == ""


def test_one_method_under_two_names_is_a_tie(method_runs: Any) -> None:
    """The same numbers are a tie for certain."""
    values = np.random.default_rng(3).normal(size=10).tolist()
    (verdict,) = verdict_of(
        chosen_methods(method_runs({}, {("momentum", 0.1): values, ("sgd", 0.1): values})), metric="val/loss"
    ).verdicts.values()
    assert verdict.decision is Decision.UNDECIDED and verdict.p == 1


def test_one_method_under_two_names_with_noise_is_a_tie_nineteen_times_in_twenty(method_runs: Any) -> None:
    """Three names for one method, fresh noise: any verdict is wrong, and there is one at most as often as promised."""
    generator = np.random.default_rng(0)
    repetitions, wrong = 200, 0
    for _ in range(repetitions):
        confirm = {(name, 0.1): generator.normal(size=10).tolist() for name in ("a", "b", "c")}
        ranked = verdict_of(chosen_methods(method_runs({}, confirm)), metric="val/loss")
        wrong += any(verdict.decided for verdict in ranked.verdicts.values())
    assert wrong <= stats.binom.ppf(0.999, repetitions, 0.05)


def test_gradient_descent_and_momentum_of_zero_really_trained_are_a_tie(method_runs: Any) -> None:
    """One optimizer under two names, through training and the protocol: no verdict, whatever its learning rate."""
    from sweeps.training.train import train

    named = {"sgd": {"name": "sgd"}, "momentum": {"name": "momentum", "momentum": 0.0}}

    def result(name: str, lr: float, seed: int) -> float:
        trained = train(
            {
                "model": {"name": "softmax_regression"}, "data": {"name": "iris", "batch_size": 32},
                "optimizer": named[name] | {"lr": lr}, "trainer": {"max_epochs": 2, "device": "cpu"}, "keep": "none",
                "seeds": dict.fromkeys(("data", "init", "order"), seed),
            }
        )  # fmt: skip
        assert trained.objective is not None
        return trained.objective

    search = {(name, lr): [result(name, lr, seed) for seed in range(2)] for name in named for lr in (0.01, 0.1)}
    fresh = {(name, 0.1): [result(name, 0.1, 1000 + seed) for seed in range(8)] for name in named}
    methods = chosen_methods(method_runs(search, fresh))
    assert [method.title for method in methods] == ["sgd, lr 0.1", "momentum, lr 0.1"]
    ranked = verdict_of(methods, metric="val/loss")
    assert ranked.verdicts[0, 1].decision is Decision.UNDECIDED and ranked.verdicts[0, 1].p == 1
    assert ranked.rows[0].place == ranked.rows[1].place == "1–2"
