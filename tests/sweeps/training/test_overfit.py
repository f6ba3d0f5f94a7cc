"""Ten examples learnt by heart: what can learn, what cannot and why, and what is broken, each named rightly."""

import math
from itertools import count
from types import SimpleNamespace

import pytest
from torch import nn

from lightning_modules import MODELS
from lightning_modules.blocks.dropout import Dropout
from sweeps.catalogue import load
from sweeps.training import overfit as overfitting
from sweeps.training import overfit_attempt
from sweeps.training.overfit import EXAMPLES, overfit, prepared
from sweeps.training.overfit_attempt import AbandonedError, without_dropout
from sweeps.training.overfit_result import Verdict

NEEDS_FILES = {
    name
    for name, entry in load().datasets.items()
    if any(f.type == "str" and f.required for f in entry.fields.values())
}
PAIRS = [(data, model) for data in load().datasets if data not in NEEDS_FILES for model in load().models_for(data)]

HEAD = """
import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F

"""
NET = (
    HEAD
    + """
class Net(pl.LightningModule):
    def __init__(self, in_features: int, num_classes: int):
        super().__init__()
        self.hidden = nn.Linear(in_features, 32)
        self.relu = nn.ReLU()
        self.output = nn.Linear(32, num_classes)
        self.begin()
    def begin(self):
        pass
    def forward(self, x):
        return self.output(self.relu(self.hidden(x)))
    def loss(self, batch):
        return F.cross_entropy(self(batch[0]), batch[1])
    def training_step(self, batch, batch_idx):
        return self.loss(batch)
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)
"""
)


@pytest.fixture(autouse=True)
def bounded(monkeypatch):
    """Steps end an attempt, never the clock of a busy machine."""
    monkeypatch.setattr(overfitting, "STEPS", 800)
    monkeypatch.setattr(overfitting, "OWN_SECONDS", 1000.0)
    monkeypatch.setattr(overfitting, "SECONDS", 1000.0)


def net(*lines):
    """A module that learns, with these methods instead of its own."""
    return NET + "".join(f"    {line}\n" for line in lines)


def configuration(model, data="iris", /, **sections):
    base = {
        "model": {"name": model},
        "data": {"name": data},
        "optimizer": {"name": "adam", "lr": 0.01},
        "trainer": {"device": "cpu"},
    }
    return {**base, **{name: {**base.get(name, {}), **fields} for name, fields in sections.items()}}


# Every model on every data set


@pytest.mark.parametrize(("data", "model"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_every_model_learns_ten_examples_or_is_truthfully_called_too_simple(data, model):
    result = overfit(configuration(model, data, optimizer={"lr": 0.05}))
    assert result.verdict in (Verdict.LEARNS, Verdict.OTHER_OPTIMIZER, Verdict.TOO_SIMPLE), result.sentence
    assert result.problem == "" and 1 <= result.examples <= EXAMPLES and result.sentence.endswith(".")
    if result.verdict is Verdict.TOO_SIMPLE:
        assert issubclass(MODELS[model], MODELS["perceptron"].__mro__[1]), (
            "only a linear model may be called too simple"
        )
    else:
        assert math.isfinite(result.end) and result.end >= result.floor - 1e-6
        assert "The code can learn" in result.sentence


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("mlp", {"initialization": "zeros"}),
        ("mlp", {"initialization": "normal", "init_std": 0.0}),
        ("mlp", {"initialization": "zeros", "hidden_sizes": [8, 8]}),
    ],
)
def test_a_network_whose_units_start_alike_is_broken(model, fields, monkeypatch):
    monkeypatch.setattr(overfitting, "STEPS", 150)
    result = overfit(configuration(model, model=fields))
    assert (result.verdict, result.reached) == (Verdict.BROKEN, False)
    assert "the outputs are the same whatever the inputs are" in result.problem
    assert "that of the best answer that is the same for every example" in result.problem
    assert "All units of a layer start alike" in result.problem
    assert "No gradient reaches layers.0.weight, layers.0.bias" in result.problem


