"""The loss about the end of a run: against closed forms and what the run itself recorded."""

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from data import DATASETS
from lightning_modules import MODELS
from sweeps.training.landscape import EndedError, finest_grid, landscape
from sweeps.training.loss_surface import filter_normalised, grid_axes
from sweeps.training.train import train
from tracking import schema
from tracking.schema import Outcome

SMALL = (5,)


def configuration(model="mlp", data="iris", /, **more):
    base = {
        "model": {"name": model, **({"hidden_sizes": [8]} if model == "mlp" else {})},
        "data": {"name": data, "batch_size": 16},
        "optimizer": {"name": "sgd", "lr": 0.05},
        "trainer": {"max_epochs": 4, "device": "cpu"},
        "seeds": {"data": 1, "init": 2, "order": 3},
    }
    for section, fields in more.items():
        base[section] = {**base.get(section, {}), **fields}
    return base


def recorded(settings):
    return {"metrics": train({**settings, "keep": "none"}).metrics, "tags": {}}


class End(pl.Callback):
    """The weights of the last epoch."""

    def on_train_epoch_end(self, trainer, pl_module):
        self.state = {name: tensor.clone() for name, tensor in pl_module.state_dict().items()}


def quadratic(x, y, z):
    """The sum of squares that a polynomial of the second degree leaves of z, as a share of what z varies."""
    a, b = (grid.ravel() for grid in np.meshgrid(x, y))
    terms = np.stack([np.ones_like(a), a, b, a * a, a * b, b * b], axis=1)
    _, left, *_ = np.linalg.lstsq(terms, z.ravel(), rcond=None)
    return float(left[0]) / float(((z - z.mean()) ** 2).sum())


def test_of_a_linear_model_the_grid_is_the_exact_quadratic():
    settings = configuration("linear_regression", "diabetes", optimizer={"lr": 0.02})
    end = End()
    train(settings, callbacks=[end])
    arrays = landscape(settings, {}, seed=7, grids=(9,))
    part = DATASETS["diabetes"](batch_size=16, seed_data=1, seed_order=3).parts.train_eval
    inputs, targets = part.inputs.double().numpy(), part.targets.double().numpy()
    weights = end.state["linear.weight"].double().numpy()[0]
    bias = float(end.state["linear.bias"])
    one, two = filter_normalised(end.state, ["linear.weight"], 7).double().numpy()
    exact = [
        [float(((inputs @ (weights + a * one + b * two) + bias - targets) ** 2).mean()) for a in arrays["random_x"]]
        for b in arrays["random_y"]
    ]
    np.testing.assert_allclose(arrays["random_loss"], exact, rtol=1e-5)
    assert quadratic(arrays["pca_x"], arrays["pca_y"], arrays["pca_loss"]) < 1e-8


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"model": {"norm": "batch", "dropout": 0.3}, "regularization": {"l2": 0.01}},
        {"trainer": {"max_epochs": 60}, "optimizer": {"lr": 1.0}, "regularization": {"early_stopping_patience": 2}},
        {"trainer": {"precision": 64}},
        {"trainer": {"precision": "bf16-mixed"}},
    ],
)
def test_both_planes_go_through_what_was_recorded_of_the_last_epoch(more):
    settings = configuration(**more)
    record = recorded(settings)
    arrays = landscape(settings, record, grids=SMALL)
    assert arrays["reproduced"] and str(arrays["problem"]) == ""
    assert arrays["checked"].tolist() == [schema.TRAIN_EVAL_LOSS, schema.VAL_LOSS, schema.TRAIN_LOSS]
    for plane in ("random", "pca"):
        x, y, loss = (arrays[f"{plane}_{name}"] for name in ("x", "y", "loss"))
        (row,), (column,) = np.flatnonzero(y == 0), np.flatnonzero(x == 0)
        assert loss[row, column] == pytest.approx(record["metrics"][schema.TRAIN_EVAL_LOSS], rel=1e-6)
        assert arrays[f"{plane}_path"][-1].tolist() == [0, 0]
    assert arrays["losses"][-1] == pytest.approx(record["metrics"][schema.TRAIN_EVAL_LOSS], rel=1e-6)


