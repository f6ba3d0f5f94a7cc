"""Pause, resume, stop, retry and stop-one, on a real service with real training."""

import os
import signal
import time

import pytest

from sweeps.client import CommandError
from sweeps.spec import SpecError

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900), pytest.mark.xdist_group("faults")]


def training(machine, sweep, runs=2):
    return machine.wait(
        lambda: sum(run["status"] == "RUNNING" and bool(run["steps"]) for run in machine.runs(sweep).values()) >= runs
    )


def test_pause_lets_running_runs_finish_and_resume_goes_on(machine):
    sweep = machine.launch(epochs=400)
    training(machine, sweep)
    machine.client.pause(sweep)
    assert machine.state(sweep) in ("pausing", "paused")
    machine.wait_state(sweep, "paused")
    runs = machine.runs(sweep)
    assert len(runs) < 6 and all(run["outcome"] == "ok" for run in runs.values())
    time.sleep(1.5)
    assert len(machine.runs(sweep)) == len(runs), "a run began while the sweep was paused"
    with pytest.raises(CommandError, match="the sweep is paused"):
        machine.client.pause(sweep)
    machine.client.resume(sweep)
    machine.wait_state(sweep, "finished")
    assert set(runs) <= set(machine.check_whole(sweep, epochs=400))


def test_stop_ends_runs_now_and_keeps_what_they_measured_and_resume_trains_them_again(machine):
    sweep = machine.launch(epochs=3000)
    training(machine, sweep)
    machine.client.stop(sweep)
    machine.wait_state(sweep, "stopped")
    runs = machine.runs(sweep)
    assert {run["outcome"] for run in runs.values()} == {"stopped"} and len(runs) == 2
    assert all(run["status"] == "KILLED" and run["steps"] for run in runs.values())
    machine.client.resume(sweep)
    machine.wait(lambda: len(machine.runs(sweep)) == 4)
    machine.wait(lambda: sum("superseded_by" in run for run in machine.runs(sweep).values()) == 2)
    machine.client.stop(sweep)
    machine.wait_state(sweep, "stopped")


def test_one_run_is_stopped_alone_and_stays_stopped(machine):
    sweep = machine.launch(epochs=1000, seeds=1)
    training(machine, sweep)
    victim = next(run["run_id"] for run in machine.runs(sweep).values() if run["status"] == "RUNNING")
    machine.client.stop_run(victim)
    machine.wait(lambda: machine.runs(sweep)[victim].get("outcome"))
    assert machine.runs(sweep)[victim]["outcome"] == "stopped"
    machine.wait_state(sweep, "finished")
    outcomes = sorted(run["outcome"] for run in machine.runs(sweep).values())
    assert outcomes == ["ok", "ok", "stopped"]
    with pytest.raises(CommandError, match="not being trained"):
        machine.client.stop_run(victim)


def test_retry_trains_crashed_runs_again(machine):
    sweep = machine.launch(epochs=400, seeds=1)

    killed = set()

    def crashed_twice():
        runs = machine.runs(sweep).values()
        if any(run["status"] == "RUNNING" and run["steps"] for run in runs):
            for pid in set(machine.worker_pids()) - killed:
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)
        return any((run.get("outcome"), run.get("attempt")) == ("crashed", "2") for run in runs)

    machine.wait(crashed_twice)  # a run whose worker dies is tried once more by itself; then it stays crashed
    machine.wait_state(sweep, "finished")
    assert not any("superseded_by" in run for run in machine.runs(sweep).values() if run.get("attempt") == "2")
    machine.client.retry(sweep)
    machine.wait_state(sweep, "finished")
    machine.check_whole(sweep, epochs=400)
    with pytest.raises(CommandError, match="none of the sweep's runs has crashed"):
        machine.client.retry(sweep)


def test_sweeps_are_trained_in_the_order_of_their_launch(machine):
    first, second = machine.launch(epochs=30, seeds=1), machine.launch(epochs=2, seeds=1)
    machine.wait_state(second, "finished")
    assert machine.state(first) == "finished"
    times = """select min(r.start_time), max(r.end_time) from runs r join tags t on t.run_uuid = r.run_uuid
               where t.key = 'mlflow.parentRunId' and t.value = ?"""
    ((_, last_of_first),) = machine.rows(times, first)
    ((first_of_second, _),) = machine.rows(times, second)
    assert first_of_second >= last_of_first


def test_a_command_left_in_the_store_is_obeyed(machine):
    sweep = machine.launch(epochs=3000)
    training(machine, sweep)
    machine.client._leave_command("stop", sweep, {})
    machine.wait_state(sweep, "stopped")
    ((value,),) = machine.rows("select value from tags where run_uuid = ? and key like 'cmd.%'", sweep)
    assert '"handled"' in value


def test_the_same_spec_and_seed_give_the_same_numbers(machine):
    first, second = machine.launch(epochs=3), machine.launch(epochs=3)
    machine.wait_state(second, "finished")

    def numbers(sweep):
        return sorted(
            (run["trial"], run["seed"], key, step, value)
            for run in machine.runs(sweep).values()
            for key, step, value in machine.rows(
                "select key, step, value from metrics where run_uuid = ? and key not like 'time/%'", run["run_id"]
            )
        )

    assert numbers(first) == numbers(second) != []


def test_bad_specs_and_unknown_sweeps_are_refused_and_write_nothing(machine):
    with pytest.raises(SpecError, match="mpl"):
        machine.client.launch("name: x\nmodel: {name: mpl}\ndata: {name: iris}\n")
    with pytest.raises(CommandError, match="there is no sweep"):
        machine.client.stop("nosuchsweep")
    assert machine.rows("select count(*) from runs") == [(0,)]
