"""What a batch is, and what a task is: the meaning of a model's outputs."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Batch = tuple[Tensor, Tensor]
"""Inputs (B, *input_shape) and targets (B,)."""


@dataclass(frozen=True)
class Task:
    """What the outputs (B, num_outputs) of a model mean."""

    loss: Callable[[Tensor, Tensor], Tensor]
    """(outputs, targets) -> the mean loss over the batch."""
    error: Callable[[Tensor, Tensor], Tensor]
    """(outputs, targets) -> the error over the batch."""
    constant: Callable[[Tensor], Tensor]
    """targets -> the mean loss of the best answer that is the same for every example."""
    probabilities: Callable[[Tensor], Tensor] | None = None
    """outputs -> the probability of each class (B, classes); None for a regression."""
    smoothed: Callable[[Tensor, Tensor, float], Tensor] | None = None
    """(outputs, targets, label smoothing) -> the mean loss over the batch; None where the loss knows no smoothing."""
