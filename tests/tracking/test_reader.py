"""Both readers answer with the same frames, and these say what is in the store."""

from __future__ import annotations

import json
import math
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from tracking import schema
from tracking.configurations import parse_value
from tracking.reader import ClientReader, Reader, SqliteReader, commands, events, open_reader, sweep_runs, sweeps
from tracking.schema import MASK
from tracking.store import StoreError, sqlite_path, sqlite_uri
from tracking.sweep_frames import _best

ASKED: dict[str, Callable[[Reader, dict[str, Any]], pd.DataFrame]] = {
    "experiments": lambda r, s: r.experiments(),
    "all runs": lambda r, s: r.runs(),
    "deleted runs": lambda r, s: r.runs(deleted=True),
    "runs of an experiment": lambda r, s: r.runs(experiment_ids=[s["other"]]),
    "runs of a deleted experiment": lambda r, s: r.runs(experiment_ids=[s["gone"]], deleted=True),
    "runs of no experiment": lambda r, s: r.runs(experiment_ids=[]),
    "runs of a sweep": lambda r, s: r.runs(sweep=s["first"]),
    "these runs": lambda r, s: r.runs(run_ids=[s["bare"], s["stranger"], s["bare"], "no such run"]),
    "these runs of a sweep": lambda r, s: r.runs(run_ids=list(s["runs"].values()), sweep=s["highest"]),
    "runs of an empty sweep": lambda r, s: r.runs(sweep=s["empty"]),
    "params": lambda r, s: r.params(s["runs"].values()),
    "params of none": lambda r, s: r.params([]),
    "some params": lambda r, s: r.params(list(s["runs"].values()), keys=["n"]),
    "tags": lambda r, s: r.tags([s["first"], s["stranger"], s["deleted"]]),
    "metrics": lambda r, s: r.metrics([*s["runs"].values(), s["stranger"]]),
    "one metric": lambda r, s: r.metrics(list(s["runs"].values()), keys=["val/loss", "none"]),
    "metrics of none": lambda r, s: r.metrics([s["bare"]]),
    "histories": lambda r, s: r.histories([*s["runs"].values(), s["stranger"]]),
    "one history": lambda r, s: r.histories(list(s["runs"].values()), keys=["train/loss"]),
    "histories of none": lambda r, s: r.histories([]),
    "frame": lambda r, s: r.frame(),
    "frame of a sweep": lambda r, s: r.frame(sweep=s["first"]),
    "frame of an experiment": lambda r, s: r.frame(experiment_ids=[s["other"]]),
    "frame of runs": lambda r, s: r.frame(run_ids=[s["bare"]]),
    "frame of none": lambda r, s: r.frame(sweep="no such sweep"),
    "artifacts": lambda r, s: r.artifacts(s["first"]),
    "no artifacts": lambda r, s: r.artifacts(s["bare"]),
    "sweeps": lambda r, s: sweeps(r),
    "runs in a sweep": lambda r, s: sweep_runs(r, s["first"]),
    "runs in an empty sweep": lambda r, s: sweep_runs(r, s["empty"]),
    "runs in no sweep": lambda r, s: sweep_runs(r, "no such sweep"),
    "events": lambda r, s: events(r, s["first"]),
    "no events": lambda r, s: events(r, s["empty"]),
}


@pytest.fixture(params=[SqliteReader, ClientReader])
def reader(request: pytest.FixtureRequest, filled: dict[str, Any]) -> Reader:
    if request.param is SqliteReader:
        reader = open_reader(filled["uri"])
        assert isinstance(reader, SqliteReader)
        return reader
    return ClientReader(filled["uri"])


@pytest.mark.parametrize("name", ASKED)
def test_both_readers_give_identical_frames(name: str, filled: dict[str, Any]) -> None:
    ours = ASKED[name](open_reader(filled["uri"]), filled)
    theirs = ASKED[name](ClientReader(filled["uri"]), filled)
    assert_frame_equal(ours, theirs, check_exact=True)
    assert ("none" in name or "no " in name or "empty" in name) == ours.empty


