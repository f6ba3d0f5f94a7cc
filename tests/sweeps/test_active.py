"""What the active sweep tells the writer, when the store answers late."""

import pytest

from sweeps.active import ActiveSweep
from sweeps.progress import Progress
from sweeps.search import enumerate_trials
from sweeps.spec import parse
from sweeps.workers import Message
from tracking import schema

SPEC = """
name: active
model: {name: softmax_regression}
data: {name: iris}
workers: 1
"""


class Writer:
    """Keeps what it is told; the store has not answered yet."""

    problem = None
    backlog = 0

    def __init__(self):
        self.tags, self.ended = [], []

    def set_tags(self, key, tags):
        self.tags.append((key, dict(tags)))

    def end(self, key, outcome, tags, end_time):
        self.ended.append((key, str(outcome)))

    def superseded(self):
        return [(key, tags[schema.SUPERSEDED_BY]) for key, tags in self.tags if schema.SUPERSEDED_BY in tags]

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


class Workers:
    """One worker that takes every job."""

    def __init__(self):
        self.jobs, self.free = [], 1

    def grow(self, count):
        pass

    def stop(self, key):
        pass

    def submit(self, jobs):
        self.jobs += jobs
        self.free = 0
        return True


@pytest.fixture
def active():
    spec = parse(SPEC)
    return ActiveSweep(
        "sweep",
        "1",
        Progress(spec, enumerate_trials(spec)),
        writer=Writer(),
        workers=Workers(),
        wake=lambda: None,
        owner="me",
        commit="",
    )


def died(active, key):
    active._workers.free = 1
    return active.handle(Message("died", key, {"exitcode": -9}))


def test_a_run_that_dies_before_the_store_knows_it_is_superseded_by_the_next_and_not_by_itself(active):
    active.begin()
    first = active._workers.jobs[0].key
    assert died(active, first)
    active.dispatch()
    second = active._workers.jobs[1].key
    active.created(first, "run1")
    assert active._writer.superseded() == []
    active.created(second, "run2")
    assert active._writer.superseded() == [(first, "run2")]


def test_a_sweep_is_not_finished_before_the_store_has_its_runs(active):
    active.begin()
    key = active._workers.jobs[0].key
    result = {"outcome": "ok", "objective": 0.5, "epochs": 1, "seconds": 0.1, "error": None}
    assert active.handle(Message("result", key, result))
    assert not active.settle()
    active.created(key, "run1")
    assert active.settle() and active.state is schema.State.FINISHED


def test_a_run_that_the_store_refuses_is_not_waited_for(active):
    active.begin()
    key = active._workers.jobs[0].key
    active.handle(
        Message("result", key, {"outcome": "ok", "objective": 0.5, "epochs": 1, "seconds": 0.1, "error": None})
    )
    active.refused(key)
    assert active.settle()


def test_a_worker_that_dies_twice_leaves_a_crashed_run(active):
    active.begin()
    for _ in range(2):
        assert died(active, active._workers.jobs[-1].key)
        active.dispatch()
    assert len(active._workers.jobs) == 2
    assert [outcome for _, outcome in active._writer.ended] == ["crashed", "crashed"]


def test_what_a_worker_sends_of_a_run_that_has_ended_is_dropped(active):
    active.begin()
    key = active._workers.jobs[0].key
    died(active, key)
    assert not active.handle(Message("metrics", key, {"step": 1, "time": 1, "metrics": {"val/loss": 1.0}}))
