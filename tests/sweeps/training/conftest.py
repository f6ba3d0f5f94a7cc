"""Small configurations, and runs of them that keep what they report."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from data import DATASETS
from lightning_modules import MODELS
from sweeps.training.train import train
from tracking import schema


class Log:
    """Keeps what a run reports."""

    def __init__(self):
        self.records = []

    def __call__(self, kind, record):
        self.records.append((kind, record))

    def of(self, kind):
        return [record for record_kind, record in self.records if record_kind == kind]

    @property
    def metrics(self):
        return [record["metrics"] for record in self.of("metrics")]

    def path(self, name):
        """The values of a metric, epoch by epoch."""
        return [metrics[name] for metrics in self.metrics]

    @property
    def files(self):
        """Where the file of each artifact lies."""
        return {file["artifact"]: file["path"] for file in self.of("file")}

    def weights(self):
        return torch.load(self.files[schema.WEIGHTS_FILE], weights_only=True)

    def predictions(self):
        with np.load(self.files[schema.PREDICTIONS_FILE], allow_pickle=False) as arrays:
            return dict(arrays)


def _configuration(model="mlp", data="iris", /, **more):
    base = {
        "model": {"name": model, **({"hidden_sizes": [8]} if model == "mlp" else {})},
        "data": {"name": data, "batch_size": 16},
        "optimizer": {"name": "sgd", "lr": 0.05},
        "schedule": {"name": "constant"},
        "regularization": {"l1": 0.0, "l2": 0.0, "early_stopping_patience": 0},
        "trainer": {"max_epochs": 3, "device": "cpu", "precision": 32, "gradient_clip_val": 0.0},
        "keep": "best",
        "objective": {"metric": "val/loss", "direction": "minimize", "at": "last"},
        "seeds": {"data": 0, "init": 0, "order": 0},
    }
    for section, fields in more.items():
        base[section] = {**base[section], **fields} if isinstance(fields, dict) else fields
    return base


def _run(settings, **options):
    log = Log()
    return train(settings, report=log, **options), log


def _timeless(metrics):
    return {name: value for name, value in metrics.items() if not name.startswith("time/")}


def _rebuilt(settings, weights=None):
    fields = {key: value for key, value in settings["data"].items() if key != "name"}
    seeds = settings["seeds"]
    data = DATASETS[settings["data"]["name"]](**fields, seed_data=seeds["data"], seed_order=seeds["order"])
    fields = {key: value for key, value in settings["model"].items() if key != "name"}
    with torch.random.fork_rng():
        torch.manual_seed(seeds["init"])
        module = MODELS[settings["model"]["name"]].for_data(data.dims, **fields)
    if weights:
        module.load_state_dict(weights)
    return data, module.eval()


def _measured(module, part):
    with torch.no_grad():
        return {name: float(value) for name, value in module.scores(part.batch(slice(None))).items()}


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def configuration() -> Callable[..., dict[str, Any]]:
    """A small configuration; sections as dictionaries are laid over its defaults."""
    return _configuration


@pytest.fixture
def run():
    """Trains a configuration and returns (result, log)."""
    return _run


@pytest.fixture
def timeless():
    """Metrics without what a clock gave."""
    return _timeless


@pytest.fixture
def rebuilt():
    """The data of a run, and its model in evaluation mode with these weights (or as it started)."""
    return _rebuilt


@pytest.fixture
def measured():
    """Loss and error of a module over a whole part."""
    return _measured
