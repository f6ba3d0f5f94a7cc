"""Runs as strangers log them, each kind odd in one way: every page answers, and says what they are."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

PAGES = ("runs", "compare", "bias_variance", "optimizers", "regularization", "quality", "run")
"""Those that show runs that no sweep of ours has trained."""


@pytest.fixture
def logged(rows: Any, client: Any) -> Any:
    """`logged(params, metrics)` stores one run after the other in one experiment; its id."""
    experiment = rows.create_experiment("odd")
    clock = iter(range(1, 10_000))

    def log(params: Any, metrics: Any) -> str:
        start = 1000 * next(clock)
        return str(rows.log_run(experiment, f"run {start}", params, metrics, start=start))

    log.experiment = experiment  # type: ignore[attr-defined]
    return log


def opened(visit: Any, page: str, experiment: str, runs: list[str]) -> Any:
    """A page on these runs."""
    address = {"runs": {"experiment": experiment}, "run": {"run": runs[-1]}}
    return visit(page, **address.get(page, {"runs": ",".join(runs)}))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("end", [math.inf, math.nan])
def test_a_loss_that_became_no_number_is_no_result_on_any_page(
    logged: Any, visit: Any, words: Any, page: str, end: float
) -> None:
    """MLflow stores infinity as the largest number, which is no result."""
    runs = [
        logged(
            {"lr": lr, "optimizer": method, "seed": str(seed)},
            {key: [1.0, 0.5, last + seed / 100] for key in ("train_loss", "val_loss")},
        )
        for method, lr, last in (("sgd", "0.1", 0.4), ("adam", "10.0", end))
        for seed in range(3)
    ]
    text = words(opened(visit, page, logged.experiment, runs))
    assert "e+30" not in text and "e308" not in text
    if page in ("compare", "optimizers"):
        assert "diverged in 3 of 3 runs" in text
    if page == "optimizers":
        assert "3 of 6 runs diverged" in text


# Names that steer the text around them

STEERING = ("\u202e", "\u2066", "\u200b", "\u200f", "\u2028", "\x1b[")


def sent(at: Any) -> str:
    """Everything that a page sends to the browser: texts, options, tables, figures."""
    nodes = [node for block in (at.main, at.sidebar) for node in block if getattr(node, "proto", None) is not None]
    return "\n".join(node.proto.SerializeToString().decode("utf-8", "ignore") for node in nodes)


@pytest.fixture
def steering(rows: Any, client: Any) -> list[str]:
    """Runs whose names, keys, values, notes and files hold characters that steer text; their ids."""
    experiment = rows.create_experiment("\u2066experiment")
    runs = []
    for method in ("adam\u200b", "adam"):
        for seed in range(3):
            params = {"opt.\u2066name": method, "seed": str(seed), "te\u200fxt": "\x1b[31mred"}
            curve = [1.0, 0.5, 0.4 + seed / 100 + len(method) / 50]
            metrics = {"val_loss\u202e": curve, "train_loss": curve}
            tags = {"ta\u202eg": "a\u2028b", "mlflow.note.content": "no\u202ete", "error": "\u202eerror"}
            runs.append(rows.log_run(experiment, f"\u202eevil {seed}", params, metrics, tags, start=1000))
    file = rows.artifacts(runs[-1]) / "no\u200bte.txt"
    file.write_text("\u202etext")
    return runs


@pytest.mark.parametrize("page", PAGES)
def test_a_name_steers_no_text_on_any_page(steering: list[str], visit: Any, page: str) -> None:
    shown = sent(opened(visit, page, "", steering))
    for text in STEERING:
        assert text not in shown and json.dumps(text)[1:-1] not in shown
    if page in ("runs", "run"):
        assert "[U+202E]evil" in shown.replace("\\", "")
    if page in ("runs", "compare", "optimizers", "regularization"):
        assert "adam[U+200B]" in shown, "two names that differ stay two"


def test_what_has_such_a_name_is_found_by_it(steering: list[str], visit: Any) -> None:
    at = visit("run", run=steering[-1])
    assert any("val_loss[U+202E]" in chart.proto.spec for chart in at.get("plotly_chart")), "the curve was read"
    at = visit("run", run=steering[-1], about="Files")
    assert at.dataframe[0].value["file"].tolist() == ["no[U+200B]te.txt"]
