"""Which metric is which, and by which one runs are judged: ours are known, a stranger's are guessed by their names."""

from __future__ import annotations

import pytest

from analysis.runs import metric_roles as roles
from analysis.runs.metric_roles import HIGHER, LOWER, TEST, TRAIN, UNKNOWN, VALIDATION, Role
from tracking import schema


@pytest.mark.parametrize(
    ("name", "part", "better"),
    [
        ("val_acc", VALIDATION, HIGHER), ("trainLoss", TRAIN, LOWER), ("test/error", TEST, LOWER),
        ("train_eval/loss", TRAIN, LOWER), ("eval f1", VALIDATION, HIGHER), ("mAP", UNKNOWN, HIGHER),
        ("neg_mean_squared_error", UNKNOWN, HIGHER), ("negative_log_likelihood", UNKNOWN, LOWER),
        ("log_likelihood", UNKNOWN, HIGHER), ("dev-perplexity", VALIDATION, LOWER), ("elbo", UNKNOWN, ""),
        ("Test Accuracy", TEST, HIGHER), ("val_loss_epoch", VALIDATION, LOWER), ("loss_step", UNKNOWN, LOWER),
        ("error_rate", UNKNOWN, LOWER), ("loss_per_token", UNKNOWN, LOWER), ("", UNKNOWN, ""),
    ],
)  # fmt: skip
def test_a_quality_is_told_by_its_words(name: str, part: str, better: str) -> None:
    assert roles.guess(name) == Role(part, better)


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("Training time", LOWER), ("epoch_time", LOWER), ("val_seconds", LOWER), ("score_time", LOWER),
        ("samples/s", ""), ("samples_per_second", ""), ("throughput", HIGHER), ("latency_ms", LOWER),
        ("gpu_memory_gb", ""), ("system/cpu_utilization_percentage", ""), ("lr", ""), ("lr-Adam/pg1", ""),
        ("learning_rate", ""), ("opt/lr", ""), ("epoch", ""), ("global_step", ""), ("grad_norm", ""),
        ("num_params", ""), ("peak RAM", ""),
    ],
)  # fmt: skip
def test_seconds_memory_and_settings_are_no_quality(name: str, better: str) -> None:
    guessed = roles.guess(name)
    assert not guessed.quality and guessed.better == better and "no measure of quality" in guessed.words


@pytest.mark.parametrize(
    ("names", "judges"),
    [
        (["train_loss", "test_loss", "train_acc", "test_acc"], ["test_loss", "test_acc"]),
        (["train_loss", "test_loss", "val_acc", "loss2"], ["val_acc", "test_loss", "loss2"]),
        (["Test Accuracy", "Training time"], ["Test Accuracy"]),
        (["loss", "accuracy", "val_loss", "val_accuracy"], ["val_loss", "val_accuracy"]),
        (["loss", "epoch_seconds"], ["loss"]),
        (["elbo", "train_loss", "lr"], ["elbo"]),
        (["train_loss", "epoch", "lr"], []),
        ([], []),
    ],
)
def test_runs_are_judged_by_validation_then_test_then_the_rest_and_never_by_training(
    names: list[str], judges: list[str]
) -> None:
    chosen = roles.roles(names)
    assert roles.judges(chosen) == judges
    assert roles.ordered(chosen)[: len(judges)] == judges and sorted(roles.ordered(chosen)) == sorted(names)


OURS = [
    schema.TRAIN_LOSS, schema.TRAIN_EVAL_LOSS, schema.TRAIN_EVAL_ERROR, schema.VAL_LOSS, schema.VAL_ERROR,
    schema.TEST_LOSS, schema.TEST_ERROR, schema.LR, schema.GRAD_NORM, schema.TRAIN_SECONDS, schema.PENALTY,
    schema.UPDATE_NORM, schema.PARAM_NORM, schema.STEPS, schema.TRAIN_EVAL_CLEAN_ERROR, schema.VAL_CLEAN_ERROR,
    schema.MEMORISED,
]  # fmt: skip


