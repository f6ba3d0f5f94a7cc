"""How well a classification run or group answers: which classes it confuses, and at which threshold."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from analysis.classification.predictions import PredictionsError, Source, gather
from analysis.runs.comparison import groups_of
from app.quality.figures import TEST, VALIDATION, Answers, draw
from app.shared import metrics, selection, store, ui
from tracking import schema
from tracking.store import StoreError

TAKES = "This page takes examples that are classified one by one, each into one class"


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


address, whole = selection.opened("quality")
compared = selection.to_compare(address, whole)
about = store.sweeps()
names = dict(zip(about["sweep"], about["name"], strict=True)) if len(about) else {}
metric = compared.objective or schema.VAL_LOSS
groups, runs = groups_of(compared, metric, compared.direction, sweeps=names)
with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    parents = [sweep for sweep in dict.fromkeys(compared.runs["parent"]) if sweep in names]
    of = f" of {' and '.join(ui.text(names[sweep], 60) for sweep in parents[:3])}" if parents else ""
    st.markdown(f"{ui.count(len(compared.runs), 'run')}, {ui.count(len(groups), 'group')}{of}", width="content")
    with st.container(horizontal=True, gap="xsmall", width="content"):
        with st.popover("Change", icon=":material/edit:", help="Other sweeps."):
            selection.picker(address, "quality")
        where = {"sweep": ",".join(address.sweeps)} if address.sweeps else {"runs": ",".join(compared.runs["run_id"])}
        if st.button("Compare", icon=":material/compare_arrows:", key="to-compare", help="The same runs side by side."):
            ui.go("compare", where)
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
        "Part of the data", [TEST, VALIDATION], default=TEST, required=True, key="split", bind="query-params",
    )  # fmt: skip

chosen_runs = members if alone == "all" else members[members["run_id"] == alone]
ends = pd.to_numeric(chosen_runs["end_time"], errors="coerce").fillna(0).astype(float)
sources = [
    Source(row["run_id"], int(row["seed"]), str(row["outcome"]), content(store.uri(), row["run_id"], end))
    for row, end in zip(chosen_runs.to_dict("records"), ends, strict=True)
]
predicted, notes = gather(sources, "val" if part == VALIDATION else "test")

try:
    if not predicted:
        unfit = metrics.unfit(TAKES, ("binary", "multiclass"), metrics.tasks_of(compared.params))
        if unfit:
            st.markdown(ui.text(unfit))
            st.stop()
        # A stranger's run has no seed to be named by, and no such file.
        for note in notes if (chosen_runs["seed"] >= 0).all() else []:
            st.markdown(ui.text(note))
        st.markdown("Only classification runs of Sweepboard that ended ok leave the answers that this page shows.")
        if st.button("Launch a sweep", type="primary", icon=":material/add:"):
            ui.go("launch", {})
    else:
        draw(Answers(compared, names, label, part or TEST, sources, predicted, notes))
except PredictionsError as error:
    st.markdown(ui.text(error))
