"""Modules that are not ours, trained as their authors wrote them: the numbers, and every way it can go wrong."""

import json
import math

import numpy as np
import pytest
import torch

from data import DATASETS
from lightning_modules.schedules import STEP_SCHEDULES
from sweeps.catalogue import load
from sweeps.interpreter import ROOT
from sweeps.training.train import train
from tracking import schema
from tracking.schema import Outcome

HEAD = """
import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F

"""

LINEAR = (
    HEAD
    + """
class Linear(pl.LightningModule):
    def __init__(self, in_features: int, start: float = 0.5):
        super().__init__()
        self.weight = nn.Parameter(torch.full((1, in_features), start))
    def forward(self, x):
        return x @ self.weight[0]
    def training_step(self, batch, batch_idx):
        return F.mse_loss(self(batch[0]), batch[1])
    def validation_step(self, batch, batch_idx):
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))
"""
)


class Log:
    """Keeps what a run reports."""

    def __init__(self):
        self.records = []

    def __call__(self, kind, record):
        json.dumps(record)
        self.records.append((kind, record))

    @property
    def metrics(self):
        return [record["metrics"] for kind, record in self.records if kind == "metrics"]

    @property
    def tags(self):
        return next(record["tags"] for kind, record in self.records if kind == "info")

    def files(self):
        return {record["artifact"]: record["path"] for kind, record in self.records if kind == "file"}


def run(name, data="diabetes", /, scratch=None, should_end=lambda: None, resume=None, **more):
    configuration = {
        "model": {"name": name},
        "data": {"name": data, "batch_size": "full"},
        "optimizer": {"name": "sgd", "lr": 0.1},
        "trainer": {"max_epochs": 2, "device": "cpu"},
        "seeds": {"data": 0, "init": 0, "order": 0},
    }
    for section, fields in more.items():
        configuration[section] = {**configuration.get(section, {}), **fields}
    log = Log()
    return train(configuration, log, should_end, scratch, resume, 0.0), log


def with_methods(*lines, base=LINEAR):
    return base + "\n".join(f"    {line}" for line in lines) + "\n"


def no_validation(*lines):
    return with_methods(*lines, base=LINEAR[: LINEAR.index("    def validation_step")])


# Whose optimizer


def first_step(data, l1=0.0, l2=0.0, start=0.5, lr=0.1):
    """The weight after one step of gradient descent on the mean squared error, by hand."""
    inputs, targets = data.parts.train.batch(slice(None))
    weight = torch.full((inputs.shape[1],), start)
    gradient = 2 * inputs.T @ (inputs @ weight - targets) / len(targets)
    return weight - lr * (gradient + l2 * weight + l1 * weight.sign())


def saved(log):
    return torch.load(log.files()[schema.WEIGHTS_FILE], weights_only=True)


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.0, 3.0), (2.0, 0.0), (2.0, 3.0)])
def test_without_one_of_its_own_ours_steps_and_penalises(l1, l2, my_models, tmp_path):
    my_models(linear=LINEAR)
    result, log = run("linear", scratch=tmp_path, trainer={"max_epochs": 1}, regularization={"l1": l1, "l2": l2})
    assert (result.outcome, result.error) == (Outcome.OK, None)
    torch.testing.assert_close(saved(log)["weight"][0], first_step(DATASETS["diabetes"](), l1, l2))
    assert log.tags[schema.OPTIMIZER_OF] == schema.CONFIGURATION
    assert log.tags[schema.MODEL_SOURCE].startswith("linear.py ")


def test_one_of_its_own_stays_in_force(my_models, tmp_path):
    method = "def configure_optimizers(self): return torch.optim.SGD(self.parameters(), lr=0.01)"
    my_models(linear=with_methods(method))
    _, log = run("linear", scratch=tmp_path, trainer={"max_epochs": 1}, optimizer={"lr": 0.5})
    torch.testing.assert_close(saved(log)["weight"][0], first_step(DATASETS["diabetes"](), lr=0.01))
    assert log.tags[schema.OPTIMIZER_OF] == schema.MODEL
    assert log.metrics[0][schema.LR] == 0.01


