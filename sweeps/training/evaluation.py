"""Loss and error of a module over a whole part of the data, and how much of the error comes from noisy targets."""

from __future__ import annotations

import math
from typing import Final

import pytorch_lightning as pl
import torch
from torch import Tensor

from data.base import Part
from lightning_modules import Module
from tracking import schema

EVALUATION_BATCH: Final = 8192


def error_power(module: Module) -> int:
    """The power in which errors are averaged: 2 for a root mean square, 1 for a share of the examples."""
    return 2 if module.task == "regression" else 1


def measure(trainer: pl.Trainer, module: Module, part: Part, split: str) -> dict[str, float]:
    """The loss and the error over a whole part, in evaluation mode, by the names `split/loss`, `split/error`, ...

    Where the targets are noisy, the error against the true ones is measured as well, as `split/clean_error`.
    """
    precision, power = trainer.precision_plugin, error_power(module)
    weighted: list[Tensor] = []
    module.eval()
    with torch.inference_mode(), precision.forward_context():
        for begin in range(0, len(part), EVALUATION_BATCH):
            rows = slice(begin, begin + EVALUATION_BATCH)
            batch, clean = part[rows], None if part.clean is None else part.clean[rows]
            values = module.evaluate(*precision.convert_input((batch, clean)))
            loss, *errors = values.values()
            weighted.append(torch.stack([loss, *(error**power for error in errors)]) * (len(batch[1]) / len(part)))
        loss, *errors = torch.stack(weighted).sum(dim=0).tolist()
    module.train()
    means = [loss, *(error ** (1 / power) for error in errors)]
    return {f"{split}/{name}": mean for name, mean in zip(values, means, strict=True)}


def against_truth(error: float, clean_error: float, part: Part, power: int) -> dict[str, float]:
    """The error against the true targets, and how much of it comes from noisy targets that the network has memorised.

    For a classification: each wrong label that a network gives as its answer raises `clean_error` by one example and
    lowers `error` by one, each right label that it misses raises both. A network that knows the truth has the share of
    wrong labels as its error. So the answers that repeat a wrong label are (clean_error + share - error) / 2 (with more
    than two classes, a third answer to a wrong label counts half). For a regression the same with squares is the
    mean product of the noise and of how far the output is from the truth: the part of the output that follows the
    noise.

    Args:
        error: Against the targets of the part.
        clean_error: Against its true targets.
        part: Training examples with noisy targets.
        power: In which errors are averaged, see `error_power`.

    Returns:
        `clean_error`, and the part of it that is memorised noise: between 0 and the whole of it. For a classification
        it is more than half if and only if `error` is below the share of wrong labels.
    """
    assert part.clean is not None
    noise, size = part.clean - part.targets, len(part)
    if power == 1:  # counted, since 32 bits hold few shares exactly
        missed = round(clean_error * size)
        repeated = (missed + int((noise != 0).sum()) - round(error * size)) / 2
        clean_error, memorised = missed / size, min(max(repeated, 0.0), missed) / size
    else:
        square = clean_error * clean_error  # unlike a power, it may become infinite
        product = (square + float(noise.square().mean()) - error * error) / 2
        memorised = clean_error - math.sqrt(square - min(max(product, 0.0), square))
    return {schema.TRAIN_EVAL_CLEAN_ERROR: clean_error, schema.MEMORISED: memorised}
