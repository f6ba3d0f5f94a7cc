"""The GCN on Cora against the accuracy in its paper: Kipf and Welling (2017, table 2) report 81.5 % on the test nodes.

    SWEEPBOARD_DATA=../shared/data python -m benchmarks.thin_graph

It needs the files of github.com/tkipf/gcn in the folder `cora`, and says so where they are absent. The split is that of
Planetoid (Yang et al. 2016): 20 labelled nodes per class, 500 for validation, 1,000 for testing. As in the paper:
16 hidden units, dropout 0.5, Adam with learning rate 0.01, the penalty 5e-4/2·Σw² on the weights of the first layer,
rows of features that sum to 1, at most 200 epochs. Unlike the paper, the weights are those of the lowest validation
loss, not those at which it stops falling, and they start from Xavier's normal distribution.
"""

from __future__ import annotations

import os
import pickle
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from scipy import sparse

from benchmarks.measure import write
from data.graphs import GraphPart, undirected
from data.parts import Parts
from learning_tasks.graphs import Graph
from lightning_modules import MODELS

PAPER: Final = 0.815
SEEDS: Final = 10
EPOCHS: Final = 200
ALLOWED: Final[dict[tuple[str, str], Any]] = {
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    ("scipy.sparse.csr", "csr_matrix"): sparse.csr_matrix,
    ("collections", "defaultdict"): defaultdict,
    ("__builtin__", "list"): list,
}
"""What the files may name; a pickle can call anything that is not refused."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed; allowed: arrays, lists and dictionaries")
        return ALLOWED[module, name]


def load(folder: Path, name: str) -> Any:
    """What one of the files holds, which may be arrays, lists and dictionaries alone."""
    with (folder / f"ind.cora.{name}").open("rb") as file:
        return _Unpickler(file, encoding="latin1").load()


def cora(folder: Path) -> Parts:
    """Cora as one graph of 2,708 papers, 1,433 words and 7 classes, in the split of Planetoid.

    Args:
        folder: Where the eight files ind.cora.* are.
    """
    test = np.loadtxt(folder / "ind.cora.test.index", dtype=np.int64)
    words = sparse.vstack([load(folder, "allx"), load(folder, "tx")]).toarray().astype(np.float32)
    one_hot = np.vstack([load(folder, "ally"), load(folder, "ty")])
    words[test], one_hot[test] = words[np.sort(test)], one_hot[np.sort(test)]  # the files hold them in the test's order
    words /= np.maximum(words.sum(axis=1, keepdims=True), 1)
    neighbours = load(folder, "graph")
    pairs = {(min(a, b), max(a, b)) for a in neighbours for b in neighbours[a] if a != b}
    edges = undirected(np.array(sorted(pairs), dtype=np.int64).T)
    nodes = len(words)
    no_features, one_graph = torch.zeros(edges.shape[1], 0), torch.zeros(nodes, dtype=torch.int64)
    graph = Graph(torch.from_numpy(words), edges, no_features, one_graph, torch.tensor([nodes]))
    labels, trained = torch.from_numpy(one_hot.argmax(axis=1)), len(load(folder, "y"))
    chosen = (torch.arange(trained), torch.arange(trained, trained + 500), torch.from_numpy(test))
    return Parts(*(GraphPart(graph, labels, part) for part in chosen))


def accuracy(parts: Parts, seed: int) -> float:
    """The share of test nodes that one GCN gets right, at the weights of its lowest validation loss."""
    torch.manual_seed(seed)
    (graph, targets), validation, test = (
        part.batch(slice(None)) for part in (parts.train, parts.validation, parts.test)
    )
    features = graph.x.shape[1]
    module = MODELS["gcn"](num_features=features, num_outputs=7, task="node_classification", dropout=0.5)
    first_weight = module.layers[0].linear.weight
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    best, correct = float("inf"), 0.0
    for _ in range(EPOCHS):
        module.train()
        optimizer.zero_grad()
        (module.loss((graph, targets)) + 5e-4 / 2 * first_weight.square().sum()).backward()
        optimizer.step()
        module.eval()
        with torch.no_grad():
            outputs = module(graph)
            loss = float(module.task.loss(outputs, validation.targets))
            if loss < best:
                sums = module.task.sums(outputs, test.targets)
                best, correct = loss, 1 - float(sums["wrong"] / sums["n"])
    return correct


if __name__ == "__main__":
    folder = Path(os.environ.get("SWEEPBOARD_DATA", "")) / "cora"
    if not (folder / "ind.cora.graph").is_file():
        print(f"thin_graph: there is no {folder / 'ind.cora.graph'}; SWEEPBOARD_DATA must name the folder above cora.")
        sys.exit(0)
    parts = cora(folder)
    began = time.perf_counter()
    accuracies = [accuracy(parts, seed) for seed in range(SEEDS)]
    result = {
        "runs": SEEDS,
        "mean_test_accuracy": round(statistics.mean(accuracies), 4),
        "standard_deviation": round(statistics.stdev(accuracies), 4),
        "paper": PAPER,
        "seconds_per_run": round((time.perf_counter() - began) / SEEDS, 1),
    }
    write("thin_graph", result)