def test_our_schedule_goes_with_our_optimizer(my_models):
    my_models(linear=LINEAR)
    _, log = run("linear", schedule={"name": "step", "step_size": 1, "gamma": 0.5}, trainer={"max_epochs": 3})
    assert [metrics[schema.LR] for metrics in log.metrics] == [0.1, 0.05, 0.025]


@pytest.mark.parametrize("name", list(STEP_SCHEDULES))
def test_our_schedule_by_the_step_goes_with_our_optimizer_and_through_a_kill(name, my_models, tmp_path):
    my_models(linear=LINEAR)
    settings = {
        "data": {"batch_size": 100},
        "schedule": {"name": name, "warmup_steps": 2},
        "trainer": {"max_epochs": 3},
    }
    whole, log = run("linear", **settings)
    steps = [int(metrics[schema.STEPS]) for metrics in log.metrics]
    assert steps == [steps[0], 2 * steps[0], 3 * steps[0]] and steps[0] > 1
    factor = STEP_SCHEDULES[name](steps[-1], warmup_steps=2)
    assert [metrics[schema.LR] for metrics in log.metrics] == pytest.approx([0.1 * factor(step - 1) for step in steps])
    outcomes = iter([None] * (steps[0] + 1))  # one step into the second epoch
    stopped, _ = run(
        "linear", resume=tmp_path / "resume", should_end=lambda: next(outcomes, Outcome.STOPPED), **settings
    )
    assert stopped.epochs == 1
    resumed, log_resumed = run("linear", resume=tmp_path / "resume", **settings)
    assert resumed.objective == whole.objective
    for metric in (schema.LR, schema.PARAM_NORM, schema.VAL_LOSS):
        assert [metrics[metric] for metrics in log_resumed.metrics] == [metrics[metric] for metrics in log.metrics]


def test_with_an_optimizer_of_its_own_the_rate_is_that_of_the_start_of_each_epoch(my_models):
    methods = (
        "def configure_optimizers(self):",
        "    optimizer = torch.optim.SGD(self.parameters(), lr=0.01)",
        "    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)",
        "    return {'optimizer': optimizer, 'lr_scheduler': {'scheduler': schedule, 'interval': 'step'}}",
    )
    my_models(linear=with_methods(*methods))
    for schedule in ("constant", "linear"):
        _, log = run("linear", data={"batch_size": 100}, schedule={"name": schedule})
        steps = [int(metrics[schema.STEPS]) for metrics in log.metrics]
        assert steps[0] > 1
        assert [metrics[schema.LR] for metrics in log.metrics] == pytest.approx([0.01, 0.01 * 0.5 ** steps[0]])


MANUAL = """
def configure_optimizers(self): return [torch.optim.SGD(self.parameters(), lr=rate) for rate in (0.1, 0.0)]
def training_step(self, batch, batch_idx):
    for optimizer in self.optimizers():
        optimizer.zero_grad()
        self.manual_backward(F.mse_loss(self(batch[0]), batch[1]))
        optimizer.step()
    self.log("seen", float(batch_idx))
@property
def automatic_optimization(self): return False
@automatic_optimization.setter
def automatic_optimization(self, value): pass
""".strip().split("\n")


def test_it_may_step_its_optimizers_by_hand(my_models, tmp_path):
    my_models(linear=with_methods(*MANUAL))
    result, log = run("linear", scratch=tmp_path, trainer={"max_epochs": 1})
    assert (result.outcome, result.error) == (Outcome.OK, None)
    torch.testing.assert_close(saved(log)["weight"][0], first_step(DATASETS["diabetes"]()))
    assert log.metrics[0][schema.STEPS] == 1 and log.metrics[0]["seen"] == 0
    assert schema.TRAIN_LOSS not in log.metrics[0] and schema.GRAD_NORM not in log.metrics[0]


def test_by_hand_nothing_can_be_clipped(my_models):
    my_models(linear=with_methods(*MANUAL))
    result, _ = run("linear", trainer={"gradient_clip_val": 1.0})
    allowed = "is not allowed for a model that steps its optimizers itself; allowed: 0."
    assert result.outcome is Outcome.CRASHED and result.error == f"trainer.gradient_clip_val: 1.0 {allowed}"


