"""Checks before a sweep starts, in real processes: what is wrong, what is timed, and that nothing is left behind."""

import math
import multiprocessing as mp
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from sweeps.fields import SpecError
from sweeps.preflight import check as checking
from sweeps.preflight import estimate
from sweeps.preflight.check import Checker, needs_building
from sweeps.preflight.rehearsal import AbandonedError, Rehearsals, private_memory, processor_seconds
from sweeps.spec import parse

pytestmark = [pytest.mark.timeout(180)]

SPEC = """
name: small
model: {name: softmax_regression}
data: {name: iris, batch_size: 32}
trainer: {max_epochs: 3, device: cpu}
search: {optimizer.lr: {values: [0.01, 0.1]}, data.batch_size: {values: [16, 64]}}
seeds: 2
workers: 2
"""
NET = """
import pytorch_lightning as pl
import torch

class Net(pl.LightningModule):
    def __init__(self, in_features: int):
        super().__init__()
        self.layer = torch.nn.Linear(in_features, 3)
    def training_step(self, batch, batch_idx):
        return torch.nn.functional.cross_entropy(self.layer(batch[0]), batch[1])
"""
LONG = {
    "model": {"name": "softmax_regression"}, "data": {"name": "iris"}, "optimizer": {"name": "adam"},
    "trainer": {"max_epochs": 1_000_000, "device": "cpu"},
}  # fmt: skip


@pytest.fixture
def checker(tmp_path, monkeypatch):
    monkeypatch.setattr(estimate, "CROWDED", 0.0)  # whatever else this machine does
    checker = Checker(tmp_path, disk=tmp_path)
    yield checker
    checker.close()


@pytest.fixture
def rehearsals(tmp_path):
    rehearsals = Rehearsals(tmp_path)
    yield rehearsals
    rehearsals.close()


def children():
    return {process.pid for process in mp.active_children()}


def test_a_check_times_each_architecture_once_and_leaves_nothing_behind(checker, tmp_path, monkeypatch):
    before = children()
    assert checker.known_seconds(parse(SPEC)) is None
    answer = checker.check(SPEC, wait=120)
    assert not answer["pending"] and answer["problems"] == []
    assert (answer["trials"], answer["runs"], answer["workers"]) == (4, 8, 2)
    assert 0 < answer["low"] < answer["seconds"] < answer["high"]
    assert [one["what"] for one in answer["architectures"]] == ["batch_size 16", "batch_size 64"]
    assert all(one["parameters"] == 4 * 3 + 3 and one["seconds_per_epoch"] > 0 for one in answer["architectures"])
    assert answer["disk_bytes"] > 8 * 13_500
    assert set(answer["recorders"]) == {"layers", "predictions"} and min(answer["recorders"].values()) > 0
    assert children() == before and not [file for file in tmp_path.rglob("*") if file.is_file()]

    monkeypatch.setattr(Rehearsals, "run", lambda *_, **__: pytest.fail("it was rehearsed again"))
    assert checker.check(SPEC, wait=0) == answer
    assert checker.known_seconds(parse(SPEC)) == answer["seconds"]
    more_seeds = checker.check(SPEC.replace("seeds: 2", "seeds: 20"), wait=120)
    # Two workers share few runs less evenly than many, where the two architectures were not timed alike.
    assert 5 * answer["seconds"] <= more_seeds["seconds"] <= 11 * answer["seconds"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("batch_size: 32", "batch_size: 32, train_size: 500"), "train_size: 500 is not allowed; allowed: at most 96"),
        (("[16, 64]", "[1, 64]"), None),
        (("name: softmax_regression", "name: mlp, norm: batch"), None),
    ],
)
def test_building_finds_what_the_spec_does_not_tell(checker, change, sentence):
    spec = parse(SPEC.replace(*change))
    problems = checker.problems(spec)
    assert problems if sentence else not problems
    assert len(problems) <= 1 and all(sentence in problem and problem.endswith(".") for problem in problems)


def test_what_concerns_some_of_the_architectures_alone_is_said_of_them(checker):
    text = SPEC.replace("name: softmax_regression", "name: mlp, norm: batch").replace("[16, 64]", "[1, 64]")
    answer = checker.check(text, wait=120)
    (problem,) = answer["problems"]
    assert problem.startswith("model.norm: batch norm cannot normalise") and problem.endswith("(with batch_size 1).")
    assert answer["seconds"] is None and answer["architectures"] == [] and answer["trials"] == 4


