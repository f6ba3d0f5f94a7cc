"""Classification of two classes by one logit, and of many by one logit per class.

The loss is the mean cross-entropy in nats, the error the share of examples that are misclassified. With label smoothing
s (Szegedy et al. 2016) the targets become (1 - s)·y + s/K for K classes.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from learning_tasks.base import Task


def _entropy(targets: Tensor) -> Tensor:
    """The entropy in nats of the shares of the classes: the cross-entropy of an answer that is those shares."""
    shares = targets.long().bincount() / len(targets)
    entropy: Tensor = torch.special.entr(shares).sum()
    return entropy


def _binary_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    logits = outputs.squeeze(1)
    return F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))


def _smoothed_binary_cross_entropy(outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    return _binary_cross_entropy(outputs, targets.to(outputs.dtype) * (1 - smoothing) + smoothing / 2)


def share_on_the_wrong_side(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of a batch whose output (B, 1) is above 0 where the target is class 0, or not above it where it is 1."""
    return ((outputs.squeeze(1) > 0) != (targets > 0)).float().mean()


def _sigmoid(outputs: Tensor) -> Tensor:
    """The probabilities (B, 2) of both classes from the logit (B, 1) of class 1."""
    both = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
    return both.softmax(dim=1)  # of (0, z) it is (1 - sigmoid(z), sigmoid(z))


def _misclassified(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs.argmax(dim=1) != targets).float().mean()


def _smoothed_cross_entropy(outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    return F.cross_entropy(outputs, targets, label_smoothing=smoothing)


def _softmax(outputs: Tensor) -> Tensor:
    return outputs.softmax(dim=1)


BINARY = Task(
    loss=_binary_cross_entropy,
    error=share_on_the_wrong_side,
    constant=_entropy,
    probabilities=_sigmoid,
    smoothed=_smoothed_binary_cross_entropy,
)
MULTICLASS = Task(
    loss=F.cross_entropy,
    error=_misclassified,
    constant=_entropy,
    probabilities=_softmax,
    smoothed=_smoothed_cross_entropy,
)
