"""Regression: the outputs (B, 1) are the target.

The loss is the mean squared error without a half, or the mean absolute error; the error is always the root of the mean
squared error.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from learning_tasks.base import Metric, Sums, Task, numbers, ratio, total


class Regression(Task):
    """One number: outputs (B, 1), targets (B,)."""

    name: ClassVar[str] = "regression"
    metrics = (
        Metric("loss", "lower", "The mean squared error without a half, unless the absolute error is set."),
        Metric("error", "lower", "The root mean squared error."),
    )
    losses = ("squared", "absolute")

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        of = F.mse_loss if self.loss_name == "squared" else F.l1_loss
        return of(outputs.squeeze(1), targets)

    def sums(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        differences = outputs.squeeze(1) - targets
        return {
            "squared": total(differences.square()),
            "absolute": total(differences.abs()),
            "n": total(torch.ones_like(targets)),
        }

    def scores(self, sums: Sums) -> dict[str, float]:
        return {"loss": ratio(sums, self.loss_name), "error": math.sqrt(ratio(sums, "squared"))}

    def constant(self, targets: Tensor) -> dict[str, float]:
        exact = targets.cpu().double()
        best = exact.mean() if self.loss_name == "squared" else exact.median()
        return self.scores(numbers(self.sums(best.expand(len(exact), 1), exact)))

    def memorised(self, error: float, clean_error: float, targets: Tensor, clean: Tensor) -> float:
        """How much of the error against the true targets comes from noise that the network has memorised.

        With squares, what `Classification.memorised` counts is the mean product of the noise and of how far the output
        is from the truth: the part of the output that follows the noise.

        Args:
            error: Against the targets.
            clean_error: Against the true targets.
            targets: (n,), with noise.
            clean: The true targets (n,).
        """
        square = clean_error * clean_error  # unlike a power, it may become infinite
        noise = float((clean - targets).square().mean())
        product = (square + noise - error * error) / 2
        return clean_error - math.sqrt(square - min(max(product, 0.0), square))
