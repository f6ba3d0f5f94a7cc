"""The tasks that data sets ask for and models can do. To add one: a `Task` in a file here, and one line in `TASKS`."""

from learning_tasks.base import Batch, Task
from learning_tasks.classification import BINARY, MULTICLASS
from learning_tasks.regression import REGRESSION

TASKS: dict[str, Task] = {
    "regression": REGRESSION,
    "binary": BINARY,
    "multiclass": MULTICLASS,
}

__all__ = ["TASKS", "Batch", "Task"]
