"""What every test shares: CPU only, no network, a store of its own and a service that does not outlive the test.

Also the order of the tests, and what a run of them prints at its end: the slowest tests, and the time of each room.
"""

import gc
import json
import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

gc.disable()  # until pytest has collected: it would search all that is imported again and again, in vain

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the tests run side by side, one per core
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ["SWEEPBOARD_SETTINGS"] = ""  # none, whatever the user who runs the tests has set
for _name in ("SWEEPBOARD_MODULES", "SWEEPBOARD_DATA"):
    os.environ.pop(_name, None)

# Streamlit would warn at each cached function of the app that no server runs.
logging.getLogger("streamlit.runtime.caching.cache_data_api").addFilter(lambda record: "No runtime" not in record.msg)

TOGETHER = ("browser", "faults")
"""Rooms whose tests share a store: one pytest worker runs all of them. They start first, cheap tests fill the gaps."""
REPEATED = ("browser", "faults")
"""Marks of the tests that `.ci/run` tries once more (see tests/second_try.py)."""
SLOWEST = 10


def room_of(name):
    """The room of a test: `browser` for one in tests/browser, `test_labs.py` for one in tests/test_labs.py."""
    return name.partition("::")[0].split("/")[1]


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: room_of(item.nodeid) not in TOGETHER)


def pytest_collection_finish():
    gc.freeze()  # what was imported stays; the collector need not look through it after each test
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give all tests of a file to one pytest worker, and all of a room in TOGETHER.

    (The marker xdist_group does nothing in pytest 9.2: pytest-xdist 3.8 writes it into a field that is no longer read.)
    """
    from xdist.scheduler import LoadFileScheduling

    class RoomScheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            room = room_of(nodeid)
            return room if room in TOGETHER else super()._split_scope(nodeid)

    config.option.loadscopereorder = False  # else the files with most tests start first
    return RoomScheduling(config, log)


def pytest_terminal_summary(terminalreporter, config):
    """Print the slowest tests and the time of each room, and keep the names of failed tests for second_try.py."""
    seconds, failed = Counter(), {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                name = report.nodeid
                seconds[name] += report.duration
                if report.failed:
                    failed[name] = any(mark in report.keywords for mark in REPEATED)
            elif isinstance(report, pytest.CollectReport) and report.failed:
                failed[report.nodeid] = False
    if config.pluginmanager.hasplugin("cacheprovider"):
        config.cache.set("sweepboard/failed", failed)
    if len(seconds) <= SLOWEST:
        return
    rooms = Counter()
    for name, duration in seconds.items():
        rooms[room_of(name)] += duration
    terminalreporter.section(f"the {SLOWEST} slowest tests, in seconds")
    for name, duration in seconds.most_common(SLOWEST):
        terminalreporter.write_line(f"{duration:7.1f}  {name}")
    terminalreporter.section("seconds by room")
    for room, duration in [*rooms.most_common(), ("together", rooms.total())]:
        terminalreporter.write_line(f"{duration:7.1f}  {room}")


@pytest.fixture(scope="session")
def namesakes(tmp_path_factory):
    """A working directory with a package for every name of our top folders; a process that imports one of them ends."""
    folder = tmp_path_factory.mktemp("project")
    names = {path.name for path in Path(__file__).parents[1].iterdir() if path.is_dir() and path.name.isidentifier()}
    for name in names | {"learning_tasks"}:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"raise SystemExit('{name} of the current directory is imported')")
    return folder


@pytest.fixture(scope="session")
def store_template(tmp_path_factory):
    """An empty store, made once: making one takes seconds."""
    from tracking.store import ensure_store

    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    ensure_store(f"sqlite:///{path}")
    return path


@pytest.fixture
def state(tmp_path, monkeypatch, end_services):
    """The folder of services' states, for this test alone; services that the test starts are killed after it."""
    state = tmp_path / "state"
    monkeypatch.setenv("SWEEPBOARD_STATE", str(state))
    yield state
    end_services(state)


@pytest.fixture(scope="session")
def end_services():
    """`end_services(state)`: kill the services whose states lie in this folder, and the processes they started."""
    return _end_services


