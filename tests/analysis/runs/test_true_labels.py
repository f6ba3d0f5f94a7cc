"""Errors on the true labels: which are taken, what they are called, and what is said where they are not known."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from analysis.runs.metric_slots import Slots
from analysis.runs.true_labels import (
    GIVEN,
    UNTOLD,
    label_noise,
    names,
    noise_floor,
    note,
    true_errors,
    validated_on_curves,
)
from tracking import schema

SLOTS = Slots(
    dev=schema.VAL_ERROR, train=schema.TRAIN_EVAL_ERROR, train_clean=schema.TRAIN_EVAL_CLEAN_ERROR,
    memorised=schema.MEMORISED, dev_clean=schema.VAL_CLEAN_ERROR,
)  # fmt: skip
DIGITS = {"data.name": "digits", "data.label_noise": 0.1, "dev": 0.2, "train": 0.1}
CURVE = {"data.name": "noisy_curve", "data.noise": 0.3, "data.label_noise": 0.0, "dev": 0.4, "train": 0.2}


def frame(*runs):
    return pd.DataFrame([{"outcome": "ok", **run} for run in runs])


def test_noisy_labels_give_way_to_the_true_ones_less_what_is_memorised():
    learnt = {**DIGITS, "train_clean": 0.01, "memorised": 0.0}
    memorising = {**DIGITS, "train": 0.0, "train_clean": 0.1, "memorised": 0.1}
    clean = {**DIGITS, "data.label_noise": 0.0, "train": 0.05}
    runs = true_errors(frame(learnt, memorising, clean))
    assert runs["train"].tolist() == [0.01, 0.0, 0.05] and runs["dev"].tolist() == [0.2] * 3
    assert runs[GIVEN].tolist() == [0.1, 0.0, 0.05] and runs["memorised"].tolist() == [0.0, 0.1, 0.0]
    assert not runs[UNTOLD].any()


def test_runs_from_before_and_losses_have_no_error_on_true_labels():
    runs = true_errors(frame(DIGITS, {**DIGITS, "data.label_noise": 0.0}, {**DIGITS, "train_clean": 0.01}))
    assert runs[UNTOLD].tolist() == [True, False, False] and runs["train"].tolist() == [0.1, 0.1, 0.01]


def test_a_noisy_curve_is_read_from_the_curve_in_training_and_validation_or_in_neither():
    both = {**CURVE, "train_clean": 0.15, "memorised": 0.05, "dev_clean": 0.25}
    runs = true_errors(frame(both, {**CURVE, "data.noise": 0.0}))
    assert runs["train"].tolist() == pytest.approx([0.1, 0.2]) and runs["dev"].tolist() == [0.25, 0.4]
    old = true_errors(frame(both, CURVE))
    assert old["train"].tolist() == [0.2, 0.2] and old["dev"].tolist() == [0.4, 0.4]
    assert not old[UNTOLD].any(), "both errors are on noisy targets: one scale"
    spoiled = {**CURVE, "data.label_noise": 0.5}
    assert true_errors(frame(spoiled))[UNTOLD].tolist() == [True]
    assert not true_errors(frame({**both, "data.label_noise": 0.5}))[UNTOLD].any()


def test_the_noise_of_a_curve_is_the_least_error_unless_it_is_read_from_the_curve():
    both = {**CURVE, "train_clean": 0.15, "memorised": 0.0, "dev_clean": 0.25}
    assert noise_floor(frame(CURVE), schema.VAL_ERROR) == 0.3 and not validated_on_curves(frame(CURVE))
    assert noise_floor(frame(CURVE), schema.VAL_LOSS) == pytest.approx(0.09)
    assert noise_floor(frame(both), schema.VAL_ERROR) == 0 and validated_on_curves(frame(both))
    assert noise_floor(frame(CURVE, {**CURVE, "data.noise": 0.1}), schema.VAL_ERROR) == 0
    assert noise_floor(frame(DIGITS), schema.VAL_ERROR) == 0 == noise_floor(frame(CURVE), "something")


def test_the_errors_are_called_by_what_they_are():
    learnt = {**DIGITS, "train_clean": 0.01, "memorised": 0.0}
    assert names(SLOTS, frame(DIGITS)) == {"dev": "val/error", "train": "train_eval/error", "train_dev": ""}
    assert names(SLOTS, frame(learnt))["train"] == "train_eval/clean_error"
    called = names(SLOTS, frame({**learnt, "memorised": 0.005}))
    assert called == {"dev": "val/error", "train": "clean_error − memorised", "train_dev": ""}
    curve = {**CURVE, "train_clean": 0.15, "memorised": 0.0, "dev_clean": 0.25}
    assert names(SLOTS, frame(curve))["dev"] == "val/clean_error"


def test_what_is_said_of_the_labels():
    assert note(frame({**DIGITS, "data.label_noise": 0.0})) == ""
    text = note(frame({**DIGITS, "train_clean": 0.01, "memorised": 0.0}))
    assert text.startswith("Training labels were made noisy (data.label_noise up to 0.1)")
    assert text.endswith("read from the errors on the true labels.")
    assert "The error on the true training labels is not known. Built-in models measure it when" in note(frame(DIGITS))
    assert note(frame({**DIGITS, "train": math.nan, "outcome": "running"})) == "", "nothing is read yet"
    curve = {**CURVE, "train_clean": 0.15, "memorised": 0.05, "dev_clean": 0.25}
    assert note(frame(curve)).startswith("All errors are those against the curve itself") and note(frame(CURVE)) == ""
    assert "is not known. Judged by val/error, it is." in note(frame(DIGITS), judge=schema.VAL_ERROR)


def test_of_strangers_runs_it_is_said_that_their_labels_are_not_known():
    for stranger in (frame({"dev": 0.2, "train": 0.1}), frame(DIGITS, {"dev": 0.2, "train": 0.1})):
        assert note(stranger).startswith("These runs do not say whether some of their labels are wrong")


def test_nothing_is_said_of_labels_where_no_run_has_both_errors():
    assert note(frame({"dev": 0.2})) == "" == note(frame({"train": 0.2, "dev": math.nan}))


def test_frames_without_runs_or_columns():
    empty = frame(DIGITS).head(0)
    assert label_noise(empty) == 0 and not validated_on_curves(empty) and true_errors(empty).empty
    assert true_errors(frame({"dev": 0.2}))["train"].isna().all()
    assert label_noise(frame({"dev": 0.2})) == 0 and label_noise(frame({**DIGITS, "data.label_noise": math.nan})) == 0
