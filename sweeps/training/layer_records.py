"""What the layers of a run did: the arrays of LAYERS_FILE, gathered while it trains.

A layer is a weight, a parameter of more than one axis; its biases and norms belong to no layer. Of each there are the
norms of its gradient and of itself by epoch, what became of it at the end, and what it did before training: how much
comes out of it (vanishing or exploding from the start: Glorot and Bengio 2010), and how well what comes into it is
conditioned. By one unit's weights and bias, the Hessian of a linear layer's squared error is twice the second-moment
matrix of its inputs with a constant 1 appended; its condition number says how much slower gradient descent is along the
flattest direction than along the steepest (LeCun, Bottou, Orr and Müller 1998).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from data import DataModule
from lightning_modules import Module
from tracking import schema

MOST_EPOCHS: Final = 100
FIRST_EXAMPLES: Final = 256
FIRST_VALUES: Final = 2**20
"""Of the inputs that are looked at before training: larger examples are fewer."""
MOST_RANKED: Final = 512
"""The smaller side of a weight whose effective rank is told: its singular values take some hundredths of a second."""
EDGES: Final = np.linspace(-2.005, 2.005, 402)
"""Of the histograms: bins of 0.01, one of them about 0."""


def layers(module: nn.Module) -> dict[str, nn.Parameter]:
    """The weights of a module that are trained, by the names of their layers, from input to output.

    A layer is called as the module that owns the weight. Where that has a number only, such as `layers.3`, it is
    counted anew, so that norms and activations between layers do not change their names: `layers 2`.
    """
    named = [(name, own) for name, own in module.named_parameters() if own.ndim > 1 and own.requires_grad]
    owners = [name.removesuffix(".weight") for name, _ in named]
    counted: Counter[str] = Counter()
    names = []
    for owner in owners:
        if place := re.fullmatch(r"(?:(.+)\.)?\d+", owner):
            within = place[1] or "layer"
            counted[within] += 1
            owner = f"{within} {counted[within]}"
        names.append(owner)
    return dict(zip(names, (own for _, own in named), strict=True))


class Layers:
    """Gathers the arrays of LAYERS_FILE; what it holds of the epochs so far survives a kill."""

    def __init__(self) -> None:
        self._weights: dict[str, nn.Parameter] = {}
        self._rows: dict[int, tuple[list[float], list[float]]] = {}
        self._stride = 1
        self._start: tuple[list[float], list[float]] | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self._rows, "stride": self._stride, "start": self._start}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._rows, self._stride, self._start = state["rows"], state["stride"], state["start"]

    def begin(self, trainer: pl.Trainer, module: pl.LightningModule, data: DataModule) -> None:
        """Before the first step: what each layer of a model of ours does with the first training examples.

        Of another module nothing is known but its weights, and its code is not called behind its back.
        """
        self._weights = layers(module)
        if self._start is None and isinstance(module, Module):
            self._start = _at_start(trainer, module, list(self._weights.values()), data)

    def add(self, epoch: int, gradients: Mapping[nn.Parameter, float], norms: Mapping[nn.Parameter, float]) -> None:
        """After an epoch, counted from 1: norms of the parameters and of their gradients.

        Of more than MOST_EPOCHS epochs every second is kept, then every fourth, and so on, and always the last.
        """
        last = max(self._rows, default=1)
        if (last - 1) % self._stride:
            del self._rows[last]
        own = self._weights.values()
        self._rows[epoch] = [gradients[weight] for weight in own], [norms[weight] for weight in own]
        while len(self._rows) > MOST_EPOCHS:
            self._stride *= 2
            self._rows = {at: row for at, row in self._rows.items() if (at - 1) % self._stride == 0 or at == epoch}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Those of LAYERS_FILE, at the end of the last epoch; none of a module without layers."""
        if not self._weights or not self._rows:
            return {}
        weights = [weight.detach().cpu().float().flatten(1).numpy() for weight in self._weights.values()]
        unknown = [math.nan] * len(weights)
        deviations, conditions = self._start or (unknown, unknown)
        gradients, norms = zip(*self._rows.values(), strict=True)
        return {
            "names": np.array(list(self._weights)),
            "epochs": np.array(list(self._rows), dtype=np.int32),
            "grad_norm": np.array(gradients, dtype=np.float32),
            "weight_norm": np.array(norms, dtype=np.float32),
            "near_zero": np.array([(np.abs(weight) < schema.NEAR_ZERO).mean() for weight in weights]),
            "effective_rank": np.array([effective_rank(weight) for weight in weights]),
            "histogram": np.stack([_histogram(weight) for weight in weights]),
            "edges": EDGES,
            "activation_std": np.array(deviations, dtype=np.float32),
            "condition": np.array(conditions, dtype=np.float64),
        }


