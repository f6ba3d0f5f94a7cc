"""Initial weights: zeros, normal, Xavier (Glorot and Bengio 2010, eq. 12), He (He et al. 2015, eq. 10)."""

from typing import Literal, get_args

from torch import nn

from learning_tasks.refusals import one_of

Initialization = Literal["zeros", "normal", "xavier", "he"]


def initialize(module: nn.Module, initialization: Initialization, std: float) -> None:
    """Set the weights of every linear and convolutional layer by name, and its biases to 0.

    Xavier and He draw from normal distributions of variance 2 / (inputs + outputs) and 2 / inputs, where inputs are the
    values that one unit sees and outputs the units that one value reaches.
    """
    one_of("initialization", initialization, get_args(Initialization))
    for layer in module.modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d):
            continue
        if initialization == "zeros":
            nn.init.zeros_(layer.weight)
        elif initialization == "normal":
            nn.init.normal_(layer.weight, std=std)
        elif initialization == "xavier":
            nn.init.xavier_normal_(layer.weight)
        else:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
