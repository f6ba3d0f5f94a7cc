"""Kill anything at any time: nothing is lost, nothing is doubled, nothing hangs as RUNNING, the sweep goes on."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from sweeps import lease

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900), pytest.mark.xdist_group("faults")]


def test_a_killed_worker_costs_one_run_which_is_trained_again(machine):
    sweep = machine.launch(epochs=60)
    machine.wait(lambda: sum(bool(run["steps"]) for run in machine.runs(sweep).values()) >= 2)
    victim = machine.worker_pids()[0]
    os.kill(victim, signal.SIGKILL)
    machine.wait_state(sweep, "finished")
    runs = machine.check_whole(sweep, epochs=60)
    crashed = [run for run in runs.values() if run["outcome"] == "crashed"]
    assert len(crashed) <= 1  # none if the kill fell between two runs
    for run in crashed:
        assert "worker ended unexpectedly" in run["error"] and run["status"] == "FAILED"
        assert runs[run["superseded_by"]]["attempt"] == "2"


def test_an_idle_worker_that_dies_harms_nothing(machine):
    machine.client.start_service(wait=120)
    machine.wait(lambda: len(machine.worker_pids()) == 2)
    os.kill(machine.worker_pids()[0], signal.SIGKILL)
    sweep = machine.launch(epochs=2)
    machine.wait_state(sweep, "finished")
    machine.check_whole(sweep, epochs=2)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_the_service(machine, alive, number):
    machine.launch(epochs=5000)
    pids = machine.wait(lambda: len(machine.worker_pids()) == 2 and machine.worker_pids())
    machine.wait(lambda: machine.metrics())
    service = machine.pid
    machine.kill_service(number)
    machine.wait(lambda: not any(alive(pid) for pid in [service, *pids]))

    def group():
        found = subprocess.run(["pgrep", "-g", str(service)], capture_output=True, text=True).stdout.split()
        return [pid for pid in found if alive(int(pid))]

    machine.wait(lambda: not group())


RUNNING_RUNS = """
select r.run_uuid, max(m.step) from runs r join tags t on t.run_uuid = r.run_uuid
left join metrics m on m.run_uuid = r.run_uuid and m.key = 'val/loss'
where t.key = 'mlflow.parentRunId' and t.value = ? and r.status = 'RUNNING' group by r.run_uuid
"""
ENDED_RUNS = "select count(*) from tags where key = 'outcome' and value = 'ok'"


def phases(machine, sweep, epochs, planned):
    """Where the runs under way stand, as the store tells it: at dispatch, in training, or at their end."""
    found = set()
    for _, step in machine.rows(RUNNING_RUNS, sweep):
        found.add("dispatch" if step is None else "end" if step == epochs else "training")
    if machine.state(sweep) == "running" and machine.rows(ENDED_RUNS)[0][0] % planned == 0:
        found.add("end")  # of the sweep: its last run has ended, its state has not changed yet
    return found


def wait_for_moment(machine, sweep, aim, epochs, planned, seconds=5.0):
    """Wait until the service is where a kill is to hit it; in a transaction it stays, stopped."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if aim != "mid-batch" and aim in phases(machine, sweep, epochs, planned):
            return
        if aim == "mid-batch" and machine.journal.exists():
            os.kill(machine.pid, signal.SIGSTOP)
            time.sleep(0.05)
            if machine.journal.exists():
                return
            os.kill(machine.pid, signal.SIGCONT)


def kill_at_random_moments(machine, kills, epochs, seeds, rng, most=0):
    """Kill the service again and again while it trains, and see each time that nothing was lost; says where it hit.

    So often as `kills` says, and then on to `most` until every phase was hit.
    """
    hit = dict.fromkeys(("dispatch", "training", "mid-batch", "end", "between"), 0)
    planned = 3 * seeds
    sweep = machine.launch(epochs, seeds)
    for kill in range(max(kills, most)):
        missed = [phase for phase, times in hit.items() if not times and phase != "between"]
        if kill >= kills and not missed:
            break
        if machine.state(sweep) == "finished":
            sweep = machine.launch(epochs, seeds)
        assert machine.client.start_service(wait=120), machine.log()[-3000:]
        begun = len(machine.runs(sweep))
        machine.wait(
            lambda known=begun, at=sweep: len(machine.runs(at)) > known or machine.state(at) == "finished", every=0.005
        )
        # A moment drawn uniformly over the life of a run or two. Some phases are short, and would be hit by luck only:
        # two kills of three wait for one that was not hit yet.
        time.sleep(rng.uniform(0, 3))
        if kill % 3 and missed:
            wait_for_moment(machine, sweep, rng.choice(missed), epochs, planned)
        writing = machine.journal.exists()
        stored = set() if kill % 3 else set(machine.metrics())
        pid = machine.pid
        os.kill(pid, signal.SIGKILL)
        machine.wait(lambda gone=pid: not lease.born(gone))
        writing = writing and machine.journal.exists()
        kept = set(machine.metrics())
        assert stored <= kept, "a metric that could be read before the kill is gone"
        for name in phases(machine, sweep, epochs, planned) or {"between"}:
            hit[name] += 1
        hit["mid-batch"] += writing
        assert machine.client.start_service(wait=120), machine.log()[-3000:]
        machine.wait(lambda at=sweep: machine.state(at) in ("running", "finished"))
        assert kept <= set(machine.metrics())
    machine.wait_state(sweep, "finished", seconds=300)
    for (each,) in machine.rows("select run_uuid from tags where key = 'kind' and value = 'sweep'"):
        machine.check_whole(each, epochs)
    assert machine.rows("pragma integrity_check") == [("ok",)]
    return hit


