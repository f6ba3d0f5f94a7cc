"""Recorders of what a built-in model predicts: probabilities of classes, outputs of a regression."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from data import DataModule
from data.noisy_curve import NoisyCurve
from data.parts import Part, slices
from data.tabular import Classification, Tabular
from lightning_modules import Module
from sweeps.training.recorder import Recorder, RunView
from tracking import schema

BATCH: Final = 4096
PREDICTIONS_LIMIT: Final = 4000
"""Examples of a part whose predictions are kept: the first ones."""
REPLICATE_LIMIT: Final = 1000
"""Examples of the test part whose predictions are compared between replicates: the first ones."""
REPLICATE_EPOCHS: Final = 5
"""Epochs whose predictions are kept for that comparison."""
CLASSES: Final = ("binary", "multiclass")
"""The tasks that give each example one class."""
GRID: Final = 100
"""Points of the decision regions along an axis."""
MARGIN: Final = 0.1
"""By how much the grid goes beyond the examples of the test part on each side, as a share of their range."""
POINTS_LIMIT: Final = 500
"""Training examples that are drawn on the decision regions: the first ones."""


def _outputs(run: RunView, inputs: Iterable[Any]) -> NDArray[np.float32]:
    """The probability of each class (n, classes), or the output (n, 1) of a regression; in evaluation mode."""
    module, precision = run.module, run.trainer.precision_plugin
    assert isinstance(module, Module)
    answer = module if module.task.name == "regression" else module.probabilities
    module.eval()
    with torch.inference_mode(), precision.forward_context():
        batches = [answer(precision.convert_input(batch)).float().cpu() for batch in inputs]
    module.train()
    outputs: NDArray[np.float32] = torch.cat(batches).numpy()
    return outputs


def predict(run: RunView, part: Part, limit: int) -> NDArray[np.float32]:
    """What the model answers to the first examples of a part, at most so many: see `_outputs`."""
    first = part.first(limit)
    return _outputs(run, (first.batch(rows).inputs for rows in slices(first, min(BATCH, first.at_once))))


def _targets(part: Part, limit: int) -> NDArray[Any]:
    targets: NDArray[Any] = part.first(limit).batch(slice(None)).targets.cpu().numpy()
    return targets


class PredictionRecorder(Recorder):
    """Keeps what a classification predicts for the validation and the test part, at the weights of the best epoch."""

    artifact = schema.PREDICTIONS_FILE
    words = "predictions"

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}

    def fits(self, module: pl.LightningModule, data: DataModule) -> bool:
        """Whether a built-in model tells classes of examples apart."""
        return isinstance(module, Module) and data.task in CLASSES

    def finish(self, run: RunView) -> dict[str, float]:
        """Predict both parts."""
        parts = run.data.parts
        for split, part in zip(schema.PREDICTED, (parts.validation, parts.test), strict=True):
            self._arrays[f"{split}_probabilities"] = predict(run, part, PREDICTIONS_LIMIT)
            self._arrays[f"{split}_targets"] = _targets(part, PREDICTIONS_LIMIT).astype(np.int32)
            self._arrays[f"{split}_size"] = np.array(len(part), dtype=np.int32)
        self._arrays["classes"] = np.array(run.data.class_names)
        self._arrays["epoch"] = np.array(run.best_epoch, dtype=np.int32)
        return {}

    def arrays(self, run: RunView) -> dict[str, NDArray[Any]]:
        """The arrays of PREDICTIONS_FILE."""
        return self._arrays


class ReplicateRecorder(Recorder):
    """Gathers the arrays of REPLICATE_FILE; what it holds of the epochs so far survives a kill.

    Kept are the predictions after epochs 1, 2, 4, 8, ..., of which the latest few, and those after the last epoch: so
    all runs of a trial have the same epochs, though none knows at first when early stopping will end it.
    """

    artifact = schema.REPLICATE_FILE
    words = "answers to the test part"

    def __init__(self) -> None:
        self._outputs: dict[int, Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        return {"outputs": self._outputs}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._outputs = state["outputs"]

    def fits(self, module: pl.LightningModule, data: DataModule) -> bool:
        """Whether a built-in model gives one answer for each example; sweeps with `replicate` alone turn it on."""
        return isinstance(module, Module) and data.task in (*CLASSES, "regression")

    def epoch(self, run: RunView, last: bool) -> None:
        """Take what the module predicts after some of the epochs."""
        if not last and run.epoch & (run.epoch - 1):  # no power of 2
            return
        self._outputs[run.epoch] = torch.from_numpy(predict(run, run.data.parts.test, REPLICATE_LIMIT))
        self._outputs = dict(list(self._outputs.items())[-REPLICATE_EPOCHS:])

    def arrays(self, run: RunView) -> dict[str, NDArray[Any]]:
        """The arrays of REPLICATE_FILE."""
        data = run.data
        inputs, targets = data.parts.test.batch(slice(REPLICATE_LIMIT))
        regression = data.task == "regression"
        arrays = {
            "epochs": np.array(list(self._outputs), dtype=np.int32),
            "outputs": torch.stack(list(self._outputs.values())).numpy(),
            "targets": targets.cpu().numpy().astype(np.float32 if regression else np.int32),
        }
        if isinstance(data, Tabular) and regression and math.prod(inputs.shape[1:]) == 1:
            arrays["inputs"] = data.scaled.scaling.restored(inputs).flatten().cpu().numpy()
        if isinstance(data, NoisyCurve):
            arrays["truth"] = data.truth[:REPLICATE_LIMIT].astype(np.float32)
            arrays["noise"] = np.array(data.target_variance)
        return arrays


class RegionRecorder(Recorder):
    """Keeps what a classification in two dimensions predicts on a grid, at the weights of the last epoch."""

    artifact = schema.REGIONS_FILE
    words = "decision regions"

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}

    def fits(self, module: pl.LightningModule, data: DataModule) -> bool:
        """Whether a built-in model is trained on a classification of points in the plane."""
        plane = isinstance(data, Classification) and data.dims["input_shape"] == (2,)
        return plane and isinstance(module, Module)

    def epoch(self, run: RunView, last: bool) -> None:
        """Predict the grid after the last epoch."""
        if not last:
            return
        data = run.data
        assert isinstance(data, Classification)
        parts = data.scaled
        x, y = data.axes(GRID, MARGIN)
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)  # row by row, along x first
        inputs = parts.scaling.standardised(torch.tensor(grid, dtype=torch.float32, device=parts.test.inputs.device))
        points, labels = parts.train.batch(slice(POINTS_LIMIT))
        self._arrays = {
            "x": x,
            "y": y,
            "probabilities": _outputs(run, torch.split(inputs, BATCH)).reshape(GRID, GRID, -1).astype(np.float16),
            "points": parts.scaling.restored(points).cpu().numpy(),
            "labels": labels.cpu().numpy().astype(np.int32),
            "classes": np.array(data.class_names),
        }

    def arrays(self, run: RunView) -> dict[str, NDArray[Any]]:
        """The arrays of REGIONS_FILE."""
        return self._arrays
