"""What a run answers on the test part and in the plane, and the training sets of a sweep with `replicate`."""

import copy

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from data import DATASETS
from lightning_modules import MODELS
from sweeps.training import predictions
from sweeps.training.train import train
from tracking import schema
from tracking.schema import Outcome

BASE = {
    "model": {"name": "mlp", "hidden_sizes": [8]},
    "data": {"name": "iris", "batch_size": 8},
    "optimizer": {"name": "sgd", "lr": 0.1},
    "trainer": {"max_epochs": 8, "device": "cpu"},
    "seeds": {"data": 0, "init": 0, "order": 0},
}


def configuration(datasets=None, **more):
    settings = copy.deepcopy(BASE)
    if datasets:
        settings["replicate"] = {"datasets": datasets, "inits": 2}
    for section, fields in more.items():
        settings[section] = fields if "name" in fields else settings.get(section, {}) | fields
    return settings


def run(settings, scratch, **options):
    records = []
    result = train(settings, lambda kind, record: records.append((kind, record)), scratch=scratch, **options)
    return result, records


def load(records, artifact):
    (path,) = [record["path"] for kind, record in records if kind == "file" and record["artifact"] == artifact]
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def artifacts(records):
    return {record["artifact"] for kind, record in records if kind == "file"}


def answered(settings, scratch, **options):
    """The arrays of REPLICATE_FILE."""
    result, records = run(settings, scratch, **options)
    assert (result.outcome, result.error) == (Outcome.OK, None)
    return load(records, schema.REPLICATE_FILE)


def digest(records):
    return next(record["dataset"]["digest"] for kind, record in records if kind == "info")


# Replicates


def test_each_data_seed_is_a_training_set_of_its_own_with_one_validation_part(tmp_path):
    runs = [run(configuration(3, seeds={"data": number}), tmp_path)[1] for number in range(3)]
    assert len({digest(records) for records in runs}) == 3
    (info,) = [record for kind, record in runs[0] if kind == "info"]
    assert info["dataset"]["profile"]["train"] == 96 // 3
    first, *others = [load(records, schema.PREDICTIONS_FILE) for records in runs]
    for arrays in others:
        np.testing.assert_array_equal(arrays["val_targets"], first["val_targets"])


def test_runs_of_other_initialisations_share_their_training_set(tmp_path):
    runs = [run(configuration(3, seeds={"data": 1, "init": init, "order": init}), tmp_path) for init in (1, 4)]
    assert digest(runs[0][1]) == digest(runs[1][1])
    assert runs[0][0].objective != runs[1][0].objective


def test_without_replicate_there_is_no_such_file_and_the_data_are_whole(tmp_path):
    _, records = run(configuration(), tmp_path)
    assert schema.REPLICATE_FILE not in artifacts(records)
    assert digest(records) == DATASETS["iris"]().digest


def test_a_number_that_no_training_set_has_is_refused():
    result = train(configuration(4, seeds={"data": 4}))
    allowed = "allowed: 0 to 3, the numbers of the training sets"
    assert (result.outcome, result.error) == (Outcome.CRASHED, f"data iris: seeds.data: 4 is not allowed; {allowed}")


@pytest.mark.parametrize(
    ("datasets", "fields", "sentence"),
    [
        (4, {"train_size": 25},
         "data iris: train_size: 25 is not allowed; allowed: at most 24, what each of 4 disjoint training sets holds"),
        (97, {},
         "data iris: replicate.datasets: 97 is not allowed; allowed: at most 96, an example for each training set"),
    ],
)  # fmt: skip
def test_what_the_data_do_not_hold_is_refused_in_a_sentence(datasets, fields, sentence):
    result = train(configuration(datasets, data=fields))
    assert (result.outcome, result.error) == (Outcome.CRASHED, sentence)


@pytest.mark.parametrize(
    ("epochs", "recorded"),
    [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (20, [2, 4, 8, 16, 20]), (33, [4, 8, 16, 32, 33])],
)
def test_epochs_double_up_to_the_last(epochs, recorded, tmp_path):
    answers = answered(configuration(3, trainer={"max_epochs": epochs}, data={"batch_size": "full"}), tmp_path)
    assert answers["epochs"].tolist() == recorded and len(answers["outputs"]) == len(recorded)


