"""Classification of two classes by one logit, and of many by one logit per class.

What is reported as the error is always the share of examples that are misclassified (0-1 loss). What is minimised is
one of four losses, each the mean over the examples, with p the probabilities, y the target as one-hot vector, z the
outputs:

    cross_entropy   -log p_y, in nats
    squared         Σ_k (p_k - y_k)² over both or all classes (Brier 1950)
    absolute        Σ_k |p_k - y_k| = 2·(1 - p_y): twice the 0-1 loss to be expected of an answer drawn from p
    hinge           max(0, 1 + max_{k ≠ y} z_k - z_y) (Crammer and Singer 2001); of two classes max(0, 1 - s·z), s = ±1

With label smoothing s (Szegedy et al. 2016) the targets of the cross-entropy become (1 - s)·y + s/K for K classes.
"""

from abc import abstractmethod
from typing import Any, ClassVar, Final

import torch
from torch import Tensor
from torch.nn import functional as F

from learning_tasks.base import IGNORED, Metric, Sums, Task, numbers, ratio, total

LOSS: Final = Metric("loss", "lower", "The mean loss over the examples: cross-entropy in nats, unless another is set.")
ERROR: Final = Metric("error", "lower", "The share of examples that are misclassified.")


def entropy(targets: Tensor) -> float:
    """The entropy in nats of the shares of the classes: the cross-entropy of an answer that is those shares."""
    shares = targets.long().bincount().double() / len(targets)
    return float(torch.special.entr(shares).sum())


def one_hot(targets: Tensor, classes: int) -> Tensor:
    """Which class (n, classes) bool each target (n,) is; unlike torch's own it works under `vmap`."""
    return targets[:, None] == torch.arange(classes, device=targets.device)


def counted_cross_entropy(outputs: Tensor, targets: Tensor, smoothing: float | Tensor) -> Tensor:
    """The mean cross-entropy () over the targets that are not IGNORED, with label smoothing; 0 where all are ignored.

    Args:
        outputs: Logits (n, classes).
        targets: Classes (n,) int64.
        smoothing: The share of each target that is spread evenly over all classes.
    """
    counted = targets != IGNORED
    logs = outputs.log_softmax(dim=1)
    losses = -logs.gather(1, targets.clamp(min=0)[:, None]).squeeze(1)
    if isinstance(smoothing, Tensor) or smoothing:
        losses = (1 - smoothing) * losses - smoothing * logs.mean(dim=1)
    return torch.where(counted, losses, 0.0).sum() / counted.sum().clamp(min=1)


class Classification(Task):
    """What classifications of two and of more classes share; targets are classes (B,) int64."""

    metrics = (LOSS, ERROR)
    losses: ClassVar[tuple[str, ...]] = ("cross_entropy", "squared", "absolute", "hinge")
    smooths: ClassVar[tuple[str, ...]] = ("cross_entropy",)

    def losses_of(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each example (B,), without label smoothing."""
        if self.loss_name == "cross_entropy":
            return self._cross_entropies(outputs, targets)
        if self.loss_name == "hinge":
            return self._hinges(outputs, targets)
        probabilities = self.probabilities(outputs)
        differences = probabilities - one_hot(targets, probabilities.shape[1]).to(probabilities.dtype)
        return (differences.square() if self.loss_name == "squared" else differences.abs()).sum(dim=1)

    @abstractmethod
    def _cross_entropies(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The cross-entropy of each example (B,)."""

    @abstractmethod
    def _hinges(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The hinge loss of each example (B,)."""

    @abstractmethod
    def answers(self, outputs: Tensor) -> Tensor:
        """The most probable class of each example (B,)."""

    def sums(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        losses, wrong = self.losses_of(outputs, targets), self.answers(outputs) != targets
        return {"loss": total(losses), "wrong": total(wrong), "n": total(torch.ones_like(targets))}

    def scores(self, sums: Sums) -> dict[str, float]:
        return {"loss": ratio(sums, "loss"), "error": ratio(sums, "wrong")}

    def constant(self, targets: Tensor) -> dict[str, float]:
        shares = targets.long().bincount().double() / len(targets)
        error = float(1 - shares.max())
        losses = {
            "cross_entropy": entropy(targets),
            "squared": float(1 - shares.square().sum()),
            "absolute": 2 * error,
            "hinge": min(2 * error, 1.0),  # one output above the others by 1, or all equal
        }
        return {"loss": losses[self.loss_name], "error": error}

    def memorised(self, error: float, clean_error: float, targets: Tensor, clean: Tensor) -> float:
        """How much of the error against the true targets comes from wrong labels that the network has memorised.

        Each wrong label that a network gives as its answer raises `clean_error` by one example and lowers `error` by
        one, each right label that it misses raises both. A network that knows the truth has the share of wrong labels
        as its error. So the answers that repeat a wrong label are (clean_error + share - error) / 2 (with more than
        two classes, a third answer to a wrong label counts half). It is more than half of `clean_error` if and only if
        `error` is below the share of wrong labels.

        Args:
            error: Against the targets.
            clean_error: Against the true targets.
            targets: (n,), some of them wrong.
            clean: The true targets (n,).
        """
        missed, share = clean_error * len(targets), float((clean != targets).sum())
        repeated = (missed + share - error * len(targets)) / 2
        return min(max(repeated, 0.0), missed) / len(targets)


class Binary(Classification):
    """Two classes by the logit (B, 1) of class 1."""

    name: ClassVar[str] = "binary"

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self.loss_name != "cross_entropy":
            return self.losses_of(outputs, targets).mean()
        probabilities = targets.to(outputs.dtype)
        if isinstance(self.smoothing, Tensor) or self.smoothing:
            probabilities = probabilities * (1 - self.smoothing) + self.smoothing / 2
        return F.binary_cross_entropy_with_logits(outputs.squeeze(1), probabilities)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The probabilities (B, 2) of both classes."""
        both = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
        return both.softmax(dim=1)  # of (0, z) it is (1 - sigmoid(z), sigmoid(z))

    def answers(self, outputs: Tensor) -> Tensor:
        return (outputs.squeeze(1) > 0).long()

    def _cross_entropies(self, outputs: Tensor, targets: Tensor) -> Tensor:
        logits = outputs.squeeze(1)
        return F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype), reduction="none")

    def _hinges(self, outputs: Tensor, targets: Tensor) -> Tensor:
        signs = 2 * targets.to(outputs.dtype) - 1
        return (1 - signs * outputs.squeeze(1)).clamp(min=0)


