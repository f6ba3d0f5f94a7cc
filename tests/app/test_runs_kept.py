"""Runs that are kept in memory and brought up to date are those that a fresh look at the store shows."""

from __future__ import annotations

import math
import random
import shutil
import sqlite3
import time
from contextlib import closing
from typing import Any

import pandas as pd
import pytest

from app.runs.incremental import KeptRuns, logged
from app.runs.table import names_of, table_of
from tracking.frames import Selection
from tracking.reader import open_reader


class Store:
    """Edits of a store of two experiments.

    Args:
        uri: the store
        writer: who writes them: MlflowClient, or what has its methods
        folder: where the files of its experiments would lie
    """

    def __init__(self, uri: str, writer: Any, folder: Any) -> None:
        self.path, self.writer = uri.removeprefix("sqlite:///"), writer
        self.experiments = [writer.create_experiment(name, str(folder / name)) for name in ("a", "b")]
        self.runs: list[str] = []
        self.experiment_of: dict[str, str] = {}

    def add(self, dice: random.Random) -> None:
        experiment = dice.choice(self.experiments)
        run = self.writer.create_run(experiment, start_time=dice.randrange(1, 50), run_name="r")
        self.runs.append(run if isinstance(run, str) else run.info.run_id)
        self.experiment_of[self.runs[-1]] = experiment

    def edit(self, dice: random.Random) -> str:
        """Make one random edit; returns what it was."""
        if not self.runs or dice.random() < 0.2:
            self.add(dice)
            return "add"
        run, kind = dice.choice(self.runs), dice.choice(list(EDITS))
        try:
            EDITS[kind](self, run, dice)
        except Exception as error:
            if type(error).__name__ not in REFUSED:
                raise
            return f"{kind} (refused)"
        return kind

    def tags(self, run: str) -> list[str]:
        with closing(sqlite3.connect(self.path)) as store:
            return [key for (key,) in store.execute("SELECT key FROM tags WHERE run_uuid = ? ORDER BY key", (run,))]

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

    def content(self) -> dict[str, list[Any]]:
        """Every table of the store, with the place of a run instead of its id, and without the times of the edits."""
        places = {run: f"run {place}" for place, run in enumerate(self.runs)}
        tables = {}
        with closing(sqlite3.connect(self.path)) as store:
            store.row_factory = sqlite3.Row
            for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                tables[name] = sorted(repr(shown(dict(row), places)) for row in store.execute(f"SELECT * FROM {name}"))
        return tables


REFUSED = {"MlflowException", "Refused"}
"""What a writer raises where a deleted run takes no value, or a param no other one."""
HOUR = 3_600_000


def shown(row: dict[str, Any], places: dict[str, str]) -> dict[str, Any]:
    """A row without what differs from one store to another that was written alike."""
    for column, value in row.items():
        if column.endswith("_time") and value is not None and abs(value - 1000 * time.time()) < HOUR:
            row[column] = "now"
        for run, place in places.items():
            if isinstance(value, str):
                row[column] = row[column].replace(run, place)
    return row


EDITS: dict[str, Any] = {
    "param": lambda s, run, d: s.writer.log_param(run, d.choice("xyz"), d.choice(["1", "2", ""])),
    "metric": lambda s, run, d: s.writer.log_metric(
        run, d.choice(["m", "n"]), d.choice([1.0, math.nan, math.inf, d.random()]), d.randrange(99), d.randrange(4)
    ),
    "tag": lambda s, run, d: s.writer.set_tag(run, d.choice(["t", "u", "event.1"]), d.choice(["1", "2"])),
    "untag": lambda s, run, d: s.writer.delete_tag(run, d.choice([*s.tags(run), "t"])),
    "rename": lambda s, run, d: s.writer.set_tag(run, "mlflow.runName", d.choice("pqr")),
    "end": lambda s, run, d: s.writer.set_terminated(run, d.choice(["FINISHED", "FAILED"]), d.randrange(99)),
    "delete": lambda s, run, d: s.writer.delete_run(run),
    "restore": lambda s, run, d: s.writer.restore_run(run),
    "gone": lambda s, run, d: s.gone(run),
    "vacuum": lambda s, run, d: s.vacuum(),
}


@pytest.fixture
def stored(uri: str, rows: Any, tmp_path: Any) -> Store:
    """A store that is written by SQL."""
    return Store(uri, rows, tmp_path)


@pytest.fixture
def stored_by_mlflow(uri: str, tmp_path: Any) -> Store:
    """A store that MLflow's own client writes."""
    from mlflow import MlflowClient

    return Store(uri, MlflowClient(uri), tmp_path)


