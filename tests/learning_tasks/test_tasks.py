"""Each task against scikit-learn, torchmetrics and torch; what holds for all; and who has to know the same tasks."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import (
    brier_score_loss,
    f1_score,
    hamming_loss,
    hinge_loss,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    root_mean_squared_error,
    zero_one_loss,
)
from torch.nn import functional as F
from torchmetrics.text import Perplexity

from app.shared.metrics import TASK_LABELS
from data import DATASETS
from learning_tasks import IGNORED, TASKS
from learning_tasks.base import numbers
from learning_tasks.language import LanguageModel
from lightning_modules import MODELS

OUTPUTS = {"regression": 1, "binary": 1, "multiclass": 4, "multilabel": 3, "node_classification": 4}
TEXTS = ("language_model", "translation")
IGNORING = (*TEXTS, "node_classification")
"""The tasks whose targets may be IGNORED."""
CLASSES = {"binary": 2, "multiclass": 4}
VARIANTS = [(name, loss) for name, task in TASKS.items() for loss in task.losses]
every_loss = pytest.mark.parametrize(("name", "loss"), VARIANTS)
every_task = pytest.mark.parametrize("name", list(TASKS))


def batch(name, size=50, seed=0, dtype=torch.float32):
    """Outputs and targets of a model that knows nothing."""
    random = torch.Generator().manual_seed(seed)
    if name in TEXTS:
        outputs = 2 * torch.randn(size, 6, 9, generator=random, dtype=dtype)
        targets = torch.randint(0, 9, (size, 6), generator=random)
        return outputs, targets.where(torch.rand(size, 6, generator=random) < 0.7, IGNORED)
    outputs = 2 * torch.randn(size, OUTPUTS[name], generator=random, dtype=dtype)
    if name == "regression":
        return outputs, torch.randn(size, generator=random, dtype=dtype)
    if name == "multilabel":
        return outputs, torch.randint(0, 2, (size, 3), generator=random)
    targets = torch.randint(0, CLASSES.get(name, 4), (size,), generator=random)
    if name == "node_classification":
        targets = targets.where(torch.rand(size, generator=random) < 0.7, IGNORED)
    return outputs, targets


def scores(task, *batches):
    """The scores over batches, their sums added up."""
    sums = [numbers(task.sums(*batch)) for batch in batches]
    return task.scores({key: sum(one[key] for one in sums) for key in sums[0]})


# What holds for every task


@every_loss
def test_sums_of_pieces_add_up_to_those_of_the_whole(name, loss):
    task, (outputs, targets) = TASKS[name](loss_name=loss), batch(name)
    whole = numbers(task.sums(outputs, targets))
    pieces = [numbers(task.sums(outputs[rows], targets[rows])) for rows in (slice(0, 20), slice(20, 21), slice(21, 50))]
    for key, value in whole.items():
        assert value.dtype == np.float64
        total = sum(piece[key] for piece in pieces)
        if key in ("loss", "squared", "absolute"):
            np.testing.assert_allclose(total, value, rtol=1e-6)
        else:
            np.testing.assert_array_equal(total, value)
    assert list(task.scores(whole)) == [metric.name for metric in task.metrics]


@every_loss
def test_the_measured_loss_is_the_one_that_is_minimised(name, loss):
    task, (outputs, targets) = TASKS[name](loss_name=loss), batch(name, dtype=torch.float64)
    assert scores(task, (outputs, targets))["loss"] == pytest.approx(float(task.loss(outputs, targets)), rel=1e-12)
    assert int(task.count(targets)) == int(numbers(task.sums(outputs, targets))["n"])


@pytest.mark.parametrize("name", IGNORING)
def test_a_batch_in_which_nothing_counts_has_loss_0_and_gradient_0(name):
    task, (outputs, targets) = TASKS[name](), batch(name)
    outputs.requires_grad_()
    loss = task.loss(outputs, torch.full_like(targets, IGNORED))
    loss.backward()
    assert loss.item() == 0 and torch.equal(outputs.grad, torch.zeros_like(outputs))
    assert scores(task, (outputs, torch.full_like(targets, IGNORED)))["loss"] == 0


@pytest.mark.parametrize("name", IGNORING)
def test_what_is_ignored_changes_nothing(name):
    task, (outputs, targets) = TASKS[name](), batch(name)
    ignored = targets == IGNORED
    other = outputs + 100 * ignored[..., None] * torch.randn(outputs.shape)
    assert task.loss(other, targets) == task.loss(outputs, targets)
    assert scores(task, (other, targets)) == scores(task, (outputs, targets))


@every_loss
def test_under_vmap_losses_and_sums_are_those_of_a_loop(name, loss):
    task = TASKS[name](loss_name=loss)
    batches = [batch(name, seed=seed) for seed in range(3)]
    outputs, targets = (torch.stack(parts) for parts in zip(*batches, strict=True))
    together = torch.vmap(task.loss)(outputs, targets)
    torch.testing.assert_close(together, torch.stack([task.loss(*one) for one in batches]))
    sums = torch.vmap(task.sums)(outputs, targets)
    for index, one in enumerate(batches):
        for key, value in task.sums(*one).items():
            torch.testing.assert_close(sums[key][index], value)


SMOOTHED = [name for name, task in TASKS.items() if task.smooths]


@pytest.mark.parametrize("name", SMOOTHED)
def test_label_smoothing_mixes_the_target_with_all_classes_whether_a_number_or_a_tensor(name):
    outputs, targets = batch(name)
    logs = TASKS[name]().probabilities(outputs).log().flatten(0, -2)
    places = targets.flatten()
    logs, places = logs[places != IGNORED], places[places != IGNORED]
    expected = -(0.75 * logs[range(len(places)), places] + 0.25 * logs.mean(dim=1)).mean()
    for share in (0.25, torch.tensor(0.25)):
        task = TASKS[name](smoothing=share)
        torch.testing.assert_close(task.loss(outputs, targets), expected)
        assert scores(task, (outputs, targets)) == scores(TASKS[name](), (outputs, targets)), "measured without"
    shares = torch.tensor([0.0, 0.25])
    both = torch.vmap(lambda share: TASKS[name](smoothing=share).loss(outputs, targets))(shares)
    torch.testing.assert_close(both, torch.stack([TASKS[name]().loss(outputs, targets), expected]))


@every_task
def test_an_unknown_loss_is_refused_with_those_there_are(name):
    with pytest.raises(ValueError, match=rf"loss: 'ranking' is not allowed for the task {name}; allowed: auto, "):
        TASKS[name](loss_name="ranking")


def test_models_and_data_sets_have_known_tasks_and_the_form_has_words_for_them():
    models = {task for model in MODELS.values() for task in model.tasks}
    data_sets = {task for data in DATASETS.values() for task in data.tasks or (data.task,)}
    assert models == data_sets == set(TASKS) == set(TASK_LABELS)


# Against scikit-learn, torchmetrics and torch


def test_regression_is_measured_as_scikit_learn_does():
    outputs, targets = batch("regression", dtype=torch.float64)
    task = TASKS["regression"]
    squared, absolute = (scores(task(loss_name=loss), (outputs, targets)) for loss in ("auto", "absolute"))
    assert squared["loss"] == pytest.approx(mean_squared_error(targets, outputs[:, 0]), rel=1e-12)
    assert absolute["loss"] == pytest.approx(mean_absolute_error(targets, outputs[:, 0]), rel=1e-12)
    error = pytest.approx(root_mean_squared_error(targets, outputs[:, 0]), rel=1e-12)
    assert squared["error"] == error and absolute["error"] == error


@pytest.mark.parametrize("name", CLASSES)
def test_a_classification_is_measured_as_scikit_learn_does(name):
    outputs, targets = batch(name, dtype=torch.float64)
    probabilities = TASKS[name]().probabilities(outputs)
    assert probabilities.shape == (50, CLASSES[name])
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(50, dtype=torch.float64))
    labels = list(range(CLASSES[name]))
    p, y = probabilities.numpy(), targets.numpy()
    decision = outputs[:, 0].numpy() if name == "binary" else outputs.numpy()
    expected = {
        "cross_entropy": log_loss(y, p, labels=labels),
        "squared": brier_score_loss(y, p, labels=labels, scale_by_half=False),
        "absolute": 2 * (1 - p[range(50), y].mean()),
        "hinge": hinge_loss(y, decision, labels=labels),
    }
    assert set(expected) == set(TASKS[name].losses)
    for loss, value in expected.items():
        measured = scores(TASKS[name](loss_name=loss), (outputs, targets))
        assert measured["loss"] == pytest.approx(value, rel=1e-10), loss
        wrong = zero_one_loss(y, p.argmax(axis=1), normalize=False)
        assert measured["error"] == wrong / 50, "0-1 is always reported, exactly k/n"


def test_multilabel_is_measured_as_scikit_learn_does():
    outputs, targets = batch("multilabel", dtype=torch.float64)
    targets[:, 1] = 0  # a label that never occurs
    outputs[:, 1] = -1.0  # and is never given
    given = outputs > 0
    measured = scores(TASKS["multilabel"](), (outputs[:20], targets[:20]), (outputs[20:], targets[20:]))
    assert measured["error"] == pytest.approx(hamming_loss(targets, given), rel=1e-12)
    for average in ("micro", "macro"):
        expected = f1_score(targets, given, average=average, zero_division=0)
        assert measured[f"f1_{average}"] == pytest.approx(expected, rel=1e-12)
    losses = [log_loss(targets[:, k], outputs[:, k].sigmoid(), labels=[0, 1]) for k in range(3)]
    assert measured["loss"] == pytest.approx(np.mean(losses), rel=1e-10)


def test_the_f1_of_labels_that_neither_occur_nor_are_given_is_0():
    measured = scores(TASKS["multilabel"](), (-torch.ones(4, 3), torch.zeros(4, 3, dtype=torch.int64)))
    assert measured["f1_micro"] == measured["f1_macro"] == measured["error"] == 0


@pytest.mark.parametrize("name", TEXTS)
def test_tokens_are_measured_as_torch_and_torchmetrics_do(name):
    outputs, targets = batch(name, dtype=torch.float64)
    measured = scores(TASKS[name](), (outputs[:20], targets[:20]), (outputs[20:], targets[20:]))
    loss = F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)
    assert measured["loss"] == pytest.approx(loss.item(), rel=1e-12)
    perplexity = Perplexity(ignore_index=IGNORED)
    perplexity.update(outputs, targets)
    assert measured["perplexity"] == pytest.approx(perplexity.compute().item(), rel=1e-6)
    counted = targets != IGNORED
    wrong = int((outputs.argmax(dim=-1) != targets)[counted].sum())
    assert measured["error"] == wrong / int(counted.sum()), "exactly k/n"


def test_bits_per_character_are_those_of_the_text_however_it_is_cut_into_tokens():
    outputs, targets = batch("language_model", dtype=torch.float64)
    table = (1, 2, 3, 1, 1, 1, 5, 1, 1)
    measured = scores(LanguageModel(characters=table), (outputs, targets))
    counted = targets[targets != IGNORED]
    nats = measured["loss"] * len(counted)
    assert measured["bits_per_character"] == pytest.approx(nats / math.log(2) / sum(table[t] for t in counted.tolist()))
    alone = scores(LanguageModel(), (outputs, targets))
    assert alone["bits_per_character"] == pytest.approx(math.log2(alone["perplexity"]))


def test_a_perplexity_beyond_all_numbers_is_infinite():
    outputs = torch.tensor([[[0.0, 1e4]]])
    assert scores(TASKS["language_model"](), (outputs, torch.tensor([[0]])))["perplexity"] == math.inf


# The best constant answer


@pytest.mark.parametrize("name", [*TEXTS, "node_classification", "multiclass"])
def test_the_constant_answer_is_the_shares_of_the_classes(name):
    _, targets = batch(name)
    counted = targets[targets != IGNORED].numpy()
    counts = np.bincount(counted)
    constant = TASKS[name]().constant(targets)
    assert constant["loss"] == pytest.approx(stats.entropy(counts), rel=1e-9)
    assert constant["error"] == pytest.approx(1 - counts.max() / counts.sum())
    if name in TEXTS:
        assert constant["perplexity"] == pytest.approx(np.exp(stats.entropy(counts)), rel=1e-9)


@every_loss
def test_no_constant_answer_has_a_smaller_loss(name, loss):
    task, (_, targets) = TASKS[name](loss_name=loss), batch(name)
    random = torch.Generator().manual_seed(1)
    shape = (200, 9) if name in TEXTS else (200, OUTPUTS[name])
    for answer in 3 * torch.randn(shape, generator=random):
        outputs = answer.expand(*targets.shape, -1) if name in TEXTS else answer.expand(len(targets), -1)
        assert task.loss(outputs, targets) >= task.constant(targets)["loss"] - 1e-6