class Multiclass(Classification):
    """Many classes by the logits (B, classes)."""

    name: ClassVar[str] = "multiclass"

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self.loss_name != "cross_entropy":
            return self.losses_of(outputs, targets).mean()
        if isinstance(self.smoothing, Tensor):
            return counted_cross_entropy(outputs, targets, self.smoothing)
        return F.cross_entropy(outputs, targets, label_smoothing=self.smoothing)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The probabilities (B, classes)."""
        return outputs.softmax(dim=1)

    def answers(self, outputs: Tensor) -> Tensor:
        return outputs.argmax(dim=1)

    def _cross_entropies(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs, targets, reduction="none")

    def _hinges(self, outputs: Tensor, targets: Tensor) -> Tensor:
        true = one_hot(targets, outputs.shape[1])
        right = torch.where(true, outputs, 0.0).sum(dim=1)
        best_other = torch.where(true, -torch.inf, outputs).amax(dim=1)
        return (1 + best_other - right).clamp(min=0)


class Multilabel(Task):
    """Several labels that are each right or wrong: outputs (B, labels) logits, targets (B, labels) int64 of 0 and 1.

    The loss is the mean cross-entropy over all labels of all examples, in nats; a label is given where its probability
    is above one half. F1 is 2·TP / (2·TP + FP + FN): micro over the counts of all labels together, macro the mean of
    the labels' own; 0 for a label that neither occurs nor is given.
    """

    name: ClassVar[str] = "multilabel"
    metrics = (
        Metric("loss", "lower", "The mean cross-entropy over all labels of all examples, in nats."),
        Metric("error", "lower", "The share of labels that are wrong, over all labels of all examples."),
        Metric("f1_micro", "higher", "F1 over the counts of all labels together, between 0 and 1."),
        Metric("f1_macro", "higher", "The mean of the labels' F1, each label counting the same."),
    )
    losses = ("cross_entropy",)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(outputs, targets.to(outputs.dtype))

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The probability (B, labels) of each label; they are not exclusive."""
        return outputs.sigmoid()

    def sums(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        losses = F.binary_cross_entropy_with_logits(outputs, targets.to(outputs.dtype), reduction="none")
        given, true = outputs > 0, targets > 0
        return {
            "loss": total(losses),
            "n": total(torch.ones_like(targets)),
            "true_positives": total(given & true, dim=0),
            "false_positives": total(given & ~true, dim=0),
            "false_negatives": total(~given & true, dim=0),
        }

    def scores(self, sums: Sums) -> dict[str, float]:
        hits, wrong = sums["true_positives"], sums["false_positives"] + sums["false_negatives"]
        counts = 2 * hits + wrong
        by_label = [2 * hit / count if count else 0.0 for hit, count in zip(hits, counts, strict=True)]
        return {
            "loss": ratio(sums, "loss"),
            "error": float(wrong.sum()) / max(float(sums["n"]), 1.0),
            "f1_micro": float(2 * hits.sum() / counts.sum()) if counts.sum() else 0.0,
            "f1_macro": float(sum(by_label) / len(by_label)),
        }

    def constant(self, targets: Tensor) -> dict[str, float]:
        shares = targets.double().mean(dim=0)
        outputs = shares.clamp(1e-12, 1 - 1e-12).logit().expand(len(targets), -1)
        return self.scores(numbers(self.sums(outputs, targets)))

    def count(self, targets: Any) -> int:
        return int(targets.numel())
