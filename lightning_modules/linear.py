"""Linear regression (least squares: Legendre 1805), logistic (Cox 1958) and softmax regression (Bridle 1990).

    outputs = W·x + b, one linear map of the flattened inputs x for all three tasks

Softmax regression keeps one weight vector per class, so its weights are determined only up to a common shift unless
they are penalised; logistic regression keeps one for both classes.
"""

from math import prod
from typing import Annotated, Any, Literal

from annotated_types import Ge
from torch import Tensor, nn

from lightning_modules.base import Module
from lightning_modules.blocks.initialization import Initialization, initialize
from lightning_modules.blocks.losses import ClassLoss
from lightning_modules.closed_form import ClosedForm, least_squares, takes_too_long


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
        **task_fields: Any,
    ) -> None:
        super().__init__(task=task, **task_fields)
        self.linear = nn.Linear(prod(input_shape), num_outputs)
        initialize(self, initialization, init_std)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.linear(inputs.flatten(1))  # (B, num_outputs)
        return outputs


class LinearRegression(Linear):
    """Linear regression by the mean squared error (1/n)·Σ(output - target)², without a half.

    Args:
        loss: What is minimised, and shown as the loss: the mean squared error (auto) or the mean absolute error.

    Paper:
        Legendre (1805), Nouvelles méthodes pour la détermination des orbites des comètes: least squares.
    Written out:
        How the weights start, and the scores. torch: nn.Linear, the loss and its gradients.
    Checked against:
        The closed form of least squares, and the gradient by hand (tests/lightning_modules/test_truths.py).
    """

    tasks = ("regression",)

    def __init__(self, *, loss: Literal["auto", "squared", "absolute"] = "auto", **common: Any) -> None:
        super().__init__(loss_name=loss, **common)

    def closed_form(self, inputs: Tensor, targets: Tensor) -> ClosedForm | None:
        """The parameters that minimise the mean squared error over these examples with the recipe's l2 penalty.

        None with l1 or the absolute error, which have no closed form, and where it would take too long.

        Args:
            inputs: (n, *input_shape).
            targets: (n,).
        """
        rows = inputs.flatten(1)
        if self.task.loss_name != "squared" or self.recipe.l1 or takes_too_long(*rows.shape):
            return None
        solution = least_squares(rows, targets, self.recipe.l2)
        parameters = {"linear.weight": solution.weight[None], "linear.bias": solution.bias[None]}
        return ClosedForm(parameters, solution.unique)


class LinearClassification(Linear):
    """What classifications by one linear map share.

    Args:
        loss: What is minimised, and shown as the loss: the cross-entropy (auto); squared or absolute, the distance
            between the probabilities and the true class, summed over the classes; or hinge, where the right class must
            lead by 1. The error is the share misclassified, whatever the loss.
    """

    def __init__(self, *, loss: ClassLoss = "auto", **common: Any) -> None:
        super().__init__(loss_name=loss, **common)


class LogisticRegression(LinearClassification):
    """Logistic regression: the logit of class 1 is linear in the inputs.

    Paper:
        Cox (1958), The regression analysis of binary sequences.
    Written out:
        How the weights start, the scores, and the losses beside the cross-entropy. torch: nn.Linear, the cross-entropy,
        the gradients.
    Checked against:
        scikit-learn's LogisticRegression at the same penalty, and the loss by hand
        (tests/lightning_modules/test_truths.py).
    """

    tasks = ("binary",)


class SoftmaxRegression(LinearClassification):
    """Softmax regression: the logit of each class is linear in the inputs.

    Paper:
        Bridle (1990), Probabilistic interpretation of feedforward classification network outputs.
    Written out:
        How the weights start, the scores, and the losses beside the cross-entropy. torch: nn.Linear, the cross-entropy,
        the gradients.
    Checked against:
        scikit-learn's LogisticRegression at the same penalty, and the loss by hand
        (tests/lightning_modules/test_truths.py).
    """

    tasks = ("multiclass",)
