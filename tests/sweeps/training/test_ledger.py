"""The ledger of a run alone, in plain numbers: the best epoch, patience with gaps, and every way that it ends."""

import math
import random

import pytest
import torch

from sweeps.training.ledger import Ledger
from sweeps.training.objective import Criterion
from tracking import schema
from tracking.schema import Outcome


def ledger(metric=schema.VAL_LOSS, direction="minimize", at="last", *, patience=0, max_epochs=100, **more):
    return Ledger(Criterion(metric, direction, at), patience=patience, max_epochs=max_epochs, **more)


def epoch(val_loss=None, **more):
    """The metrics of an epoch; `val_bleu` stands for `val/bleu`."""
    metrics = {name if "/" in name else name.replace("_", "/", 1): value for name, value in more.items()}
    return metrics if val_loss is None else {schema.VAL_LOSS: val_loss, **metrics}


def run(book, losses):
    """The outcomes of epochs with these validation losses; None stands for an epoch without one."""
    return [book.epoch(epoch(loss, train_loss=1.0)) for loss in losses]


# The best epoch


def test_the_first_of_equal_epochs_is_the_best():
    book = ledger(at="best")
    assert run(book, [3.0, 1.0, 1.0, 2.0]) == [None] * 4
    assert (book.best_epoch, book.objective, book.improved) == (2, 1.0, False)


def test_an_objective_to_maximize_selects_its_largest_value():
    book = ledger("val/bleu", "maximize", "best")
    improved = []
    for bleu in (10.0, 30.0, 30.0, 20.0):
        book.epoch(epoch(1.0, val_bleu=bleu))
        improved.append(book.improved)
    assert improved == [True, True, False, False]
    assert (book.best_epoch, book.objective) == (2, 30.0)


def test_at_last_a_run_is_ranked_by_the_last_measurement_of_its_objective():
    book = ledger("val/bleu", "maximize", "last")
    for measured in (epoch(1.0, val_bleu=30.0), epoch(1.0, val_bleu=20.0), epoch(1.0)):
        book.epoch(measured)
    assert (book.objective, book.best_epoch) == (20.0, 1)


def test_the_validation_loss_selects_until_the_objective_is_measured():
    book = ledger("val/bleu", "maximize")
    measurements = [epoch(1.0), epoch(2.0), epoch(3.0, val_bleu=5.0), epoch(0.5), epoch(4.0, val_bleu=6.0)]
    best = []
    for measured in measurements:
        book.epoch(measured)
        best.append((book.best_epoch, book.improved))
    assert best == [(1, True), (1, False), (3, True), (3, False), (5, True)]


def test_an_objective_on_the_training_part_selects_nothing():
    book = ledger("train_eval/loss", at="best")
    for loss, val_loss in ((3.0, 1.0), (2.0, 2.0), (1.0, 3.0)):
        book.epoch(epoch(val_loss, **{"train_eval/loss": loss}))
    assert (book.best_epoch, book.chosen, book.objective) == (1, True, 1.0)


def test_what_was_measured_on_the_validation_part_is_what_the_caller_says():
    for validation, best in ((["score"], 2), ([], 3)):
        book = ledger("score", "maximize", logs=True)
        for score in (1.0, 3.0, 2.0):
            book.epoch({"score": score}, validation)
        assert (book.best_epoch, book.chosen) == (best, bool(validation))


# Patience


def test_patience_counts_epochs_without_a_better_loss():
    book = ledger(patience=2)
    assert run(book, [3.0, 2.0, 2.0, 1.0, 1.5, 1.0]) == [None] * 5 + [Outcome.OK]


def test_patience_counts_measurements_not_epochs():
    book = ledger(patience=2)
    assert run(book, [2.0, None, None, None, 3.0, None, None, 2.5]) == [None] * 7 + [Outcome.OK]
    assert book.epochs == 8


def test_a_measurement_that_is_not_finite_is_none():
    book = ledger("val/loss", patience=1, watched=Criterion("val/bleu", "maximize"))
    assert [book.epoch(epoch(1.0, val_bleu=bleu)) for bleu in (2.0, math.nan, 3.0, 1.0)] == [None] * 3 + [Outcome.OK]


