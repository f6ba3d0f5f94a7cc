"""Which metric stands where: ours by name, a stranger's by its words, what a person said before any guess."""

import math

import pandas as pd
import pytest

from analysis.runs import metric_roles as roles
from analysis.runs.metric_slots import COMPLEMENT, NEGATIVE, Slots, read, remembered, slots_of
from tracking import schema

OURS = [
    schema.TRAIN_LOSS, schema.TRAIN_EVAL_LOSS, schema.TRAIN_EVAL_ERROR, schema.VAL_LOSS, schema.VAL_ERROR,
    schema.TEST_LOSS, schema.TEST_ERROR, schema.LR, schema.GRAD_NORM, schema.TRAIN_SECONDS,
]  # fmt: skip


KNOWN = roles.of_sweepboard({"loss": roles.LOWER, "error": roles.LOWER, "perplexity": roles.LOWER, "f1": roles.HIGHER})


def slots_among(names, last=None, **more):
    return slots_of(roles.roles(names, known=KNOWN), last or {}, **more)


@pytest.mark.parametrize(
    ("dev", "train", "training"),
    [
        (schema.VAL_ERROR, schema.TRAIN_EVAL_ERROR, ""),
        (schema.VAL_LOSS, schema.TRAIN_EVAL_LOSS, schema.TRAIN_LOSS),
    ],
)
def test_ours_are_known_by_name(dev, train, training):
    slots = slots_among(OURS, dev=dev)
    assert (slots.dev, slots.train, slots.train_dev, slots.training) == (dev, train, "", training)
    assert slots.label("dev") == dev and slots.label("train_dev") == ""


def test_errors_on_true_labels_stand_beside_those_on_the_same_labels_with_noise():
    names = [*OURS, schema.TRAIN_EVAL_CLEAN_ERROR, schema.MEMORISED]
    slots = slots_among(names, dev=schema.VAL_ERROR)
    assert (slots.train, slots.train_clean) == (schema.TRAIN_EVAL_ERROR, schema.TRAIN_EVAL_CLEAN_ERROR)
    assert (slots.memorised, slots.dev_clean) == (schema.MEMORISED, "")
    assert slots_among([*names, schema.VAL_CLEAN_ERROR], dev=schema.VAL_ERROR).dev_clean == schema.VAL_CLEAN_ERROR
    assert slots_among(names, dev=schema.VAL_LOSS).train_clean == "", "a loss has none"
    assert slots_among(OURS, dev=schema.VAL_ERROR).train_clean == "", "not measured"
    setting = remembered(Slots(dev=schema.VAL_ERROR, train=schema.TRAIN_LOSS))
    assert slots_among(names, setting=setting).train_clean == "", "another training error was chosen"


@pytest.mark.parametrize(
    ("names", "dev", "train", "train_dev"),
    [
        (["train_acc", "val_acc", "test_acc"], "val_acc", "train_acc", ""),
        (["trainLoss", "validLoss", "trainAcc"], "validLoss", "trainLoss", ""),
        (["train_err", "train_dev_err", "dev_err"], "dev_err", "train_err", "train_dev_err"),
        (["loss", "epoch_seconds"], "loss", "", ""),
        (["train_loss", "test_loss", "train_acc", "test_acc"], "test_loss", "train_loss", ""),
        (["Test Accuracy", "Training time"], "Test Accuracy", "", ""),
        (["loss", "val_loss", "accuracy", "val_accuracy"], "val_loss", "loss", ""),
        (["train_loss_step", "train_loss_epoch", "val_loss"], "val_loss", "train_loss_epoch", ""),
        (["train_loss", "lr"], "", "", ""),
        ([], "", "", ""),
    ],
)
def test_a_strangers_are_guessed_from_their_words(names, dev, train, train_dev):
    slots = slots_among(names)
    assert (slots.dev, slots.train, slots.train_dev) == (dev, train, train_dev)


def test_more_is_better_becomes_an_error_of_which_less_is():
    shares = slots_among(["train_acc", "val_acc"], {"val_acc": [0.9, math.nan], "train_acc": [1.0, 0.5]})
    assert shares.turned == {"val_acc": COMPLEMENT, "train_acc": COMPLEMENT}
    assert shares.error("val_acc", pd.Series([0.9, 0.25])).tolist() == pytest.approx([0.1, 0.75])
    assert shares.label("dev") == "1 − val_acc"
    percent = slots_among(["train_acc", "val_acc"], {"val_acc": [90.0], "train_acc": [1.0]})
    assert percent.turned == {"val_acc": NEGATIVE, "train_acc": NEGATIVE}, "one way for both"
    assert percent.error("val_acc", pd.Series([90.0])).tolist() == [-90.0]
    assert percent.label("dev") == f"{-90:.0f}"[0] + "val_acc", "the minus sign of the numbers beside it"
    assert slots_among(OURS).error(schema.VAL_ERROR, pd.Series([0.3])).tolist() == [0.3]


def test_of_which_data_the_judge_is_and_what_was_assumed_is_known():
    assert (
        slots_among(["test_acc"], {"test_acc": [0.5]}).part == roles.TEST
        and slots_among(["test_acc"]).label("dev") == "1 − test_acc"
    )
    assert slots_among(["val_loss"]).assumption == "" and "lower elbo" in slots_among(["elbo"]).assumption


def test_what_a_person_said_comes_first_until_another_is_asked_for():
    names = ["a", "b", "val_loss", "train_loss"]
    setting = remembered(Slots(dev="a", train="b"))
    slots = slots_among(names, setting=setting)
    assert (slots.dev, slots.train, slots.training) == ("a", "b", "")
    assert slots_among(names, setting=setting, dev="val_loss").train == "train_loss"
    assert slots_among(["val_loss", "train_loss"], setting=setting).dev == "val_loss", "what it said is not there"


@pytest.mark.parametrize("setting", ["", "{", "[]", '{"dev": 1, "other": "x"}', "null"])
def test_what_cannot_be_read_says_nothing(setting):
    assert read(setting) == {}
    assert slots_among(OURS, setting=setting).dev == schema.VAL_LOSS
