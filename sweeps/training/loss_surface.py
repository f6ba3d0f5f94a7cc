"""The loss of a module as a function of its weights: at a point, and on a plane spanned by two directions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from data.parts import Part, slices
from learning_tasks import Batch
from lightning_modules import Module

State = dict[str, Tensor]
"""Parameters and buffers by name."""


def state_of(module: nn.Module) -> State:
    """The parameters and buffers of a module by name, each once."""
    return {name: tensor.detach() for name, tensor in [*module.named_parameters(), *module.named_buffers()]}


def weight_names(module: nn.Module) -> list[str]:
    """The names of the parameters that move: those that are trained and have more than one axis."""
    return [name for name, parameter in module.named_parameters() if parameter.requires_grad and parameter.ndim > 1]


def flat_weights(state: State, names: Sequence[str]) -> Tensor:
    """The weights of these names as one vector (D,)."""
    return torch.cat([state[name].reshape(-1) for name in names])


def filter_normalised(state: State, names: Sequence[str], seed: int) -> Tensor:
    """Two random directions (2, D) in which each row of each weight has the length of that row of the weights.

    Args:
        state: The weights.
        names: Of those that the directions move, in their order.
        seed: Decides the directions.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = []
    for _ in range(2):
        parts = []
        for name in names:
            rows = state[name].flatten(1)  # (outputs, the rest)
            part = torch.randn(rows.shape, generator=generator, dtype=rows.dtype)
            part *= rows.norm(dim=1, keepdim=True) / part.norm(dim=1, keepdim=True).clamp(min=1e-30)
            parts.append(part.reshape(-1))
        directions.append(torch.cat(parts))
    return torch.stack(directions)


def grid_axes(path: NDArray[Any], points: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The axes x and y of a square grid around a path in the plane, of equal steps, both with a point at exactly 0.

    Args:
        path: (T, 2), its end at 0.
        points: The number of points on each axis.
    """
    low, high = path.min(axis=0), path.max(axis=0)
    side = 1.3 * float((high - low).max())
    step = side / (points - 1)
    first = np.round((low + high - side) / (2 * step))
    x, y = ((first[axis] + np.arange(points)) * step for axis in range(2))
    return x, y


class _LossModule(nn.Module):
    """A module whose forward is the loss of another one, so that `functional_call` can replace the other's weights."""

    def __init__(self, module: pl.LightningModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, batch: Batch) -> Tensor:
        if isinstance(self.module, Module):
            return self.module.loss(batch)
        output = self.module.training_step(batch, 0)
        loss = output.get("loss") if isinstance(output, Mapping) else output
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            raise ValueError("its training_step returns no loss, so that there is nothing to be drawn")
        return loss


def _ignore(*arguments: Any, **options: Any) -> None:
    """Take the place of `log` in a user module that is only asked for its loss."""


class _Loss:
    """The mean loss over a part of the data, in evaluation mode, as a function of the state of a module."""

    def __init__(self, module: pl.LightningModule, precision: Any, part: Part) -> None:
        if not module.automatic_optimization:
            raise ValueError("it steps its optimizers itself, so that its training_step is no loss that can be drawn")
        module.eval()
        module.log = module.log_dict = _ignore  # type: ignore[method-assign]  # it is called outside of any training
        self._module = _LossModule(module)
        self._context: Callable[[], AbstractContextManager[Any]] = precision.forward_context
        batches = [part.batch(rows) for rows in slices(part, part.at_once)]
        count = module.task.count if isinstance(module, Module) else len
        counts = [float(count(batch.targets)) for batch in batches]
        self._batches = [precision.convert_input(batch) for batch in batches]
        self._shares = [count / sum(counts) for count in counts]

    def __call__(self, state: State) -> float:
        prefixed = {f"module.{name}": tensor for name, tensor in state.items()}
        torch.manual_seed(0)  # a loss that draws random numbers draws the same ones at every point
        with torch.inference_mode(), self._context():
            losses = [functional_call(self._module, prefixed, (batch,)) for batch in self._batches]
        return sum(float(loss) * share for loss, share in zip(losses, self._shares, strict=True))


class Surface:
    """The loss of a module on planes through a point in the space of its weights.

    Args:
        module: On the device to compute on.
        precision: The precision plugin of the trainer that trained it.
        part: The examples.
        state: Parameters and buffers at the point.
        names: The weights that move, in the order of the directions.
        check: Called before each loss on a plane; what it raises ends the computation.
    """

    def __init__(
        self,
        module: pl.LightningModule,
        precision: Any,
        part: Part,
        state: State,
        names: Sequence[str],
        check: Callable[[], None],
    ) -> None:
        self._device = module.device
        self._loss = _Loss(module, precision, part)
        self._fixed = {name: tensor.to(self._device) for name, tensor in state.items() if name not in names}
        self._shapes = {name: state[name].shape for name in names}
        self._point = flat_weights(state, names).to(self._device)
        self._check = check

    def at(self, state: State) -> float:
        """The loss of the module with all of this state."""
        return self._loss({name: tensor.to(self._device) for name, tensor in state.items()})

    def seconds_per_point(self) -> float:
        """The time that the loss at one point of a plane takes."""
        self._at_weights(self._point)
        began = time.perf_counter()
        for _ in range(2):
            self._at_weights(self._point)
        return (time.perf_counter() - began) / 2

    def _at_weights(self, weights: Tensor) -> float:
        """The loss with these weights (D,) and all else as at the point."""
        self._check()
        parts = torch.split(weights, [math.prod(shape) for shape in self._shapes.values()])
        moved = {name: part.view(shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)}
        return self._loss({**self._fixed, **moved})

    def on(self, plane: Tensor, x: NDArray[Any], y: NDArray[Any], progress: Callable[[float], None]) -> NDArray[Any]:
        """The loss (len(y), len(x)) on a plane (2, D).

        Point by point: `vmap` over many points was tried and is no faster except for the smallest networks, whose grids
        take a second, and several times slower for wide ones and convolutions.
        """
        across, up = plane.to(self._device)
        losses = np.empty((len(y), len(x)))
        for row, b in enumerate(y):
            base = self._point + float(b) * up
            losses[row] = [self._at_weights(torch.add(base, across, alpha=float(a))) for a in x]
            progress((row + 1) / len(y))
        return losses