def test_a_store_that_is_written_by_sql_is_the_one_that_mlflows_client_writes(
    stored_by_mlflow: Store, store_template: Any, make_rows: Any, tmp_path: Any
) -> None:
    copy = tmp_path / "copy.db"
    shutil.copy(store_template, copy)
    rows = make_rows(f"sqlite:///{copy}")
    by_sql = Store(str(copy), rows, tmp_path)
    stores, done = (stored_by_mlflow, by_sql), []
    dice = [random.Random(0) for _ in stores]
    for _ in range(120):
        edits = [store.edit(its_dice) for store, its_dice in zip(stores, dice, strict=True)]
        assert edits[0] == edits[1], f"after {done}"
        done.append(edits[0])
        assert by_sql.content() == stored_by_mlflow.content(), f"after {done}"
    assert {"add", *EDITS} <= set(done), "every kind of edit was made"
    assert {"param (refused)", "metric (refused)", "untag (refused)"} <= set(done)
    # A whole run, with values that are no numbers, a value that was logged before, and a tag of the experiment.
    metrics = {"m": [1.0, math.nan, math.inf], "n": [-math.inf]}
    by_sql.runs.append(rows.log_run(by_sql.experiments[0], "whole", {"p": "1"}, metrics, {"t": "x"}, start=7))
    rows.log_metric(by_sql.runs[-1], "m", 1.0, 1, 0)
    rows.set_experiment_tag(by_sql.experiments[0], "t", "x")
    client = stored_by_mlflow.writer
    run = client.create_run(stored_by_mlflow.experiments[0], 7, {"t": "x"}, "whole").info.run_id
    stored_by_mlflow.runs.append(run)
    client.log_param(run, "p", "1")
    for key, values in metrics.items():
        for step, value in enumerate(values):
            client.log_metric(run, key, value, step + 1, step)
    client.log_metric(run, "m", 1.0, 1, 0)
    client.set_experiment_tag(stored_by_mlflow.experiments[0], "t", "x")
    for store in stores:
        store.writer.set_terminated(store.runs[-1], "FINISHED", 9)
    assert by_sql.content() == stored_by_mlflow.content()
    # Which value is the latest: that of the highest step, then of the last time, then the highest value.
    ties = [
        (1.0, 5, 1),
        (0.5, 6, 1),
        (9.0, 5, 1),
        (0.7, 6, 1),
        (0.6, 6, 1),
        (math.nan, 6, 1),
        (-1.0, 9, 0),
        (0.1, 1, 2),
    ]
    for value, timestamp, step in ties:
        for store in stores:
            store.writer.log_metric(store.runs[-1], "tie", value, timestamp, step)
        assert by_sql.content() == stored_by_mlflow.content(), (value, timestamp, step)
    assert str(rows.artifacts(by_sql.runs[-1])) == client.get_run(run).info.artifact_uri.replace(run, by_sql.runs[-1])
    rows.close()


def same(kept_runs: KeptRuns, uri: str, note: str) -> None:
    fresh = logged(open_reader(uri).records(kept_runs.selection))
    pd.testing.assert_frame_equal(kept_runs.read(open_reader(uri)), fresh, obj=note)


def edited_and_compared(stored: Store, uri: str, seed: int, steps: int) -> set[str]:
    """Edit a store at random, and compare what is kept with a fresh look after each step; returns the kinds of edit."""
    dice = random.Random(seed)
    every = [KeptRuns(where, deleted) for where in (stored.experiments[0], None) for deleted in (False, True)]
    kinds = set()
    for step in range(steps):
        done = [stored.edit(dice) for _ in range(dice.randrange(1, 6))]
        kinds |= set(done)
        for kept_runs in every:
            same(kept_runs, uri, f"step {step}: {done}")
    return kinds


def test_what_is_kept_is_what_a_fresh_look_shows(stored: Store, uri: str) -> None:
    assert edited_and_compared(stored, uri, seed=0, steps=14) >= {"add", *EDITS}, "every kind of edit was made"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_kept_is_what_a_fresh_look_shows_of_edits_by_mlflow(
    stored_by_mlflow: Store, uri: str, seed: int
) -> None:
    edited_and_compared(stored_by_mlflow, uri, seed, steps=25)


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
    stored.writer.log_param(changed, "new", "1") if kind == "param" else EDITS[kind](stored, changed, dice)
    look, runs, again = reader.changes(Selection(), look)
    assert again == ({changed} if kind != "delete" else set()) and len(runs) == (4 if kind == "delete" else 5)
    if kind == "delete":
        stored.writer.restore_run(changed)
        assert reader.changes(Selection(), look).changed == {changed}


def test_a_store_that_was_written_anew_is_read_anew(stored: Store, uri: str) -> None:
    dice = random.Random(0)
    for _ in range(3):
        stored.add(dice)
        stored.writer.log_metric(stored.runs[-1], "m", 1.0)
    reader = open_reader(uri)
    look = reader.changes(Selection(), None).look
    stored.gone(stored.runs[-1])
    assert reader.changes(Selection(), look).changed is None, "the highest row is not what it was"


def test_all_experiments_are_told_apart(stored: Store, uri: str) -> None:
    dice = random.Random(4)
    for _ in range(8):
        stored.add(dice)
    reader = open_reader(uri)
    table = table_of(KeptRuns(None).read(reader), experiments=names_of(reader.experiments()))
    assert table.always[:2] == ("name", "experiment")
    assert table.frame.set_index("run_id")["experiment"].to_dict() == {
        run: "ab"[stored.experiments.index(stored.experiment_of[run])] for run in stored.runs
    }
