"""The scores of a module over a whole part of the data, and how much of the error comes from noisy targets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from data.parts import Part, slices
from learning_tasks import Batch
from learning_tasks.base import numbers
from learning_tasks.classification import Classification
from learning_tasks.regression import Regression
from lightning_modules import Module
from tracking import schema


def _batches(part: Part) -> Iterator[tuple[Batch, Tensor | None]]:
    """The batches of a part in its own order, each with its true targets where the data set added noise to them."""
    for rows in slices(part, part.at_once):
        yield part.batch(rows), None if part.clean is None else part.clean[rows]


def measure(trainer: pl.Trainer, module: Module, part: Part, split: str) -> dict[str, float]:
    """Every score of a module's task over a whole part, in evaluation mode, by the names `split/loss`, `split/error`...

    Where the targets are noisy, the error against the true ones is measured as well, as `split/clean_error`.
    """
    precision = trainer.precision_plugin
    sums: dict[str, NDArray[np.float64]] = {}
    clean_sums: dict[str, NDArray[np.float64]] = {}
    module.eval()
    with torch.inference_mode(), precision.forward_context():
        for batch, clean in _batches(part):
            inputs, targets, clean = precision.convert_input((*batch, clean))
            outputs = module(inputs)
            _add(sums, module.task.sums(outputs, targets))
            if clean is not None:
                _add(clean_sums, module.task.sums(outputs, clean))
    module.train()
    scores = module.task.scores(sums)
    if clean_sums:
        scores["clean_error"] = module.task.scores(clean_sums)["error"]
    return {f"{split}/{name}": value for name, value in scores.items()}


def _add(sums: dict[str, NDArray[np.float64]], batch_sums: dict[str, Tensor]) -> None:
    for name, value in numbers(batch_sums).items():
        sums[name] = sums[name] + value if name in sums else value


def memorised(module: Module, part: Part, measured: dict[str, float]) -> dict[str, float]:
    """How much of the error against the true targets comes from noisy ones that were memorised, by its metric's name.

    Args:
        module: The model, whose task says how it is found.
        part: Training examples.
        measured: What was measured of them; nothing comes of it if their targets are the true ones.
    """
    task = module.task
    if part.clean is None or not isinstance(task, Classification | Regression):
        return {}
    errors = measured[schema.TRAIN_EVAL_ERROR], measured[schema.TRAIN_EVAL_CLEAN_ERROR]
    targets = part.batch(slice(None)).targets
    return {schema.MEMORISED: task.memorised(*errors, targets, part.clean)}
