"""Classification quality against scikit-learn, torchmetrics and hand-worked figures; and that every figure renders."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import calibration, metrics
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from analysis.classification.accuracy import accuracy_info, plot_accuracy
from analysis.classification.calibration import calibration_info, plot_calibration
from analysis.classification.confusion import MEASURES, by_class_info, confusion_info, plot_by_class, plot_confusion
from analysis.classification.predictions import Predictions, PredictionsError
from analysis.classification.roc_and_pr import GRID, plot_separation, precision_recall_info, roc_info
from analysis.classification.thresholds import at_threshold, best_threshold, plot_threshold, threshold_info
from analysis.statistics import interval

TRICKY = "<b>mal</b> & co"
FIGURES: dict[str, Callable[..., Any]] = {
    "confusion": lambda runs, **how: plot_confusion(confusion_info(runs), **how),
    "confusion counts": lambda runs, **how: plot_confusion(confusion_info(runs), shares=False, **how),
    "by class": lambda runs, **how: plot_by_class(by_class_info(runs), **how),
    "accuracy": lambda runs, **how: plot_accuracy(accuracy_info({TRICKY: runs}), **how),
    "precision-recall": lambda runs, **how: plot_separation(precision_recall_info(runs), **how),
    "ROC": lambda runs, **how: plot_separation(roc_info(runs), **how),
    "calibration": lambda runs, **how: plot_calibration(calibration_info(runs), **how),
    "threshold": lambda runs, **how: plot_threshold(threshold_info(runs), at=0.3, **how),
}


def run_of(probabilities: Any, targets: Any, seed: int = 0) -> Predictions:
    """Predictions of as many classes as there are columns; a single column is the probability of class 1 of two."""
    p = np.asarray(probabilities, dtype=float)
    p = np.stack([1 - p, p], axis=1) if p.ndim == 1 else p
    names = (TRICKY, *(f"class {k}" for k in range(1, p.shape[1])))
    return Predictions(names, p, np.asarray(targets, dtype=int), size=len(p), seed=seed)


def answering(answers: Any, targets: Any, classes: int, seed: int = 0) -> Predictions:
    """Predictions that answer so, with probability 1."""
    return run_of(np.eye(classes)[np.asarray(answers)], targets, seed)


def random(n: int, classes: int, seed: int, skill: float = 1.0) -> Predictions:
    """Unequal classes, and probabilities that know something of them."""
    rng = np.random.default_rng(seed)
    targets = rng.choice(classes, n, p=(share := np.arange(1, classes + 1)[::-1] ** 1.5) / share.sum())
    logits = rng.normal(size=(n, classes)) + skill * np.eye(classes)[targets]
    return run_of(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), targets, seed)


BINARY, MULTI = random(400, 2, 1), random(500, 4, 2)
FLIPPED = run_of(BINARY.probabilities[:, 0], 1 - BINARY.targets)
GROUP = [random(300, 3, seed) for seed in range(5)]
BINARY_GROUP = [random(300, 2, seed) for seed in range(5)]
MAJORITY = run_of(np.full(200, 0.05), [1] * 10 + [0] * 190)
"""Always answers class 0, of which there are 95 %, and gives every example the same probability."""
PERFECT = run_of([0.0] * 190 + [1.0] * 10, [0] * 190 + [1] * 10)


# The two planted ones


def test_the_perfect_classifier() -> None:
    confusion = confusion_info([PERFECT])
    assert confusion.counts.tolist() == [[190, 0], [0, 10]]
    rows = by_class_info([PERFECT]).rows
    assert all(row.measures[measure].mean == 1 for row in rows for measure in MEASURES)
    (row,) = accuracy_info({"run": [PERFECT]}).rows
    assert (row.accuracy.mean, row.balanced.mean, row.baseline) == (1, 1, 0.95)
    assert row.accuracy.low > row.baseline and "the interval lies above that" in row.sentence
    for info in (precision_recall_info([PERFECT]), roc_info([PERFECT])):
        assert [curve.area.mean for curve in info.curves] == [1]
    assert calibration_info([PERFECT]).error.mean == 0
    values = threshold_info([PERFECT]).values
    inside = threshold_info([PERFECT]).thresholds > 0
    assert all((values[name][0][inside] == 1).all() for name in values)


def test_the_classifier_that_always_answers_the_majority() -> None:
    assert confusion_info([MAJORITY]).counts.tolist() == [[190, 0], [10, 0]]
    info = by_class_info([MAJORITY])
    rare = info.classes[1].measures
    assert math.isnan(rare["precision"].mean) and rare["recall"].mean == rare["F1"].mean == 0
    # An undefined precision is 0 in the macro mean: (0.95 + 0) / 2.
    assert info.macro.measures["precision"].mean == pytest.approx(0.475) and info.macro.measures["recall"].mean == 0.5
    assert info.notes == ["Never answered here: “class 1”. Such a precision is undefined, and 0 in the macro mean."]
    (row,) = accuracy_info({"run": [MAJORITY]}).rows
    assert (row.accuracy.mean, row.baseline, row.majority) == (0.95, 0.95, TRICKY)
    assert (row.balanced.mean, row.chance) == (0.5, 0.5)
    assert "the interval lies around that" in row.sentence and "Balanced accuracy 0.5" in row.sentence
    assert precision_recall_info([MAJORITY]).curves[0].area.mean == pytest.approx(0.05)
    assert roc_info([MAJORITY]).curves[0].area.mean == pytest.approx(0.5)
    # It is calibrated all the same: 5 % said, 5 % so.
    assert calibration_info([MAJORITY]).error.mean == pytest.approx(0)
    never = at_threshold([MAJORITY], 0.5)
    assert (never.true_positives, never.false_negatives, never.true_negatives) == (0, 10, 190)
    assert math.isnan(never.precision.mean) and "never answered" in never.sentence


# Counting


def test_confusion_by_hand() -> None:
    info = confusion_info([answering([0, 0, 1, 2, 2], [0, 0, 0, 2, 1], 3)])
    assert info.counts.tolist() == [[2, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert [[cell.mean for cell in row] for row in info.shares] == [[2 / 3, 1 / 3, 0], [0, 0, 1], [0, 0, 1]]


def test_the_confusion_of_a_group() -> None:
    info = confusion_info(GROUP)
    alone = [metrics.confusion_matrix(run.targets, run.answers, normalize="true") for run in GROUP]
    assert info.counts.sum() == 5 * 300
    for row in range(3):
        assert sum(cell.mean for cell in info.shares[row]) == pytest.approx(1)
        expected = interval([matrix[row, 1] for matrix in alone])
        assert (info.shares[row][1].low, info.shares[row][1].n) == (pytest.approx(expected.low), 5)
    assert "n=5" in info.caption


def test_a_class_without_examples_has_no_share_and_is_named() -> None:
    run = answering([0, 1, 1], [0, 1, 0], 3)
    assert all(math.isnan(cell.mean) for cell in confusion_info([run]).shares[2])
    info = by_class_info([run])
    assert info.macro.measures["recall"].mean == pytest.approx(0.75)
    assert any(note.startswith("Without an example here: “class 2”.") for note in info.notes)


@pytest.mark.parametrize("run", [BINARY, MULTI], ids=["binary", "multiclass"])
def test_by_class_agrees_with_scikit_learn(run: Predictions) -> None:
    report = metrics.classification_report(run.targets, run.answers, output_dict=True, zero_division=np.nan)
    info = by_class_info([run])
    for k, row in enumerate(info.classes):
        expected = report[str(k)]
        assert row.support == expected["support"]
        assert [row.measures[m].mean for m in MEASURES] == [expected[m] for m in ("precision", "recall", "f1-score")]
    assert info.macro.measures["F1"].mean == pytest.approx(report["macro avg"]["f1-score"])
    assert {info.micro.measures[m].mean for m in MEASURES} == {metrics.accuracy_score(run.targets, run.answers)}
    frame = info.frame()
    assert frame["class"].tolist() == [*run.names, "macro mean", "micro mean"]
    assert frame["F1 low"].isna().all()


def test_by_class_of_a_group_is_the_mean_over_seeds() -> None:
    info = by_class_info(GROUP)
    alone = [metrics.recall_score(run.targets, run.answers, average=None)[2] for run in GROUP]
    assert info.classes[2].seeds["recall"] == pytest.approx(alone)
    assert info.classes[2].measures["recall"] == interval(info.classes[2].seeds["recall"])
    assert info.frame()["recall low"].notna().all()


# Accuracy


def test_accuracy_of_one_run_and_of_a_group() -> None:
    one, group = accuracy_info({"one": [GROUP[0]], "group": GROUP}).rows
    right = int((GROUP[0].answers == GROUP[0].targets).sum())
    assert one.accuracy.mean == right / 300 and one.accuracy.low < one.accuracy.mean < one.accuracy.high
    assert one.kind == "95% Wilson interval, 300 examples" and one.kind in one.sentence
    values = [metrics.accuracy_score(run.targets, run.answers) for run in GROUP]
    assert group.accuracy == interval(values) and group.kind == "95% t-interval over seeds, n=5"
    shares = [np.bincount(run.targets).max() / 300 for run in GROUP]
    assert group.baseline == pytest.approx(np.mean(shares))
    assert group.gain == interval(np.subtract(values, shares))
    assert group.balanced.mean == pytest.approx(
        np.mean([metrics.balanced_accuracy_score(run.targets, run.answers) for run in GROUP])
    )
    assert "above it in 5 of 5 seeds" in group.sentence


def test_two_seeds_get_no_interval() -> None:
    (row,) = accuracy_info({"two": GROUP[:2]}).rows
    assert row.kind == "" and "±" not in row.sentence
    assert all(not array for trace in plot_accuracy(accuracy_info({"two": GROUP[:2]})).data
               for array in (trace.error_x.array or ()))  # fmt: skip


# Separation


def test_areas_agree_with_scikit_learn() -> None:
    precision_recall, roc = precision_recall_info([MULTI]), roc_info([MULTI])
    for k, (curve, other) in enumerate(zip(precision_recall.curves, roc.curves, strict=True)):
        truth, scores = MULTI.targets == k, MULTI.probabilities[:, k]
        assert curve.area.mean == metrics.average_precision_score(truth, scores)
        assert other.area.mean == metrics.roc_auc_score(truth, scores)
        # The steps that are drawn enclose the area that is named.
        line = curve.lines[0]
        assert np.sum(np.diff(line.x) * line.y[1:]) == pytest.approx(curve.area.mean)
        assert np.trapezoid(other.lines[0].y, other.lines[0].x) == pytest.approx(other.area.mean)
    macro = metrics.roc_auc_score(MULTI.targets, MULTI.probabilities, multi_class="ovr", average="macro")
    assert roc.macro.mean == pytest.approx(macro)


def test_a_binary_run_is_looked_at_by_its_rarer_class() -> None:
    (curve,) = precision_recall_info([BINARY]).curves
    assert curve.name == "class 1" and curve.share == pytest.approx((BINARY.targets == 1).mean())
    assert precision_recall_info([BINARY], classes=[0]).curves[0].name == TRICKY


def test_precision_recall_by_hand() -> None:
    # In falling order of the score the truth is 1, 0, 1: precision 1 up to recall 1/2, 2/3 up to recall 1.
    info = precision_recall_info([run_of([0.9, 0.6, 0.3], [1, 0, 1], seed) for seed in range(3)], classes=[1])
    (curve,) = info.curves
    assert curve.area.mean == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    means = [mean.mean for mean in curve.means]
    assert means[:51] == [1] * 51 and means[51:] == pytest.approx([2 / 3] * 50)


def test_the_mean_roc_by_hand() -> None:
    # One run ranks perfectly, the other gives all the same: (1 + x) / 2.
    perfect, guess = run_of([0.9, 0.1, 0.1], [1, 0, 0]), run_of([0.5] * 3, [1, 0, 0], 1)
    (curve,) = roc_info([perfect, guess], classes=[1]).curves
    assert [mean.mean for mean in curve.means] == pytest.approx(((1 + GRID) / 2).tolist())
    assert curve.area.mean == 0.75


def test_a_class_that_cannot_be_told_apart_is_named() -> None:
    info = roc_info([answering([0, 1, 1], [0, 1, 0], 3)])
    assert info.missing == ["class 2"] and len(info.curves) == 2 and "class 2" in info.caption
    nothing = precision_recall_info([run_of([0.1, 0.2], [0, 0])])
    assert nothing.curves == [] and nothing.caption.startswith("No class has both")
    assert plot_separation(nothing).data == ()


# Calibration


def test_calibration_error_agrees_with_torchmetrics() -> None:
    for bins in (5, 10):
        binary = binary_calibration_error(
            torch.tensor(BINARY.probabilities[:, 1]), torch.tensor(BINARY.targets), n_bins=bins
        )
        assert calibration_info([BINARY], bins).error.mean == pytest.approx(float(binary), abs=1e-6)
        multi = multiclass_calibration_error(
            torch.tensor(MULTI.probabilities), torch.tensor(MULTI.targets), num_classes=4, n_bins=bins
        )
        assert calibration_info([MULTI], bins).error.mean == pytest.approx(float(multi), abs=1e-6)


def test_the_reliability_diagram_agrees_with_scikit_learn() -> None:
    info = calibration_info([BINARY])
    right, predicted = calibration.calibration_curve(BINARY.targets == 1, BINARY.probabilities[:, 1], n_bins=10)
    (line,) = info.lines
    some = line.counts > 0
    np.testing.assert_allclose(line.right[some], right)
    np.testing.assert_allclose(line.predicted[some], predicted)
    assert info.of == "class 1" and line.counts.sum() == 400


def test_overconfidence_by_hand() -> None:
    # 8 of 10 right at 0.95, all of 10 at 0.55: (0.15 + 0.45) / 2.
    run = run_of([0.95] * 10 + [0.55] * 10, [1] * 8 + [0] * 2 + [1] * 10)
    assert calibration_info([run], positive=1).error.mean == pytest.approx(0.3)
    assert calibration_info([run], positive=1).right[9].mean == 0.8


def test_a_bin_that_few_seeds_reach_says_so() -> None:
    runs = [run_of([0.05, 0.95], [0, 1], 0), run_of([0.05, 0.04], [0, 1], 1), run_of([0.05, 0.93], [0, 1], 2)]
    info = calibration_info(runs, positive=1)
    assert [(right.n, right.mean) for right in info.right if right.n] == [(3, pytest.approx(1 / 6)), (2, 1)]


# Thresholds


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.83, 1.0])
def test_a_threshold_agrees_with_scikit_learn(threshold: float) -> None:
    answers = BINARY.probabilities[:, 1] >= threshold
    point = at_threshold([BINARY], threshold)
    tn, fp, fn, tp = metrics.confusion_matrix(BINARY.targets == 1, answers).ravel()
    assert (point.true_positives, point.false_positives, point.false_negatives, point.true_negatives) == (
        tp,
        fp,
        fn,
        tn,
    )
    assert point.f1.mean == pytest.approx(metrics.f1_score(BINARY.targets, answers))
    assert point.recall.mean == metrics.recall_score(BINARY.targets, answers)
    assert point.accuracy.mean == metrics.accuracy_score(BINARY.targets, answers)
    if tp + fp:
        assert point.precision.mean == metrics.precision_score(BINARY.targets, answers)


def test_the_slider_shows_what_the_curve_shows() -> None:
    info, point = threshold_info(BINARY_GROUP), at_threshold(BINARY_GROUP, 0.4)
    assert (point.precision, point.f1) == (info.means["precision"][40], info.means["F1"][40])
    assert point.f1 == interval(info.values["F1"][:, 40]) and "n=5" in point.sentence
    assert (np.diff(info.values["recall"], axis=1) <= 0).all()


def test_a_mean_stops_where_a_run_has_no_value() -> None:
    info = threshold_info([run_of([0.9, 0.1], [1, 0], 0), run_of([0.5, 0.1], [1, 0], 1)], positive=1)
    assert [mean.n for mean in info.means["precision"]] == [2] * 51 + [0] * 50


def test_the_best_threshold() -> None:
    assert best_threshold([run_of([0.9, 0.35, 0.3, 0.1], [1, 1, 0, 0])], positive=1) == pytest.approx(0.31)


def test_the_tables_to_take_along_hold_what_scikit_learn_computes() -> None:
    runs = BINARY_GROUP[:2]
    thresholds = threshold_info(runs, 1).frame()
    for seed, run in enumerate(runs):
        row = thresholds[(thresholds["seed"] == seed) & np.isclose(thresholds["threshold"], 0.4)].iloc[0]
        answers = run.probabilities[:, 1] >= 0.4
        assert row["recall"] == pytest.approx(metrics.recall_score(run.targets, answers))
        assert row["accuracy"] == pytest.approx(metrics.accuracy_score(run.targets, answers))
        calibrated = calibration_info(runs, positive=1).frame()
        assert calibrated[calibrated["seed"] == seed]["examples"].sum() == len(run.targets)
    curves = roc_info(runs).frame()
    for seed, run in enumerate(runs):
        line = curves[curves["seed"] == seed]
        name = line["class"].iloc[0]
        truth, scores = run.targets == run.names.index(name), run.probabilities[:, run.names.index(name)]
        assert metrics.auc(line["false positives"], line["recall"]) == pytest.approx(
            metrics.roc_auc_score(truth, scores)
        )
    table = accuracy_info({"g": runs}).frame()
    assert table["accuracy"].tolist() == [metrics.accuracy_score(run.targets, run.answers) for run in runs]


def test_a_class_that_is_not_there_has_no_threshold() -> None:
    with pytest.raises(PredictionsError, match="class 1”: none of the examples"):
        threshold_info([run_of([0.1, 0.2], [0, 0])], positive=1)
    with pytest.raises(PredictionsError, match="all of the examples"):
        at_threshold([run_of([0.1, 0.2], [0, 0])], 0.5)


# Figures


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("runs", [[BINARY], [FLIPPED], [MULTI], GROUP[:2], GROUP, BINARY_GROUP, [MAJORITY], [PERFECT]])
def test_every_figure_renders_in_both_themes_without_raw_html(figure: str, runs: list[Predictions]) -> None:
    light, dark = (FIGURES[figure](runs, dark=dark) for dark in (False, True))
    assert len(light.data) == len(dark.data) > 0
    assert TRICKY not in json.dumps(json.loads(light.to_json()))
    assert light.to_json() != dark.to_json()


@pytest.mark.parametrize("figure", ["by class", "accuracy", "precision-recall", "ROC", "calibration", "threshold"])
def test_an_interval_is_named_where_it_is_drawn(figure: str) -> None:
    name = "95% t-interval over seeds, n=5"
    assert name in FIGURES[figure](BINARY_GROUP).to_json()
    assert name not in FIGURES[figure](BINARY_GROUP[:2]).to_json()


@pytest.mark.parametrize("figure", FIGURES)
def test_without_runs_there_is_one_sentence(figure: str) -> None:
    with pytest.raises(PredictionsError, match="There are no predictions here"):
        FIGURES[figure]([])


def test_a_matrix_of_many_classes_is_coloured_without_numbers() -> None:
    figure = plot_confusion(confusion_info([random(3000, 60, 0)]))
    assert figure.data[0].texttemplate is None and len(figure.layout.xaxis.tickvals) == 30
