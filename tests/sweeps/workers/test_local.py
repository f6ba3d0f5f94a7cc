"""Real worker processes, without a service."""

import multiprocessing as mp
import os
import signal
import threading
import time
from multiprocessing.connection import wait

import pytest

from sweeps.service import lease
from sweeps.workers import Job, LocalWorkers

pytestmark = [pytest.mark.timeout(120)]


def configuration(epochs):
    return {
        "model": {"name": "softmax_regression"},
        "data": {"name": "iris"},
        "optimizer": {"name": "adam"},
        "trainer": {"max_epochs": epochs},
    }


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    workers = LocalWorkers(tmp_path_factory.mktemp("scratch"), wake=lambda: None)
    yield workers
    workers.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """However busy this machine is, no worker is killed for being slow."""
    monkeypatch.setattr("sweeps.workers.local.STOP_PATIENCE", 100.0)


def wait_for(workers, kind, seconds=60.0):
    """The first message of this kind, and all messages up to it."""
    messages = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        workers.enforce()
        for pipe in wait(workers.pipes, timeout=0.1):
            messages.append(workers.receive(pipe))
            if messages[-1] and messages[-1].kind == kind:
                return messages[-1], messages
    raise AssertionError(f"no {kind}, but {[message.kind for message in messages if message]}")


def have(workers, count):
    workers.grow(count)
    end = time.monotonic() + 60
    while workers.free < count:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_job_is_trained_and_its_records_come_up_in_order(workers):
    have(workers, 1)
    assert workers.submit([Job("a", configuration(3), 1)])
    result, messages = wait_for(workers, "result")
    kinds = [message.kind for message in messages if message.kind != "ready"]
    assert kinds[0] == "info" and kinds.count("metrics") == 3 and kinds[-1] == "result"
    assert {message.key for message in messages if message.kind != "ready"} == {"a"}
    assert result.payload["outcome"] == "ok" and result.payload["epochs"] == 3
    assert workers.busy == 0


def test_a_stopped_run_ends_at_once_and_its_worker_goes_on(workers):
    have(workers, 1)
    pids = workers.pids
    assert workers.submit([Job("long", configuration(1_000_000), 1)])
    wait_for(workers, "metrics")
    workers.stop("long")
    result, _ = wait_for(workers, "result")
    assert result.payload["outcome"] == "stopped" and result.payload["epochs"] >= 1
    assert workers.pids == pids


def test_a_pruned_run_ends_as_pruned_and_its_worker_goes_on(workers):
    have(workers, 1)
    pids = workers.pids
    assert workers.submit([Job("poor", configuration(1_000_000), 1)])
    wait_for(workers, "metrics")
    workers.prune("poor")
    workers.stop("poor")
    result, _ = wait_for(workers, "result")
    assert result.key == "poor" and result.payload["outcome"] == "pruned", "the first request counts"
    assert workers.submit([Job("next", configuration(2), 1)])
    result, _ = wait_for(workers, "result")
    assert result.key == "next" and result.payload["outcome"] == "ok"
    assert workers.pids == pids


def test_a_run_that_has_not_begun_can_be_ended(workers):
    have(workers, 1)
    assert workers.submit([Job("early", configuration(1_000_000), 1)])
    workers.stop("early")
    result, _ = wait_for(workers, "result")
    assert result.payload["outcome"] == "stopped" and result.payload["epochs"] == 0


@pytest.mark.parametrize("how", ["stop", "prune"])
def test_a_run_that_does_not_end_by_itself_is_killed(how, workers, monkeypatch):
    monkeypatch.setattr("sweeps.workers.local.STOP_PATIENCE", 0.2)
    have(workers, 1)
    assert workers.submit([Job("stuck", configuration(1_000_000), 1)])
    wait_for(workers, "metrics")
    (pid,) = workers.pids
    os.kill(pid, signal.SIGSTOP)
    getattr(workers, how)("stuck")
    died, _ = wait_for(workers, "died")
    assert died.key == "stuck" and died.payload["exitcode"] == -signal.SIGKILL
    assert workers.pids == [] and not lease.born(pid)


