"""Every way a run can end."""

import math
import signal

import pytest
import torch

from learning_tasks import TASKS
from lightning_modules import MODELS
from sweeps.training.objective import measured
from sweeps.training.train import train
from tracking import schema
from tracking.schema import Outcome

MEASURED = measured(TASKS["multiclass"].metrics)
TESTED = {"test/loss", "test/error"}


# It diverged


def bare_loop_until_not_finite(data, module, settings):
    """At which update, and in which epoch, a plain loop meets a loss that is not finite."""
    module.train()
    optimizer = torch.optim.SGD(module.parameters(), lr=settings["optimizer"]["lr"])
    loader, update = data.train_dataloader(), 0
    for epoch in range(1, settings["trainer"]["max_epochs"] + 1):
        for batch in loader:
            update += 1
            optimizer.zero_grad()
            loss = module.loss(batch)
            if not loss.isfinite():
                return update, epoch
            loss.backward()
            optimizer.step()
    return None


@pytest.mark.parametrize("lr", [5.0, 1e15])
def test_a_loss_that_is_not_finite_ends_the_run_in_its_batch(configuration, run, rebuilt, lr, tmp_path):
    settings = configuration("linear_regression", "diabetes", optimizer={"lr": lr}, trainer={"max_epochs": 30})
    update, epoch = bare_loop_until_not_finite(*rebuilt(settings), settings)
    calls = []
    result, log = run(settings, should_end=lambda: calls.append(1), scratch=tmp_path)
    assert result.outcome is Outcome.DIVERGED
    assert f"at update {update}, in epoch {epoch}" in result.error
    assert len(calls) == update - 1
    assert result.epochs == len(log.of("metrics")) == epoch - 1
    assert result.objective is None and result.traceback is None
    assert all(math.isfinite(value) for metrics in log.metrics for value in metrics.values())
    assert not TESTED & set(result.metrics) and not log.of("file")


def test_what_breaks_in_the_last_step_of_an_epoch_is_found_by_measuring(configuration, run):
    settings = configuration(
        "linear_regression", "diabetes", optimizer={"lr": 1e30}, data={"batch_size": "full"}, trainer={"max_epochs": 1}
    )
    result, log = run(settings)
    assert result.outcome is Outcome.DIVERGED
    assert result.error == "val/loss was inf after epoch 1."
    assert "val/loss" not in log.metrics[0] and "train/loss" in log.metrics[0]
    assert all(math.isfinite(value) for value in log.metrics[0].values())


def test_a_training_loss_that_ends_far_above_its_first_value_has_diverged(configuration, run, tmp_path):
    """Gradient descent on a square with too high a rate: the loss grows by a factor an epoch and stays a number."""
    settings = configuration(
        "linear_regression", "diabetes", optimizer={"lr": 1.0}, data={"batch_size": "full"}, trainer={"max_epochs": 4}
    )
    result, log = run(settings, scratch=tmp_path)
    losses = log.path(schema.TRAIN_EVAL_LOSS)
    assert math.isfinite(losses[-1]) and losses[-1] > 10 * losses[0] > 10
    assert result.outcome is Outcome.DIVERGED and result.objective is None
    assert result.error.startswith(f"train_eval/loss ended at {losses[-1]:.4g}: more than 10 times its first value")
    assert not TESTED & set(result.metrics) and not log.of("file"), "what diverged leaves no answers"


def test_a_loss_that_only_stays_high_or_is_high_on_new_data_has_not_diverged(configuration, run):
    """A rate just too high for a while; and a network that memorises labels of which half are wrong."""
    calm, log = run(configuration("linear_regression", "diabetes", optimizer={"lr": 0.01}, trainer={"max_epochs": 2}))
    assert calm.outcome is Outcome.OK
    memorised, log = run(
        configuration(
            "mlp", "spirals", model={"hidden_sizes": [64]}, data={"label_noise": 0.5, "train_size": 40},
            optimizer={"name": "adam", "lr": 0.05}, trainer={"max_epochs": 200},
        )
    )  # fmt: skip
    assert memorised.outcome is Outcome.OK and log.path("val/loss")[-1] > 2 * math.log(2)


def test_a_range_test_is_meant_to_explode(configuration, run):
    settings = configuration(
        "linear_regression", "diabetes", optimizer={"lr": 0.01}, schedule={"name": "range_test", "growth": 1000.0},
        data={"batch_size": "full"}, trainer={"max_epochs": 6},
    )  # fmt: skip
    result, log = run(settings)
    losses = log.path(schema.TRAIN_EVAL_LOSS)
    assert losses[-1] > 100 * losses[0] and result.outcome is Outcome.OK


def test_the_first_loss_survives_a_kill(configuration, run, tmp_path):
    settings = configuration(
        "linear_regression", "diabetes", optimizer={"lr": 1.0}, data={"batch_size": "full"}, trainer={"max_epochs": 4}
    )
    whole, _ = run(settings)
    polls = []
    stopped = run(
        settings, resume=tmp_path / "run.ckpt", save_seconds=0,
        should_end=lambda: Outcome.STOPPED if len(polls) == 3 else polls.append(1),
    )[0]  # fmt: skip
    resumed, _ = run(settings, resume=tmp_path / "run.ckpt", save_seconds=0)
    assert stopped.outcome is Outcome.STOPPED and resumed.outcome is Outcome.DIVERGED
    assert resumed.error == whole.error


