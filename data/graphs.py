"""Graphs whose nodes are to be classified.

Such a set is *transductive*: every batch holds the whole graph, and the classes of some nodes. The training, the
validation and the test part differ in their targets alone: all nodes that are not asked for are IGNORED.

`karate_club` is the graph of Zachary (1977): the friendships in a karate club of 34 members that fell apart. As in
Kipf and Welling (2017, appendix A) a node has no features beyond its number, and its class is one of four communities
that modularity clustering found; they are those of torch_geometric's KarateClub. Their modularity is 0.4156, a little
below the 0.4198 of the best partition (Brandes et al. 2008).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data.base import SPLIT, DataModule
from data.parts import Parts
from learning_tasks import IGNORED, Batch
from learning_tasks.base import leaves, moved
from learning_tasks.graphs import Graph

TEST_STREAM: Final = 20_260_104
MEMBERS: Final = 34
FRIENDS: Final[dict[int, tuple[int, ...]]] = {
    0: (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31),
    1: (2, 3, 7, 13, 17, 19, 21, 30),
    2: (3, 7, 8, 9, 13, 27, 28, 32),
    3: (7, 12, 13),
    4: (6, 10),
    5: (6, 10, 16),
    6: (16,),
    8: (30, 32, 33),
    9: (33,),
    13: (33,),
    14: (32, 33),
    15: (32, 33),
    18: (32, 33),
    19: (33,),
    20: (32, 33),
    22: (32, 33),
    23: (25, 27, 29, 32, 33),
    24: (25, 27, 31),
    25: (31,),
    26: (29, 33),
    27: (33,),
    28: (31, 33),
    29: (32, 33),
    30: (32, 33),
    31: (32, 33),
    32: (33,),
}
"""By member of the karate club: friends of a higher number, who met outside the club too; 78 pairs."""
COMMUNITIES: Final = (
    (8, 14, 15, 18, 20, 22, 23, 26, 27, 29, 30, 32, 33),
    (0, 1, 2, 3, 7, 9, 11, 12, 13, 17, 19, 21),
    (24, 25, 28, 31),
    (4, 5, 6, 10, 16),
)
"""The members of each community."""


@dataclass(frozen=True)
class GraphPart:
    """Some labelled nodes of one graph; each batch holds the whole graph."""

    graph: Graph
    labels: Tensor
    """(N,) int64: the class of every node of the graph."""
    nodes: Tensor
    """(n,) int64: the nodes of this part, in its order."""
    clean: ClassVar[None] = None

    @property
    def at_once(self) -> int:
        """All of them: a batch of few nodes costs as much as one of many."""
        return max(len(self), 1)

    def __len__(self) -> int:
        return len(self.nodes)

    def batch(self, indices: Tensor | slice) -> Batch:
        """The graph, and targets (N,) that are IGNORED outside the chosen nodes."""
        chosen = self.nodes[indices]
        targets = torch.full_like(self.labels, IGNORED)
        targets[chosen] = self.labels[chosen]
        return Batch(self.graph, targets)

    def first(self, count: int) -> "GraphPart":
        return GraphPart(self.graph, self.labels, self.nodes[:count])

    def to(self, device: torch.device | str) -> "GraphPart":
        return GraphPart(moved(self.graph, device), self.labels.to(device), self.nodes.to(device))

    def tensors(self) -> Iterator[Tensor]:
        yield from leaves(self.graph)
        yield from (self.nodes, self.labels[self.nodes])


def undirected(edges: NDArray[np.int64]) -> Tensor:
    """Edges (2, E) in both directions: (2, 2E) int64, sorted by the node that they go to."""
    both = np.concatenate([edges, edges[::-1]], axis=1)
    return torch.from_numpy(both[:, np.lexsort(both)])


def in_turns(nodes: NDArray[np.int64], classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The nodes in an order in which classes take turns: the first node of each class, then the second, and so on.

    Args:
        nodes: Numbers of nodes.
        classes: The class of each of these nodes.
    """
    turn = np.empty(len(nodes), dtype=np.int64)
    for label in np.unique(classes):
        members = classes == label
        turn[members] = np.arange(members.sum())
    return nodes[np.lexsort((classes, turn))]


class KarateClub(DataModule):
    """Zachary's karate club: 34 members, 78 friendships; the class of a member is one of four communities.

    The features of a node are its row of the identity matrix. The test part is a third of each community, drawn once,
    10 members in all; the data seed divides the other 24. Communities take turns in the training part: with a
    train_size of 4 one member of each is labelled, as in Kipf and Welling (2017, appendix A), with 8 two unless
    validation takes more than usual.
    """

    task = "node_classification"
    gives = "graph"
    source = "Zachary (1977), as in NetworkX; communities as in torch_geometric"

    def make_parts(self) -> Parts:
        labels = np.empty(MEMBERS, dtype=np.int64)
        for number, members in enumerate(COMMUNITIES):
            labels[list(members)] = number
        edges = undirected(np.array([(one, other) for one in FRIENDS for other in FRIENDS[one]]).T)
        one_graph = torch.zeros(MEMBERS, dtype=torch.int64)
        graph = Graph(torch.eye(MEMBERS), edges, torch.zeros(edges.shape[1], 0), one_graph, torch.tensor([MEMBERS]))
        random = np.random.default_rng(TEST_STREAM)
        test = np.sort(np.concatenate([random.permutation(members)[: len(members) // 3] for members in COMMUNITIES]))
        train, validation = self._divided(np.setdiff1d(np.arange(MEMBERS), test), labels)
        nodes = (self.training_subset(train), validation, test)
        return Parts(*(GraphPart(graph, torch.from_numpy(labels), torch.from_numpy(part)) for part in nodes))

    def _divided(self, pool: NDArray[np.int64], labels: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """The nodes for training and for validation; classes take turns in both.

        Disjoint training sets are alike only where the order is left to chance, so that there nothing takes turns.
        """
        order = pool[self.stream(SPLIT).permutation(len(pool))]
        return self.cut(order if self.disjoint else in_turns(order, labels[order]))

    @property
    def dims(self) -> dict[str, Any]:
        """`num_features`, `num_outputs` (the number of classes), `task`."""
        return {"num_features": MEMBERS, "num_outputs": len(COMMUNITIES), "task": self.task}
