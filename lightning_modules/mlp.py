"""Multi-layer perceptron: (linear, norm, activation, dropout) for each hidden size, then a linear output.

    h <- dropout(activation(norm(W·h + b))), from h = x flattened;  outputs = W·h + b

Rumelhart, Hinton and Williams (1986); batch norm as Ioffe and Szegedy (2015), before the activation; layer norm as Ba,
Kiros and Hinton (2016); dropout as Srivastava et al. (2014), but scaled up while training instead of down afterwards.
A linear layer before batch norm has no bias, since the norm would take it away.
"""

from collections.abc import Sequence
from math import prod
from typing import Annotated, Literal, get_args

from annotated_types import Ge, Interval
from torch import Tensor, nn

from learning_tasks.refusals import one_of, require
from lightning_modules.base import Module
from lightning_modules.blocks.activations import ACTIVATIONS, Activation
from lightning_modules.blocks.dropout import Dropout
from lightning_modules.blocks.initialization import Initialization, initialize
from lightning_modules.blocks.losses import ClassLoss

Norm = Literal["none", "batch", "layer"]


class MLP(Module):
    """Multi-layer perceptron.

    Args:
        hidden_sizes: Units of each hidden layer; an empty list leaves one linear map.
        activation: Applied after each hidden layer. Leaky ReLU has slope 0.01 below 0, PReLU learns one a layer.
        initialization: Where the weights start (biases start at 0): zeros; normal, with standard deviation init_std;
            xavier, normal with variance 2 / (inputs + outputs); he, normal with variance 2 / inputs.
        init_std: Standard deviation of the normal initialisation.
        norm: Normalisation between a hidden layer and its activation.
        dropout: Share of hidden units set to 0 in each training step.
        loss: What is minimised, and shown as the loss: the cross-entropy (auto); squared or absolute, the distance
            between the probabilities and the true class, summed over the classes; or hinge, where the right class must
            lead by 1. A regression has squared (auto) and absolute, the mean of the
            squared or absolute distances. The error is the same whatever the loss.

    Paper:
        Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors. Batch norm: Ioffe
        and Szegedy (2015). Layer norm: Ba, Kiros and Hinton (2016). Dropout: Srivastava et al. (2014). Starts: Glorot
        and Bengio (2010), He et al. (2015).
    Written out:
        The order of its parts, how the weights start, dropout, the losses beside the cross-entropy. torch: nn.Linear,
        the norms, the activations, the gradients.
    Checked against:
        The composition by hand, the formulas of activations and starts (tests/lightning_modules/test_truths.py);
        torch's dropout to the last bit (tests/lightning_modules/test_dropout.py).
    """

    tasks = ("regression", "binary", "multiclass", "multilabel")

    def __init__(
        self,
        *,
        input_shape: tuple[int, ...],
        num_outputs: int,
        task: str,
        hidden_sizes: Sequence[Annotated[int, Interval(ge=1, le=65_536)]] = (64,),
        activation: Activation = "relu",
        initialization: Initialization = "he",
        init_std: Annotated[float, Ge(0)] = 0.01,
        norm: Norm = "none",
        dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0,
        loss: ClassLoss = "auto",
    ) -> None:
        super().__init__(task=task, loss_name=loss)
        one_of("activation", activation, get_args(Activation))
        one_of("norm", norm, get_args(Norm))
        sizes_allowed = all(size >= 1 for size in hidden_sizes)
        require("hidden_sizes", list(hidden_sizes), sizes_allowed, "a list of sizes of 1 or more")
        layers: list[nn.Module] = []
        inputs = prod(input_shape)
        for size in hidden_sizes:
            layers.append(nn.Linear(inputs, size, bias=norm != "batch"))
            if norm != "none":
                layers.append(nn.BatchNorm1d(size) if norm == "batch" else nn.LayerNorm(size))
            layers.append(ACTIVATIONS[activation]())
            if dropout:
                layers.append(Dropout(dropout))
            inputs = size
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, num_outputs))
        initialize(self, initialization, init_std)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.layers(inputs.flatten(1))  # (B, num_outputs)
        return outputs