def test_the_service_is_killed_at_three_moments(machine):
    seed = random.randrange(10**6)
    print(f"moments drawn by seed {seed}")
    kill_at_random_moments(machine, 3, epochs=60, seeds=2, rng=random.Random(seed))


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_service_is_killed_in_every_phase(machine):
    seed = random.randrange(10**6)
    print(f"moments drawn by seed {seed}")
    hit = kill_at_random_moments(machine, 9, epochs=60, seeds=4, rng=random.Random(seed), most=30)
    print(f"hits: {json.dumps(hit)}")
    assert hit["dispatch"] and hit["training"] and hit["mid-batch"] and hit["end"], hit


def test_a_run_that_had_ended_but_not_been_closed_still_counts(machine):
    """A kill between the outcome and the status, made by hand because the moment is short."""
    import sqlite3

    sweep = machine.launch(epochs=3)
    machine.wait_state(sweep, "finished")
    machine.client.shutdown()
    machine.wait(lambda: not machine.client.status().alive)
    before = machine.runs(sweep)
    ended, interrupted = sorted(before)[:2]
    with sqlite3.connect(machine.path) as connection:
        connection.execute(
            "update runs set status = 'RUNNING', end_time = null where run_uuid in (?, ?)", (ended, interrupted)
        )
        connection.execute("delete from tags where run_uuid = ? and key = 'outcome'", (interrupted,))
        connection.execute("update tags set value = 'running' where run_uuid = ? and key = 'state'", (sweep,))
    connection.close()
    machine.client.start_service(wait=120)
    machine.wait_state(sweep, "finished")
    runs = machine.check_whole(sweep, epochs=3)
    assert len(runs) == len(before) + 1
    assert runs[ended]["status"] == "FINISHED" and "superseded_by" not in runs[ended]
    assert runs[interrupted]["outcome"] == "crashed" and runs[interrupted]["superseded_by"] not in before


def test_a_stopped_service_is_taken_over_and_writes_nothing_that_counts(machine, alive):
    sweep = machine.launch(epochs=200)
    machine.wait(lambda: machine.metrics())
    old = machine.pid
    os.kill(old, signal.SIGSTOP)
    assert machine.client.start_service() is False  # its lease still holds: nobody else may begin
    assert machine.pid == old
    machine.wait(lambda: machine.client.start_service(wait=1.0))
    assert machine.pid != old
    assert not alive(old)
    machine.wait_state(sweep, "finished")
    machine.check_whole(sweep, epochs=200)


LAUNCH = """
import sys
from sweeps.client import Client
print(Client(sys.argv[1]).launch(sys.stdin.read()))
"""


def test_two_dashboards_launch_in_the_same_second(machine):
    from sweeps.channel import request

    texts = [
        f"name: twin{i}\nmodel: {{name: softmax_regression}}\ndata: {{name: iris}}\n"
        "optimizer: {name: adam}\ntrainer: {max_epochs: 2}\nsearch:\n  optimizer.lr: {values: [0.01, 0.1]}\n"
        for i in range(2)
    ]
    launches = [
        subprocess.Popen(
            [sys.executable, "-c", LAUNCH, machine.uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in texts
    ]
    sweeps = [process.communicate(text, timeout=120)[0].strip() for process, text in zip(launches, texts, strict=True)]
    assert len(set(sweeps)) == 2 and all(sweeps)
    for sweep in sweeps:
        machine.wait_state(sweep, "finished")
        machine.check_whole(sweep, epochs=2)
    assert request(machine.folder, {"action": "status"})["pid"] == machine.pid
    assert machine.log().count("serving as") == 1


FIRST = """
import sys
from tracking.store import ensure_store
ensure_store(sys.argv[1])
"""


def test_eight_dashboards_start_at_once_in_an_empty_directory(tmp_path, monkeypatch):
    import sqlite3

    monkeypatch.setenv("SWEEPBOARD_STATE", str(tmp_path / "state"))
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    processes = [
        subprocess.Popen([sys.executable, "-c", FIRST, uri], stderr=subprocess.PIPE, text=True) for _ in range(8)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=180)
        assert process.returncode == 0, errors
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        assert connection.execute("select count(*) from experiments").fetchone() == (1,)
    connection.close()
