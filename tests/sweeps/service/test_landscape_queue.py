"""The queue of landscapes, without a store and without workers: turns, tries, refusals, and the replies to clients."""

import threading

import pytest

from sweeps.service.landscape_queue import LandscapeQueue
from sweeps.service.stored import Refused, Trained
from sweeps.workers import Message
from tracking import schema


class Store:
    """Runs by name; `files` are those that have a landscape already."""

    def __init__(self):
        self.files = set()

    def has(self, run, artifact):
        assert artifact == schema.LANDSCAPE_FILE
        return run in self.files

    def trained(self, run):
        if run == "diverged":
            raise Refused("the run ended as diverged; allowed: a run that ended ok")
        return Trained({"model": {"name": run}}, 2, {"val/loss": 0.5}, {"seed": "0"})


class Writer:
    """Stores when the test sets `free`."""

    def __init__(self):
        self.logged, self.free = [], threading.Event()

    def log_file(self, key, local, artifact, delete=False):
        self.logged.append((key, local.name, artifact, delete))

    def flush(self, timeout):
        return self.free.wait(timeout)


class Workers:
    """So many workers; a job ends when the test says so."""

    def __init__(self, count=1):
        self.count, self.jobs, self.stopped = count, [], []
        self.begun = []

    @property
    def busy(self):
        return len(self.jobs)

    def grow(self, count):
        assert count == 1

    def stop(self, key):
        self.stopped.append(key)

    def submit(self, jobs):
        (job,) = jobs
        if len(self.jobs) >= self.count:
            return False
        self.jobs.append(job)
        self.begun.append(job)
        return True

    def end(self, job):
        self.jobs.remove(job)


class Sweep:
    """A sweep that always has a run to train."""

    def __init__(self, workers):
        self.workers, self.runs = workers, 0

    def dispatch(self):
        if self.workers.submit([f"run {self.runs}"]):
            self.runs += 1


@pytest.fixture
def parts():
    store, writer, workers = Store(), Writer(), Workers()

    def in_loop(function):
        function()
        return {}

    return LandscapeQueue(store, writer, workers, in_loop), store, writer, workers


def ended(landscapes, workers, outcome="ok", error=None):
    """The job under way ends."""
    job = workers.jobs[-1]
    workers.end(job)
    if outcome == "ok":
        landscapes.handle(Message("file", job.key, {"path": "/tmp/landscape.npz", "artifact": schema.LANDSCAPE_FILE}))
    landscapes.handle(Message("result", job.key, {"outcome": outcome, "error": error}))


def state(landscapes, run, act="look"):
    return landscapes.answer(run, act)["state"]


def test_one_is_asked_for_computed_stored_and_then_lies_with_its_run(parts):
    landscapes, store, writer, workers = parts
    assert state(landscapes, "a") == "none" and not landscapes.busy
    assert state(landscapes, "a", "ask") == "queued" and landscapes.busy
    landscapes.dispatch(None)
    (job,) = workers.jobs
    assert job.kind == "landscape" and job.configuration == {"model": {"name": "a"}}
    assert job.recorded == {"metrics": {"val/loss": 0.5}, "tags": {"seed": "0"}}
    landscapes.handle(Message("progress", job.key, {"doing": "training it once more", "share": 0.5}))
    reply = landscapes.answer("a", "ask")
    assert reply == {"state": "computing", "doing": "training it once more", "share": 0.5, "problem": ""}
    ended(landscapes, workers)
    assert writer.logged == [("a", "landscape.npz", schema.LANDSCAPE_FILE, True)]
    assert state(landscapes, "a", "ask") == "storing" and not landscapes.busy
    store.files.add("a")
    writer.free.set()
    wait_until(lambda: state(landscapes, "a", "ask") == "cached")
    landscapes.dispatch(None)
    assert workers.jobs == [], "it is not computed once more"


def wait_until(condition):
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not happen")


