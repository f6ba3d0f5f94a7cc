"""What the active sweep writes when the store answers late."""

from types import SimpleNamespace
from unittest.mock import create_autospec

import pytest

from sweeps.search import enumerate_trials
from sweeps.search.progress import Progress
from sweeps.service.active_sweep import ActiveSweep, Resources
from sweeps.service.stored import StoredSweep
from sweeps.spec import parse
from sweeps.workers import LocalWorkers, Message
from tracking import schema
from tracking.writer import Writer

SPEC = """
name: active
model: {name: softmax_regression}
data: {name: iris}
workers: 1
"""


@pytest.fixture
def service():
    """An active sweep with one worker, which takes every job, and a writer that takes everything and answers late."""
    spec = parse(SPEC)
    writer = create_autospec(Writer, instance=True)
    writer.problem, writer.backlog = None, 0
    workers = create_autospec(LocalWorkers, instance=True)
    workers.free = 1

    def submit(jobs):
        workers.free = 0
        return True

    workers.submit.side_effect = submit
    progress = Progress(spec, enumerate_trials(spec))
    active = ActiveSweep(StoredSweep("sweep", "1", progress), Resources(writer, workers, wake=lambda: None, owner="me"))
    return SimpleNamespace(active=active, writer=writer, workers=workers)


def job_keys(service):
    """The keys of the jobs that the worker has been given, in their order."""
    return [job.key for call in service.workers.submit.call_args_list for job in call.args[0]]


def superseded(service):
    """(run, the run that supersedes it) as the writer was given them."""
    calls = [call.args for call in service.writer.set_tags.call_args_list]
    return [(key, tags[schema.SUPERSEDED_BY]) for key, tags in calls if schema.SUPERSEDED_BY in tags]


def died(service, key):
    service.workers.free = 1
    return service.active.handle(Message("died", key, {"exitcode": -9}))


def test_a_run_that_dies_before_the_store_knows_it_is_superseded_by_the_next_and_not_by_itself(service):
    active = service.active
    active.begin()
    first = job_keys(service)[0]
    assert died(service, first)
    active.dispatch()
    second = job_keys(service)[1]
    active.created(first, "run1")
    assert superseded(service) == []
    active.created(second, "run2")
    assert superseded(service) == [(first, "run2")]


def test_a_sweep_is_not_finished_before_the_store_has_its_runs(service):
    active = service.active
    active.begin()
    key = job_keys(service)[0]
    result = {"outcome": "ok", "objective": 0.5, "epochs": 1, "seconds": 0.1, "error": None}
    assert active.handle(Message("result", key, result))
    assert not active.settle()
    active.created(key, "run1")
    assert active.settle() and active.state is schema.State.FINISHED


def test_a_run_that_the_store_refuses_is_not_waited_for(service):
    active = service.active
    active.begin()
    key = job_keys(service)[0]
    active.handle(
        Message("result", key, {"outcome": "ok", "objective": 0.5, "epochs": 1, "seconds": 0.1, "error": None})
    )
    active.refused(key)
    assert active.settle()


def test_a_worker_that_dies_twice_leaves_a_crashed_run(service):
    active = service.active
    active.begin()
    for _ in range(2):
        assert died(service, job_keys(service)[-1])
        active.dispatch()
    assert len(job_keys(service)) == 2
    assert [str(call.args[1]) for call in service.writer.end.call_args_list] == ["crashed", "crashed"]


def test_what_a_worker_sends_of_a_run_that_has_ended_is_dropped(service):
    active = service.active
    active.begin()
    key = job_keys(service)[0]
    died(service, key)
    assert not active.handle(Message("metrics", key, {"step": 1, "time": 1, "metrics": {"val/loss": 1.0}}))
