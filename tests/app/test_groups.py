"""What strangers' runs are grouped by and what groups are called: the same on every page."""

from __future__ import annotations

import random
from typing import Any

import pytest


@pytest.fixture
def logged(rows: Any, client: Any) -> Any:
    """`logged(params, metrics, tags)` stores one run after the other in one experiment; its id."""
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


@pytest.mark.parametrize("case", [same_value, lucky, labelled])
@pytest.mark.parametrize("page", ["compare", "optimizers", "bias_variance", "regularization", "quality", "runs"])
def test_explore(logged: Any, visit: Any, words: Any, case: Any, page: str) -> None:
    runs = case(logged)
    at = visit(page, rows="Groups") if page == "runs" else visit(page, runs=",".join(runs))
    print("=====", case.__name__, page)
    print(words(at)[:1800])
    for frame in at.dataframe:
        print(frame.value.to_string()[:1500])
    for box in at.selectbox:
        print(box.label, box.options[:8])