def test_the_losses_along_the_way_are_those_that_each_epoch_recorded():
    settings, records = configuration(), []
    train(settings, lambda kind, record: records.append(record) if kind == "metrics" else None)
    arrays = landscape(settings, {}, grids=SMALL)
    assert arrays["epochs"].tolist() == [0, 1, 2, 3, 4]
    of_epochs = [record["metrics"][schema.TRAIN_EVAL_LOSS] for record in records]
    np.testing.assert_allclose(arrays["losses"][1:], of_epochs, rtol=1e-6)


def test_each_row_of_a_direction_is_as_long_as_that_of_the_weights():
    state = {"conv": torch.randn(6, 3, 2, 2), "linear": torch.randn(4, 9), "bias": torch.randn(4)}
    state["linear"][1] = 0
    one, two = filter_normalised(state, ["conv", "linear"], 0)
    for direction in (one, two):
        conv, linear = torch.split(direction, [72, 36])
        torch.testing.assert_close(conv.view(6, 12).norm(dim=1), state["conv"].flatten(1).norm(dim=1))
        torch.testing.assert_close(linear.view(4, 9).norm(dim=1), state["linear"].norm(dim=1))
    assert not torch.equal(one, two)
    again, other = filter_normalised(state, ["conv", "linear"], 0), filter_normalised(state, ["conv", "linear"], 1)
    assert torch.equal(again[0], one) and not torch.equal(other[0], one)


def test_the_grid_about_a_way_holds_all_of_it_has_equal_steps_and_a_point_at_zero():
    path = np.array([[-5.0, 0.3], [-2.0, 1.1], [0.0, 0.0]])
    x, y = grid_axes(path, 11)
    for axis, coordinates in ((x, path[:, 0]), (y, path[:, 1])):
        assert axis.min() < coordinates.min() and axis.max() > coordinates.max() and (axis == 0).sum() == 1
        np.testing.assert_allclose(np.diff(axis), (x[-1] - x[0]) / 10)


def test_a_long_way_is_thinned_evenly_and_keeps_its_ends(monkeypatch):
    monkeypatch.setattr("sweeps.training.landscape.KEPT", 10)
    epochs = landscape(configuration(trainer={"max_epochs": 45}), {}, grids=SMALL)["epochs"].tolist()
    assert epochs == [0, 8, 16, 24, 32, 40, 45]


def test_the_finest_grid_that_time_allows_is_taken(monkeypatch):
    assert finest_grid(1e-4, 2, (41, 31, 11)) == 41
    assert finest_grid(0.04, 2, (41, 31, 11)) == 31 and finest_grid(1.0, 2, (41, 31, 11)) == 11


def test_a_run_that_came_out_otherwise_is_said_to_have():
    settings = configuration()
    record = recorded(settings)
    record["metrics"][schema.VAL_LOSS] *= 1.01
    record["tags"] = {schema.DATA_HASH: "other"}
    arrays = landscape(settings, record, grids=SMALL)
    assert not arrays["reproduced"]
    problem = str(arrays["problem"])
    assert problem.startswith("The run could not be reproduced: val/loss is ") and "train_eval/loss" not in problem
    assert problem.endswith("; the data are not what it was trained with.")
    unknown = landscape(settings, {}, grids=SMALL)
    assert "not known" in str(unknown["problem"]) and not unknown["reproduced"]


def test_a_single_epoch_has_no_principal_components():
    arrays = landscape(configuration(trainer={"max_epochs": 1}), {}, grids=SMALL)
    assert "random_loss" in arrays and not [name for name in arrays if name.startswith(("pca", "null"))]


def test_what_cannot_be_trained_again_or_has_no_weights_is_a_sentence():
    with pytest.raises(ValueError, match=r"Trained once more, it diverged: The training loss was"):
        landscape(configuration("linear_regression", "diabetes", optimizer={"lr": 1e9}), {})
    with pytest.raises(ValueError, match=r"Trained once more, it crashed: .*no_such_set is not allowed"):
        landscape(configuration(data={"name": "no_such_set"}), {})
    still = configuration("softmax_regression", optimizer={"lr": 0.0}, model={"initialization": "zeros"})
    line = configuration("linear_regression", "noisy_curve")
    with pytest.raises(ValueError, match=r"The run has no landscape: it has a single weight"):
        landscape(line, {})
    with pytest.raises(ValueError, match=r"The run has no landscape: all its weights are 0"):
        landscape(still, {})