def test_a_loss_of_its_own_cannot_be_smoothed(my_models):
    my_models(linear=LINEAR)
    result, _ = run("linear", regularization={"label_smoothing": 0.1})
    allowed = "is not allowed for a model whose loss is its own; allowed: 0."
    assert result.outcome is Outcome.CRASHED and result.error == f"regularization.label_smoothing: 0.1 {allowed}"


# What it leaves behind


def arrays(log):
    with np.load(log.files()[schema.LAYERS_FILE], allow_pickle=False) as file:
        return dict(file)


def test_it_leaves_the_norms_of_its_layers_but_nobody_runs_it_to_see_how_it_starts(my_models, tmp_path):
    my_models(linear=with_methods("def on_save_checkpoint(self, checkpoint): pass"))
    _, log = run("linear", scratch=tmp_path, trainer={"max_epochs": 3})
    assert set(log.files()) == {schema.WEIGHTS_FILE, schema.LAYERS_FILE}
    layers = arrays(log)
    assert layers["names"].tolist() == ["weight"] and layers["epochs"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(layers["grad_norm"][:, 0], [metrics[schema.GRAD_NORM] for metrics in log.metrics])
    assert np.isnan(layers["activation_std"]).all() and np.isnan(layers["condition"]).all()


def test_what_steps_by_hand_leaves_no_norms(my_models, tmp_path):
    my_models(linear=with_methods(*MANUAL))
    assert set(run("linear", scratch=tmp_path)[1].files()) == {schema.WEIGHTS_FILE}


def test_a_layer_that_is_not_used_has_a_gradient_of_0(my_models, tmp_path):
    my_models(linear=LINEAR.replace("super().__init__()", "super().__init__(); self.idle = nn.Linear(2, 3)"))
    result, log = run("linear", scratch=tmp_path)
    layers = arrays(log)
    assert result.outcome is Outcome.OK and layers["names"].tolist() == ["weight", "idle"]
    assert (layers["grad_norm"][:, 0] > 0).all() and (layers["grad_norm"][:, 1] == 0).all()
    assert (layers["weight_norm"] > 0).all()


# What it logs


def test_metrics_have_the_names_and_values_that_it_logs(my_models):
    text = with_methods(
        "def training_step(self, batch, batch_idx):",
        "    n = float(batch_idx)",
        "    self.log('step_only', n)",
        "    self.log('epoch_only', n, on_step=False, on_epoch=True)",
        "    self.log('both', n, on_step=True, on_epoch=True)",
        "    self.log('largest', n, on_step=False, on_epoch=True, reduce_fx='max')",
        "    self.log('hidden', n, logger=False)",
        "    self.log_dict({'a/b': n, 'acc@1 (%)': n})",
        "    return F.mse_loss(self(batch[0]), batch[1])",
        "def on_train_epoch_end(self):",
        "    self.log('at_end', float(self.current_epoch))",
        "    if self.current_epoch == 0: self.log('once', 7.0)",
        "def on_validation_epoch_end(self): self.log('val_end', 5.0)",
    )
    my_models(linear=text)
    result, log = run("linear", data={"batch_size": 100}, trainer={"max_epochs": 2})
    assert result.error is None
    sizes = [100, 100, 82]  # of the 282 training examples
    assert DATASETS["diabetes"]().sizes["train"] == sum(sizes)
    mean = sum(size * number for number, size in enumerate(sizes)) / sum(sizes)
    for name in ("step_only", "epoch_only", "both", "a/b", "acc_1 ___"):
        assert log.metrics[0][name] == pytest.approx(mean), name
    assert (log.metrics[0]["largest"], log.metrics[0]["val_end"]) == (2, 5)
    assert [metrics["at_end"] for metrics in log.metrics] == [0, 1]
    assert log.metrics[0]["once"] == 7 and "once" not in log.metrics[1]
    assert not [name for name in log.metrics[0] if name.endswith(("_step", "_epoch")) or name in ("hidden", "epoch")]


def test_the_training_loss_is_the_mean_of_what_it_returns(my_models):
    my_models(linear=LINEAR)
    _, log = run("linear", data={"batch_size": 100}, optimizer={"lr": 1e-12}, trainer={"max_epochs": 1})
    data = DATASETS["diabetes"]()
    inputs, targets = data.parts.train.batch(slice(None))
    loss = float((inputs @ torch.full((10,), 0.5) - targets).square().mean())
    assert log.metrics[0][schema.TRAIN_LOSS] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("name", ["val_loss", "val/loss", "valid_loss", "validation/loss", "loss/val"])
def test_its_validation_loss_is_found_under_other_names(name, my_models):
    my_models(linear=LINEAR.replace("val_loss", name))
    result, log = run("linear", data={"batch_size": 20})
    validation = DATASETS["diabetes"]().parts.validation
    assert len(validation) > 20  # so that the mean over batches is one over examples
    assert result.objective == log.metrics[-1]["val/loss"] == log.metrics[-1][name]
    assert schema.VAL_ERROR not in log.metrics[-1] and schema.TRAIN_EVAL_LOSS not in log.metrics[-1]


def test_the_validation_loss_is_that_of_the_validation_part(my_models):
    my_models(linear=LINEAR)
    _, log = run("linear", optimizer={"lr": 1e-12}, trainer={"max_epochs": 1}, data={"batch_size": 20})
    inputs, targets = DATASETS["diabetes"]().parts.validation.batch(slice(None))
    loss = float((inputs @ torch.full((10,), 0.5) - targets).square().mean())
    assert log.metrics[0]["val_loss"] == pytest.approx(loss, rel=1e-5)


def test_any_metric_it_logs_can_be_the_objective(my_models):
    my_models(linear=LINEAR.replace("val_loss", "val_score"))
    objective = {"metric": "val_score", "direction": "maximize", "at": "best"}
    result, log = run("linear", objective=objective, trainer={"max_epochs": 3})
    assert result.objective == max(metrics["val_score"] for metrics in log.metrics)


def test_a_metric_that_it_never_logs_ends_the_run_after_one_epoch(my_models):
    my_models(linear=LINEAR)
    result, log = run("linear", objective={"metric": "val_acc"})
    assert (result.outcome, result.epochs, len(log.metrics)) == (Outcome.CRASHED, 1, 1)
    assert result.error == "objective.metric: no metric val_acc was logged; there are: train/loss, val_loss, val/loss."
    assert result.traceback is None


def test_no_validation_metric_is_said_in_one_sentence(my_models):
    my_models(linear=no_validation())
    result, _ = run("linear")
    assert result.error == (
        "objective.metric: no metric val/loss was logged, and none of the validation data; there are: train/loss."
    )


def test_without_validation_it_may_be_ranked_by_what_it_trains(my_models, tmp_path):
    my_models(linear=no_validation("def on_validation_epoch_end(self): raise ValueError"))
    result, log = run("linear", scratch=tmp_path, objective={"metric": "train/loss"}, trainer={"max_epochs": 1})
    assert result.outcome is Outcome.OK and result.objective == log.metrics[-1]["train/loss"]
    assert result.error == (
        "It logs no loss of the validation data; the weights that are kept are those of the last epoch."
    )
    torch.testing.assert_close(saved(log)["weight"][0], first_step(DATASETS["diabetes"]()))


def test_names_that_only_we_measure_stay_ours(my_models):
    my_models(linear=with_methods("def on_train_epoch_end(self): self.log_dict({'opt/lr': 9.0, 'objective': 9.0})"))
    result, log = run("linear")
    assert result.outcome is Outcome.OK and log.metrics[0]["opt/lr"] == 0.1 and "objective" not in log.metrics[0]
    assert "It logs opt/lr, which Sweepboard measures itself; its own value is left out." in result.error


def test_names_that_cannot_be_told_apart_are_said(my_models):
    my_models(linear=with_methods("def on_train_epoch_end(self): self.log_dict({'a@': 1.0, 'a#': 2.0})"))
    result, log = run("linear")
    assert log.metrics[0]["a_"] == 1 and "two metrics that can only be stored as a_; a# is left out" in result.error


def test_a_name_of_both_parts_is_the_validation_s(my_models):
    my_models(linear=LINEAR.replace("return F.mse", "self.log('val_loss', -1.0)\n        return F.mse"))
    result, log = run("linear")
    assert log.metrics[0]["val_loss"] > 0
    sentence = "It logs val_loss in training and in validation alike; the value of the validation is stored."
    assert result.error == sentence


def test_weights_are_those_of_the_best_epoch_and_tested_once(my_models, tmp_path):
    text = with_methods(
        "def test_step(self, batch, batch_idx):",
        "    self.log('test_loss', F.mse_loss(self(batch[0]), batch[1]))",
        "    self.validation_step(batch, batch_idx)",
    )
    my_models(linear=text)
    # Steps so long that the loss grows: the first epoch is the best.
    result, log = run("linear", scratch=tmp_path, optimizer={"lr": 0.9}, trainer={"max_epochs": 3})
    losses = [metrics["val/loss"] for metrics in log.metrics]
    assert losses == sorted(losses) and losses[0] < losses[1]
    weight = first_step(DATASETS["diabetes"](), lr=0.9)
    torch.testing.assert_close(saved(log)["weight"][0], weight)
    inputs, targets = DATASETS["diabetes"]().parts.test.batch(slice(None))
    tested = float((inputs @ weight - targets).square().mean())
    assert len(log.metrics) == 3
    for name in ("test_loss", "test/loss", "test/val_loss"):
        assert log.metrics[-1][name] == pytest.approx(tested, rel=1e-4)
    assert result.metrics["val/loss"] == log.metrics[-1]["val_loss"] == losses[-1]


def test_weights_are_chosen_by_the_objective_if_it_is_of_the_validation_part(my_models, tmp_path):
    my_models(linear=with_methods("def on_validation_epoch_end(self): self.log('score', float(self.current_epoch))"))
    diverging = {"optimizer": {"lr": 0.9}, "trainer": {"max_epochs": 3}}
    for direction, epochs in (("maximize", 3), ("minimize", 1)):
        _, log = run("linear", scratch=tmp_path, objective={"metric": "score", "direction": direction}, **diverging)
        inputs, targets = DATASETS["diabetes"]().parts.validation.batch(slice(None))
        loss = float((inputs @ saved(log)["weight"][0] - targets).square().mean())
        assert loss == pytest.approx(log.metrics[epochs - 1]["val_loss"], rel=1e-4)


def test_early_stopping_looks_at_its_validation_loss(my_models):
    my_models(linear=LINEAR)
    patient = {"early_stopping_patience": 2}
    result, _ = run("linear", optimizer={"lr": 0.9}, regularization=patient, trainer={"max_epochs": 20})
    assert (result.outcome, result.epochs) == (Outcome.OK, 3)
    my_models(linear=LINEAR.replace("val_loss", "val_mse"))
    result, _ = run("linear", regularization=patient, objective={"metric": "val_mse"})
    assert result.error.startswith("regularization.early_stopping_patience: no metric val/loss was logged; there are: ")


# How it ends


def test_a_loss_that_is_not_finite_has_diverged(my_models):
    my_models(linear=LINEAR.replace("return F.mse_loss", "return (batch_idx < 1 or torch.nan) * F.mse_loss"))
    result, log = run("linear", data={"batch_size": 100})
    assert (result.outcome, result.epochs, log.metrics) == (Outcome.DIVERGED, 0, [])
    assert result.error == "The training loss was nan at batch 2 of epoch 1."


def test_a_validation_loss_or_an_objective_that_is_not_finite_has_diverged(my_models):
    my_models(linear=LINEAR.replace('"val_loss", ', '"val_loss", torch.inf * '))
    result, log = run("linear")
    assert (result.outcome, result.error) == (Outcome.DIVERGED, "val_loss was inf after epoch 1.")
    assert all(math.isfinite(value) for value in log.metrics[0].values())
    my_models(linear=LINEAR.replace('"val_loss", ', '"val_f1", torch.nan * '))
    result, _ = run("linear", objective={"metric": "val_f1"})
    assert (result.outcome, result.error) == (Outcome.DIVERGED, "val_f1 was nan after epoch 1.")


def test_weights_that_are_not_finite_have_diverged_though_nothing_says_so(my_models):
    by_hand = [line.replace("optimizer.step()", "self.weight.data.fill_(torch.inf)") for line in MANUAL]
    text = with_methods(*by_hand).replace(
        'self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))', 'self.log("ok", 1.0)'
    )
    my_models(linear=text)
    result, _ = run("linear", objective={"metric": "ok"})
    assert (result.outcome, result.error) == (Outcome.DIVERGED, "A parameter was not finite after epoch 1.")


def test_a_step_logged_loss_that_is_not_finite_ends_the_epoch(my_models):
    by_hand = [line.replace('"seen", float(batch_idx)', '"g_loss", torch.nan') for line in MANUAL]
    my_models(linear=with_methods(*by_hand))
    result, log = run("linear", data={"batch_size": 50})
    assert (result.outcome, log.metrics) == (Outcome.DIVERGED, [])
    assert result.error == "g_loss was not finite at batch 2 of epoch 1."


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, Outcome.PRUNED])
def test_it_can_be_ended_in_the_middle_of_an_epoch(outcome, my_models):
    my_models(linear=with_methods("def on_validation_start(self): raise AssertionError('it goes on')"))
    answers = iter([None, outcome])
    result, log = run("linear", data={"batch_size": 50}, should_end=lambda: next(answers))
    assert (result.outcome, result.error, result.epochs, log.metrics) == (outcome, None, 0, [])


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("super().__init__()", "super().__init__(); raise KeyError('depth')",
         "line 10: its constructor raised KeyError: 'depth'."),
        ("super().__init__()", "super().__init__(); raise SystemExit(2)",
         "line 10: its constructor ended the process (sys.exit)."),
        ("return x @", "return x.no_such_thing @",
         "line 13: training it raised AttributeError: 'Tensor' object has no attribute 'no_such_thing'."),
        ("return x @ self.weight[0]", "raise ValueError('no\\nluck')",
         "line 13: training it raised ValueError: no luck."),
        ("return x @ self.weight[0]", "raise SystemExit", "line 13: training it ended the process (sys.exit)."),
        ("return x @ self.weight[0]", "import no_such_package",
         "line 13: it imports no_such_package, which is not installed here."),
        ("return x @ self.weight[0]", "return x @ self.weight[0].detach()",
         "training it raised RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn."),
    ],
)  # fmt: skip
def test_what_raises_crashes_with_a_sentence_that_names_model_file_and_line(old, new, sentence, my_models):
    folder = my_models(linear=LINEAR.replace(old, new))
    result, _ = run("linear")
    assert (result.outcome, result.error) == (Outcome.CRASHED, f"model linear: {folder / 'linear.py'}: {sentence}")
    assert "linear.py" in result.traceback or "grad_fn" in sentence


