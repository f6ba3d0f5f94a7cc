"""Logic gates as data: the four rows of a truth table, drawn again and again, as points around the corners of a square.

A line separates the classes of AND and of OR, but not those of XOR (Minsky and Papert 1969).
"""

from typing import Annotated, Any, Final, Literal

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from data.toy import Toy
from learning_tasks.refusals import one_of

Gate = Literal["and", "or", "xor"]

CORNERS: Final = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
TABLES: Final[dict[str, tuple[int, ...]]] = {"and": (0, 0, 0, 1), "or": (0, 1, 1, 1), "xor": (0, 1, 1, 0)}
"""What each gate answers at each corner."""


class LogicGate(Toy):
    """Points around the corners of the unit square; the class is what a logic gate says at the corner.

    The classes are of equal size: within a class, its corners are equally likely.

    Args:
        gate: What the classes are: and and or can be separated by a line, xor cannot.
        noise: Standard deviation of the normal noise around each corner; at 0 there are four points only.
    """

    task = "binary"

    def __init__(self, *, gate: Gate = "and", noise: Annotated[float, Ge(0)] = 0.05, **common: Any) -> None:
        super().__init__(noise=noise, **common)
        one_of("gate", gate, TABLES)
        self.gate = gate

    def place(self, labels: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        answers = np.array(TABLES[self.gate])
        points = np.empty((len(labels), 2))
        for label in (0, 1):
            corners, members = CORNERS[answers == label], labels == label
            points[members] = corners[random.integers(0, len(corners), members.sum())]
        return points
