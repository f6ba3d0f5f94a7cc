"""How a user module is trained and measured: any LightningModule written for a plain `pl.Trainer`.

It gets batches `(inputs, targets)` and trains as its author wrote it: its own loss, its own optimizers if it has them,
automatic or manual optimisation. What it logs is what the run measures. Sweepboard adds what needs no knowledge of the
module: the mean of the losses it returns, seconds, steps, learning rate, norms. It does not measure the losses and
errors of built-in models, since only the author knows what the outputs mean.
"""

from __future__ import annotations

import math
import time
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor
from torch.utils.data import DataLoader

from data.base import Part
from lightning_modules import Recipe
from lightning_modules.recipe import optimizers_of
from sweeps.training.measuring import Run
from sweeps.training.user_metrics import RESERVED, MetricLogger, broken_loss, stored, unforked
from tracking import schema
from tracking.schema import Outcome


@contextmanager
def exit_as_error() -> Iterator[None]:
    """Let a module that ends the process (`sys.exit`) end its run alone; Ctrl-C passes through."""
    try:
        yield
    except SystemExit as leaving:
        if isinstance(leaving.__context__, KeyboardInterrupt):
            raise
        raise RuntimeError("its code ended the process (sys.exit)") from leaving


def _as_is(batch: Any) -> Any:
    return batch


