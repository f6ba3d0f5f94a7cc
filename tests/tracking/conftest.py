"""One empty store is made for all tests (that takes seconds); each test works on a copy of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tracking import schema
from tracking.schema import Outcome, State
from tracking.store import sqlite_uri
from tracking.writer import NewRun, Writer, create_sweep

NOW = 1_700_000_000_000


@pytest.fixture(scope="session")
def blank(store_template: Path) -> Path:
    return store_template


@pytest.fixture
def uri(blank: Path, tmp_path: Path) -> str:
    shutil.copy(blank, tmp_path / "mlflow.db")
    return sqlite_uri(tmp_path / "mlflow.db")


class Listener:
    """Keeps what a writer tells it."""

    def __init__(self) -> None:
        self.created: dict[str, str] = {}
        self.refused: list[tuple[str, str]] = []

    def on_created(self, key: str, run_id: str) -> None:
        assert key not in self.created
        self.created[key] = run_id

    def on_refused(self, key: str, sentence: str) -> None:
        self.refused.append((key, sentence))


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def open_writer(listener: Listener) -> Iterator[Callable[[str], Writer]]:
    writers: list[Writer] = []

    def make(uri: str) -> Writer:
        writer = Writer(uri, listener.on_created, listener.on_refused, interval=0.02)
        writer.start()
        writers.append(writer)
        return writer

    yield make
    for writer in writers:
        writer.close(0.2)


def new_sweep(uri: str, name: str = "sweep", **tags: str) -> str:
    return create_sweep(uri, experiment="first", name=name, note="Which?", tags=tags, files={"spec.yaml": "name: x\n"})


def new_run(sweep: str, experiment_id: str = "1", name: str = "run", start: int = NOW, **tags: str) -> NewRun:
    tags = {schema.KIND: schema.RUN_KIND, schema.SWEEP: sweep, **tags}
    return NewRun(experiment_id, name, tags, {"optimizer.name": "adam", "optimizer.lr": "0.01"}, start, sweep)


def wait_for(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


FORKS = """
import os, sys
from tracking import _mlflow
_mlflow.prepare()
code, count = compile(sys.argv[1], "code", "exec"), int(sys.argv[2])
may_begin, begin = os.pipe()
children = []
for _ in range(count):
    child = os.fork()
    if not child:
        os.close(begin)
        os.read(may_begin, 1)  # until the parent closes its end: all begin at once
        exec(code, {"__name__": "__main__"})
        sys.exit()
    children.append(child)
os.close(begin)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