def test_a_hook_that_needs_what_is_not_there_is_named_with_its_line(my_models):
    folder = my_models(linear=with_methods("def on_train_epoch_end(self): notinstalled.make_grid(None)"))
    result, _ = run("linear")
    line = len((folder / "linear.py").read_text().splitlines())
    where = f"model linear: {folder / 'linear.py'}: line {line}"
    assert result.error == f"{where}: training it raised NameError: name 'notinstalled' is not defined."


def test_a_sibling_that_is_imported_in_a_method_and_called_like_ours_is_named_with_ours(my_models):
    folder = my_models(data="value = 1", linear=with_methods("def on_fit_start(self): from data import value"))
    result, _ = run("linear")
    assert result.error.endswith(
        f". Here data is Sweepboard's package {ROOT / 'data'}, not {folder / 'data.py'}; rename that."
    )


def test_what_the_data_cannot_say_is_refused(my_models):
    my_models(linear=LINEAR.replace("in_features: int", "num_classes: int, in_features: int"))
    result, _ = run("linear")
    assert result.error == "model linear: its argument num_classes is not known of data that is regression."


def test_a_name_that_is_not_there_is_refused(my_models):
    my_models(linear=LINEAR)
    result, _ = run("lineal")
    assert result.error.startswith("model.name: lineal is not allowed; allowed: linear_regression, ")
    assert result.error.endswith("; did you mean linear?")


