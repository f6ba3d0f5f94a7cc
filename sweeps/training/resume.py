"""How a long run survives a kill: between two epochs, at most once a minute, it saves what it needs to go on.

On a CPU, with the same number of threads, a resumed run gives the numbers of an uninterrupted one, to the last bit:
Lightning's checkpoint holds the weights and the states of optimizers and schedules, and beside them the state of the
random numbers, what `Run` knows of its epochs, its best weights and its metric records, which are reported again. One
exception: a schedule that waits for a metric's plateau does not see the metric of the last saved epoch.

A file that is torn, or of another configuration, other data, other code of the model, another device or another torch,
is ignored: the run starts afresh.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import math
import os
import time
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from sweeps.training.process_state import random_state, set_random_state
from sweeps.training.reports import Report
from tracking import schema
from tracking.kill_points import reached
from tracking.schema import Outcome

SAVE_SECONDS: Final = 60.0
"""A run that takes less time than this saves nothing."""


def fingerprint(
    configuration: Mapping[str, Any], tags: Mapping[str, str], module: pl.LightningModule, device: str
) -> str:
    """A hash that is equal for runs of which one may go on where the other was killed.

    Args:
        configuration: The whole of it, seeds included. The device in it does not count: another GPU will do.
        tags: What the run says of its data, its code and its libraries; the machine does not count.
        module: The model, whose source counts.
        device: Where it trains, of which only the kind counts.
    """
    trainer = {key: value for key, value in configuration.get("trainer", {}).items() if key != "device"}
    code_and_data = {tag: value for tag, value in tags.items() if tag != schema.MACHINE}
    source = ""
    with contextlib.suppress(OSError, TypeError):  # a class that no file defines
        source = inspect.getsource(inspect.getmodule(type(module)) or type(module))
    parts = [{**configuration, "trainer": trainer}, code_and_data, source, torch.device(device).type]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


class History:
    """The metric records of a run, in columns: a hundred thousand epochs of twelve metrics take ten megabytes."""

    def __init__(self) -> None:
        self._times = array("q")
        self._columns: dict[str, array[float]] = {}

    def __len__(self) -> int:
        return len(self._times)

    def add(self, record: Mapping[str, Any]) -> None:
        """Append the record of the next epoch: its `time` in ms, and its `metrics`, which are finite."""
        for name, value in record["metrics"].items():
            column = self._columns.setdefault(name, array("d"))
            column.extend([math.nan] * (len(self) - len(column)))
            column.append(value)
        self._times.append(record["time"])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for index, milliseconds in enumerate(self._times):
            row = {name: column[index] for name, column in self._columns.items() if index < len(column)}
            metrics = {name: value for name, value in row.items() if not math.isnan(value)}
            yield {"step": index + 1, "time": milliseconds, "metrics": metrics}

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
        every: Seconds after the start of the run, or after the last save, until it is saved at the end of an epoch.
        report: Called with the run's records.
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
        self._stuck = False
        """Whether it has taken up a saved run and no epoch has ended since."""

    def report(self, kind: str, record: dict[str, Any]) -> None:
        """Report a record, and remember those of epochs."""
        if kind == "metrics":
            self._history.add(record)
        self._report(kind, record)

    def take_up(self) -> int:
        """The number of epochs in the file; 0 if there is none from which a run of this fingerprint can go on."""
        epochs = 0
        with contextlib.suppress(Exception):  # not there, torn, or not a resume file
            checkpoint = torch.load(self.path, map_location="cpu", weights_only=True, mmap=True)
            state = checkpoint["callbacks"][self.state_key]
            if state["fingerprint"] == self.fingerprint:
                epochs = len(state["history"]["times"])
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
            set_random_state(self._random)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stuck = False
        if trainer.should_stop or time.monotonic() < self._due:
            return
        self._random = random_state(pl_module.device)
        # A full disk, or a module that cannot be saved, is no reason to end the run.
        with contextlib.suppress(Exception):
            trainer.save_checkpoint(self._partial, weights_only=False)
            reached("worker: resume file")
            os.replace(self._partial, self.path)
        self._due = time.monotonic() + self._every
