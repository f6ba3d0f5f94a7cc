"""What the layers of a run did: the arrays of LAYERS_FILE, gathered while it trains.

A layer is a weight, a parameter of more than one axis; biases and the parameters of norms belong to no layer. For each
layer there are the norms of its gradient and of itself by epoch, what became of it at the end, and what it did before
training: how large its outputs are (vanishing or exploding from the start: Glorot and Bengio 2010), and how well its
inputs are conditioned. With respect to one unit's weights and bias, the Hessian of a linear layer's squared error is
twice the second-moment matrix of its inputs with a constant 1 appended; its condition number says how much slower
gradient descent is along the flattest direction than along the steepest (LeCun, Bottou, Orr and Müller 1998).
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
from learning_tasks.base import leaves
from lightning_modules import Module
from sweeps.training.recorder import Recorder, RunView
from tracking import schema

MOST_EPOCHS: Final = 100
"""Epochs that are kept at most."""
FIRST_EXAMPLES: Final = 256
"""Training examples that the layers are shown before training."""
FIRST_VALUES: Final = 2**20
"""Numbers in these examples at most: of larger examples there are fewer."""
MOST_RANKED: Final = 512
"""The smaller side of a weight whose effective rank is computed, at most: that takes some hundredths of a second."""
EDGES: Final = np.linspace(-2.005, 2.005, 402)
"""The edges of the histograms' bins, each 0.01 wide, one of them about 0."""


def layers(module: nn.Module) -> dict[str, nn.Parameter]:
    """The weights of a module that are trained, by the names of their layers, from input to output.

    A layer has the name of the module that owns the weight. Where that is only a number, such as `layers.3`, layers
    are counted anew, so that norms and activations between them do not change their names: `layers 2`.
    """
    weights: dict[str, nn.Parameter] = {}
    numbers: Counter[str] = Counter()
    for parameter_name, parameter in module.named_parameters():
        if parameter.ndim > 1 and parameter.requires_grad:
            name = parameter_name.removesuffix(".weight")
            if numbered := re.fullmatch(r"(?:(.+)\.)?\d+", name):
                container = numbered[1] or "layer"
                numbers[container] += 1
                name = f"{container} {numbers[container]}"
            weights[name] = parameter
    return weights


class LayerRecorder(Recorder):
    """Gathers the arrays of LAYERS_FILE; what it holds of the epochs so far survives a kill."""

    artifact = schema.LAYERS_FILE
    words = "norms of the layers"

    def __init__(self) -> None:
        self._weights: dict[str, nn.Parameter] = {}
        self._rows: dict[int, tuple[list[float], list[float]]] = {}
        self._stride = 1
        self._start: tuple[list[float], list[float]] | None = None
        self._end: dict[str, NDArray[Any]] = {}

    def fits(self, module: pl.LightningModule, data: DataModule) -> bool:
        """Whether Lightning steps the optimizers, so that gradients are seen, and something is trained."""
        trained = any(parameter.requires_grad for parameter in module.parameters())
        return module.automatic_optimization and trained

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self._rows, "stride": self._stride, "start": self._start}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._rows, self._stride, self._start = state["rows"], state["stride"], state["start"]

    def begin(self, run: RunView) -> None:
        """Take what each layer of a built-in model does with the first training examples, before the first step.

        Of a user module nothing is known but its weights, and its code is not called behind its back.
        """
        self._weights = layers(run.module)
        if self._start is None and isinstance(run.module, Module):
            self._start = _at_start(run.trainer, run.module, list(self._weights.values()), run.data)

    def epoch(self, run: RunView, last: bool) -> None:
        """Take the norms of the weights and of their gradients after an epoch, and the last weights themselves.

        Of more than MOST_EPOCHS epochs every second is kept, then every fourth, and so on, and always the last.
        """
        assert run.norms is not None
        before = max(self._rows, default=1)
        if (before - 1) % self._stride:
            del self._rows[before]
        weights = self._weights.values()
        gradients, norms = run.norms
        self._rows[run.epoch] = [gradients[weight] for weight in weights], [norms[weight] for weight in weights]
        while len(self._rows) > MOST_EPOCHS:
            self._stride *= 2
            self._rows = {at: row for at, row in self._rows.items() if (at - 1) % self._stride == 0 or at == run.epoch}
        if last and self._weights:
            self._end = _at_end([weight.detach().cpu().float().flatten(1).numpy() for weight in weights])

    def arrays(self, run: RunView) -> dict[str, NDArray[Any]]:
        """The arrays of LAYERS_FILE at the end of the last epoch; none for a module without layers."""
        if not self._end:
            return {}
        unknown = [math.nan] * len(self._weights)
        deviations, conditions = self._start or (unknown, unknown)
        gradients, norms = zip(*self._rows.values(), strict=True)
        return {
            "names": np.array(list(self._weights)),
            "epochs": np.array(list(self._rows), dtype=np.int32),
            "grad_norm": np.array(gradients, dtype=np.float32),
            "weight_norm": np.array(norms, dtype=np.float32),
            **self._end,
            "activation_std": np.array(deviations, dtype=np.float32),
            "condition": np.array(conditions, dtype=np.float64),
        }


