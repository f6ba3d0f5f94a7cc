"""The first two looks of the Bias and variance page: the diagnosis with its advice, and the learning curve."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import streamlit as st

from analysis import export
from analysis.along import is_size, size_like
from analysis.diagnosis import (
    DEV,
    TRAIN,
    TRAIN_DEV,
    Diagnosis,
    best_first,
    default_threshold,
    diagnoses,
    summary,
)
from analysis.intervals import number
from analysis.learning_curve import LearningCurveInfo, learning_curve_info
from analysis.learning_curve_figure import plot_learning_curve
from analysis.waterfall import MOST_ROWS, plot_gaps, plot_waterfall, reading
from app import study, ui
from app.study import Study
from tracking.labels import labels
from tracking.schema import VAL_ERROR, VAL_LOSS

REST: Final = "rest"
"""The column of what else a run's configuration is, beside the axis."""


APART: Final = (
    "Avoidable bias is the training error beyond the reference, variance what the validation error adds: both are read"
    " from two errors, and a network that follows the noise of a few examples hides its bias from them. The"
    " decomposition measures bias² and variance themselves, where training sets were replicated."
)

# Settings


def _numbers(runs: pd.DataFrame, key: str) -> set[float]:
    """The different values of a param, of the runs that have a number there."""
    found = pd.to_numeric(runs[key], errors="coerce").dropna() if key in runs else pd.Series([], dtype=float)
    return {float(value) for value in found}


def bayes(found: Study) -> float:
    """The error that noisy targets leave to the best of all functions, where it is known of all runs; else 0."""
    runs, noise = found.runs, _numbers(found.runs, "data.noise")
    if "data.name" not in runs or set(runs["data.name"].map(str)) != {"noisy_curve"} or len(noise) != 1:
        return 0.0
    (deviation,) = noise
    return {VAL_ERROR: deviation, VAL_LOSS: deviation**2}.get(found.slots.dev, 0.0)


def spoiled(found: Study) -> str:
    """What wrong training labels do to the diagnosis; nothing where none are known to be wrong."""
    most = max(_numbers(found.runs, "data.label_noise"), default=0.0)
    if most <= 0:
        return ""
    return (
        f"Training labels are spoiled (data.label_noise up to {number(most)}), validation labels are not: even a"
        " network that learns what is true errs on its training set, so that bias looks larger and variance smaller."
    )


def _settings(found: Study) -> tuple[float, float, str]:
    """Reference, threshold, and whether groups or runs are judged."""
    known, usual = bayes(found), default_threshold(found.judged)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        of = st.segmented_control(
            "Judge", ["groups", "runs"], default="groups", required=True, key="of", bind="query-params",
            help="A group is the runs that differ in their seed alone. A single run carries no interval.",
        )  # fmt: skip
        reference = st.number_input(
            "Reference error", None, None, None, key="reference", bind="query-params", width=170, format="%.4g",
            placeholder=f"{number(known)}{' (noise)' if known else ''}",
            help="What the task allows: the error of a person, or of the best of all functions. What lies between it"
            " and the training error is avoidable bias.",
        )  # fmt: skip
        threshold = st.number_input(
            "A gap matters from", 0.0, None, None, key="threshold", bind="query-params", width=190, format="%.4g",
            placeholder=f"{number(usual)} (a tenth)",
            help="A fault is named if the whole interval of its gap lies above this. Without a number it is a tenth of"
            " the median validation error.",
        )  # fmt: skip
    return (known if reference is None else float(reference)), (usual if threshold is None else float(threshold)), of


def _judged(found: Study, reference: float, threshold: float, of: str) -> list[Diagnosis]:
    runs = found.judged
    if of == "runs":
        seeds = [f", seed {seed}" if seed >= 0 else "" for seed in runs["seed"]]
        single = [f"{name}{seed}" for name, seed in zip(runs["label"], seeds, strict=True)]
        runs = runs.assign(group=runs["run_id"], label=single)
    return best_first(diagnoses(runs, reference, threshold)) if len(runs) else []


# Diagnosis


def _advice(each: Diagnosis) -> None:
    for fault, ways in each.advice.items():
        st.markdown(f"**Against {fault}**\n\n" + "\n".join(f"- {ui.text(way)}" for way in ways))


def _names(found: Study) -> dict[str, str]:
    return {slot: found.slots.label(slot) for slot in (DEV, TRAIN, TRAIN_DEV)}


