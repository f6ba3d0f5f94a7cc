"""Activation functions by name.

ReLU: Nair and Hinton (2010); leaky ReLU: Maas, Hannun and Ng (2013), slope 0.01 below 0; PReLU: He et al. (2015), one
slope for each layer; GELU: Hendrycks and Gimpel (2016), exact, not the approximation by tanh.
"""

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
