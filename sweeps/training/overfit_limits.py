"""How low the loss of a few examples can come: for any model, and for the one at hand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import pytorch_lightning as pl
import torch

from learning_tasks import Batch
from lightning_modules import Module
from sweeps.training.overfit_attempt import Attempt
from sweeps.training.overfit_faults import is_linear
from sweeps.training.smallest_loss import constant_loss, groups, smallest_linear_loss, smallest_loss

SHARE: Final = 0.02
"""What may be left of the way from the best constant answer to the smallest loss."""
NEARLY: Final = 0.05
"""What may be left of it when the steps or the time are up."""
ROUNDING: Final = 1e-4
"""A loss that a minimiser found within this share of the way above the floor is the floor."""
ZERO: Final = 1e-9
"""A loss below this is 0 but for rounding."""


@dataclass(frozen=True)
class Limits:
    """How low the loss can come."""

    floor: float
    """For any model; 0 where it is not known."""
    reachable: float
    """For this model, as far as is known."""
    constant: float | None = None
    """For the best answer that is the same for all; None where it is not known."""
    known: bool = True
    """Whether the floor is: not of a model whose loss is its own."""
    linear: bool = False
    """Whether the model is linear."""
    limited: bool = False
    """Whether it is linear and cannot reach the floor."""
    separable: bool = True
    """Whether hyperplanes separate the classes; asked of a linear model alone."""

    def target(self, first: float, share: float = SHARE) -> float:
        """The loss that leaves a share of the way down, from the loss of the untrained model."""
        if not self.known and first < 0:
            return -math.inf
        scale = (self.constant or 0.0) - self.floor
        return self.reachable + share * (scale if scale > 0 else abs(first - self.floor))

    def nearly(self, record: Attempt) -> bool:
        """Whether an attempt got there, or came close."""
        return record.reached or (record.error is None and record.end <= self.target(record.losses[0], NEARLY))


def limits_of(module: pl.LightningModule, batch: Batch, smoothing: float) -> Limits:
    """How low the loss of a module can come on a batch, on one device with it.

    Args:
        module: Any parameters will do.
        batch: The examples.
        smoothing: The label smoothing that it is trained with.
    """
    if not isinstance(module, Module):
        return Limits(0.0, 0.0, known=False)
    with torch.no_grad():
        outputs = module.eval()(batch.inputs)
    classes = max(outputs.shape[-1], 2)
    task = module.task
    floor = smallest_loss(task, batch, smoothing, classes)
    floor = 0.0 if floor < ZERO else floor
    constant = constant_loss(task, torch.cat(groups(task, batch)), smoothing, classes)
    if not is_linear(module, batch.inputs):
        return Limits(floor, floor, constant)
    reachable = smallest_linear_loss(task, batch, smoothing, classes)
    if reachable is None:
        return Limits(floor, floor, constant, linear=True, limited=True, separable=False)
    if reachable - floor < ROUNDING * (constant - floor):
        reachable = floor
    limited = reachable - floor > SHARE * (constant - floor)
    return Limits(floor, reachable, constant, linear=True, limited=limited)