def test_patience_looks_at_the_metric_that_it_is_given():
    book = ledger(patience=1, watched=Criterion("val/bleu", "maximize"))
    assert book.epoch(epoch(1.0, val_bleu=1.0)) is None
    assert book.epoch(epoch(2.0, val_bleu=2.0)) is None, "the loss grew, and nobody watches it"
    assert book.epoch(epoch(0.5, val_bleu=2.0)) is Outcome.OK


def test_without_patience_a_run_ends_at_its_last_epoch():
    assert run(ledger(max_epochs=3), [1.0, 2.0, 3.0]) == [None, None, Outcome.OK]


# What is not finite


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("name", ["val/loss", "train_eval/loss", "my_Loss"])
def test_a_loss_that_is_not_finite_has_diverged(name, value):
    book = ledger()
    assert book.epoch({"val/loss": 1.0, "val/error": 0.5, name: value}) is Outcome.DIVERGED
    assert book.error == f"{name} was {value} after epoch 1."
    assert name not in book.metrics and name not in book.latest and book.metrics["val/error"] == 0.5
    assert book.objective is None and not book.improved


def test_an_objective_that_is_not_finite_has_diverged_and_any_other_metric_is_left_out():
    book = ledger("val/f1", "maximize")
    assert book.epoch(epoch(1.0, val_f1=0.5, opt_lr=math.nan)) is None
    assert book.latest == epoch(1.0, val_f1=0.5)
    assert book.epoch(epoch(1.0, val_f1=math.nan)) is Outcome.DIVERGED
    assert book.error == "val/f1 was nan after epoch 2."


# Exploded


def exploding(first, last, **more):
    book = ledger(max_epochs=2, **more)
    return book, [book.epoch({"val/loss": 1.0, "train_eval/loss": loss}) for loss in (first, last)]


@pytest.mark.parametrize(
    ("first", "last", "constant", "outcome"),
    [
        (1.0, 10.0, 0.5, Outcome.OK), (1.0, 10.1, 0.5, Outcome.DIVERGED),
        (1.0, 10.1, 2.0, Outcome.OK), (1.0, 20.1, 2.0, Outcome.DIVERGED), (1.0, 1e9, None, Outcome.OK),
    ],
)  # fmt: skip
def test_a_loss_ten_times_its_first_value_and_that_of_a_constant_has_exploded(first, last, constant, outcome):
    book, outcomes = exploding(first, last, constant=constant)
    assert outcomes == [None, outcome] and (book.error is None) == (outcome is Outcome.OK)
    if book.error:
        assert book.error.startswith(f"train_eval/loss ended at {last:.4g}: more than 10 times its first value (1) and")


def test_a_range_test_may_explode_and_only_the_end_counts():
    assert exploding(1.0, 1e9, constant=1.0, meant_to_explode=True)[1] == [None, Outcome.OK]
    book = ledger(max_epochs=3, constant=1.0)
    losses = (1.0, 1e9, 2.0)
    assert [book.epoch({"train_eval/loss": loss, "val/loss": 1.0}) for loss in losses] == [None, None, Outcome.OK]


# What is missing


def test_an_objective_that_is_never_measured_is_missed_at_the_end():
    book = ledger("val/bleu", max_epochs=2)
    measured = epoch(1.0, opt_lr=0.1)
    assert [book.epoch(measured), book.epoch(measured)] == [None, Outcome.CRASHED]
    assert book.error == "objective.metric: no metric val/bleu was measured; there are: val/loss."


def test_of_a_module_that_logs_what_is_needed_is_missed_at_once():
    book = ledger("val_acc", logs=True)
    assert book.epoch({"train/loss": 1.0}, ()) is Outcome.CRASHED
    none = "was logged, and none of the validation data; there are: train/loss."
    assert book.error == f"objective.metric: no metric val_acc {none}"
    book = ledger("val_acc", logs=True, patience=2)
    assert book.epoch({"val_acc": 1.0}, {"val_acc"}) is Outcome.CRASHED
    assert book.error.startswith("regularization.early_stopping_patience: no metric val/loss was logged; there are: ")


def test_metrics_of_the_test_part_are_added_and_judged_by_nobody():
    book = ledger(max_epochs=1)
    run(book, [1.0])
    assert book.add({"test/loss": 2.0, "test/perplexity": math.inf}) == {"test/loss": 2.0}
    assert book.metrics["test/loss"] == 2.0 and book.outcome is Outcome.OK and book.epochs == 1


# Interrupted


