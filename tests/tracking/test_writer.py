"""All that is queued is stored once, in order, through a full disk or a lock; what is refused is told."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from tracking import _calls, _mlflow, schema
from tracking import writer as writer_module
from tracking._calls import Item
from tracking._ops import MAX_ITEMS, MAX_PARAMS, MAX_TAGS, Log, chunks
from tracking.reader import open_reader, sweeps
from tracking.schema import Outcome, State
from tracking.store import StoreError, sqlite_path
from tracking.writer import NewRun, Writer, create_sweep, set_tags

Open = Callable[[str], Writer]


def integrity(uri: str) -> str:
    with sqlite3.connect(str(sqlite_path(uri))) as connection:
        report = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    return str(report)


def rows(uri: str, sql: str) -> list[Any]:
    connection = sqlite3.connect(str(sqlite_path(uri)))
    records = connection.execute(sql).fetchall()
    connection.close()
    return records


def begin(open_writer: Open, uri: str, helpers: Any, listener: Any) -> tuple[Writer, str, str]:
    """A writer with a run that exists."""
    sweep = helpers.sweep(uri)
    writer = open_writer(uri)
    writer.start_run("key", helpers.run(sweep))
    assert writer.flush(30)
    return writer, sweep, listener.created["key"]


def test_a_sweep_is_queued_whole(uri: str) -> None:
    files = {schema.SPEC_FILE: "name: ü\n", schema.TRIALS_FILE: "[]", "deep/er.txt": ""}
    tags = {schema.PLANNED: "4", "long": "x" * 9000}
    sweep = create_sweep(uri, experiment="an / odd: näme", name="mine", note="Which?", tags=tags, files=files)
    reader = open_reader(uri)
    run = reader.runs(run_ids=[sweep]).iloc[0]
    assert (run["name"], run["status"]) == ("mine", "SCHEDULED")
    sweep_tags = reader.tags([sweep]).set_index("key")["value"]
    assert (
        sweep_tags[schema.STATE] == "queued"
        and sweep_tags[schema.SWEEP] == sweep
        and sweep_tags[schema.NOTE] == "Which?"
    )
    assert sweep_tags[schema.PLANNED] == "4" and len(sweep_tags["long"]) == 8000
    assert {path: reader.artifact(sweep, path).decode() for path in reader.artifacts(sweep)["path"]} == files
    again = create_sweep(uri, experiment="an / odd: näme", name="two", note="", tags={}, files={})
    assert reader.runs(run_ids=[again])["experiment_id"][0] == run["experiment_id"]


def test_a_sweep_that_cannot_be_written_leaves_no_queued_one(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_calls, "put_file", fail)
    with pytest.raises(StoreError, match="the disk is full"):
        create_sweep(uri, experiment="e", name="n", note="", tags={}, files={"spec.yaml": ""})
    assert sweeps(open_reader(uri)).empty


def test_launches_in_the_same_second(uri: str, helpers: Any) -> None:
    code = f"""