def test_a_learning_rate_that_is_too_small_breaks_no_code():
    result = overfit(configuration("mlp", optimizer={"name": "sgd", "lr": 1e-6}))
    assert (result.verdict, result.reached) == (Verdict.OTHER_OPTIMIZER, True)
    assert "but not with this optimizer and learning rate: sgd at learning rate 1e-06" in result.sentence
    assert "adam at learning rate" in result.optimizer and result.end < 0.05 < 1 < result.start


def test_what_hinders_is_switched_off_and_said(configuration_of_hindrances):
    result = overfit(configuration_of_hindrances)
    assert result.verdict is Verdict.LEARNS, result.sentence
    (remark,) = result.remarks
    assert all(name in remark for name in ("l1", "l2", "weight_decay", "input_noise", "schedule", "dropout"))


@pytest.fixture
def configuration_of_hindrances():
    return configuration(
        "mlp",
        model={"dropout": 0.99, "hidden_sizes": [64]},
        optimizer={"name": "adamw", "weight_decay": 5.0},
        regularization={"l1": 1.0, "l2": 10.0, "early_stopping_patience": 1},
        data={"input_noise": 5.0},
        schedule={"name": "cosine"},
    )


def test_every_kind_of_dropout_is_switched_off():
    layers = nn.ModuleList(
        [
            nn.Dropout(0.5),
            nn.Dropout2d(0.5),
            Dropout(0.5),
            nn.LSTM(2, 2, 2, dropout=0.5),
            nn.MultiheadAttention(2, 1, dropout=0.5),
            nn.Linear(2, 2),
        ]
    )
    assert without_dropout(layers) and not without_dropout(layers)
    assert [layer.p for layer in layers[:3]] == [layer.dropout for layer in layers[3:5]] + [0] == [0, 0, 0]


def test_the_configuration_itself_is_not_changed(configuration_of_hindrances):
    before = repr(configuration_of_hindrances)
    sections, _ = prepared(configuration_of_hindrances)
    assert repr(configuration_of_hindrances) == before
    assert sections["regularization"]["l2"] == sections["optimizer"]["weight_decay"] == 0


@pytest.mark.parametrize("data", ["iris", "moons"])
def test_label_smoothing_stays_and_lifts_the_floor(data):
    result = overfit(configuration("mlp", data, regularization={"label_smoothing": 0.2}, model={"hidden_sizes": [64]}))
    classes = {"iris": 3, "moons": 2}[data]
    right, wrong = 0.8 + 0.2 / classes, 0.2 / classes
    entropy = -right * math.log(right) - (classes - 1) * wrong * math.log(wrong)
    assert result.verdict is Verdict.LEARNS, result.sentence
    assert result.floor == pytest.approx(entropy)
    assert result.floor - 1e-6 <= result.end < result.floor + 0.05
    assert any("labels are smoothed" in remark for remark in result.remarks)


# Models that cannot


def test_a_linear_model_that_can_only_answer_a_constant_is_not_called_broken():
    """The four corners of XOR: the best line has the loss of a coin, log 2."""
    settings = configuration("logistic_regression", "logic_gate", data={"gate": "xor", "noise": 0.0})
    result = overfit(settings)
    assert result.problem == "" and "Something is broken" not in result.sentence
    assert "linear model" in result.sentence
    assert result.floor > 0.4


def test_of_a_linear_regression_the_least_squares_loss_is_the_floor():
    result = overfit(configuration("linear_regression", "noisy_curve"))
    assert result.verdict is Verdict.LEARNS and "a linear model can reach" in result.sentence
    assert 0.1 < result.floor < result.start


def test_a_perceptron_that_no_line_can_help_is_too_simple(monkeypatch):
    monkeypatch.setattr(overfitting, "STEPS", 150)
    result = overfit(configuration("perceptron", "logic_gate", data={"gate": "xor", "noise": 0.0}))
    assert (result.verdict, result.reached, result.floor) == (Verdict.TOO_SIMPLE, False, None)
    assert "no hyperplane separates their classes" in result.sentence


# Few examples, and an end


def test_fewer_than_ten_examples_will_do_and_one_class_tells_little():
    result = overfit(configuration("mlp", data={"train_size": 1}))
    assert result.examples == 1 and result.verdict is Verdict.LEARNS
    assert "There are only 1 example to train on." in result.remarks
    assert any("tells little" in remark for remark in result.remarks)


