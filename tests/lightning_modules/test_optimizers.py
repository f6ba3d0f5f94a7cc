"""Optimizers and schedules against their formulas, and what a plain Trainer makes of a recipe."""

import math
from itertools import pairwise

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from data import DATASETS
from lightning_modules import MODELS, Recipe
from lightning_modules.optimizers import OPTIMIZERS
from lightning_modules.schedules import EPOCH_SCHEDULES, SCHEDULES, STEP_SCHEDULES

START, STEPS = [1.5, -2.0, 0.3], 6


def gradient(w):
    """Of w⁴/4 - w: it changes from step to step, and its sign does."""
    return [x**3 - 1 for x in w]


def torch_path(name, **fields):
    w = nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = OPTIMIZERS[name](iter([w]), **fields)
    path = []
    for _ in range(STEPS):
        w.grad = torch.tensor(gradient(w.tolist()), dtype=torch.float64)
        optimizer.step()
        path.append(w.tolist())
    return path


def formula_path(update):
    """`update(g, w, state, t)` moves one number and keeps its own state."""
    w, states, path = list(START), [{} for _ in START], []
    for t in range(1, STEPS + 1):
        gradients = gradient(w)
        w = [update(g, x, state, t) for g, x, state in zip(gradients, w, states, strict=True)]
        path.append(w)
    return path


def by_velocity(lr, momentum, nesterov=False):
    def update(g, w, state, t):
        v = state["v"] = momentum * state.get("v", 0.0) + g
        return w - lr * (g + momentum * v if nesterov else v)

    return update


def by_rmsprop(lr, alpha, eps):
    def update(g, w, state, t):
        s = state["s"] = alpha * state.get("s", 0.0) + (1 - alpha) * g * g
        return w - lr * g / (math.sqrt(s) + eps)

    return update


def by_adagrad(lr, eps):
    def update(g, w, state, t):
        s = state["s"] = state.get("s", 0.0) + g * g
        return w - lr * g / (math.sqrt(s) + eps)

    return update


def by_adam(lr, betas, eps, weight_decay=0.0):
    def update(g, w, state, t):
        m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
        s = state["s"] = betas[1] * state.get("s", 0.0) + (1 - betas[1]) * g * g
        w = w - lr * weight_decay * w
        return w - lr * (m / (1 - betas[0] ** t)) / (math.sqrt(s / (1 - betas[1] ** t)) + eps)

    return update


