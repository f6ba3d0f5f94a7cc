"""What a run says of its layers, against plain loops, torch, NumPy and SciPy."""

import copy
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from data import DATASETS
from lightning_modules import MODELS
from sweeps.training import layer_records
from sweeps.training.layer_records import EDGES, MOST_EPOCHS, LayerRecorder, condition, effective_rank
from sweeps.training.recorder import RunView
from sweeps.training.train import train
from sweeps.training.training_meter import ParameterNorms
from tracking import schema
from tracking.schema import Outcome

BASE = {
    "model": {"name": "mlp", "hidden_sizes": [12, 8], "activation": "tanh"},
    "data": {"name": "wine", "batch_size": 20},
    "optimizer": {"name": "sgd", "lr": 0.05},
    "trainer": {"max_epochs": 3, "device": "cpu"},
    "seeds": {"data": 0, "init": 0, "order": 0},
}


def configuration(**more):
    settings = copy.deepcopy(BASE)
    for section, fields in more.items():
        settings[section] = fields if "name" in fields else settings.get(section, {}) | fields
    return settings


def run(settings, scratch, **options):
    """The result, the metrics of each epoch, and the files."""
    records = []
    result = train(settings, lambda kind, record: records.append((kind, record)), scratch=scratch, **options)
    files = {record["artifact"]: record["path"] for kind, record in records if kind == "file"}
    return result, [record["metrics"] for kind, record in records if kind == "metrics"], files


def arrays(files):
    with np.load(files[schema.LAYERS_FILE], allow_pickle=False) as file:
        return dict(file)


def started(settings):
    """The data, and the model as the run begins with it."""
    arguments = {section: {key: value for key, value in settings[section].items() if key != "name"} for section in BASE}
    data = DATASETS[settings["data"]["name"]](**arguments["data"])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return data, MODELS[settings["model"]["name"]](**data.dims, **arguments["model"])


# Names


@pytest.mark.parametrize(
    ("name", "fields", "names"),
    [
        ("softmax_regression", {}, ["linear"]),
        ("mlp", {"hidden_sizes": [4, 3]}, ["layers 1", "layers 2", "layers 3"]),
        ("mlp", {"hidden_sizes": [4, 3], "norm": "batch", "dropout": 0.1}, ["layers 1", "layers 2", "layers 3"]),
        ("mlp", {"hidden_sizes": [4], "norm": "layer", "activation": "prelu"}, ["layers 1", "layers 2"]),
        ("lenet", {}, ["c1", "c3", "c5", "f6", "output"]),
    ],
)
def test_layers_are_called_the_same_whatever_lies_between_them(name, fields, names):
    module = MODELS[name](input_shape=(1, 8, 8), num_outputs=3, task="multiclass", **fields)
    assert list(layer_records.layers(module)) == names
    assert [id(weight) for weight in layer_records.layers(module).values()] == [
        id(weight) for weight in module.weights()
    ]


def test_a_frozen_weight_is_no_layer():
    module = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 3)), nn.Linear(3, 1))
    module[0].weight.requires_grad_(False)
    assert list(layer_records.layers(module)) == ["1 1", "layer 1"]


# Numbers of one matrix


def test_effective_rank_of_matrices_that_are_known():
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(9, 9)))[0]
    assert effective_rank(rotation) == pytest.approx(9)
    assert effective_rank(np.outer(np.arange(1, 5), np.ones(7))) == pytest.approx(1, abs=1e-9)
    assert effective_rank(np.zeros((3, 4))) == 0
    halves = rotation @ np.diag([3.0, 1, 0, 0, 0, 0, 0, 0, 0])
    assert effective_rank(halves) == pytest.approx(4 / 3**0.75)  # the entropy of (3/4, 1/4) is log 4 - (3/4)·log 3
    assert math.isnan(effective_rank(np.full((2, 2), np.inf)))


