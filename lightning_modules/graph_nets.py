"""Networks on graphs: the graph convolutional network (GCN) of Kipf and Welling (2017).

    H' = D^(-1/2)·(A + I)·D^(-1/2)·H·W + b                                         (their eq. 2; b is not in the paper)

A (N, N) counts the edges from node j to node i in row i, and D is diagonal with the row sums of A + I. So a node
without edges passes on its own row alone, and an edge that is there twice counts twice. A self-loop of the data is not
counted beside that of I: each node has exactly one, as in torch_geometric's GCNConv.

The network is outputs = GCN(dropout(relu(... GCN(dropout(X))))). Unlike the paper, weights start from Xavier's normal
distribution, not the uniform one of the same variance, and a penalty l2 is on all weights, not on the first layer's.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn

from learning_tasks.graphs import Graph
from learning_tasks.refusals import require
from lightning_modules.base import Module
from lightning_modules.blocks.dropout import Dropout
from lightning_modules.blocks.initialization import initialize


def propagate(x: Tensor, edges: Tensor) -> Tensor:
    """D^(-1/2)·(A + I)·D^(-1/2)·x: each node takes from its neighbours and from itself, scaled by both degrees.

    Args:
        x: (N, F).
        edges: (2, E) int64: from node, to node.
    """
    source, target = edges
    counts = (source != target).to(x.dtype)  # (E,), 0 for a self-loop: that of I stands for it
    degrees = x.new_ones(len(x)).index_add(0, target, counts)  # (N,)
    scale = degrees.rsqrt()[:, None]  # (N, 1)
    scaled = scale * x
    return scale * scaled.index_add(0, target, counts[:, None] * scaled[source])


class GraphConvolution(nn.Module):
    """One layer: D^(-1/2)·(A + I)·D^(-1/2)·x·W + b.

    Args:
        in_features: F, the features of a node.
        out_features: F', the features of a node in the next layer.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        return propagate(self.linear(x), edges) + self.bias  # (N, F')


class GCN(Module):
    """Graph convolutional network (Kipf and Welling 2017) with ReLU between its layers.

    Args:
        hidden_sizes: Features of a node in each hidden layer; one hidden layer makes the paper's network of two.
        dropout: Share of the inputs of each layer set to 0 in each training step, those of the first layer too.

    Paper:
        Kipf and Welling (2017), Semi-supervised classification with graph convolutional networks.
    Written out:
        The whole layer, self-loops and scaling by degrees included; dropout. torch: nn.Linear, sums by index, the
        gradients.
    Checked against:
        torch_geometric's GCNConv and the formula with matrices, gradients included
        (tests/lightning_modules/test_graph_nets.py).
    """

    tasks = ("node_classification",)
    takes = ("graph",)

    def __init__(
        self,
        *,
        num_features: int,
        num_outputs: int,
        task: str,
        hidden_sizes: Sequence[Annotated[int, Interval(ge=1, le=65_536)]] = (16,),
        dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0,
    ) -> None:
        super().__init__(task=task)
        sizes_allowed = all(size >= 1 for size in hidden_sizes)
        require("hidden_sizes", list(hidden_sizes), sizes_allowed, "a list of sizes of 1 or more")
        require("dropout", dropout, 0 <= dropout < 1, "0 to 1, without 1")
        sizes = (num_features, *hidden_sizes, num_outputs)
        self.layers = nn.ModuleList(GraphConvolution(*shape) for shape in pairwise(sizes))
        self.dropouts = nn.ModuleList(Dropout(dropout) if dropout else nn.Identity() for _ in self.layers)
        initialize(self, "xavier", 0.0)

    def forward(self, inputs: Graph) -> Tensor:
        values = inputs.x
        for number, (layer, dropout) in enumerate(zip(self.layers, self.dropouts, strict=True)):
            values = layer(dropout(values.relu() if number else values), inputs.edges)
        return values  # (N, num_outputs)