def test_data_and_models_that_cannot_be_built_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="train_size: 500 is not allowed"):
        overfit(configuration("mlp", data={"train_size": 500}))
    with pytest.raises(ValueError, match=r"label_smoothing: 0\.1 is not allowed"):
        overfit(configuration("perceptron", "moons", regularization={"label_smoothing": 0.1}))
    with pytest.raises(ValueError, match="cannot do the task"):
        overfit(configuration("linear_regression", "iris"))


def test_it_ends_when_it_is_asked_to_and_says_how_far_it_is():
    heard = []

    def progress(doing, share):
        heard.append((doing, share))

    with pytest.raises(AbandonedError):
        overfit(configuration("mlp", optimizer={"lr": 1e-6}), lambda: len(heard) >= 3, progress)
    assert len(heard) == 3 and heard[0][0].startswith("adam at learning rate 1e-06: loss ")
    assert all(0 <= share <= 1 for _, share in heard)


def test_it_ends_when_the_time_is_up(monkeypatch):
    monkeypatch.setattr(overfitting, "OWN_SECONDS", 0.0)
    monkeypatch.setattr(overfitting, "SECONDS", 0.0)
    result = overfit(configuration("mlp", optimizer={"lr": 1e-6}))
    assert result.verdict is Verdict.STUCK and result.steps < 5
    assert "when the time was up" in result.sentence and "does not learn" in result.sentence


def test_a_slow_machine_is_not_said_to_be_a_fault_of_the_code(monkeypatch):
    a_step_takes = overfitting.OWN_SECONDS / 60
    clock = SimpleNamespace(perf_counter=count(step=a_step_takes).__next__)
    monkeypatch.setattr(overfit_attempt, "time", clock)
    monkeypatch.setattr(overfitting, "SECONDS", 0.0)
    result = overfit(configuration("mlp", optimizer={"name": "adam", "lr": 1e-3}))
    assert result.verdict is Verdict.STUCK and 50 < result.steps < 70
    assert result.sentence.startswith("The time was up before the code had learnt 10 examples by heart: ")


# User modules


def test_a_user_module_learns_with_its_own_loss_and_optimizer(my_models):
    my_models(net=NET)
    result = overfit(configuration("net", optimizer={"name": "sgd", "lr": 1e-9}))
    assert result.verdict is Verdict.LEARNS, result.sentence
    assert (result.optimizer, result.floor) == ("its own optimizer", None)
    assert "the loss is the model's own" in result.sentence


def test_without_an_optimizer_of_its_own_it_gets_that_of_the_configuration(my_models):
    my_models(net=NET[: NET.index("    def configure_optimizers")])
    result = overfit(configuration("net", optimizer={"name": "adam", "lr": 0.02}))
    assert (result.verdict, result.optimizer) == (Verdict.LEARNS, "adam at learning rate 0.02")


