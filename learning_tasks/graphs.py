"""Graphs, and the classification of their nodes."""

from typing import Any, ClassVar, NamedTuple

from torch import Tensor
from torch.nn import functional as F

from learning_tasks.base import IGNORED, Metric, total
from learning_tasks.classification import Multiclass, counted_cross_entropy


class Graph(NamedTuple):
    """One graph, or several joined into one whose parts no edge connects."""

    x: Tensor
    """(N, F) features of the nodes."""
    edges: Tensor
    """(2, E) int64: from node, to node; an undirected edge is there twice, once in each direction."""
    edge_x: Tensor
    """(E, G) features of the edges; G may be 0."""
    graph: Tensor
    """(N,) int64: the number of the graph that a node belongs to."""
    sizes: Tensor
    """(graphs,) int64: the nodes of each graph. How many graphs there are is a shape, never a value."""


class NodeClassification(Multiclass):
    """The class of each node: outputs (N, classes) logits, targets (N,), IGNORED for nodes that do not count."""

    name: ClassVar[str] = "node_classification"
    metrics = (
        Metric("loss", "lower", "The mean cross-entropy over the nodes, in nats."),
        Metric("error", "lower", "The share of nodes that are misclassified."),
    )
    losses = ("cross_entropy",)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return counted_cross_entropy(outputs, targets, self.smoothing)

    def sums(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        counted = targets != IGNORED
        losses = F.cross_entropy(outputs, targets, ignore_index=IGNORED, reduction="none")
        wrong = (self.answers(outputs) != targets) & counted
        return {"loss": total(losses), "wrong": total(wrong), "n": total(counted)}

    def constant(self, targets: Tensor) -> dict[str, float]:
        return super().constant(targets[targets != IGNORED])

    def count(self, targets: Any) -> Tensor:
        counted: Tensor = targets != IGNORED
        return counted.sum()