def _end_services(state):
    from sweeps.service import lease

    for note in state.glob("*/mlflow-ui.json"):
        with suppress(ProcessLookupError):
            os.killpg(json.loads(note.read_text())["pid"], signal.SIGKILL)
    for folder in state.glob("*"):
        holder = lease.read_lease(folder)
        if holder and lease.born(holder.pid) == holder.born:
            os.kill(holder.pid, signal.SIGKILL)
            end = time.monotonic() + 5
            while lease.born(holder.pid) and time.monotonic() < end:
                time.sleep(0.02)
    for pid in _processes_in(state):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _processes_in(folder):
    """The ids of processes whose working directory lies in this folder: a service that begins has no lease yet."""
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if place.readlink().is_relative_to(folder):
                yield int(place.parent.name)


@pytest.fixture
def uri(store_template, state, tmp_path, monkeypatch):
    """The URI of an empty store for this test alone, and its own state folder."""
    path = tmp_path / "mlflow.db"
    shutil.copy(store_template, path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def free_port():
    """`free_port()`: a port for a server, outside the range for outgoing connections: one of these could take it before
    the server listens."""
    generator = random.SystemRandom()  # a test that seeds `random` would make the next one draw the same ports

    def find():
        while True:
            port = generator.randrange(20_000, 32_000)
            with socket.socket() as probe, suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port

    return find


class MlflowServer:
    """A real MLflow server on its own empty store, which tests start, stop, kill and start again."""

    def __init__(self, template, folder, port):
        self.port = port
        self.uri = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.database = folder / "mlflow.db"
        shutil.copy(template, self.database)
        self.process = None

    def start(self):
        """Start it; it answers after some seconds."""
        arguments = ["--workers", "1", "--port", str(self.port), "--backend-store-uri", f"sqlite:///{self.database}"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *arguments, "--artifacts-destination", self.folder / "kept"],
            cwd=self.folder,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self, seconds=90):
        """Wait until it answers."""
        end = time.monotonic() + seconds
        while True:
            try:
                return urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
            except OSError:
                assert time.monotonic() < end and self.process.poll() is None, "the MLflow server did not start"
                time.sleep(0.1)

    def send(self, number):
        """Send a signal to its processes."""
        os.killpg(self.process.pid, number)

    def kill(self, number=signal.SIGKILL):
        """End it by a signal, and wait until it is gone."""
        if self.process is not None:
            self.send(number)
            self.process.wait(20)
            self.process = None


@pytest.fixture
def mlflow_server(store_template, tmp_path, free_port):
    """An MLflow server that has not been started yet."""
    server = MlflowServer(store_template, tmp_path, free_port())
    yield server
    server.kill()


class KillPoints:
    """A folder of named moments at which the processes whose SWEEPBOARD_KILL_POINTS names it die or stop."""

    def __init__(self, folder):
        from tracking.kill_points import FOLDER, KILL_POINTS

        assert FOLDER is None, "this process itself must never die at a moment"
        folder.mkdir(exist_ok=True)
        self.folder, self.moments = folder, KILL_POINTS

    def at(self, moment, count=1, signal_name="KILL", processes=1):
        """Let the process that reaches a moment for the `count`-th time from now on die there, or stop (STOP); with
        `processes`, that many of them one after the other."""
        assert moment in self.moments
        part = self.folder / f".{moment}"
        part.write_text(f"{time.monotonic_ns()} {count} {signal_name} {processes}")
        part.rename(self.folder / moment)

    def waits_for(self, moment):
        """Whether that moment has not been reached yet."""
        return (self.folder / moment).exists()

    def clear(self):
        """Remove all moments; returns whether there were any."""
        files = list(self.folder.iterdir())
        for file in files:
            file.unlink()
        return bool(files)

    @staticmethod
    def halted(pids):
        """The one of these processes that has stopped, None if none has."""
        for pid in pids:
            with suppress(OSError):
                if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                    return pid
        return None


@pytest.fixture(scope="session")
def kill_points():
    """`kill_points(folder)`: the moments in a folder, which is made if it is not there."""
    return KillPoints
