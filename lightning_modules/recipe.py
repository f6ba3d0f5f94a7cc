"""The recipe that a model is trained by: optimizer, schedule, penalties and label smoothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytorch_lightning as pl
from torch.optim.lr_scheduler import LambdaLR

from learning_tasks.refusals import lookup
from lightning_modules.optimizers import OPTIMIZERS
from lightning_modules.schedules import SCHEDULES, STEP_SCHEDULES


@dataclass(frozen=True)
class Recipe:
    """What a plain `pl.Trainer` needs to fit a model, beside data and epochs."""

    optimizer: Mapping[str, Any] = field(default_factory=lambda: {"name": "adam"})
    """A name of `OPTIMIZERS` under "name", and the fields of that optimizer."""
    schedule: Mapping[str, Any] = field(default_factory=lambda: {"name": "constant"})
    """A name of `SCHEDULES` under "name", and the fields of that schedule."""
    l1: float = 0.0
    """Strength of the penalty l1·Σ|w|."""
    l2: float = 0.0
    """Strength of the penalty (l2/2)·Σw²."""
    label_smoothing: float = 0.0
    """Share of each target that is spread evenly over all classes while training."""

    @property
    def by_step(self) -> bool:
        """Whether its schedule changes the learning rate after each step, not after each epoch."""
        return self.schedule["name"] in STEP_SCHEDULES


def optimizers_of(module: pl.LightningModule, recipe: Recipe) -> Any:
    """The optimizer of the recipe for the parameters of a module, and its schedule, for Lightning."""
    optimizer_fields, schedule_fields = dict(recipe.optimizer), dict(recipe.schedule)
    make_optimizer = lookup("optimizer.name", optimizer_fields.pop("name"), OPTIMIZERS)
    make_schedule = lookup("schedule.name", schedule_fields.pop("name"), SCHEDULES)
    optimizer = make_optimizer(module.parameters(), **optimizer_fields)
    factor = make_schedule(_length(module, recipe.by_step), **schedule_fields)
    interval = "step" if recipe.by_step else "epoch"
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": interval}}


def _length(module: pl.LightningModule, in_steps: bool) -> float:
    """How many epochs, or steps, the trainer of a module will train; 1 if it has none.

    Training without an end takes infinitely many steps.
    """
    if module._trainer is None:
        return 1
    if in_steps:
        return module.trainer.estimated_stepping_batches
    epochs = module.trainer.max_epochs
    return epochs if epochs and epochs > 0 else 1
