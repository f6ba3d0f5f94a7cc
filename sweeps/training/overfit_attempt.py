"""One attempt to learn a few examples by heart: the module trains on the same batch again and again.

It trains as in a run (its own `training_step`, precision, clipping, and a user module's own optimizers), but every step
sees the same batch, nothing is validated and nothing is stored.
"""

from __future__ import annotations

import math
import tempfile
import time
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from data import DataModule
from data.parts import Part, loader
from learning_tasks import Batch
from learning_tasks.base import moved
from lightning_modules import Module
from lightning_modules.recipe import optimizers_of
from sweeps.training.process_state import interruptible, seeded
from sweeps.training.train import module_of, recipe_of, trainer_of
from sweeps.training.user_metrics import MetricLogger
from sweeps.training.user_run import exit_as_error

LOOK_EVERY: Final = 50
"""Steps between two looks at the gradients, after the first few."""
FIRST_LOOKS: Final = 5
PATIENCE: Final = 500
"""Steps without a loss that is lower by a ten-thousandth, after which an attempt is given up."""


class AbandonedError(Exception):
    """The attempt was asked to end."""


@dataclass
class Attempt:
    """What happened in one attempt."""

    optimizer: str
    """In words: `sgd at 0.1`."""
    module: pl.LightningModule
    """As the training left it."""
    batch: Batch
    """The examples, on the CPU once the training is over."""
    losses: list[float] = field(default_factory=list)
    """The training loss of each step, before its update: the first one is that of the untrained module."""
    trainable: tuple[str, ...] = ()
    """The parameters that require a gradient."""
    frozen: tuple[str, ...] = ()
    alike: bool = False
    """Whether all rows of every weight matrix started alike, all 0 for instance."""
    with_gradient: set[str] = field(default_factory=set)
    """The parameters that a gradient other than 0 reached."""
    changed: set[str] = field(default_factory=set)
    """The parameters that the training changed."""
    reached: bool = False
    seconds: float = 0.0
    error: Exception | None = None
    """What the training raised."""
    returns_loss: bool = True
    timed_out: bool = False

    @property
    def steps(self) -> int:
        """The updates before the last loss was measured."""
        return max(len(self.losses) - 1, 0)

    @property
    def end(self) -> float:
        """The last loss; NaN where there is none."""
        return self.losses[-1] if self.losses else math.nan

    @property
    def still_falls(self) -> bool:
        """Whether the mean of the last tenth of the losses is more than 1% below that of the tenth before."""
        tenth = len(self.losses) // 10
        if tenth < 2 or self.reached or not math.isfinite(self.end):
            return False
        before, last = (sum(values) / tenth for values in (self.losses[-2 * tenth : -tenth], self.losses[-tenth:]))
        return last < before - 0.01 * abs(before)

    @property
    def without_gradient(self) -> list[str]:
        """The parameters that require a gradient and never got one."""
        return [name for name in self.trainable if name not in self.with_gradient]

    @property
    def unchanged(self) -> list[str]:
        """The parameters that got a gradient and never changed."""
        return [name for name in self.trainable if name in self.with_gradient and name not in self.changed]


class _Watch(pl.Callback):
    """Writes down what happens in an attempt, and ends it."""

    def __init__(
        self,
        attempt: Attempt,
        target: Callable[[float], float],
        seconds: float,
        should_end: Callable[[], bool],
        after: Callable[[], None],
    ) -> None:
        self.attempt, self.target, self.seconds = attempt, target, seconds
        self.should_end, self.after = should_end, after
        self.ended = False
        self._lowest, self._lowest_step = math.inf, 0
        self.abandoned = False
        self._before: dict[str, Tensor] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._before = {name: parameter.detach().clone() for name, parameter in pl_module.named_parameters()}
        self._began = time.perf_counter()

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        step = len(self.attempt.losses)
        if step < FIRST_LOOKS or step % LOOK_EVERY == 0:
            for name, parameter in pl_module.named_parameters():
                if name not in self.attempt.with_gradient and parameter.grad is not None and parameter.grad.any():
                    self.attempt.with_gradient.add(name)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        attempt = self.attempt
        loss = loss_in(outputs)
        if loss is None:
            attempt.returns_loss = False
        else:
            attempt.losses.append(loss)
        attempt.seconds = time.perf_counter() - self._began
        self.after()
        self.abandoned = self.should_end()
        attempt.reached = loss is not None and loss <= self.target(attempt.losses[0])
        attempt.timed_out = attempt.seconds > self.seconds
        hopeless = loss is None or not math.isfinite(loss) or self._rests(loss, batch_idx)
        if hopeless or attempt.reached or attempt.timed_out or self.abandoned:
            trainer.should_stop = True
        if trainer.should_stop or batch_idx + 1 == trainer.num_training_batches:
            self.ended = True
            attempt.changed = {
                name
                for name, parameter in pl_module.named_parameters()
                if name in self._before and not torch.equal(parameter, self._before[name])
            }

    def _rests(self, loss: float, step: int) -> bool:
        if loss < self._lowest - 1e-4 * abs(self._lowest) or not math.isfinite(self._lowest):
            self._lowest, self._lowest_step = loss, step
        return step - self._lowest_step >= PATIENCE


