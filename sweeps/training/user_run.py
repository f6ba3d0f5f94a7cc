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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor
from torch.utils.data import DataLoader

from data import DataModule
from data.parts import Part, loader, slices
from lightning_modules import Recipe
from lightning_modules.recipe import optimizers_of
from sweeps.training.ledger import VALIDATION, Ledger
from sweeps.training.recorders import Recorded, Recorders
from sweeps.training.reports import Report
from sweeps.training.run_state import load_state, state_of, view_of
from sweeps.training.training_meter import TrainingMeter
from sweeps.training.user_metrics import MetricLogger, stored, unforked
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


def _is_finite(module: pl.LightningModule) -> bool:
    """Whether all parameters of a module are numbers."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in module.parameters())


@dataclass(eq=False)
class UserModuleRun(Checkpoint):
    """What a run of a user module measures: what the module logs, once per epoch, and every reason to end it.

    A `Checkpoint` to Lightning, which calls those after the module's own `on_train_epoch_end`.
    """

    data: DataModule
    ledger: Ledger
    report: Report
    should_end: Callable[[], Outcome | None]
    recorders: Recorders
    recipe: Recipe = field(default_factory=Recipe)
    own_optimizer: bool = False
    weights: dict[str, Tensor] = field(default_factory=dict)
    """Of the best epoch so far."""
    files: list[Recorded] = field(default_factory=list)
    """What a run that ends ok leaves behind."""
    remarks: list[str] = field(default_factory=list)
    """Sentences about a run that is ok nevertheless."""

    def __post_init__(self) -> None:
        self.metric_logger = MetricLogger()
        self.meter = TrainingMeter()
        self._stepped: dict[str, float] = {}
        self._validated: dict[str, float] = {}
        self._record: dict[str, Any] = {}
        """Of the last epoch."""
        self._unreported = False
        """Whether that record waits for what is measured of the test part."""

    @property
    def state_key(self) -> str:
        """The key of this callback in resume files; those of earlier versions are taken up as well."""
        return "ForeignRun"

    def state_dict(self) -> dict[str, Any]:
        """The state that the run needs to go on after a kill."""
        return state_of(self)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        load_state(self, state_dict)

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
        return loader(part, slices(part, self.data.batch_length()))

    # Lightning's hooks, in the order of an epoch

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trained = [parameter for parameter in pl_module.parameters() if parameter.requires_grad]
        self.meter.begin(trained if pl_module.automatic_optimization else [])
        self.recorders.begin(view_of(self, trainer, pl_module))

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.logged_metrics.clear()  # what an earlier epoch left there
        self.metric_logger.take()
        self._stepped, self._validated, self._validating = {}, {}, 0.0
        self.meter.begin_epoch(trainer)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.metric_logger.weight = len(batch[1])

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        if self.recipe.by_step and not self.own_optimizer:
            self.meter.read_lr(optimizer)
        if self.recipe.l1 or self.recipe.l2:
            self._penalise(optimizer)
        self.meter.before_step()

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
        where = f"at batch {batch_idx + 1} of epoch {self.ledger.epochs + 1}"
        if isinstance(loss, Tensor) and loss.numel() == 1:
            value = float(loss)
            self.meter.add_loss(value, len(batch[1]))
            if not math.isfinite(value):
                self._end_in_epoch(trainer, Outcome.DIVERGED, f"The training loss was {value} {where}.")
                return
        broken = self.metric_logger.broken()
        if broken:
            self._end_in_epoch(trainer, Outcome.DIVERGED, f"{broken[0]} was not finite {where}.")
            return
        self.meter.after_step()
        if (outcome := self.should_end()) is not None:
            self._end_in_epoch(trainer, outcome)

    def _end_in_epoch(self, trainer: pl.Trainer, outcome: Outcome, error: str | None = None) -> None:
        trainer.limit_val_batches = 0  # else Lightning validates once more before it ends
        trainer.should_stop = True
        self.ledger.end(outcome, error)

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
        if self.ledger.outcome is not Outcome.OK:
            return
        self._stepped |= self.metric_logger.take()
        measured = {**self.meter.end_epoch(self._validating), **self._logged(trainer)}
        recorded = self.recorders.measure(view_of(self, trainer, pl_module).after(measured))
        on_validation = [*self._validated, *(name for name in recorded if name.startswith(VALIDATION))]
        outcome = self.ledger.epoch(recorded | measured, on_validation)
        epoch, metrics = self.ledger.epochs, self.ledger.latest
        if outcome in (None, Outcome.OK) and not _is_finite(pl_module):
            outcome = self.ledger.end(Outcome.DIVERGED, f"A parameter was not finite after epoch {epoch}.")
        elif outcome in (None, Outcome.OK):
            if self.ledger.improved:
                self._keep_weights(pl_module)
            self.recorders.epoch(view_of(self, trainer, pl_module), last=outcome is not None)
        if outcome is not None:
            trainer.should_stop = True
        self._record = {"step": epoch, "time": time.time_ns() // 1_000_000, "metrics": metrics}
        if outcome is Outcome.OK:
            self._unreported = True
        else:
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

    def _keep_weights(self, module: pl.LightningModule) -> None:
        state = module.state_dict().items()
        self.weights = {name: value.detach().clone() for name, value in state if isinstance(value, Tensor)}

    def measure_test_part(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Measure the test part of a run that is ok, if the module has a step for it, at the weights that are kept."""
        if self.ledger.outcome is not Outcome.OK:
            return
        if not self.ledger.chosen:
            self._remark(
                "It logs no loss of the validation data; the weights that are kept are those of the last epoch."
            )
        self.ledger.error = " ".join(self.remarks) or None
        finite: dict[str, float] = {}
        tested_by_itself = is_overridden("test_step", module)
        if tested_by_itself or self.recorders.finishes:
            module.load_state_dict(self.weights, strict=False)  # only tensors were kept
        if tested_by_itself:
            self.metric_logger.take()
            trainer.test(module, self.batches(self.data.parts.test), verbose=False)
            tested = unforked(self.metric_logger.take())
            named = {name if name.startswith("test") else f"test/{name}": value for name, value in tested.items()}
            finite = self.ledger.add(stored(named, self._remark))
        finite |= self.ledger.add(self.recorders.finish(view_of(self, trainer, module)))
        self.files = self.recorders.files(view_of(self, trainer, module))
        if self._unreported or finite:
            self.report("metrics", {**self._record, "metrics": {**self._record["metrics"], **finite}})