def test_a_broken_sweep_is_refused_before_it_starts_if_only_building_can_tell(checker, monkeypatch):
    broken = parse(SPEC.replace("batch_size: 32", "batch_size: 32, train_size: 500"))
    assert needs_building(broken) and not needs_building(parse(SPEC))
    assert needs_building(parse(SPEC.replace("seeds: 2", "replicate: {datasets: 2, inits: 2}")))
    with pytest.raises(SpecError, match="train_size: 500 is not allowed"):
        checker.refuse_broken(broken)
    monkeypatch.setattr(Rehearsals, "run", lambda *_, **__: pytest.fail("it was rehearsed"))
    checker.refuse_broken(parse(SPEC))


def test_a_spec_that_is_none_is_answered_without_a_process(checker):
    before = children()
    answer = checker.check(SPEC.replace("seeds: 2", "seeds: 0"), wait=120)
    assert answer["problems"] == ["seeds: 0 is not allowed; allowed: a whole number from 1 to 1,000."]
    assert answer["seconds"] is None and children() == before


def test_a_device_that_is_not_there_is_a_sentence(checker):
    answer = checker.check(SPEC.replace("device: cpu", "device: cuda"), wait=120)
    assert len(answer["problems"]) == 1 and answer["problems"][0].startswith("trainer.device: ")


def test_a_check_that_nobody_asks_for_is_dropped_and_can_be_asked_for_again(checker, monkeypatch):
    run, dropped = Rehearsals.run, threading.Event()

    def noted(*arguments, **options):
        try:
            return run(*arguments, **options)
        except AbandonedError:
            dropped.set()
            raise

    monkeypatch.setattr(Rehearsals, "run", noted)
    monkeypatch.setattr(checking, "PATIENCE_SECONDS", 0.0)
    answer = checker.check(SPEC, wait=0)
    assert answer["pending"] and (answer["trials"], answer["runs"]) == (4, 8) and answer["seconds"] is None
    assert dropped.wait(60)
    while (answer := checker.check(SPEC, wait=120))["pending"]:  # it is forgotten a moment after it was dropped
        pass
    assert answer["seconds"] > 0


def test_what_is_timed_beside_a_training_is_said_to_be_rough_and_is_not_kept(tmp_path):
    checker = Checker(tmp_path, busy=lambda: True)
    try:
        answer = checker.check(SPEC, wait=120)
        assert answer["seconds"] > 0 and any("is being trained now" in warning for warning in answer["warnings"])
        assert checker.known_seconds(parse(SPEC)) == answer["seconds"]  # it is what was said
        assert checker.known_seconds(parse(SPEC.replace("seeds: 2", "seeds: 3"))) is None
    finally:
        checker.close()


def test_what_is_timed_on_a_busy_machine_is_said_to_be_rough_and_is_not_kept(checker, monkeypatch):
    monkeypatch.setattr(estimate, "CROWDED", math.inf)
    answer = checker.check(SPEC, wait=120)
    assert any("Other programs keep this machine busy" in warning for warning in answer["warnings"])
    assert checker.known_seconds(parse(SPEC.replace("seeds: 2", "seeds: 3"))) is None


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not say")
def test_the_share_of_a_core_is_what_a_process_computed():
    code = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert processor_seconds(process.pid) == pytest.approx(0.5, abs=0.15)
        process.stdin.write(b"\n")


