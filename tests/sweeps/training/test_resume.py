"""Runs that are interrupted between and within epochs, and go on: compared with the same run left alone."""

import copy
import json
import os
import pickle
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lightning_modules.schedules import STEP_SCHEDULES
from sweeps.training import resume
from sweeps.training.resume import History
from sweeps.training.train import train
from tracking import schema
from tracking.schema import Outcome

BASE = {
    "model": {"name": "mlp", "hidden_sizes": [8], "dropout": 0.4, "norm": "batch"},
    "data": {"name": "iris", "batch_size": 24},
    "optimizer": {"name": "adam", "lr": 0.01},
    "schedule": {"name": "cosine", "warmup_epochs": 2},
    "regularization": {"l2": 0.001},
    "trainer": {"max_epochs": 6, "device": "cpu"},
    "seeds": {"data": 1, "init": 2, "order": 3},
}
STEPS = 4  # updates an epoch


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def configuration(**more):
    settings = copy.deepcopy(BASE)
    for section, fields in more.items():
        settings[section] = settings.get(section, {}) | fields
    return settings


class Log:
    """Keeps what a run reports."""

    def __init__(self):
        self.records = []

    def __call__(self, kind, record):
        self.records.append((kind, record))

    def of(self, kind):
        return [record for record_kind, record in self.records if record_kind == kind]


def run(settings, **options):
    log = Log()
    return train(settings, report=log, **options), log


def after(updates, outcome=Outcome.STOPPED):
    """Ends a run after so many updates of its own."""
    count = iter(range(updates))
    return lambda: None if next(count, None) is not None else outcome


def timeless(records):
    """Metric records without what a clock gave."""
    return [
        (record["step"], {name: value for name, value in record["metrics"].items() if not name.startswith("time/")})
        for record in records
    ]


def weights(log):
    (path,) = [file["path"] for file in log.of("file") if file["artifact"] == schema.WEIGHTS_FILE]
    return torch.load(path, weights_only=True)


def same(some, other):
    return some.keys() == other.keys() and all(torch.equal(some[name], other[name]) for name in some)


@pytest.mark.parametrize("optimizer", [{"name": "adam", "lr": 0.01}, {"name": "momentum", "lr": 0.05}])
@pytest.mark.parametrize("epochs", [1, 5])
def test_a_resumed_run_gives_the_numbers_of_one_left_alone(optimizer, epochs, tmp_path):
    goes_on_alike(configuration(optimizer=optimizer), epochs, tmp_path)


@pytest.mark.parametrize("name", list(STEP_SCHEDULES))
@pytest.mark.parametrize("epochs", [1, 5])
def test_a_resumed_run_goes_on_with_the_rates_of_its_steps(name, epochs, tmp_path):
    settings = {**configuration(), "schedule": {"name": name, "warmup_steps": 7}}
    goes_on_alike(settings, epochs, tmp_path)


def goes_on_alike(settings, epochs, tmp_path):
    """A run that is stopped within the epoch after so many, and goes on, equals one that is left alone to the bit."""
    file = tmp_path / "run.resume"
    whole, whole_log = run(settings, scratch=tmp_path)
    stopped, first = run(settings, resume=file, save_seconds=0, should_end=after(epochs * STEPS + 2))
    assert (stopped.outcome, stopped.epochs) == (Outcome.STOPPED, epochs)
    torch.rand(99)
    result, log = run(settings, resume=file, save_seconds=0, scratch=tmp_path)
    records = log.of("metrics")
    assert timeless(records) == timeless(whole_log.of("metrics"))
    assert records[:epochs] == first.of("metrics"), "with the times at which they were measured"
    seconds = [record["metrics"]["time/train_s"] for record in records]
    assert seconds == sorted(seconds)
    assert (result.outcome, result.epochs, result.objective) == (Outcome.OK, 6, whole.objective)
    assert result.metrics.keys() == whole.metrics.keys()
    assert same(weights(log), weights(whole_log))
    assert not file.exists()