def test_answers_are_by_the_weights_of_their_epoch_not_by_the_best_ones(tmp_path):
    more = {"optimizer": {"lr": 0.5}, "objective": {"metric": "val/loss", "direction": "maximize"}}
    whole = answered(configuration(3, **more), tmp_path)
    for place, epoch in enumerate((1, 2, 4, 8)):
        settings = configuration(3, trainer={"max_epochs": epoch}, **more)
        np.testing.assert_array_equal(whole["outputs"][place], answered(settings, tmp_path)["outputs"][-1])
    _, records = run(configuration(3, **more), tmp_path)
    best = load(records, schema.PREDICTIONS_FILE)
    assert best["epoch"] < 8
    assert not np.allclose(best["test_probabilities"], whole["outputs"][-1])
    np.testing.assert_array_equal(best["test_targets"], whole["targets"])


@pytest.mark.parametrize(
    ("data", "model", "classes"),
    [("iris", "softmax_regression", 3), ("breast_cancer", "logistic_regression", 2), ("moons", "perceptron", 2)],
)
def test_a_classification_answers_with_the_probability_of_each_class(data, model, classes, tmp_path):
    answers = answered(configuration(3, data={"name": data}, model={"name": model}), tmp_path)
    assert answers["outputs"].shape == (4, len(answers["targets"]), classes) and answers["outputs"].dtype == np.float32
    np.testing.assert_allclose(answers["outputs"].sum(axis=2), 1, atol=1e-5)
    assert answers["targets"].dtype == np.int32 and set(answers) == {"epochs", "outputs", "targets"}
    assert len(answers["targets"]) <= 1000


def test_a_regression_answers_with_its_output(tmp_path):
    settings = configuration(3, data={"name": "diabetes"}, model={"name": "linear_regression"}, optimizer={"lr": 0.01})
    result, records = run(settings, tmp_path)
    answers = load(records, schema.REPLICATE_FILE)
    assert answers["outputs"].shape == (4, 89, 1) and set(answers) == {"epochs", "outputs", "targets"}
    error = np.sqrt(((answers["outputs"][-1, :, 0] - answers["targets"]) ** 2).mean())
    assert answers["targets"].dtype == np.float32 and error == pytest.approx(result.metrics["test/error"], rel=0.5)


@pytest.mark.parametrize("noisy", [True, False])
def test_where_the_truth_is_known_it_is_told(noisy, tmp_path):
    fields = {"name": "noisy_curve", "function": "quadratic", "noise": 0.3, "noisy_test": noisy}
    answers = answered(configuration(3, data=fields, seeds={"data": 2}), tmp_path)
    np.testing.assert_allclose(answers["inputs"], np.linspace(-1, 1, 501), atol=1e-6)
    np.testing.assert_allclose(answers["truth"], np.linspace(-1, 1, 501) ** 2, atol=1e-6)
    assert answers["noise"] == pytest.approx(0.09 if noisy else 0.0)
    assert ((answers["targets"] - answers["truth"]) ** 2).mean() == pytest.approx(
        float(answers["noise"]), rel=0.25, abs=1e-12
    )
    assert all(answers[name].dtype == np.float32 for name in ("inputs", "truth", "outputs", "targets"))


def test_generated_data_are_drawn_afresh_and_whole(tmp_path):
    runs = [run(configuration(3, data={"name": "moons"}, seeds={"data": number}), tmp_path)[1] for number in (0, 2)]
    assert [digest(records) for records in runs] == [DATASETS["moons"](seed_data=number).digest for number in (0, 2)]


def test_of_a_large_test_part_the_first_answers_are_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(predictions, "REPLICATE_LIMIT", 11)
    monkeypatch.setattr(predictions, "BATCH", 4)
    answers = answered(configuration(3), tmp_path)
    assert answers["outputs"].shape == (4, 11, 3)
    assert answers["targets"].tolist() == DATASETS["iris"]().parts.test.targets[:11].tolist()


def test_early_stopping_ends_with_the_epoch_at_which_it_stopped(tmp_path):
    settings = configuration(
        3, optimizer={"lr": 2.0}, trainer={"max_epochs": 100}, regularization={"early_stopping_patience": 3}
    )
    result, records = run(settings, tmp_path)
    assert result.epochs < 100
    assert load(records, schema.REPLICATE_FILE)["epochs"][-1] == result.epochs


def test_a_resumed_run_answers_as_one_left_alone(tmp_path):
    settings = configuration(3, data={"input_noise": 0.3}, model={"dropout": 0.2})
    whole = answered(settings, tmp_path)
    file, polls = tmp_path / "run.resume", iter(range(4 * 5 + 1))
    stopped, _ = run(
        settings, tmp_path, resume=file, save_seconds=0,
        should_end=lambda: None if next(polls, None) is not None else Outcome.STOPPED,
    )  # fmt: skip
    assert (stopped.outcome, stopped.epochs) == (Outcome.STOPPED, 5)
    resumed = answered(settings, tmp_path, resume=file)
    for name, expected in whole.items():
        np.testing.assert_array_equal(resumed[name], expected, err_msg=name)


