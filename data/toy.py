"""Generated sets of points in the plane, small enough to see what a network does with them.

The data seed draws a fresh sample in every run; the test part is 1,000 points drawn once, the same in every run with
the same options. Labels alternate, so that the classes are of equal size, until `imbalance` takes points away.
"""

from abc import abstractmethod
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Interval
from numpy.typing import NDArray

from data.base import SAMPLE
from data.parts import Examples
from data.tabular import Classification

TEST_SIZE = 1000
TEST_STREAM = 20_260_101


class Toy(Classification):
    """Points in the plane: a subclass says where a point of a class lies, before noise.

    Args:
        num_samples: Points drawn for training and validation together.
        noise: Standard deviation of the normal noise added to each coordinate.
    """

    source = "generated"
    fresh = True
    num_classes: ClassVar[int] = 2

    def __init__(
        self,
        *,
        num_samples: Annotated[int, Interval(ge=10, le=1_000_000)] = 500,
        noise: Annotated[float, Ge(0)] = 0.1,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.num_samples, self.noise = num_samples, noise
        self.classes = self.num_classes

    @abstractmethod
    def place(self, labels: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        """The points (n, 2) of these classes, without noise."""

    def draw(self, size: int, random: np.random.Generator) -> Examples:
        """A sample of this size with noise; classes take turns."""
        labels = np.arange(size) % self.classes
        points = self.place(labels, random)
        return Examples(points + self.noise * random.standard_normal(points.shape), labels)

    def examples(self) -> tuple[Examples, Examples]:
        test = self.draw(TEST_SIZE, np.random.default_rng(TEST_STREAM))
        return self.draw(self.num_samples, self.stream(SAMPLE)), test


class Moons(Toy):
    """Two interleaved half circles of radius 1, the second moved by (1, 0.5)."""

    task = "binary"

    def place(self, labels: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        angle = random.uniform(0, np.pi, len(labels))
        upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return np.where(labels[:, None] == 0, upper, np.array([1.0, 0.5]) - upper)


class Circles(Toy):
    """A circle of radius 1 and one of radius 0.5 within it."""

    task = "binary"

    def place(self, labels: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        return _polar(np.where(labels == 0, 1.0, 0.5), random.uniform(0, 2 * np.pi, len(labels)))


class Spirals(Toy):
    """Two spirals wound into each other, from radius 0.2 out to radius 2.

    Args:
        turns: Turns of each spiral; more are harder.
    """

    task = "binary"

    def __init__(self, *, turns: Annotated[float, Interval(gt=0, le=10)] = 1.0, **common: Any) -> None:
        super().__init__(**common)
        self.turns = turns

    def place(self, labels: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        position = np.sqrt(random.uniform(0, 1, len(labels)))  # the root: more points where the turn is longer
        return _polar(0.2 + 1.8 * position, 2 * np.pi * self.turns * position + np.pi * labels)


class Xor(Toy):
    """The square from -1 to 1 in four quarters: class 0 where the coordinates have one sign, 1 where they differ."""

    task = "binary"

    def place(self, labels: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        size = random.uniform(0, 1, (len(labels), 2))
        sign = random.choice([-1.0, 1.0], len(labels))
        return np.stack([sign * size[:, 0], np.where(labels == 0, sign, -sign) * size[:, 1]], axis=1)


class Blobs(Toy):
    """Round clouds of points, one a class, centred at equal distances on the circle of radius 1.

    Args:
        noise: Standard deviation of each cloud.
        num_classes: Number of clouds.
    """

    task = "multiclass"

    def __init__(
        self,
        *,
        noise: Annotated[float, Ge(0)] = 0.4,
        num_classes: Annotated[int, Interval(ge=3, le=10)] = 3,
        **common: Any,
    ) -> None:
        super().__init__(noise=noise, **common)
        self.classes = num_classes

    def place(self, labels: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        return _polar(np.ones(len(labels)), 2 * np.pi * labels / self.classes)


def _polar(radius: NDArray[Any], angle: NDArray[Any]) -> NDArray[Any]:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