@pytest.mark.parametrize("data", [{}, {"label_noise": 0.3}])
def test_a_run_may_be_interrupted_many_times(data, tmp_path):
    file, settings = tmp_path / "run.resume", configuration(data=data)
    for epochs in range(1, 5):
        result, log = run(settings, resume=file, save_seconds=0, should_end=after(STEPS))
        assert result.epochs == len(log.of("metrics")) == epochs
    result, log = run(settings, resume=file, save_seconds=0)
    assert timeless(log.of("metrics")) == timeless(run(settings)[1].of("metrics"))


def test_the_best_epoch_before_the_interruption_counts_after_it(tmp_path):
    settings = configuration(
        data={"train_size": 20, "label_noise": 0.4, "batch_size": "full"}, optimizer={"lr": 0.05},
        model={"dropout": 0.0, "norm": "none", "hidden_sizes": [64]}, schedule={"name": "constant", "warmup_epochs": 0},
        trainer={"max_epochs": 60}, regularization={"early_stopping_patience": 6}, objective={"at": "best"},
    )  # fmt: skip
    file = tmp_path / "run.resume"
    whole, whole_log = run(settings, scratch=tmp_path)
    losses = [record["metrics"]["val/loss"] for record in whole_log.of("metrics")]
    best = losses.index(min(losses)) + 1
    assert 1 < best < len(losses) - 3
    run(settings, resume=file, save_seconds=0, should_end=after(best + 2))
    result, log = run(settings, resume=file, scratch=tmp_path)
    assert (result.objective, result.epochs) == (whole.objective, whole.epochs) == (min(losses), best + 6)
    assert same(weights(log), weights(whole_log))


