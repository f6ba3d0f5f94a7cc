"""Generated points with several labels each: every label is a half-plane, so that labels overlap.

Label k of K is true where u·x + noise·ε > t: u is the direction at the angle 2πk/K, ε is standard normal, and t grows
from 0 for label 0 to 1 for label K - 1. Points are standard normal, so that without noise label 0 is true for half of
them and the last label for 16 %. The rare labels are why F1 micro and F1 macro differ.
"""

from typing import Annotated, Any, Final

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from data.base import SAMPLE
from data.parts import Examples
from data.tabular import Tabular
from learning_tasks.refusals import require

TEST_SIZE: Final = 1000
TEST_STREAM: Final = 20_260_103


def half_planes(points: NDArray[np.float64], num_labels: int) -> NDArray[np.float64]:
    """How far each point (n, 2) lies inside the half-plane of each label, (n, labels); negative outside."""
    angles = 2 * np.pi * np.arange(num_labels) / num_labels
    directions = np.stack([np.cos(angles), np.sin(angles)])  # (2, labels)
    distances: NDArray[np.float64] = points @ directions - np.linspace(0, 1, num_labels)
    return distances


class LabelSets(Tabular):
    """Points in the plane, each with a set of labels that may be empty; a label is true in a half-plane.

    The half-planes look in different directions and overlap; the labels become rarer from the first to the last. The
    data seed draws a fresh sample; the test part is 1,000 points, the same in every run with the same options.

    Args:
        num_samples: Points drawn for training and validation together.
        num_labels: Number of labels that a point may have.
        noise: Standard deviation of the normal noise that moves the edge of a half-plane, afresh for each point.
        label_noise: Share of the training labels that are flipped, over all labels of all examples; validation and
            test labels stay clean.
    """

    task = "multilabel"
    source = "generated"
    fresh = True

    def __init__(
        self,
        *,
        num_samples: Annotated[int, Interval(ge=10, le=1_000_000)] = 500,
        num_labels: Annotated[int, Interval(ge=2, le=20)] = 4,
        noise: Annotated[float, Interval(ge=0, le=10)] = 0.1,
        label_noise: Annotated[float, Interval(ge=0, le=1)] = 0.0,
        **common: Any,
    ) -> None:
        super().__init__(label_noise=label_noise, **common)
        require("num_samples", num_samples, 10 <= num_samples <= 1_000_000, "10 to 1,000,000")
        require("num_labels", num_labels, 2 <= num_labels <= 20, "2 to 20")
        require("noise", noise, 0 <= noise <= 10, "0 to 10")
        self.num_samples, self.num_labels, self.noise = num_samples, num_labels, noise

    def draw(self, size: int, random: np.random.Generator) -> Examples:
        """A sample of this size: points (size, 2), targets (size, labels) of 0 and 1."""
        points = random.standard_normal((size, 2))
        distances = half_planes(points, self.num_labels)
        noise = self.noise * random.standard_normal(distances.shape)
        return Examples(points, (distances + noise > 0).astype(np.int64))

    def examples(self) -> tuple[Examples, Examples]:
        test = self.draw(TEST_SIZE, np.random.default_rng(TEST_STREAM))
        return self.draw(self.num_samples, self.stream(SAMPLE)), test
