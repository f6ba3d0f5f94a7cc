"""References beside a run's curves: what is read from the file, the sentence, and the dashed lines."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.figures.run_curves import panel_info, plot_panel
from analysis.runs import metric_roles
from analysis.runs.references import Reference, ReferencesError, read, reading

METRICS = ["train_eval/loss", "val/loss"]
ARRAYS = {
    "names": np.array(["closed form"]),
    "words": np.array(["the best weights"]),
    "metrics": np.array([*METRICS, "val/error"]),
    "values": np.array([[0.4, 0.5, math.nan]]),
}


def packed(**changes: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **{**ARRAYS, **changes})
    return file.getvalue()


def histories(**curves: list[float]) -> pd.DataFrame:
    rows = [
        (name.replace("__", "/"), step, 1000 * step, value)
        for name, values in curves.items()
        for step, value in enumerate(values, 1)
    ]
    return pd.DataFrame(rows, columns=["key", "step", "time", "value"])


def figure(values: dict[str, float], *, log: bool = False, x: str = "epoch", dark: bool = False) -> Any:
    curves = histories(train_eval__loss=[1.0, 0.6, 0.5], val__loss=[1.1, 0.7, 0.6])
    reference = Reference("closed form", "the best weights", values)
    panel = panel_info("loss", METRICS, curves, metric_roles.roles(METRICS), references=[reference])
    return plot_panel(panel, log=log, x=x, dark=dark)


def test_a_file_is_read_and_what_is_no_number_left_out() -> None:
    assert read(packed()) == [Reference("closed form", "the best weights", {"train_eval/loss": 0.4, "val/loss": 0.5})]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no archive", "it is no archive of plain NumPy arrays"),
        (packed(values=np.zeros((2, 3))), "its arrays do not fit each other"),
        (packed(names=np.array([1])), "its names has the wrong type"),
        (packed(metrics=np.array(["m"] * 1000), values=np.zeros((1, 1000))), "it holds 1 references of 1000 metrics"),
    ],
)
def test_another_file_is_refused_in_a_sentence(content: bytes, why: str) -> None:
    with pytest.raises(ReferencesError, match=f"references.npz cannot be read: {why}"):
        read(content)


def test_the_sentence_reads_both_losses() -> None:
    latest = {"train_eval/loss": (20.0, 0.51234), "val/loss": (20.0, 0.6), "val/error": (20.0, 0.3)}
    assert reading(read(packed()), latest) == (
        "After 20 epochs the training loss is 0.5123 and the validation loss is 0.6; the closed form reaches 0.4 and "
        "0.5. Dashed, in the colour of each curve, is the closed form: the best weights."
    )
    only_training = reading(read(packed()), {"train_eval/loss": (1.0, 0.5)})
    assert only_training.startswith("After 1 epoch the training loss is 0.5; the closed form reaches 0.4. ")
    only_error = reading([Reference("r", "w", {"val/error": 0.1})], latest)
    assert only_error == "Dashed, in the colour of each curve, is the r: w."
    assert reading(read(packed()), {"lr": (1.0, 0.5)}) == reading([], latest) == ""


@pytest.mark.parametrize("x", ["epoch", "seconds"])
@pytest.mark.parametrize("dark", [False, True])
def test_a_dashed_line_has_the_colour_and_the_length_of_its_curve(x: str, dark: bool) -> None:
    traces = {(trace.name, bool(trace.showlegend is not False)): trace for trace in figure({}, x=x, dark=dark).data}
    drawn = figure({"train_eval/loss": 0.4, "val/loss": 0.5}, x=x, dark=dark)
    lines = [trace for trace in drawn.data if trace.line.dash == "dash" and trace.showlegend is False]
    assert [set(trace.y) for trace in lines] == [{0.4}, {0.5}]
    for metric, line in zip(METRICS, lines, strict=True):
        curve = traces[metric, True]
        assert line.line.color == curve.line.color and list(line.x) == list(curve.x)
        assert (
            line.line.width < curve.line.width and metric in line.hovertemplate and "closed form" in line.hovertemplate
        )
    assert [trace.name for trace in drawn.data if trace.showlegend is not False] == [*METRICS, "closed form"]


def test_without_references_nothing_is_drawn() -> None:
    for values in ({}, {"val/error": 0.3}):
        assert [trace.name for trace in figure(values).data] == METRICS


def test_a_single_curve_with_a_reference_has_a_legend() -> None:
    reference = Reference("closed form", "the best weights", {"val/loss": 0.5})
    roles, curves = metric_roles.roles(["val/loss"]), histories(val__loss=[1.0, 0.6])
    for references, shown in (([reference], True), ([], False)):
        panel = panel_info("loss", ["val/loss"], curves, roles, references=references)
        assert plot_panel(panel).layout.showlegend is shown


def test_a_logarithmic_axis_leaves_out_an_exact_fit() -> None:
    names = [trace.name for trace in figure({"train_eval/loss": 1e-30, "val/loss": 0.0}, log=True).data]
    assert "closed form" not in names
    near = figure({"train_eval/loss": 0.01, "val/loss": 1e-30}, log=True)
    assert [min(trace.y) for trace in near.data if trace.name == "closed form" and trace.showlegend is False] == [0.01]
    assert "closed form" in [trace.name for trace in figure({"train_eval/loss": 1e-30}).data]


def test_markup_in_a_file_is_no_markup_in_the_figure() -> None:
    reference = Reference("<b>x</b>", "w", {"val/loss": 0.5})
    roles, curves = metric_roles.roles(["val/loss"]), histories(val__loss=[1.0, 0.6])
    drawn = plot_panel(panel_info("loss", ["val/loss"], curves, roles, references=[reference]))
    assert "<b>x" not in str(drawn.to_plotly_json()["data"]).replace("<b>&lt;b&gt;", "")