PATHS = {
    "sgd": ({"lr": 0.05}, by_velocity(0.05, 0.0)),
    "momentum": ({"lr": 0.02, "momentum": 0.8}, by_velocity(0.02, 0.8)),
    "nesterov": ({"lr": 0.02, "momentum": 0.8}, by_velocity(0.02, 0.8, nesterov=True)),
    "rmsprop": ({"lr": 0.02, "alpha": 0.9, "eps": 1e-3}, by_rmsprop(0.02, 0.9, 1e-3)),
    "adam": ({"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-3}, by_adam(0.02, (0.8, 0.95), 1e-3)),
    "adamw": (
        {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.5},
        by_adam(0.02, (0.8, 0.95), 1e-3, 0.5),
    ),
    "adagrad": ({"lr": 0.1, "eps": 1e-3}, by_adagrad(0.1, 1e-3)),
}


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_optimizer_takes_the_steps_of_its_formula(name):
    fields, update = PATHS[name]
    for ours, theirs in zip(torch_path(name, **fields), formula_path(update), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)


FORMULAS = {
    "constant": ({}, lambda t: 1.0),
    "inverse_time": ({"decay": 0.4}, lambda t: 1 / (1 + 0.4 * t)),
    "step": ({"step_size": 3, "gamma": 0.5}, lambda t: 0.5 ** math.floor(t / 3)),
    "exponential": ({"gamma": 0.7}, lambda t: 0.7**t),
    "cosine": ({"final": 0.1}, lambda t: 0.1 + 0.9 * (1 + math.cos(math.pi * t / 10)) / 2),
    "range_test": ({"growth": 100.0}, lambda t: 10 ** (2 * t / 9)),
    "linear": ({}, lambda t: 1 - t / 10),
    "cosine_steps": ({"final": 0.1}, lambda t: 0.1 + 0.9 * (1 + math.cos(math.pi * t / 10)) / 2),
    "noam": ({"warmup_steps": 4}, lambda s: min((s + 1) / 4, 2 / math.sqrt(s + 1))),
}
WARMED = {
    **{name: "warmup_epochs" for name in EPOCH_SCHEDULES if name != "range_test"},
    **{name: "warmup_steps" for name in STEP_SCHEDULES if name != "noam"},
}


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_schedule_follows_its_formula(name):
    fields, formula = FORMULAS[name]
    factor = SCHEDULES[name](10, **fields)
    assert [factor(epoch) for epoch in range(10)] == pytest.approx([formula(epoch) for epoch in range(10)])


@pytest.mark.parametrize("name", WARMED)
def test_warm_up_climbs_linearly_and_then_the_schedule_begins(name):
    fields, formula = FORMULAS[name]
    factor = SCHEDULES[name](13, **fields, **{WARMED[name]: 3})
    expected = [1 / 4, 2 / 4, 3 / 4, *(formula(t) for t in range(10))]
    assert [factor(epoch) for epoch in range(13)] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("step", lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=3, gamma=0.5)),
        ("exponential", lambda o: torch.optim.lr_scheduler.ExponentialLR(o, gamma=0.7)),
        ("cosine", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=10, eta_min=0.1)),
        ("cosine_steps", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=10, eta_min=0.1)),
        ("linear", lambda o: torch.optim.lr_scheduler.LinearLR(o, start_factor=1, end_factor=0, total_iters=10)),
    ],
)
def test_schedule_agrees_with_torch(name, make):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    theirs = []
    for _ in range(10):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    factor = SCHEDULES[name](10, **FORMULAS[name][0])
    assert [factor(epoch) for epoch in range(10)] == pytest.approx(theirs)


@pytest.mark.parametrize("warmup_steps", [1, 4, 400])
def test_noam_is_the_papers_rate_over_its_highest(warmup_steps):
    d_model = 512

    def rate_of_the_paper(step):  # Vaswani et al. (2017), eq. 3, whose first step is 1
        return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)

    highest = max(rate_of_the_paper(step) for step in range(1, 1000))
    factor = SCHEDULES["noam"](1000, warmup_steps=warmup_steps)
    assert [highest * factor(step - 1) for step in range(1, 1000)] == pytest.approx(
        [rate_of_the_paper(step) for step in range(1, 1000)], rel=1e-12
    )


@pytest.mark.parametrize("name", list(STEP_SCHEDULES))
@pytest.mark.parametrize("steps", [1, 3, 50])
def test_a_schedule_by_the_step_stays_between_0_and_1_also_beyond_its_end(name, steps):
    for warmup_steps in (1, 2, 60):
        factor = SCHEDULES[name](steps, warmup_steps=warmup_steps)
        factors = [factor(step) for step in range(steps + 70)]
        assert all(0 <= value <= 1 for value in factors) and factors[0] > 0


@pytest.mark.parametrize("name", ["linear", "cosine_steps"])
def test_training_without_an_end_never_lowers_the_rate(name):
    factor = SCHEDULES[name](math.inf, warmup_steps=1)
    assert [factor(step) for step in (0, 1, 10**6)] == [0.5, 1, 1]


@pytest.mark.parametrize("epochs", [1, 2, 20])
def test_a_range_test_grows_from_1_by_its_growth_in_equal_steps_of_the_logarithm(epochs):
    factor = SCHEDULES["range_test"](epochs, growth=1e6)
    rates = [factor(epoch) for epoch in range(epochs)]
    assert rates[0] == 1 and rates[-1] == pytest.approx(1e6 if epochs > 1 else 1)
    steps = [math.log(later / earlier) for earlier, later in pairwise(rates)]
    assert steps == pytest.approx([math.log(1e6) / max(epochs - 1, 1)] * (epochs - 1))
    assert math.isfinite(SCHEDULES["range_test"](epochs, growth=1e12)(epochs)), (
        "Lightning asks after the last epoch too"
    )


