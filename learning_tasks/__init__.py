"""The tasks that data sets ask for and models can do. To add one: a `Task` in a file here, and one line in `TASKS`."""

from learning_tasks.base import IGNORED, Batch, Metric, Task
from learning_tasks.classification import Binary, Multiclass, Multilabel
from learning_tasks.graphs import NodeClassification
from learning_tasks.language import LanguageModel, Translation
from learning_tasks.regression import Regression

TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (Regression, Binary, Multiclass, Multilabel, LanguageModel, Translation, NodeClassification)
}

__all__ = ["IGNORED", "TASKS", "Batch", "Metric", "Task"]
