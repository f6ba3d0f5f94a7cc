"""What strangers' runs are grouped by and what groups are called: the same on every page."""

from __future__ import annotations

import random
from typing import Any

import pytest

from app.shared import ui


@pytest.fixture
def logged(rows: Any, client: Any) -> Any:
    """`logged(params, metrics, tags)` stores one run after the other in one experiment and returns its id."""
    experiment = rows.create_experiment("groups")
    clock = iter(range(1, 10_000))

    def log(params: Any, metrics: Any, **tags: str) -> str:
        start = 1000 * next(clock)
        return str(rows.log_run(experiment, f"gallant-fox-{start}", params, metrics, tags, start=start))

    log.experiment = experiment  # type: ignore[attr-defined]
    return log


def same_value(logged: Any) -> list[str]:
    return [
        logged({"lr": lr, "seed": str(seed)}, {"val_loss": 0.5 + 0.01 * seed})
        for lr in ("0.003", "3e-3", "0.0030000000000000005")
        for seed in range(5)
    ]


def lucky(logged: Any) -> list[str]:
    draw, runs = random.Random(0), []
    for optimizer, mean in (("sgd", 0.50), ("adam", 0.40)):
        results = [("0.1", seed, mean + draw.gauss(0, 0.01)) for seed in range(10)]
        for lr, seed, loss in [*results, ("0.05", 0, mean - 0.02), ("0.2", 0, mean + 0.1)]:
            runs.append(logged({"optimizer": optimizer, "lr": lr, "seed": str(seed)}, {"val_loss": loss}))
    return runs


def labelled(logged: Any) -> list[str]:
    methods = (
        {"optimizer": "GradientDescent", "learning_rate": "0.1585"},
        {"optimizer": "Momentum", "learning_rate": "0.0025", "momentum": "0.99", "use_nesterov": "False"},
        {"optimizer": "Adam", "learning_rate": "0.00025", "beta1": "0.9", "beta2": "0.999", "epsilon": "1e-08"},
    )
    return [
        logged({**params, "random_seed": str(seed)}, {"test_acc": 0.9 + 0.001 * seed + len(params) / 1000})
        for params in methods
        for seed in range(7)
    ]


STUDIES = ("compare", "optimizers", "bias_variance", "regularization", "quality")


def table(at: Any, column: str) -> Any:
    """The table that has this column."""
    return next(frame.value for frame in at.dataframe if column in frame.value)


@pytest.mark.parametrize("page", STUDIES)
def test_one_rate_in_three_words_is_one_group(logged: Any, visit: Any, words: Any, page: str) -> None:
    runs = same_value(logged)
    assert "15 runs, 1 group" in words(visit(page, runs=",".join(runs)))


def test_the_runs_page_groups_as_the_others_do(logged: Any, visit: Any) -> None:
    same_value(logged)
    assert table(visit("runs", rows="Groups"), "finite")["n"].tolist() == [15]
    chosen = table(visit("runs", rows="Groups", by="params.lr"), "finite")
    assert chosen["n"].tolist() == [15] and chosen["params.lr"].tolist() == [0.003]


def test_a_lucky_seed_stands_for_no_optimizer(logged: Any, visit: Any, words: Any) -> None:
    text = words(visit("optimizers", runs=",".join(lucky(logged))))
    assert "adam is better than sgd" in text and ui.text("n=10 paired seeds") in text
    assert ui.text("At their best: sgd, lr 0.1; adam, lr 0.1.") in text
    assert ui.text("Shown, but not chosen, since one seed may be luck: sgd with lr 0.05") in text
    assert "may be the cause" not in text, "a grid is what was meant to differ"


def test_a_lucky_seed_is_shown_and_marked_and_leads_nowhere(logged: Any, visit: Any, words: Any) -> None:
    runs = ",".join(lucky(logged))
    at = visit("compare", runs=runs)
    assert ui.text("adam, lr 0.1 leads") in words(at) and "may be the cause" not in words(at)
    ranked = table(at, "place")
    assert ranked["group"].tolist() == [
        "adam, lr 0.1", "sgd, lr 0.1", "adam, lr 0.05", "sgd, lr 0.05", "adam, lr 0.2", "sgd, lr 0.2",
    ]  # fmt: skip
    assert ranked["remarks"].tolist() == ["", "", *["one seed"] * 4]
    assert table(visit("runs", rows="Groups"), "finite")["n"].tolist() == [10, 10, 1, 1, 1, 1]
    assert ui.text("Best at lr 0.1: val_loss 0.4") in words(visit("regularization", runs=runs))
    assert visit("bias_variance", runs=runs).selectbox(key="waterfall-of").options[0] == "adam, lr 0.1"


@pytest.mark.parametrize("page", ["compare", "quality"])
def test_groups_are_called_by_their_optimizers(logged: Any, visit: Any, page: str) -> None:
    at = visit(page, runs=",".join(labelled(logged)))
    offered = at.selectbox(key={"compare": "baseline", "quality": "group"}[page]).options
    assert {*offered} - {"none"} == {"GradientDescent", "Momentum", "Adam"}


def test_the_wall_names_keys_and_not_what_an_optimizer_brings_along(logged: Any, visit: Any, words: Any) -> None:
    text = words(visit("compare", runs=",".join(labelled(logged))))
    assert ui.text("Not only optimizer differs, but also learning_rate: either may be the cause") in text


def test_a_parent_run_that_copies_its_best_child_is_no_group(logged: Any, visit: Any, words: Any) -> None:
    parent = logged({"trials": "4"}, {"val_loss": 0.1})
    children = [
        logged({"lr": lr, "seed": str(seed)}, {"val_loss": loss + seed / 10}, **{"mlflow.parentRunId": parent})
        for lr, loss in (("0.1", 0.1), ("0.2", 0.4))
        for seed in range(2)
    ]
    at = visit("compare", runs=",".join([parent, *children]))
    assert table(at, "place")["group"].tolist() == ["lr 0.1", "lr 0.2"]
    assert "4 runs, 2 groups, without 1 run that only sums up child runs" in words(at)
    assert table(visit("runs", rows="Groups"), "finite")["n"].tolist() == [2, 2]
    assert len(table(visit("runs"), "name")) == 5, "as a run it is listed"
