"""LeNet-5 against the counts of its paper, the same network written out by windows, finite differences, and digits."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lightning_modules import MODELS
from sweeps.training.train import train


def lenet(input_shape=(1, 32, 32), num_outputs=10, **fields):
    return MODELS["lenet"](input_shape=input_shape, num_outputs=num_outputs, task="multiclass", **fields)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("side", [5, 8, 16, 28, 32])
def test_a_grey_image_in_ten_classes_takes_61706_parameters(side):
    assert count(lenet((1, side, side))) == 61_706


def test_layers_have_the_counts_of_the_paper():
    module = lenet()
    assert [count(layer) for layer in (module.c1, module.c5, module.f6)] == [156, 48_120, 10_164]
    assert count(module.c3) == 16 * (6 * 25 + 1)  # the paper's 1,516 with ten of sixteen connections
    assert count(lenet((3, 32, 32))) == 61_706 + 2 * 6 * 25


def by_windows(module, images, activation, pool):
    """The same network from (B, channels, 32, 32), by windows and sums."""
    maps = images
    for layer in (module.c1, module.c3):
        windows = maps.unfold(2, 5, 1).unfold(3, 5, 1)  # (B, channels, rows, columns, 5, 5)
        maps = activation(torch.einsum("bcijuv,ocuv->boij", windows, layer.weight) + layer.bias[:, None, None])
        batch, channels, rows, columns = maps.shape
        maps = pool(maps.reshape(batch, channels, rows // 2, 2, columns // 2, 2))
    hidden = maps.reshape(len(maps), -1)
    for layer in (module.c5, module.f6):
        hidden = activation(hidden @ layer.weight.T + layer.bias)
    return hidden @ module.output.weight.T + module.output.bias


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_it_is_the_composition_of_its_layers(activation, pooling):
    torch.manual_seed(0)
    module, images = lenet(activation=activation, pooling=pooling, num_outputs=4), torch.randn(3, 1, 32, 32)
    pool = {"avg": lambda maps: maps.mean(dim=(3, 5)), "max": lambda maps: maps.amax(dim=(3, 5))}[pooling]
    expected = by_windows(module, images, getattr(torch, activation), pool)
    torch.testing.assert_close(module(images), expected)


def test_an_image_of_28_pixels_is_what_convolution_with_a_padding_of_two_sees():
    torch.manual_seed(0)
    module, images = lenet((1, 28, 28)), torch.randn(2, 1, 28, 28)
    maps = F.avg_pool2d(torch.tanh(F.conv2d(images, module.c1.weight, module.c1.bias, padding=2)), 2)
    maps = F.avg_pool2d(torch.tanh(F.conv2d(maps, module.c3.weight, module.c3.bias)), 2)
    expected = module.output(torch.tanh(module.f6(torch.tanh(module.c5(maps.flatten(1))))))
    torch.testing.assert_close(module(images), expected)


@pytest.mark.parametrize(
    ("shape", "factor", "margins"), [((8, 8), 4, (0, 0)), ((10, 7), 3, (1, 11)), ((20, 9), 1, (12, 23))]
)
def test_a_small_image_is_enlarged_then_surrounded_by_zeros(shape, factor, margins):
    image = np.arange(1.0, 1 + shape[0] * shape[1]).reshape(shape)
    rows, columns = ((margin // 2, margin - margin // 2) for margin in (32 - factor * shape[0], 32 - factor * shape[1]))
    expected = np.pad(np.kron(image, np.ones((factor, factor))), (rows, columns))
    image_in_frame = lenet((1, *shape)).fit(torch.tensor(image)[None, None])
    assert image_in_frame[0, 0].tolist() == expected.tolist()


def test_a_larger_image_is_taken_as_it_is():
    module = lenet((1, 40, 64))
    assert module.fit(torch.ones(1, 1, 40, 64)).shape == (1, 1, 40, 64)
    assert module.c5.in_features == 16 * 7 * 13
    assert module(torch.ones(2, 1, 40, 64)).shape == (2, 10)


@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_gradients_are_finite_differences(pooling):
    torch.manual_seed(0)
    module = lenet((1, 8, 8), pooling=pooling).double()
    batch = torch.randn(4, 1, 8, 8, dtype=torch.float64), torch.arange(4)
    module.loss(batch).backward()
    for name, parameter in module.named_parameters():
        direction = torch.randn_like(parameter)
        losses = []
        for step in (1e-6, -2e-6):
            with torch.no_grad():
                parameter += step * direction
                losses.append(module.loss(batch))
        with torch.no_grad():
            parameter += 1e-6 * direction
        slope = (losses[0] - losses[1]) / 2e-6
        torch.testing.assert_close((parameter.grad * direction).sum(), slope, rtol=1e-4, atol=1e-7, msg=name)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((64,), r"it needs images \(channels, rows, columns\); an example of this data is \(64,\)"),
        ((1, 4, 9), "it needs images of at least 5 x 5 pixels; these are 4 x 9"),
    ],
)
def test_what_is_no_image_or_too_small_is_refused_in_one_sentence(shape, sentence):
    with pytest.raises(ValueError, match=sentence):
        lenet(shape)


def test_unknown_values_are_refused_with_what_is_allowed():
    with pytest.raises(ValueError, match=r"activation: 'gelu' is not allowed; allowed: tanh, relu, sigmoid"):
        lenet(activation="gelu")
    with pytest.raises(ValueError, match=r"pooling: 'sum' is not allowed; allowed: avg, max"):
        lenet(pooling="sum")


def test_a_table_is_refused_by_name():
    result = train({"model": {"name": "lenet"}, "data": {"name": "iris"}, "optimizer": {"name": "adam"}})
    assert result.outcome == "crashed"
    assert result.error == ("model lenet: it needs images (channels, rows, columns); an example of this data is (4,)")


def test_it_reads_digits():
    result = train(
        {
            "model": {"name": "lenet", "activation": "relu", "pooling": "max", "initialization": "he"},
            "data": {"name": "digits"},
            "optimizer": {"name": "adam", "lr": 0.003},
            "trainer": {"max_epochs": 4, "device": "cpu"},
        }
    )
    assert result.metrics["test/error"] < 0.05
