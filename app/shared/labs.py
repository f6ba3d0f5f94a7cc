"""The pages on bias and variance, optimizers and regularization: what they ask, and the sweeps that fill them.

It imports nothing but what this takes: the overview, which opens first, names them too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Page:
    """One of the pages."""

    title: str
    question: str
    labs: tuple[str, ...]
    """The ready-made sweeps that fill it, by their files' names."""


PAGES: Final[dict[str, Page]] = {
    "bias_variance": Page(
        "Bias and variance",
        "Is the network too simple for its task, or does it learn its training data by heart?",
        ("training-set-size", "width", "decomposition", "double-descent"),
    ),
    "optimizers": Page(
        "Optimizers",
        "Which way of descending reaches a lower loss, how soon, and at the same cost of tuning?",
        (
            "optimizers-on-digits", "batch-size", "schedules", "learning-rate-range-test", "initialisations",
            "activations-by-depth", "input-scaling",
        ),
    ),
    "regularization": Page(
        "Regularization",
        "Which restraint makes a network err less on data it has not seen, and how strong should it be?",
        (
            "regularizers-retuned", "l2", "l1", "weight-decay", "dropout", "dropout-against-wrong-labels", "batch-norm",
            "augmentation", "label-smoothing", "early-stopping", "regularization-factorial", "decision-regions",
        ),
    ),
}  # fmt: skip
