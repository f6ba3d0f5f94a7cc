"""Kill anything at any time: nothing is lost, nothing is doubled, nothing hangs as RUNNING, the sweep goes on.

The fast tests kill at named moments (tracking/kill_points.py), the slow ones at random.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from sweeps.service import lease
from tracking.kill_points import KILL_POINTS

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.mark.parametrize("moment", ["worker: metrics sent", "worker: result"])
def test_a_killed_worker_costs_one_run_which_is_trained_again(machine, moment):
    machine.at(moment, 2)
    sweep = machine.launch(epochs=6)
    machine.wait_state(sweep, "finished")
    runs = machine.check_whole(sweep, epochs=6)
    (crashed,) = [run for run in runs.values() if run["outcome"] == "crashed"]
    assert "worker ended unexpectedly (exit code -9)" in crashed["error"] and crashed["status"] == "FAILED"
    assert runs[crashed["superseded_by"]]["attempt"] == "2"
    assert len(crashed["steps"]) == (2 if "metrics" in moment else 6), "what it had measured is kept"


def test_an_idle_worker_that_dies_harms_nothing(machine):
    machine.start_service()
    machine.wait(lambda: len(machine.worker_pids()) == 2)
    os.kill(machine.worker_pids()[0], signal.SIGKILL)
    sweep = machine.launch(epochs=2)
    machine.wait_state(sweep, "finished")
    machine.check_whole(sweep, epochs=2)


MOMENTS = (
    ("run given out", 1), ("run created", 1), ("metrics taken", 5), ("inside a transaction", 2), ("inside a rename", 1),
    ("before a status", 1), ("before a status", 6), ("all runs ended", 1),
)  # fmt: skip
"""In this order: a service that comes back ends at first the run that was killed inside a rename, and is killed there.
Its sixth status is that of a run that it has trained."""


def left_behind(machine, sweep, moment):
    """Whether the store is as a kill at that moment leaves it."""
    journal = machine.journal.exists()  # looking into the store removes it
    running = [run for run in machine.runs(sweep).values() if run["status"] == "RUNNING"]
    return {
        "run given out": not running,
        "run created": any(not run["steps"] for run in running),
        "metrics taken": machine.state(sweep) in ("queued", "running"),
        "inside a transaction": journal,
        "inside a rename": any(machine.path.parent.glob("mlartifacts/**/.part-*")),
        "before a status": any("outcome" in run for run in running),
        "all runs ended": machine.state(sweep) == "running",
    }[moment]


def test_the_service_is_killed_at_every_named_moment(machine):
    assert {moment for moment, _ in MOMENTS} == {moment for moment in KILL_POINTS if not moment.startswith("worker: ")}
    sweep, stored = machine.queue(epochs=8, seeds=3), set()
    for moment, count in MOMENTS:
        machine.at(moment, count)
        machine.client.start_service(wait=240)  # and dies, perhaps before it answers
        machine.hit(moment)
        machine.wait(lambda: not lease.locked(machine.folder))
        assert left_behind(machine, sweep, moment), moment
        assert stored <= set(machine.metrics(sweep)), moment
        stored = set(machine.metrics(sweep))
    machine.start_service()
    machine.wait_state(sweep, "finished")
    runs = machine.check_whole(sweep, epochs=8)
    assert stored <= set(machine.metrics(sweep))
    assert len(runs) <= 9 + 2 * len(MOMENTS), "a kill costs no more than the two runs under way"
    assert machine.rows("pragma integrity_check") == [("ok",)]


def test_no_worker_outlives_the_service(machine, alive):
    sweep = machine.launch(epochs=5000)
    for number in (signal.SIGKILL, signal.SIGTERM):
        machine.start_service()
        pids = machine.wait(lambda: len(machine.worker_pids()) == 2 and machine.worker_pids())
        machine.wait(lambda: any(run["status"] == "RUNNING" and run["steps"] for run in machine.runs(sweep).values()))
        service = machine.pid
        machine.kill_service(number)
        machine.wait(lambda of=(service, *pids): not any(alive(pid) for pid in of))

        def group(leader=service):
            pids = subprocess.run(["pgrep", "-g", str(leader)], capture_output=True, text=True).stdout.split()
            return [pid for pid in pids if alive(int(pid))]

        machine.wait(lambda left=group: not left())


RUNNING_RUNS = """
select r.run_uuid, max(m.step) from runs r join tags t on t.run_uuid = r.run_uuid
left join metrics m on m.run_uuid = r.run_uuid and m.key = 'val/loss'
where t.key = 'mlflow.parentRunId' and t.value = ? and r.status = 'RUNNING' group by r.run_uuid
"""
ENDED_RUNS = """
select count(*) from tags o join tags t on t.run_uuid = o.run_uuid
where o.key = 'outcome' and o.value = 'ok' and t.key = 'mlflow.parentRunId' and t.value = ?
"""


def phases(machine, sweep, epochs, planned):
    """Where the runs under way stand, as the store tells it: at dispatch, in training, or at their end."""
    standing = set()
    for _, step in machine.rows(RUNNING_RUNS, sweep):
        standing.add("dispatch" if step is None else "end" if step == epochs else "training")
    if machine.state(sweep) == "running" and machine.rows(ENDED_RUNS, sweep)[0][0] == planned:
        standing.add("end")  # of the sweep: its last run has ended, its state has not changed yet
    return standing


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


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_service_is_killed_at_random_moments_until_every_phase_was_hit(machine, kills=9, most=30):
    seed = random.randrange(10**6)
    print(f"moments drawn by seed {seed}")
    rng, epochs, seeds = random.Random(seed), 60, 4
    hit = dict.fromkeys(("dispatch", "training", "mid-batch", "end", "between"), 0)
    planned = 3 * seeds
    sweep = machine.launch(epochs, seeds)
    sweeps = [sweep]
    for kill in range(most):
        missed = [phase for phase, times in hit.items() if not times and phase != "between"]
        if kill >= kills and not missed:
            break
        if machine.state(sweep) == "finished":
            sweep = machine.launch(epochs, seeds)
            sweeps.append(sweep)
        machine.start_service()
        begun = len(machine.runs(sweep))
        machine.wait(
            lambda count=begun, at=sweep: len(machine.runs(at)) > count or machine.state(at) == "finished",
            every=0.005,
        )
        # A moment drawn uniformly over the life of a run or two. Some phases are short, and would be hit by luck only:
        # two kills of three wait for one that was not hit yet.
        time.sleep(rng.uniform(0, 3))
        if kill % 3 and missed:
            wait_for_moment(machine, sweep, rng.choice(missed), epochs, planned)
        writing = machine.journal.exists()
        stored = set() if kill % 3 else set(machine.metrics(sweep))
        pid = machine.pid
        os.kill(pid, signal.SIGKILL)
        machine.gone(pid)
        writing = writing and machine.journal.exists()
        kept = set(machine.metrics(sweep))
        assert stored <= kept, "a metric that could be read before the kill is gone"
        for name in phases(machine, sweep, epochs, planned) or {"between"}:
            hit[name] += 1
        hit["mid-batch"] += writing
        machine.start_service()
        machine.wait(lambda at=sweep: machine.state(at) in ("running", "finished"))
        assert kept <= set(machine.metrics(sweep))
    machine.wait_state(sweep, "finished", seconds=300)
    for sweep in sweeps:
        machine.check_whole(sweep, epochs)
    assert machine.rows("pragma integrity_check") == [("ok",)]
    print(f"hits: {json.dumps(hit)}")
    assert hit["dispatch"] and hit["training"] and hit["mid-batch"] and hit["end"], hit


def test_a_stopped_service_is_taken_over_and_writes_nothing_that_counts(machine, alive):
    machine.start_service()
    old = machine.pid
    machine.at("metrics taken", 5, "STOP")
    sweep = machine.queue(epochs=20)
    machine.halted(old)
    assert machine.client.start_service() is False  # its lease still holds: nobody else may begin
    assert machine.pid == old
    machine.wait(lambda: machine.client.start_service(wait=1.0))
    assert machine.pid != old
    assert not alive(old)
    machine.wait_state(sweep, "finished")
    machine.check_whole(sweep, epochs=20)


LAUNCH = """
import sys
from sweeps.client import Client
print(Client(sys.argv[1]).launch(sys.stdin.read()))
"""


def test_two_dashboards_launch_in_the_same_second(machine):
    from sweeps.service.channel import request

    machine.client.shutdown()
    machine.wait(lambda: not lease.locked(machine.folder))
    began = machine.log().count("serving as")
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
    assert machine.log().count("serving as") == began + 1
