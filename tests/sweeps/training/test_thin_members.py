"""Runs on sets of labels and on a graph: what they measure, and what they leave behind for pages."""

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from sklearn.metrics import f1_score, hamming_loss, log_loss, zero_one_loss

from data import DATASETS
from sweeps.training.train import train
from tracking import schema
from tracking.schema import Outcome

LABELS = {"model": {"name": "mlp"}, "data": {"name": "label_sets", "num_samples": 60}}
GRAPH = {"model": {"name": "gcn"}, "data": {"name": "karate_club"}}


class Watched(pl.Callback):
    """The outputs and the targets of the validation part after each epoch, and what was measured then."""

    def __init__(self, data):
        self.part = data.parts.validation
        self.outputs, self.measured = [], []

    def on_train_epoch_end(self, trainer, pl_module):
        with torch.no_grad():
            self.outputs.append(pl_module.eval()(self.part.batch(slice(None)).inputs).double())
        pl_module.train()

    def report(self, kind, record):
        if kind == "metrics":
            self.measured.append(record["metrics"])


def run(configuration, epochs=3, **more):
    """The result, and what `Watched` saw."""
    fields = {key: value for key, value in configuration["data"].items() if key != "name"}
    watched = Watched(DATASETS[configuration["data"]["name"]](**fields))
    rest = {"optimizer": {"name": "adam", "lr": 0.02}, "trainer": {"max_epochs": epochs, "device": "cpu"}}
    result = train({**configuration, **rest, **more.pop("sections", {})}, watched.report, callbacks=[watched], **more)
    assert result.outcome is Outcome.OK, result.error
    return result, watched


def test_sets_of_labels_are_measured_as_scikit_learn_does():
    _, watched = run(LABELS)
    targets = watched.part.targets.numpy()
    assert len(watched.measured) == 3
    for outputs, measured in zip(watched.outputs, watched.measured, strict=True):
        given = (outputs > 0).numpy().astype(int)
        for average in ("micro", "macro"):
            expected = f1_score(targets, given, average=average, zero_division=0)
            assert measured[f"val/f1_{average}"] == pytest.approx(expected, rel=1e-12)
        assert measured["val/error"] == pytest.approx(hamming_loss(targets, given), rel=1e-12)
        losses = [log_loss(targets[:, label], outputs.sigmoid()[:, label]) for label in range(4)]
        assert measured["val/loss"] == pytest.approx(np.mean(losses), rel=1e-6)


def test_nodes_are_measured_as_scikit_learn_does():
    result, watched = run(GRAPH)
    nodes = watched.part.nodes
    targets = watched.part.labels[nodes].numpy()
    for outputs, measured in zip(watched.outputs, watched.measured, strict=True):
        expected = log_loss(targets, outputs[nodes].softmax(dim=1), labels=range(4))
        assert measured["val/loss"] == pytest.approx(expected, rel=1e-6)
        wrong = zero_one_loss(targets, outputs[nodes].argmax(dim=1))
        assert measured["val/error"] == pytest.approx(wrong, rel=1e-12)
    assert result.metrics["test/error"] * 10 == pytest.approx(round(result.metrics["test/error"] * 10))


def test_four_labelled_nodes_and_batches_of_few_nodes_train():
    _, watched = run({**GRAPH, "data": {"name": "karate_club", "train_size": 4, "batch_size": 2}})
    assert watched.measured[-1]["opt/steps"] == 6


@pytest.mark.parametrize("configuration", [LABELS, GRAPH], ids=["label_sets", "karate_club"])
@pytest.mark.parametrize("precision", [32, 64, "bf16-mixed"])
def test_replicates_leave_what_their_layers_did_and_no_answers_to_compare(configuration, precision, tmp_path, log):
    sections = {"replicate": {"datasets": 2, "inits": 1}, "trainer": {"max_epochs": 2, "precision": precision}}
    result = train({**configuration, "optimizer": {"name": "sgd", "lr": 0.1}, **sections}, log, scratch=tmp_path)
    assert result.outcome is Outcome.OK and result.error is None
    assert set(log.files) == {schema.LAYERS_FILE, schema.WEIGHTS_FILE}
    with np.load(log.files[schema.LAYERS_FILE]) as arrays:
        assert len(arrays["names"]) == 2 and np.isfinite(arrays["activation_std"]).all()


@pytest.mark.parametrize("configuration", [LABELS, GRAPH], ids=["label_sets", "karate_club"])
def test_a_stopped_run_goes_on_as_one_left_alone(configuration, tmp_path, timeless):
    name = configuration["model"]["name"]
    settings = {**configuration, "model": {"name": name, "dropout": 0.3}, "optimizer": {"name": "adam", "lr": 0.02}}
    settings["data"] = {**configuration["data"], "batch_size": 8}
    settings["trainer"] = {"max_epochs": 5, "device": "cpu"}
    whole = train(settings)
    updates = iter(range(2 * int(whole.metrics["opt/steps"]) // 5 + 1))
    stops = lambda: None if next(updates, None) is not None else Outcome.STOPPED  # noqa: E731
    file = tmp_path / "run.resume"
    stopped = train(settings, should_end=stops, resume=file, save_seconds=0)
    assert (stopped.outcome, stopped.epochs) == (Outcome.STOPPED, 2)
    rest = train(settings, resume=file, save_seconds=0)
    assert rest.outcome is Outcome.OK and timeless(rest.metrics) == timeless(whole.metrics)


def test_label_smoothing_is_refused_where_it_is_not_defined():
    rest = {"optimizer": {"name": "adam"}, "regularization": {"label_smoothing": 0.1}}
    result = train({**LABELS, **rest})
    assert result.outcome is Outcome.CRASHED
    expected = "regularization.label_smoothing: 0.1 is not allowed for MLP and the task multilabel"
    assert result.error.startswith(expected)
