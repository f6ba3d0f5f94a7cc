"""Training on files of one's own: the same function, and a sentence with the section before anything is trained."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from sweeps.catalogue.entries import ours
from sweeps.spec import check
from sweeps.training.train import train
from tracking import schema
from tracking.schema import Outcome


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("SWEEPBOARD_DATA", str(folder))
    rows = [f"{x / 20},{('low', 'middle', 'high')[x // 20]}" for x in range(60)]
    (folder / "levels.csv").write_text("\n".join(["value,level", *rows]))
    return folder


def trained(model, tmp_path, **data):
    records = []
    configuration = {
        "model": {"name": model},
        "data": {"name": "csv_classification", "path": "levels.csv", "target": "level", **data},
        "optimizer": {"name": "adam", "lr": 0.1},
        "trainer": {"max_epochs": 30, "device": "cpu"},
        "keep": "none",
    }
    return train(configuration, lambda kind, record: records.append((kind, record)), scratch=tmp_path), records


def test_a_file_is_trained_on_and_its_classes_keep_their_names(folder, tmp_path):
    result, records = trained("softmax_regression", tmp_path)
    assert (result.outcome, result.error) == (Outcome.OK, None)
    assert result.metrics["test/error"] < 0.35  # one in three classes is chance .67
    (info,) = [record for kind, record in records if kind == "info"]
    assert info["dataset"]["source"] == "levels.csv, target level"
    files = {record["artifact"]: record["path"] for kind, record in records if kind == "file"}
    assert set(files) == {schema.LAYERS_FILE, schema.PREDICTIONS_FILE}
    with np.load(files[schema.PREDICTIONS_FILE]) as arrays:
        assert arrays["classes"].tolist() == ["high", "low", "middle"]


@pytest.mark.parametrize(
    ("model", "data", "sentence"),
    [
        ("mlp", {"path": "level.csv"}, "data csv_classification: path: .* did you mean levels.csv"),
        ("mlp", {"target": "lvel"}, r"data csv_classification: target: .*\(value, level\); did you mean level"),
        ("mlp", {"train_size": 1000}, "data csv_classification: train_size: 1000 is not allowed; allowed: at most 38"),
        ("logistic_regression", {}, "model logistic_regression: LogisticRegression cannot do the task 'multiclass'"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_trained(folder, tmp_path, model, data, sentence):
    result, records = trained(model, tmp_path, **data)
    assert result.outcome is Outcome.CRASHED and records == []
    with pytest.raises(ValueError, match=sentence):
        raise ValueError(result.error)


GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8")


MODELS = {
    "csv_classification": "mlp",
    "idx": "mlp",
    "image_folder": "mlp",
    "labelled_lines": "gru",
    "text_file": "rnn_lm",
}
"""By data set that the guide shows: a model for it."""


def test_what_the_guide_shows_is_right():
    blocks = re.findall(r"^    data:.*\n(?:      .*\n)*", GUIDE, re.MULTILINE)
    sections = [yaml.safe_load(block)["data"] for block in blocks]
    assert {section["name"] for section in sections} == set(MODELS)
    for section in sections:
        assert check({"name": "guide", "model": {"name": MODELS[section["name"]]}, "data": section})
    options = re.findall(r"^\| `(\w+)", GUIDE, re.MULTILINE)
    assert options and set(options) <= set(ours().datasets["csv_regression"].fields)
    for name in ("csv_regression", "noisy_curve", *MODELS):
        assert f"`{name}`" in GUIDE and name in ours().datasets