def test_a_module_that_breaks_later_is_one_sentence(my_models, monkeypatch):
    from sweeps.catalogue import user_files as modules

    file = my_models(linear=LINEAR) / "linear.py"
    assert run("linear")[0].outcome is Outcome.OK
    monkeypatch.setattr(modules, "load", lambda source: 1 / 0)
    result, _ = run("linear")
    assert result.error == f"model linear: {file}: importing it raised ZeroDivisionError: division by zero."


def test_a_module_that_is_taken_away_while_a_worker_knows_it_is_one_sentence(my_models, monkeypatch):
    from sweeps.catalogue import user_models

    folder = my_models(linear=LINEAR)
    assert run("linear")[0].outcome is Outcome.OK
    models = user_models.current()
    monkeypatch.setattr(user_models, "current", lambda: models)
    (folder / "linear.py").unlink()
    result, _ = run("linear")
    assert result.error == f"{folder / 'linear.py'}: it is not there any more, or the settings do not name it."


# What it may rely on


def test_random_numbers_of_every_kind_follow_the_seed(my_models):
    text = with_methods(
        "def on_train_epoch_end(self):",
        "    import random, numpy",
        "    self.log_dict({'r': random.random(), 'n': numpy.random.rand(), 't': torch.rand(())})",
    )
    my_models(linear=text)

    def drawn(seed):
        _, log = run("linear", seeds={"init": seed}, trainer={"max_epochs": 1})
        return [log.metrics[0][name] for name in "rnt"]

    first = drawn(1)
    assert drawn(1) == first and all(a != b for a, b in zip(first, drawn(2), strict=True))


