"""The loss landscape of a run, computed by the workers of a real service, beside sweeps and through kills."""

import io

import numpy as np
import pytest

from sweeps.client import CommandError
from tracking import schema
from tracking.reader import open_reader

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

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


def trained(machine, epochs=6, seeds=1, workers=1):
    """The runs of a sweep that has finished."""
    sweep = machine.launch_text(SPEC % (epochs, seeds, workers))
    machine.wait_state(sweep, "finished")
    return sorted(machine.runs(sweep))


def computed(machine, run, seconds=300.0):
    """The last reply to a client that asks again and again."""
    return machine.wait(
        lambda: (reply := machine.client.landscape(run))["state"] in ENDED and reply, seconds, every=0.2
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
    ((sweep,),) = machine.rows("select value from tags where run_uuid = ? and key = 'sweep'", run)
    assert sorted(machine.runs(sweep)) == [run, other], "to train it once more adds no run"

    with pytest.raises(CommandError, match="landscape: no sweep of this program trained this run"):
        machine.client.landscape(sweep)
    with pytest.raises(CommandError, match=r"(?i)there is no run .*nobody"):
        machine.client.landscape("nobody")
    machine.client.delete([other])
    with pytest.raises(CommandError, match="the run is deleted"):
        machine.client.landscape(other)


def test_a_killed_worker_leads_to_another_try_and_two_to_a_clear_failure(machine):
    (run,) = trained(machine, epochs=6)
    machine.at("worker: progress sent", processes=2)
    machine.client.landscape(run)
    reply = computed(machine, run)
    assert reply["state"] == "failed" and "ended unexpectedly 2 times" in reply["problem"]
    assert machine.client.landscape(run)["state"] == "failed", "it is not begun again unless that is asked for"
    machine.at("worker: progress sent", signal_name="STOP")
    machine.client.landscape(run, "again")
    machine.halted()
    assert machine.client.landscape(run, "look")["state"] == "computing"
    machine.client.landscape(run, "stop")
    machine.wait(lambda: machine.client.landscape(run, "look")["state"] == "none")


def test_beside_a_sweep_both_get_their_turn_and_a_killed_service_loses_neither(machine):
    run, _ = trained(machine, epochs=10, seeds=2, workers=2)
    machine.at("worker: progress sent", signal_name="STOP")
    machine.client.landscape(run)
    machine.halted()
    sweep = machine.launch_text(SPEC % (10, 5, 1))
    machine.wait(lambda: machine.metrics(sweep))
    assert machine.client.landscape(run, "look")["state"] == "computing", "in its middle, beside the sweep"
    machine.kill_service()
    machine.client.landscape(run)
    assert computed(machine, run)["state"] == "cached"
    machine.wait_state(sweep, "finished")
    machine.check_whole(sweep, epochs=10)
    assert read(machine, run)["reproduced"]