def test_it_ends_when_it_is_asked_to_in_training_and_on_the_grid():
    with pytest.raises(EndedError):
        landscape(configuration(), {}, should_end=lambda: Outcome.STOPPED)
    points = []

    def after_some():
        points.append(1)
        return Outcome.STOPPED if len(points) > 4 * 6 + 20 else None  # batches are asked after as well

    doing = []
    with pytest.raises(EndedError):
        landscape(
            configuration(), {}, should_end=after_some, progress=lambda words, share: doing.append((words, share))
        )
    assert doing[0] == ("training it once more", 0.25) and all(0 < share <= 1 for _, share in doing)


def test_it_leaves_the_random_numbers_as_they_were():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    landscape(configuration(model={"dropout": 0.2}), {}, grids=SMALL)
    assert torch.equal(before[0], torch.get_rng_state()) and (before[1] == np.random.get_state()[1]).all()


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_has_a_landscape(name):
    task = MODELS[name].tasks[0]
    data = {"regression": "diabetes", "binary": "breast_cancer", "multiclass": "iris"}[task]
    data = "digits" if name == "lenet" else data
    settings = configuration(name, data, data={"train_size": 64}, trainer={"max_epochs": 2})
    arrays = landscape(settings, recorded(settings), grids=(3,))
    assert arrays["reproduced"] and np.isfinite(arrays["random_loss"]).all()


NET = """
    import torch
    from torch import nn
    import pytorch_lightning as pl

    class Net(pl.LightningModule):
        def __init__(self, in_features: int, num_classes: int, width: int = 4):
            super().__init__()
            self.automatic_optimization = {automatic}
            self.net = nn.Sequential(nn.Linear(in_features, width), nn.ReLU(), nn.Linear(width, num_classes))

        def forward(self, x):
            return self.net(x)

        def training_step(self, batch, batch_idx):
            loss = nn.functional.cross_entropy(self(batch[0]), batch[1])
            if not self.automatic_optimization:
                optimizer = self.optimizers()
                optimizer.zero_grad()
                self.manual_backward(loss)
                optimizer.step()
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch, batch_idx):
            self.log("val_loss", nn.functional.cross_entropy(self(batch[0]), batch[1]))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.05)
"""


def foreign(my_models, automatic):
    from sweeps.catalogue import load

    my_models(net=NET.format(automatic=automatic))
    (name,) = [name for name, entry in load().models.items() if entry.source]
    section = {"name": "own"}
    return configuration(name, "iris", optimizer=section, schedule=section, objective={"metric": "val/loss"})


def test_a_module_of_the_user_s_own_is_drawn_by_the_loss_of_its_training_step(my_models):
    settings, end = foreign(my_models, True), End()
    train(settings, callbacks=[end])
    record = recorded(settings)
    arrays = landscape(settings, record, grids=SMALL)
    assert arrays["reproduced"] and schema.VAL_LOSS in arrays["checked"].tolist()
    assert str(arrays["loss_of"]) == "its own training loss"
    part = DATASETS["iris"](batch_size=16, seed_data=1, seed_order=3).parts.train_eval
    hidden = torch.relu(part.inputs @ end.state["net.0.weight"].T + end.state["net.0.bias"])
    outputs = hidden @ end.state["net.2.weight"].T + end.state["net.2.bias"]
    exact = float(torch.nn.functional.cross_entropy(outputs, part.targets))
    assert arrays["random_loss"][2, 2] == pytest.approx(exact, rel=1e-5)


def test_a_module_that_steps_its_optimizers_itself_has_none(my_models):
    with pytest.raises(ValueError, match=r"The run has no landscape: it steps its optimizers itself"):
        landscape(foreign(my_models, False), {}, grids=SMALL)


def test_what_a_module_raises_while_it_is_drawn_names_its_line(my_models):
    settings = foreign(my_models, True)
    step = "loss = nn.functional.cross_entropy(self(batch[0]), batch[1])\n"
    text = NET.format(automatic=True).replace(step, f"{step}            int(self.training or 'drawn')\n", 1)
    file = my_models(net=text) / "net.py"
    (line,) = [number for number, code in enumerate(file.read_text().splitlines(), 1) if "'drawn'" in code]
    with pytest.raises(ValueError, match=r"The run has no landscape: model net: ") as refused:
        landscape(settings, {}, grids=SMALL)
    assert f"{file}: line {line}: training it raised ValueError: invalid literal" in str(refused.value)
