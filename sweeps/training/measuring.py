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

import pytorch_lightning as pl
import torch
from torch import Tensor

from data import DataModule
from lightning_modules import Module
from sweeps.training.evaluation import measure, memorised
from sweeps.training.ledger import Ledger
from sweeps.training.recorders import Recorded, Recorders
from sweeps.training.reports import Report
from sweeps.training.run_state import load_state, state_of, view_of
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
    recorders: Recorders
    weights: dict[str, Tensor] = field(default_factory=dict)
    """Of the best epoch so far."""
    files: list[Recorded] = field(default_factory=list)
    """What a run that ends ok leaves behind."""

    def __post_init__(self) -> None:
        self.meter = TrainingMeter()

    @property
    def state_key(self) -> str:
        """The key of this callback in resume files."""
        return "Run"

    def state_dict(self) -> dict[str, Any]:
        """The state that the run needs to go on after a kill."""
        return state_of(self)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        load_state(self, state_dict)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Module)
        targets = self.data.parts.train_eval.batch(slice(None)).targets
        self.ledger.constant = pl_module.task.constant(targets)["loss"]
        self.meter.begin(parameter for parameter in pl_module.parameters() if parameter.requires_grad)
        self.recorders.begin(view_of(self, trainer, pl_module))

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.meter.begin_epoch(trainer)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        if isinstance(pl_module, Module) and pl_module.recipe.by_step:
            self.meter.read_lr(optimizer)
        self.meter.before_step()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = float(outputs["loss"])
        if not math.isfinite(loss):
            where = f"at update {self.meter.steps + 1}, in epoch {self.ledger.epochs + 1}"
            self._end(trainer, Outcome.DIVERGED, f"The training loss was {loss} {where}.")
            return
        self.meter.after_step()
        self.meter.add_loss(float(outputs["data_loss"]), int(outputs["count"]))
        if (outcome := self.should_end()) is not None:
            self._end(trainer, outcome)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.ledger.outcome is not Outcome.OK:
            return
        assert isinstance(pl_module, Module)
        measured = {
            **self.meter.end_epoch(),
            **measure(trainer, pl_module, self.data.parts.validation, "val"),
            **self._measure_training(trainer, pl_module),
            schema.PENALTY: float(pl_module.penalty().detach()),
        }
        measured = self.recorders.measure(view_of(self, trainer, pl_module).after(measured)) | measured
        outcome = self.ledger.epoch(measured)
        metrics = self.ledger.latest
        if self.ledger.improved:
            self.weights = {name: value.detach().clone() for name, value in pl_module.state_dict().items()}
        if outcome in (None, Outcome.OK):
            self.recorders.epoch(view_of(self, trainer, pl_module), last=outcome is not None)
        if outcome is Outcome.OK:
            metrics = metrics | self._finish(trainer, pl_module)
        if outcome is not None:
            trainer.should_stop = True
        self.report("metrics", {"step": self.ledger.epochs, "time": time.time_ns() // 1_000_000, "metrics": metrics})

    def _measure_training(self, trainer: pl.Trainer, module: Module) -> dict[str, float]:
        """Loss and errors on training examples in evaluation mode, and how much noise of the targets is memorised."""
        part = self.data.parts.train_eval
        measured = measure(trainer, module, part, "train_eval")
        return {**measured, **memorised(module, part, measured)}

    def _finish(self, trainer: pl.Trainer, module: Module) -> dict[str, float]:
        """Measure the test part at the best weights, and take what the recorders leave."""
        module.load_state_dict(self.weights)
        tested = measure(trainer, module, self.data.parts.test, "test")
        tested = self.recorders.finish(view_of(self, trainer, module)) | tested
        self.files = self.recorders.files(view_of(self, trainer, module))
        return self.ledger.add(tested)

    def _end(self, trainer: pl.Trainer, outcome: Outcome, error: str | None = None) -> None:
        self.ledger.end(outcome, error)
        trainer.should_stop = True