def drawn_epoch(rng):
    """The metrics of an epoch, some of them left out, tied with others or not finite."""
    values = [0.0, 1.0, 2.0, 3.0, rng.uniform(0, 5)]
    metrics = {"train_eval/loss": rng.choice([1.0, 2.0, 30.0])}
    for name, choices in (("val/loss", values), ("val/bleu", [*values, math.nan]), ("val/error", [*values, math.inf])):
        if rng.random() < 0.7:
            metrics[name] = rng.choice(choices)
    return metrics


def drawn_ledgers(rng, epochs):
    """Two ledgers of the same run, and a third to go on in."""
    criterion = Criterion(
        rng.choice(["val/loss", "val/bleu", "train_eval/loss"]),
        rng.choice(["minimize", "maximize"]),
        rng.choice(["last", "best"]),
    )
    more = {
        "patience": rng.randrange(4), "max_epochs": epochs, "logs": rng.random() < 0.2, "constant": 1.0,
        "watched": rng.choice([Criterion(), Criterion("val/error")]),
    }  # fmt: skip
    return [Ledger(criterion, **more) for _ in range(3)]


def visible(book, outcome):
    """All that a callback can see of a ledger."""
    return (
        outcome, book.error, book.objective, book.best_epoch, book.chosen, book.improved, book.metrics, book.epochs
    )  # fmt: skip


def test_a_ledger_that_is_saved_and_taken_up_goes_on_as_if_nothing_had_been():
    rng, outcomes = random.Random(0), set()
    for _ in range(500):
        measured = [drawn_epoch(rng) for _ in range(rng.randrange(1, 12))]
        cut = rng.randrange(len(measured))
        whole, interrupted, fresh = drawn_ledgers(rng, len(measured))
        for number, metrics in enumerate(measured):
            if number == cut:
                fresh.load_state_dict(interrupted.state_dict())
                interrupted = fresh
            outcome, again = whole.epoch(metrics), interrupted.epoch(metrics)
            assert visible(whole, outcome) == visible(interrupted, again)
            if outcome is not None:
                outcomes.add(outcome)
                break
    assert outcomes == {Outcome.OK, Outcome.DIVERGED, Outcome.CRASHED}, "all ways to end were drawn"


def test_a_state_holds_plain_values_that_torch_reads_without_pickle(tmp_path):
    book = ledger(at="best")
    run(book, [2.0, 1.0])
    torch.save(book.state_dict(), tmp_path / "state")
    again = ledger(at="best")
    again.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert (again.objective, again.best_epoch, again.epochs) == (1.0, 2, 2)


OLD_STATE = {
    "metrics": {"train/loss": 0.4, "val/loss": 0.75, "val/error": 0.25, "train_eval/loss": 0.3},
    "epochs": 5,
    "steps": 20,
    "train_seconds": 0.5,
    "weights": {},
    "first_loss": 1.5,
    "bests": [(0.125, 4), (0.125, 4), (0.5, 3)],
    "layers": {"rows": {}, "stride": 1, "start": None},
    "replicate": {"outputs": {}},
}
"""What a callback saved until 2026-11: one flat dictionary, `bests` for the objective, the checkpoint and patience."""


def test_what_an_older_version_saved_is_taken_up():
    book = ledger("val/error", at="best", patience=3, max_epochs=9)
    book.load_state_dict(OLD_STATE)
    assert (book.epochs, book.best_epoch, book.objective, book.first_loss) == (5, 4, 0.125, 1.5)
    assert book.epoch(epoch(0.6, val_error=0.2)) is Outcome.OK, "the third epoch in a row without a better loss"
    assert (book.best_epoch, book.improved) == (4, False), "chosen by the objective, as before"


def test_what_an_older_version_saved_of_a_run_ranked_by_its_training_goes_on_choosing_by_the_validation_loss():
    book = ledger("train_eval/loss", patience=3)
    book.load_state_dict({**OLD_STATE, "bests": [(0.3, 5), (0.5, 3), (0.5, 3)]})
    assert book.epoch(epoch(0.4, **{"train_eval/loss": 0.2})) is None
    assert (book.best_epoch, book.improved) == (6, True)


def test_the_oldest_state_has_no_first_loss():
    book = ledger()
    book.load_state_dict({name: value for name, value in OLD_STATE.items() if name != "first_loss"})
    assert book.first_loss == 0.0 and book.epochs == 5
