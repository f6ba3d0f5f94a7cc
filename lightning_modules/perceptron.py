"""Rosenblatt's perceptron (1958): one linear unit with a step activation, and its learning rule.

    answer = step(w·x + b), 1 above 0, else 0
    w <- w + lr·(target - answer)·x,  b <- b + lr·(target - answer)

The step has no useful slope, so the rule is not gradient descent on the cost of the answers. Here the loss gives the
rule as its gradient: the loss is the share of wrong answers, mean |target - answer|, and in the backward pass the step
counts as the identity. For one example the gradient is then exactly -(target - answer)·x, and `sgd` with batches of one
is the rule to the letter; a larger batch takes the mean over its examples, and any other optimizer uses these gradients
as it would use others. From zeros the learning rate only scales the weights: the answers are the same for every rate.

If a line with margin γ separates examples of norm at most R (each with a constant 1 for the bias), the rule changes the
weights at most (R/γ)² times (Novikoff 1962). If none does, it never comes to rest (Minsky and Papert 1969).
"""

import torch
from torch import Tensor

from learning_tasks.classification import Binary
from lightning_modules.linear import Linear


def step(scores: Tensor) -> Tensor:
    """The step function, 1 above 0, else 0; the identity in the backward pass."""
    return (scores > 0).to(scores.dtype) + (scores - scores.detach())


class StepAnswers(Binary):
    """Two classes by a step of the output (B, 1); the loss is the share of wrong answers, which is the error too."""

    losses = ("wrong_answers",)
    smooths = ()

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.losses_of(outputs, targets).mean()

    def losses_of(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (targets - step(outputs.squeeze(1))).abs()

    def constant(self, targets: Tensor) -> dict[str, float]:
        """The share of the smaller class, which an answer that is always the larger one gets wrong."""
        error = Binary().constant(targets)["error"]
        return {"loss": error, "error": error}

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The probabilities (B, 2) of answers that are certain, each 0 or 1."""
        answers = step(outputs)
        return torch.cat([1 - answers, answers], dim=1)


class Perceptron(Linear):
    """Perceptron (Rosenblatt 1958): a step of one linear map, which learns only from the examples it gets wrong.

    The optimizer sgd with batches of one example is its classic rule: w <- w + lr·(target - answer)·x. The loss is the
    share of wrong answers, so loss and error are the same number, and no cross-entropy of another model compares with
    it. Its answers are certain: the probability of a class is 0 or 1.

    Paper:
        Rosenblatt (1958), The perceptron: a probabilistic model for information storage and organization in the brain.
    Written out:
        The step, its rule as the gradient of the loss, the loss. torch: nn.Linear.
    Checked against:
        The rule by hand, scikit-learn's Perceptron after three epochs, Novikoff's bound (1962) on the number of
        changes, and what it cannot learn, xor (tests/lightning_modules/test_perceptron.py).
    """

    tasks = ("binary",)
    criteria = {"binary": StepAnswers}  # noqa: RUF012