KNOWN = roles.of_sweepboard({"loss": LOWER, "error": LOWER, "perplexity": LOWER, "f1_macro": HIGHER})


def test_our_own_metrics_are_never_guessed_or_unknown() -> None:
    chosen = roles.roles(OURS, known=KNOWN)
    assert all(role.source == roles.KNOWN and role.words for role in chosen.values())
    assert roles.judges(chosen)[0] == schema.VAL_LOSS and schema.TRAIN_LOSS not in roles.judges(chosen)


@pytest.mark.parametrize(
    ("metric", "direction", "better"),
    [
        (schema.VAL_ERROR, schema.MINIMIZE, LOWER), ("val/f1", schema.MAXIMIZE, HIGHER),
        (schema.TRAIN_LOSS, schema.MINIMIZE, LOWER), ("elbo", schema.MAXIMIZE, HIGHER),
        (schema.TRAIN_SECONDS, schema.MINIMIZE, LOWER),
    ],
)  # fmt: skip
def test_the_objective_of_the_sweep_judges_before_all_others(metric: str, direction: str, better: str) -> None:
    names = [*OURS, "val/f1", "elbo"]
    chosen = roles.roles(names, goals=[(metric, direction), (metric, direction)])
    assert roles.judges(chosen)[0] == metric and chosen[metric].better == better and not chosen[metric].guessed
    assert chosen[metric].direction == direction and roles.assumption(metric, chosen[metric]) == ""


def test_what_a_person_said_of_the_objective_stays_but_for_its_direction() -> None:
    setting = '{"f1": ["test", "lower"]}'
    chosen = roles.roles(["f1", "val/loss"], setting, goals=[("f1", schema.MAXIMIZE)])
    assert chosen["f1"] == Role(TEST, HIGHER, roles.SAID, objective=True)
    assert roles.remembered(chosen) == '{"f1":["test","higher"]}'


def test_two_objectives_are_none() -> None:
    goals = [(schema.VAL_ERROR, schema.MINIMIZE), ("elbo", schema.MAXIMIZE)]
    chosen = roles.roles([*OURS, "elbo"], goals=goals)
    assert roles.judges(chosen)[0] == schema.VAL_LOSS and not any(role.objective for role in chosen.values())
    assert roles.roles(["val/loss"], goals=[("absent", schema.MINIMIZE)]) == roles.roles(["val/loss"])


def test_a_direction_that_nobody_said_is_named() -> None:
    assert roles.assumption("elbo", roles.guess("elbo")) == "It is assumed that lower elbo is better."
    by_name = roles.roles(["elbo"], '{"elbo": ["validation", "higher"]}')
    assert roles.assumption("elbo", by_name["elbo"]) == "" and by_name["elbo"].direction == schema.MAXIMIZE


def test_where_nothing_judges_one_sentence_says_why() -> None:
    assert "validation or test data" in roles.nothing_to_judge_by(roles.roles(["train_loss", "lr"]))
    assert "how good a model is" in roles.nothing_to_judge_by(roles.roles(["lr", "epoch_time"]))


def test_seconds_judge_where_a_person_gives_them_a_direction() -> None:
    chosen = roles.roles(["epoch_time", "lr"], '{"epoch_time": ["", "lower"]}')
    assert roles.judges(chosen) == ["epoch_time"]


def test_what_was_said_survives_the_round_trip_and_nonsense_counts_as_nothing() -> None:
    names = ["a", "val/loss", "test/acc"]
    chosen = {**roles.roles(names), "a": Role(VALIDATION, HIGHER, roles.SAID)}
    text = roles.remembered(chosen)
    assert "val/loss" not in text and roles.roles(names, text) == chosen
    for nonsense in ("", "[", "[1]", '{"a": 1}', '{"a": ["train", "sideways"]}', '{"a": [[], {}]}'):
        assert roles.roles(["a"], nonsense) == {"a": Role()}
