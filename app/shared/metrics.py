"""What metrics are, on every page: their roles and their meaning by the catalogue, and the tasks that runs solve.

A task is known by the data set of a run, never by its network. Names are those of `learning_tasks`, which the app
cannot import.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from analysis.runs import metric_roles
from analysis.runs.metric_roles import Role
from sweeps.catalogue.entries import ours
from sweeps.catalogue.metrics import parts_of, ranking_names
from sweeps.spec import Spec
from tracking import schema

TASK_LABELS: Final = {
    "regression": "a regression",
    "binary": "two classes",
    "multiclass": "many classes",
    "multilabel": "several labels",
    "language_model": "a language model",
    "translation": "one sequence into another",
    "node_classification": "classes of nodes",
}
"""Each of `learning_tasks.TASKS` in words."""
DATASET: Final = "data.name"
"""The param that names the data set of a run."""
_MEASURED_ON: Final = {
    schema.VALIDATION_PART: "On validation data.",
    schema.TRAIN_EVAL_PART: "On training data, in evaluation mode.",
    schema.TEST_PART: "On test data, at the weights that validation chose.",
}
_TRAINING_LOSS: Final = "The mean loss of the batches of an epoch, in training mode."

_BESIDE_THE_TASK: Final = {
    schema.OBJECTIVE: "The value that the run is ranked by.",
    schema.TRAIN_EVAL_CLEAN_ERROR: "The error of the same answers to training data against the true labels.",
    schema.MEMORISED: "How much of the training error comes from wrong labels that the network has memorised.",
    schema.VAL_CLEAN_ERROR: "The error of the same answers to validation data against the true values.",
}
"""What built-in runs log beside the scores of their task, each in a sentence."""


@functools.cache
def known() -> dict[str, Role]:
    """The roles of the metrics that runs of Sweepboard log, by name."""
    return metric_roles.of_sweepboard({name: metric.better for name, metric in ours().scores.items()})


def tasks_of(params: Mapping[str, Any], key: str = DATASET) -> list[str]:
    """The tasks that runs were trained for, by the param that names their data set; none where it is not known.

    Args:
        params: By key: the values of all runs, as a frame has them.
        key: The key of that param.
    """
    return ours().tasks_of(*dict.fromkeys(map(str, params[key]))) if key in params else []


def tasks_of_spec(spec: Spec | None) -> list[str]:
    """The tasks of a sweep's data; none where its specification cannot be read."""
    return [] if spec is None else ours().tasks_of(*spec.names("data"))


def in_words(tasks: Iterable[str]) -> str:
    """Tasks in words: `two classes or many classes`."""
    return " or ".join(TASK_LABELS[task] for task in tasks)


def _meaning(score: str, tasks: Sequence[str]) -> str:
    """What a score says in each of these tasks; empty where none of them has it."""
    of_help: dict[str, list[str]] = {}
    for task in tasks:
        for metric in ours().tasks.get(task, ()):
            if metric.name == score:
                of_help.setdefault(metric.help, []).append(task)
    if len(of_help) == 1:
        return next(iter(of_help))
    return " ".join(f"For {in_words(those)}: {help[:1].lower()}{help[1:]}" for help, those in of_help.items())


def meaning(name: str, tasks: Sequence[str]) -> str:
    """What a metric of runs of these tasks says, and of which data it is: plain text, empty where it is not known."""
    if name in schema.EVERY_EPOCH:
        return schema.EVERY_EPOCH[name]
    if name == schema.TRAIN_LOSS:
        return _TRAINING_LOSS if tasks else ""
    if tasks and name in _BESIDE_THE_TASK:
        return _BESIDE_THE_TASK[name]
    part, score = parts_of(name)
    words = _meaning(score, tasks) if part else ""
    return f"{words} {_MEASURED_ON[part]}" if words else ""


def legend(tasks: Sequence[str]) -> str:
    """What each score of these tasks says: plain text, empty where no task is known."""
    return " ".join(f"{metric.name}: {_meaning(metric.name, tasks)}" for metric in ours().metrics(*tasks) if tasks)


def over_epochs(tasks: Sequence[str]) -> list[str]:
    """What is worth drawing against the epochs for runs of these tasks, the scores first."""
    others = [name for name in schema.EVERY_EPOCH if name != schema.STEPS]
    return [*ranking_names(ours().metrics(*tasks)), *others]


def least(name: str) -> float:
    """The smallest value that a metric can have: 1 for a perplexity, 0 for most."""
    part, score = parts_of(name)
    scores = ours().scores
    return scores[score].least if part and score in scores else 0.0


def unfit(takes: str, able: Collection[str], tasks: Sequence[str]) -> str:
    """A sentence where something makes no sense for runs of these tasks; empty where it does, or no task is known.

    Args:
        takes: What it takes, as the beginning of the sentence.
        able: The tasks that it is made for.
        tasks: Those of the runs.
    """
    if not tasks or set(able) & set(tasks):
        return ""
    return f"{takes}; the task of these runs is {in_words(tasks)}, so nothing is drawn here."
