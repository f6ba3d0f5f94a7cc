"""The loss landscape of a run, computed by the workers of a real service, beside sweeps and through kills."""

import io
import os
import signal

import numpy as np
import pytest

from sweeps.client import CommandError
from tracking import schema
from tracking.reader import open_reader

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900), pytest.mark.xdist_group("faults")]

ENDED = ("cached", "failed", "none")
SPEC = """
name: way
model: {name: mlp, hidden_sizes: [8]}
data: {name: iris}
optimizer: {name: adam, lr: 0.01}
trainer: {max_epochs: %d}
seeds: %d
workers: %d
"""


def trained(machine, epochs=6, seeds=1):
    """The runs of a sweep that has finished."""
    sweep = machine.launch_text(SPEC % (epochs, seeds, 1))
    machine.wait_state(sweep, "finished")
    return sorted(machine.runs(sweep))


def computed(machine, run, seconds=300.0):
    """What a client is told at the end, having asked again and again."""
    return machine.wait(
        lambda: (found := machine.client.landscape(run))["state"] in ENDED and found, seconds, every=0.2
    )


def read(machine, run):
    with np.load(io.BytesIO(open_reader(machine.uri).artifact(run, schema.LANDSCAPE_FILE)), allow_pickle=False) as file:
        return dict(file)


def last(machine, run, metric):
    ((value,),) = machine.rows("select value from latest_metrics where run_uuid = ? and key = ?", run, metric)
    return value


def test_a_run_is_drawn_once_and_what_has_no_landscape_is_refused_in_a_sentence(machine):
    run, other = trained(machine, epochs=6, seeds=2)
    assert machine.client.landscape(run, "look")["state"] == "none"
    assert machine.client.landscape(run)["state"] in ("queued", "computing")
    assert computed(machine, run)["state"] == "cached"
    arrays = read(machine, run)
    assert arrays["reproduced"] and str(arrays["problem"]) == ""
    middle = arrays["random_loss"][len(arrays["random_y"]) // 2, len(arrays["random_x"]) // 2]
    assert middle == pytest.approx(last(machine, run, schema.TRAIN_EVAL_LOSS), rel=1e-5)
    assert arrays["epochs"].tolist() == list(range(7))
    assert machine.client.landscape(run)["state"] == "cached"
    ((runs,),) = machine.rows("select count(*) from runs")
    assert runs == 3, "to train it once more adds no run"

    ((sweep,),) = machine.rows("select value from tags where run_uuid = ? and key = 'sweep'", run)
    with pytest.raises(CommandError, match="landscape: no sweep of this program trained this run"):
        machine.client.landscape(sweep)
    with pytest.raises(CommandError, match=r"(?i)there is no run .*nobody"):
        machine.client.landscape("nobody")
    machine.client.delete([other])
    with pytest.raises(CommandError, match="the run is deleted"):
        machine.client.landscape(other)


def test_a_killed_worker_leads_to_another_try_and_two_to_a_clear_failure(machine):
    (run,) = trained(machine, epochs=100)
    killed = set()

    def computing():
        return machine.client.landscape(run, "look")["state"] == "computing"

    def failed():
        if computing():
            for pid in set(machine.worker_pids()) - killed:
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)
        return machine.client.landscape(run, "look")["state"] == "failed"

    machine.client.landscape(run)
    # After two tries: the second may have been given to a worker that had just died too.
    machine.wait(failed, every=0.02)
    found = computed(machine, run)
    assert found["state"] == "failed" and "ended unexpectedly 2 times" in found["problem"]
    assert machine.client.landscape(run)["state"] == "failed", "it is not begun again unless that is asked for"
    machine.client.landscape(run, "again")
    machine.wait(computing, every=0.02)
    machine.client.landscape(run, "stop")
    machine.wait(lambda: machine.client.landscape(run, "look")["state"] == "none")


def test_beside_a_sweep_both_get_their_turn_and_a_killed_service_loses_neither(machine):
    runs = trained(machine, epochs=30, seeds=2)
    sweep = machine.launch_text(SPEC % (30, 5, 1))
    machine.wait(lambda: len(machine.runs(sweep)) >= 1)
    for run in runs:
        machine.client.landscape(run)
    machine.wait(lambda: any(machine.client.landscape(run, "look")["share"] > 0 for run in runs), every=0.02)
    machine.kill_service()
    for run in runs:
        machine.client.landscape(run)
    assert {computed(machine, run)["state"] for run in runs} == {"cached"}
    machine.wait_state(sweep, "finished")
    machine.check_whole(sweep, epochs=30)
    assert all(read(machine, run)["reproduced"] for run in runs)
