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


def _downloads(of: Answers, key: str, info: Any, figure: Any, shows: str, interval: str) -> None:
    """Draw the downloads of a figure: its numbers and itself, with a caption.

    Args:
        of: The answers.
        key: The figure's key.
        info: What it is drawn from: it has a `frame()`.
        figure: Draws it, of the size for a document.
        shows: What is to be seen.
        interval: What the bands are; nothing where there is none.
    """
    n = export.sizes([len(of.predicted)])
    subject = f"{shows}, {of.part} part, {of.label}"
    caption = downloads.caption_of(of.comparison, of.sweeps, subject, n, interval, selection.link("quality"))
    downloads.buttons(key, info.frame(), figure, caption)


def _by_classes(of: Answers) -> None:
    """Which class is taken for which; precision, recall and F1."""
    by = st.segmented_control(
        "Colour by", ["share", "count"], default="share", required=True, key="cells", bind="query-params",
        format_func={"share": "share of the true class", "count": "examples"}.get,
    )  # fmt: skip
    matrix, measures = confusion_info(of.predicted), by_class_info(of.predicted)
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            plot_confusion(matrix, shares=by == "share", dark=ui.dark()), key="confusion", theme=None, config=SHOWN,
            alt="Rows are the true classes, columns the answers",
        )  # fmt: skip
        st.caption(ui.text(f"Rows are the true classes, columns the answers: {matrix.caption}."))
        _downloads(
            of,
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
            of,
            "classes",
            measures,
            lambda: plot_by_class(measures),
            "Precision, recall and F1 by class",
            named(len(measures.seeds)),
        )


def _separation(of: Answers) -> None:
    """Precision against recall, and ROC."""
    for place, info in zip(
        st.columns(2, gap="medium"), (precision_recall_info(of.predicted), roc_info(of.predicted)), strict=True
    ):
        with place:
            st.plotly_chart(
                plot_separation(info, dark=ui.dark()), key=f"separation-{info.kind}", theme=None, config=SHOWN,
                alt=ui.text(info.caption),
            )  # fmt: skip
            st.caption(ui.text(info.caption))
            _downloads(
                of, f"separation-{info.kind}", info, partial(plot_separation, info), f"{info.kind} curve", info.band
            )


def _calibration(of: Answers) -> None:
    """Whether probabilities mean what they say."""
    info = calibration_info(of.predicted)
    st.plotly_chart(
        plot_calibration(info, dark=ui.dark()), key="calibration", theme=None, config=SHOWN, alt=ui.text(info.caption)
    )
    st.caption(ui.text(info.caption))
    _downloads(of, "calibration", info, lambda: plot_calibration(info), f"Calibration of {info.of}", info.band)


def _best_by_validation(of: Answers, positive: int) -> None:
    """Draw a button that sets the threshold which is best on the validation part: on the test part it would flatter."""
    try:
        judged = of.predicted if of.part == VALIDATION else gather(of.sources, "val")[0]
        best = best_threshold(judged, positive) if judged else None
    except PredictionsError:
        return
    if best is None:
        return

    def take() -> None:
        st.session_state["at"] = round(best, 2)

    st.button(
        f"Best F1 of validation: {best:.2f}", key="best-threshold", icon=":material/my_location:", on_click=take,
        help=ui.text(f"The threshold with the highest mean F1 of {of.classes[positive]} on the validation part."),
    )  # fmt: skip


def _threshold(of: Answers) -> None:
    """What would be answered from which probability on."""
    totals = sum(run.counts for run in of.predicted)
    rarest = int(min(range(len(of.classes)), key=lambda k: (totals[k] == 0, totals[k])))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        positive = st.selectbox(
            "Class", range(len(of.classes)), rarest, key="positive", bind="query-params", width=200,
            format_func=lambda k: of.classes[k],
        )  # fmt: skip
        at = st.slider("Threshold", 0.0, 1.0, 0.5, 0.01, key="at", bind="query-params", width=320)
        _best_by_validation(of, positive)
    info = threshold_info(of.predicted, positive)
    st.markdown(f"**{ui.text(at_threshold(of.predicted, at, positive).sentence)}**")
    st.plotly_chart(
        plot_threshold(info, at=at, dark=ui.dark()), key="threshold", theme=None, config=SHOWN,
        alt="Precision, recall, F1 and accuracy against the threshold",
    )  # fmt: skip
    _downloads(
        of,
        "threshold",
        info,
        lambda: plot_threshold(info, at=at),
        f"What a threshold on {info.positive} gives",
        info.band,
    )
    if of.part != VALIDATION:
        st.caption("A threshold chosen on the test part flatters itself there: choose it on the validation part.")


def draw(of: Answers) -> None:
    """Draw the sentence on the accuracy, and the tabs."""
    accuracy = accuracy_info({of.label: of.predicted})
    st.markdown(f"## {ui.text(accuracy.rows[0].sentence)}")
    for note in of.notes:
        st.caption(ui.text(note))
    st.plotly_chart(
        plot_accuracy(accuracy, dark=ui.dark()), key="accuracy", theme=None, config=SHOWN, alt="Accuracy and baseline"
    )
    _downloads(
        of, "accuracy", accuracy, lambda: plot_accuracy(accuracy), "Accuracy beside its baseline", accuracy.kinds
    )
    tabs = st.tabs(TABS, key="look", on_change="rerun", bind="query-params")
    for tab, show in zip(tabs, (_by_classes, _separation, _calibration, _threshold), strict=True):
        if tab.open:
            with tab:
                show(of)
