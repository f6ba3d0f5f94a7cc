"""Real worker processes, without a service."""

import os
import signal
import threading
import time
from multiprocessing.connection import wait

import pytest

from sweeps import lease
from sweeps.workers import Job, LocalWorkers

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("workers")]


def configuration(epochs):
    return {
        "model": {"name": "softmax_regression"},
        "data": {"name": "iris"},
        "optimizer": {"name": "adam"},
        "trainer": {"max_epochs": epochs},
    }


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    made = LocalWorkers(tmp_path_factory.mktemp("scratch"), wake=lambda: None)
    yield made
    made.close()


def wait_for(workers, kind, seconds=60.0):
    """The first message of this kind, and all that came before it."""
    came = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        workers.enforce()
        for pipe in wait(workers.pipes, timeout=0.1):
            came.append(workers.receive(pipe))
            if came[-1] and came[-1].kind == kind:
                return came[-1], came
    raise AssertionError(f"no {kind}; came: {[message.kind for message in came if message]}")


def have(workers, count):
    workers.grow(count)
    end = time.monotonic() + 60
    while workers.free < count:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_job_is_trained_and_its_records_come_up_in_order(workers):
    have(workers, 1)
    assert workers.submit([Job("a", configuration(3), 1)])
    result, came = wait_for(workers, "result")
    kinds = [message.kind for message in came if message.kind != "ready"]
    assert kinds[0] == "info" and kinds.count("metrics") == 3 and kinds[-1] == "result"
    assert {message.key for message in came if message.kind != "ready"} == {"a"}
    assert result.payload["outcome"] == "ok" and result.payload["epochs"] == 3
    assert workers.busy == 0


def test_a_stopped_run_ends_at_once_and_its_worker_goes_on(workers):
    have(workers, 1)
    pids = workers.pids
    assert workers.submit([Job("long", configuration(1_000_000), 1)])
    wait_for(workers, "metrics")
    workers.stop("long")
    result, _ = wait_for(workers, "result", seconds=10)
    assert result.payload["outcome"] == "stopped" and result.payload["epochs"] >= 1
    assert workers.pids == pids


def test_a_run_that_does_not_stop_by_itself_is_killed(workers):
    have(workers, 1)
    assert workers.submit([Job("stuck", configuration(1_000_000), 1)])
    wait_for(workers, "metrics")
    (pid,) = workers.pids
    os.kill(pid, signal.SIGSTOP)
    workers.stop("stuck")
    died, _ = wait_for(workers, "died", seconds=30)
    assert died.key == "stuck" and died.payload["exitcode"] == -signal.SIGKILL
    assert workers.pids == [] and not lease.born(pid)


def test_a_worker_that_dies_idle_takes_no_job_with_it(workers):
    have(workers, 2)
    victim = workers.pids[0]
    os.kill(victim, signal.SIGKILL)
    while lease.born(victim):
        time.sleep(0.01)
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
    time.sleep(1)
    assert len(workers.pids) == 3
    workers.shrink(1)
    assert len(workers.pids) == 1
