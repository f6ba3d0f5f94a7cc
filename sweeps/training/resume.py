"""How a long run survives a kill: between two epochs, at most once a minute, it saves what it needs to go on.

On a CPU, with as many threads, a run that was resumed gives the numbers of one that was not, to the last bit:
Lightning's checkpoint holds the weights and what optimizers and schedules remember, and with it are kept the state of
the random numbers, what `Run` knows of its epochs, its best weights and its metric records, which are reported again. A
schedule that waits for a metric's plateau misses the look it would have taken at the epoch before.

A file that is torn, or of another configuration, other data, other code of the model, another device or another torch,
counts for nothing: the run starts afresh.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import math
import os
import random
import time
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from sweeps.training.measuring import Report
from tracking import schema
from tracking.kill_points import reached
from tracking.schema import Outcome

SAVE_SECONDS: Final = 60.0
"""A run of less than this leaves no file."""


def fingerprint(
    configuration: Mapping[str, Any], tags: Mapping[str, str], module: pl.LightningModule, device: str
) -> str:
    """Equal for runs of which one may go on where the other was killed.

    Args:
        configuration: The whole of it, seeds included. Its device does not count, but for the kind of it: another GPU
            will do.
        tags: What the run says of its data, its code and its libraries; the machine does not count.
        module: The model, whose source counts.
        device: Where it trains.
    """
    trainer = {key: value for key, value in configuration.get("trainer", {}).items() if key != "device"}
    known = {tag: value for tag, value in tags.items() if tag != schema.MACHINE}
    source = ""
    with contextlib.suppress(OSError, TypeError):  # a class that no file defines
        source = inspect.getsource(inspect.getmodule(type(module)) or type(module))
    parts = [{**configuration, "trainer": trainer}, known, source, torch.device(device).type]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


class History:
    """The metric records of a run, in columns: a hundred thousand epochs of twelve metrics take ten megabytes."""

    def __init__(self) -> None:
        self._times = array("q")
        self._columns: dict[str, array[float]] = {}

    def __len__(self) -> int:
        return len(self._times)

    def add(self, record: Mapping[str, Any]) -> None:
        """Keep the record of the next epoch: its `time` in ms, and its `metrics`, which are finite."""
        for name, value in record["metrics"].items():
            column = self._columns.setdefault(name, array("d"))
            column.extend([math.nan] * (len(self) - len(column)))
            column.append(value)
        self._times.append(record["time"])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for place, at in enumerate(self._times):
            row = {name: column[place] for name, column in self._columns.items() if place < len(column)}
            metrics = {name: value for name, value in row.items() if not math.isnan(value)}
            yield {"step": place + 1, "time": at, "metrics": metrics}

    def state_dict(self) -> dict[str, Any]:
        columns = {name: torch.from_numpy(np.array(column)) for name, column in self._columns.items()}
        return {"times": torch.from_numpy(np.array(self._times)), "columns": columns}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._times = array("q", state["times"].tolist())
        self._columns = {name: array("d", column.tolist()) for name, column in state["columns"].items()}


class Saver(Checkpoint):
    """Saves a run between two epochs, and lets it go on from there. A `Checkpoint`, so that Lightning calls it last.

    Args:
        path: The file.
        every: Seconds from the run's start, or from the last time, after which it is saved at the end of the epoch.
        report: Where the run's records go.
    """

    def __init__(self, path: Path, every: float, report: Report) -> None:
        self.path = path
        self._partial = path.with_name(f"{path.name}.part")
        self._every = every
        self._report = report
        self._history = History()
        self._random: dict[str, Any] = {}
        self.fingerprint = ""
        self._resumed = False
        self._due = time.monotonic() + every
        self._stuck = False  # whether it has taken up a saved run and no epoch has ended since

    def report(self, kind: str, record: dict[str, Any]) -> None:
        """Report, and keep what is reported of an epoch."""
        if kind == "metrics":
            self._history.add(record)
        self._report(kind, record)

    def take_up(self) -> int:
        """How many epochs the file holds; 0 if it is none from which a run of this fingerprint can go on."""
        epochs = 0
        with contextlib.suppress(Exception):  # not there, torn, or no file of ours
            saved = torch.load(self.path, map_location="cpu", weights_only=True, mmap=True)
            own = saved["callbacks"][self.state_key]
            if own["fingerprint"] == self.fingerprint:
                epochs = len(own["history"]["times"])
        self._resumed = self._stuck = epochs > 0
        return epochs

    def end(self, outcome: Outcome) -> None:
        """Remove the file, unless the run is to go on: it was stopped, or it crashed after another epoch or more."""
        if outcome is Outcome.STOPPED or (outcome is Outcome.CRASHED and not self._stuck):
            return
        for path in (self.path, self._partial):
            with contextlib.suppress(OSError):
                path.unlink()

    def state_dict(self) -> dict[str, Any]:
        return {"fingerprint": self.fingerprint, "random": self._random, "history": self._history.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._random = state_dict["random"]
        self._history.load_state_dict(state_dict["history"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for record in self._history:
            self._report("metrics", record)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._resumed:
            self._resumed = False
            _set_random(self._random)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stuck = False
        if trainer.should_stop or time.monotonic() < self._due:
            return
        self._random = _random(pl_module.device)
        # A disk that is full, or a module that will not be saved, is no reason to end the run.
        with contextlib.suppress(Exception):
            trainer.save_checkpoint(self._partial, weights_only=False)
            reached("worker: resume file")
            os.replace(self._partial, self.path)
        self._due = time.monotonic() + self._every


def _random(device: torch.device) -> dict[str, Any]:
    """The states of the random numbers that a run on this device draws."""
    name, words, *rest = np.random.get_state()
    states = {
        "python": random.getstate(),
        "numpy": [name, torch.from_numpy(words), *rest],
        "cpu": torch.get_rng_state(),
    }
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state()
    return states


def _set_random(states: Mapping[str, Any]) -> None:
    random.setstate(states["python"])
    name, words, *rest = states["numpy"]
    np.random.set_state((name, words.numpy(), *rest))
    torch.set_rng_state(states["cpu"])
    for device in states.keys() - {"python", "numpy", "cpu"}:
        torch.get_device_module(device).set_rng_state(states[device])
