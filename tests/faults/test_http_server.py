"""A sweep on a real MLflow server that is killed, hangs and comes back: nothing is lost, and nobody has to act."""

import random
import signal
import time

import pytest

from tracking import schema
from tracking.reader import open_reader

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

ABSENT = "the server does not answer"


def begin(machine, **size):
    """A sweep that has stored something of its first run."""
    machine.server.start()
    machine.server.wait()
    sweep = machine.launch(**size)
    machine.wait(lambda: machine.metrics(sweep))
    return sweep


def end(machine, sweep, epochs):
    """Wait for the sweep's end and see that all of it is there, files too; its runs."""
    machine.wait_state(sweep, "finished", seconds=300)
    runs = machine.check_whole(sweep, epochs)
    reader = open_reader(machine.uri)
    for run_id, run in runs.items():
        if "superseded_by" not in run:
            assert {schema.WEIGHTS_FILE, schema.PREDICTIONS_FILE} <= set(reader.artifacts(run_id)["path"])
    assert machine.rows("pragma integrity_check") == [("ok",)]
    return runs


def test_the_server_is_killed_in_the_middle_and_comes_back(served):
    sweep = begin(served, epochs=20)
    service = served.pid
    served.server.kill()
    kept = set(served.metrics(sweep))
    problem = served.wait(lambda: served.client.status().problem)
    assert ABSENT in problem and served.uri in problem
    served.server.start()
    runs = end(served, sweep, epochs=20)
    assert kept <= set(served.metrics(sweep))
    assert len(runs) == 6, "a run was trained again, or created twice"
    assert served.pid == service
    served.wait(lambda: served.client.status().problem is None)


@pytest.mark.slow
def test_the_server_and_the_service_are_killed_again_and_again(served):
    seed = random.randrange(10**6)
    print(f"moments drawn by seed {seed}")
    rng = random.Random(seed)
    epochs = 200
    sweep = begin(served, epochs=epochs, seeds=6)
    for fault in ["server", "service too", "hang"] * 3:
        time.sleep(rng.uniform(0, 4))
        if served.state(sweep) == "finished":
            end(served, sweep, epochs)
            sweep = served.launch(epochs=epochs, seeds=6)
        kept = set(served.metrics(sweep))
        service = served.pid
        served.server.send(signal.SIGSTOP if fault == "hang" else signal.SIGKILL)
        time.sleep(rng.uniform(0, 8))
        if fault == "hang":
            served.server.send(signal.SIGCONT)
        else:
            served.server.kill()
            assert ABSENT in served.wait(lambda: served.client.status().problem)
        if fault == "service too":
            served.kill_service()
            served.gone(service)
            served.start_service()
            assert ABSENT in served.wait(lambda: served.client.status().problem)
        if fault != "hang":
            served.server.start()
        served.wait(lambda: served.client.status().alive and served.client.status().problem is None)
        assert (served.pid == service) == (fault != "service too")
        assert kept <= set(served.metrics(sweep))
    runs = end(served, sweep, epochs)
    assert len(runs) <= 18 + 3 * 2, "more was trained again than the two runs that each killed service had"
