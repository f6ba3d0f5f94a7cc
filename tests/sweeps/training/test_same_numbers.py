"""Two trainings of any model agree, and so does one that is killed and goes on: to the last bit, metrics and weights.

Every model of the registry is trained on the first data set that it fits, for few steps. A model that draws something
while it trains (dropout) has to go on with the numbers that it would have drawn.
"""

import json
import os
import signal
import subprocess
import sys

import pytest
import torch

from lightning_modules import MODELS
from sweeps.catalogue.architectures import first_fitting
from sweeps.catalogue.entries import ours
from sweeps.training.train import train
from tracking import schema
from tracking.schema import Outcome

EPOCHS = 4
every_model = pytest.mark.parametrize("name", list(MODELS))


def configuration(name, **seeds):
    """A short training of a model, with dropout where it has some."""
    entry = ours().models[name]
    dropout = {"dropout": 0.3} if "dropout" in entry.fields else {}
    start = {"initialization": "xavier"} if "initialization" in entry.fields else {}
    return {
        "model": {"name": name, **dropout, **start},
        "data": {"name": first_fitting(entry, ours().datasets), "batch_size": 8, "train_size": 16},
        "optimizer": {"name": "adam", "lr": 0.01},
        "schedule": {"name": "cosine", "warmup_epochs": 1},
        "trainer": {"max_epochs": EPOCHS, "device": "cpu", "limit_train_batches": 2},
        "seeds": {"data": 1, "init": 2, "order": 3, **seeds},
    }


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trained(settings, folder, **options):
    """(the metrics of each epoch without what a clock gave, the test metrics, the weights) of a training."""
    records = []
    result = train(settings, report=lambda *record: records.append(record), scratch=folder, **options)
    assert result.outcome is Outcome.OK and result.epochs == EPOCHS, result.error
    (weights,) = [
        torch.load(record["path"], weights_only=True)
        for kind, record in records
        if kind == "file" and record["artifact"] == schema.WEIGHTS_FILE
    ]
    epochs = [timeless(record["metrics"]) for kind, record in records if kind == "metrics"]
    return epochs, timeless(result.metrics), weights


def timeless(metrics):
    return {name: value for name, value in metrics.items() if not name.startswith("time/")}


def equal(weights, others):
    return weights.keys() == others.keys() and all(torch.equal(weights[key], others[key]) for key in weights)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """`whole(name)`: what a model's training gives that nothing interrupts; trained once."""
    trainings = {}

    def training(name):
        if name not in trainings:
            trainings[name] = trained(configuration(name), tmp_path_factory.mktemp(name))
        return trainings[name]

    return training


@every_model
def test_two_trainings_agree_and_another_order_does_not(name, whole, tmp_path):
    epochs, metrics, weights = whole(name)
    torch.rand(99)
    again = trained(configuration(name), tmp_path)
    assert (epochs, metrics) == again[:2] and equal(weights, again[2])
    other = trained(configuration(name, data=7, order=8), tmp_path)
    assert epochs != other[0] and not equal(weights, other[2])


SCRIPT = """
import json, os, pathlib, sys, torch
from sweeps.training.train import train
torch.set_num_threads(1)
codes = {}
for name, (settings, file) in json.load(sys.stdin).items():
    if not (child := os.fork()):
        train(settings, resume=pathlib.Path(file), save_seconds=0)
        os._exit(0)
    codes[name] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps(codes))
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory, kill_points):
    """By model: the resume file of a training whose process was killed while it put that of its third epoch in place.

    One fresh Python imports torch, and forks a process for each model.
    """
    folder = tmp_path_factory.mktemp("killed")
    files = {name: folder / f"{name}.resume" for name in MODELS}
    kill_points(folder / "kill points").at("worker: resume file", 3, processes=len(MODELS))
    jobs = {name: (configuration(name), str(file)) for name, file in files.items()}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(jobs),
        env={**os.environ, "SWEEPBOARD_KILL_POINTS": str(folder / "kill points")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == dict.fromkeys(MODELS, -signal.SIGKILL), done.stderr
    return files


@every_model
def test_a_killed_training_goes_on_to_the_same_numbers(name, whole, killed, tmp_path):
    epochs, metrics, weights = whole(name)
    assert killed[name].exists(), "of its second epoch"
    torch.rand(99)
    starts = []
    resumed = trained(
        configuration(name), tmp_path, resume=killed[name], save_seconds=0, should_end=lambda: starts.append(1)
    )
    assert (epochs, metrics) == resumed[:2] and equal(weights, resumed[2])
    assert len(starts) <= 2 * (EPOCHS - 2) + 1, "it did not begin afresh"
