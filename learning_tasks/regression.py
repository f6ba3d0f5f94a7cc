"""Regression: the outputs (B, 1) are the target; mean squared error without a half, and its root as the error."""

from torch import Tensor
from torch.nn import functional as F

from learning_tasks.base import Task


def _squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.mse_loss(outputs.squeeze(1), targets)


def _root_mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    return _squared_error(outputs, targets).sqrt()


def _variance(targets: Tensor) -> Tensor:
    """The mean squared error of an answer that is always the mean."""
    return targets.var(correction=0)


REGRESSION = Task(loss=_squared_error, error=_root_mean_squared_error, constant=_variance)