@dataclass(eq=False)
class UserModuleRun(Run, Checkpoint):
    """What a run of a user module measures: what the module logs, once per epoch, and every reason to end it.

    A `Checkpoint` to Lightning, which calls those after the module's own `on_train_epoch_end`.
    """

    recipe: Recipe = field(default_factory=Recipe)
    own_optimizer: bool = False
    remarks: list[str] = field(default_factory=list)
    """Sentences about a run that is ok nevertheless."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.metric_logger = MetricLogger()
        self._stepped: dict[str, float] = {}
        self._validated: dict[str, float] = {}
        self._takes_norms = False
        self._record: dict[str, Any] = {}
        """Of the last epoch."""
        self._unreported = False
        """Whether that record waits for what is measured of the test part."""

    @property
    def state_key(self) -> str:
        """The key of this callback in resume files; those of earlier versions are taken up as well."""
        return "ForeignRun"

    def prepare(self, module: pl.LightningModule) -> None:
        """Give the module the optimizers of the configuration, unless it has its own.

        Raises:
            ValueError: The configuration asks for label smoothing.
        """
        if not self.own_optimizer:
            recipe = self.recipe
            module.configure_optimizers = types.MethodType(lambda model: optimizers_of(model, recipe), module)  # type: ignore[method-assign]
        if smoothing := self.recipe.label_smoothing:
            raise ValueError(
                f"regularization.label_smoothing: {smoothing} is not allowed for a model whose loss is its own; "
                "allowed: 0."
            )

    def refuse_clipping(self, module: pl.LightningModule, trainer: pl.Trainer) -> None:
        """Refuse to clip gradients for a module that steps its optimizers itself.

        Raises:
            ValueError: It does, and the trainer would clip.
        """
        if not module.automatic_optimization and trainer.gradient_clip_val:
            raise ValueError(
                f"trainer.gradient_clip_val: {trainer.gradient_clip_val} is not allowed for a model that steps its "
                "optimizers itself; allowed: 0."
            )

    def batches(self, part: Part) -> DataLoader[Any]:
        """A part in its own order, in batches as large as those that the module trains on."""
        size = len(self.data.parts.train) if self.data.batch_size == "full" else int(self.data.batch_size)
        slices = [slice(begin, begin + size) for begin in range(0, len(part), size)]
        return DataLoader(part, sampler=slices, batch_size=None, collate_fn=_as_is, generator=torch.Generator())  # type: ignore[arg-type]

    # Lightning's hooks, in the order of an epoch

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trained = any(parameter.requires_grad for parameter in pl_module.parameters())
        self._takes_norms = pl_module.automatic_optimization and trained
        if self._takes_norms:
            super().on_train_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._loss, self._examples = 0.0, 0
        self._lr = trainer.optimizers[0].param_groups[0]["lr"] if trainer.optimizers else math.nan
        trainer.logged_metrics.clear()  # what an earlier epoch left there
        self.metric_logger.take()
        self._stepped, self._validated, self._validating = {}, {}, 0.0
        self._began = time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.metric_logger.weight = len(batch[1])
        self._stepped_now = False

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        if self.recipe.by_step and not self.own_optimizer:
            self._lr = optimizer.param_groups[0]["lr"]
        if self.recipe.l1 or self.recipe.l2:
            self._penalise(optimizer)
        if self._takes_norms:
            super().on_before_optimizer_step(trainer, pl_module, optimizer)
            self._stepped_now = True

    def _penalise(self, optimizer: torch.optim.Optimizer) -> None:
        """Add the gradient of l1·Σ|w| + (l2/2)·Σw² over the weights: the module's own loss has no penalty."""
        for parameter in (parameter for group in optimizer.param_groups for parameter in group["params"]):
            if parameter.ndim > 1 and parameter.grad is not None:
                weight = parameter.detach()
                parameter.grad.add_(self.recipe.l2 * weight + self.recipe.l1 * weight.sign())

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        where = f"at batch {batch_idx + 1} of epoch {self.epochs + 1}"
        if isinstance(loss, Tensor) and loss.numel() == 1:
            value = float(loss)
            self._loss += value * len(batch[1])
            self._examples += len(batch[1])
            if not math.isfinite(value):
                self._end_in_epoch(trainer, Outcome.DIVERGED, f"The training loss was {value} {where}.")
                return
        broken = self.metric_logger.broken()
        if broken:
            self._end_in_epoch(trainer, Outcome.DIVERGED, f"{broken[0]} was not finite {where}.")
            return
        self.steps += 1
        if self._stepped_now:
            self._norms.after_step()
        if (outcome := self.should_end()) is not None:
            self._end_in_epoch(trainer, outcome)

    def _end_in_epoch(self, trainer: pl.Trainer, outcome: Outcome, error: str | None = None) -> None:
        trainer.limit_val_batches = 0  # else Lightning validates once more before it ends
        self._end(trainer, outcome, error)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stepped = self.metric_logger.take()
        self._validation_began = time.perf_counter()

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self.metric_logger.weight = len(batch[1])

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._validated = self.metric_logger.take()
        self._validating += time.perf_counter() - self._validation_began

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.outcome is not Outcome.OK:
            return
        self._stepped |= self.metric_logger.take()
        norms, *norms_by_layer = self._norms.take() if self._takes_norms else ({},)
        self.train_seconds += time.perf_counter() - self._began - self._validating
        measured = {
            **({schema.TRAIN_LOSS: self._loss / self._examples} if self._examples else {}),
            **self._logged(trainer),
            schema.TRAIN_SECONDS: self.train_seconds,
            schema.LR: self._lr,
            schema.STEPS: float(self.steps),
            **norms,
        }
        self.epochs += 1
        finite = {name: value for name, value in measured.items() if math.isfinite(value)}
        self.metrics.update(finite)
        self._record = {"step": self.epochs, "time": time.time_ns() // 1_000_000, "metrics": finite}
        if fault := self._fault(measured, pl_module):
            self._end(trainer, *fault)
        else:
            self._keep_weights(pl_module)
            if norms_by_layer:
                self._layers.add(self.epochs, *norms_by_layer)
            if self._is_last(trainer):
                self.files[schema.LAYERS_FILE] = self._layers.arrays()
                trainer.should_stop = True
                self._unreported = True
                return
        self.report("metrics", self._record)

    def _logged(self, trainer: pl.Trainer) -> dict[str, float]:
        """What the module logged in this epoch, by the names under which it is stored."""
        epoch = {
            name: float(value)
            for name, value in trainer.logged_metrics.items()
            if name not in self._stepped and name not in self._validated
        }
        trained, validated = unforked({**self._stepped, **epoch}), unforked(self._validated)
        for name in trained.keys() & validated.keys():
            self._remark(f"It logs {name} in training and in validation alike; the value of the validation is stored.")
        self._validated = stored(validated, self._remark)
        return {**stored(trained, self._remark), **self._validated}

    def _remark(self, sentence: str) -> None:
        if sentence not in self.remarks:
            self.remarks.append(sentence)

    def _fault(self, measured: Mapping[str, float], module: pl.LightningModule) -> tuple[Outcome, str] | None:
        """Why the run cannot go on after an epoch: its outcome and a sentence."""
        broken = broken_loss(measured)
        if broken is None and not math.isfinite(measured.get(self.criterion.metric, 0.0)):
            broken = self.criterion.metric, measured[self.criterion.metric]
        if broken:
            return Outcome.DIVERGED, f"{broken[0]} was {broken[1]} after epoch {self.epochs}."
        if not all(torch.isfinite(parameter).all() for parameter in module.parameters()):
            return Outcome.DIVERGED, f"A parameter was not finite after epoch {self.epochs}."
        missing = self._missing()
        return (Outcome.CRASHED, missing) if missing else None

    def _missing(self) -> str | None:
        """What the configuration needs to be logged and is not, in one sentence."""
        logged = [name for name in self.metrics if name not in RESERVED]
        validated = "" if self._validated else ", and none of the validation data"
        for key, metric in (
            ("objective.metric", self.criterion.metric),
            ("regularization.early_stopping_patience", schema.VAL_LOSS if self.patience else None),
        ):
            if metric is not None and metric not in self.metrics:
                return f"{key}: no metric {metric} was logged{validated}; there are: {', '.join(logged) or 'none'}."
        return None

    def _keep_weights(self, module: pl.LightningModule) -> None:
        """Judge the epoch, and keep its weights if they are the best by validation, or if no loss of that is logged."""
        for best in (self._ranked, self._stopping):
            if best.criterion.metric in self.metrics:
                best.offer(self.metrics[best.criterion.metric], self.epochs)
        if self.criterion.metric in self._validated:
            self._selected.criterion = self.criterion
        criterion = self._selected.criterion
        if criterion.metric not in self._validated:
            self._remark(
                "It logs no loss of the validation data; the weights that are kept are those of the last epoch."
            )
            self._selected.epoch = self.epochs
        elif not self._selected.offer(self.metrics[criterion.metric], self.epochs):
            return
        state = module.state_dict().items()
        self.weights = {name: value.detach().clone() for name, value in state if isinstance(value, Tensor)}

    def measure_test_part(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Measure the test part of a run that is ok, if the module has a step for it, at the weights that are kept."""
        if self.outcome is not Outcome.OK:
            return
        self.error = " ".join(self.remarks) or None
        finite: dict[str, float] = {}
        if is_overridden("test_step", module):
            module.load_state_dict(self.weights, strict=False)  # only tensors were kept
            self.metric_logger.take()
            trainer.test(module, self.batches(self.data.parts.test), verbose=False)
            tested = unforked(self.metric_logger.take())
            named = {name if name.startswith("test") else f"test/{name}": value for name, value in tested.items()}
            finite = {name: value for name, value in stored(named, self._remark).items() if math.isfinite(value)}
        self.metrics.update(finite)
        if self._unreported or finite:
            self.report("metrics", {**self._record, "metrics": {**self._record["metrics"], **finite}})
