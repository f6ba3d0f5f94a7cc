"""What a run could at best reach: closed forms against scikit-learn and gradient descent, unigrams against SciPy."""

import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mean_squared_error, root_mean_squared_error

from data import DATASETS
from learning_tasks import IGNORED, TASKS
from tracking import schema
from tracking.schema import Outcome


def references(log):
    """By name of the reference: the value of each metric."""
    with np.load(log.files[schema.REFERENCES_FILE], allow_pickle=False) as file:
        names, metrics, values = file["names"].tolist(), file["metrics"].tolist(), file["values"]
        assert values.shape == (len(names), len(metrics)) and len(file["words"]) == len(names)
        return {name: dict(zip(metrics, row, strict=True)) for name, row in zip(names, values, strict=True)}


def words(log):
    with np.load(log.files[schema.REFERENCES_FILE], allow_pickle=False) as file:
        return dict(zip(file["names"].tolist(), file["words"].tolist(), strict=True))


@pytest.mark.parametrize("l2", [0.0, 0.2])
@pytest.mark.parametrize("data", ["diabetes", "noisy_curve"])
@pytest.mark.parametrize("standardize", [True, False])
def test_the_closed_form_is_measured_as_scikit_learn_measures_it(configuration, run, tmp_path, data, standardize, l2):
    settings = configuration(
        "linear_regression",
        data,
        data={"standardize": standardize},
        optimizer={"lr": 1e-6},
        regularization={"l2": l2},
    )
    _, log = run(settings, scratch=tmp_path)
    parts = DATASETS[data](standardize=standardize).parts
    train = parts.train.inputs.double().numpy(), parts.train.targets.double().numpy()
    model = (Ridge(len(train[1]) * l2 / 2, solver="svd") if l2 else LinearRegression()).fit(*train)
    (name, scores), *others = references(log).items()
    assert name == "closed form" and not others
    for split, part in {"train_eval": parts.train, "val": parts.validation, "test": parts.test}.items():
        answers, targets = model.predict(part.inputs.double().numpy()), part.targets.double().numpy()
        assert scores[f"{split}/loss"] == pytest.approx(mean_squared_error(targets, answers), rel=1e-10)
        assert scores[f"{split}/error"] == pytest.approx(root_mean_squared_error(targets, answers), rel=1e-10)
    assert ("l2 = 0.2" in words(log)[name]) == bool(l2)


@pytest.mark.parametrize("precision", [32, 64])
def test_gradient_descent_comes_down_to_the_closed_form_and_never_below(configuration, run, tmp_path, precision):
    settings = configuration(
        "linear_regression",
        "diabetes",
        data={"batch_size": "full"},
        optimizer={"name": "momentum", "lr": 0.1},
        trainer={"max_epochs": 150, "precision": precision},
    )
    _, log = run(settings, scratch=tmp_path)
    best, losses = references(log)["closed form"]["train_eval/loss"], log.path("train_eval/loss")
    rounding = 1e-12 if precision == 64 else 1e-6
    assert min(losses) >= best * (1 - rounding) and losses[0] > 1.2 * best
    assert losses[-1] == pytest.approx(best, rel=1e-3)


def test_errors_against_the_true_targets_are_measured_too(configuration, run, tmp_path):
    settings = configuration("linear_regression", "noisy_curve")
    _, log = run(settings, scratch=tmp_path)
    assert set(references(log)["closed form"]) == {
        name for name in log.metrics[-1] if name.split("/")[0] in ("train_eval", "val", "test")
    } - {schema.MEMORISED}


def test_collinear_inputs_are_said(configuration, run, tmp_path, monkeypatch):
    settings = configuration("linear_regression", "diabetes", data={"train_size": 8})
    _, log = run(settings, scratch=tmp_path)
    assert "of several that reach it, the smallest ones" in words(log)["closed form"]
    assert references(log)["closed form"]["train_eval/loss"] == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(
    "change",
    [{"model": {"loss": "absolute"}}, {"regularization": {"l1": 0.1}}, {"record": {"references": False}}],
)
def test_without_a_closed_form_there_is_no_file(configuration, run, tmp_path, change):
    settings = configuration("linear_regression", "diabetes")
    for section, fields in change.items():
        settings[section] = {**settings.get(section, {}), **fields}
    result, log = run(settings, scratch=tmp_path)
    assert result.outcome is Outcome.OK and result.error is None and schema.REFERENCES_FILE not in log.files


def test_other_models_have_none(configuration, run, tmp_path):
    _, log = run(configuration(), scratch=tmp_path)
    assert schema.REFERENCES_FILE not in log.files


def test_the_training_is_that_of_a_run_without_it(configuration, run, timeless):
    for model, data in (("linear_regression", "diabetes"), ("rnn_lm", "text_file")):
        settings = configuration(model, data, trainer={"max_epochs": 1})
        settings["data"] = {**settings["data"], "train_size": 40}
        with_it, without = run(settings), run({**settings, "record": {"references": False}})
        assert [timeless(step) for step in with_it[1].metrics] == [timeless(step) for step in without[1].metrics]


def test_it_is_found_once_and_survives_a_kill(configuration, run, tmp_path, monkeypatch):
    settings, file = configuration("linear_regression", "diabetes", trainer={"max_epochs": 4}), tmp_path / "run.resume"
    polls = iter(range(30))
    stopped, _ = run(
        settings,
        resume=file,
        save_seconds=0,
        should_end=lambda: None if next(polls, None) is not None else Outcome.STOPPED,
    )
    assert stopped.outcome is Outcome.STOPPED and 0 < stopped.epochs < 4
    _, whole = run(settings, scratch=tmp_path)
    monkeypatch.setattr("sweeps.training.references._closed_form_scores", lambda *_: pytest.fail("it was found again"))
    result, log = run(settings, resume=file, scratch=tmp_path)
    assert result.outcome is Outcome.OK and result.error is None
    assert references(log) == references(whole)


# The unigram model


def test_the_unigram_model_is_that_of_each_part(configuration, run, tmp_path):
    settings = configuration("rnn_lm", "text_file", data={"train_size": 40}, trainer={"max_epochs": 1})
    _, log = run(settings, scratch=tmp_path)
    (name, scores), *others = references(log).items()
    assert name == "unigram model" and not others and "the part measured" in words(log)[name]
    parts = DATASETS["text_file"](train_size=40).parts
    for split, part in {"train_eval": parts.train_eval, "val": parts.validation, "test": parts.test}.items():
        targets = part.batch(slice(None)).targets
        counts = Counter(targets[targets != IGNORED].tolist())
        entropy = stats.entropy(list(counts.values()))
        assert scores[f"{split}/loss"] == pytest.approx(entropy, rel=1e-12)
        assert scores[f"{split}/perplexity"] == pytest.approx(math.exp(entropy), rel=1e-12)
        assert scores[f"{split}/bits_per_character"] == pytest.approx(entropy / math.log(2), rel=1e-12)
        assert scores[f"{split}/error"] == (counts.total() - max(counts.values())) / counts.total()


def test_which_tasks_have_a_constant_answer_that_is_drawn():
    assert {name for name, task in TASKS.items() if task.constant_name} == {"language_model", "translation"}
    assert all(task.constant_words for task in TASKS.values() if task.constant_name)
