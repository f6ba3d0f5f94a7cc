"""Search, pruning and confirm on a real service, killed in the middle; extend, change, delete, clean on real runs."""

import os
import random
import signal
import time

import pytest

from sweeps.client import CommandError
from sweeps.service import lease
from sweeps.spec import SpecError

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

SPEC = """
name: search
model: {name: mlp, hidden_sizes: [8]}
data: {name: iris, batch_size: 32}
trainer: {max_epochs: 10}
search:
  optimizer.name: {values: [sgd, adam]}
  optimizer.lr: {low: 0.0001, high: 1.0, log: true}
sampler: tpe
trials: 8
pruner: median
seeds: 2
confirm: {per: optimizer.name, seeds: 2}
workers: 1
"""


def results(machine, sweep):
    """(trial, seed) -> what a run that counts searched, how it ended, what it measured."""
    measured = {}
    for run_id, run in machine.runs(sweep).items():
        if "superseded_by" not in run:
            place = int(run["trial"]), int(run["seed"])
            assert place not in measured, "a trial and seed has two runs that count"
            values = machine.rows(
                "select step, value from metrics where run_uuid = ? and key = 'val/loss' order by step", run_id
            )
            measured[place] = run["params"], run["phase"], run["outcome"], run.get("pruned_at"), values
    return measured


def check_whole(machine, sweep):
    """Nothing is RUNNING, nothing doubled, and the sweep has as many runs as it says."""
    runs = machine.runs(sweep)
    assert all(run["status"] != "RUNNING" for run in runs.values())
    measured = results(machine, sweep)
    ((planned,),) = machine.rows("select value from tags where run_uuid = ? and key = 'planned'", sweep)
    assert len(measured) == int(planned)
    for (trial, seed), (_, phase, outcome, pruned_at, values) in measured.items():
        first = measured[trial, 0][2]
        assert phase == ("confirm" if seed >= 1000 else "search") and outcome in ("ok", "pruned")
        assert outcome == "ok" or (seed == 0 and values[-1][0] == int(pruned_at) < 10)
        assert seed == 0 or first == "ok", "a seed was trained after its trial had been pruned"
    return measured


def gone_at(machine, moment):
    """Wait until the service has died at this moment."""
    machine.hit(moment)
    machine.wait(lambda: not lease.locked(machine.folder))


def test_a_sweep_killed_in_the_middle_asks_for_the_same_trials_and_measures_the_same(machine):
    """Killed once while it searches, and once while it confirms."""
    text = SPEC.replace("trials: 8", "trials: 5")
    whole = machine.launch_text(text)
    machine.wait_state(whole, "finished")
    expected = check_whole(machine, whole)
    machine.at("run created", 5)
    killed = machine.launch_text(text.replace("name: search", "name: killed"))
    gone_at(machine, "run created")
    runs = machine.runs(killed).values()
    assert len(runs) == 5 and {run["phase"] for run in runs} == {"search"}
    ended = sum("outcome" in run for run in runs)
    machine.at("run created", len(expected) - ended - 1)
    machine.client.start_service(wait=240)  # and dies, perhaps before it answers
    gone_at(machine, "run created")
    assert {run["phase"] for run in machine.runs(killed).values()} == {"search", "confirm"}
    machine.start_service()
    machine.wait_state(killed, "finished")
    assert check_whole(machine, killed) == expected


@pytest.mark.slow
def test_a_sweep_killed_at_random_asks_for_the_same_trials_and_measures_the_same(machine):
    whole = machine.launch_text(SPEC)
    machine.wait_state(whole, "finished")
    expected = check_whole(machine, whole)
    seed = random.randrange(10**6)
    print(f"moments drawn by seed {seed}")
    rng = random.Random(seed)
    killed = machine.launch_text(SPEC.replace("name: search", "name: killed"))
    for _ in range(4):
        begun = len(machine.runs(killed))
        machine.wait(
            lambda before=begun: len(machine.runs(killed)) > before or machine.state(killed) == "finished", every=0.01
        )
        time.sleep(rng.uniform(0, 0.6))
        pid = machine.pid
        os.kill(pid, signal.SIGKILL)
        machine.gone(pid)
        machine.start_service()
    machine.wait_state(killed, "finished")
    assert check_whole(machine, killed) == expected


def test_extend_change_delete_restore_and_clean(machine):
    sweep = machine.launch_text(SPEC.replace("trials: 8", "trials: 3").replace("workers: 1", "workers: 2"))
    machine.client.change(sweep, workers=1, pruner="none")
    machine.wait_state(sweep, "finished")
    before = results(machine, sweep)
    assert {trial for trial, seed in before if seed < 1000} == {0, 1, 2}
    with pytest.raises(CommandError, match="the sweep is finished"):
        machine.client.change(sweep, workers=2)
    with pytest.raises(CommandError, match="extend: missing"):
        machine.client.extend(sweep)

    machine.client.extend(sweep, trials=1, seeds=1)
    machine.wait(lambda: machine.state(sweep) == "finished" and len(results(machine, sweep)) > len(before))
    after = check_whole(machine, sweep)
    assert before.items() <= after.items(), "what was there is changed by extending"
    assert {(trial, seed) for trial, seed in after if seed < 1000} == {(t, s) for t in range(4) for s in range(3)}

    client = machine.client
    assert client.clean(sweep, "weights") > 0
    assert client.clean(sweep, "weights") == 0
    assert client.clean(sweep, "artifacts") > 0, "the predictions"
    with pytest.raises(CommandError, match="clean: 'all' is not allowed; allowed: weights, artifacts"):
        client.clean(sweep, "all")
    with pytest.raises(CommandError, match="there is no sweep"):
        client.clean("nothing", "weights")
    left = machine.folder / "resumable" / f"{sweep}-0-0.pt"
    left.touch()
    client.delete([sweep])
    assert not left.exists(), "what its runs would go on from is left for ever"
    hidden = {run for (run,) in machine.rows("select run_uuid from runs where lifecycle_stage = 'deleted'")}
    assert {sweep, *machine.runs(sweep)} <= hidden
    client.restore([sweep])
    hidden = {run for (run,) in machine.rows("select run_uuid from runs where lifecycle_stage = 'deleted'")}
    assert hidden.isdisjoint({sweep, *machine.runs(sweep)})
    assert results(machine, sweep) == after


def test_a_running_sweep_is_extended_and_what_is_refused_changes_nothing(machine):
    text = SPEC.replace("sampler: tpe", "sampler: random").replace("trials: 8", "trials: 2")
    sweep = machine.launch_text(text.replace("max_epochs: 10", "max_epochs: 5000"))
    machine.wait(lambda: machine.runs(sweep))
    planned = "select value from tags where run_uuid = ? and key = 'planned'"
    assert machine.rows(planned, sweep) == [("8",)]  # two trials with two seeds, two winners with two
    machine.client.extend(sweep, trials=1)
    with pytest.raises((CommandError, SpecError), match=r"extend\.trials: -1 is not allowed"):
        machine.client.extend(sweep, trials=-1)
    with pytest.raises((CommandError, SpecError), match=r'change\.pruner: "best" is not allowed'):
        machine.client.change(sweep, pruner="best")
    with pytest.raises(CommandError, match="clean: the sweep is being trained"):
        machine.client.clean(sweep, "weights")
    assert machine.rows(planned, sweep) == [("10",)]
    machine.client.stop(sweep)
    machine.wait_state(sweep, "stopped")
