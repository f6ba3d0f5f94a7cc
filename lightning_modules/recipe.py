"""The recipe that a model is trained by: optimizer, schedule, penalties and label smoothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytorch_lightning as pl
from torch.optim.lr_scheduler import LambdaLR

from learning_tasks.refusals import lookup
from lightning_modules.optimizers import OPTIMIZERS
from lightning_modules.schedules import SCHEDULES


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


def optimizers_of(module: pl.LightningModule, recipe: Recipe) -> Any:
    """The optimizer of the recipe for the parameters of a module, and its schedule by the epoch, for Lightning."""
    optimizer_fields, schedule_fields = dict(recipe.optimizer), dict(recipe.schedule)
    make_optimizer = lookup("optimizer.name", optimizer_fields.pop("name"), OPTIMIZERS)
    make_schedule = lookup("schedule.name", schedule_fields.pop("name"), SCHEDULES)
    optimizer = make_optimizer(module.parameters(), **optimizer_fields)
    epochs = module.trainer.max_epochs if module._trainer is not None else None
    factor = make_schedule(epochs if epochs and epochs > 0 else 1, **schedule_fields)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": "epoch"}}
