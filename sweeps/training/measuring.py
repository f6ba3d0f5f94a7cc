"""What a run of a built-in model measures, once per epoch: a Lightning callback.

Selection looks at the validation part alone: the weights of the best epoch are kept in memory, and the test part is
measured once, at those weights, after the last epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from data import DataModule
from data.base import Classification
from lightning_modules import Module
from sweeps.training.evaluation import against_truth, error_power, measure
from sweeps.training.layer_records import LayerRecorder
from sweeps.training.ledger import Ledger
from sweeps.training.predictions import ReplicateRecorder, predictions, regions
from sweeps.training.reports import Report
from sweeps.training.training_meter import TrainingMeter
from tracking import schema
from tracking.schema import Outcome


@dataclass(eq=False)
class Run(pl.Callback):
    """Everything beside the training itself: it measures each epoch, keeps the best checkpoint, and ends the run."""

    data: DataModule
    ledger: Ledger
    report: Report
    should_end: Callable[[], Outcome | None]
    replicated: bool = False
    """Whether this is one of several runs on different training sets, whose answers are to be compared."""
    weights: dict[str, Tensor] = field(default_factory=dict)
    """Of the best epoch so far."""
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By artifact: the arrays that a run which ends ok leaves behind."""

    def __post_init__(self) -> None:
        self._meter = TrainingMeter()
        self._layers = LayerRecorder()
        self._replicate = ReplicateRecorder()

    @property
    def state_key(self) -> str:
        """The key of this callback in resume files."""
        return "Run"

    def state_dict(self) -> dict[str, Any]:
        """What a run must know of its epochs so far to go on after a kill."""
        return {
            **self.ledger.state_dict(),
            **self._meter.state_dict(),
            "weights": self.weights,
            "layers": self._layers.state_dict(),
            "replicate": self._replicate.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.ledger.load_state_dict(state_dict)
        self._meter.load_state_dict(state_dict)
        self.weights = state_dict["weights"]
        self._layers.load_state_dict(state_dict["layers"])
        self._replicate.load_state_dict(state_dict["replicate"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Module)
        task = pl_module.criteria[pl_module.task]
        self.ledger.constant = float(task.constant(self.data.parts.train_eval.targets))
        self._meter.begin(parameter for parameter in pl_module.parameters() if parameter.requires_grad)
        self._layers.begin(trainer, pl_module, self.data)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._meter.begin_epoch(trainer)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        self._meter.before_step()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = float(outputs["loss"])
        if not math.isfinite(loss):
            where = f"at update {self._meter.steps + 1}, in epoch {self.ledger.epochs + 1}"
            self._end(trainer, Outcome.DIVERGED, f"The training loss was {loss} {where}.")
            return
        self._meter.after_step()
        self._meter.add_loss(float(outputs["data_loss"]), len(batch[1]))
        if (outcome := self.should_end()) is not None:
            self._end(trainer, outcome)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.ledger.outcome is not Outcome.OK:
            return
        assert isinstance(pl_module, Module)
        measured = {
            **self._meter.end_epoch(),
            **measure(trainer, pl_module, self.data.parts.validation, "val"),
            **self._measure_training(trainer, pl_module),
            schema.PENALTY: float(pl_module.penalty().detach()),
        }
        outcome = self.ledger.epoch(measured)
        metrics = self.ledger.latest
        if self.ledger.improved:
            self.weights = {name: value.detach().clone() for name, value in pl_module.state_dict().items()}
        if outcome in (None, Outcome.OK):
            assert self._meter.norms is not None
            self._layers.add(self.ledger.epochs, *self._meter.norms)
            if self.replicated:
                self._replicate.add(trainer, pl_module, self.data, self.ledger.epochs, outcome is not None)
        if outcome is Outcome.OK:
            self._gather_files(trainer, pl_module)
            metrics = metrics | self._measure_test_part(trainer, pl_module)
        if outcome is not None:
            trainer.should_stop = True
        self.report("metrics", {"step": self.ledger.epochs, "time": time.time_ns() // 1_000_000, "metrics": metrics})

    def _measure_training(self, trainer: pl.Trainer, module: Module) -> dict[str, float]:
        """Loss and errors on training examples in evaluation mode, and how much noise of the targets is memorised."""
        part = self.data.parts.train_eval
        measured = measure(trainer, module, part, "train_eval")
        if part.clean is None:
            return measured
        errors = measured[schema.TRAIN_EVAL_ERROR], measured[schema.TRAIN_EVAL_CLEAN_ERROR]
        return {**measured, **against_truth(*errors, part, error_power(module))}

    def _gather_files(self, trainer: pl.Trainer, module: Module) -> None:
        """Gather what the weights of the last epoch show, before the best ones take their place."""
        self.files[schema.LAYERS_FILE] = self._layers.arrays()
        self.files[schema.REGIONS_FILE] = regions(trainer, module, self.data)
        if self.replicated:
            self.files[schema.REPLICATE_FILE] = self._replicate.arrays(self.data)

    def _measure_test_part(self, trainer: pl.Trainer, module: Module) -> dict[str, float]:
        """Measure the test part at the best weights, and gather the predictions of a classification there."""
        module.load_state_dict(self.weights)
        tested = measure(trainer, module, self.data.parts.test, "test")
        if isinstance(self.data, Classification):
            self._predict(trainer, module, self.data)
        return self.ledger.add(tested)

    def _predict(self, trainer: pl.Trainer, module: Module, data: Classification) -> None:
        epoch = np.array(self.ledger.best_epoch, dtype=np.int32)
        self.files[schema.PREDICTIONS_FILE] = {**predictions(trainer, module, data), "epoch": epoch}

    def _end(self, trainer: pl.Trainer, outcome: Outcome, error: str | None = None) -> None:
        self.ledger.end(outcome, error)
        trainer.should_stop = True
