"""The metric by which a run is judged, and the best value of it so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from learning_tasks import Metric
from learning_tasks.refusals import require_name
from tracking import schema

RESERVED = (*schema.EVERY_EPOCH, schema.OBJECTIVE)
"""Metrics that only Sweepboard measures, whatever a user module logs."""


def measured(scores: Iterable[Metric], recorded: Iterable[Metric] = ()) -> list[str]:
    """What a run measures after each epoch; where a data set adds noise to its targets, it measures more.

    Args:
        scores: The metrics of its task.
        recorded: Those of its recorders, which are of the validation part.
    """
    names = [f"{part}/{metric.name}" for part in schema.RANKING_PARTS for metric in scores]
    names += [f"{schema.VALIDATION_PART}/{metric.name}" for metric in recorded]
    return [*names, schema.TRAIN_LOSS, *schema.EVERY_EPOCH]


@dataclass(frozen=True)
class Criterion:
    """Which metric a run is judged by, and when: the section `objective` of a configuration."""

    metric: str = schema.VAL_LOSS
    direction: str = schema.MINIMIZE
    at: str = "last"
    """last: at the last epoch; best: at the epoch where it was best."""

    def better(self, value: float, than: float | None) -> bool:
        """Whether a value is better than another one; any value is better than None."""
        if than is None:
            return True
        return value < than if self.direction == schema.MINIMIZE else value > than

    def checked(self, metrics: Iterable[str] | None) -> Criterion:
        """The criterion itself.

        Args:
            metrics: What the run measures; None where the metric may have any name, since a user module logs what it
                likes.

        Raises:
            ValueError: One of its values is not allowed.
        """
        if metrics is not None:
            require_name("objective.metric", self.metric, metrics)
        require_name("objective.direction", self.direction, (schema.MINIMIZE, schema.MAXIMIZE))
        require_name("objective.at", self.at, ("last", "best"))
        return self


@dataclass
class Best:
    """The best value so far by a criterion, and its epoch: the first one where several are equal."""

    criterion: Criterion
    value: float | None = None
    epoch: int = 0

    def offer(self, value: float, epoch: int) -> bool:
        """Take the value of an epoch if it is better than all before; whether it was."""
        if not self.criterion.better(value, self.value):
            return False
        self.value, self.epoch = value, epoch
        return True