def test_effective_rank_is_the_entropy_of_the_singular_values():
    matrix = np.random.default_rng(1).normal(size=(6, 20))
    values = np.linalg.svd(matrix)[1]
    assert effective_rank(matrix) == pytest.approx(np.exp(stats.entropy(values)))


def test_condition_is_that_of_the_second_moments_with_a_constant():
    rows = np.random.default_rng(0).normal(size=(500, 3)) @ np.diag([1.0, 5.0, 0.2]) + [0, 2, 1]
    whole = np.hstack([rows, np.ones((500, 1))])
    assert condition(rows) == pytest.approx(np.linalg.cond(whole) ** 2)


def test_condition_of_standardised_inputs_without_correlation_is_1():
    signs = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], dtype=float)
    assert condition(signs) == pytest.approx(1)
    assert condition(signs * [1, 10]) == pytest.approx(100)


@pytest.mark.parametrize(
    "rows", [np.ones((9, 2)), np.zeros((9, 1)), np.eye(3), np.array([[1.0, 2], [2, 4], [3, 6]] * 9)]
)
def test_a_singular_matrix_has_no_condition(rows):
    assert condition(rows) == math.inf


@pytest.mark.parametrize("fields", [{}, {"stride": 2, "padding": 1}, {"dilation": 2}])
def test_what_a_convolution_sees_are_its_patches(fields):
    torch.manual_seed(0)
    convolution, images = nn.Conv2d(3, 4, 3, **fields).double(), torch.randn(5, 3, 9, 8).double()
    rows = torch.from_numpy(layer_records.input_rows(convolution, images))
    by_patch = rows @ convolution.weight.flatten(1).T + convolution.bias
    torch.testing.assert_close(by_patch, convolution(images).permute(0, 2, 3, 1).flatten(0, 2))


# Over the epochs


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_norms_are_those_of_a_plain_loop(norm, tmp_path):
    settings = configuration(model={"norm": norm}, regularization={"l2": 0.01})
    _, metrics, files = run(settings, tmp_path)
    layers, (data, module) = arrays(files), started(settings)
    optimizer, loader = torch.optim.SGD(module.parameters(), lr=0.05), data.train_dataloader()
    for epoch in range(3):
        grad_norms = []
        for batch in loader:
            optimizer.zero_grad()
            (module.loss(batch) + 0.005 * sum(weight.square().sum() for weight in module.weights())).backward()
            grad_norms.append([float(weight.grad.norm()) for weight in module.weights()])
            optimizer.step()
        np.testing.assert_allclose(layers["grad_norm"][epoch], np.mean(grad_norms, axis=0), rtol=1e-3)
        norms = [float(weight.detach().norm()) for weight in module.weights()]
        np.testing.assert_allclose(layers["weight_norm"][epoch], norms, rtol=1e-4)
    assert layers["epochs"].tolist() == [1, 2, 3]
    last = [weight.detach().double().numpy() for weight in module.weights()]
    np.testing.assert_allclose(layers["effective_rank"], [effective_rank(weight) for weight in last], rtol=1e-4)
    assert (layers["weight_norm"][-1] ** 2).sum() <= metrics[-1]["opt/param_norm"] ** 2 * 1.01


def test_with_one_step_the_squares_of_all_layers_add_up_to_the_whole_gradient(tmp_path):
    settings = configuration(
        model={"name": "mlp", "hidden_sizes": [12], "initialization": "zeros"},
        data={"batch_size": "full"},
        trainer={"max_epochs": 1},
    )
    _, metrics, files = run(settings, tmp_path)
    assert (arrays(files)["grad_norm"] == 0).all() and metrics[0]["opt/grad_norm"] > 0, "only the output's bias learns"


