"""The decomposition along an axis: real least-squares fits of growing degree, and what is said of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.bias_variance.capacity import EPOCH, FITTED, along_epochs, capacity_info, fitted_from
from analysis.bias_variance.capacity_figure import plot_capacity
from analysis.bias_variance.decomposition import CROSS_ENTROPY, SQUARED, ZERO_ONE

X = np.linspace(-1, 1, 101)
F = np.sin(2 * np.pi * X)
NOISE = 0.3
TARGETS = F + NOISE * np.random.default_rng(5).standard_normal(101)


def polynomials(degrees=(1, 3, 5, 11), datasets=8, inits=2, key="model.degree"):
    """Runs that fit polynomials to 20 noisy points of a sine; the initialisation adds a little of its own."""
    rows, arrays = [], {}
    for degree in degrees:
        for k in range(datasets * inits):
            data = k % datasets
            random = np.random.default_rng([data, 0])
            x = random.uniform(-1, 1, 20)
            y = np.sin(2 * np.pi * x) + NOISE * random.standard_normal(20)
            weights = np.polynomial.chebyshev.chebfit(x, y, degree)
            noise = 0.05 * np.random.default_rng([degree, k]).standard_normal(101)
            outputs = (np.polynomial.chebyshev.chebval(X, weights) + noise).astype(np.float32)
            run = f"{degree}-{k}"
            error = y - np.polynomial.chebyshev.chebval(x, weights)
            rows.append(
                {"run_id": run, "outcome": "ok", "seed_data": data, "seed_init": k, key: degree,
                 "train": math.sqrt((error**2).mean())}
            )  # fmt: skip
            arrays[run] = {
                "epochs": np.array([1, 2]), "outputs": np.stack([0 * outputs, outputs])[..., None],
                "targets": TARGETS.astype(np.float32), "truth": F.astype(np.float32), "noise": np.array(NOISE**2),
            }  # fmt: skip
    return pd.DataFrame(rows), arrays


def classifiers(widths=((2,), (8,), (32,)), datasets=4, inits=2):
    rows, arrays = [], {}
    targets = np.random.default_rng(0).integers(0, 3, 60)
    for place, width in enumerate(widths):
        for k in range(datasets * inits):
            random = np.random.default_rng([place, k])
            logits = 2.0 * np.eye(3)[targets] + (2.0 - 0.7 * place) * random.standard_normal((60, 3))
            outputs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
            run = f"{place}-{k}"
            rows.append(
                {"run_id": run, "outcome": "ok", "seed_data": k % datasets, "seed_init": k,
                 "model.hidden_sizes": list(width), "train": [0.2, 0.005, 0.0][place]}
            )  # fmt: skip
            arrays[run] = {"epochs": np.array([1]), "outputs": outputs[None].astype(np.float32),
                           "targets": targets.astype(np.int32)}  # fmt: skip
    return pd.DataFrame(rows), arrays


def drawn(info: Any) -> None:
    for dark in (False, True):
        assert plot_capacity(info, dark=dark).to_dict()["data"]


def test_bias_falls_and_variance_rises_with_the_degree():
    runs, arrays = polynomials()
    info = capacity_info(runs, arrays, "model.degree", SQUARED)
    bias = [point.parts["bias"].estimate.mean for point in info.drawn]
    data = [point.parts["data"].estimate.mean for point in info.drawn]
    assert bias[0] > 3 * abs(bias[2]) and data[0] < data[-1]
    assert all(point.parts["init"].estimate.mean == pytest.approx(0.05**2, rel=0.2) for point in info.drawn)
    assert info.sentence.startswith("From model.degree 1 to 11 bias² goes from ") and "lowest at 5" in info.sentence
    assert "noise" not in info.sentence and info.kind == "95% t-interval, jackknife over n=8 training sets"
    assert info.shows == "The squared error on 101 test examples and its parts along model.degree"
    assert info.n == "n=8 training sets with 2 initialisations each" and info.interval == info.kind
    assert "an estimate below zero hangs below it; below, each part with its 95% t-interval" in info.reading
    drawn(info)


def test_the_stack_that_is_drawn_reaches_the_measured_risk():
    runs, arrays = polynomials()
    info = capacity_info(runs, arrays, "model.degree", SQUARED)
    figure = plot_capacity(info)
    bars = sum(np.array(trace.y) for trace in figure.data if trace.type == "bar")
    line = next(
        np.array(trace.y) for trace in figure.data if trace.name == "risk, measured" and trace.showlegend is None
    )
    measured = [
        np.mean([((arrays[run]["outputs"][-1, :, 0] - TARGETS) ** 2).mean() for run in rows["run_id"]])
        for _, rows in runs.groupby("model.degree")
    ]
    assert bars == pytest.approx(line, rel=1e-9) and line == pytest.approx(measured, rel=1e-5)


def test_the_numbers_of_the_figure_are_in_its_table():
    runs, arrays = polynomials(degrees=(1, 5))
    table = capacity_info(runs, arrays, "model.degree", SQUARED).frame()
    assert table["part"].tolist()[:5] == [
        "noise", "bias²", "variance from data", "variance from initialisation", "risk, measured",
    ]  # fmt: skip
    for _, rows in table.groupby("model.degree"):
        parts = rows[rows["part"] != "risk, measured"]
        risk = rows[rows["part"] == "risk, measured"]["estimate"].item()
        assert (parts["sign"] * parts["estimate"]).sum() == pytest.approx(risk)
    assert (table["training sets"] == 8).all() and (table["initialisations"] == 2).all()


@pytest.mark.parametrize("loss", [SQUARED, ZERO_ONE, CROSS_ENTROPY])
def test_classifications_have_three_losses(loss):
    runs, arrays = classifiers()
    info = capacity_info(runs, arrays, "model.hidden_sizes", loss)
    assert [point.text for point in info.drawn] == ["2", "8", "32"] and info.axis.title == "model.hidden_sizes (units)"
    notes = " ".join(info.notes)
    assert ("Domingos" in notes) == (loss == ZERO_ONE) and ("1e-07" in notes) == (loss == CROSS_ENTROPY)
    assert ("noise is a part of bias" in notes) == (loss != ZERO_ONE)
    drawn(info)


def test_the_interpolation_threshold_is_the_first_capacity_from_which_training_sets_are_fitted():
    runs, arrays = classifiers()
    info = capacity_info(runs, arrays, "model.hidden_sizes", ZERO_ONE)
    assert info.threshold is not None and info.threshold.text == "8" and info.limit == FITTED
    assert any("fits its training set" in note.text for note in plot_capacity(info).layout.annotations)
    runs["train"] = math.nan
    assert capacity_info(runs, arrays, "model.hidden_sizes", ZERO_ONE).threshold is None
    assert fitted_from([0.5, 0.0, 0.5, 0.01, 0.0], 0.01) == 3 and fitted_from([0.0, 0.5], 0.01) is None
    assert fitted_from([0.0], 0.01) == 0 and fitted_from([], 0.01) is None and fitted_from([math.nan], 0.01) is None


def test_a_regression_counts_as_fitted_in_units_of_its_targets():
    runs, arrays = polynomials(degrees=(1, 19), datasets=3)
    info = capacity_info(runs, arrays, "model.degree", SQUARED)
    assert info.limit == pytest.approx(0.05 * TARGETS.std(), rel=1e-5)
    assert info.threshold is not None and info.threshold.text == "19", "20 points are met by 20 coefficients"


def test_a_double_descent_is_seen_in_the_risk():
    shares = {1: 0.5, 2: 0.2, 3: 0.6, 4: 0.3, 5: 0.1}
    rows, arrays = [], {}
    for width, share in shares.items():
        for data in range(4):
            run = f"{width}-{data}"
            right = np.arange(60) >= 60 * share + data  # the training sets differ, alike in all widths
            rows.append({"run_id": run, "outcome": "ok", "seed_data": data, "seed_init": data, "width": width})
            arrays[run] = {"epochs": np.array([1]), "outputs": np.eye(2)[right.astype(int)][None],
                           "targets": np.ones(60, dtype=int)}  # fmt: skip
    info = capacity_info(pd.DataFrame(rows), arrays, "width", ZERO_ONE)
    assert info.descent is not None and info.descent.shown and info.descent.peak == "3"
    assert info.descent.sentence.startswith("There is a second descent: from 2 to 3 the risk rises by 0.4")


def test_along_the_epochs_of_one_configuration():
    runs, arrays = polynomials(degrees=(5,))
    info = along_epochs(runs, arrays, SQUARED)
    assert [point.text for point in info.drawn] == ["1", "2"] and info.axis.key == EPOCH and info.descent is None
    assert info.drawn[0].parts["data"].estimate.mean == 0, "after epoch 1 all said 0"
    assert info.drawn[0].parts["bias"].estimate.mean == pytest.approx((F**2).mean(), rel=1e-5)
    drawn(info)
    assert along_epochs(runs, {}, SQUARED).problem.startswith("No run has left its answers")


def test_words_are_an_axis_too():
    runs, arrays = polynomials(degrees=(1, 5))
    runs["optimizer.name"] = runs["model.degree"].map({1: "sgd", 5: "adam"})
    info = capacity_info(runs, arrays, "optimizer.name", SQUARED)
    assert info.threshold is None and info.descent is None and info.sentence.startswith("Between adam and sgd ")
    drawn(info)


def test_one_value_has_a_sentence_of_its_own():
    runs, arrays = polynomials(degrees=(5,))
    info = capacity_info(runs, arrays, "model.degree", SQUARED)
    assert info.sentence.startswith("The squared error of ") and "is made of noise" in info.sentence
    drawn(info)


def test_diverged_runs_are_drawn_counted_and_never_hidden():
    runs, arrays = polynomials(degrees=(1, 5))
    lost = runs["run_id"].isin(["5-0", "5-1"])
    runs.loc[lost, "outcome"] = "diverged"
    info = capacity_info(
        runs, {run: stored for run, stored in arrays.items() if run not in ("5-0", "5-1")}, "model.degree", SQUARED
    )
    assert info.positions[1].diverged == 2 and info.drawn[1].parts.datasets == 6
    assert any("4 runs are left out" in note and "2 of which diverged" in note for note in info.notes)
    crosses = next(trace for trace in plot_capacity(info).data if trace.name == "diverged runs")
    assert crosses.customdata[0] == "5: 2 of 16 runs"
    runs["outcome"] = "diverged"
    none = capacity_info(runs, {}, "model.degree", SQUARED)
    assert none.empty and none.problem == "All 32 runs diverged: there are no answers to take apart."


def test_what_is_missing_is_said():
    runs, arrays = polynomials(degrees=(1, 5))
    assert "replicate" in capacity_info(runs, {}, "model.degree", SQUARED).problem
    assert capacity_info(runs.head(0), {}, "model.degree", SQUARED).problem == "No run has come to its end yet."
    single = runs[runs["seed_data"] == 0]
    assert "one training set" in capacity_info(single, arrays, "model.degree", SQUARED).problem
    assert "A regression has no 0-1 loss." in capacity_info(runs, arrays, "model.degree", ZERO_ONE).problem
    part = capacity_info(
        runs, {run: stored for run, stored in arrays.items() if run.startswith("1-")}, "model.degree", SQUARED
    )
    assert len(part.drawn) == 1 and any(note.startswith("Not drawn: 5. ") for note in part.notes)


def test_one_initialisation_and_two_training_sets_say_what_cannot_be_known():
    runs, arrays = polynomials(degrees=(1, 5), datasets=2, inits=1)
    info = capacity_info(runs, arrays, "model.degree", SQUARED)
    notes = " ".join(info.notes)
    assert "cannot be told apart" in notes and "Below three training sets there is no interval." in notes
    assert info.kind == "" and "±" not in info.sentence
    drawn(info)
