"""A real service on a real store, watched from outside: by SQL on its file and by what the system says of processes."""

import os
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from sweeps import state_folder
from sweeps.client import Client
from sweeps.service import lease

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

    def __init__(self, uri, kill_points, path=None):
        self.uri = uri
        self.kill_points = kill_points
        self.path = path or Path(uri.removeprefix("sqlite:///"))
        self.client = Client(uri)
        self.folder = state_folder.state_folder(uri)
        self.journal = self.path.with_name(self.path.name + "-journal")
        """There while a transaction is being written."""

    def at(self, *moment, **how):
        """Have a process die or stop at a moment: see `KillPoints.at` in tests/conftest.py."""
        self.kill_points.at(*moment, **how)

    def hit(self, moment):
        """Wait until a process has come to that moment."""
        self.wait(lambda: not self.kill_points.waits_for(moment), every=0.01)

    def halted(self, *pids):
        """Wait for the one of these processes, or of the workers, that has stopped; its pid."""
        return self.wait(lambda: self.kill_points.halted(pids or self.worker_pids()))

    def gone(self, pid):
        """Wait until a process is gone."""
        self.wait(lambda: not lease.born(pid), every=0.01)

    def start_service(self):
        assert self.client.start_service(wait=240.0), self.log()[-3000:]

    def launch(self, epochs=20, seeds=2):
        return self.client.launch(SPEC % (epochs, seeds))

    def queue(self, epochs=20, seeds=2):
        """Store a sweep without a word to the service, which finds it within a second, or when it starts."""
        from sweeps.service.launching import store_sweep
        from sweeps.spec import parse

        return store_sweep(self.uri, parse(SPEC % (epochs, seeds)))

    def launch_text(self, text):
        return self.client.launch(text)

    @property
    def pid(self):
        return lease.read_lease(self.folder).pid

    def kill_service(self, number=signal.SIGKILL):
        os.kill(self.pid, number)

    def worker_pids(self):
        from sweeps.service.channel import request

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
        """One dict per run of the sweep: status, epochs stored, and its tags."""
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

    def metrics(self, sweep):
        """Every metric value that is stored of a sweep's runs, as a reader sees it."""
        return self.rows(
            "select m.run_uuid, m.key, m.step, m.timestamp, m.value from metrics m "
            "join tags t on t.run_uuid = m.run_uuid where t.key = 'mlflow.parentRunId' and t.value = ?",
            sweep,
        )

    def wait(self, condition, seconds=240.0, every=0.05):
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, f"it did not happen within {seconds} s; the log ends:\n{self.log()[-3000:]}"
            time.sleep(every)
        return value

    def wait_state(self, sweep, *states, seconds=240.0):
        return self.wait(lambda: self.state(sweep) in states, seconds)

    def log(self):
        path = self.folder / "service.log"
        return path.read_text() if path.exists() else ""

    def check_whole(self, sweep, epochs):
        """Every trial x seed has exactly one run that counts, nothing is RUNNING, nothing is lost or doubled."""
        runs = self.runs(sweep)
        assert runs and all(run["status"] != "RUNNING" for run in runs.values())
        ((planned,),) = self.rows("select value from tags where run_uuid = ? and key = 'planned'", sweep)
        counting = [run for run in runs.values() if "superseded_by" not in run]
        places = sorted((int(run["trial"]), int(run["seed"])) for run in counting)
        assert len(places) == len(set(places)) == int(planned)
        for run in runs.values():
            if "superseded_by" in run:
                assert run["outcome"] == "crashed" and run["superseded_by"] in runs
        for run in counting:
            assert run["outcome"] == "ok" and run["steps"] == list(range(1, epochs + 1)), run
        keys = [(run_id, key, step) for run_id, key, step, _, _ in self.metrics(sweep)]
        assert len(keys) == len(set(keys)), "a metric was stored twice"
        return runs


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


FAILED = pytest.StashKey[bool]()


class Stores:
    """The store that the tests of a process use one after the other, with its service, until one spoils it."""

    def __init__(self, template, folders):
        self.template, self.folders = template, folders
        self.folder = None

    def current(self):
        """The folder of the store, a new one where there is none."""
        if self.folder is None:
            self.folder = self.folders.mktemp("faults")
            shutil.copy(self.template, self.folder / "mlflow.db")
        return self.folder

    def drop(self, end_services):
        """End its service; the next test gets a new store."""
        if self.folder is not None:
            end_services(self.folder / "state")
            self.folder = None


@pytest.fixture(scope="session")
def stores(store_template, tmp_path_factory, end_services):
    stores = Stores(store_template, tmp_path_factory)
    yield stores
    stores.drop(end_services)


@pytest.fixture
def machine(stores, end_services, kill_points, monkeypatch, request):
    """A store and its service. The next test has the same one, unless this test fails or leaves something to do."""
    folder = stores.current()
    monkeypatch.setenv("SWEEPBOARD_STATE", str(folder / "state"))
    monkeypatch.setenv("SWEEPBOARD_KILL_POINTS", str(folder / "kill points"))
    machine = Machine(f"sqlite:///{folder / 'mlflow.db'}", kill_points(folder / "kill points"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", machine.uri)
    yield machine
    open_sweeps = machine.rows(
        "select count(*) from tags where key = 'state' and value not in ('finished', 'stopped', 'paused', 'failed')"
    )
    if request.node.stash.get(FAILED, False) or open_sweeps != [(0,)] or machine.kill_points.clear():
        stores.drop(end_services)


@pytest.fixture
def new_machine(uri, tmp_path, kill_points):
    """A new store, whose service has not been started."""
    return Machine(uri, kill_points(tmp_path / "kill points"))


@pytest.fixture
def served(mlflow_server, state, tmp_path, kill_points, monkeypatch):
    """A store behind an MLflow server that has not been started, and its service."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server.uri)
    machine = Machine(mlflow_server.uri, kill_points(tmp_path / "kill points"), mlflow_server.database)
    machine.server = mlflow_server
    return machine


@pytest.fixture
def alive():
    """Whether a process lives (and is not a zombie)."""
    return lambda pid: bool(lease.born(pid))