from tracking.writer import create_sweep
print(create_sweep({uri!r}, experiment="same", name="n", note="", tags={{}}, files={{"spec.yaml": "a"}}))
"""
    ids = set(helpers.at_once(code, 3).split())
    frame = sweeps(open_reader(uri))
    assert set(frame["sweep"]) == ids and len(ids) == 3
    assert set(frame["experiment"]) == {"same"} and frame["experiment_id"].nunique() == 1
    assert set(frame["state"]) == {"queued"}


def test_a_deleted_experiment_is_a_sentence(uri: str) -> None:
    client = _mlflow.client(uri)
    client.delete_experiment(client.create_experiment("gone"))
    with pytest.raises(StoreError, match="'gone' was deleted"):
        create_sweep(uri, experiment="gone", name="n", note="", tags={}, files={})


def test_tags_at_once(uri: str, helpers: Any) -> None:
    sweep = helpers.sweep(uri)
    set_tags(uri, sweep, {"cmd.x": "{}"})
    assert open_reader(uri).tags([sweep], ["cmd.x"])["value"].tolist() == ["{}"]
    with pytest.raises(StoreError, match="not found"):
        set_tags(uri, "0" * 32, {"a": "b"})


def test_a_run_from_beginning_to_end(uri: str, helpers: Any, listener: Any, open_writer: Open, tmp_path: Path) -> None:
    sweep = helpers.sweep(uri)
    writer = open_writer(uri)
    long = "x" * 7000
    tags = {schema.KIND: "run", schema.TRIAL: "3"}
    writer.start_run("key", NewRun("1", "adam · seed 2", tags, {"a.b": "1", "model.text": long}, helpers.now, sweep))
    file = tmp_path / "weights.pt"
    file.write_bytes(b"weights")
    writer.log_file("key", file, schema.WEIGHTS_FILE, delete=True)
    writer.log_dataset(
        "key", {"name": "digits", "digest": "abc", "source": "sklearn", "profile": {"n": 3}, "context": "t"}
    )
    for epoch in range(1, 4):
        writer.log_metrics("key", {"val/loss": 1 / epoch, "bad": float("nan"), "worse": float("-inf")}, epoch, epoch)
    writer.end("key", Outcome.STOPPED, {schema.RERUN: schema.YES}, helpers.now + 9)
    writer.set_state(sweep, State.FINISHED)
    assert writer.flush(30) and writer.backlog == 0 and writer.problem is None and not listener.refused

    reader = open_reader(uri)
    run_id = listener.created["key"]
    row = reader.frame(sweep=sweep).iloc[0]
    assert (row["run_id"], row["name"], row["status"], row["parent"]) == (run_id, "adam · seed 2", "KILLED", sweep)
    assert (row["start_time"], row["end_time"]) == (helpers.now, helpers.now + 9)
    assert row["tags.outcome"] == "stopped" and row["tags.rerun"] == "yes" and row["tags.trial"] == "3"
    assert row["params.a.b"] == "1" and row["params.model.text"] == "(7000 characters, whole in params/model.text.txt)"
    assert reader.artifact(run_id, "params/model.text.txt") == long.encode()
    assert reader.artifact(run_id, schema.WEIGHTS_FILE) == b"weights" and not file.exists()
    history = reader.histories([run_id])
    assert list(history["key"]) == ["val/loss"] * 3 and list(history["value"]) == [1, 1 / 2, 1 / 3]
    (dataset,) = _mlflow.client(uri).get_run(run_id).inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("digits", "abc")
    assert [(tag.key, tag.value) for tag in dataset.tags] == [("mlflow.data.context", "t")]
    parent = reader.frame(run_ids=[sweep]).iloc[0]
    assert parent["status"] == "FINISHED" and parent["tags.state"] == "finished" and parent["end_time"] > 0


def test_what_a_run_is_known_by_from_its_first_moment(uri: str, helpers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = helpers.sweep(uri)
    run = _calls.create_run(_mlflow.client(uri), helpers.run(sweep, owner="me", trial="1"), "ticket")
    tags = open_reader(uri).tags([run.info.run_id]).set_index("key")["value"]
    assert {"kind": "run", "sweep": sweep, "owner": "me", "trial": "1", schema.PARENT: sweep}.items() <= dict(
        tags
    ).items()


def test_the_order_of_calls(
    uri: str, helpers: Any, listener: Any, open_writer: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, str]] = []
    real = {name: getattr(_calls, name) for name in ("log_batch", "set_status")}

    def log_batch(client: Any, run_id: str, items: list[Item]) -> None:
        calls.extend((run_id, f"{item.key}={item.value}") for item in items)
        real["log_batch"](client, run_id, items)

    def set_status(client: Any, run_id: str, status: str, end_time: int | None) -> None:
        calls.append((run_id, status))
        real["set_status"](client, run_id, status, end_time)

    writer, sweep, run_id = begin(open_writer, uri, helpers, listener)
    monkeypatch.setattr(_calls, "log_batch", log_batch)
    monkeypatch.setattr(_calls, "set_status", set_status)
    with writer._changed:  # so that all of it is one batch
        writer.set_tags(sweep, {"event.1": "{}"})
        writer.log_metrics("key", {"val/loss": 1.0}, 1, 1)
        writer.end("key", Outcome.OK, {}, helpers.now)
        writer.set_state(sweep, State.FINISHED)
    assert writer.flush(30)
    at = {call: place for place, call in enumerate(calls)}
    assert at[run_id, "val/loss=1.0"] < at[run_id, "outcome=ok"] < at[run_id, "FINISHED"]
    assert at[run_id, "FINISHED"] < at[sweep, "state=finished"] < at[sweep, "FINISHED"]
    assert len(calls) == len(at) == 6


def test_what_is_refused_is_refused_alone(
    uri: str, helpers: Any, listener: Any, open_writer: Open, tmp_path: Path
) -> None:
    writer, sweep, run_id = begin(open_writer, uri, helpers, listener)
    writer.start_run("nowhere", helpers.run(sweep, experiment_id="77"))
    writer.log_metrics("nowhere", {"a": 1.0}, 1, 1)
    writer.log_metrics("key", {f"good/{i}": float(i) for i in range(50)} | {"a @ b": 1.0, "too late": 1.0}, 1, 1)
    writer.log_metrics("key", {"step": 1.0}, 2**70, 1)
    writer.set_tags("key", {"fine": "yes", "no \ud800 text": "x", "bad": "\ud800", "x" * 300: "too long a name"})
    writer.log_file("key", tmp_path / "missing", "missing.txt")
    (tmp_path / "there").write_text("x")
    writer.log_file("key", tmp_path / "there", "../../outside.txt")
    writer.log_file("key", tmp_path / "there", "there.txt")
    writer.log_file("key", tmp_path / "there", "there.txt/below.txt")
    writer.log_dataset("key", {"digest": "no name"})
    writer.end("key", Outcome.OK, {}, helpers.now)
    assert writer.flush(30) and writer.problem is None and writer.backlog == 0
    refused = [(key, sentence.split(":")[0]) for key, sentence in listener.refused]
    assert [sentence for key, sentence in listener.refused if key == "nowhere"] and len(listener.refused) == 10, (
        listener.refused
    )
    assert ("key", "metric a @ b") in refused and ("key", "tag bad") in refused and ("key", "metric step") in refused
    row = open_reader(uri).frame(run_ids=[run_id]).iloc[0]
    assert row["status"] == "FINISHED" and row["tags.fine"] == "yes" and row["metrics.too late"] == 1.0
    assert sum(column.startswith("metrics.good/") for column in row.index) == 50
    assert open_reader(uri).artifact(run_id, "there.txt") == b"x" and (tmp_path / "there").exists()


def test_a_run_deleted_meanwhile_is_told_once(uri: str, helpers: Any, listener: Any, open_writer: Open) -> None:
    writer, sweep, run_id = begin(open_writer, uri, helpers, listener)
    _mlflow.client(uri).delete_run(run_id)
    for epoch in range(300):
        writer.log_metrics("key", {"a": 1.0, "b": 2.0}, epoch, epoch)
    writer.end("key", Outcome.OK, {}, helpers.now)
    writer.set_tags(sweep, {"still": "works"})
    assert writer.flush(30)
    assert [key for key, _ in listener.refused] == ["key"] and "was deleted" in listener.refused[0][1]
    assert open_reader(uri).tags([sweep], ["still"])["value"].tolist() == ["works"]


def test_a_listener_that_fails_stops_nothing(uri: str, helpers: Any, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: str) -> None:
        raise RuntimeError("a listener's own fault")

    sweep = helpers.sweep(uri)
    writer = Writer(uri, fail, fail, interval=0.02)
    writer.start()
    writer.start_run("key", helpers.run(sweep))
    writer.end("key", Outcome.OK, {}, helpers.now)
    assert writer.close(30)
    assert open_reader(uri).runs(sweep=sweep)["status"].tolist() == ["FINISHED"]
    assert "a listener's own fault" in caplog.text


def test_a_lost_answer_does_not_make_a_second_run(
    uri: str, helpers: Any, listener: Any, open_writer: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = helpers.sweep(uri)
    real = _calls.create_run
    answers: list[str] = []

    def create_run(client: Any, run: NewRun, ticket: str) -> Any:
        mlflow_run = real(client, run, ticket)
        answers.append(mlflow_run.info.run_id)
        raise ConnectionResetError("the answer was lost")

    monkeypatch.setattr(_calls, "create_run", create_run)
    writer = open_writer(uri)
    writer.start_run("key", helpers.run(sweep))
    assert writer.flush(30)
    assert answers == [listener.created["key"]] == open_reader(uri).runs(sweep=sweep)["run_id"].tolist()


def test_repeating_a_batch_doubles_nothing(
    uri: str, helpers: Any, listener: Any, open_writer: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, _, run_id = begin(open_writer, uri, helpers, listener)
    real = _calls.log_batch
    failures = [3]

    def log_batch(client: Any, run: str, items: list[Item]) -> None:
        real(client, run, items)
        if failures[0]:
            failures[0] -= 1
            raise ConnectionResetError("the answer was lost")

    monkeypatch.setattr(_calls, "log_batch", log_batch)
    for epoch in range(40):
        writer.log_metrics("key", {"a": 1.0, "b": epoch / 3}, epoch, epoch)
    assert writer.flush(30) and failures == [0]
    history = open_reader(uri).histories([run_id])
    assert list(history["step"]) == [*range(40)] * 2
    assert list(history.loc[history["key"] == "b", "value"]) == [epoch / 3 for epoch in range(40)]


class Disk:
    """Makes SQLite itself fail: the PRAGMA is given to each of MLflow's connections while it is on."""

    def __init__(self) -> None:
        self.pragma = ""

    def connected(self, connection: Any, _record: Any) -> None:
        if self.pragma:
            connection.execute(self.pragma).close()

    @contextmanager
    def broken(self, uri: str, pragma: str) -> Iterator[None]:
        sqlalchemy.event.listen(sqlalchemy.Engine, "connect", self.connected)
        self.pragma = pragma
        _mlflow.forget_connections(uri)
        try:
            yield
        finally:
            self.pragma = ""
            sqlalchemy.event.remove(sqlalchemy.Engine, "connect", self.connected)