def loss_in(outputs: Any) -> float | None:
    """The loss in what a training step returned; None where there is none."""
    loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
    return float(loss) if isinstance(loss, Tensor) and loss.numel() == 1 else None


def without_dropout(module: nn.Module) -> bool:
    """Switch off every dropout layer of a module; whether there was one."""
    switched = False
    for layer in module.modules():
        name = "p" if "Dropout" in type(layer).__name__ else "dropout"  # of nn.LSTM, nn.MultiheadAttention
        if isinstance(rate := getattr(layer, name, None), float | int) and not isinstance(rate, bool) and rate:
            setattr(layer, name, 0.0)
            switched = True
    return switched


def _start_alike(module: nn.Module) -> bool:
    """Whether the rows of every weight matrix are equal, so that equal units would stay equal."""
    matrices = [parameter for parameter in module.parameters() if parameter.ndim > 1 and len(parameter) > 1]
    return bool(matrices) and all(torch.equal(matrix, matrix[:1].expand_as(matrix)) for matrix in matrices)


def _on_cpu(batch: Batch) -> Batch:
    """The batch on the CPU."""
    return Batch(moved(batch.inputs, "cpu"), moved(batch.targets, "cpu"))


def _set_optimizer(module: pl.LightningModule, recipe: Any) -> None:
    module.configure_optimizers = types.MethodType(lambda model: optimizers_of(model, recipe), module)  # type: ignore[method-assign]


def attempt(
    configuration: Mapping[str, Any],
    model: type[pl.LightningModule],
    data: DataModule,
    part: Part,
    device: str,
    *,
    optimizer: str,
    given_optimizer: bool,
    target: Callable[[float], float],
    steps: int,
    seconds: float,
    should_end: Callable[[], bool] = lambda: False,
    progress: Callable[[Attempt], None] = lambda attempt: None,
) -> Attempt:
    """Train a new module on one batch of a part until its loss is at most the target.

    Args:
        configuration: As `sweeps.training.train.train` takes it.
        model: Its class of model.
        data: Its data set.
        part: The examples to learn, on the device.
        device: Where to train.
        optimizer: What the optimizer is called in words.
        given_optimizer: Whether the optimizer of the configuration takes the place of the module's own.
        target: First loss -> the loss at which the examples have been learnt.
        steps: The most updates.
        seconds: The longest time.
        should_end: Asked after every step.
        progress: Called after every step.

    Raises:
        ValueError: The module cannot be built.
        AbandonedError: `should_end` returned True.
    """
    with interruptible(), seeded(device, configuration.get("seeds", {}).get("init", 0)):
        module = module_of(configuration, model, data)
        without_dropout(module)
        record = Attempt(optimizer, module, part.batch(slice(None)))
        parameters = dict(module.named_parameters())
        record.trainable = tuple(name for name, parameter in parameters.items() if parameter.requires_grad)
        record.frozen = tuple(name for name in parameters if name not in record.trainable)
        record.alike = _start_alike(module)
        if given_optimizer and not isinstance(module, Module):
            _set_optimizer(module, recipe_of(configuration))
        watch = _Watch(record, target, seconds, should_end, lambda: progress(record))
        try:
            if record.trainable:
                _fit(configuration, module, part, device, watch, steps + 1)
        except Exception as error:
            if not watch.ended:  # what an epoch's end raises, for want of a metric to watch, does not matter here
                record.error = error
        finally:
            module._trainer = None
            module.cpu()  # where Lightning leaves it after a training
            record.batch = _on_cpu(record.batch)
    if watch.abandoned:
        raise AbandonedError
    return record


def _fit(
    configuration: Mapping[str, Any], module: pl.LightningModule, part: Part, device: str, watch: _Watch, steps: int
) -> None:
    with tempfile.TemporaryDirectory(prefix="sweepboard-") as folder:
        trainer = trainer_of(
            configuration,
            device,
            [watch],
            logger=False if isinstance(module, Module) else MetricLogger(),
            log_every_n_steps=1,
            limit_val_batches=0,
            default_root_dir=folder,
        )
        with exit_as_error():
            trainer.fit(module, loader(part, [slice(None)] * steps))