def test_runs_are_those_of_mlflow(reader: Reader, filled: dict[str, Any]) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    client = MlflowClient(filled["uri"])
    ids = [experiment.experiment_id for experiment in client.search_experiments(ViewType.ALL)]
    theirs = {run.info.run_id: run for run in client.search_runs(ids)}
    frame = reader.runs()
    assert set(frame["run_id"]) == set(theirs)
    assert list(frame["start_time"]) == sorted(frame["start_time"])
    for row in frame.itertuples():
        info = theirs[row.run_id].info
        assert (row.name, row.experiment_id, row.status) == (info.run_name, info.experiment_id, info.status)
        assert row.start_time == info.start_time and row.artifact_uri == info.artifact_uri
        assert info.end_time == (None if pd.isna(row.end_time) else row.end_time)


def test_the_wide_frame_holds_every_value(reader: Reader, filled: dict[str, Any]) -> None:
    frame = reader.frame().set_index("run_id")
    ids = list(frame.index)
    for prefix, part in (("params", reader.params(ids)), ("metrics", reader.metrics(ids)), ("tags", reader.tags(ids))):
        assert len(part)
        for row in part.itertuples():
            value = frame.loc[row.run_id, f"{prefix}.{row.key}"]
            assert value == row.value or (pd.isna(value) and pd.isna(row.value))
        columns = [column for column in frame if column.startswith(f"{prefix}.")]
        assert columns == sorted({f"{prefix}.{key}" for key in part["key"]})
        assert frame[columns].notna().sum().sum() == part["value"].notna().sum()


def test_nan_and_infinity(reader: Reader, filled: dict[str, Any]) -> None:
    values = reader.histories([filled["stranger"]], ["odd"])["value"]
    assert values[0] == 1.0 and math.isnan(values[1]) and values[2] == math.inf
    latest = reader.metrics([filled["stranger"]]).set_index("key")
    assert math.isnan(latest.loc["lost", "value"])
    assert latest.loc["odd", "step"] == 2


def test_secrets_are_masked(reader: Reader, filled: dict[str, Any]) -> None:
    assert set(reader.params(filled["runs"].values(), ["api_key"])["value"]) == {MASK}
    tags = reader.tags([filled["stranger"]]).set_index("key")["value"]
    assert tags["auth.token"] == MASK and tags["max_tokens"] == "12"
    assert "hidden" not in reader.frame().to_csv()


def test_sweeps(reader: Reader, filled: dict[str, Any]) -> None:
    frame = sweeps(reader).set_index("sweep")
    assert set(frame.index) == {filled["first"], filled["highest"], filled["empty"]}
    assert list(frame["created"]) == sorted(frame["created"], reverse=True)
    first = frame.loc[filled["first"]]
    counted = {name: first[name] for name in ("ok", "diverged", "pruned", "stopped", "crashed", "running", "done")}
    # The crashed run was superseded: it does not count.
    assert counted == {"ok": 3, "diverged": 1, "pruned": 0, "stopped": 1, "crashed": 0, "running": 1, "done": 5}
    # g2 has the lower mean, but a diverged seed; g3 has no ok run that counts.
    assert first["best_group"] == "g1" and first["best"] == pytest.approx((0.5 + 0.3) / 2)
    assert first["best_name"] == "adam, lr 0.1, betas 0.9-0.999"
    assert (first["trials"], first["seeds"], first["planned"]) == (3, 2, 6)
    assert first["searched"] == ["optimizer.name", "optimizer.lr", "optimizer.betas"]
    assert (first["state"], first["question"], first["experiment"]) == ("running", "Which?", "first")
    assert (first["metric"], first["direction"]) == ("val/loss", "minimize")
    highest = frame.loc[filled["highest"]]
    assert (highest["best"], highest["best_group"]) == (0.7, "g2")
    empty = frame.loc[filled["empty"]]
    assert math.isnan(empty["best"]) and empty["done"] == 0 and empty["best_name"] == "" and empty["searched"] == []
    assert empty["state"] == "queued"


