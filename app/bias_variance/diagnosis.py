"""The Diagnosis tab of the Bias and variance page, with its advice, and what all tabs of the page judge by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd
import streamlit as st

from analysis.bias_variance.diagnosis import Diagnosis, best_first, default_threshold, diagnoses
from analysis.bias_variance.diagnosis_figure import MOST_ROWS, plot_gaps, plot_waterfall, reading
from analysis.bias_variance.diagnosis_words import summary
from analysis.figures import export
from analysis.runs import metric_roles
from analysis.runs.metric_slots import DEV
from analysis.runs.true_labels import names, noise_floor, note
from analysis.statistics import number
from analysis.words import share
from app.shared import ui
from app.shared.metrics import least
from app.study import page as study_page
from app.study.metrics import Metrics
from app.study.page import Study
from tracking.schema import TRAIN_EVAL_CLEAN_ERROR, VAL_ERROR

APART: Final = (
    "Avoidable bias is the training error beyond the reference, variance what the validation error adds: both are read"
    " from two errors, and a network that follows the noise of a few examples hides its bias from them. The"
    " decomposition measures bias² and variance themselves, where training sets were replicated."
)

_NO_TRAINING_METRIC: Final = "These runs logged no training metric: bias cannot be told from variance."
_NO_CHOICE: Final = "No metric is known to be the error on training data: choose one under Metrics."
_NOTHING_DRAWN: Final = "The gaps are drawn once a group has both a training and a validation error."

_NO_TEXT_IS_CERTAIN: Final = (
    "The reference is the least that this metric can be, but no model knows every next token of a text: a part of the"
    " avoidable bias cannot be avoided. Enter the value of the best model that you know."
)

# Settings


def label_note(study: Study) -> str:
    """What the user must know of the labels before believing the diagnosis."""
    elsewhere = study.slots.dev != VAL_ERROR and TRAIN_EVAL_CLEAN_ERROR in study.comparison.metrics
    return note(study.judged, judge=VAL_ERROR if elsewhere else "")


def reference_note(study: Study, aim: Aim) -> str:
    """A note on the reference error of a text, for its page; empty where the user entered a larger one."""
    if "language_model" not in study.tasks or aim.reference > least(study.slots.dev):
        return ""
    return _NO_TEXT_IS_CERTAIN


@dataclass(frozen=True)
class Aim:
    """What all tabs judge by, so that none contradicts another."""

    reference: float
    """The error that the task allows."""
    threshold: float
    """How large a gap must be to matter."""


def aim_inputs(study: Study) -> Aim:
    """The reference error and the threshold, as they are entered above all tabs."""
    noise, usual = noise_floor(study.judged, study.slots.dev), default_threshold(study.judged)
    allowed = max(noise, 0.0 if study.slots.dev in study.slots.turned else least(study.slots.dev))
    reason = " (noise)" if noise else " (the least)" if allowed else ""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        reference = st.number_input(
            "Reference error", None, None, None, key="reference", bind="query-params", width=170, format="%.4g",
            placeholder=f"{number(allowed)}{reason}",
            help="What the task allows or you aim at: the error of a person, or of the best of all functions. What"
            " lies between it and the training error is avoidable bias.",
        )  # fmt: skip
        threshold = st.number_input(
            "A gap matters from", 0.0, None, None, key="threshold", bind="query-params", width=190, format="%.4g",
            placeholder=f"{number(usual)} (a tenth)",
            help="A fault is named if the whole interval of its gap lies above this. Without a number it is a tenth of"
            " the median validation error.",
        )  # fmt: skip
    return Aim(allowed if reference is None else float(reference), usual if threshold is None else float(threshold))


def _judged(study: Study, aim: Aim, of: str) -> list[Diagnosis]:
    runs = study.judged
    if of == "runs":
        seeds = [f", seed {seed}" if seed >= 0 else "" for seed in runs["seed"]]
        single = [f"{name}{seed}" for name, seed in zip(runs["label"], seeds, strict=True)]
        runs = runs.assign(group=runs["run_id"], label=single)
    return best_first(diagnoses(runs, aim.reference, aim.threshold)) if len(runs) else []


# Diagnosis


def _measures_training(study: Study) -> bool:
    """Whether a metric of training data exists, among which a user can choose."""
    return any(role.part == metric_roles.TRAIN for role in Metrics.of(study.comparison).roles.values())


def _advice(diagnosis: Diagnosis) -> None:
    for fault, ways in diagnosis.advice.items():
        st.markdown(f"**Against {fault}**\n\n" + "\n".join(f"- {ui.text(way)}" for way in ways))


def diagnosis(study: Study, aim: Aim, drawn: bool) -> str:
    """Draw the gaps of all groups and the waterfall of one; returns the answer to the page's question."""
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    of = row.segmented_control(
        "Judge", ["groups", "runs"], default="groups", required=True, key="of", bind="query-params",
        help="A group is the runs that differ in their seed alone. A single run carries no interval.",
    )  # fmt: skip
    judged, called = _judged(study, aim, of), names(study.slots, study.judged)
    labels = list(dict.fromkeys(item.label for item in judged))
    one = labels[0] if labels else ""
    if len(labels) > 1:
        one = row.selectbox(
            "Waterfall of", labels, key="waterfall-of", bind="query-params", width=420,
            help="The best comes first.",
        )  # fmt: skip
    answer = summary(judged)
    if not study.slots.train and any(item.diverged < item.runs for item in judged):
        answer = _NO_CHOICE if _measures_training(study) else _NO_TRAINING_METRIC
    if not drawn:
        return answer
    chosen = next((item for item in judged if item.label == one), None)
    if chosen is None or not study.slots.train or not any(item.n for item in judged):
        study_page.empty(_NOTHING_DRAWN, "bias_variance", ["width", "training-set-size"])
        return answer
    with st.container(horizontal=True, gap="large"):
        with st.container(width=620):
            if chosen.n:
                study_page.chart(
                    study, "waterfall", lambda dark: plot_waterfall(chosen, called, dark=dark), chosen.frame(),
                    shows=f"The errors of {chosen.label} from the reference to {called[DEV]}",
                    n=f"n={chosen.n} {chosen.over}", interval=chosen.basis if chosen.n > 2 else "",
                    reading=reading([chosen]),
                )  # fmt: skip
            else:
                study_page.empty(chosen.sentence)
        with st.container(width=300):
            if len(judged) > 1:
                st.markdown(f"**{ui.text(chosen.sentence)}**")
            _advice(chosen)
            if chosen.judged and not chosen.advice and not chosen.untold:
                st.caption("Advice follows once a fault is named.")
    if study.slots.train:
        st.caption(APART)
    if len(judged) > 1:
        everything = share(len(judged), len(judged), of.removesuffix("s"))
        st.subheader(everything.capitalize(), anchor=False)
        study_page.chart(
            study, "gaps", lambda dark: plot_gaps(judged, dark=dark),
            pd.concat([item.frame() for item in judged], ignore_index=True),
            shows=f"The gaps of {min(len(judged), MOST_ROWS)} {of}, the best first",
            n=export.sizes([item.n for item in judged if item.n], judged[0].over.rstrip("s")),
            interval=judged[0].basis if judged[0].n > 2 else "", reading=reading(judged),
        )  # fmt: skip
    return answer
