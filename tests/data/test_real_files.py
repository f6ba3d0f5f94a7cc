"""Real files that lie beside the project: MNIST as text, Fashion-MNIST as IDX; skipped where they are absent."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from data import DATASETS

FILES = Path(__file__).resolve().parents[3] / "shared" / "data"
FASHION = {
    "images": "fashion-mnist-900/train-images-idx3-ubyte.gz",
    "labels": "fashion-mnist-900/train-labels-idx1-ubyte.gz",
    "test_images": "fashion-mnist-900/t10k-images-idx3-ubyte.gz",
    "test_labels": "fashion-mnist-900/t10k-labels-idx1-ubyte.gz",
}

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not (FILES / "fashion-mnist-900").is_dir(), reason="the data files are not there"),
]


@pytest.fixture(autouse=True)
def folder(monkeypatch):
    monkeypatch.setenv("SWEEPBOARD_DATA", str(FILES))


def test_fashion_mnist_has_its_images_and_its_nearest_neighbour_accuracy():
    data = DATASETS["idx"](**FASHION, standardize=False)
    parts = data.parts
    assert data.sizes == {"train": 480, "validation": 120, "test": 300}
    assert data.dims == {"input_shape": (1, 28, 28), "num_outputs": 10, "task": "multiclass"}
    pool, targets = (
        torch.cat([parts.train.inputs, parts.validation.inputs]).flatten(1),
        torch.cat([parts.train.targets, parts.validation.targets]),
    )
    assert torch.bincount(targets).tolist() == [60] * 10 and torch.bincount(parts.test.targets).tolist() == [30] * 10
    nearest = torch.cdist(parts.test.inputs.flatten(1), pool).argmin(dim=1)
    accuracy = (targets[nearest] == parts.test.targets).float().mean()
    assert accuracy.item() == pytest.approx(0.737, abs=0.0005)  # as SOURCE.txt says


def test_mnist_as_text_has_500_images_a_digit():
    data = DATASETS["csv_classification"](
        path="mnist-5k/mnist_5k.csv.gz", target="785", header=False, standardize=False, test_fraction=0.1
    )
    assert data.sizes == {"train": 3600, "validation": 900, "test": 500}
    assert data.class_names == tuple("0123456789") and data.dims["input_shape"] == (784,)
    parts = (data.parts.train, data.parts.validation, data.parts.test)
    assert torch.bincount(torch.cat([part.targets for part in parts])).tolist() == [500] * 10
    assert torch.bincount(parts[2].targets).tolist() == [50] * 10
    text = gzip.decompress((FILES / "mnist-5k" / "mnist_5k.csv.gz").read_bytes())
    pixels = np.array(text.replace(b"\n", b",").rstrip(b",").split(b","), dtype=np.float64).reshape(5000, 785)[:, :-1]
    assert sum(part.inputs.sum().item() for part in parts) == pytest.approx(pixels.sum(), rel=1e-6)