def test_a_sweep_with_confirm_runs_is_judged_by_these_alone() -> None:
    runs = pd.DataFrame(
        [
            ("s", "lucky", "search", "ok", 0.1), ("s", "sound", "search", "ok", 0.2),
            ("s", "lucky+", "confirm", "ok", 0.5), ("s", "sound+", "confirm", "ok", 0.3),
            ("t", "only", "search", "ok", 0.4), ("t", "begun", "confirm", "running", math.nan),
        ],
        columns=["parent", "group", "phase", "outcome", "objective"],
    ).assign(name="x · seed 0", run_id="r")  # fmt: skip
    best = _best(runs, pd.Series({"s": False, "t": False}))
    assert best.loc["s", ["group", "objective"]].to_list() == ["sound+", 0.3]
    assert best.loc["t", "group"] == "only"


def test_sweep_runs(reader: Reader, filled: dict[str, Any]) -> None:
    frame = sweep_runs(reader, filled["first"])
    ids = {run_id: key for key, run_id in filled["runs"].items()}
    frame.index = pd.Index([ids[run_id] for run_id in frame["run_id"]])
    assert list(frame.index) == ["a-1-0", "a-1-1", "a-2-0", "a-2-1", "a-3-0", "again-a-3-0", "a-3-1"]
    assert list(frame["trial"]) == [1, 1, 2, 2, 3, 3, 3] and list(frame["seed"]) == [0, 1, 0, 1, 0, 0, 1]
    assert list(frame["counts"]) == [True, True, True, True, False, True, True]
    assert list(frame["outcome"]) == ["ok", "ok", "ok", "diverged", "crashed", "running", "stopped"]
    assert list(frame["status"]) == ["FINISHED"] * 4 + ["FAILED", "RUNNING", "KILLED"]
    assert frame.loc["a-3-0", "error"] == "It broke." and frame.loc["a-1-0", "error"] == ""
    assert frame["objective"].isna().sum() == 2 and pd.isna(frame.loc["again-a-3-0", "end_time"])
    assert list(frame["optimizer.lr"]) == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.001]
    assert frame["optimizer.lr"].dtype == "float64"
    assert frame.loc["a-1-0", "optimizer.betas"] == [0.9, 0.999] and frame.loc["a-2-0", "optimizer.betas"] is None
    assert set(frame["optimizer.name"]) == {"adam"}


def test_events_and_commands(reader: Reader, filled: dict[str, Any]) -> None:
    frame = events(reader, filled["first"])
    assert list(frame["at"]) == [7, 5] and list(frame["text"]) == ["a run crashed", "began"]
    assert frame["run"][0] == "x" and pd.isna(frame["run"][1])
    assert commands(reader, filled["first"]) == {"abc": {"do": "pause"}}


@pytest.mark.parametrize("value", [1, -3, 0.01, 1e-05, 1e22, True, False, None, [1, 2], [0.9], "adam", "relu", ""])
def test_params_are_parsed_back(value: Any) -> None:
    for text in (str(value), value if isinstance(value, str) else json.dumps(value)):
        parsed = parse_value(text)
        assert parsed == value and type(parsed) is type(value)


def test_a_store_without_sweeps(uri: str) -> None:
    for reader in (open_reader(uri), ClientReader(uri)):
        assert sweeps(reader).empty and reader.runs().empty and reader.frame().empty
        assert list(reader.experiments()["name"]) == ["Default"]


def test_many_run_ids(filled: dict[str, Any]) -> None:
    ids = [*(f"{number:032x}" for number in range(40_000)), filled["bare"]]
    assert list(open_reader(filled["uri"]).runs(run_ids=ids)["run_id"]) == [filled["bare"]]
    few = [*ids[:500], filled["bare"]]
    assert list(ClientReader(filled["uri"]).runs(run_ids=few)["run_id"]) == [filled["bare"]]


def test_artifacts_stay_in_their_folder(reader: Reader, filled: dict[str, Any], helpers: Any) -> None:
    listed = reader.artifacts(filled["first"])
    assert list(listed["path"]) == ["spec.yaml"] and list(listed["size"]) == [len("name: x\n")]
    assert reader.artifact(filled["first"], "spec.yaml") == b"name: x\n"
    path = sqlite_path(filled["uri"])
    assert path is not None
    secret = path.parent / "secret.txt"
    secret.write_text("secret")
    (folder,) = path.parent.glob(f"mlartifacts/*/{filled['first']}/artifacts")
    links = [(folder / "link.txt", secret), (folder / "folder", path.parent)]
    for link, target in links:
        link.symlink_to(target)
    try:
        assert list(reader.artifacts(filled["first"])["path"]) == ["spec.yaml"]
        for bad in ("link.txt", "folder/secret.txt", "../../../../secret.txt", str(secret), "", ".", "..", "a/../.."):
            with pytest.raises(StoreError, match="leads out"):
                reader.artifact(filled["first"], bad)
    finally:
        for link, _ in links:
            link.unlink()
    with pytest.raises(FileNotFoundError):
        reader.artifact(filled["first"], "none.txt")
    with pytest.raises(StoreError):
        reader.artifacts("0" * 32)