def _at_end(weights: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays about the weights of the last epoch, each a matrix (outputs, inputs)."""
    return {
        "near_zero": np.array([(np.abs(weight) < schema.NEAR_ZERO).mean() for weight in weights]),
        "effective_rank": np.array([effective_rank(weight) for weight in weights]),
        "histogram": np.stack([_histogram(weight) for weight in weights]),
        "edges": EDGES,
    }


def _histogram(weight: NDArray[Any]) -> NDArray[np.int64]:
    low, high = EDGES[0], EDGES[-1]
    counts, _ = np.histogram(weight.clip(low, high), bins=len(EDGES) - 1, range=(low, high))
    return counts.astype(np.int64)


def effective_rank(matrix: NDArray[Any]) -> float:
    """exp of the entropy of a matrix's singular values, each divided by their sum (Roy and Vetterli 2007).

    0 for a matrix of zeros; NaN for one that is not finite, or too large to find its singular values quickly.
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
    """The standard deviation of what each layer passes on (the last one: the outputs), and the condition of its inputs.

    In evaluation mode, but for batch norm, which normalises by these examples: its running means know nothing yet.
    """
    values = sum(leaf[0].numel() for leaf in leaves(data.parts.train.batch(slice(1)).inputs) if len(leaf))
    size = min(FIRST_EXAMPLES, max(FIRST_VALUES // max(values, 1), 2))
    inputs, _ = data.parts.train.batch(slice(size))
    owners = [next(layer for layer in module.modules() if _owns(layer, weight)) for weight in weights]
    inputs_of: dict[nn.Module, Tensor] = {}

    def note(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        inputs_of.setdefault(layer, inputs[0])

    precision = trainer.precision_plugin
    module.eval()
    with torch.no_grad(), precision.forward_context(), ExitStack() as hooks:
        for layer in module.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                hooks.enter_context(layer.register_forward_pre_hook(note))
            elif isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.train()
        copies = {name: buffer.clone() for name, buffer in module.named_buffers()}  # batch norm notes what it sees
        outputs = torch.func.functional_call(module, copies, (precision.convert_input(inputs),))
    module.train()
    passed_on = [*(inputs_of.get(owner) for owner in owners[1:]), outputs]
    deviations = [
        math.nan if values is None else float(values.cpu().double().std(correction=0)) for values in passed_on
    ]
    conditions = [
        condition(input_rows(owner, inputs_of[owner])) if owner in inputs_of else math.nan for owner in owners
    ]
    return deviations, conditions


def _owns(module: nn.Module, weight: nn.Parameter) -> bool:
    return any(parameter is weight for parameter in module.parameters(recurse=False))


def input_rows(layer: nn.Module, inputs: Tensor) -> NDArray[np.float64]:
    """The inputs of one unit of a layer, as rows (n, d): an example, or each patch of it for a convolution."""
    if isinstance(layer, nn.Conv2d):
        window = {name: getattr(layer, name) for name in ("kernel_size", "dilation", "padding", "stride")}
        inputs = F.unfold(inputs, **window).transpose(1, 2)  # (B, positions, d)
    return inputs.cpu().double().flatten(0, -2).numpy()
