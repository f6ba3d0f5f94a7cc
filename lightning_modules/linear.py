"""Linear regression (least squares: Legendre 1805), logistic (Cox 1958) and softmax regression (Bridle 1990).

    outputs = W·x + b, one linear map of the flattened inputs x for all three tasks

Softmax regression keeps one weight vector per class, so its weights are determined only up to a common shift unless
they are penalised; logistic regression keeps one for both classes.
"""

from math import prod
from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn

from lightning_modules.base import Module
from lightning_modules.blocks.initialization import Initialization, initialize


class Linear(Module):
    """One linear map.

    Args:
        initialization: Where the weights start (biases start at 0): zeros; normal, with standard deviation init_std;
            xavier, normal with variance 2 / (inputs + outputs); he, normal with variance 2 / inputs.
        init_std: Standard deviation of the normal initialisation.
    """

    def __init__(
        self,
        *,
        input_shape: tuple[int, ...],
        num_outputs: int,
        task: str,
        initialization: Initialization = "zeros",
        init_std: Annotated[float, Ge(0)] = 0.01,
    ) -> None:
        super().__init__(task=task)
        self.linear = nn.Linear(prod(input_shape), num_outputs)
        initialize(self, initialization, init_std)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.linear(inputs.flatten(1))  # (B, num_outputs)
        return outputs


class LinearRegression(Linear):
    """Linear regression by the mean squared error (1/n)·Σ(output - target)², without a half."""

    tasks = ("regression",)


class LogisticRegression(Linear):
    """Logistic regression: the logit of class 1 is linear in the inputs."""

    tasks = ("binary",)


class SoftmaxRegression(Linear):
    """Softmax regression: the logit of each class is linear in the inputs."""

    tasks = ("multiclass",)
