"""The answer of the test with ten examples."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What came of it."""

    LEARNS = "learns"
    OTHER_OPTIMIZER = "other_optimizer"
    """It can learn, but not with the optimizer and learning rate of the configuration."""
    TOO_SIMPLE = "too_simple"
    """The model is linear, and no linear model can learn these examples."""
    STUCK = "stuck"
    """It did not come down to the smallest loss, and nothing shows why."""
    BROKEN = "broken"


@dataclass(frozen=True)
class OverfitResult:
    """Whether a model learnt a few examples by heart."""

    verdict: Verdict
    sentence: str
    """The answer, with its figures."""
    examples: int
    """How many there were."""
    optimizer: str = ""
    """What came lowest, in words: `sgd at learning rate 0.1`."""
    start: float | None = None
    """The loss of the untrained model; None where there was no finite one."""
    end: float | None = None
    """The last loss of the attempt that came lowest."""
    floor: float | None = None
    """The smallest loss that this model can reach on these examples; None where it is not known."""
    steps: int = 0
    """Updates of that attempt."""
    seconds: float = 0.0
    """All attempts together."""
    problem: str = ""
    """What is broken."""
    remarks: tuple[str, ...] = ()
    """Sentences about what was switched off, and what else is worth knowing."""

    @property
    def reached(self) -> bool:
        """Whether the loss came down to the smallest one."""
        return self.verdict in (Verdict.LEARNS, Verdict.OTHER_OPTIMIZER)

    def as_json(self) -> dict[str, Any]:
        """The result as plain data."""
        return {**asdict(self), "verdict": str(self.verdict), "remarks": list(self.remarks), "reached": self.reached}
