"""One holder per store, and one that hangs gives way."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from sweeps import state_folder
from sweeps.client import Client, CommandError
from sweeps.service import lease
from sweeps.service.channel import NoAnswer, NoService, Server, request

HOLD = """
import sys, time
from pathlib import Path
from sweeps.service import lease
lease.DURATION, lease.RENEWAL = float(sys.argv[2]), 0.1
hold = lease.Hold(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SWEEPBOARD_STATE", str(tmp_path / "state"))
    return state_folder.state_folder("sqlite:///some.db")


@pytest.fixture
def hold(folder):
    """Starts a process that holds the folder, with a lease of so many seconds: `hold(0.6)`."""
    processes = []

    def start(seconds):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder), str(seconds)], stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def holder(hold):
    return hold(0.6)


def wait_until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_a_second_holder_is_refused_and_the_death_of_the_first_frees_the_store(folder, holder):
    with pytest.raises(BlockingIOError):
        lease.Hold(folder)
    assert lease.locked(folder)
    holder.kill()
    holder.wait()
    assert not lease.locked(folder)
    lease.Hold(folder).release()


def test_a_holder_that_renews_its_lease_is_not_evicted(folder, hold, monkeypatch):
    holder = hold(60.0)
    first = lease.read_lease(folder).expires
    wait_until(lambda: lease.read_lease(folder).expires > first)
    with monkeypatch.context() as later:
        later.setattr(lease.time, "time", lambda: first + 0.001)  # when the first lease, not renewed, has run out
        assert not lease.evict(folder)
    assert holder.poll() is None


def test_a_stopped_holder_is_evicted_once_its_lease_is_stale(folder, holder):
    os.kill(holder.pid, signal.SIGSTOP)
    wait_until(lambda: lease.read_lease(folder).stale)
    assert lease.locked(folder)
    assert lease.evict(folder)
    assert holder.wait(5) == -signal.SIGKILL
    assert not lease.locked(folder)


def test_a_later_process_with_the_same_pid_is_not_killed(folder, holder):
    os.kill(holder.pid, signal.SIGSTOP)
    wait_until(lambda: lease.read_lease(folder).stale)
    path = folder / "lease.json"
    path.write_text(path.read_text().replace(lease.born(holder.pid), "another time"))
    assert not lease.evict(folder)
    assert lease.born(holder.pid)


def test_a_folder_that_lets_others_in_is_refused(folder):
    folder.chmod(0o755)
    with pytest.raises(state_folder.StateFolderError, match="must belong to you alone"):
        state_folder.state_folder("sqlite:///some.db")


def test_requests_are_answered_errors_become_replies_and_a_silent_client_blocks_nobody(folder):
    import socket

    hold = lease.Hold(folder)

    def handle(content):
        if content["action"] == "bad":
            raise ValueError("action: 'bad' is not known")
        return {"echo": content["action"]}

    server = Server(hold, handle)
    try:
        assert os.stat(hold.address).st_mode & 0o077 == 0
        with socket.socket(socket.AF_UNIX) as silent:
            silent.connect(hold.address)  # and never answers the challenge
            assert request(folder, {"action": "hello"}, timeout=5) == {"echo": "hello"}
        assert request(folder, {"action": "bad"}, timeout=5)["error"] == "action: 'bad' is not known"
        (folder / "authkey").write_bytes(b"wrong")
        with pytest.raises(NoService):
            request(folder, {"action": "hello"}, timeout=5)
    finally:
        server.close()
        hold.release()
    with pytest.raises(NoService):
        request(folder, {"action": "hello"}, timeout=5)


def test_what_was_taken_and_not_answered_is_not_done_once_more(folder, monkeypatch):
    """A service that is busy may do it yet: a sweep would be launched, or extended, twice."""
    hold, taken, answer = lease.Hold(folder), [], threading.Event()

    def handle(content):
        taken.append(content["action"])
        if content["action"] in ("launch", "stop"):
            answer.wait(60)
        if content["action"] == "extend":
            raise KeyError("a fault in the service")
        return {}

    client = Client("sqlite:///some.db")
    left = []
    monkeypatch.setattr(client, "_leave_command", lambda action, *_: left.append(action))
    monkeypatch.setattr("sweeps.client.request", lambda folder, content, timeout=0: request(folder, content, 1))
    monkeypatch.setattr("sweeps.service.launching.store_sweep", lambda *_: pytest.fail("it was stored a second time"))
    monkeypatch.setattr(threading, "excepthook", lambda raised: None)
    server = Server(hold, handle)
    try:
        with pytest.raises(NoAnswer):
            request(folder, {"action": "launch"}, timeout=1)
        with pytest.raises(CommandError, match="launch: the service does not answer; the sweep is launched once"):
            client.launch("name: twice\nmodel: {name: softmax_regression}\ndata: {name: iris}")
        with pytest.raises(CommandError, match="extend: the service broke off before it answered"):
            client.extend("sweep", trials=3)
        assert "waits in the store" in client.stop("sweep") and left == ["stop"]
        assert [action for action in taken if action != "status"] == ["launch", "launch", "extend", "stop"]
    finally:
        answer.set()
        server.close()
        hold.release()


def test_a_service_finds_the_state_folder_that_was_named_relative_to_another_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWEEPBOARD_STATE", "mine")
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **options: started.append(options) or subprocess)
    monkeypatch.setattr("sweeps.client._spawned", [])
    client = Client("sqlite:///some.db")
    client.start_service()
    monkeypatch.chdir(started[0]["cwd"])
    monkeypatch.setenv("SWEEPBOARD_STATE", started[0]["env"]["SWEEPBOARD_STATE"])
    assert state_folder.state_folder(client.uri).parent == tmp_path / "mine"
