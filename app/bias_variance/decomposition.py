"""The tabs of the Bias and variance page for replicated runs: the decomposition of the error, and the fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from analysis.bias_variance.capacity import EPOCH, CapacityInfo, along_epochs, capacity_info
from analysis.bias_variance.capacity_figure import plot_capacity
from analysis.bias_variance.decomposition import LOSSES, SQUARED
from analysis.bias_variance.fits import fits_info, plot_fits
from analysis.bias_variance.replicates import DATASETS_PARAM, INITS_PARAM, epochs_of, replicates
from app.bias_variance.diagnosis import Aim
from app.bias_variance.learning_curve import REST, errors, number_axes, with_rest
from app.shared import ui
from app.shared.metrics import unfit
from app.study import page as study_page
from app.study.page import Study
from tracking.schema import REPLICATE_FILE, TRAIN_EVAL_ERROR, Outcome

FITTED: Final = "fitted"
"""The column of the training errors by which a training set counts as fitted."""
LAST: Final = "last"
TAKEN_APART: Final = ("regression", "binary", "multiclass")
"""The tasks whose error is taken apart: those with one target per example."""


def replicated(study: Study) -> pd.DataFrame:
    """The runs of sweeps that replicate; all runs where none says so."""
    runs = study.judged
    if DATASETS_PARAM not in runs:
        return runs
    replicating = runs[runs[DATASETS_PARAM].notna()]
    return replicating.reset_index(drop=True) if len(replicating) else runs


def _arrays(study: Study, runs: pd.DataFrame) -> dict[str, Any]:
    return study.arrays(REPLICATE_FILE, runs["run_id"])


def _unfit(study: Study) -> str:
    """Why the error of these runs' task is not taken apart; nothing if it is, or if the task is not known."""
    takes = "Bias and variance are taken apart where examples are answered one by one, each with one target"
    return unfit(takes, TAKEN_APART, study.tasks)


def _none(study: Study, runs: pd.DataFrame) -> str:
    """Why there are no predictions to take apart; nothing if a run has left some."""
    ok = runs[runs["outcome"] == Outcome.OK]
    if len(ok) and _arrays(study, ok.head(1)):
        return ""
    if len(runs) and (runs["outcome"] == Outcome.DIVERGED).all():
        return f"All {len(runs)} runs diverged: there are no answers to take apart."
    if DATASETS_PARAM in runs and runs[DATASETS_PARAM].notna().any() and not len(ok):
        return "The first answers come with the first runs that end."
    if len(ok) and _arrays(study, ok):
        return ""
    if DATASETS_PARAM in runs and runs[DATASETS_PARAM].notna().any():
        return (
            "These runs were replicated, but left no answers to the test part: built-in models leave them for a"
            " regression, and where each example has one class."
        )
    return (
        "These runs were not replicated: bias and variance are told apart by several training sets, each with several"
        " initialisations, which a sweep with replicate has."
    )


def _classes(arrays: Mapping[str, Any]) -> bool:
    """Whether these are the answers of a classification."""
    return any(
        np.issubdtype(content["targets"].dtype, np.integer) for content in arrays.values() if "targets" in content
    )


def _epoch(runs: pd.DataFrame, arrays: dict[str, Any], key: str) -> int | None:
    """The epoch that is chosen; None for the last of each run."""
    epochs = epochs_of(runs, arrays)[:-1]
    if not epochs:
        return None
    names = [*map(str, epochs), LAST]
    name = st.segmented_control("At epoch", names, default=LAST, required=True, key=key, bind="query-params")
    return None if name == LAST else int(name)


def _capacity(
    study: Study, runs: pd.DataFrame, arrays: dict[str, Any], axis: str, loss: str, epoch: int | None
) -> CapacityInfo:
    if axis == EPOCH:
        return along_epochs(runs, arrays, loss)
    comparison = study.comparison
    training_error = TRAIN_EVAL_ERROR if TRAIN_EVAL_ERROR in comparison.metrics else study.slots.train
    by_run = dict(zip(comparison.runs["run_id"], comparison.last(training_error), strict=True))
    return capacity_info(
        runs.assign(**{FITTED: runs["run_id"].map(by_run)}), arrays, axis, loss, epoch=epoch, train=FITTED
    )


def decomposition(study: Study, aim: Aim, drawn: bool) -> None:
    """Draw the risk and its parts over an axis; without replicates the risk alone."""
    if words := _unfit(study):
        if drawn:
            study_page.empty(words)
        return
    runs = replicated(study)
    problem = _none(study, runs) if drawn else ""
    arrays = _arrays(study, runs) if drawn and not problem else {}
    keys = [key for key in study.axes if key not in (DATASETS_PARAM, INITS_PARAM)]
    options = [*[key for key in number_axes(study) if key in keys], *keys]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        names = [*dict.fromkeys(options), EPOCH]
        lead = next((key for key in study.comparison.searched if key in options), names[0])
        axis = study_page.axis_picker("Along", names, lead, "along", "Capacity, training size, strength, or epochs.")
        loss = SQUARED
        if _classes(arrays) or not drawn:
            loss = st.segmented_control(
                "Loss", list(LOSSES), default=SQUARED, required=True, key="loss", bind="query-params",
                help="The squared error of the probabilities (Brier), the 0-1 loss by Domingos, or the cross-entropy.",
            )  # fmt: skip
        place = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    if not drawn or axis is None:
        return
    if problem:
        if axis in number_axes(study):
            errors(study, "risk", axis, aim, False)
            st.caption(f"This is the whole risk. {ui.text(problem)}")
            study_page.offer("bias_variance", ["decomposition"])
        else:
            study_page.empty(problem, "bias_variance", ["decomposition"])
        return
    runs = with_rest(runs, keys if axis == EPOCH else [key for key in keys if key != axis])
    with place:
        rest = list(dict.fromkeys(runs[REST]))
        if len(rest) > 1:
            name = st.selectbox("Of", rest, key="rest", bind="query-params", width=260)
            runs = runs[runs[REST] == name].reset_index(drop=True)
        epoch = _epoch(runs, arrays, "epoch") if axis != EPOCH else None
    info = _capacity(study, runs, arrays, axis, str(loss), epoch)
    if info.empty:
        study_page.empty(info.problem)
        return
    st.markdown(f"**{ui.text(info.sentence)}**")
    if info.descent is not None:
        st.markdown(ui.text(info.descent.sentence))
    study_page.figure(study, "decomposition", info, plot_capacity)
    for note in info.notes:
        st.caption(ui.text(note))


def fits(study: Study, drawn: bool) -> None:
    """Draw the fits of one configuration of a one-dimensional regression."""
    if words := _unfit(study):
        if drawn:
            study_page.empty(words)
        return
    runs = replicated(study)
    labels = list(dict.fromkeys(runs["label"]))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = labels[0] if labels else ""
        if len(labels) > 1:
            name = st.selectbox("Configuration", labels, key="fits-of", bind="query-params", width=340)
        place = st.container(width="content")
    if not drawn:
        return
    if problem := _none(study, runs):
        study_page.empty(problem, "bias_variance", ["decomposition"])
        return
    configuration_runs = runs[runs["label"] == name].reset_index(drop=True)
    arrays = _arrays(study, configuration_runs)
    with place:
        epoch = _epoch(configuration_runs, arrays, "fits-epoch")
    info = fits_info(replicates(configuration_runs, arrays, epoch), name)
    if info.empty:
        study_page.empty(info.problem, "bias_variance", ["decomposition"])
        return
    st.markdown(f"**{ui.text(info.sentence)}**")
    study_page.figure(study, "fits", info, plot_fits)
