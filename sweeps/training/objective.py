"""The metric by which a run is judged."""

from __future__ import annotations

from dataclasses import dataclass

from sweeps.training.refusals import one_of
from tracking import schema

MEASURED = (
    schema.TRAIN_LOSS, schema.TRAIN_EVAL_LOSS, schema.TRAIN_EVAL_ERROR, schema.VAL_LOSS, schema.VAL_ERROR,
    schema.PENALTY, schema.TRAIN_SECONDS, schema.LR, schema.GRAD_NORM, schema.UPDATE_NORM, schema.PARAM_NORM,
    schema.STEPS,
)  # fmt: skip
"""What every run measures after each epoch; where a data set adds noise to its targets, it measures more."""


@dataclass(frozen=True)
class Objective:
    """Which metric a run is ranked by, and when."""

    metric: str = schema.VAL_LOSS
    direction: str = schema.MINIMIZE
    at: str = "last"
    """last: at the last epoch; best: at the epoch where it was best."""

    def better(self, value: float, than: float | None) -> bool:
        if than is None:
            return True
        return value < than if self.direction == schema.MINIMIZE else value > than

    def checked(self, any_metric: bool = False) -> Objective:
        if not any_metric:
            one_of("objective.metric", self.metric, MEASURED)
        one_of("objective.direction", self.direction, (schema.MINIMIZE, schema.MAXIMIZE))
        one_of("objective.at", self.at, ("last", "best"))
        return self

    def selection(self) -> Objective:
        """What chooses the checkpoint: the objective, if it is measured on the validation part, else val/loss."""
        return self if self.metric in (schema.VAL_LOSS, schema.VAL_ERROR) else Objective()


@dataclass
class Best:
    """The best value so far, first come on ties."""

    objective: Objective
    value: float | None = None
    epoch: int = 0

    def offer(self, value: float, epoch: int) -> bool:
        if not self.objective.better(value, self.value):
            return False
        self.value, self.epoch = value, epoch
        return True
