"""Recorders: when each is called, with what; that none changes a run, not even one that fails."""

import json
import random
from typing import ClassVar

import numpy as np
import pytest
import torch

from learning_tasks import Metric
from sweeps.catalogue.entries import SECTIONS
from sweeps.training import recorders
from sweeps.training.recorder import Recorder
from sweeps.training.recorders import RECORDERS, Recorders
from tracking import schema
from tracking.schema import Outcome

MOMENTS = ("fits", "begin", "measure", "epoch", "finish", "arrays")


class Notes(Recorder):
    """Notes when it was called, and the weight it saw there."""

    artifact = "notes.npz"
    words = "notes"
    metrics = (Metric("noted", "higher", "What it notes."),)
    tasks = ("multiclass",)
    calls: ClassVar[list] = []

    def __init__(self):
        self.epochs = []

    def note(self, moment, run, *more):
        weight = next(run.module.parameters()).detach().flatten()[0].item()
        self.calls.append((moment, run.epoch, run.best_epoch, weight, dict(run.metrics), *more))

    def fits(self, module, data):
        return data.task != "regression"

    def begin(self, run):
        self.note("begin", run)

    def measure(self, run):
        self.note("measure", run)
        return {"val/noted": float(run.epoch % 3)}

    def epoch(self, run, last):
        self.note("epoch", run, last)
        self.epochs.append(run.epoch)

    def finish(self, run):
        self.note("finish", run)
        return {"test/noted": 7.0}

    def arrays(self, run):
        self.note("arrays", run)
        return {"epochs": np.array(self.epochs)}

    def state_dict(self):
        return {"epochs": self.epochs}

    def load_state_dict(self, state):
        self.epochs = state["epochs"]


@pytest.fixture
def register(monkeypatch):
    """Registers a recorder under the name notes, in place of all others or beside them."""

    def registered(recorder, alone=True):
        Notes.calls = []
        monkeypatch.setattr(recorders, "RECORDERS", {**({} if alone else RECORDERS), "notes": recorder})
        monkeypatch.setattr("sweeps.training.train.RECORDERS", recorders.RECORDERS)

    return registered


def steps(log, timeless):
    return [timeless(metrics) for metrics in log.metrics]


def stopping(polls):
    """Ends a run after so many of its updates."""
    count = iter(range(polls))
    return lambda: None if next(count, None) is not None else Outcome.STOPPED


# When they are called


def test_each_moment_comes_once_in_its_order(configuration, run, register):
    register(Notes)
    result, log = run(configuration(objective={"metric": "val/noted", "direction": "maximize", "at": "best"}))
    moments = [call[:2] for call in Notes.calls]
    epochs = [(moment, epoch) for epoch in (1, 2, 3) for moment in ("measure", "epoch")]
    assert moments == [("begin", 0), *epochs, ("finish", 3), ("arrays", 3)]
    assert [call[-1] for call in Notes.calls if call[0] == "epoch"] == [False, False, True]
    assert result.objective == 2.0, "a run may be ranked by what a recorder measures"
    assert log.path("val/noted") == [1.0, 2.0, 0.0] and result.metrics["test/noted"] == 7.0
    assert [call[2] for call in Notes.calls] == [0, 0, 1, 1, 2, 2, 2, 2, 2], "the best epoch is judged after measure"


def test_they_see_the_weights_and_the_metrics_of_their_moment(configuration, run, register, tmp_path):
    register(Notes)
    settings = configuration(objective={"metric": "val/noted", "direction": "maximize"})
    _, log = run(settings, scratch=tmp_path)
    weights = {call[:2]: call[3] for call in Notes.calls}
    best = next(iter(log.weights().values())).flatten()[0].item()
    assert weights["finish", 3] == weights["epoch", 2] == best != weights["epoch", 3]
    for moment, epoch, _, _, metrics, *_ in Notes.calls:
        if moment == "measure":
            assert metrics["val/loss"] == log.metrics[epoch - 1]["val/loss"], "measured before recorders are asked"
    with np.load(log.files["notes.npz"], allow_pickle=False) as file:
        assert file["epochs"].tolist() == [1, 2, 3]


def test_one_that_does_not_fit_takes_no_part(configuration, run, register):
    register(Notes)
    result, log = run(configuration("linear_regression", "diabetes"))
    assert result.outcome is Outcome.OK and not Notes.calls and "val/noted" not in log.metrics[0]