def diagnosis(found: Study, drawn: bool) -> str:
    """The gaps of all groups and the waterfall of one; returns the answer to the page's question."""
    reference, threshold, of = _settings(found)
    every = _judged(found, reference, threshold, of)
    labels = list(dict.fromkeys(each.label for each in every))
    one = labels[0] if labels else ""
    if len(labels) > 1:
        one = st.selectbox(
            "Waterfall of", labels, key="waterfall-of", bind="query-params", width=420,
            help="The best comes first.",
        )  # fmt: skip
    answer = summary(every)
    if not found.slots.train and any(each.diverged < each.runs for each in every):
        answer = "No metric is known to be the error on training data: choose one under Metrics."
    if not drawn:
        return answer
    chosen = next((each for each in every if each.label == one), None)
    if chosen is None or not found.slots.train or not any(each.n for each in every):
        study.empty(answer, "bias_variance", ["width", "training-set-size"])
        return answer
    with st.container(horizontal=True, gap="large"):
        with st.container(width=620):
            if chosen.n:
                study.figure(
                    found, "waterfall", lambda dark: plot_waterfall(chosen, _names(found), dark=dark), chosen.frame(),
                    shows=f"The errors of {chosen.label} from the reference to {found.slots.label(DEV)}",
                    n=f"n={chosen.n} {chosen.over}", interval=chosen.basis if chosen.n > 2 else "",
                    reading=reading([chosen]),
                )  # fmt: skip
            else:
                study.empty(chosen.sentence)
        with st.container(width=300):
            if len(every) > 1:
                st.markdown(f"**{ui.text(chosen.sentence)}**")
            _advice(chosen)
            if chosen.n > 2 and not chosen.faults:
                st.caption("Advice follows once a fault is named.")
    if found.slots.train:
        st.caption(APART)
    if len(every) > 1:
        st.subheader(f"All {len(every)} {of}", anchor=False)
        study.figure(
            found, "gaps", lambda dark: plot_gaps(every, dark=dark),
            pd.concat([each.frame() for each in every], ignore_index=True),
            shows=f"The gaps of {min(len(every), MOST_ROWS)} {of}, the best first",
            n=export.sizes([each.n for each in every if each.n], every[0].over.rstrip("s")),
            interval=every[0].basis if every[0].n > 2 else "", reading=reading(every),
        )  # fmt: skip
    return answer


# Errors along a number


def _sizes(value: Any) -> bool:
    numbers = value if isinstance(value, list | tuple) else [value]
    return bool(numbers) and all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers)


def number_axes(found: Study) -> list[str]:
    """The params that can be an axis of numbers, lists of sizes among them; sizes of the training set first."""
    runs = found.judged
    return size_like([key for key in found.axes if key in runs and any(map(_sizes, runs[key]))])


def with_rest(runs: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The runs with what else they are, by these params, in the column REST."""
    rows = runs.drop_duplicates("group").set_index("group")[keys].to_dict("index") if len(runs) else {}
    return runs.assign(**{REST: runs["group"].map(labels(rows))})


def errors(found: Study, key: str, axis: str, desired: float | None, log: bool) -> LearningCurveInfo:
    runs = with_rest(found.judged, [each for each in found.axes if each != axis])
    info = learning_curve_info(
        runs, axis, dev=found.slots.label(DEV), train=found.slots.label(TRAIN), desired=desired, line=REST
    )
    if info.empty:
        study.empty(info.problem)
        return info
    st.markdown(f"**{ui.text(info.sentence)}**")
    study.figure(
        found, key, lambda dark: plot_learning_curve(info, dark=dark, log=log), info.frame(),
        shows=f"{info.dev} and training error against {axis}",
        n=info.kind.partition(", ")[2] or "n below 3", interval=info.kind,
        reading=_reading(info),
    )  # fmt: skip
    return info


def _reading(info: LearningCurveInfo) -> str:
    over = info.lines[0].dots[0].over
    words = [f"Dots are {over}, thick points their means"]
    words += [f"bars the {info.kind}"] if info.kind else [f"below three {over} no interval is drawn"]
    if info.threshold is not None:
        words += ["the dashed line is where networks begin to fit their training set"]
    return "; ".join(words) + "."


def learning(found: Study, drawn: bool) -> None:
    """The learning curve."""
    axes = number_axes(found)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        axis = study.axis_picker("Along", axes, axes[0] if axes else None, "size", "Any number may stand for the size.")
        desired = st.number_input(
            "Desired error", None, None, None, key="desired", bind="query-params", width=150, format="%.4g",
            placeholder="none", help="What is aimed for, drawn as a dashed line.",
        )  # fmt: skip
        scale = st.segmented_control(
            "Scale", ["linear", "log"], default="linear", required=True, key="scale", bind="query-params"
        )
    if not drawn:
        return
    if axis is None:
        study.empty(
            "These runs differ in no number: a learning curve takes training sets of several sizes.", "bias_variance",
            ["training-set-size"],
        )  # fmt: skip
        return
    errors(found, "learning", axis, desired, scale == "log")
    if not is_size(axis):
        st.caption("A learning curve takes training sets of several sizes:")
        study.offer("bias_variance", ["training-set-size"])