class Rates(pl.Callback):
    def __init__(self):
        self.rates = []

    def on_train_epoch_start(self, trainer, pl_module):
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


class StepRates(pl.Callback):
    def __init__(self):
        self.rates = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.rates.append(optimizer.param_groups[0]["lr"])


QUIET = {
    "accelerator": "cpu", "devices": 1, "logger": False, "enable_checkpointing": False, "enable_progress_bar": False,
    "enable_model_summary": False,
}  # fmt: skip


@pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:The number of training batches", "ignore:.*LeafSpec:FutureWarning"
)
@pytest.mark.parametrize(
    ("name", "data_name"),
    [("mlp", "iris"), ("linear_regression", "diabetes"), ("logistic_regression", "breast_cancer")],
)
def test_a_plain_trainer_fits_and_logs_by_split_and_metric(name, data_name):
    data = DATASETS[data_name]()
    module = MODELS[name](**data.dims)
    module.recipe = Recipe(optimizer={"name": "sgd", "lr": 0.02}, schedule={"name": "exponential", "gamma": 0.5})
    callback = Rates()
    trainer = pl.Trainer(max_epochs=3, callbacks=[callback], **QUIET)
    trainer.fit(module, datamodule=data)
    logged = {key: float(value) for key, value in trainer.callback_metrics.items()}
    assert set(logged) == {"train/loss", "val/loss", "val/error", "train_eval/loss", "train_eval/error"}
    assert callback.rates == pytest.approx([0.02, 0.01, 0.005])
    module.eval()
    parts = data.parts
    for split, part in (("val", parts.validation), ("train_eval", parts.train_eval)):
        with torch.no_grad():
            measured = module.scores(part.batch(slice(None)))
        assert logged[f"{split}/loss"] == pytest.approx(float(measured["loss"]), rel=1e-5)
        assert logged[f"{split}/error"] == pytest.approx(float(measured["error"]), rel=1e-5)
    (tested,) = trainer.test(module, datamodule=data, verbose=False)
    assert set(tested) == {"test/loss", "test/error"}


@pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:The number of training batches", "ignore:.*LeafSpec:FutureWarning"
)
@pytest.mark.parametrize("name", list(STEP_SCHEDULES))
@pytest.mark.parametrize("options", [{}, {"limit_train_batches": 2}, {"accumulate_grad_batches": 2}], ids=str)
def test_a_plain_trainer_changes_the_rate_after_each_step_down_to_the_last(name, options):
    data = DATASETS["iris"](batch_size=32)
    module = MODELS["mlp"](**data.dims)
    module.recipe = Recipe({"name": "sgd", "lr": 0.02}, {"name": name, "warmup_steps": 2})
    callback = StepRates()
    trainer = pl.Trainer(max_epochs=3, limit_val_batches=0, callbacks=[callback], **QUIET, **options)
    trainer.fit(module, datamodule=data)
    steps = 6 if options else 3 * len(data.train_dataloader())
    factor = SCHEDULES[name](steps, warmup_steps=2)
    assert len(callback.rates) == steps
    assert callback.rates == pytest.approx([0.02 * factor(step) for step in range(steps)])


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        (
            Recipe(optimizer={"name": "adamm"}),
            r"optimizer.name: adamm is not allowed; allowed: sgd, .*did you mean adam",
        ),
        (Recipe(schedule={"name": "cosinus"}), r"schedule.name: cosinus is not allowed; .*did you mean cosine"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(recipe, sentence):
    module = MODELS["mlp"](input_shape=(2,), num_outputs=1, task="binary")
    module.recipe = recipe
    with pytest.raises(ValueError, match=sentence):
        module.configure_optimizers()
