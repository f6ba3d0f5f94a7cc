"""One run from its configuration to its result: what it reports, and numbers checked by hand."""

import json
import logging
import os
import signal
import warnings

import numpy as np
import pytest
import torch

from data import DATASETS
from learning_tasks import TASKS
from lightning_modules.schedules import STEP_SCHEDULES
from sweeps.training import predictions
from sweeps.training.objective import measured
from sweeps.training.train import train
from tracking import schema
from tracking.schema import Outcome

MEASURED = measured(TASKS["multiclass"].metrics)
TESTED = {"test/loss", "test/error"}


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
def test_a_run_reports_itself_once_and_its_metrics_each_epoch(configuration, run, model, data, tmp_path):
    settings = configuration(model, data)
    result, log = run(settings, scratch=tmp_path)
    assert (result.outcome, result.error, result.traceback) == (Outcome.OK, None, None)
    assert [kind for kind, _ in log.records if kind != "file"] == ["info", "metrics", "metrics", "metrics"]
    expected = {schema.WEIGHTS_FILE, schema.LAYERS_FILE}
    expected |= {schema.REFERENCES_FILE} if data == "diabetes" else {schema.PREDICTIONS_FILE}
    expected |= {schema.REGIONS_FILE} if data in ("moons", "blobs") else set()
    assert set(log.files) == expected and len(log.records) == 4 + len(expected)
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


def test_the_info_names_the_data_and_counts_the_parameters(configuration, run):
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


def test_the_first_step_by_hand(configuration, run, rebuilt):
    settings = configuration(
        "linear_regression", "diabetes", model={"initialization": "normal", "init_std": 1.0}, optimizer={"lr": 0.01},
        data={"batch_size": "full"}, trainer={"max_epochs": 1}, regularization={"l2": 0.5},
    )  # fmt: skip
    result, _ = run(settings)
    data, module = rebuilt(settings)
    inputs, targets = data.parts.train.batch(slice(None))
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
def test_a_run_takes_the_steps_of_a_plain_loop(configuration, run, rebuilt, measured, optimizer, norm):
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


