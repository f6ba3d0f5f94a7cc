"""Runs as strangers log them, each kind odd in one way: every page answers, and says what they are."""

from __future__ import annotations

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