def test_too_little_disk_or_memory_is_warned_of(checker, monkeypatch):
    monkeypatch.setattr(checking.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    monkeypatch.setattr(checking, "available_memory", lambda: 2000)
    warnings = checker.check(SPEC.replace("workers: 2", "workers: 64"), wait=120)["warnings"]
    assert any("on the disk, and 1 kB are free." in warning for warning in warnings)
    assert any("of memory, and 2 kB are available." in warning for warning in warnings)
    assert any(warning.startswith("64 workers share ") for warning in warnings)


def test_a_rehearsal_that_takes_too_long_is_stopped(rehearsals):
    (rehearsal,) = rehearsals.run({"long": LONG}, at_once=1, threads=1, seconds=2.0)["long"]
    assert rehearsal.outcome == "stopped" and rehearsal.epochs
    if rehearsal.share is not None:  # on a busy machine its process may have to be killed before it has told
        assert 0 < rehearsal.share < 1.5


def test_a_rehearsal_whose_process_is_killed_says_so(rehearsals):
    before, killed = children(), set()

    def kill_once_it_is_rehearsed():
        if rehearsals.busy and not killed:
            (pid,) = children() - before
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        return True

    (rehearsal,) = rehearsals.run({"long": LONG}, at_once=1, threads=1, seconds=100.0, go_on=kill_once_it_is_rehearsed)[
        "long"
    ]
    assert rehearsal.outcome == "crashed" and rehearsal.error == "its process ended unexpectedly (exit code -9)"


def test_rehearsals_that_nobody_waits_for_end_at_once(rehearsals):
    calls = []

    def go_on():
        calls.append(True)
        return len(calls) < 10

    with pytest.raises(AbandonedError):
        rehearsals.run({"long": LONG, "other": LONG}, at_once=1, threads=1, seconds=100.0, go_on=go_on)
    quick = LONG | {"trainer": {"max_epochs": 1, "device": "cpu"}}
    assert rehearsals.run({"quick": quick}, at_once=1, threads=1, seconds=100.0)["quick"][0].outcome == "ok"


@pytest.mark.slow
def test_the_service_checks_refuses_what_is_broken_and_remembers_what_it_estimated(uri):
    from sweeps.client import Client
    from tracking import schema
    from tracking.reader import open_reader, sweeps

    client = Client(uri)
    with pytest.raises(ConnectionError):
        client.check(SPEC, wait=0.1)
    answer = client.check(SPEC)
    assert answer["seconds"] > 0 and client.check(SPEC, wait=0.1) == answer
    with pytest.raises(SpecError, match="train_size: 500 is not allowed"):
        client.launch(SPEC.replace("batch_size: 32", "batch_size: 32, train_size: 500"))
    assert sweeps(open_reader(uri)).empty
    sweep = client.launch(SPEC)
    (row,) = sweeps(open_reader(uri)).to_dict("records")
    assert row["sweep"] == sweep and row["estimated"] == pytest.approx(answer["seconds"], abs=0.06)
    assert client.extend(sweep, seeds=1) is None
    assert open_reader(uri).tags([sweep], [schema.ESTIMATED]).empty


@pytest.mark.slow
def test_a_service_that_was_started_without_modules_says_so(uri, my_models, monkeypatch):
    from sweeps.client import Client
    from tracking.reader import open_reader, sweeps

    client = Client(uri)
    with monkeypatch.context() as without:
        without.delenv("SWEEPBOARD_MODULES")
        assert client.start_service(wait=120)
    my_models(net=NET)
    text = SPEC.replace("softmax_regression", "net")
    refused = 'model.name: "net" is of modules that the service does not read, as it was started without modules '
    (problem,) = client.check(text)["problems"]
    assert problem.startswith(refused)
    with pytest.raises(SpecError, match=refused):
        client.launch(text)
    assert sweeps(open_reader(uri)).empty


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not say")
def test_private_memory_is_what_a_process_took_for_itself():
    code = "import sys; taken = bytearray(b'x') * {}; print(flush=True); sys.stdin.read()"
    memory = []
    for size in (0, 60_000_000):
        with subprocess.Popen(
            [sys.executable, "-c", code.format(size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            process.stdout.readline()
            memory.append(private_memory(process.pid))
            process.stdin.close()
    assert memory[1] - memory[0] == pytest.approx(60_000_000, rel=0.05)
    assert private_memory(2**22 + 1) is None


def test_available_memory_is_less_than_there_is():
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < checking.available_memory() <= total


def test_rehearsals_that_are_closed_in_the_middle_end(rehearsals):
    """The service ends while a check is under way, in another thread."""
    raised = []

    def rehearse():
        try:
            rehearsals.run({"long": LONG}, at_once=1, threads=1, seconds=100)
        except (AbandonedError, OSError) as error:
            raised.append(error)

    thread = threading.Thread(target=rehearse, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not rehearsals.busy:
        assert time.monotonic() < until
        time.sleep(0.01)
    rehearsals.close()
    thread.join(30)
    assert not thread.is_alive() and len(raised) == 1