# The plane


def in_the_plane(scratch, data="moons", fields=None, callbacks=(), **more):
    settings = configuration(data={"name": data, "batch_size": 50, **(fields or {})}, **more)
    result, records = run(settings, scratch, callbacks=callbacks)
    assert (result.outcome, result.error) == (Outcome.OK, None)
    return load(records, schema.REGIONS_FILE)


class LastModule(pl.Callback):
    """The model as it is after the last epoch, before the best weights take their place."""

    def on_train_epoch_end(self, trainer, pl_module):
        self.weights = {name: value.clone() for name, value in pl_module.state_dict().items()}


@pytest.mark.parametrize(
    ("data", "model"),
    [("moons", "mlp"), ("blobs", "mlp"), ("logic_gate", "perceptron"), ("xor", "logistic_regression")],
)
def test_regions_are_what_the_last_weights_answer_on_a_grid(data, model, tmp_path):
    fields, last, dataset = {"hidden_sizes": [8]} if model == "mlp" else {}, LastModule(), DATASETS[data]()
    regions = in_the_plane(
        tmp_path, data, model={"name": model, **fields}, optimizer={"lr": 0.5}, callbacks=[last],
        objective={"metric": "val/loss", "direction": "maximize"},
    )  # fmt: skip
    module = MODELS[model](**dataset.dims, **fields).eval()
    module.load_state_dict(last.weights)
    scaler = DATASETS[data](standardize=False).parts.train.inputs.double()
    mean, std = scaler.mean(dim=0).numpy(), scaler.std(dim=0, correction=0).numpy()
    for row, column in ((0, 0), (10, 80), (99, 3), (50, 50)):
        point = (np.array([regions["x"][column], regions["y"][row]]) - mean) / std
        with torch.no_grad():
            expected = module.probabilities(torch.tensor(point[None], dtype=torch.float32))[0]
        np.testing.assert_allclose(regions["probabilities"][row, column], expected, atol=2e-3)
    assert tuple(regions["classes"]) == dataset.class_names
    assert regions["probabilities"].shape == (100, 100, len(dataset.class_names))
    assert regions["probabilities"].dtype == np.float16


def test_points_are_the_training_examples_as_they_are_trained_on(tmp_path):
    regions = in_the_plane(tmp_path, fields={"label_noise": 0.3, "num_samples": 900})
    train = DATASETS["moons"](label_noise=0.3, num_samples=900, standardize=False).parts.train
    np.testing.assert_allclose(regions["points"], train.inputs[:500], atol=1e-5)
    assert regions["labels"].tolist() == train.targets[:500].tolist() and regions["labels"].dtype == np.int32
    assert regions["points"].dtype == np.float32


def test_the_grid_is_the_same_for_all_runs_and_holds_the_test_part(tmp_path):
    one = in_the_plane(tmp_path)
    test = DATASETS["moons"](standardize=False).parts.test.inputs.numpy()
    for axis, name in enumerate("xy"):
        low, high = test[:, axis].min(), test[:, axis].max()
        np.testing.assert_allclose(one[name][[0, -1]], [low - 0.1 * (high - low), high + 0.1 * (high - low)], rtol=1e-5)
    other = in_the_plane(
        tmp_path, fields={"num_samples": 50, "label_noise": 0.2, "imbalance": 5.0, "standardize": False},
        seeds={"data": 3, "init": 1}, regularization={"l2": 0.1}, model={"name": "logistic_regression"},
    )  # fmt: skip
    for name in "xy":
        np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize("data", ["iris", "digits"])
def test_there_is_no_plane_with_more_dimensions(data, tmp_path):
    assert schema.REGIONS_FILE not in artifacts(
        run(configuration(data={"name": data}, trainer={"max_epochs": 1}), tmp_path)[1]
    )


def test_a_regression_has_no_regions(tmp_path):
    settings = configuration(3, data={"name": "noisy_curve"}, trainer={"max_epochs": 1})
    assert schema.REGIONS_FILE not in artifacts(run(settings, tmp_path)[1])


def test_files_that_cannot_be_written_cost_only_themselves(tmp_path):
    result, records = run(configuration(3, data={"name": "moons"}), tmp_path / "missing")
    assert result.outcome is Outcome.OK and result.objective is not None and not artifacts(records)
    for what in ("weights", "norms of the layers", "decision regions", "answers to the test part", "predictions"):
        assert f"The {what} could not be saved: " in result.error
