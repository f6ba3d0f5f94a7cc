"""The scores of a module over a whole part of the data, and how much of the error comes from noisy targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.plugins.precision import Precision
from torch import Tensor

from data.parts import Part, slices
from learning_tasks import Batch, Task
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
    module.eval()
    scores = scores_of(module, module.task, trainer.precision_plugin, part, split)
    module.train()
    return scores


def scores_of(
    answer: Callable[[Any], Any], task: Task, precision: Precision, part: Part, split: str
) -> dict[str, float]:
    """The same scores of anything that answers.

    Args:
        answer: The outputs from the inputs of a batch.
        task: What the outputs mean.
        precision: The numbers to compute with.
        part: The examples.
        split: How the names of the scores begin.
    """
    sums: dict[str, NDArray[np.float64]] = {}
    clean_sums: dict[str, NDArray[np.float64]] = {}
    with torch.inference_mode(), precision.forward_context():
        for batch, clean in _batches(part):
            inputs, targets, clean = precision.convert_input((*batch, clean))
            outputs = answer(inputs)
            _add(sums, task.sums(outputs, targets))
            if clean is not None:
                _add(clean_sums, task.sums(outputs, clean))
    scores = task.scores(sums)
    if clean_sums:
        scores["clean_error"] = task.scores(clean_sums)["error"]
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
