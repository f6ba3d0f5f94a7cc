"""The metrics of the tasks, as the catalogue holds them: their names, which direction is better, what they mean.

They are the `metrics` of `learning_tasks.TASKS`, and of the recorders that measure more; `sweeps.catalogue.build`
writes them into the catalogue's file. A score is logged by the part of the data and its name: `val/perplexity`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from tracking import schema

LOWER, HIGHER = "lower", "higher"


class TaskMetric(NamedTuple):
    """A score of the answers to a task."""

    name: str
    """Without the part of the data: `error`."""
    better: str
    """LOWER or HIGHER."""
    help: str
    """What it means, in sentences."""
    least: float = 0.0
    """The smallest value that it can have."""
    recorder: str = ""
    """The recorder that measures it, on validation and test data; empty for a score that the task itself has."""

    @property
    def ranking_names(self) -> list[str]:
        """The names under which it is logged after each epoch, so that runs can be ranked by it."""
        parts = (schema.VALIDATION_PART,) if self.recorder else schema.RANKING_PARTS
        return [f"{part}/{self.name}" for part in parts]

    def as_json(self) -> dict[str, Any]:
        """The metric as the catalogue's file holds it: without what is at its default."""
        return {
            name: value
            for name, value in self._asdict().items()
            if name not in self._field_defaults or value != self._field_defaults[name]
        }


_PARTS: Final = (schema.VALIDATION_PART, schema.TRAIN_EVAL_PART, schema.TEST_PART)


def parts_of(name: str) -> tuple[str, str]:
    """(part, score) of a name such as `val/error`; the part is empty where the name has none of ours."""
    part, slash, score = name.partition("/")
    return (part, score) if slash and part in _PARTS else ("", name)


def direction(better: str) -> str:
    """The direction of an objective of which LOWER or HIGHER is better; down where that is not known."""
    return schema.MAXIMIZE if better == HIGHER else schema.MINIMIZE


def distinct(metrics: Iterable[TaskMetric]) -> dict[str, TaskMetric]:
    """The metrics by name, the first of each name, in their order."""
    by_name: dict[str, TaskMetric] = {}
    for metric in metrics:
        by_name.setdefault(metric.name, metric)
    return by_name


def ranking_names(metrics: Iterable[TaskMetric]) -> list[str]:
    """What runs with these scores can be ranked by: on validation, on training data, last the training loss."""
    names = [name for metric in metrics for name in metric.ranking_names]
    return [*sorted(names, key=lambda name: schema.RANKING_PARTS.index(parts_of(name)[0])), schema.TRAIN_LOSS]


def refuse_two_directions(tasks: Mapping[str, Iterable[TaskMetric]]) -> None:
    """Refuse a metric of which tasks disagree what is better: pages know a metric by its name alone.

    Raises:
        TypeError: There is one.
    """
    better: dict[str, str] = {}
    for task, metrics in tasks.items():
        for metric in metrics:
            if better.setdefault(metric.name, metric.better) != metric.better:
                raise TypeError(f"{task}, metric {metric.name}: another task says that {better[metric.name]} is better")
