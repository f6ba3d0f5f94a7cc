"""Models. To add one: a subclass of `Module` in a file here, and one line in `MODELS`."""

from lightning_modules.base import Module
from lightning_modules.graph_nets import GCN
from lightning_modules.lenet import LeNet
from lightning_modules.linear import LinearRegression, LogisticRegression, SoftmaxRegression
from lightning_modules.mlp import MLP
from lightning_modules.perceptron import Perceptron
from lightning_modules.recipe import Recipe
from lightning_modules.rnn import GRUClassifier, RNNLanguageModel
from lightning_modules.seq2seq import Seq2Seq

MODELS: dict[str, type[Module]] = {
    "linear_regression": LinearRegression,
    "logistic_regression": LogisticRegression,
    "softmax_regression": SoftmaxRegression,
    "perceptron": Perceptron,
    "mlp": MLP,
    "lenet": LeNet,
    "gcn": GCN,
    "gru": GRUClassifier,
    "rnn_lm": RNNLanguageModel,
    "seq2seq": Seq2Seq,
}

__all__ = ["MODELS", "Module", "Recipe"]