def test_it_leaves_no_trace_on_the_next_run(my_models):
    import random

    my_models(linear=with_methods("def on_fit_start(self): torch.set_default_dtype(torch.float64)"))
    before = random.getstate(), torch.random.get_rng_state()
    run("linear")
    assert torch.get_default_dtype() is torch.float32 and random.getstate() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])


def test_what_it_expects_of_a_plain_trainer_is_there(my_models, tmp_path, monkeypatch):
    text = with_methods(
        "def on_train_start(self): self.logger.experiment.add_text('a', 'b')",
        "def configure_callbacks(self):",
        "    callbacks = pl.callbacks",
        "    return [callbacks.ModelCheckpoint(monitor='val_loss'), callbacks.EarlyStopping('val_loss', patience=1)]",
    ).replace("super().__init__()", "super().__init__(); self.save_hyperparameters()")
    my_models(linear=text)
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    result, _ = run("linear", optimizer={"lr": 0.9}, trainer={"max_epochs": 9})
    assert (result.outcome, result.error, result.epochs) == (Outcome.OK, None, 2)
    assert not [path for path in set(tmp_path.rglob("*")) - before if path.suffix == ".ckpt"]


@pytest.mark.parametrize(("method", "call"), [("forward", "self("), ("predict", "self.predict(")])
def test_lazy_layers_learn_their_sizes_from_the_data(method, call, my_models):
    lazy = LINEAR.replace("in_features: int, ", "").replace(
        "self.weight = nn.Parameter(torch.full((1, in_features), start))", "self.layer = nn.LazyLinear(1)"
    )
    lazy = lazy.replace("def forward(", f"def {method}(").replace("self(", call)
    my_models(linear=lazy.replace("x @ self.weight[0]", "self.layer(x)[:, 0]"))
    result, log = run("linear")
    assert result.outcome is Outcome.OK
    assert next(record for kind, record in log.records if kind == "info")["parameters"] == 11