def test_the_version_changes_with_the_store(uri: str, helpers: Any) -> None:
    reader = open_reader(uri)
    path = sqlite_path(uri)
    assert path is not None
    os.utime(path, ns=(1, 1))
    before = reader.version()
    assert before == reader.version()
    helpers.sweep(uri)
    assert reader.version() != before


def test_a_write_within_the_tick_of_the_clock_is_noticed(
    uri: str, helpers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracking.reader._FRESH_NS", 1_000_000_000)
    reader = open_reader(uri)
    path = sqlite_path(uri)
    assert path is not None
    now = time.time_ns()
    os.utime(path, ns=(now, now))
    early = reader.version()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE experiments SET name = 'b'")
    connection.commit()
    connection.close()
    os.utime(path, ns=(now, now))
    helpers.wait_for(lambda: reader.version() != early)


def test_no_store_yet(tmp_path: Path) -> None:
    reader = open_reader(sqlite_uri(tmp_path / "mlflow.db"))
    assert reader.version() == ""
    with pytest.raises(StoreError, match="no store"):
        reader.runs()
    assert not list(tmp_path.iterdir())


def test_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("not a database " * 100)
    with pytest.raises(StoreError, match="no SQLite database"):
        open_reader(sqlite_uri(tmp_path / "x.db")).runs()


def test_no_server() -> None:
    with pytest.raises(StoreError, match="does not answer") as caught:
        open_reader("http://user:pass@127.0.0.1:9").runs()
    assert "pass" not in str(caught.value)


def test_a_store_whose_writer_was_killed_can_be_read(uri: str, tmp_path: Path) -> None:
    path = sqlite_path(uri)
    assert path is not None
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN")
    writer.execute("UPDATE experiments SET name = 'half done'")
    writer.executemany("INSERT INTO experiment_tags VALUES (?, 'x', 0)", [(f"{i:090}",) for i in range(2000)])
    copy = tmp_path / "killed.db"
    # What kill -9 leaves: pages already written, and the journal that takes them back.
    shutil.copy(path, copy)
    shutil.copy(f"{path}-journal", f"{copy}-journal")
    writer.close()
    assert open_reader(sqlite_uri(copy)).experiments()["name"].tolist() == ["Default"]
    assert not Path(f"{copy}-journal").exists()


def test_a_locked_store_is_a_sentence(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracking._sqlite.TIMEOUT", 0.05)
    path = sqlite_path(uri)
    assert path is not None
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="another process keeps it locked"):
        open_reader(uri).runs()
    holder.close()
    assert open_reader(uri).runs().empty


def test_reading_leaves_no_lock(filled: dict[str, Any], tmp_path: Path) -> None:
    path = sqlite_path(filled["uri"])
    assert path is not None
    shutil.copy(path, tmp_path / "copy.db")
    reader = open_reader(sqlite_uri(tmp_path / "copy.db"))
    assert len(reader.frame()) and len(reader.histories(reader.runs()["run_id"]))
    with sqlite3.connect(tmp_path / "copy.db", timeout=0) as connection:
        connection.execute("BEGIN EXCLUSIVE")
    connection.close()


def test_kinds_of_columns(filled: dict[str, Any]) -> None:
    frame = open_reader(filled["uri"]).frame(sweep=filled["first"])
    assert frame["start_time"].dtype == "int64" and frame["end_time"].dtype == "Int64"
    assert frame["metrics.val/loss"].dtype == "float64"
    assert frame["params.optimizer.lr"].dtype == frame[f"tags.{schema.TRIAL}"].dtype == frame["run_id"].dtype
