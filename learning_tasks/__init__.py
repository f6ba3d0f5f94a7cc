"""The tasks that data sets ask for and models can do. To add one: a `Task` in a file here, and one line in `TASKS`."""

from learning_tasks.base import IGNORED, Batch, Metric, Recorded, Task
from learning_tasks.classification import Binary, Multiclass, Multilabel
from learning_tasks.graphs import NodeClassification
from learning_tasks.language import LanguageModel, Translation
from learning_tasks.regression import Regression
from learning_tasks.translation import EXACT_MATCH

TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (Regression, Binary, Multiclass, Multilabel, LanguageModel, Translation, NodeClassification)
}

RECORDED: dict[str, Recorded] = {"translations": Recorded(("translation",), (EXACT_MATCH,))}
"""By recorder: the metrics that it measures."""

__all__ = ["IGNORED", "RECORDED", "TASKS", "Batch", "Metric", "Task"]