@pytest.mark.parametrize(
    ("pragma", "sentence"),
    [("PRAGMA max_page_count = 1", "the disk is full"), ("PRAGMA query_only = ON", "it is read-only")],
)
def test_goes_on_when_the_store_can_be_written_again(
    pragma: str,
    sentence: str,
    uri: str,
    helpers: Any,
    listener: Any,
    open_writer: Open,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    writer, sweep, first = begin(open_writer, uri, helpers, listener)
    writer.start_run("second", helpers.run(sweep))
    assert writer.flush(30)
    with Disk().broken(uri, pragma):
        for epoch in range(400):
            for key in ("key", "second"):
                writer.log_metrics(key, {f"m/{i}": i + epoch / 7 for i in range(5)}, epoch, epoch)
        writer.start_run("third", helpers.run(sweep))
        writer.end("key", Outcome.OK, {}, helpers.now)
        helpers.wait_for(lambda: writer.problem)
        assert writer.problem and sentence in writer.problem
        assert not writer.flush(0.2) and writer.backlog > 0
        waiting = writer.backlog
        writer.log_metrics("third", {"m/0": 1.0}, 1, 1)
        assert writer.backlog == waiting + 1
        assert integrity(uri) == "ok" and open_reader(uri).runs(run_ids=[first])["status"].tolist() == ["RUNNING"]
    assert writer.flush(60) and writer.problem is None and writer.backlog == 0 and not listener.refused
    frame = open_reader(uri).histories([first, listener.created["second"]])
    assert len(frame) == 400 * 5 * 2 and not frame.duplicated().any()
    assert (frame["value"] == frame["key"].str[2:].astype(int) + frame["step"] / 7).all()
    assert open_reader(uri).runs(sweep=sweep)["status"].tolist().count("FINISHED") == 1
    assert len(open_reader(uri).runs(sweep=sweep)) == 3 and integrity(uri) == "ok"
    assert not caplog.records and capfd.readouterr() == ("", "")


FILE_LIMIT = """
import resource, sys, time
from pathlib import Path
from tracking import schema
from tracking.schema import Outcome
from tracking.store import sqlite_path
from tracking.writer import NewRun, Writer
uri, sweep, now, big = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
refused = []
writer = Writer(uri, lambda key, run: None, lambda *told: refused.append(told), interval=0.02)
writer.start()
writer.start_run("key", NewRun("1", "n", {schema.KIND: "run"}, {}, now, sweep))
assert writer.flush(30)
room = sqlite_path(uri).stat().st_size + 100_000
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
for epoch in range(3000):
    writer.log_metrics("key", {"a": epoch / 7, "b": 1.0}, epoch, epoch)
end = time.monotonic() + 30
while writer.problem is None:
    assert time.monotonic() < end
    time.sleep(0.01)
print(writer.problem)
assert not writer.flush(0.5)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert writer.flush(60), writer.problem
resource.setrlimit(resource.RLIMIT_FSIZE, (big.stat().st_size - 1, hard))
writer.log_file("key", big, "big.bin", delete=True)
end = time.monotonic() + 30
while writer.problem is None:
    assert time.monotonic() < end
    time.sleep(0.01)
print(writer.problem)
assert big.exists()
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
writer.end("key", Outcome.OK, {}, now)
assert writer.close(60) and not big.exists() and not refused
"""


def test_a_limit_for_the_size_of_files(uri: str, helpers: Any, tmp_path: Path) -> None:
    sweep = helpers.sweep(uri)
    big = tmp_path / "big"
    big.write_bytes(os.urandom(8_000_000))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FILE_LIMIT, uri, sweep, str(helpers.now), str(big)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    database, file = done.stdout.splitlines()
    assert "the disk" in database and "a limit for the size of a file" in file
    run = open_reader(uri).runs(sweep=sweep).iloc[0]
    history = open_reader(uri).histories([run["run_id"]])
    assert len(history) == 6000 and not history.duplicated().any() and integrity(uri) == "ok"
    assert run["status"] == "FINISHED" and len(open_reader(uri).artifact(run["run_id"], "big.bin")) == 8_000_000
    assert open_reader(uri).artifacts(run["run_id"])["path"].tolist() == ["big.bin"]


def test_a_lock_held_by_another_process(
    uri: str, helpers: Any, listener: Any, open_writer: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_SLOW", 0.1)
    writer, _, run_id = begin(open_writer, uri, helpers, listener)
    holder = sqlite3.connect(str(sqlite_path(uri)), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    writer.log_metrics("key", {"a": 1.0}, 1, 1)
    helpers.wait_for(lambda: writer.problem)
    assert writer.problem and "not answered" in writer.problem
    holder.execute("ROLLBACK")
    holder.close()
    assert writer.flush(30) and writer.problem is None
    assert open_reader(uri).metrics([run_id])["value"].tolist() == [1.0]


def test_a_store_that_disappears(uri: str, helpers: Any, listener: Any, open_writer: Open, tmp_path: Path) -> None:
    writer, _, run_id = begin(open_writer, uri, helpers, listener)
    path = sqlite_path(uri)
    assert path is not None
    away = path.rename(tmp_path / "away.db")
    writer.log_metrics("key", {"a": 1.0}, 1, 1)
    helpers.wait_for(lambda: "no longer there" in (writer.problem or ""))
    assert not path.exists()
    away.rename(path)
    assert writer.flush(30) and open_reader(uri).metrics([run_id])["value"].tolist() == [1.0]


def test_closing_while_nothing_can_be_written(uri: str, helpers: Any, listener: Any, open_writer: Open) -> None:
    writer, _, _ = begin(open_writer, uri, helpers, listener)
    with Disk().broken(uri, "PRAGMA query_only = ON"):
        writer.set_tags("key", {"a": "b"})
        helpers.wait_for(lambda: writer.problem)
        assert not writer.close(0.1) and writer.backlog == 1
        writer._thread.join(10)
        assert not writer._thread.is_alive()


def test_closing_at_once_stores_everything(uri: str, helpers: Any) -> None:
    sweep = helpers.sweep(uri)
    writer = Writer(uri, lambda *_: None, lambda *_: None, interval=30)
    writer.start()
    for number in range(5):
        writer.start_run(str(number), helpers.run(sweep))
        writer.end(str(number), Outcome.OK, {}, helpers.now)
    assert writer.close(30) and not writer._thread.is_alive()
    assert open_reader(uri).runs(sweep=sweep)["status"].tolist() == ["FINISHED"] * 5


KILLED = """
import sys
from tracking.writer import NewRun, Writer
uri, sweep, now = sys.argv[1], sys.argv[2], int(sys.argv[3])
writer = Writer(uri, lambda key, run: None, print, interval=0.01)
writer.start()
writer.start_run("key", NewRun("1", "n", {"kind": "run"}, {}, now, sweep))
for epoch in range(100_000):
    writer.log_metrics("key", {"a": epoch / 7, "b": 1.0}, epoch, epoch)
    if epoch % 5 == 4:
        assert writer.flush(30)
        print(epoch + 1, flush=True)
"""


def test_nothing_acknowledged_is_lost_by_kill_9(uri: str, helpers: Any) -> None:
    sweep = helpers.sweep(uri)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, uri, sweep, str(helpers.now)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines: list[str] = []
    follow = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
    follow.start()
    helpers.wait_for(lambda: len(lines) > 3, 60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    follow.join()
    process.stdout.close()
    reader = open_reader(uri)
    history = reader.histories(reader.runs(sweep=sweep)["run_id"])
    acknowledged = int(lines[-1])
    assert not history.duplicated().any()
    for key in ("a", "b"):
        steps = history.loc[history["key"] == key, "step"].tolist()
        assert steps[:acknowledged] == [*range(acknowledged)]
    assert integrity(uri) == "ok"


def items(kind: str, count: int, size: int = 1) -> list[Item]:
    return [Item(kind, f"{kind}{i}", "x" * size if kind != "metric" else float(i)) for i in range(count)]


@pytest.mark.parametrize(
    "many", [items("metric", 2500), items("param", 250), items("tag", 301), items("tag", 200, 8000), []]
)
def test_calls_stay_within_mlflows_limits(many: list[Item]) -> None:
    ops = [Log("key", items=many[start : start + 7]) for start in range(0, len(many), 7)]
    ops.append(Log("key", items=[]))
    parts = list(chunks(ops))
    assert [item for part, _ in parts for item in part] == many
    assert [op for _, done in parts for op in done] == ops
    for part, _ in parts:
        assert len(part) <= MAX_ITEMS and sum(len(str(item.value)) for item in part) <= 500_000
        assert sum(item.kind == "param" for item in part) <= MAX_PARAMS
        assert sum(item.kind == "tag" for item in part) <= MAX_TAGS


def test_a_later_tag_replaces_an_earlier_one() -> None:
    ops = [Log("key", items=[Item("tag", "a", value), Item("tag", value, "x")]) for value in "123"]
    ((part, done),) = chunks(ops)
    assert [(item.key, item.value) for item in part] == [("1", "x"), ("2", "x"), ("a", "3"), ("3", "x")] and done == ops


def test_a_batch_is_few_calls(
    uri: str, helpers: Any, listener: Any, open_writer: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, _, _ = begin(open_writer, uri, helpers, listener)
    calls: list[int] = []
    real = _calls.log_batch
    queued = threading.Event()

    def log_batch(client: Any, run_id: str, many: list[Item]) -> None:
        calls.append(len(many))
        assert queued.wait(60)
        real(client, run_id, many)

    monkeypatch.setattr(_calls, "log_batch", log_batch)
    for epoch in range(200):
        writer.log_metrics("key", {"a": 1.0, "b": 2.0}, epoch, epoch)
    queued.set()
    assert writer.flush(30)
    assert sum(calls) == 400 and len(calls) <= 10
