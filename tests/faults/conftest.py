"""A real service on a real store, watched from outside: by SQL on its file and by what the system says of processes."""

import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from sweeps import lease
from sweeps.client import Client

SPEC = """
name: faults
model: {name: mlp, hidden_sizes: [8]}
data: {name: iris, batch_size: 32}
optimizer: {name: adam}
trainer: {max_epochs: %d}
search:
  optimizer.lr: {values: [0.001, 0.01, 0.1]}
seeds: %d
workers: 2
"""


class Machine:
    """One store and its service; `path` is the store's file, where the URI names a server instead."""

    def __init__(self, uri, path=None):
        self.uri = uri
        self.path = path or Path(uri.removeprefix("sqlite:///"))
        self.client = Client(uri)
        self.folder = lease.state_folder(uri)
        self.journal = self.path.with_name(self.path.name + "-journal")
        """There while a transaction is being written."""

    def launch(self, epochs=20, seeds=2):
        return self.client.launch(SPEC % (epochs, seeds))

    def launch_text(self, text):
        return self.client.launch(text)

    @property
    def pid(self):
        return lease.read_lease(self.folder).pid

    def kill_service(self, number=signal.SIGKILL):
        os.kill(self.pid, number)

    def worker_pids(self):
        from sweeps.channel import request

        return request(self.folder, {"action": "status"})["worker_pids"]

    def rows(self, query, *arguments):
        # Read-write: a read-only connection cannot roll back what a killed writer left half done.
        connection = sqlite3.connect(self.path, timeout=20)
        try:
            return connection.execute(query, arguments).fetchall()
        finally:
            connection.close()

    def state(self, sweep):
        ((state,),) = self.rows("select value from tags where run_uuid = ? and key = 'state'", sweep)
        return state

    def runs(self, sweep):
        """One dict a run of the sweep: status, epochs stored, and its tags."""
        runs = {}
        for run_id, status in self.rows(
            "select r.run_uuid, r.status from runs r join tags t on t.run_uuid = r.run_uuid "
            "where t.key = 'mlflow.parentRunId' and t.value = ?",
            sweep,
        ):
            tags = dict(self.rows("select key, value from tags where run_uuid = ?", run_id))
            steps = [
                step
                for (step,) in self.rows(
                    "select step from metrics where run_uuid = ? and key = 'val/loss' order by step", run_id
                )
            ]
            runs[run_id] = {"run_id": run_id, "status": status, "steps": steps, **tags}
        return runs

    def metrics(self):
        """Every metric value stored, as a reader sees it."""
        return self.rows("select run_uuid, key, step, timestamp, value from metrics")

    def wait(self, condition, seconds=240.0, every=0.05):
        end = time.monotonic() + seconds
        while not (seen := condition()):
            assert time.monotonic() < end, f"it did not happen within {seconds} s; the log ends:\n{self.log()[-3000:]}"
            time.sleep(every)
        return seen

    def wait_state(self, sweep, *states, seconds=240.0):
        return self.wait(lambda: self.state(sweep) in states, seconds)

    def log(self):
        path = self.folder / "service.log"
        return path.read_text() if path.exists() else ""

    def check_whole(self, sweep, epochs):
        """Every trial x seed has exactly one run that counts, nothing is RUNNING, nothing is lost or doubled."""
        runs = self.runs(sweep)
        assert runs and all(run["status"] != "RUNNING" for run in runs.values())
        ((spec,),) = self.rows("select value from tags where run_uuid = ? and key = 'planned'", sweep)
        counting = [run for run in runs.values() if "superseded_by" not in run]
        places = sorted((int(run["trial"]), int(run["seed"])) for run in counting)
        assert len(places) == len(set(places)) == int(spec)
        for run in runs.values():
            if "superseded_by" in run:
                assert run["outcome"] == "crashed" and run["superseded_by"] in runs
        for run in counting:
            assert run["outcome"] == "ok" and run["steps"] == list(range(1, epochs + 1)), run
        keys = [(run_id, key, step) for run_id, key, step, _, _ in self.metrics()]
        assert len(keys) == len(set(keys)), "a metric was stored twice"
        return runs


@pytest.fixture
def machine(uri):
    return Machine(uri)


@pytest.fixture
def served(mlflow_server, state, monkeypatch):
    """A store behind an MLflow server that has not been started, and its service."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server.uri)
    machine = Machine(mlflow_server.uri, mlflow_server.database)
    machine.server = mlflow_server
    return machine


@pytest.fixture
def alive():
    """Whether a process lives (and is not a zombie)."""
    return lambda pid: bool(lease.born(pid))
