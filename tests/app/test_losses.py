"""Losses of different kinds are never compared in silence: every page that compares runs says it in red."""

from __future__ import annotations

from typing import Any

import pytest

from app.shared import ui

PAGES = ("compare", "optimizers", "bias_variance", "regularization")
SENTENCE = "The runs minimise different losses (cross_entropy and squared), so that val/loss is another number"
DIGITS = {"model.name": "mlp", "data.name": "digits"}


@pytest.fixture
def logged(rows: Any, client: Any) -> Any:
    """`logged(params, params, ...)`: the address of six runs of each configuration, as Sweepboard would log them."""
    experiment = rows.create_experiment("losses")
    clock = iter(range(1, 10_000))

    def log(*configurations: dict[str, str]) -> str:
        runs = []
        for place, params in enumerate(configurations):
            for seed in range(6):
                start, value = 1000 * next(clock), 0.1 + 0.1 * place + 0.01 * seed
                metrics = {name: value for name in ("val/loss", "val/error", "train_eval/loss", "train_eval/error")}
                seeds = {"seeds.data": str(seed), "seeds.init": str(seed), "seeds.order": str(seed)}
                runs.append(
                    str(rows.log_run(experiment, f"run-{start}", {**params, **seeds}, metrics, {}, start=start))
                )
        return ",".join(runs)

    return log


def judged_by(visit: Any, page: str, runs: str, metric: str) -> Any:
    return visit(page, runs=runs, **{"metric" if page == "compare" else "dev": metric})


@pytest.mark.parametrize("page", PAGES)
def test_different_losses_are_said_wherever_runs_are_compared_by_them(
    logged: Any, visit: Any, words: Any, page: str
) -> None:
    runs = logged({**DIGITS, "model.loss": "auto"}, {**DIGITS, "model.loss": "squared"})
    assert ui.text(SENTENCE) in words(judged_by(visit, page, runs, "val/loss"))
    assert "different losses" not in words(judged_by(visit, page, runs, "val/error"))


def test_the_default_is_the_loss_that_it_stands_for(logged: Any, visit: Any, words: Any) -> None:
    runs = logged(DIGITS, {**DIGITS, "model.loss": "cross_entropy"})
    assert "different losses" not in words(judged_by(visit, "compare", runs, "val/loss"))


def test_the_loss_of_a_perceptron_is_no_cross_entropy(logged: Any, visit: Any, words: Any) -> None:
    models = ({"model.name": name, "data.name": "moons"} for name in ("perceptron", "logistic_regression"))
    text = words(judged_by(visit, "compare", logged(*models), "val/loss"))
    assert ui.text("different losses (cross_entropy and wrong_answers)") in text


SPEC = """
name: s
model: {{name: mlp}}
data: {{name: digits}}
search:
  {search}
objective: {{metric: {metric}, direction: minimize}}
"""
SEARCHED = "model.loss: {values: [cross_entropy, squared]}"
COUPLED = "which: {settings: {a: {model.loss: squared}, b: {model.hidden_sizes: [8]}}}"


@pytest.mark.parametrize(
    ("search", "metric", "said"),
    [
        (SEARCHED, "val/loss", True),
        (COUPLED, "val/loss", True),
        (SEARCHED, "val/error", False),
        ("model.loss: {values: [auto, cross_entropy]}", "val/loss", False),
        ("model.dropout: {values: [0.0, 0.5]}", "val/loss", False),
    ],
)
def test_the_page_of_a_sweep_that_ranks_different_losses_says_so(
    fake: Any, open_page: Any, words: Any, search: str, metric: str, said: bool
) -> None:
    fake.add("s", "finished", {("adam", 0.01): ["ok"] * 6, ("sgd", 0.01): ["ok"] * 6}, metric=metric)
    fake.spec = SPEC.format(search=search, metric=metric)
    assert (ui.text(SENTENCE) in words(open_page("sweep", sweep="s"))) == said