# It was stopped, or crashed


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, Outcome.PRUNED])
@pytest.mark.parametrize("polls", [1, 15])
def test_stop_keeps_what_was_measured(configuration, run, rebuilt, polls, outcome, tmp_path):
    calls = []

    def should_end():
        calls.append(1)
        return outcome if len(calls) >= polls else None

    result, log = run(configuration(), should_end=should_end, scratch=tmp_path)
    steps_an_epoch = len(rebuilt(configuration())[0].train_dataloader())
    assert result.outcome is outcome
    assert len(calls) == polls
    assert result.epochs == len(log.of("metrics")) == (polls - 1) // steps_an_epoch
    assert set(result.metrics) == (set(MEASURED) if result.epochs else set())
    assert result.objective is None and result.error is None


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"model": {"name": "mpl"}},
         f"model.name: mpl is not allowed; allowed: {', '.join(MODELS)}; did you mean mlp?"),
        ({"model": {"hiden_sizes": [3]}}, "model mlp: MLP.__init__() got an unexpected keyword argument 'hiden_sizes'"),
        ({"model": {"name": "linear_regression", "hidden_sizes": [3]}}, "model linear_regression: "),
        ({"data": {"name": "dogs"}}, "data.name: dogs is not allowed; allowed: digits, "),
        ({"model": {"activation": "rleu"}}, "model mlp: activation: 'rleu' is not allowed; allowed: identity, "),
        ({"data": {"train_size": 5000}}, "data iris: train_size: 5000 is not allowed; allowed: at most 96"),
        ({"data": {"batch_size": 1}, "model": {"norm": "batch"}}, "model.norm: batch norm cannot normalise"),
        ({"data": {"train_size": 1}, "model": {"norm": "batch"}}, "model.norm: batch norm cannot normalise"),
        ({"optimizer": {"name": "adamm"}}, "optimizer.name: adamm is not allowed; "),
        ({"schedule": {"name": "linea"}}, "schedule.name: linea is not allowed; "),
        ({"objective": {"metric": "test/loss"}}, "objective.metric: test/loss is not allowed; allowed: val/loss, "),
        ({"trainer": {"device": "tpu"}}, "trainer.device: tpu is not allowed; allowed: auto, cpu, cuda, cuda:N, mps"),
        ({"trainer": {"device": "cuda:"}}, "trainer.device: cuda: is not allowed; allowed: auto, cpu, cuda, cuda:N, "),
        ({"trainer": {"precision": 8}}, "trainer.precision: 8 is not allowed; allowed: 32, 64, bf16-mixed, 16-mixed"),
        ({"trainer": {"precision": "16-mixed"}},
         "trainer.precision: 16-mixed is not allowed on cpu; allowed: 32, 64, bf16-mixed."),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_crashes_with_one_sentence(configuration, run, more, sentence):
    result, _ = run(configuration(**more))
    assert result.outcome is Outcome.CRASHED
    assert result.error.startswith(sentence)
    assert "\n" not in result.error
    assert result.traceback.startswith("Traceback") and result.error[-20:] in result.traceback
    assert (result.objective, result.metrics, result.epochs) == (None, {}, 0)


@pytest.mark.parametrize(("model", "data", "who"), [
    ("linear_regression", "diabetes", "LinearRegression and the task regression"),
    ("mlp", "diabetes", "MLP and the task regression"), ("perceptron", "moons", "Perceptron and the task binary"),
])  # fmt: skip
def test_only_a_cross_entropy_can_be_smoothed(configuration, run, model, data, who):
    result, _ = run(configuration(model, data, regularization={"label_smoothing": 0.1}))
    assert result.outcome is Outcome.CRASHED
    assert result.error == f"regularization.label_smoothing: 0.1 is not allowed for {who}; allowed: 0."


def test_an_error_in_the_middle_of_a_run_keeps_what_was_measured(configuration, log):
    def report(kind, record):
        if record.get("step") == 2:
            raise RuntimeError("the pipe\nis gone")
        log(kind, record)

    result = train(configuration(), report=report)
    assert result.outcome is Outcome.CRASHED
    assert result.error == "RuntimeError: the pipe is gone"
    assert "in report" in result.traceback
    assert log.metrics[0].keys() == set(MEASURED)
    assert result.objective is None


def test_too_little_memory_is_said_in_words(configuration):
    def report(kind, record):
        raise MemoryError

    assert train(configuration(), report=report).error == "The run needed more memory than there is."


def test_ctrl_c_reaches_the_caller(configuration):
    handler = signal.getsignal(signal.SIGINT)

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(configuration(), should_end=interrupt)
    assert signal.getsignal(signal.SIGINT) is handler