def _histogram(weight: NDArray[Any]) -> NDArray[np.int64]:
    low, high = EDGES[0], EDGES[-1]
    counts, _ = np.histogram(weight.clip(low, high), bins=len(EDGES) - 1, range=(low, high))
    return counts.astype(np.int64)


def effective_rank(matrix: NDArray[Any]) -> float:
    """exp of the entropy of a matrix's singular values, divided by their sum (Roy and Vetterli 2007).

    0 of a matrix of zeros; NaN of one that is not finite, or too large for its singular values to be found in no time.
    """
    if min(matrix.shape) > MOST_RANKED or not np.isfinite(matrix).all():
        return math.nan
    values = np.linalg.svd(matrix.astype(np.float64), compute_uv=False)
    if not values.sum():
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def condition(rows: NDArray[np.float64]) -> float:
    """The condition number of the second-moment matrix of rows (n, d) with a constant 1 appended.

    inf where the matrix is singular, which it is with fewer rows than d + 1.
    """
    size, width = len(rows), rows.shape[1] + 1
    if size < width or not np.isfinite(rows).all():
        return math.inf
    rows = np.hstack([rows, np.ones((size, 1))])
    values = np.linalg.eigvalsh(rows.T @ rows / size)
    singular = values[0] <= values[-1] * width * np.finfo(np.float64).eps
    return math.inf if singular else float(values[-1] / values[0])


def _at_start(
    trainer: pl.Trainer, module: Module, weights: list[nn.Parameter], data: DataModule
) -> tuple[list[float], list[float]]:
    """The deviation of what each layer gives to the next one, or as output, and the condition of what it gets.

    In evaluation mode, but for batch norm, which normalises by these examples: its running means know nothing yet.
    """
    size = min(FIRST_EXAMPLES, max(FIRST_VALUES // math.prod(data.dims["input_shape"]), 2))
    inputs, _ = data.parts.train[slice(size)]
    owners = [next(own for own in module.modules() if _owns(own, weight)) for weight in weights]
    given: dict[nn.Module, Tensor] = {}

    def note(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        given.setdefault(layer, inputs[0])

    precision = trainer.precision_plugin
    module.eval()
    with torch.no_grad(), precision.forward_context(), ExitStack() as hooks:
        for own in module.modules():
            if isinstance(own, nn.Linear | nn.Conv2d):
                hooks.enter_context(own.register_forward_pre_hook(note))
            elif isinstance(own, nn.modules.batchnorm._BatchNorm):
                own.train()
        copies = {name: buffer.clone() for name, buffer in module.named_buffers()}  # batch norm notes what it sees
        outputs = torch.func.functional_call(module, copies, (precision.convert_input(inputs),))
    module.train()
    passed = [*(given.get(owner) for owner in owners[1:]), outputs]
    deviations = [math.nan if values is None else float(values.cpu().double().std(correction=0)) for values in passed]
    return deviations, [condition(input_rows(owner, given[owner])) if owner in given else math.nan for owner in owners]


def _owns(module: nn.Module, weight: nn.Parameter) -> bool:
    return any(own is weight for own in module.parameters(recurse=False))


def input_rows(layer: nn.Module, inputs: Tensor) -> NDArray[np.float64]:
    """What one unit of a layer sees (n, d): an example, or each patch of it for a convolution."""
    if isinstance(layer, nn.Conv2d):
        where = {name: getattr(layer, name) for name in ("kernel_size", "dilation", "padding", "stride")}
        inputs = F.unfold(inputs, **where).transpose(1, 2)  # (B, positions, d)
    return inputs.cpu().double().flatten(0, -2).numpy()