def test_the_data_feeds_the_arguments_that_ask(my_models):
    names = ("input_shape", "num_outputs", "task", "in_features", "input_dim", "num_features", "out_features",
             "output_dim", "num_classes")  # fmt: skip
    text = LINEAR.replace("in_features: int,", f"{', '.join(names)},").replace(
        "super().__init__()", f"super().__init__(); self.told = [{', '.join(names)}]"
    )
    end = with_methods("def on_fit_end(self): raise ValueError(str(self.told))", base=text)
    my_models(linear=end.replace("batch[1]", "batch[1].float()"))
    expected = {
        "moons": [(2,), 1, "binary", 2, 2, 2, 1, 1, 2],
        "iris": [(4,), 3, "multiclass", 4, 4, 4, 3, 3, 3],
    }
    for data, arguments in expected.items():
        assert run("linear", data)[0].error.endswith(f" raised ValueError: {arguments}.")


def test_a_killed_run_goes_on_where_it_was(my_models, tmp_path):
    text = with_methods(
        "def configure_optimizers(self): return torch.optim.Adam(self.parameters(), lr=0.1)",
        "def on_train_epoch_end(self): self.log('epochs', float(self.current_epoch))",
    )
    my_models(linear=text)
    whole, log = run("linear", data={"batch_size": 100}, trainer={"max_epochs": 4})
    file = tmp_path / "resume.ckpt"
    calls = iter(range(100))
    interrupted = {"data": {"batch_size": 100}, "trainer": {"max_epochs": 4}, "resume": file}
    first, _ = run("linear", should_end=lambda: Outcome.STOPPED if next(calls) == 7 else None, **interrupted)
    assert (first.outcome, first.epochs) == (Outcome.STOPPED, 2) and file.exists()
    second, rest = run("linear", **interrupted)
    assert (second.outcome, second.epochs) == (Outcome.OK, 4) and not file.exists()
    timeless = [{k: v for k, v in metrics.items() if not k.startswith("time/")} for metrics in log.metrics]
    assert [{k: v for k, v in metrics.items() if not k.startswith("time/")} for metrics in rest.metrics] == timeless
    assert second.objective == whole.objective


