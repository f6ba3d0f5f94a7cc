"""How well a classification run or group answers: which classes it confuses, and at which threshold."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from analysis.accuracy import accuracy_info, plot_accuracy
from analysis.calibration import calibration_info, plot_calibration
from analysis.classification import by_class_info, confusion_info, plot_by_class, plot_confusion
from analysis.comparison import groups_of
from analysis.predictions import Predictions, PredictionsError, Source, gather
from analysis.separation import plot_separation, precision_recall_info, roc_info
from analysis.thresholds import at_threshold, plot_threshold, threshold_info
from app import compare_data, store, ui
from tracking import schema
from tracking.store import StoreError

TABS = ["Classes", "Separation", "Calibration", "Threshold"]
SHOWN = {"displaylogo": False, "displayModeBar": False, "responsive": True}


@st.cache_data(show_spinner="Reading the answers", max_entries=512)
def content(uri: str, run_id: str, ended: float) -> bytes | None:
    """A run's predictions; None where it has none.

    Args:
        uri: The store.
        run_id: The run.
        ended: When it ended: a run that ended again is read again.
    """
    try:
        return store.artifact(run_id, schema.PREDICTIONS_FILE)
    except (OSError, ValueError, StoreError):
        return None


chosen = compare_data.selection()
st.title("Quality", anchor=False)
if chosen.empty:
    newest = store.sweeps()
    if len(newest):
        st.markdown("Choose a sweep whose runs classify.")
        compare_data.picker(chosen, "quality")
    else:
        st.markdown("There is no run yet whose answers could be shown.")
        if st.button("New sweep", type="primary", icon=":material/add:"):
            st.switch_page("views/launch.py")
    st.stop()

found = compare_data.load(chosen)
if found is None:
    st.markdown("None of the runs that this address names has come to count in this store.")
    if st.button("Choose others", type="primary"):
        compare_data.go("quality", {})
    st.stop()

about = store.sweeps()
names = dict(zip(about["sweep"], about["name"], strict=True)) if len(about) else {}
metric = found.objective or schema.VAL_LOSS
groups, runs = groups_of(found, metric, found.direction, sweeps=names)
with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    parents = [each for each in dict.fromkeys(found.runs["parent"]) if each in names]
    of = f" of {' and '.join(ui.text(names[each], 60) for each in parents[:3])}" if parents else ""
    st.markdown(f"{ui.count(len(found.runs), 'run')}, {ui.count(len(groups), 'group')}{of}", width="content")
    with st.container(horizontal=True, gap="xsmall", width="content"):
        with st.popover("Change", icon=":material/edit:", help="Other sweeps."):
            compare_data.picker(chosen, "quality")
        where = {"sweep": ",".join(chosen.sweeps)} if chosen.sweeps else {"runs": ",".join(found.runs["run_id"])}
        if st.button("Compare", icon=":material/compare_arrows:", key="to-compare", help="The same runs side by side."):
            compare_data.go("compare", where)
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    labels = [group.label for group in groups]
    label = st.selectbox("Group, best first", labels, 0, key="group", bind="query-params", width=300)
    group = groups[labels.index(label)]
    members = runs[runs["counts"].astype(bool) & (runs["group"] == group.group)].sort_values(["seed", "start_time"])
    shown = {
        row["run_id"]: f"seed {row['seed']}" if row["seed"] >= 0 else row["name"] or row["run_id"][:8]
        for row in members.to_dict("records")
    }
    alone = st.selectbox(
        "Run", ["all", *shown], 0, key="run", bind="query-params", width=170,
        format_func=lambda run: shown.get(run, f"all {len(shown)} seeds"),
    )  # fmt: skip
    part = st.segmented_control(
        "Part of the data", ["test", "validation"], default="test", required=True, key="split", bind="query-params",
    )  # fmt: skip

wanted = members if alone == "all" else members[members["run_id"] == alone]
ends = pd.to_numeric(wanted["end_time"], errors="coerce").fillna(0).astype(float)
sources = [
    Source(row["run_id"], int(row["seed"]), str(row["outcome"]), content(store.uri(), row["run_id"], end))
    for row, end in zip(wanted.to_dict("records"), ends, strict=True)
]
predicted, notes = gather(sources, "val" if part == "validation" else "test")


def draw(predicted: list[Predictions]) -> None:
    """The sentence, the tabs."""
    accuracy = accuracy_info({label: predicted})
    st.markdown(f"## {ui.text(accuracy.rows[0].sentence)}")
    for note in notes:
        st.caption(ui.text(note))
    st.plotly_chart(
        plot_accuracy(accuracy, dark=ui.dark()), key="accuracy", theme=None, config=SHOWN, alt="Accuracy and baseline"
    )
    classes = list(predicted[0].names)
    tabs = st.tabs(TABS, key="look", on_change="rerun", bind="query-params")
    for tab, show in zip(tabs, (by_classes, separation, calibration, threshold), strict=True):
        if tab.open:
            with tab:
                show(predicted, classes)


def by_classes(predicted: list[Predictions], classes: list[str]) -> None:
    """Which class is taken for which; precision, recall and F1."""
    by = st.segmented_control(
        "Colour by", ["share", "count"], default="share", required=True, key="cells", bind="query-params",
        format_func={"share": "share of the true class", "count": "examples"}.get,
    )  # fmt: skip
    matrix, measures = confusion_info(predicted), by_class_info(predicted)
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            plot_confusion(matrix, shares=by == "share", dark=ui.dark()), key="confusion", theme=None, config=SHOWN,
            alt="Rows are the true classes, columns the answers",
        )  # fmt: skip
        st.caption(ui.text(f"Rows are the true classes, columns the answers: {matrix.caption}."))
        st.download_button(
            "CSV", lambda: matrix.frame().to_csv(index=False), "confusion.csv", "text/csv", key="csv-confusion",
            icon=":material/download:", type="tertiary", on_click="ignore",
        )  # fmt: skip
    with right:
        st.plotly_chart(
            plot_by_class(measures, dark=ui.dark()), key="by-class", theme=None, config=SHOWN,
            alt="Precision, recall and F1 by class",
        )  # fmt: skip
        st.caption(ui.text(" ".join(["Large marks are means, small ones seeds.", *measures.notes])))
        st.download_button(
            "CSV", lambda: measures.frame().to_csv(index=False), "classes.csv", "text/csv", key="csv-classes",
            icon=":material/download:", type="tertiary", on_click="ignore",
        )  # fmt: skip


def separation(predicted: list[Predictions], classes: list[str]) -> None:
    """Precision against recall, and ROC."""
    for place, info in zip(
        st.columns(2, gap="medium"), (precision_recall_info(predicted), roc_info(predicted)), strict=True
    ):
        with place:
            st.plotly_chart(
                plot_separation(info, dark=ui.dark()), key=f"separation-{info.kind}", theme=None, config=SHOWN,
                alt=ui.text(info.caption),
            )  # fmt: skip
            st.caption(ui.text(info.caption))


def calibration(predicted: list[Predictions], classes: list[str]) -> None:
    """Whether probabilities mean what they say."""
    info = calibration_info(predicted)
    st.plotly_chart(
        plot_calibration(info, dark=ui.dark()), key="calibration", theme=None, config=SHOWN, alt=ui.text(info.caption)
    )
    st.caption(ui.text(info.caption))


def threshold(predicted: list[Predictions], classes: list[str]) -> None:
    """What would be answered from which probability on."""
    totals = sum(run.counts for run in predicted)
    rarest = int(min(range(len(classes)), key=lambda k: (totals[k] == 0, totals[k])))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        positive = st.selectbox(
            "Class", range(len(classes)), rarest, key="positive", bind="query-params", width=200,
            format_func=lambda k: classes[k],
        )  # fmt: skip
        at = st.slider("Threshold", 0.0, 1.0, 0.5, 0.01, key="at", bind="query-params", width=320)
    info = threshold_info(predicted, positive)
    st.markdown(f"**{ui.text(at_threshold(predicted, at, positive).sentence)}**")
    st.plotly_chart(
        plot_threshold(info, at=at, dark=ui.dark()), key="threshold", theme=None, config=SHOWN,
        alt="Precision, recall, F1 and accuracy against the threshold",
    )  # fmt: skip
    if part == "test":
        st.caption("A threshold chosen on the test part flatters itself there: choose it on the validation part.")


try:
    if not predicted:
        # A stranger's run has no seed to be named by, and no such file.
        for note in notes if (wanted["seed"] >= 0).all() else []:
            st.markdown(ui.text(note))
        st.markdown("Only classification runs of Sweepboard that ended ok leave the answers that this page shows.")
        if st.button("Launch a sweep", type="primary", icon=":material/add:"):
            st.switch_page("views/launch.py")
    else:
        draw(predicted)
except PredictionsError as error:
    st.markdown(ui.text(error))
