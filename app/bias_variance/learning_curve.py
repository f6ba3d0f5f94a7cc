"""The learning curve of the page on bias and variance: errors against the size of the training set or a capacity."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import pandas as pd
import streamlit as st

from analysis.bias_variance.learning_curve import LearningCurveInfo, learning_curve_info
from analysis.bias_variance.learning_curve_figure import plot_learning_curve
from analysis.figures.param_axis import is_size, size_like
from analysis.runs.metric_slots import DEV, TRAIN
from analysis.runs.true_labels import names
from app.bias_variance.diagnosis import Aim
from app.shared import ui
from app.study import page as study_page
from app.study.page import Study
from tracking.labels import labels

REST: Final = "rest"
"""The column of what else a run's configuration is, beside the axis."""


def _sizes(value: Any) -> bool:
    numbers = value if isinstance(value, list | tuple) else [value]
    return bool(numbers) and all(isinstance(size, int | float) and not isinstance(size, bool) for size in numbers)


def number_axes(study: Study) -> list[str]:
    """The params that can be an axis of numbers, lists of sizes among them; sizes of the training set first."""
    runs = study.judged
    return size_like([key for key in study.axes if key in runs and any(map(_sizes, runs[key]))])


def with_rest(runs: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The runs with what else they are, by these params, in the column REST."""
    rows = runs.drop_duplicates("group").set_index("group")[keys].to_dict("index") if len(runs) else {}
    return runs.assign(**{REST: runs["group"].map(labels(rows))})


def errors(study: Study, key: str, axis: str, aim: Aim, log: bool) -> LearningCurveInfo:
    """Draw both errors against a number, with what the diagnosis says of them."""
    runs = with_rest(study.judged, [key_of for key_of in study.axes if key_of != axis])
    called = names(study.slots, runs)
    info = learning_curve_info(
        runs, axis, dev=called[DEV], train=called[TRAIN], reference=aim.reference, threshold=aim.threshold, line=REST
    )
    if info.empty:
        study_page.empty(info.problem)
        return info
    st.markdown(f"**{ui.text(info.sentence)}**")
    study_page.figure(study, key, info, partial(plot_learning_curve, log=log))
    return info


def learning(study: Study, aim: Aim, drawn: bool) -> None:
    """Draw the learning curve."""
    axes = number_axes(study)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        axis = study_page.axis_picker(
            "Along", axes, axes[0] if axes else None, "size", "Any number may stand for the size."
        )
        scale = st.segmented_control(
            "Scale", ["linear", "log"], default="linear", required=True, key="scale", bind="query-params"
        )
    if not drawn:
        return
    if axis is None:
        study_page.empty(
            "These runs differ in no number: a learning curve takes training sets of several sizes.",
            "bias_variance",
            ["training-set-size"],
        )
        return
    errors(study, "learning", axis, aim, scale == "log")
    if not is_size(axis):
        st.caption("A learning curve takes training sets of several sizes:")
        study_page.offer("bias_variance", ["training-set-size"])
