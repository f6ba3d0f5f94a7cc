"""One run from its configuration to its result: numbers checked by hand, and every way a run can end."""

import json
import logging
import math
import os
import re
import signal
import warnings

import numpy as np
import pytest
import torch

from data import DATASETS
from data.parts import Part
from lightning_modules import MODELS
from sweeps.training import evaluation, measuring, predictions
from sweeps.training.evaluation import against_truth
from sweeps.training.hardware import choose_device, lightning_precision
from sweeps.training.objective import MEASURED
from sweeps.training.train import train
from tracking import schema
from tracking.schema import Outcome

TESTED = {"test/loss", "test/error"}


def configuration(model="mlp", data="iris", /, **more):
    """A small one: sections as dictionaries are laid over the defaults."""
    base = {
        "model": {"name": model, **({"hidden_sizes": [8]} if model == "mlp" else {})},
        "data": {"name": data, "batch_size": 16},
        "optimizer": {"name": "sgd", "lr": 0.05},
        "schedule": {"name": "constant"},
        "regularization": {"l1": 0.0, "l2": 0.0, "early_stopping_patience": 0},
        "trainer": {"max_epochs": 3, "device": "cpu", "precision": 32, "gradient_clip_val": 0.0},
        "keep": "best",
        "objective": {"metric": "val/loss", "direction": "minimize", "at": "last"},
        "seeds": {"data": 0, "init": 0, "order": 0},
    }
    for section, fields in more.items():
        base[section] = {**base[section], **fields} if isinstance(fields, dict) else fields
    return base


class Log:
    """Keeps what a run reports."""

    def __init__(self):
        self.records = []

    def __call__(self, kind, record):
        self.records.append((kind, record))

    def of(self, kind):
        return [record for seen, record in self.records if seen == kind]

    @property
    def metrics(self):
        return [record["metrics"] for record in self.of("metrics")]

    def path(self, name):
        return [metrics[name] for metrics in self.metrics]


def run(settings, **options):
    log = Log()
    return train(settings, report=log, **options), log


def timeless(metrics):
    return {name: value for name, value in metrics.items() if not name.startswith("time/")}


def files(log):
    return {file["artifact"]: file["path"] for file in log.of("file")}


def saved(log):
    return torch.load(files(log)[schema.WEIGHTS_FILE], weights_only=True)


def predicted(log):
    with np.load(files(log)[schema.PREDICTIONS_FILE], allow_pickle=False) as arrays:
        return dict(arrays)


def rebuilt(settings, weights=None):
    """The data of a run, and its model in evaluation mode with these weights (or as it started)."""
    fields = {key: value for key, value in settings["data"].items() if key != "name"}
    seeds = settings["seeds"]
    data = DATASETS[settings["data"]["name"]](**fields, seed_data=seeds["data"], seed_order=seeds["order"])
    fields = {key: value for key, value in settings["model"].items() if key != "name"}
    with torch.random.fork_rng():
        torch.manual_seed(seeds["init"])
        module = MODELS[settings["model"]["name"]](**data.dims, **fields)
    if weights:
        module.load_state_dict(weights)
    return data, module.eval()


def measured(module, part):
    with torch.no_grad():
        return {name: float(value) for name, value in module.evaluate(part[slice(None)]).items()}


# What is reported


@pytest.mark.parametrize(
    ("model", "data"),
    [
        ("linear_regression", "diabetes"),
        ("logistic_regression", "moons"),
        ("softmax_regression", "wine"),
        ("mlp", "blobs"),
    ],
)
def test_a_run_reports_itself_once_and_its_metrics_each_epoch(model, data, tmp_path):
    settings = configuration(model, data)
    result, log = run(settings, scratch=tmp_path)
    assert (result.outcome, result.error, result.traceback) == (Outcome.OK, None, None)
    assert [kind for kind, _ in log.records if kind != "file"] == ["info", "metrics", "metrics", "metrics"]
    expected = {schema.WEIGHTS_FILE, schema.LAYERS_FILE}
    expected |= {schema.PREDICTIONS_FILE} if data != "diabetes" else set()
    expected |= {schema.REGIONS_FILE} if data in ("moons", "blobs") else set()
    assert set(files(log)) == expected and len(log.records) == 4 + len(expected)
    json.dumps(log.records)
    assert [record["step"] for record in log.of("metrics")] == [1, 2, 3]
    times = [record["time"] for record in log.of("metrics")]
    assert times == sorted(times)
    assert [set(metrics) for metrics in log.metrics] == [set(MEASURED), set(MEASURED), set(MEASURED) | TESTED]
    assert result.metrics == log.metrics[-1]
    assert result.objective == result.metrics["val/loss"]
    assert result.epochs == 3
    seconds = log.path("time/train_s")
    assert seconds == sorted(seconds) and 0 < seconds[-1] < result.seconds


