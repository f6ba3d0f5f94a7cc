"""What is measured of a whole part: in evaluation mode, and against the true labels where those given are noisy."""

import math
from functools import partialmethod

import pytest
import torch

from data.parts import TensorPart
from learning_tasks import TASKS
from lightning_modules import MODELS
from sweeps.training.objective import measured
from tracking import schema
from tracking.schema import Outcome

MEASURED = measured(TASKS["multiclass"].metrics)
TESTED = {"test/loss", "test/error"}


@pytest.mark.parametrize("model", [{"norm": "batch"}, {"dropout": 0.5}])
def test_measuring_is_done_in_evaluation_mode(configuration, run, rebuilt, measured, model, tmp_path):
    settings = configuration("mlp", "digits", model=model, trainer={"max_epochs": 1})
    result, log = run(settings, scratch=tmp_path)
    data, module = rebuilt(settings, log.weights())
    assert result.metrics["train_eval/loss"] == pytest.approx(measured(module, data.parts.train)["loss"], rel=1e-4)


@pytest.mark.parametrize(("model", "data"), [("linear_regression", "diabetes"), ("mlp", "iris")])
def test_measuring_in_several_batches_changes_nothing(configuration, run, timeless, model, data, monkeypatch):
    whole, _ = run(configuration(model, data))
    monkeypatch.setattr(TensorPart, "__init__", partialmethod(TensorPart.__init__, at_once=7))
    pieces, _ = run(configuration(model, data))
    assert timeless(pieces.metrics) == pytest.approx(timeless(whole.metrics), rel=1e-5)


# The error on the true labels


NOISY = {schema.TRAIN_EVAL_CLEAN_ERROR, schema.MEMORISED}
NOISY_SETS = [
    ("mlp", "iris", {"label_noise": 0.3}, NOISY),
    ("logistic_regression", "moons", {"label_noise": 0.2}, NOISY),
    ("linear_regression", "diabetes", {"label_noise": 0.5}, NOISY),
    ("linear_regression", "noisy_curve", {"noise": 0.4}, {*NOISY, schema.VAL_CLEAN_ERROR}),
    ("mlp", "noisy_curve", {"noise": 0.4, "label_noise": 0.5}, {*NOISY, schema.VAL_CLEAN_ERROR}),
]


def error_by_hand(module, inputs, targets):
    with torch.no_grad():
        outputs = module(inputs)
    if module.task.name == "regression":
        return math.sqrt(float((outputs[:, 0] - targets).square().mean()))
    answers = outputs.argmax(dim=1) if module.task.name == "multiclass" else (outputs[:, 0] > 0).long()
    return sum(int(answer != target) for answer, target in zip(answers, targets, strict=True)) / len(targets)


@pytest.mark.parametrize(("model", "data", "noise", "names"), NOISY_SETS)
def test_the_error_on_true_labels_is_that_of_the_same_answers(
    configuration, run, rebuilt, model, data, noise, names, tmp_path
):
    settings = configuration(model, data, data=noise, trainer={"max_epochs": 1})
    result, log = run(settings, scratch=tmp_path)
    assert set(result.metrics) == set(MEASURED) | TESTED | names
    noisy, module = rebuilt(settings, log.weights())
    clean, _ = rebuilt(configuration(model, data, data={"noise": 0.0} if data == "noisy_curve" else {}))
    (inputs, targets), true = noisy.parts.train.batch(slice(None)), clean.parts.train.targets
    assert not torch.equal(targets, true)
    metrics = result.metrics
    assert metrics["train_eval/clean_error"] == pytest.approx(error_by_hand(module, inputs, true), rel=1e-4)
    assert metrics["train_eval/error"] == pytest.approx(error_by_hand(module, inputs, targets), rel=1e-4)
    if schema.VAL_CLEAN_ERROR in names:
        inputs, true = noisy.parts.validation.inputs, clean.parts.validation.targets
        assert metrics["val/clean_error"] == pytest.approx(error_by_hand(module, inputs, true), rel=1e-4)


def test_the_error_on_true_labels_takes_no_second_look_at_the_examples(configuration, run, monkeypatch):
    sizes = []
    forward = MODELS["mlp"].forward
    monkeypatch.setattr(MODELS["mlp"], "forward", lambda module, x: sizes.append(len(x)) or forward(module, x))
    looks = []
    for noise in (0.0, 0.3):
        run(configuration(data={"label_noise": noise}))
        looks.append(sizes.copy())
        sizes.clear()
    assert looks[0] == looks[1]


@pytest.mark.parametrize("precision", [64, "bf16-mixed"])
def test_the_error_on_true_labels_in_another_precision(configuration, run, precision):
    result, _ = run(configuration("mlp", "noisy_curve", trainer={"precision": precision}))
    assert result.outcome is Outcome.OK and math.isfinite(result.metrics["train_eval/clean_error"])


@pytest.mark.parametrize("precision", [32, 64])
def test_a_run_on_noisy_targets_may_diverge(configuration, run, precision):
    settings = configuration("linear_regression", "noisy_curve", optimizer={"lr": 1e6}, trainer={"max_epochs": 40})
    settings["trainer"]["precision"] = precision
    result, _ = run(settings)
    assert result.outcome is Outcome.DIVERGED and all(map(math.isfinite, result.metrics.values()))


def memorised(task, error, clean_error, targets, clean):
    return TASKS[task]().memorised(error, clean_error, torch.tensor(targets), torch.tensor(clean))


def test_how_much_of_the_error_wrong_labels_make_by_hand():
    wrong = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]  # two of ten are wrong
    assert memorised("binary", 0.0, 0.2, *wrong) == pytest.approx(0.2), "both are memorised, nothing else is wrong"
    assert memorised("binary", 0.2, 0.0, *wrong) == 0, "it has learnt the truth"
    assert memorised("binary", 0.1, 0.1, *wrong) == pytest.approx(0.1), "one is memorised, nothing else is wrong"
    assert memorised("binary", 0.1, 0.3, *wrong) == pytest.approx(0.2), "both are, and one of the others is wrong"
    assert memorised("binary", 0.3, 0.1, *wrong) == 0, "it errs on one of the others"
    assert memorised("binary", 0.0, 0.0, [0, 1], [0, 1]) == 0
    # A line of least squares through 6 noisy points of a line: what it errs from the line, it has from the noise.
    x = torch.linspace(-1, 1, 6, dtype=torch.float64)
    noise = torch.tensor([1.0, -1.0, 0.5, 0.0, -2.0, 1.5], dtype=torch.float64)
    design = torch.stack([x, torch.ones_like(x)], dim=1)
    line = design @ torch.linalg.lstsq(design, (x + noise)[:, None]).solution[:, 0]
    error, clean_error = (float((line - y).square().mean().sqrt()) for y in (x + noise, x))
    fitted = (x + noise).tolist(), x.tolist()
    assert clean_error > 0
    assert memorised("regression", error, clean_error, *fitted) == pytest.approx(clean_error, rel=5e-3)
    # One that is off by 3 everywhere has learnt nothing of the noise but its mean, which is 0 here.
    assert memorised("regression", math.sqrt(10.0), 3.0, [1.0, -1.0], [0.0, 0.0]) == 0
