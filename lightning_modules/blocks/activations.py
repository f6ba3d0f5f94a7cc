"""The activation functions, by name."""

from collections.abc import Callable
from typing import Literal

from torch import nn

Activation = Literal["identity", "sigmoid", "tanh", "relu", "leaky_relu", "prelu", "gelu"]


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "gelu": nn.GELU,
}