def test_the_info_names_the_data_and_counts_the_parameters():
    _, log = run(configuration("mlp", "iris"))
    (info,) = log.of("info")
    assert info["parameters"] == 4 * 8 + 8 + 8 * 3 + 3
    assert info["dataset"]["name"] == "iris"
    assert info["dataset"]["digest"] == info["tags"]["data_hash"] == DATASETS["iris"]().digest
    assert info["dataset"]["profile"] == {
        "train": 96, "validation": 24, "test": 30, "input_shape": [4], "num_outputs": 3, "task": "multiclass",
    }  # fmt: skip


def test_only_three_sections_are_needed():
    sections = {"model": {"name": "softmax_regression"}, "data": {"name": "iris"}, "optimizer": {"name": "adam"}}
    assert train(sections).epochs == 20


# The numbers


def test_the_first_step_by_hand():
    settings = configuration(
        "linear_regression", "diabetes", model={"initialization": "normal", "init_std": 1.0}, optimizer={"lr": 0.01},
        data={"batch_size": "full"}, trainer={"max_epochs": 1}, regularization={"l2": 0.5},
    )  # fmt: skip
    result, _ = run(settings)
    data, module = rebuilt(settings)
    inputs, targets = data.parts.train[slice(None)]
    with torch.no_grad():
        weight, bias = module.linear.weight[0], module.linear.bias
        residual = inputs @ weight + bias - targets
        gradient = torch.cat([2 * inputs.T @ residual / len(targets) + 0.5 * weight, 2 * residual.mean()[None]])
        parameters = torch.cat([weight, bias]) - 0.01 * gradient
    assert result.metrics["train/loss"] == pytest.approx(float(residual.square().mean()), rel=1e-5)
    assert result.metrics["opt/grad_norm"] == pytest.approx(float(gradient.norm()), rel=1e-5)
    assert result.metrics["opt/update_norm"] == pytest.approx(0.01 * float(gradient.norm()), rel=1e-4)
    assert result.metrics["opt/param_norm"] == pytest.approx(float(parameters.norm()), rel=1e-5)
    assert result.metrics["reg/penalty"] == pytest.approx(0.25 * float(parameters[:-1].square().sum()), rel=1e-5)
    after = inputs @ parameters[:-1] + parameters[-1] - targets
    assert result.metrics["train_eval/loss"] == pytest.approx(float(after.square().mean()), rel=1e-4)
    assert result.metrics["train_eval/error"] == pytest.approx(float(after.square().mean().sqrt()), rel=1e-4)
    assert result.metrics["opt/steps"] == 1


@pytest.mark.parametrize(("optimizer", "norm"), [("sgd", "none"), ("adam", "none"), ("sgd", "batch")])
def test_a_run_takes_the_steps_of_a_plain_loop(optimizer, norm):
    settings = configuration(
        model={"norm": norm}, optimizer={"name": optimizer}, data={"batch_size": 10}, trainer={"max_epochs": 4}
    )
    result, log = run(settings)
    data, module = rebuilt(settings)
    module.train()
    steps = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer](module.parameters(), lr=0.05)
    loader = data.train_dataloader()
    losses, norms = [], []
    for _ in range(4):
        for batch in loader:
            steps.zero_grad()
            loss = module.loss(batch)
            loss.backward()
            norms.append(float(torch.cat([p.grad.flatten() for p in module.parameters()]).norm()))
            losses.append((float(loss.detach()), len(batch[1])))
            steps.step()
    last = losses[-len(loader) :]
    assert result.metrics["train/loss"] == pytest.approx(
        sum(loss * size for loss, size in last) / sum(size for _, size in last), rel=1e-4
    )
    assert result.metrics["opt/grad_norm"] == pytest.approx(sum(norms[-len(loader) :]) / len(loader), rel=1e-3)
    assert log.path("opt/steps") == [len(loader) * epoch for epoch in (1, 2, 3, 4)]
    module.eval()
    for split, part in (("val", data.parts.validation), ("train_eval", data.parts.train_eval)):
        by_hand = measured(module, part)
        assert result.metrics[f"{split}/loss"] == pytest.approx(by_hand["loss"], rel=1e-3)
        assert result.metrics[f"{split}/error"] == pytest.approx(by_hand["error"])


@pytest.mark.parametrize("model", [{"norm": "batch"}, {"dropout": 0.5}])
def test_measuring_is_done_in_evaluation_mode(model, tmp_path):
    settings = configuration("mlp", "digits", model=model, trainer={"max_epochs": 1})
    result, log = run(settings, scratch=tmp_path)
    data, module = rebuilt(settings, saved(log))
    assert result.metrics["train_eval/loss"] == pytest.approx(measured(module, data.parts.train)["loss"], rel=1e-4)