def test_a_run_of_a_killed_worker_goes_on_in_another_where_it_was(workers, tmp_path):
    have(workers, 1)
    file, settings = tmp_path / "long.resume", configuration(1_000_000)
    assert workers.submit([Job("long", settings, 1, resume=str(file), save_seconds=0.0)])
    before = []
    while len(before) < 8:
        message, _ = wait_for(workers, "metrics")
        before.append(message.payload)
    (pid,) = workers.pids
    os.kill(pid, signal.SIGKILL)
    died, messages = wait_for(workers, "died")
    assert died.payload["exitcode"] == -signal.SIGKILL
    before += [message.payload for message in messages if message.kind == "metrics"]
    have(workers, 1)
    assert workers.submit([Job("long again", settings, 1, resume=str(file), save_seconds=0.0)])
    after = []
    while len(after) < len(before) + 3:
        message, _ = wait_for(workers, "metrics")
        after.append(message.payload)
    assert [record["step"] for record in after] == list(range(1, len(after) + 1))
    saved = len(before) - 1
    assert after[:saved] == before[:saved], "all that was reported, but perhaps for the epoch before the kill"
    workers.prune("long again")
    result, _ = wait_for(workers, "result")
    assert result.payload["outcome"] == "pruned" and result.payload["epochs"] >= len(after)
    assert list(tmp_path.iterdir()) == []


def test_runs_that_train_at_the_same_time_have_different_places(workers):
    """By its place a run is given its GPU."""

    def places():
        return {job.key: job.place for job in workers.jobs}

    have(workers, 2)
    assert workers.submit([Job("one", configuration(1_000_000), 1)])
    assert workers.submit([Job("two", configuration(1_000_000), 1)])
    assert places() == {"one": 0, "two": 1}
    workers.stop("one")
    wait_for(workers, "result")
    assert workers.submit([Job("three", configuration(1_000_000), 1)])
    assert places() == {"two": 1, "three": 0}
    for key in ("two", "three"):
        workers.stop(key)
        wait_for(workers, "result")
    workers.shrink(1)


def test_a_worker_that_dies_idle_takes_no_job_with_it(workers):
    have(workers, 2)
    victim = next(process for process in mp.active_children() if process.pid == workers.pids[0])
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()  # until all its threads are gone: the last of them closes its end of the pipe
    assert workers.submit([Job("b", configuration(1), 1)])
    result, _ = wait_for(workers, "result")
    assert result.key == "b" and result.payload["outcome"] == "ok"


def test_growing_from_many_threads_starts_no_more_than_asked_for(workers):
    threads = [threading.Thread(target=workers.grow, args=(3,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    have(workers, 3)
    assert workers.ordered == 0 and len(workers.pids) == 3
    workers.shrink(1)
    assert len(workers.pids) == 1


def forks(pipe, scratch):
    """Ends, while a process that it has forked lives on, with everything that its parent had open."""
    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)
    os._exit(3)


def test_the_death_of_a_worker_is_seen_though_a_process_that_it_forked_holds_its_pipe(tmp_path, monkeypatch):
    monkeypatch.setattr("sweeps.workers.local._work", forks)
    workers = LocalWorkers(tmp_path, wake=lambda: None)
    try:
        have(workers, 1)
        died, _ = wait_for(workers, "died", seconds=20)
        assert died.payload["exitcode"] == 3 and not workers.pipes
    finally:
        workers.close()


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="reads /proc")
def test_what_a_module_prints_is_kept_nowhere(workers):
    have(workers, 1)
    pid = workers.pids[0]
    assert workers.submit([Job("quiet", configuration(1), 1)])
    wait_for(workers, "result")
    assert os.readlink(f"/proc/{pid}/fd/1") == os.devnull