def test_what_they_hold_survives_a_kill(configuration, run, register, tmp_path):
    register(Notes)
    settings, file = configuration(trainer={"max_epochs": 5}), tmp_path / "run.resume"
    stopped, _ = run(settings, resume=file, save_seconds=0, should_end=stopping(3 * 6))
    assert stopped.outcome is Outcome.STOPPED and 0 < stopped.epochs < 5
    _, log = run(settings, resume=file, scratch=tmp_path)
    with np.load(log.files["notes.npz"], allow_pickle=False) as arrays:
        assert arrays["epochs"].tolist() == [1, 2, 3, 4, 5]
    assert [call[1] for call in Notes.calls if call[0] == "begin"] == [0, stopped.epochs]


# They change nothing


class Rude(Notes):
    """Draws random numbers and leaves the module in evaluation mode."""

    def note(self, moment, run, *more):
        super().note(moment, run, *more)
        torch.rand(3)
        np.random.rand(3)
        random.random()
        run.module.eval()


def test_a_recorder_changes_no_number_of_the_run(configuration, run, register, timeless):
    settings = configuration(model={"dropout": 0.4, "norm": "batch"})
    _, bare = run({**settings, "record": dict.fromkeys(RECORDERS, False)})
    register(Rude, alone=False)
    _, log = run(settings)
    noted = {"val/noted", "test/noted"}
    assert [{name: metrics[name] for name in metrics.keys() - noted} for metrics in steps(log, timeless)] == steps(
        bare, timeless
    )


# They may fail


@pytest.mark.parametrize("moment", MOMENTS)
def test_one_that_fails_leaves_the_run_ok_with_a_sentence(moment, configuration, run, register, timeless, tmp_path):
    settings = configuration(model={"dropout": 0.4})
    _, whole = run(settings, scratch=tmp_path)

    def fails(self, run, *_):
        if moment == "fits" or run.epoch in (0, 2, 3):
            (run if moment == "fits" else run.module).eval()
            torch.rand(1)
            raise RuntimeError("no\nluck.")
        return {}

    register(type("Failing", (Notes,), {moment: fails}), alone=False)
    result, log = run(settings, scratch=tmp_path)
    when = {"fits": "before training", "begin": "before training", "measure": "after epoch 2", "epoch": "after epoch 2"}
    assert result.outcome is Outcome.OK and result.traceback is None
    assert result.error == (
        f"The recorder notes failed {when.get(moment, 'at the end')}, and its file is left out: RuntimeError: no luck."
    )
    assert set(log.files) == set(whole.files), "its own file is left out, those of the others are not"
    noted = {"val/noted", "test/noted"}
    assert [{name: metrics[name] for name in metrics.keys() - noted} for metrics in steps(log, timeless)] == steps(
        whole, timeless
    )


def test_one_that_failed_stays_out_after_a_kill(configuration, run, register, tmp_path):
    class Failing(Notes):
        def measure(self, run):
            raise RuntimeError("once") if run.epoch == 1 else AssertionError("it was asked again")

    register(Failing)
    settings, file = configuration(trainer={"max_epochs": 5}), tmp_path / "run.resume"
    run(settings, resume=file, save_seconds=0, should_end=stopping(3 * 6))
    Notes.calls = []
    result, log = run(settings, resume=file, scratch=tmp_path)
    assert result.outcome is Outcome.OK and not Notes.calls and set(log.files) == {schema.WEIGHTS_FILE}
    assert result.error.endswith("failed after epoch 1, and its file is left out: RuntimeError: once.")


def test_an_objective_that_its_recorder_failed_to_measure_says_both(configuration, run, register):
    class Failing(Notes):
        def measure(self, run):
            raise MemoryError

    register(Failing)
    result, _ = run(configuration(objective={"metric": "val/noted"}))
    assert result.outcome is Outcome.CRASHED
    assert result.error.startswith("objective.metric: no metric val/noted was measured; there are: ")
    assert result.error.endswith("and its file is left out: it needed more memory than there is.")


@pytest.mark.parametrize(
    ("method", "value", "sentence"),
    [
        ("arrays", {"names": np.array([None])}, "the array names holds Python objects; allowed: numbers and texts."),
        ("state_dict", {"a": [np.ones(2)]}, "its state holds ndarray; allowed: tensors, numbers and texts."),
        ("measure", {"val/noted": "many"}, "could not convert string to float: 'many'."),
    ],
)
def test_what_cannot_be_stored_is_refused(method, value, sentence, configuration, run, register, tmp_path):
    register(type("Odd", (Notes,), {method: lambda self, *_: value}))
    result, log = run(configuration(), scratch=tmp_path, resume=tmp_path / "run.resume", save_seconds=0)
    assert result.outcome is Outcome.OK and set(log.files) == {schema.WEIGHTS_FILE}
    assert result.error.endswith(sentence)


