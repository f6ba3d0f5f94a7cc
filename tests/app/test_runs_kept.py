"""Runs that are kept in memory and brought up to date are those that a fresh look at the store shows."""

from __future__ import annotations

import math
import random
import sqlite3
from contextlib import closing
from typing import Any

import pandas as pd
import pytest

from app.runs_kept import KeptRuns, logged
from app.runs_table import names_of, table_of
from tracking.frames import Selection
from tracking.reader import open_reader


class Store:
    """Edits of a store, most of them by MLflow's own client."""

    def __init__(self, uri: str, folder: Any) -> None:
        from mlflow import MlflowClient

        self.uri, self.path = uri, uri.removeprefix("sqlite:///")
        self.mlflow = MlflowClient(uri)
        self.experiments = [self.mlflow.create_experiment(name, str(folder / name)) for name in ("a", "b")]
        self.runs: list[str] = []

    def add(self, dice: random.Random) -> None:
        run = self.mlflow.create_run(dice.choice(self.experiments), start_time=dice.randrange(1, 50), run_name="r")
        self.runs.append(run.info.run_id)

    def edit(self, dice: random.Random) -> str:
        """One random edit; what it was."""
        if not self.runs or dice.random() < 0.2:
            self.add(dice)
            return "add"
        from mlflow import MlflowException

        run, kind = dice.choice(self.runs), dice.choice(list(EDITS))
        try:
            EDITS[kind](self, run, dice)
        except MlflowException:  # a deleted run takes no value, a param no other one
            return f"{kind} (refused)"
        return kind

    def gone(self, run: str) -> None:
        """What `mlflow gc` leaves of a run: nothing."""
        with closing(sqlite3.connect(self.path)) as store:
            for table in ("params", "tags", "metrics", "latest_metrics", "runs"):
                store.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (run,))
            store.commit()
        self.runs.remove(run)

    def vacuum(self) -> None:
        with closing(sqlite3.connect(self.path)) as store:
            store.execute("VACUUM")


EDITS: dict[str, Any] = {
    "param": lambda s, run, d: s.mlflow.log_param(run, d.choice("xyz"), d.choice(["1", "2", ""])),
    "metric": lambda s, run, d: s.mlflow.log_metric(
        run, d.choice(["m", "n"]), d.choice([1.0, math.nan, math.inf, d.random()]), d.randrange(99), d.randrange(4)
    ),
    "tag": lambda s, run, d: s.mlflow.set_tag(run, d.choice(["t", "u", "event.1"]), d.choice(["1", "2"])),
    "untag": lambda s, run, d: s.mlflow.delete_tag(run, d.choice([*sorted(s.mlflow.get_run(run).data.tags), "t"])),
    "rename": lambda s, run, d: s.mlflow.set_tag(run, "mlflow.runName", d.choice("pqr")),
    "end": lambda s, run, d: s.mlflow.set_terminated(run, d.choice(["FINISHED", "FAILED"]), d.randrange(99)),
    "delete": lambda s, run, d: s.mlflow.delete_run(run),
    "restore": lambda s, run, d: s.mlflow.restore_run(run),
    "gone": lambda s, run, d: s.gone(run),
    "vacuum": lambda s, run, d: s.vacuum(),
}


@pytest.fixture
def stored(uri: str, tmp_path: Any) -> Store:
    return Store(uri, tmp_path)


def same(kept: KeptRuns, uri: str, note: str) -> None:
    fresh = logged(open_reader(uri).records(kept.selection))
    pd.testing.assert_frame_equal(kept.read(open_reader(uri)), fresh, obj=note)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_kept_is_what_a_fresh_look_shows(stored: Store, uri: str, seed: int) -> None:
    dice = random.Random(seed)
    every = [KeptRuns(where, deleted) for where in (stored.experiments[0], None) for deleted in (False, True)]
    for step in range(25):
        done = [stored.edit(dice) for _ in range(dice.randrange(1, 6))]
        for kept in every:
            same(kept, uri, f"step {step}: {done}")


@pytest.mark.parametrize("kind", ["param", "metric", "tag", "rename", "end", "delete"])
def test_one_edit_reads_one_run_again(stored: Store, uri: str, kind: str) -> None:
    dice = random.Random(0)
    for _ in range(5):
        stored.add(dice)
    for run in stored.runs:
        for name in ("metric", "param", "tag"):
            EDITS[name](stored, run, dice)
    reader = open_reader(uri)
    look, _, again = reader.changes(Selection(), None)
    assert again is None, "nothing is known at first"
    look, runs, again = reader.changes(Selection(), look)
    assert again == frozenset() and len(runs) == 5
    changed = stored.runs[2]
    stored.mlflow.log_param(changed, "new", "1") if kind == "param" else EDITS[kind](stored, changed, dice)
    look, runs, again = reader.changes(Selection(), look)
    assert again == ({changed} if kind != "delete" else set()) and len(runs) == (4 if kind == "delete" else 5)
    if kind == "delete":
        stored.mlflow.restore_run(changed)
        assert reader.changes(Selection(), look).again == {changed}


def test_a_store_that_was_written_anew_is_read_anew(stored: Store, uri: str) -> None:
    dice = random.Random(0)
    for _ in range(3):
        stored.add(dice)
        stored.mlflow.log_metric(stored.runs[-1], "m", 1.0)
    reader = open_reader(uri)
    look = reader.changes(Selection(), None).look
    stored.gone(stored.runs[-1])
    assert reader.changes(Selection(), look).again is None, "the highest row is not what it was"


def test_all_experiments_are_told_apart(stored: Store, uri: str) -> None:
    dice = random.Random(4)
    for _ in range(8):
        stored.add(dice)
    reader = open_reader(uri)
    table = table_of(KeptRuns(None).read(reader), experiments=names_of(reader.experiments()))
    assert table.own[:2] == ("name", "experiment")
    assert table.frame.set_index("run_id")["experiment"].to_dict() == {
        run: "ab"[stored.experiments.index(stored.mlflow.get_run(run).info.experiment_id)] for run in stored.runs
    }
