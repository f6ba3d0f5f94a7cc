"""The table of runs: what each param stands for is read once, and which columns tell groups apart follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.runs import table as runs_table
from app.runs.incremental import HEARD
from app.runs.table import GROUP, groups, table_of
from tracking.configurations import values_of


def logged(**params: list[str | None]) -> pd.DataFrame:
    """Runs with these params, as they were logged."""
    size = len(next(iter(params.values())))
    frame = pd.DataFrame(
        {
            "run_id": [f"r{k}" for k in range(size)], "name": "run", "experiment_id": "1", "status": "FINISHED",
            "lifecycle": "active", "parent": None, "start_time": np.arange(size) + 1_000, HEARD: 1_000.0,
            "end_time": np.arange(size) + 2_000,
        }
    )  # fmt: skip
    return frame.assign(**{f"params.{key}": np.array(texts, dtype=object) for key, texts in params.items()})


def test_each_different_text_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page once read 10,000 texts of each param several times, at every look at the groups."""
    read: list[Any] = []

    def spied(key: str, texts: Iterable[Any], ours: Iterable[bool]) -> list[Any]:
        read.extend(listed := list(texts))
        return values_of(key, listed, ours)

    monkeypatch.setattr(runs_table, "values_of", spied)
    table = table_of(logged(lr=["0.1", "0.2", "0.1", "1e-1"] * 5, depth=["2"] * 20, seed=["1", "2", "3", "4"] * 5))
    assert [table.telling for _ in range(2)] == [["params.lr"]] * 2
    assert sorted(read) == ["0.1", "0.2", "1", "1e-1", "2", "3", "4"]


def test_texts_of_one_value_have_one_code_and_are_one_group() -> None:
    table = table_of(logged(lr=["0.1", "1e-1", "0.2", None], seed=["1", "2", "1", "1"]))
    lrs = dict(zip(table.frame["params.lr"], table.codes["params.lr"], strict=True))
    assert lrs["0.1"] == lrs["1e-1"] and len({*lrs.values()}) == 3
    assert table.frame[GROUP].nunique() == len(groups(table.frame, ["params.lr"], [])) == 3
    assert sorted(groups(table.frame, ["params.lr"], [])["runs"].map(len)) == [1, 1, 2]


def test_what_only_lacks_in_some_is_shown_where_nothing_else_tells_groups_apart() -> None:
    follows = table_of(logged(optimizer=["sgd", "adam"] * 2, momentum=["0.9", None] * 2, seed=["1", "1", "2", "2"]))
    assert follows.telling == ["params.optimizer"] and follows.differing != follows.varied
    alone = table_of(logged(optimizer=["sgd", "adam"] * 2, momentum=["0.9", None, None, None]))
    assert alone.telling == ["params.optimizer", "params.momentum"]
    assert table_of(logged(lr=["0.1"] * 3)).telling == []
