"""Each task against scikit-learn, and who has to know the same tasks."""

import pytest
import torch
from sklearn.metrics import log_loss, mean_squared_error, root_mean_squared_error, zero_one_loss

from app.launch.form import TASK_LABELS
from data import DATASETS
from learning_tasks import TASKS
from lightning_modules import MODELS

CLASSES = {"binary": 2, "multiclass": 4}


def batch(task, size=50):
    """Outputs and targets of a model that knows nothing."""
    random = torch.Generator().manual_seed(0)
    columns = CLASSES[task] if task == "multiclass" else 1
    outputs = 2 * torch.randn(size, columns, generator=random)
    if task == "regression":
        return outputs, torch.randn(size, generator=random)
    return outputs, torch.randint(0, CLASSES[task], (size,), generator=random)


def test_regression_is_measured_as_scikit_learn_does():
    outputs, targets = batch("regression")
    task = TASKS["regression"]
    assert float(task.loss(outputs, targets)) == pytest.approx(mean_squared_error(targets, outputs[:, 0]), rel=1e-6)
    assert float(task.error(outputs, targets)) == pytest.approx(
        root_mean_squared_error(targets, outputs[:, 0]), rel=1e-6
    )
    assert task.probabilities is None and task.smoothed is None


@pytest.mark.parametrize("name", CLASSES)
def test_a_classification_is_measured_as_scikit_learn_does(name):
    outputs, targets = batch(name)
    task = TASKS[name]
    probabilities = task.probabilities(outputs)
    assert probabilities.shape == (50, CLASSES[name])
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(50))
    labels = range(CLASSES[name])
    loss = log_loss(targets.numpy(), task.probabilities(outputs.double()).numpy(), labels=labels)
    assert float(task.loss(outputs, targets)) == pytest.approx(loss, rel=1e-5)
    answers = probabilities.argmax(dim=1)
    assert float(task.error(outputs, targets)) == pytest.approx(zero_one_loss(targets, answers))


@pytest.mark.parametrize("name", CLASSES)
def test_label_smoothing_mixes_the_target_with_all_classes(name):
    outputs, targets = batch(name)
    logs = TASKS[name].probabilities(outputs).log()
    expected = -(0.75 * logs[range(len(targets)), targets] + 0.25 * logs.mean(dim=1)).mean()
    torch.testing.assert_close(TASKS[name].smoothed(outputs, targets, 0.25), expected)


def test_models_and_data_sets_have_known_tasks_and_the_form_has_words_for_them():
    models = {task for model in MODELS.values() for task in model.tasks}
    data_sets = {task for data in DATASETS.values() for task in data.tasks or (data.task,)}
    assert models == data_sets == set(TASKS) == set(TASK_LABELS)