def test_histograms_are_those_of_numpy_with_open_ends(tmp_path):
    settings = configuration(model={"initialization": "normal", "init_std": 1.5}, optimizer={"lr": 1e-12})
    layers = arrays(run(settings, tmp_path)[2])
    _, module = started(settings)
    for weight, counts in zip(module.weights(), layers["histogram"], strict=True):
        open_ended = [-np.inf, *EDGES[1:-1], np.inf]
        expected = np.histogram(weight.detach().double().numpy(), bins=open_ended)[0]
        assert counts.sum() == weight.numel() and np.abs(counts - expected).sum() <= 2
        assert counts[0] > 0 and counts[-1] > 0
    assert layers["histogram"].dtype == np.int64 and len(layers["edges"]) == layers["histogram"].shape[1] + 1
    assert np.isclose(layers["edges"], 0.005).any() and np.isclose(layers["edges"], -0.005).any(), "a bin about 0"


def test_the_share_of_weights_near_zero(tmp_path):
    settings = configuration(model={"initialization": "normal", "init_std": 1e-3}, optimizer={"lr": 1e-12})
    layers, (_, module) = arrays(run(settings, tmp_path)[2]), started(settings)
    expected = [float((weight.abs() < 1e-3).double().mean()) for weight in module.weights()]
    assert layers["near_zero"].tolist() == pytest.approx(expected) and 0.5 < min(expected) < max(expected) < 0.9


def test_layers_are_told_as_they_are_after_the_last_epoch_not_the_best(tmp_path):
    settings = configuration(
        optimizer={"lr": 0.5}, trainer={"max_epochs": 5}, objective={"metric": "val/loss", "direction": "maximize"}
    )
    layers = arrays(run(settings, tmp_path)[2])
    norms = [np.sqrt((counts * ((layers["edges"][:-1] + 0.005) ** 2)).sum()) for counts in layers["histogram"]]
    np.testing.assert_allclose(norms, layers["weight_norm"][-1], rtol=0.01)
    assert np.abs(layers["weight_norm"][0] / layers["weight_norm"][-1] - 1).max() > 0.05