@pytest.mark.parametrize("precision", [64, "bf16-mixed"])
def test_a_resumed_run_in_another_precision(precision, tmp_path):
    file, settings = tmp_path / "run.resume", configuration(trainer={"precision": precision})
    run(settings, resume=file, save_seconds=0, should_end=after(3 * STEPS))
    assert timeless(run(settings, resume=file)[1].of("metrics")) == timeless(run(settings)[1].of("metrics"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", [32, "16-mixed"])
def test_a_resumed_run_on_cuda(precision, tmp_path):
    file, settings = tmp_path / "run.resume", configuration(trainer={"device": "cuda", "precision": precision})
    whole, _ = run(settings)
    run(settings, resume=file, save_seconds=0, should_end=after(3 * STEPS))
    result, log = run(settings, resume=file, scratch=tmp_path)
    assert (result.outcome, result.epochs) == (Outcome.OK, whole.epochs)
    assert result.objective == pytest.approx(whole.objective, rel=1e-3), "its dropout went on from the same numbers"
    assert all(tensor.device.type == "cpu" for tensor in weights(log).values())


def test_saving_changes_no_number_and_lets_lightning_say_nothing(tmp_path, capfd, recwarn):
    file, settings = tmp_path / "run.resume", configuration()
    _, log = run(settings, resume=file, save_seconds=0)
    assert timeless(log.of("metrics")) == timeless(run(settings)[1].of("metrics"))
    run(settings, resume=file, save_seconds=0, should_end=after(2 * STEPS))
    run(settings, resume=file, save_seconds=0)
    assert capfd.readouterr() == ("", "") and not list(recwarn)


def test_a_short_run_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(resume.pl.Trainer, "save_checkpoint", lambda *_, **__: pytest.fail("it was saved"))
    result, _ = run(configuration(), resume=tmp_path / "run.resume", should_end=after(5 * STEPS))
    assert (result.outcome, result.epochs, list(tmp_path.iterdir())) == (Outcome.STOPPED, 5, [])


@pytest.mark.parametrize(
    ("settings", "should_end", "outcome"),
    [
        (configuration(), lambda: None, Outcome.OK),
        (configuration(), after(4 * STEPS, Outcome.PRUNED), Outcome.PRUNED),
        (configuration(), after(4 * STEPS), Outcome.STOPPED),
        (configuration(model={"norm": "none"}, optimizer={"name": "sgd", "lr": 1e6}), lambda: None, Outcome.DIVERGED),
    ],
)
def test_only_a_run_that_is_to_go_on_leaves_its_file(settings, should_end, outcome, tmp_path):
    file = tmp_path / "deep" / "run.resume"
    file.parent.mkdir()
    file.write_bytes(b"of a run before")
    assert run(settings, resume=file, save_seconds=0, should_end=should_end)[0].outcome is outcome
    assert [path.name for path in file.parent.iterdir()] == ([file.name] if outcome is Outcome.STOPPED else [])


# What counts for nothing


def saved(tmp_path, settings, epochs=3):
    """The file of an interrupted run."""
    file = tmp_path / "run.resume"
    run(settings, resume=file, save_seconds=0, should_end=after(epochs * STEPS))
    return file


def begins_afresh(settings, file):
    result, log = run(settings, resume=file, should_end=after(1))
    assert result.outcome is Outcome.STOPPED
    return result.epochs == 0 and not log.of("metrics")


@pytest.mark.parametrize(
    "more",
    [
        {"seeds": {"init": 9}}, {"trainer": {"max_epochs": 9}}, {"optimizer": {"lr": 0.02}},
        {"model": {"hidden_sizes": [9]}}, {"regularization": {"l2": 0.0}}, {"trainer": {"precision": 64}},
    ],
)  # fmt: skip
def test_a_file_of_another_configuration_counts_for_nothing(more, tmp_path):
    file = saved(tmp_path, configuration())
    assert begins_afresh(configuration(**more), file)
    assert not begins_afresh(configuration(), file)


def test_a_file_of_other_data_or_code_counts_for_nothing(tmp_path, monkeypatch):
    file = saved(tmp_path, configuration())
    with monkeypatch.context() as patched:
        patched.setattr(resume.inspect, "getsource", lambda module: "class MLP: ...")
        assert begins_afresh(configuration(), file)
    with monkeypatch.context() as patched:
        patched.setattr("data.DataModule.digest", "of other data")
        assert begins_afresh(configuration(), file)
    assert not begins_afresh(configuration(), file)


def test_where_it_may_train_does_not_count_but_the_kind_of_device_does():
    module = torch.nn.Linear(1, 1)
    hashes = {
        (wanted, device): resume.fingerprint({"trainer": {"device": wanted}}, {schema.MACHINE: device}, module, device)
        for wanted, device in (("auto", "cuda:0"), ("cuda:1", "cuda:1"), ("auto", "cpu"), ("cpu", "cpu"))
    }
    assert hashes["auto", "cuda:0"] == hashes["cuda:1", "cuda:1"] != hashes["auto", "cpu"] == hashes["cpu", "cpu"]


class Harmful:
    def __reduce__(self):
        return os.system, ("echo it ran",)


@pytest.mark.parametrize("spoil", ["torn", "emptied", "foreign", "harmful"])
def test_a_file_that_is_none_of_ours_counts_for_nothing(spoil, tmp_path, capfd):
    file = saved(tmp_path, configuration())
    if spoil == "torn":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif spoil == "emptied":
        file.write_bytes(b"")
    elif spoil == "foreign":
        torch.save({"callbacks": {}}, file)
    else:
        file.write_bytes(pickle.dumps({"callbacks": Harmful()}))
    assert begins_afresh(configuration(), file)
    assert capfd.readouterr().out == ""


def test_a_file_that_cannot_be_taken_up_is_tried_once(tmp_path):
    file = saved(tmp_path, configuration())
    content = torch.load(file, weights_only=True)
    content["state_dict"].popitem()
    torch.save(content, file)
    result, _ = run(configuration(), resume=file)
    assert result.outcome is Outcome.CRASHED and not file.exists()
    assert run(configuration(), resume=file)[0].outcome is Outcome.OK


def test_a_run_that_crashes_later_keeps_its_file(tmp_path):
    file = saved(tmp_path, configuration())
    calls = iter(range(10))

    def fails():
        if next(calls) == STEPS + 1:  # in the second epoch after the interruption
            raise OSError("no more")

    assert run(configuration(), resume=file, save_seconds=0, should_end=fails)[0].outcome is Outcome.CRASHED
    result, log = run(configuration(), resume=file)
    assert result.outcome is Outcome.OK
    assert timeless(log.of("metrics")) == timeless(run(configuration())[1].of("metrics"))


def test_a_run_that_cannot_be_saved_goes_on(tmp_path):
    result, log = run(configuration(), resume=tmp_path / "file" / "run.resume", save_seconds=0)
    (tmp_path / "a").write_text("no folder")
    other, _ = run(configuration(), resume=tmp_path / "a" / "run.resume", save_seconds=0)
    assert result.outcome is other.outcome is Outcome.OK
    assert timeless(log.of("metrics")) == timeless(run(configuration())[1].of("metrics"))


# Processes


SCRIPT = """
import json, pathlib, sys, torch
from sweeps.training.train import train
torch.set_num_threads(1)
short, long, file = json.load(sys.stdin)
print(json.dumps(train(short).metrics), flush=True)
train(long, lambda *record: print(json.dumps(record), flush=True), resume=pathlib.Path(file), save_seconds=0)
"""
LONG = configuration(trainer={"max_epochs": 400})


@pytest.fixture(scope="module")
def killed_process(tmp_path_factory, kill_points):
    """A fresh Python that has trained one run to its end, and another one until it was killed: it had saved its eighth
    epoch, and had not put it in the place of its seventh."""
    folder = tmp_path_factory.mktemp("killed")
    file = folder / "run.resume"
    kill_points(folder / "kill points").at("worker: resume file", 8)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=json.dumps([configuration(), LONG, str(file)]),
        env={**os.environ, "SWEEPBOARD_KILL_POINTS": str(folder / "kill points")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    metrics, *reports = map(json.loads, done.stdout.splitlines())
    records = [record for kind, record in reports if kind == "metrics"]
    return SimpleNamespace(metrics=metrics, records=records, file=file, complaints=done.stderr)


def test_another_process_gives_the_same_numbers_and_says_nothing(killed_process):
    assert killed_process.complaints == ""
    here = {"step": 6, "metrics": run(configuration())[0].metrics}
    assert timeless([{"step": 6, "metrics": killed_process.metrics}]) == timeless([here])


def test_a_killed_process_leaves_a_run_that_goes_on(killed_process):
    file, before = killed_process.file, killed_process.records
    assert len(before) == 8 and len(list(file.parent.glob("run.resume*"))) == 2
    result, log = run(LONG, resume=file, should_end=after(2 * STEPS))
    _, whole = run(LONG, should_end=after(result.epochs * STEPS))
    records = log.of("metrics")
    assert records[:7] == before[:7] and records[7] != before[7], "taken up as they were measured, and measured again"
    assert timeless(records) == timeless(whole.of("metrics")) and len(records) == result.epochs > 8


# Records


def test_history_gives_back_what_was_added():
    rng = np.random.default_rng(0)
    names = ["a", "b", "late"]
    records = []
    for step in range(1, 40):
        step_names = [name for name in names if rng.random() < 0.7 and (name != "late" or step > 20)]
        metrics = {name: float(rng.normal()) for name in step_names}
        records.append({"step": step, "time": 1_700_000_000_000 + step, "metrics": metrics})
    history = History()
    for record in records:
        history.add(record)
    again = History()
    again.load_state_dict(history.state_dict())
    assert list(history) == list(again) == records and len(again) == 39
    again.add({"time": 5, "metrics": {"new": 1.0}})
    assert list(again)[-1] == {"step": 40, "time": 5, "metrics": {"new": 1.0}}