SAME_FOR_ALL = "the outputs are the same whatever the inputs are"
BROKEN = {
    "detached": (["def loss(self, batch): return F.cross_entropy(self(batch[0]), batch[1]).detach()"], "is detached"),
    "no_grad": (
        ["def loss(self, batch):", "    with torch.no_grad(): return F.cross_entropy(self(batch[0]), batch[1])"],
        "is detached",
    ),
    "no_loss": (["def training_step(self, batch, batch_idx): self.loss(batch)"], "training_step returns no loss"),
    "ignores_inputs": (["def forward(self, x): return self.output(self.relu(self.hidden(0 * x)))"], SAME_FOR_ALL),
    "ignores_inputs_without_forward": (
        [
            "forward = pl.LightningModule.forward",
            "def loss(self, batch): return F.cross_entropy(self.output(self.hidden(0 * batch[0])), batch[1])",
        ],
        SAME_FOR_ALL,
    ),
    "zeros": (
        ["def begin(self):", "    for parameter in self.parameters(): nn.init.zeros_(parameter)"],
        "All units of a layer start alike",
    ),
    "frozen": (["def begin(self): self.requires_grad_(False)"], "requires_grad is False for all of them"),
    "nan": (["def loss(self, batch): return F.cross_entropy(self(batch[0]) / 0 * 0, batch[1])"], "at the first step"),
    "dead_relu": (["def begin(self): nn.init.constant_(self.hidden.bias, -1000.0)"], "Every unit of relu gives 0"),
    "no_gradient": (
        ["def loss(self, batch): return F.cross_entropy(0 * self(batch[0]), batch[1])"],
        "the gradient of every parameter is 0 or missing",
    ),
    "wrong_update": (
        [
            "def configure_optimizers(self): return torch.optim.SGD(self.parameters(), lr=0.1, maximize=True)",
            "def on_before_optimizer_step(self, optimizer):",
            "    if optimizer.defaults.get('maximize') is False or 'betas' in optimizer.defaults:",
            "        for parameter in self.parameters(): parameter.grad.neg_()",
        ],
        "the loss rises",
    ),
    "zero_loss": (["def loss(self, batch): return 0 * F.cross_entropy(self(batch[0]), batch[1])"], "the loss is 0 at"),
    "raises": (["def loss(self, batch): return batch[2]"], "IndexError"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_broken_in_a_user_module_is_named(kind, my_models, monkeypatch):
    monkeypatch.setattr(overfitting, "STEPS", 150)
    lines, words = BROKEN[kind]
    my_models(net=net(*lines))
    result = overfit(configuration("net"))
    assert (result.verdict, result.reached) == (Verdict.BROKEN, False), result.sentence
    assert words in result.problem
    assert result.sentence == f"Something is broken: {result.problem}."


def test_a_loss_with_the_wrong_sign_is_named(my_models, monkeypatch):
    monkeypatch.setattr(overfitting, "STEPS", 150)
    my_models(net=net("def loss(self, batch): return -F.cross_entropy(self(batch[0]), batch[1])"))
    result = overfit(configuration("net"))
    assert (result.verdict, result.reached) == (Verdict.STUCK, False)
    assert result.problem.startswith("the loss falls below 0, to -") and "wrong sign" in result.sentence


def test_parameters_that_its_optimizer_does_not_have_are_named(my_models):
    lines = [
        "def begin(self): nn.init.zeros_(self.output.weight)",
        "def forward(self, x): return self.output(self.relu(self.hidden(x))) * 1.0",
        "def configure_optimizers(self): return torch.optim.SGD([self.output.bias], lr=0.1)",
    ]
    my_models(net=net(*lines))
    result = overfit(configuration("net"))
    assert result.verdict is Verdict.OTHER_OPTIMIZER
    assert "its own optimizer" in result.sentence
    assert "Its own optimizer does not change output.weight." in result.remarks


def test_a_module_that_steps_its_optimizers_itself_and_returns_no_loss_cannot_be_judged(my_models):
    lines = [
        "def training_step(self, batch, batch_idx):",
        "    loss, optimizer = self.loss(batch), self.optimizers()",
        "    optimizer.zero_grad(); self.manual_backward(loss); optimizer.step()",
    ]
    my_models(net=net("automatic_optimization = False", *lines))
    result = overfit(configuration("net"))
    assert (result.verdict, result.problem) == (Verdict.STUCK, "")
    assert "returns no loss" in result.sentence and "broken" not in result.sentence


def test_a_loss_that_falls_but_not_to_0_is_for_its_author_to_judge(my_models, monkeypatch):
    monkeypatch.setattr(overfitting, "STEPS", 150)
    my_models(net=net("def loss(self, batch): return 0.3 + F.cross_entropy(self(batch[0]), batch[1])"))
    result = overfit(configuration("net"))
    assert result.verdict is Verdict.STUCK and result.problem == ""
    assert "its author knows" in result.sentence and "broken" not in result.sentence


def test_an_epochs_end_that_wants_a_metric_does_no_harm(my_models):
    lines = [
        "def configure_optimizers(self):",
        "    optimizer = torch.optim.Adam(self.parameters(), lr=0.01)",
        "    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)",
        "    return {'optimizer': optimizer, 'lr_scheduler': {'scheduler': plateau, 'monitor': 'val_loss'}}",
    ]
    my_models(net=net(*lines))
    assert overfit(configuration("net")).verdict is Verdict.LEARNS
