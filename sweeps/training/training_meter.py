"""What both kinds of run measure of the training itself: the mean loss, seconds, steps, learning rate and norms."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import nn

from sweeps.training.step_norms import StepNorms
from tracking import schema


class ParameterNorms(NamedTuple):
    """Norms by parameter: of its gradient, the mean over an epoch's steps, and of itself at the end of the epoch."""

    gradients: Mapping[nn.Parameter, float]
    weights: Mapping[nn.Parameter, float]


class TrainingMeter:
    """Measures the training of a run epoch by epoch; a callback calls it from Lightning's hooks."""

    def __init__(self) -> None:
        self.steps = 0
        self.seconds = 0.0
        """Spent training, the measuring left out."""
        self.norms: ParameterNorms | None = None
        """After the last epoch; None where no norms are taken."""
        self._step_norms: StepNorms | None = None
        self._pending = False
        """Whether the norms before a step were taken, and those after it were not."""

    def state_dict(self) -> dict[str, Any]:
        """What has to survive a kill."""
        return {"steps": self.steps, "train_seconds": self.seconds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.steps, self.seconds = state["steps"], state["train_seconds"]

    def begin(self, parameters: Iterable[nn.Parameter]) -> None:
        """Take the norms of these parameters with each step; of none where there is none."""
        trained = list(parameters)
        self._step_norms = StepNorms(trained) if trained else None

    def begin_epoch(self, trainer: pl.Trainer) -> None:
        """Start the clock, and read the learning rate that the epoch trains with."""
        self._loss, self._examples = 0.0, 0
        self._lr = trainer.optimizers[0].param_groups[0]["lr"] if trainer.optimizers else math.nan
        self._began = time.perf_counter()

    def read_lr(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the learning rate of the step to come; with a schedule by the step, the epoch's last one is reported."""
        self._lr = optimizer.param_groups[0]["lr"]

    def before_step(self) -> None:
        """Take the gradients, and the parameters as they are before the optimizer changes them."""
        if self._step_norms is not None:
            self._step_norms.before_step()
            self._pending = True

    def after_step(self) -> None:
        """Count a step, and take its norms."""
        self.steps += 1
        if self._pending and self._step_norms is not None:
            self._step_norms.after_step()
        self._pending = False

    def add_loss(self, loss: float, examples: int) -> None:
        """Add the mean loss of a batch of so many examples."""
        self._loss += loss * examples
        self._examples += examples

    def end_epoch(self, validating: float = 0.0) -> dict[str, float]:
        """The metrics of the epoch.

        Args:
            validating: The seconds of the epoch in which the module was validated.
        """
        means: dict[str, float] = {}
        if self._step_norms is not None:  # waits for the device, so that the clock is read after its work
            means, *norms = self._step_norms.take()
            self.norms = ParameterNorms(*norms)
        self.seconds += time.perf_counter() - self._began - validating
        return {
            **({schema.TRAIN_LOSS: self._loss / self._examples} if self._examples else {}),
            schema.TRAIN_SECONDS: self.seconds,
            schema.LR: self._lr,
            schema.STEPS: float(self.steps),
            **means,
        }