def at_once(code: str, count: int) -> str:
    """Run code in `count` processes at the same moment, and return what they print; none may fail or complain.

    They are forked from one fresh Python that has imported mlflow, which takes seconds.
    """
    command = [sys.executable, "-W", "error", "-c", FORKS, code, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def helpers() -> Any:
    """The functions above: test modules cannot import this file by name."""

    class Helpers:
        now = NOW
        sweep = staticmethod(new_sweep)
        run = staticmethod(new_run)
        wait_for = staticmethod(wait_for)
        at_once = staticmethod(at_once)

    return Helpers


@pytest.fixture(scope="session")
def filled(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A user's store: sweeps of ours in every condition, and what strangers left in it. Tests only read it."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    folder = tmp_path_factory.mktemp("filled, ü")
    shutil.copy(blank, folder / "mlflow.db")
    uri = sqlite_uri(folder / "mlflow.db")
    tags = {schema.SEARCHED: '["optimizer.name", "optimizer.lr", "optimizer.betas"]', schema.PLANNED: "6"}
    tags |= {schema.TRIALS: "3", schema.SEEDS: "2", schema.METRIC: "val/loss", schema.DIRECTION: "minimize"}
    first = new_sweep(uri, "first", **tags)
    highest = new_sweep(uri, "highest", **{**tags, schema.DIRECTION: "maximize"})
    empty = new_sweep(uri, "empty")
    listener = Listener()
    writer = Writer(uri, listener.on_created, listener.on_refused, interval=0.01)
    writer.start()

    def run(key: str, sweep: str, group: str, outcome: Outcome | None, objective: float | None, **more: Any) -> None:
        trial, seed = key.split("-")[-2:]
        params = {"optimizer.name": "adam", "optimizer.lr": f"{10.0 ** -int(trial)!r}", "api_key": "hidden", "n": trial}
        if trial == "1":
            params["optimizer.betas"] = "[0.9, 0.999]"
        tags = {schema.KIND: "run", schema.SWEEP: sweep, schema.TRIAL: trial, schema.SEED: seed, schema.GROUP: group}
        tags |= {schema.PHASE: "search", **more}
        start = NOW + 1000 * len(runs)
        name = f"adam · lr {trial} · seed {seed}"
        writer.start_run(key, NewRun("1", name, tags, params, start, sweep))
        for epoch in (1, 2, 3):
            writer.log_metrics(key, {"val/loss": 1 / epoch, "train/loss": 2 / epoch}, epoch, start + epoch)
        if objective is not None:
            writer.log_metrics(key, {schema.OBJECTIVE: objective}, 3, start + 4)
        if outcome is not None:
            writer.end(key, outcome, {schema.ERROR: "It broke."} if outcome is Outcome.CRASHED else {}, start + 5)
        runs.append(key)

    runs: list[str] = []
    run("a-1-0", first, "g1", Outcome.OK, 0.5)
    run("a-1-1", first, "g1", Outcome.OK, 0.3)
    run("a-2-0", first, "g2", Outcome.OK, 0.1)
    run("a-2-1", first, "g2", Outcome.DIVERGED, None)
    run("a-3-0", first, "g3", Outcome.CRASHED, 0.0, **{schema.SUPERSEDED_BY: "another"})
    run("again-a-3-0", first, "g3", None, None)
    run("a-3-1", first, "g3", Outcome.STOPPED, 0.01)
    run("b-1-0", highest, "g1", Outcome.OK, 0.5)
    run("b-2-0", highest, "g2", Outcome.OK, 0.7)
    run("b-3-0", highest, "g3", Outcome.PRUNED, None)
    writer.set_tags(first, {"event.1": '{"at": 5, "text": "began", "run": null}', "event.3": "no JSON"})
    writer.set_tags(first, {"event.2": '{"at": 7, "text": "a run crashed", "run": "x"}', "event.4": "[1]"})
    writer.set_tags(first, {"cmd.abc": '{"do": "pause"}', "cmd.bad": "{"})
    writer.set_state(first, State.RUNNING)
    assert writer.close(60) and not listener.refused

    client = MlflowClient(uri)
    other = client.create_experiment("other")
    gone = client.create_experiment("gone")
    stranger = client.create_run(other, start_time=NOW - 5, tags={"auth.token": "t", "max_tokens": "12"}).info.run_id
    client.log_batch(stranger, [Metric("odd", v, NOW + i, i) for i, v in enumerate((1.0, float("nan"), float("inf")))])
    client.log_metric(stranger, "lost", float("nan"), NOW, 0)
    for value in (2.0, float("nan"), -1.0):
        client.log_metric(stranger, "tie", value, NOW, 0)
    bare = client.create_run(other, start_time=NOW - 5).info.run_id
    nested = client.create_run(other, tags={schema.PARENT: first, "trial": "no number"}).info.run_id
    deleted = client.create_run("1", start_time=NOW, tags={schema.KIND: "sweep"}).info.run_id
    client.delete_run(deleted)
    client.create_run(gone)
    client.delete_experiment(gone)
    return {
        "uri": uri,
        "first": first,
        "highest": highest,
        "empty": empty,
        "stranger": stranger,
        "bare": bare,
        "nested": nested,
        "deleted": deleted,
        "other": other,
        "gone": gone,
        "runs": listener.created,
    }