def test_what_is_refused_is_refused_with_its_sentence(parts):
    landscapes, *_ = parts
    assert "ended as diverged" in landscapes.answer("diverged", "ask")["error"]
    assert state(landscapes, "diverged") == "none"
    with pytest.raises(ValueError, match="act: 'no' is not allowed; allowed: ask, look, again, stop"):
        landscapes.answer("a", "no")


def test_a_failure_is_kept_until_it_is_asked_for_again(parts):
    landscapes, store, _, workers = parts
    landscapes.answer("a", "ask")
    landscapes.dispatch(None)
    ended(landscapes, workers, "crashed", "It has no weights.")
    reply = landscapes.answer("a", "ask")
    assert reply["state"] == "failed" and reply["problem"] == "It has no weights."
    assert state(landscapes, "a", "again") == "queued"
    store.files.add("b")
    assert state(landscapes, "b", "ask") == "cached" and state(landscapes, "b", "again") == "queued"


def test_what_the_store_refuses_has_failed(parts):
    landscapes, _, writer, workers = parts
    landscapes.answer("a", "ask")
    landscapes.refused("a", "another file of it")
    landscapes.dispatch(None)
    ended(landscapes, workers)
    landscapes.refused("a", "the run was deleted.")
    writer.free.set()
    reply = landscapes.answer("a", "look")
    assert reply["state"] == "failed" and reply["problem"] == "The store refused it: the run was deleted."


def test_a_worker_that_dies_leads_to_one_more_try_and_then_to_a_failure(parts):
    landscapes, _, _, workers = parts
    landscapes.answer("a", "ask")
    for tries in (1, 2):
        landscapes.dispatch(None)
        assert len(workers.begun) == tries and state(landscapes, "a") == "computing"
        job = workers.jobs.pop()
        landscapes.handle(Message("died", job.key, {"exitcode": -9}))
    reply = landscapes.answer("a", "look")
    assert reply["state"] == "failed" and "ended unexpectedly 2 times (exit code -9)" in reply["problem"]
    landscapes.handle(Message("result", workers.begun[0].key, {"outcome": "ok", "error": None}))
    assert state(landscapes, "a") == "failed", "what comes late of a job that has ended is dropped"


@pytest.mark.parametrize("how", ["result", "died"])
def test_one_under_way_is_given_up_and_one_that_waits_is_forgotten(parts, how):
    landscapes, _, _, workers = parts
    landscapes.answer("a", "ask")
    landscapes.answer("b", "ask")
    landscapes.dispatch(None)
    assert state(landscapes, "b", "stop") == "none"
    assert state(landscapes, "a", "stop") == "computing" and workers.stopped == [workers.jobs[0].key]
    job = workers.jobs.pop()
    landscapes.handle(Message(how, job.key, {"outcome": "stopped", "error": None, "exitcode": -9}))
    assert state(landscapes, "a") == "none" and not landscapes.busy
    assert state(landscapes, "c", "stop") == "none", "one that nobody wants"


def test_landscapes_and_the_runs_of_a_sweep_take_turns_at_one_worker(parts):
    landscapes, _, _, workers = parts
    sweep = Sweep(workers)
    for run in "abc":
        landscapes.answer(run, "ask")
    order = []
    for _ in range(6):
        landscapes.dispatch(sweep.dispatch)
        (job,) = workers.jobs
        order.append("run" if isinstance(job, str) else job.configuration["model"]["name"])
        if isinstance(job, str):
            workers.end(job)
        else:
            ended(landscapes, workers)
    assert order == ["a", "run", "b", "run", "c", "run"]


def test_one_is_computed_at_a_time_and_the_sweep_has_the_other_workers(parts):
    landscapes, _, _, workers = parts
    workers.count = 3
    sweep = Sweep(workers)
    landscapes.answer("a", "ask")
    landscapes.answer("b", "ask")
    landscapes.dispatch(sweep.dispatch)
    landscapes.dispatch(sweep.dispatch)
    assert state(landscapes, "a") == "computing" and state(landscapes, "b") == "queued" and sweep.runs == 2
