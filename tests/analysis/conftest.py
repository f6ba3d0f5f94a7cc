"""What the tests of methods and of strengths share: runs by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

NAMED = ("optimizer.name", "optimizer.lr")


def _runs(
    search: Mapping[tuple[str, Any], Sequence[float | None]],
    confirm: Mapping[tuple[str, Any], Sequence[float | None]] | None = None,
    *,
    keys: tuple[str, str] = NAMED,
    first: int = 1000,
) -> pd.DataFrame:
    """Runs from the seeds' results by (method, rate); None diverged, nan runs. Confirm runs have seeds from `first`."""
    rows = []
    for phase, start, trials in (("search", 0, search), ("confirm", first, confirm or {})):
        for trial, (key, values) in enumerate(trials.items()):
            for seed, value in enumerate(values, start=start):
                outcome = "diverged" if value is None else "running" if math.isnan(value) else "ok"
                rows.append(
                    {
                        "run_id": f"{phase}-{trial}-{seed}", "group": f"{phase}{trial}", "trial": trial, "seed": seed,
                        "phase": phase, "outcome": outcome, "objective": math.nan if value is None else value,
                        keys[0]: key[0], keys[1]: key[1],
                    }
                )  # fmt: skip
    columns = ["run_id", "group", "trial", "seed", "phase", "outcome", "objective", *keys]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def method_runs() -> Callable[..., pd.DataFrame]:
    """`method_runs({("adam", 0.01): [0.1, 0.2]})`: a frame of runs."""
    return _runs


def _strength_runs(
    results: Mapping[tuple[Any, ...], Sequence[float | str]], keys: Sequence[str], phase: str = "search"
) -> pd.DataFrame:
    """Params -> the error of each seed on validation data, or the word for what became of it; half on training data."""
    rows = []
    for values, seeds in results.items():
        for seed, result in enumerate(seeds):
            error = math.nan if isinstance(result, str) else result
            rows.append(
                {
                    "run_id": f"{phase}-{values}-{seed}", "group": f"{phase}-{values}", "seed": seed, "phase": phase,
                    "outcome": result if isinstance(result, str) else "ok", "dev": error, "train": error / 2,
                }
                | dict(zip(keys, values, strict=True))
            )  # fmt: skip
    typed = {key: pd.Series([row[key] for row in rows], dtype=object) for key in keys}
    return pd.DataFrame(rows).assign(**typed)


@pytest.fixture
def strength_runs() -> Callable[..., pd.DataFrame]:
    """`strength_runs({(0.0, 0.1): [0.2, "diverged"]}, ["regularization.l2", "optimizer.lr"])`: a frame of runs."""
    return _strength_runs
