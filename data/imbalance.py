"""Imbalance of classes: which examples stay when each class may only keep its share of the largest one's size.

In the order of their sizes class k of K, k from 0, keeps at most 1 / imbalance^(k / (K - 1)) of the largest one's size
(the long tail of Cui et al. 2019), and at least one example.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def classes_by_size(*targets: NDArray[Any]) -> NDArray[Any]:
    """The classes over all these targets, the largest first, equal ones by number."""
    counts = np.bincount(np.concatenate(targets))
    return np.argsort(-counts, kind="stable")


def thinned(targets: NDArray[Any], rank: NDArray[Any], by_size: NDArray[Any], imbalance: float) -> NDArray[Any]:
    """The indices of the examples that stay, in their order: those of each class that rank first.

    Args:
        targets: The class of each example, (n,).
        rank: The examples of a class stay in the order of these numbers, (n,).
        by_size: The classes, the largest first.
        imbalance: How many times rarer the rarest class is than the largest.
    """
    keep = np.zeros(len(targets), dtype=bool)
    largest = (targets == by_size[0]).sum()
    for place, label in enumerate(by_size):
        most = max(round(largest / imbalance ** (place / (len(by_size) - 1))), 1)
        members = np.flatnonzero(targets == label)
        keep[members[np.argsort(rank[members], kind="stable")[:most]]] = True
    return np.flatnonzero(keep)
