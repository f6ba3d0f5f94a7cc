"""What a run measures, once per epoch, and every reason to end it: a Lightning callback.

Selection looks at the validation part alone: the weights of the best epoch are kept in memory, and the test part is
measured once, at those weights, after the last epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from data import DataModule
from data.base import Classification
from lightning_modules import Module
from sweeps.training.evaluation import against_truth, error_power, measure
from sweeps.training.layer_records import LayerRecorder
from sweeps.training.objective import Best, Criterion
from sweeps.training.predictions import ReplicateRecorder, predictions, regions
from sweeps.training.step_norms import StepNorms
from tracking import schema
from tracking.schema import Outcome

Report = Callable[[str, dict[str, Any]], None]

_SAVED: Final = ("metrics", "epochs", "steps", "train_seconds", "weights", "first_loss")
"""Fields that a resume file holds."""
EXPLODED: Final = 10.0
"""A run has diverged if its training loss ends at more than so many times its first value and that of the best
constant answer."""


@dataclass(eq=False)
class Run(pl.Callback):
    """Everything beside the training itself: it measures each epoch, keeps the best checkpoint, and ends the run."""

    data: DataModule
    criterion: Criterion
    patience: int
    report: Report
    should_end: Callable[[], Outcome | None]
    replicated: bool = False
    """Whether this is one of several runs on different training sets, whose answers are to be compared."""
    meant_to_explode: bool = False
    """Whether this is a learning-rate range test, whose rate grows until the loss does."""
    outcome: Outcome = Outcome.OK
    error: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    epochs: int = 0
    steps: int = 0
    train_seconds: float = 0.0
    weights: dict[str, Tensor] = field(default_factory=dict)
    first_loss: float = 0.0
    """On the training data, in evaluation mode, after the first epoch."""
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By artifact: the arrays that a run which ends ok leaves behind."""

    def __post_init__(self) -> None:
        self._layers = LayerRecorder()
        self._replicate = ReplicateRecorder()
        self._ranked = Best(self.criterion)
        self._selected = Best(self.criterion.selection())
        self._stopping = Best(Criterion())
        self._bests = (self._ranked, self._selected, self._stopping)

    def state_dict(self) -> dict[str, Any]:
        """What a run must know of its epochs so far to go on after a kill."""
        return {
            **{name: getattr(self, name) for name in _SAVED},
            "bests": [(best.value, best.epoch) for best in self._bests],
            "layers": self._layers.state_dict(),
            "replicate": self._replicate.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name in _SAVED:
            setattr(self, name, state_dict.get(name, getattr(self, name)))  # an older program saved fewer
        for best, (value, epoch) in zip(self._bests, state_dict["bests"], strict=True):
            best.value, best.epoch = value, epoch
        self._layers.load_state_dict(state_dict["layers"])
        self._replicate.load_state_dict(state_dict["replicate"])

    @property
    def objective(self) -> float | None:
        """The value that the run is ranked by; None unless the run is ok."""
        if self.outcome is not Outcome.OK:
            return None
        return self._ranked.value if self.criterion.at == "best" else self.metrics.get(self.criterion.metric)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._norms = StepNorms([parameter for parameter in pl_module.parameters() if parameter.requires_grad])
        self._layers.begin(trainer, pl_module, self.data)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._loss, self._examples = 0.0, 0
        self._lr = trainer.optimizers[0].param_groups[0]["lr"]
        self._began = time.perf_counter()

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        if isinstance(pl_module, Module) and pl_module.recipe.by_step:
            self._lr = optimizer.param_groups[0]["lr"]
        self._norms.before_step()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.steps += 1
        loss, size = float(outputs["loss"]), len(batch[1])
        if not math.isfinite(loss):
            where = f"at update {self.steps}, in epoch {self.epochs + 1}"
            self._end(trainer, Outcome.DIVERGED, f"The training loss was {loss} {where}.")
            return
        self._norms.after_step()
        self._loss += float(outputs["data_loss"]) * size
        self._examples += size
        if (outcome := self.should_end()) is not None:
            self._end(trainer, outcome)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.outcome is not Outcome.OK:
            return
        assert isinstance(pl_module, Module)
        norms, *norms_by_layer = self._norms.take()  # waits for the device, so that the clock is read after its work
        self.train_seconds += time.perf_counter() - self._began
        measured = self._measure_epoch(trainer, pl_module, norms)
        self.epochs += 1
        finite = {name: value for name, value in measured.items() if math.isfinite(value)}
        self.metrics.update(finite)
        broken = [name for name in (schema.VAL_LOSS, schema.TRAIN_EVAL_LOSS) if name not in finite]
        if self.epochs == 1:
            self.first_loss = measured[schema.TRAIN_EVAL_LOSS]
        if broken:
            self._end(trainer, Outcome.DIVERGED, f"{broken[0]} was {measured[broken[0]]} after epoch {self.epochs}.")
        else:
            self._select(pl_module)
            self._layers.add(self.epochs, *norms_by_layer)
            last = self._is_last(trainer)
            if self.replicated:
                self._replicate.add(trainer, pl_module, self.data, self.epochs, last)
            if last and (exploded := self._exploded(pl_module)):
                self._end(trainer, Outcome.DIVERGED, exploded)
            elif last:
                trainer.should_stop = True
                self._gather_files(trainer, pl_module)
                self.metrics.update(finite := finite | self._measure_test_part(trainer, pl_module))
        self.report("metrics", {"step": self.epochs, "time": time.time_ns() // 1_000_000, "metrics": finite})

    def _measure_epoch(self, trainer: pl.Trainer, module: Module, norms: dict[str, float]) -> dict[str, float]:
        return {
            schema.TRAIN_LOSS: self._loss / self._examples,
            **measure(trainer, module, self.data.parts.validation, "val"),
            **self._measure_training(trainer, module),
            schema.PENALTY: float(module.penalty().detach()),
            schema.TRAIN_SECONDS: self.train_seconds,
            schema.LR: self._lr,
            schema.STEPS: float(self.steps),
            **norms,
        }

    def _measure_training(self, trainer: pl.Trainer, module: Module) -> dict[str, float]:
        """Loss and errors on training examples in evaluation mode, and how much noise of the targets is memorised."""
        part = self.data.parts.train_eval
        measured = measure(trainer, module, part, "train_eval")
        if part.clean is None:
            return measured
        errors = measured[schema.TRAIN_EVAL_ERROR], measured[schema.TRAIN_EVAL_CLEAN_ERROR]
        return {**measured, **against_truth(*errors, part, error_power(module))}

    def _select(self, module: Module) -> None:
        for best in (self._ranked, self._stopping):
            if best.criterion.metric in self.metrics:
                best.offer(self.metrics[best.criterion.metric], self.epochs)
        if self._selected.offer(self.metrics[self._selected.criterion.metric], self.epochs):
            self.weights = {name: value.detach().clone() for name, value in module.state_dict().items()}

    def _is_last(self, trainer: pl.Trainer) -> bool:
        impatient = bool(self.patience) and self.epochs - self._stopping.epoch >= self.patience
        return impatient or self.epochs == trainer.max_epochs

    def _exploded(self, module: Module) -> str:
        """Why the run diverged although its last loss is a number; an empty text if it did not.

        The loss on the training data decides: that on validation data is rightly several times as high as the loss of
        a constant answer where a network has memorised wrong labels.
        """
        if self.meant_to_explode:
            return ""
        constant = float(module.criteria[module.task].constant(self.data.parts.train_eval.targets))
        loss, least = self.metrics[schema.TRAIN_EVAL_LOSS], max(self.first_loss, constant)
        if loss <= EXPLODED * least:
            return ""
        return (
            f"{schema.TRAIN_EVAL_LOSS} ended at {loss:.4g}: more than {EXPLODED:g} times its first value"
            f" ({self.first_loss:.4g}) and that of the best constant answer ({constant:.4g})."
        )

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
        return {name: value for name, value in tested.items() if math.isfinite(value)}

    def _predict(self, trainer: pl.Trainer, module: Module, data: Classification) -> None:
        epoch = np.array(self._selected.epoch, dtype=np.int32)
        self.files[schema.PREDICTIONS_FILE] = {**predictions(trainer, module, data), "epoch": epoch}

    def _end(self, trainer: pl.Trainer, outcome: Outcome, error: str | None = None) -> None:
        self.outcome, self.error = outcome, error
        trainer.should_stop = True