@pytest.mark.parametrize(("model", "data"), [("linear_regression", "diabetes"), ("mlp", "iris")])
def test_measuring_in_several_batches_changes_nothing(model, data, monkeypatch):
    whole, _ = run(configuration(model, data))
    monkeypatch.setattr(evaluation, "EVALUATION_BATCH", 7)
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
    if module.task == "regression":
        return math.sqrt(float((outputs[:, 0] - targets).square().mean()))
    answers = outputs.argmax(dim=1) if module.task == "multiclass" else (outputs[:, 0] > 0).long()
    return sum(int(answer != target) for answer, target in zip(answers, targets, strict=True)) / len(targets)


@pytest.mark.parametrize(("model", "data", "noise", "names"), NOISY_SETS)
def test_the_error_on_true_labels_is_that_of_the_same_answers(model, data, noise, names, tmp_path):
    settings = configuration(model, data, data=noise, trainer={"max_epochs": 1})
    result, log = run(settings, scratch=tmp_path)
    assert set(result.metrics) == set(MEASURED) | TESTED | names
    noisy, module = rebuilt(settings, saved(log))
    clean, _ = rebuilt(configuration(model, data, data={"noise": 0.0} if data == "noisy_curve" else {}))
    (inputs, targets), true = noisy.parts.train[slice(None)], clean.parts.train.targets
    assert not torch.equal(targets, true)
    metrics = result.metrics
    assert metrics["train_eval/clean_error"] == pytest.approx(error_by_hand(module, inputs, true), rel=1e-4)
    assert metrics["train_eval/error"] == pytest.approx(error_by_hand(module, inputs, targets), rel=1e-4)
    if schema.VAL_CLEAN_ERROR in names:
        inputs, true = noisy.parts.validation.inputs, clean.parts.validation.targets
        assert metrics["val/clean_error"] == pytest.approx(error_by_hand(module, inputs, true), rel=1e-4)


def test_the_error_on_true_labels_takes_no_second_look_at_the_examples(monkeypatch):
    seen = []
    forward = MODELS["mlp"].forward
    monkeypatch.setattr(MODELS["mlp"], "forward", lambda module, x: seen.append(len(x)) or forward(module, x))
    looks = []
    for noise in (0.0, 0.3):
        run(configuration(data={"label_noise": noise}))
        looks.append(seen.copy())
        seen.clear()
    assert looks[0] == looks[1]


@pytest.mark.parametrize("precision", [64, "bf16-mixed"])
def test_the_error_on_true_labels_in_another_precision(precision):
    result, _ = run(configuration("mlp", "noisy_curve", trainer={"precision": precision}))
    assert result.outcome is Outcome.OK and math.isfinite(result.metrics["train_eval/clean_error"])


@pytest.mark.parametrize("precision", [32, 64])
def test_a_run_on_noisy_targets_may_diverge(precision):
    settings = configuration("linear_regression", "noisy_curve", optimizer={"lr": 1e6}, trainer={"max_epochs": 40})
    settings["trainer"]["precision"] = precision
    result, _ = run(settings)
    assert result.outcome is Outcome.DIVERGED and all(map(math.isfinite, result.metrics.values()))


def noisy_part(targets, clean):
    return Part(torch.zeros(len(targets), 1), torch.tensor(targets), torch.tensor(clean))


def memorised(*measured):
    return against_truth(*measured)[schema.MEMORISED]


def test_how_much_of_the_error_wrong_labels_make_by_hand():
    wrong = noisy_part([1, 1, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0])  # two of ten are wrong
    assert memorised(0.0, 0.2, wrong, 1) == pytest.approx(0.2), "both are memorised, nothing else is wrong"
    assert memorised(0.2, 0.0, wrong, 1) == 0, "it has learnt the truth"
    assert memorised(0.1, 0.1, wrong, 1) == pytest.approx(0.1), "one of them is memorised, nothing else is wrong"
    assert memorised(0.1, 0.3, wrong, 1) == pytest.approx(0.2), "both are, and one of the others is wrong"
    assert memorised(0.3, 0.1, wrong, 1) == 0, "it errs on one of the others"
    assert memorised(0.0, 0.0, noisy_part([0, 1], [0, 1]), 1) == 0
    # A line of least squares through 6 noisy points of a line: what it errs from the line, it has from the noise.
    x = torch.linspace(-1, 1, 6, dtype=torch.float64)
    noise = torch.tensor([1.0, -1.0, 0.5, 0.0, -2.0, 1.5], dtype=torch.float64)
    design = torch.stack([x, torch.ones_like(x)], dim=1)
    line = design @ torch.linalg.lstsq(design, (x + noise)[:, None]).solution[:, 0]
    error, clean_error = (float((line - y).square().mean().sqrt()) for y in (x + noise, x))
    fitted = noisy_part((x + noise).tolist(), x.tolist())
    assert clean_error > 0 and memorised(error, clean_error, fitted, 2) == pytest.approx(clean_error, rel=5e-3)
    # One that is off by 3 everywhere has learnt nothing of the noise but its mean, which is 0 here.
    centred = noisy_part([1.0, -1.0], [0.0, 0.0])
    assert memorised(math.sqrt(10.0), 3.0, centred, 2) == 0