def test_a_failed_measurement_of_the_test_part_still_ends_the_run(configuration, run, register, monkeypatch):
    """Only recorders are forgiven."""
    register(Notes)
    monkeypatch.setattr("sweeps.training.measuring.measure", lambda *_: 1 / 0)
    assert run(configuration())[0].outcome is Outcome.CRASHED


# The registry


def test_the_catalogue_describes_every_recorder():
    assert list(SECTIONS["record"]) == list(RECORDERS)
    assert all(field.type == "bool" and field.default is True for field in SECTIONS["record"].values())
    assert len({recorder.artifact for recorder in RECORDERS.values()}) == len(RECORDERS)
    assert all(recorder.words for recorder in RECORDERS.values() if recorder.artifact)
    assert all(recorder.tasks for recorder in RECORDERS.values() if recorder.metrics)


LEFT_BY = {"references": ("linear_regression", "diabetes"), "translations": ("seq2seq", "reverse")}
"""By recorder: a model and a data set that leave its artifact, where mlp on moons does not."""


@pytest.mark.parametrize("name", RECORDERS)
def test_each_can_be_turned_off(name, configuration, run, tmp_path):
    model, data = LEFT_BY.get(name, ("mlp", "moons"))
    settings = {**configuration(model, data), "replicate": {"datasets": 2, "inits": 2}}
    everything = set(run(settings, scratch=tmp_path)[1].files)
    assert RECORDERS[name].artifact in everything
    _, log = run({**settings, "record": {name: False}}, scratch=tmp_path)
    assert set(log.files) == everything - {RECORDERS[name].artifact}


def test_turned_on_by_name_a_recorder_still_has_to_fit(configuration, run, tmp_path):
    _, log = run({**configuration(), "record": {"replicate": True, "layers": True}}, scratch=tmp_path)
    assert set(log.files) == {schema.WEIGHTS_FILE, schema.LAYERS_FILE, schema.PREDICTIONS_FILE}


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (
            {"layer": False},
            "record: layer is not allowed; allowed: layers, regions, replicate, predictions, translations, references",
        ),
        ({"layers": "no"}, "record.layers: no is not allowed; allowed: true, false."),
    ],
)
def test_a_section_that_names_no_recorder_is_refused(record, sentence, configuration, run):
    result, _ = run({**configuration(), "record": record})
    assert result.outcome is Outcome.CRASHED and result.error.startswith(sentence)


def test_a_state_of_an_older_version_reaches_the_two_recorders_that_had_one():
    group = Recorders(["layers", "regions", "replicate"])
    outputs = torch.ones(3, 1)
    old = {"layers": {"rows": {1: ([1.0], [2.0])}, "stride": 1, "start": None}, "replicate": {"outputs": {1: outputs}}}
    group.load_state_dict({**old, "metrics": {}, "epochs": 1})
    assert group.state_dict() == {"recorders": {**old, "regions": {}}, "recorder_problems": {}}


def test_what_they_cost_is_measured(configuration, run):
    result, _ = run(configuration("mlp", "moons"))
    assert set(result.recorders) == {"layers", "regions", "predictions"}
    assert all(cost.once > 0 for cost in result.recorders.values())
    looks = {name: cost.epoch > 0 for name, cost in result.recorders.items()}
    assert looks == {"layers": True, "regions": True, "predictions": False}, "that one looks at the end alone"
    json.dumps(result.recorders)


# User modules


def test_a_user_module_is_shown_to_those_that_fit(register, my_models, configuration, run, tmp_path):
    my_models(
        mine="""
        import pytorch_lightning as pl
        import torch
        from torch import nn

        class Mine(pl.LightningModule):
            def __init__(self, in_features: int, num_outputs: int):
                super().__init__()
                self.layer = nn.Linear(in_features, num_outputs)
            def forward(self, x):
                return self.layer(x)
            def training_step(self, batch, batch_idx):
                return nn.functional.cross_entropy(self(batch[0]), batch[1])
            def validation_step(self, batch, batch_idx):
                self.log("val_loss", nn.functional.cross_entropy(self(batch[0]), batch[1]))
        """
    )
    register(Notes, alone=False)
    settings = configuration("mine", objective={"metric": "val/noted", "direction": "maximize"})
    result, log = run(settings, scratch=tmp_path)
    assert (result.outcome, result.error) == (Outcome.OK, None)
    assert set(log.files) == {schema.WEIGHTS_FILE, schema.LAYERS_FILE, "notes.npz"}
    weights = {call[:2]: call[3] for call in Notes.calls}
    best = log.weights()["layer.weight"].flatten()[0].item()
    assert weights["finish", 3] == weights["epoch", 2] == best != weights["epoch", 3]
    assert result.metrics["test/noted"] == 7.0
