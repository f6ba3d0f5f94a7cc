"""Pause, resume, stop, retry and stop-one, on a real service with real training."""

import os
import signal

import pytest

from sweeps.client import CommandError
from sweeps.service.channel import NoService, request
from sweeps.spec import SpecError

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


ONE_BY_ONE = """
name: one by one
model: {name: mlp, hidden_sizes: [8]}
data: {name: iris, batch_size: 32}
optimizer: {name: adam}
search: {trainer.max_epochs: {values: %s}}
workers: 1
"""


def training(machine, sweep, runs=2):
    return machine.wait(
        lambda: sum(run["status"] == "RUNNING" and bool(run["steps"]) for run in machine.runs(sweep).values()) >= runs
    )


def test_pause_lets_running_runs_finish_and_resume_goes_on(machine):
    machine.start_service()
    machine.wait(machine.worker_pids)
    machine.at("worker: metrics sent", 2, "STOP")
    sweep = machine.launch_text(ONE_BY_ONE % [6, 5, 4])
    worker = machine.halted()
    machine.client.pause(sweep)
    assert machine.state(sweep) == "pausing"
    os.kill(worker, signal.SIGCONT)
    machine.wait_state(sweep, "paused")
    ((run_id, run),) = machine.runs(sweep).items()
    assert run["outcome"] == "ok" and run["steps"] == [1, 2, 3, 4, 5, 6]
    later = machine.launch_text(ONE_BY_ONE % [2])
    machine.wait_state(later, "finished")
    assert list(machine.runs(sweep)) == [run_id], "a run began while the sweep was paused"
    with pytest.raises(CommandError, match="the sweep is paused"):
        machine.client.pause(sweep)
    machine.client.resume(sweep)
    machine.wait_state(sweep, "finished")
    runs = machine.runs(sweep)
    assert run_id in runs and sorted(len(run["steps"]) for run in runs.values()) == [4, 5, 6]
    assert {run["outcome"] for run in runs.values()} == {"ok"}


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
    sweep = machine.launch_text(ONE_BY_ONE % [100_000, 3, 2])
    training(machine, sweep, runs=1)
    (victim,) = machine.runs(sweep)
    machine.client.stop_run(victim)
    machine.wait(lambda: machine.runs(sweep)[victim].get("outcome"))
    assert machine.runs(sweep)[victim]["outcome"] == "stopped"
    machine.wait_state(sweep, "finished")
    outcomes = sorted(run["outcome"] for run in machine.runs(sweep).values())
    assert outcomes == ["ok", "ok", "stopped"]
    with pytest.raises(CommandError, match="not being trained"):
        machine.client.stop_run(victim)


def test_retry_trains_crashed_runs_again(machine):
    machine.at("worker: metrics sent", 2, processes=2)
    # A run whose worker dies is tried once more by itself; if that fails too, it stays crashed.
    sweep = machine.launch_text(ONE_BY_ONE % [4, 3])
    machine.wait_state(sweep, "finished")
    runs = machine.runs(sweep).values()
    assert sorted((run["outcome"], run["attempt"], "superseded_by" in run) for run in runs) == [
        ("crashed", "1", True), ("crashed", "2", False), ("ok", "1", False),
    ]  # fmt: skip
    machine.client.retry(sweep)
    machine.wait(lambda: len(machine.runs(sweep)) == 4)
    machine.wait_state(sweep, "finished")
    counting = [run for run in machine.runs(sweep).values() if "superseded_by" not in run]
    assert sorted((run["trial"], run["outcome"], len(run["steps"])) for run in counting) == [
        ("0", "ok", 4), ("1", "ok", 3),
    ]  # fmt: skip
    with pytest.raises(CommandError, match="none of the sweep's runs has crashed"):
        machine.client.retry(sweep)


def test_sweeps_are_trained_in_the_order_of_their_launch(machine):
    first, second = machine.launch(epochs=10, seeds=1), machine.launch(epochs=2, seeds=1)
    machine.wait_state(second, "finished")
    assert machine.state(first) == "finished"
    times = """select min(r.start_time), max(r.end_time) from runs r join tags t on t.run_uuid = r.run_uuid
               where t.key = 'mlflow.parentRunId' and t.value = ?"""
    ((_, last_of_first),) = machine.rows(times, first)
    ((first_of_second, _),) = machine.rows(times, second)
    assert first_of_second >= last_of_first


def test_a_command_left_in_the_store_is_obeyed(machine, monkeypatch):
    sweep = machine.launch(epochs=3000)
    training(machine, sweep)

    def deaf(folder, content, *timeout, **named):
        if content["action"] == "stop":
            raise NoService("the service does not hear")
        return request(folder, content, *timeout, **named)

    with monkeypatch.context() as patch:
        patch.setattr("sweeps.client.request", deaf)
        assert "waits in the store" in machine.client.stop(sweep)
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
    before = machine.rows("select count(*) from runs")
    with pytest.raises(SpecError, match="mpl"):
        machine.client.launch("name: x\nmodel: {name: mpl}\ndata: {name: iris}\n")
    with pytest.raises(CommandError, match="there is no sweep"):
        machine.client.stop("nosuchsweep")
    assert machine.rows("select count(*) from runs") == before