@pytest.mark.parametrize(("model", "data"), [("softmax_regression", "wine"), ("logistic_regression", "breast_cancer")])
def test_label_smoothing_changes_the_step_and_no_measured_loss(model, data):
    settings = configuration(
        model, data, model={"initialization": "normal", "init_std": 1.0}, regularization={"label_smoothing": 0.3},
        data={"batch_size": "full"}, trainer={"max_epochs": 1},
    )  # fmt: skip
    result, _ = run(settings)
    data, module = rebuilt(settings)
    inputs, targets = data.parts.train[slice(None)]
    assert result.metrics["train/loss"] == pytest.approx(float(module.loss((inputs, targets)).detach()), rel=1e-5)
    outputs = module(inputs)
    logits = torch.cat([torch.zeros_like(outputs), outputs], dim=1) if module.task == "binary" else outputs
    torch.nn.functional.cross_entropy(logits, targets, label_smoothing=0.3).backward()
    gradient = torch.cat([parameter.grad.flatten() for parameter in module.parameters()])
    assert result.metrics["opt/grad_norm"] == pytest.approx(float(gradient.norm()), rel=1e-5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter -= 0.05 * parameter.grad
    assert result.metrics["val/loss"] == pytest.approx(measured(module, data.parts.validation)["loss"], rel=1e-4)


def test_the_schedule_sets_the_learning_rate_of_each_epoch():
    schedule = {"name": "inverse_time", "decay": 1.0, "warmup_epochs": 1}
    _, log = run(configuration(schedule=schedule, trainer={"max_epochs": 4}))
    assert log.path("opt/lr") == pytest.approx([0.05 / 2, 0.05, 0.05 / 2, 0.05 / 3])


def test_clipping_shortens_the_step_and_not_the_measured_gradient():
    settings = {"data": {"batch_size": "full"}, "optimizer": {"lr": 1.0}}
    free, _ = run(configuration(**settings, trainer={"max_epochs": 1}))
    clipped, _ = run(configuration(**settings, trainer={"max_epochs": 1, "gradient_clip_val": 0.01}))
    assert clipped.metrics["opt/grad_norm"] == free.metrics["opt/grad_norm"] > 0.01
    assert clipped.metrics["opt/update_norm"] == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("precision", [64, "bf16-mixed"])
def test_precision(precision):
    result, _ = run(configuration(trainer={"precision": precision}))
    single, _ = run(configuration())
    assert result.outcome is Outcome.OK
    assert result.metrics["val/loss"] == pytest.approx(single.metrics["val/loss"], rel=0.05)
    assert result.metrics["val/loss"] != single.metrics["val/loss"]


# Selection


OVERFITTING = {
    "data": {"train_size": 20, "label_noise": 0.4, "batch_size": "full"}, "optimizer": {"name": "adam", "lr": 0.05},
    "trainer": {"max_epochs": 40}, "model": {"hidden_sizes": [64]},
}  # fmt: skip


def test_the_test_part_is_measured_at_the_checkpoint_that_validation_chose(tmp_path):
    settings = configuration(**OVERFITTING)
    result, log = run(settings, scratch=tmp_path)
    validation = log.path("val/loss")
    assert min(validation) < validation[-1]
    data, module = rebuilt(settings, saved(log))
    assert measured(module, data.parts.validation)["loss"] == pytest.approx(min(validation), rel=1e-5)
    assert result.metrics["test/loss"] == pytest.approx(measured(module, data.parts.test)["loss"], rel=1e-5)
    assert result.metrics["test/error"] == pytest.approx(measured(module, data.parts.test)["error"])
    assert result.metrics["val/loss"] == validation[-1]


@pytest.mark.parametrize(
    ("objective", "choose"),
    [
        ({"at": "last"}, lambda path: path["val/loss"][-1]),
        ({"at": "best"}, lambda path: min(path["val/loss"])),
        ({"metric": "val/error", "at": "best"}, lambda path: min(path["val/error"])),
        ({"metric": "val/loss", "direction": "maximize", "at": "best"}, lambda path: max(path["val/loss"])),
        ({"metric": "train_eval/loss", "at": "last"}, lambda path: path["train_eval/loss"][-1]),
    ],
)
def test_objective(objective, choose):
    result, log = run(configuration(**OVERFITTING, objective=objective))
    assert result.objective == choose({name: log.path(name) for name in MEASURED})


def test_an_objective_on_the_training_part_does_not_choose_the_checkpoint(tmp_path):
    settings = configuration(**OVERFITTING, objective={"metric": "train_eval/loss", "at": "best"})
    _, log = run(settings, scratch=tmp_path)
    data, module = rebuilt(settings, saved(log))
    assert measured(module, data.parts.validation)["loss"] == pytest.approx(min(log.path("val/loss")), rel=1e-5)


def test_early_stopping_waits_as_many_epochs_as_it_has_patience():
    result, log = run(configuration(**OVERFITTING, regularization={"early_stopping_patience": 3}))
    validation = log.path("val/loss")
    assert result.outcome is Outcome.OK
    assert result.epochs == len(validation) == validation.index(min(validation)) + 1 + 3 < 40
    assert set(result.metrics) >= TESTED
    whole, whole_log = run(configuration(**OVERFITTING))
    assert whole.epochs == 40
    assert whole_log.path("val/loss")[: result.epochs] == validation


def test_weights_are_kept_only_when_asked_for(tmp_path):
    _, log = run(configuration(keep="none"), scratch=tmp_path)
    assert set(files(log)) == {schema.LAYERS_FILE, schema.PREDICTIONS_FILE} and len(list(tmp_path.iterdir())) == 2


def test_weights_that_cannot_be_saved_do_not_cost_the_run(tmp_path):
    result, log = run(configuration(), scratch=tmp_path / "missing")
    assert result.outcome is Outcome.OK and result.objective is not None
    assert result.error.startswith("The weights could not be saved: ")
    for what in ("norms of the layers", "predictions"):
        assert f"The {what} could not be saved: " in result.error
    assert not log.of("file")


# Predictions


@pytest.mark.parametrize(("model", "data"), [("mlp", "moons"), ("mlp", "digits"), ("softmax_regression", "wine")])
def test_predictions_are_those_of_the_checkpoint_that_validation_chose(model, data, tmp_path):
    more = {} if model != "mlp" else {"model": {"dropout": 0.5, "hidden_sizes": [8]}}
    settings = configuration(model, data, **more, data={"imbalance": 4}, optimizer={"lr": 0.5})
    result, log = run(settings, scratch=tmp_path)
    arrays, (rebuilt_data, module) = predicted(log), rebuilt(settings, saved(log))
    assert tuple(arrays["classes"]) == rebuilt_data.class_names
    assert arrays["epoch"] == log.path("val/loss").index(min(log.path("val/loss"))) + 1
    for split, part in (("val", rebuilt_data.parts.validation), ("test", rebuilt_data.parts.test)):
        probabilities = arrays[f"{split}_probabilities"]
        assert probabilities.dtype == np.float32 and probabilities.shape == (len(part), len(arrays["classes"]))
        assert arrays[f"{split}_size"] == len(part)
        np.testing.assert_array_equal(arrays[f"{split}_targets"], part.targets)
        with torch.no_grad():
            outputs = module(part.inputs)
        expected = torch.sigmoid(outputs[:, 0]) if module.task == "binary" else outputs.softmax(dim=1)[:, 1]
        np.testing.assert_allclose(probabilities[:, 1], expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    wrong = (arrays["test_probabilities"].argmax(axis=1) != arrays["test_targets"]).mean()
    assert wrong == pytest.approx(result.metrics["test/error"])


def test_predictions_change_no_number_of_the_run(monkeypatch, tmp_path):
    settings = configuration(model={"norm": "batch", "dropout": 0.3})
    whole, _ = run(settings, scratch=tmp_path)
    monkeypatch.setattr(measuring.Run, "_predict", lambda *_: None)
    without, log = run(settings, scratch=tmp_path)
    assert timeless(without.metrics) == timeless(whole.metrics)
    assert set(files(log)) == {schema.WEIGHTS_FILE, schema.LAYERS_FILE}


def test_of_a_large_part_the_first_predictions_are_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(predictions, "PREDICTIONS_LIMIT", 7)
    settings = configuration("mlp", "moons")
    arrays = predicted(run(settings, scratch=tmp_path)[1])
    test = rebuilt(settings)[0].parts.test
    assert len(arrays["test_probabilities"]) == len(arrays["val_targets"]) == 7 and arrays["test_size"] == len(test)
    assert arrays["test_targets"].tolist() == test.targets[:7].tolist()


@pytest.mark.parametrize("precision", [64, "bf16-mixed"])
def test_predictions_in_another_precision(precision, tmp_path):
    settings = configuration("mlp", "blobs", trainer={"precision": precision})
    arrays = predicted(run(settings, scratch=tmp_path)[1])
    assert arrays["test_probabilities"].dtype == np.float32
    np.testing.assert_allclose(arrays["test_probabilities"].sum(axis=1), 1, atol=1e-5)


def test_only_a_run_that_ends_ok_leaves_predictions(tmp_path):
    for more in ({"optimizer": {"lr": 1e30}}, {"trainer": {"device": "tpu"}}):
        assert not run(configuration(**more), scratch=tmp_path)[1].of("file")
    assert not run(configuration(), should_end=lambda: Outcome.STOPPED, scratch=tmp_path)[1].of("file")


# Seeds


def test_the_same_configuration_gives_the_same_numbers_whatever_ran_before():
    settings = configuration(model={"norm": "batch", "dropout": 0.3}, optimizer={"name": "adam", "lr": 0.01})
    first, log = run(settings)
    run(configuration("mlp", "moons", model={"dropout": 0.5}, seeds={"init": 3}))
    torch.rand(17)
    again, second_log = run(settings)
    assert [timeless(metrics) for metrics in log.metrics] == [timeless(metrics) for metrics in second_log.metrics]
    assert first.objective == again.objective


@pytest.mark.parametrize("seed", ["data", "init", "order"])
def test_each_seed_changes_what_it_decides(seed):
    base, log = run(configuration())
    other, other_log = run(configuration(seeds={seed: 1}))
    assert timeless(base.metrics) != timeless(other.metrics)
    digests = [seen.of("info")[0]["dataset"]["digest"] for seen in (log, other_log)]
    assert (digests[0] == digests[1]) == (seed != "data")


def test_the_init_seed_decides_dropout():
    zeros = {"initialization": "normal", "init_std": 0.0, "dropout": 0.5, "norm": "layer", "activation": "sigmoid"}
    losses = [run(configuration(model=zeros, seeds={"init": seed}))[0].metrics["train/loss"] for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]


def test_a_run_leaves_no_trace_in_its_process():
    def state():
        return (
            signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), list(warnings.filters),
            logging.getLogger("pytorch_lightning").level, torch.get_default_dtype(), dict(os.environ),
            torch.is_grad_enabled(), torch.get_rng_state().tolist(),
        )  # fmt: skip

    run(configuration())
    torch.manual_seed(12_345)
    before = state()
    for more in ({}, {"trainer": {"precision": 64}}, {"trainer": {"device": "tpu"}}, {"optimizer": {"lr": 1e30}}):
        run(configuration(**more))
        assert state() == before, more


def test_lightning_says_nothing(capfd, recwarn):
    run(configuration())
    assert capfd.readouterr() == ("", "")
    assert not list(recwarn)


# How a run ends


def bare_loop_until_not_finite(settings):
    """At which update, and in which epoch, a plain loop meets a loss that is not finite."""
    data, module = rebuilt(settings)
    module.train()
    optimizer = torch.optim.SGD(module.parameters(), lr=settings["optimizer"]["lr"])
    loader, update = data.train_dataloader(), 0
    for epoch in range(1, settings["trainer"]["max_epochs"] + 1):
        for batch in loader:
            update += 1
            optimizer.zero_grad()
            loss = module.loss(batch)
            if not loss.isfinite():
                return update, epoch
            loss.backward()
            optimizer.step()
    return None


@pytest.mark.parametrize("lr", [5.0, 1e15])
def test_a_loss_that_is_not_finite_ends_the_run_in_its_batch(lr, tmp_path):
    settings = configuration("linear_regression", "diabetes", optimizer={"lr": lr}, trainer={"max_epochs": 30})
    update, epoch = bare_loop_until_not_finite(settings)
    asked = []
    result, log = run(settings, should_end=lambda: asked.append(1), scratch=tmp_path)
    assert result.outcome is Outcome.DIVERGED
    assert f"at update {update}, in epoch {epoch}" in result.error
    assert len(asked) == update - 1
    assert result.epochs == len(log.of("metrics")) == epoch - 1
    assert result.objective is None and result.traceback is None
    assert all(math.isfinite(value) for metrics in log.metrics for value in metrics.values())
    assert not TESTED & set(result.metrics) and not log.of("file")


def test_what_breaks_in_the_last_step_of_an_epoch_is_found_by_measuring():
    settings = configuration(
        "linear_regression", "diabetes", optimizer={"lr": 1e30}, data={"batch_size": "full"}, trainer={"max_epochs": 1}
    )
    result, log = run(settings)
    assert result.outcome is Outcome.DIVERGED
    assert result.error == "val/loss was inf after epoch 1."
    assert "val/loss" not in log.metrics[0] and "train/loss" in log.metrics[0]
    assert all(math.isfinite(value) for value in log.metrics[0].values())


def test_a_training_loss_that_ends_far_above_its_first_value_has_diverged(tmp_path):
    """Gradient descent on a square with too high a rate: the loss grows by a factor an epoch and stays a number."""
    settings = configuration(
        "linear_regression", "diabetes", optimizer={"lr": 1.0}, data={"batch_size": "full"}, trainer={"max_epochs": 4}
    )
    result, log = run(settings, scratch=tmp_path)
    losses = log.path(schema.TRAIN_EVAL_LOSS)
    assert math.isfinite(losses[-1]) and losses[-1] > 10 * losses[0] > 10
    assert result.outcome is Outcome.DIVERGED and result.objective is None
    assert result.error.startswith(f"train_eval/loss ended at {losses[-1]:.4g}: more than 10 times its first value")
    assert not TESTED & set(result.metrics) and not log.of("file"), "what diverged leaves no answers"


def test_a_loss_that_only_stays_high_or_is_high_on_new_data_has_not_diverged():
    """A rate just too high for a while; and a network that memorises labels of which half are wrong."""
    calm, log = run(configuration("linear_regression", "diabetes", optimizer={"lr": 0.01}, trainer={"max_epochs": 2}))
    assert calm.outcome is Outcome.OK
    memorised, log = run(
        configuration(
            "mlp", "spirals", model={"hidden_sizes": [64]}, data={"label_noise": 0.5, "train_size": 40},
            optimizer={"name": "adam", "lr": 0.05}, trainer={"max_epochs": 200},
        )
    )  # fmt: skip
    assert memorised.outcome is Outcome.OK and log.path("val/loss")[-1] > 2 * math.log(2)


def test_a_range_test_is_meant_to_explode():
    settings = configuration(
        "linear_regression", "diabetes", optimizer={"lr": 0.01}, schedule={"name": "range_test", "growth": 1000.0},
        data={"batch_size": "full"}, trainer={"max_epochs": 6},
    )  # fmt: skip
    result, log = run(settings)
    losses = log.path(schema.TRAIN_EVAL_LOSS)
    assert losses[-1] > 100 * losses[0] and result.outcome is Outcome.OK


def test_the_first_loss_survives_a_kill(tmp_path):
    settings = configuration(
        "linear_regression", "diabetes", optimizer={"lr": 1.0}, data={"batch_size": "full"}, trainer={"max_epochs": 4}
    )
    whole, _ = run(settings)
    polls = []
    stopped = run(
        settings, resume=tmp_path / "run.ckpt", save_seconds=0,
        should_end=lambda: Outcome.STOPPED if len(polls) == 3 else polls.append(1),
    )[0]  # fmt: skip
    resumed, _ = run(settings, resume=tmp_path / "run.ckpt", save_seconds=0)
    assert stopped.outcome is Outcome.STOPPED and resumed.outcome is Outcome.DIVERGED
    assert resumed.error == whole.error


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, Outcome.PRUNED])
@pytest.mark.parametrize("polls", [1, 15])
def test_stop_keeps_what_was_measured(polls, outcome, tmp_path):
    asked = []

    def should_end():
        asked.append(1)
        return outcome if len(asked) >= polls else None

    result, log = run(configuration(), should_end=should_end, scratch=tmp_path)
    steps_an_epoch = len(rebuilt(configuration())[0].train_dataloader())
    assert result.outcome is outcome
    assert len(asked) == polls
    assert result.epochs == len(log.of("metrics")) == (polls - 1) // steps_an_epoch
    assert set(result.metrics) == (set(MEASURED) if result.epochs else set())
    assert result.objective is None and result.error is None


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"model": {"name": "mpl"}},
         f"model.name: mpl is not allowed; allowed: {', '.join(MODELS)}; did you mean mlp?"),
        ({"model": {"hiden_sizes": [3]}}, "model mlp: MLP.__init__() got an unexpected keyword argument 'hiden_sizes'"),
        ({"model": {"name": "linear_regression", "hidden_sizes": [3]}}, "model linear_regression: "),
        ({"data": {"name": "dogs"}}, "data.name: dogs is not allowed; allowed: digits, "),
        ({"model": {"activation": "rleu"}}, "model mlp: activation: 'rleu' is not allowed; allowed: identity, "),
        ({"data": {"train_size": 5000}}, "data iris: train_size: 5000 is not allowed; allowed: at most 96"),
        ({"data": {"batch_size": 1}, "model": {"norm": "batch"}}, "model.norm: batch norm cannot normalise"),
        ({"data": {"train_size": 1}, "model": {"norm": "batch"}}, "model.norm: batch norm cannot normalise"),
        ({"optimizer": {"name": "adamm"}}, "optimizer.name: adamm is not allowed; "),
        ({"schedule": {"name": "linear"}}, "schedule.name: linear is not allowed; "),
        ({"objective": {"metric": "test/loss"}}, "objective.metric: test/loss is not allowed; allowed: train/loss, "),
        ({"trainer": {"device": "tpu"}}, "trainer.device: tpu is not allowed; allowed: auto, cpu, cuda, cuda:N, mps"),
        ({"trainer": {"device": "cuda:"}}, "trainer.device: cuda: is not allowed; allowed: auto, cpu, cuda, cuda:N, "),
        ({"trainer": {"precision": 8}}, "trainer.precision: 8 is not allowed; allowed: 32, 64, bf16-mixed, 16-mixed"),
        ({"trainer": {"precision": "16-mixed"}},
         "trainer.precision: 16-mixed is not allowed on cpu; allowed: 32, 64, bf16-mixed."),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_crashes_with_one_sentence(more, sentence):
    result, _ = run(configuration(**more))
    assert result.outcome is Outcome.CRASHED
    assert result.error.startswith(sentence)
    assert "\n" not in result.error
    assert result.traceback.startswith("Traceback") and result.error[-20:] in result.traceback
    assert (result.objective, result.metrics, result.epochs) == (None, {}, 0)


