"""The study pages (bias and variance, optimizers, regularization): what each asks, and the labs that fill it.

It imports nothing heavy, since the overview, which opens first, names these pages too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Page:
    """One of the study pages."""

    title: str
    question: str
    labs: tuple[str, ...]
    """The names of the labs' files."""


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
            "activations-by-depth", "input-scaling", "squared-against-cross-entropy",
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