def test_a_subclass_of_our_base_is_measured_as_ours(my_models):
    text = """
    from torch import nn
    from lightning_modules import Module

    class Mine(Module):
        tasks = ("multiclass",)
        def __init__(self, *, in_features: int, num_outputs: int, task: str, hidden: int = 4):
            super().__init__(task=task)
            self.layers = nn.Sequential(nn.Linear(in_features, hidden), nn.ReLU(), nn.Linear(hidden, num_outputs))
        def forward(self, inputs):
            return self.layers(inputs)
    """
    my_models(mine=text)
    result, log = run("mine", "iris")
    assert result.outcome is Outcome.OK
    assert {schema.VAL_ERROR, schema.TRAIN_EVAL_ERROR, schema.PENALTY, schema.TEST_ERROR} <= set(result.metrics)
    assert schema.OPTIMIZER_OF in log.tags


# Texts


WORDS = """
import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F


class Words(pl.LightningModule):
    \"\"\"The mean of the embeddings of a text's tokens, and a linear layer.\"\"\"

    takes = ("tokens",)
    tasks = ("binary",)

    def __init__(self, vocab_size: int, num_classes: int, size: int = 8):
        super().__init__()
        self.embedding, self.output = nn.Embedding(vocab_size, size), nn.Linear(size, num_classes)

    def training_step(self, batch, batch_idx):
        tokens, targets = batch
        embedded = self.embedding(tokens.ids) * tokens.mask[..., None]
        return F.cross_entropy(self.output(embedded.sum(dim=1)), targets)

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.training_step(batch, batch_idx))
"""


def test_a_module_that_takes_tokens_gets_the_size_of_the_vocabulary_and_whole_texts(my_models):
    my_models(words=WORDS)
    entry = load().models["words"]
    assert list(entry.fields) == ["size"] and entry.takes == ("tokens",)
    assert "words" in load().models_for("parity") and "words" not in load().models_for("moons", "diabetes")
    result, _ = run("words", "parity", data={"num_samples": 60, "batch_size": 16})
    assert (result.outcome, result.error) == (Outcome.OK, None)
    assert result.metrics["val/loss"] > 0