@pytest.mark.parametrize(("model", "data", "who"), [
    ("linear_regression", "diabetes", "LinearRegression and the task regression"),
    ("mlp", "diabetes", "MLP and the task regression"), ("perceptron", "moons", "Perceptron and the task binary"),
])  # fmt: skip
def test_only_a_cross_entropy_can_be_smoothed(model, data, who):
    result, _ = run(configuration(model, data, regularization={"label_smoothing": 0.1}))
    assert result.outcome is Outcome.CRASHED
    assert result.error == f"regularization.label_smoothing: 0.1 is not allowed for {who}; allowed: 0."


def machine(monkeypatch, *, cuda=0, mps=False):
    """As if it had so many GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("wanted", "has", "there"),
    [
        ("cuda", {}, "cpu"), ("mps", {}, "cpu"), ("cuda:0", {}, "cpu"), ("cuda:3", {"cuda": 1}, "cpu, cuda:0"),
        ("cuda:2", {"cuda": 2}, "cpu, cuda:0, cuda:1"), ("cuda", {"mps": True}, "cpu, mps"),
    ],
)  # fmt: skip
def test_a_device_that_is_missing_is_named(wanted, has, there, monkeypatch):
    machine(monkeypatch, **has)
    result, _ = run(configuration(trainer={"device": wanted}))
    assert result.error == f"trainer.device: this machine has no {wanted} device that torch can use; it has: {there}."


@pytest.mark.parametrize(
    ("wanted", "has", "taken"),
    [
        ("auto", {}, "cpu"), ("auto", {"cuda": 2}, "cuda:0"), ("auto", {"mps": True}, "mps"),
        ("cuda", {"cuda": 2}, "cuda:0"), ("cuda:1", {"cuda": 2}, "cuda:1"), ("cpu", {"cuda": 2, "mps": True}, "cpu"),
        ("mps", {"mps": True}, "mps"),
    ],
)  # fmt: skip
def test_the_device_that_is_taken(wanted, has, taken, monkeypatch):
    machine(monkeypatch, **has)
    assert choose_device(wanted) == taken


@pytest.mark.parametrize(
    ("precision", "device", "sentence"),
    [
        (64, "mps", "trainer.precision: 64 is not allowed on mps; allowed: 32, bf16-mixed."),
        ("16-mixed", "mps", "trainer.precision: 16-mixed is not allowed on mps; allowed: 32, bf16-mixed."),
        ("16-mixed", "cpu", "trainer.precision: 16-mixed is not allowed on cpu; allowed: 32, 64, bf16-mixed."),
    ],
)
def test_a_precision_that_the_device_has_not(precision, device, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        lightning_precision(precision, device)
    assert lightning_precision(precision, "cuda:1").startswith(str(precision))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_nearly_the_numbers_of_the_cpu(tmp_path):
    here, _ = run(configuration())
    there, log = run(configuration(trainer={"device": "cuda"}), scratch=tmp_path)
    assert timeless(there.metrics) == pytest.approx(timeless(here.metrics), rel=1e-2)
    assert all(tensor.device.type == "cpu" for tensor in saved(log).values())
    assert torch.cuda.get_device_name(0) in log.of("info")[0]["tags"][schema.MACHINE]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", [64, "bf16-mixed", "16-mixed"])
def test_precision_on_cuda(precision):
    result, _ = run(configuration(trainer={"device": "cuda:0", "precision": precision}))
    single, _ = run(configuration())
    assert result.outcome is Outcome.OK
    assert result.metrics["val/loss"] == pytest.approx(single.metrics["val/loss"], rel=0.05)


def test_an_error_in_the_middle_of_a_run_keeps_what_was_measured():
    log = Log()

    def report(kind, record):
        if record.get("step") == 2:
            raise RuntimeError("the pipe\nis gone")
        log(kind, record)

    result = train(configuration(), report=report)
    assert result.outcome is Outcome.CRASHED
    assert result.error == "RuntimeError: the pipe is gone"
    assert "in report" in result.traceback
    assert log.metrics[0].keys() == set(MEASURED)
    assert result.objective is None


def test_too_little_memory_is_said_in_words():
    def report(kind, record):
        raise MemoryError

    assert train(configuration(), report=report).error == "The run needed more memory than there is."


def test_ctrl_c_reaches_the_caller():
    handler = signal.getsignal(signal.SIGINT)

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(configuration(), should_end=interrupt)
    assert signal.getsignal(signal.SIGINT) is handler