@pytest.mark.parametrize(("model", "data"), [("softmax_regression", "wine"), ("logistic_regression", "breast_cancer")])
def test_label_smoothing_changes_the_step_and_no_measured_loss(configuration, run, rebuilt, measured, model, data):
    settings = configuration(
        model, data, model={"initialization": "normal", "init_std": 1.0}, regularization={"label_smoothing": 0.3},
        data={"batch_size": "full"}, trainer={"max_epochs": 1},
    )  # fmt: skip
    result, _ = run(settings)
    data, module = rebuilt(settings)
    inputs, targets = data.parts.train.batch(slice(None))
    assert result.metrics["train/loss"] == pytest.approx(float(module.loss((inputs, targets)).detach()), rel=1e-5)
    outputs = module(inputs)
    logits = torch.cat([torch.zeros_like(outputs), outputs], dim=1) if module.task.name == "binary" else outputs
    torch.nn.functional.cross_entropy(logits, targets, label_smoothing=0.3).backward()
    gradient = torch.cat([parameter.grad.flatten() for parameter in module.parameters()])
    assert result.metrics["opt/grad_norm"] == pytest.approx(float(gradient.norm()), rel=1e-5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter -= 0.05 * parameter.grad
    assert result.metrics["val/loss"] == pytest.approx(measured(module, data.parts.validation)["loss"], rel=1e-4)


def test_the_schedule_sets_the_learning_rate_of_each_epoch(configuration, run):
    schedule = {"name": "inverse_time", "decay": 1.0, "warmup_epochs": 1}
    _, log = run(configuration(schedule=schedule, trainer={"max_epochs": 4}))
    assert log.path("opt/lr") == pytest.approx([0.05 / 2, 0.05, 0.05 / 2, 0.05 / 3])


@pytest.mark.parametrize("name", list(STEP_SCHEDULES))
def test_a_schedule_by_the_step_shows_the_rate_of_the_last_step_of_each_epoch(configuration, run, name):
    schedule = {"name": name, "warmup_steps": 5}
    _, log = run(configuration(schedule=schedule, data={"batch_size": 24}, trainer={"max_epochs": 4}))
    assert log.path("opt/steps") == [4, 8, 12, 16]
    factor = STEP_SCHEDULES[name](16, warmup_steps=5)
    assert log.path("opt/lr") == pytest.approx([0.05 * factor(steps - 1) for steps in (4, 8, 12, 16)])


@pytest.mark.parametrize("name", list(STEP_SCHEDULES))
def test_a_rehearsal_takes_a_schedule_by_the_step_to_its_end_and_says_nothing(configuration, run, name, capfd, recwarn):
    trainer = {"max_epochs": 3, "limit_train_batches": 2}
    schedule = {"name": name, "warmup_steps": 1}
    result, log = run(configuration(schedule=schedule, data={"batch_size": 24}, trainer=trainer))
    assert result.outcome is Outcome.OK and log.path("opt/steps") == [2, 4, 6]
    factor = STEP_SCHEDULES[name](6, warmup_steps=1)
    assert log.path("opt/lr") == pytest.approx([0.05 * factor(steps - 1) for steps in (2, 4, 6)])
    assert capfd.readouterr() == ("", "") and not list(recwarn)


def test_clipping_shortens_the_step_and_not_the_measured_gradient(configuration, run):
    settings = {"data": {"batch_size": "full"}, "optimizer": {"lr": 1.0}}
    free, _ = run(configuration(**settings, trainer={"max_epochs": 1}))
    clipped, _ = run(configuration(**settings, trainer={"max_epochs": 1, "gradient_clip_val": 0.01}))
    assert clipped.metrics["opt/grad_norm"] == free.metrics["opt/grad_norm"] > 0.01
    assert clipped.metrics["opt/update_norm"] == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("precision", [64, "bf16-mixed"])
def test_precision(configuration, run, precision):
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


def test_the_test_part_is_measured_at_the_checkpoint_that_validation_chose(
    configuration, run, rebuilt, measured, tmp_path
):
    settings = configuration(**OVERFITTING)
    result, log = run(settings, scratch=tmp_path)
    validation = log.path("val/loss")
    assert min(validation) < validation[-1]
    data, module = rebuilt(settings, log.weights())
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
def test_objective(configuration, run, objective, choose):
    result, log = run(configuration(**OVERFITTING, objective=objective))
    assert result.objective == choose({name: log.path(name) for name in MEASURED})


def test_an_objective_on_the_training_part_does_not_choose_the_checkpoint(
    configuration, run, rebuilt, measured, tmp_path
):
    settings = configuration(**OVERFITTING, objective={"metric": "train_eval/loss", "at": "best"})
    _, log = run(settings, scratch=tmp_path)
    data, module = rebuilt(settings, log.weights())
    assert measured(module, data.parts.validation)["loss"] == pytest.approx(min(log.path("val/loss")), rel=1e-5)


def test_early_stopping_waits_as_many_epochs_as_it_has_patience(configuration, run):
    result, log = run(configuration(**OVERFITTING, regularization={"early_stopping_patience": 3}))
    validation = log.path("val/loss")
    assert result.outcome is Outcome.OK
    assert result.epochs == len(validation) == validation.index(min(validation)) + 1 + 3 < 40
    assert set(result.metrics) >= TESTED
    whole, whole_log = run(configuration(**OVERFITTING))
    assert whole.epochs == 40
    assert whole_log.path("val/loss")[: result.epochs] == validation


def test_weights_are_kept_only_when_asked_for(configuration, run, tmp_path):
    _, log = run(configuration(keep="none"), scratch=tmp_path)
    assert set(log.files) == {schema.LAYERS_FILE, schema.PREDICTIONS_FILE} and len(list(tmp_path.iterdir())) == 2


def test_weights_that_cannot_be_saved_do_not_cost_the_run(configuration, run, tmp_path):
    result, log = run(configuration(), scratch=tmp_path / "missing")
    assert result.outcome is Outcome.OK and result.objective is not None
    assert result.error.startswith("The weights could not be saved: ")
    for what in ("norms of the layers", "predictions"):
        assert f"The {what} could not be saved: " in result.error
    assert not log.of("file")


# Predictions


@pytest.mark.parametrize(("model", "data"), [("mlp", "moons"), ("mlp", "digits"), ("softmax_regression", "wine")])
def test_predictions_are_those_of_the_checkpoint_that_validation_chose(
    configuration, run, rebuilt, model, data, tmp_path
):
    more = {} if model != "mlp" else {"model": {"dropout": 0.5, "hidden_sizes": [8]}}
    settings = configuration(model, data, **more, data={"imbalance": 4}, optimizer={"lr": 0.5})
    result, log = run(settings, scratch=tmp_path)
    arrays, (rebuilt_data, module) = log.predictions(), rebuilt(settings, log.weights())
    assert tuple(arrays["classes"]) == rebuilt_data.class_names
    assert arrays["epoch"] == log.path("val/loss").index(min(log.path("val/loss"))) + 1
    for split, part in (("val", rebuilt_data.parts.validation), ("test", rebuilt_data.parts.test)):
        probabilities = arrays[f"{split}_probabilities"]
        assert probabilities.dtype == np.float32 and probabilities.shape == (len(part), len(arrays["classes"]))
        assert arrays[f"{split}_size"] == len(part)
        np.testing.assert_array_equal(arrays[f"{split}_targets"], part.targets)
        with torch.no_grad():
            outputs = module(part.inputs)
        expected = torch.sigmoid(outputs[:, 0]) if module.task.name == "binary" else outputs.softmax(dim=1)[:, 1]
        np.testing.assert_allclose(probabilities[:, 1], expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    wrong = (arrays["test_probabilities"].argmax(axis=1) != arrays["test_targets"]).mean()
    assert wrong == pytest.approx(result.metrics["test/error"])


def test_predictions_change_no_number_of_the_run(configuration, run, timeless, tmp_path):
    settings = configuration(model={"norm": "batch", "dropout": 0.3})
    whole, _ = run(settings, scratch=tmp_path)
    without, log = run({**settings, "record": {"predictions": False}}, scratch=tmp_path)
    assert timeless(without.metrics) == timeless(whole.metrics)
    assert set(log.files) == {schema.WEIGHTS_FILE, schema.LAYERS_FILE}


def test_of_a_large_part_the_first_predictions_are_kept(configuration, run, rebuilt, monkeypatch, tmp_path):
    monkeypatch.setattr(predictions, "PREDICTIONS_LIMIT", 7)
    settings = configuration("mlp", "moons")
    arrays = run(settings, scratch=tmp_path)[1].predictions()
    test = rebuilt(settings)[0].parts.test
    assert len(arrays["test_probabilities"]) == len(arrays["val_targets"]) == 7 and arrays["test_size"] == len(test)
    assert arrays["test_targets"].tolist() == test.targets[:7].tolist()


@pytest.mark.parametrize("precision", [64, "bf16-mixed"])
def test_predictions_in_another_precision(configuration, run, precision, tmp_path):
    settings = configuration("mlp", "blobs", trainer={"precision": precision})
    arrays = run(settings, scratch=tmp_path)[1].predictions()
    assert arrays["test_probabilities"].dtype == np.float32
    np.testing.assert_allclose(arrays["test_probabilities"].sum(axis=1), 1, atol=1e-5)


def test_only_a_run_that_ends_ok_leaves_predictions(configuration, run, tmp_path):
    for more in ({"optimizer": {"lr": 1e30}}, {"trainer": {"device": "tpu"}}):
        assert not run(configuration(**more), scratch=tmp_path)[1].of("file")
    assert not run(configuration(), should_end=lambda: Outcome.STOPPED, scratch=tmp_path)[1].of("file")


# Seeds


def test_the_same_configuration_gives_the_same_numbers_whatever_ran_before(configuration, run, timeless):
    settings = configuration(model={"norm": "batch", "dropout": 0.3}, optimizer={"name": "adam", "lr": 0.01})
    first, log = run(settings)
    run(configuration("mlp", "moons", model={"dropout": 0.5}, seeds={"init": 3}))
    torch.rand(17)
    again, second_log = run(settings)
    assert [timeless(metrics) for metrics in log.metrics] == [timeless(metrics) for metrics in second_log.metrics]
    assert first.objective == again.objective


@pytest.mark.parametrize("seed", ["data", "init", "order"])
def test_each_seed_changes_what_it_decides(configuration, run, timeless, seed):
    base, log = run(configuration())
    other, other_log = run(configuration(seeds={seed: 1}))
    assert timeless(base.metrics) != timeless(other.metrics)
    digests = [run_log.of("info")[0]["dataset"]["digest"] for run_log in (log, other_log)]
    assert (digests[0] == digests[1]) == (seed != "data")


def test_the_init_seed_decides_dropout(configuration, run):
    zeros = {"initialization": "normal", "init_std": 0.0, "dropout": 0.5, "norm": "layer", "activation": "sigmoid"}
    losses = [run(configuration(model=zeros, seeds={"init": seed}))[0].metrics["train/loss"] for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]


def test_a_run_leaves_no_trace_in_its_process(configuration, run):
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


def test_lightning_says_nothing(configuration, run, capfd, recwarn):
    run(configuration())
    assert capfd.readouterr() == ("", "")
    assert not list(recwarn)
