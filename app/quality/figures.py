"""The figures of the Quality page: how well the answers of a run or a group are, by class and by threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from analysis.classification.accuracy import accuracy_info, plot_accuracy
from analysis.classification.calibration import calibration_info, plot_calibration
from analysis.classification.confusion import by_class_info, confusion_info, plot_by_class, plot_confusion
from analysis.classification.predictions import Predictions, PredictionsError, Source, gather, named
from analysis.classification.roc_and_pr import plot_separation, precision_recall_info, roc_info
from analysis.classification.thresholds import at_threshold, best_threshold, plot_threshold, threshold_info
from analysis.figures import export
from analysis.runs.comparison import Comparison
from app.shared import downloads, selection, ui

TEST, VALIDATION = "test", "validation"
TABS = ["Classes", "Separation", "Calibration", "Threshold"]
SHOWN = {"displaylogo": False, "displayModeBar": False, "responsive": True}


@dataclass(frozen=True)
class Answers:
    """What the chosen run or group answered on one part of the data."""

    comparison: Comparison
    """All runs of the page."""
    sweeps: Mapping[str, str]
    """The names of the store's sweeps, by id."""
    label: str
    part: str
    """TEST or VALIDATION."""
    sources: list[Source]
    predicted: list[Predictions]
    notes: list[str]
    """Which runs have none, and why."""

    @property
    def classes(self) -> list[str]:
        """Their names."""
        return list(self.predicted[0].names)


def _downloads(answers: Answers, key: str, info: Any, figure: Any, shows: str, interval: str) -> None:
    """Draw the downloads of a figure: its numbers and itself, with a caption.

    Args:
        answers: The answers that it is made of.
        key: The figure's key.
        info: What it is drawn from: it has a `frame()`.
        figure: Draws it, of the size for a document.
        shows: What is to be seen.
        interval: What the bands are; nothing where there is none.
    """
    n = export.sizes([len(answers.predicted)])
    subject = f"{shows}, {answers.part} part, {answers.label}"
    caption = downloads.caption_of(answers.comparison, answers.sweeps, subject, n, interval, selection.link("quality"))
    downloads.buttons(key, info.frame(), figure, caption)


def _by_classes(answers: Answers) -> None:
    """Draw which class is taken for which, and precision, recall and F1 by class."""
    by = st.segmented_control(
        "Colour by", ["share", "count"], default="share", required=True, key="cells", bind="query-params",
        format_func={"share": "share of the true class", "count": "examples"}.get,
    )  # fmt: skip
    matrix, measures = confusion_info(answers.predicted), by_class_info(answers.predicted)
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            plot_confusion(matrix, shares=by == "share", dark=ui.dark()), key="confusion", theme=None, config=SHOWN,
            alt="Rows are the true classes, columns the answers",
        )  # fmt: skip
        st.caption(ui.text(f"Rows are the true classes, columns the answers: {matrix.caption}."))
        _downloads(
            answers,
            "confusion",
            matrix,
            lambda: plot_confusion(matrix, shares=by == "share"),
            "Confusion matrix",
            named(matrix.n),
        )
    with right:
        st.plotly_chart(
            plot_by_class(measures, dark=ui.dark()), key="by-class", theme=None, config=SHOWN,
            alt="Precision, recall and F1 by class",
        )  # fmt: skip
        st.caption(ui.text(" ".join(["Large marks are means, small ones seeds.", *measures.notes])))
        _downloads(
            answers,
            "classes",
            measures,
            lambda: plot_by_class(measures),
            "Precision, recall and F1 by class",
            named(len(measures.seeds)),
        )


def _separation(answers: Answers) -> None:
    """Draw precision against recall, and ROC."""
    infos = (precision_recall_info(answers.predicted), roc_info(answers.predicted))
    for column, info in zip(st.columns(2, gap="medium"), infos, strict=True):
        with column:
            st.plotly_chart(
                plot_separation(info, dark=ui.dark()), key=f"separation-{info.kind}", theme=None, config=SHOWN,
                alt=ui.text(info.caption),
            )  # fmt: skip
            st.caption(ui.text(info.caption))
            _downloads(
                answers,
                f"separation-{info.kind}",
                info,
                partial(plot_separation, info),
                f"{info.kind} curve",
                info.band,
            )


def _calibration(answers: Answers) -> None:
    """Draw whether probabilities mean what they say."""
    info = calibration_info(answers.predicted)
    st.plotly_chart(
        plot_calibration(info, dark=ui.dark()), key="calibration", theme=None, config=SHOWN, alt=ui.text(info.caption)
    )
    st.caption(ui.text(info.caption))
    _downloads(answers, "calibration", info, lambda: plot_calibration(info), f"Calibration of {info.of}", info.band)


def _best_by_validation(answers: Answers, positive: int) -> None:
    """Draw a button that sets the threshold which is best on the validation part: on the test part it would flatter."""
    try:
        judged = answers.predicted if answers.part == VALIDATION else gather(answers.sources, "val")[0]
        best = best_threshold(judged, positive) if judged else None
    except PredictionsError:
        return
    if best is None:
        return

    def take() -> None:
        st.session_state["at"] = round(best, 2)

    st.button(
        f"Best F1 of validation: {best:.2f}", key="best-threshold", icon=":material/my_location:", on_click=take,
        help=ui.text(f"The threshold with the highest mean F1 of {answers.classes[positive]} on the validation part."),
    )  # fmt: skip


def _threshold(answers: Answers) -> None:
    """Draw what a threshold on the probability of a class gives."""
    totals = sum(run.counts for run in answers.predicted)
    rarest = int(min(range(len(answers.classes)), key=lambda k: (totals[k] == 0, totals[k])))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        positive = st.selectbox(
            "Class", range(len(answers.classes)), rarest, key="positive", bind="query-params", width=200,
            format_func=lambda k: answers.classes[k],
        )  # fmt: skip
        at = st.slider("Threshold", 0.0, 1.0, 0.5, 0.01, key="at", bind="query-params", width=320)
        _best_by_validation(answers, positive)
    info = threshold_info(answers.predicted, positive)
    st.markdown(f"**{ui.text(at_threshold(answers.predicted, at, positive).sentence)}**")
    st.plotly_chart(
        plot_threshold(info, at=at, dark=ui.dark()), key="threshold", theme=None, config=SHOWN,
        alt="Precision, recall, F1 and accuracy against the threshold",
    )  # fmt: skip
    _downloads(
        answers,
        "threshold",
        info,
        lambda: plot_threshold(info, at=at),
        f"What a threshold on {info.positive} gives",
        info.band,
    )
    if answers.part != VALIDATION:
        st.caption("A threshold chosen on the test part flatters itself there: choose it on the validation part.")


def draw(answers: Answers) -> None:
    """Draw the sentence on the accuracy, and the tabs."""
    accuracy = accuracy_info({answers.label: answers.predicted})
    st.markdown(f"## {ui.text(accuracy.rows[0].sentence)}")
    for note in answers.notes:
        st.caption(ui.text(note))
    st.plotly_chart(
        plot_accuracy(accuracy, dark=ui.dark()), key="accuracy", theme=None, config=SHOWN, alt="Accuracy and baseline"
    )
    _downloads(
        answers, "accuracy", accuracy, lambda: plot_accuracy(accuracy), "Accuracy beside its baseline", accuracy.kinds
    )
    tabs = st.tabs(TABS, key="look", on_change="rerun", bind="query-params")
    for tab, show in zip(tabs, (_by_classes, _separation, _calibration, _threshold), strict=True):
        if tab.open:
            with tab:
                show(answers)