@pytest.mark.parametrize("epochs", [1, 2, 99, 100, 101, 102, 250, 1001])
def test_of_many_epochs_evenly_spaced_ones_are_kept_and_the_last(epochs):
    module = nn.Sequential(nn.Linear(2, 2, bias=False))  # no module of ours: only its weights are looked at
    (weight,) = module.parameters()
    recorder = LayerRecorder()
    begin = RunView(None, module, None, epoch=0, best_epoch=0, metrics={}, norms=None)
    recorder.begin(begin)
    for epoch in range(1, epochs + 1):
        norms = ParameterNorms({weight: float(epoch)}, {weight: 2.0 * epoch})
        recorder.epoch(replace(begin, epoch=epoch, norms=norms), last=epoch == epochs)
    layers = recorder.arrays(begin)
    recorded = layers["epochs"].tolist()
    assert recorded[0] == 1 and recorded[-1] == epochs and min(epochs, MOST_EPOCHS // 2) <= len(recorded) <= MOST_EPOCHS
    assert len({later - earlier for earlier, later in pairwise(recorded[:-1])}) <= 1
    assert layers["grad_norm"][:, 0].tolist() == recorded
    assert layers["weight_norm"][:, 0].tolist() == [2 * at for at in recorded]


# Before training


def test_what_comes_out_of_each_layer_at_the_start(tmp_path):
    settings = configuration(model={"initialization": "normal", "init_std": 0.3})
    layers = arrays(run(settings, tmp_path)[2])
    data, module = started(settings)
    first, second, last = (layer for layer in module.layers if isinstance(layer, nn.Linear))
    with torch.no_grad():
        one = torch.tanh(first(data.parts.train.inputs))
        two = torch.tanh(second(one))
        outputs = [one, two, last(two)]
    np.testing.assert_allclose(layers["activation_std"], [float(out.std(correction=0)) for out in outputs], rtol=1e-5)
    expected = [condition(matrix.double().numpy()) for matrix in (data.parts.train.inputs, one, two)]
    np.testing.assert_allclose(layers["condition"], expected, rtol=1e-3)
    assert np.isfinite(expected).all()


def test_batch_norm_normalises_at_the_start_and_notes_nothing(tmp_path, monkeypatch):
    fields = {"norm": "batch", "dropout": 0.4, "activation": "identity", "initialization": "normal", "init_std": 9.0}
    settings = configuration(model=fields)
    _, metrics, files = run(settings, tmp_path)
    np.testing.assert_allclose(arrays(files)["activation_std"][:2], 1, rtol=1e-3)
    monkeypatch.setattr(layer_records, "_at_start", lambda *_: ([0.0] * 3, [0.0] * 3))
    _, without, _ = run(settings, tmp_path)
    for one, other in zip(metrics, without, strict=True):
        assert {**one, "time/train_s": 0} == {**other, "time/train_s": 0}


def test_sigmoids_lose_the_signal_with_depth_and_he_keeps_it(tmp_path):
    def deviations(**fields):
        model = {"hidden_sizes": [100] * 8, **fields}
        return arrays(run(configuration(model=model, trainer={"max_epochs": 1}), tmp_path)[2])["activation_std"]

    small = deviations(activation="tanh", initialization="normal", init_std=0.01)
    with_he = deviations(activation="relu", initialization="he")
    assert small[7] < 1e-6 * small[0] and 0.3 < with_he[7] / with_he[0] < 3


def test_of_large_examples_few_are_looked_at(monkeypatch, tmp_path):
    monkeypatch.setattr(layer_records, "FIRST_VALUES", 13 * 20)
    settings = configuration()
    layers = arrays(run(settings, tmp_path)[2])
    data, module = started(settings)
    with torch.no_grad():
        one = torch.tanh(module.layers[0](data.parts.train.inputs[:20]))
    assert layers["activation_std"][0] == pytest.approx(float(one.std(correction=0)), rel=1e-5)
    assert layers["condition"][0] == condition(data.parts.train.inputs[:20].double().numpy())


@pytest.mark.parametrize("precision", [64, "bf16-mixed"])
def test_in_another_precision(precision, tmp_path):
    settings = configuration(trainer={"precision": precision})
    layers, single = (arrays(run(variant, tmp_path)[2]) for variant in (settings, configuration()))
    for name in ("activation_std", "grad_norm", "weight_norm"):
        np.testing.assert_allclose(layers[name], single[name], rtol=0.05)
        assert layers[name].dtype == np.float32


def test_images_of_a_convolutional_network(tmp_path):
    settings = configuration(
        model={"name": "lenet"}, data={"name": "digits", "batch_size": 64, "train_size": 64}, trainer={"max_epochs": 1}
    )
    layers = arrays(run(settings, tmp_path)[2])
    assert layers["names"].tolist() == ["c1", "c3", "c5", "f6", "output"]
    assert np.isfinite(layers["activation_std"]).all() and (layers["activation_std"] > 0).all()
    assert layers["condition"][2] == math.inf, "64 examples cannot tell 401 directions apart"


# A run that goes on, and one that does not end well


def test_a_resumed_run_tells_what_one_left_alone_tells(tmp_path):
    settings = configuration(trainer={"max_epochs": 6}, model={"norm": "batch", "dropout": 0.3})
    whole = arrays(run(settings, tmp_path)[2])
    polls = iter(range(4 * 6 + 2))
    file = tmp_path / "run.resume"
    stopped, _, _ = run(
        settings, tmp_path, resume=file, save_seconds=0,
        should_end=lambda: None if next(polls, None) is not None else Outcome.STOPPED,
    )  # fmt: skip
    assert stopped.outcome is Outcome.STOPPED and 0 < stopped.epochs < 6
    resumed = arrays(run(settings, tmp_path, resume=file)[2])
    assert resumed.keys() == whole.keys()
    for name, expected in whole.items():
        np.testing.assert_array_equal(resumed[name], expected, err_msg=name)


def test_a_run_that_diverged_leaves_nothing(tmp_path):
    result, _, files = run(configuration(model={"activation": "relu"}, optimizer={"lr": 1e30}), tmp_path)
    assert result.outcome is Outcome.DIVERGED and not files
