"""One sweep: its question, its answer so far, its curves, its ranking, its runs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.shared import claims, store, ui
from app.sweep import actions, confirm, curves, head, tables
from tracking.store import StoreError


def chosen() -> pd.Series | None:
    """The sweep that the URL names, else the newest; where there is none, the page says so with one button."""
    sweep_id = st.query_params.get("sweep")
    frame = store.sweeps()
    if sweep_id and (row := store.sweep(sweep_id)) is not None:
        return row
    if not sweep_id and len(frame):
        return frame.iloc[0]
    if sweep_id and actions.just_deleted(sweep_id):
        return None
    st.title("Sweep")
    if sweep_id:
        st.markdown(f"There is no sweep {ui.text(sweep_id, 60)} in this store.")
        if st.button("All sweeps", type="primary"):
            ui.go("overview", {})
    else:
        st.markdown("There is no sweep yet whose results could be shown.")
        if st.button("New sweep", type="primary", icon=":material/add:"):
            ui.go("launch", {})
    return None


def page(first: pd.Series) -> None:
    """Draw the whole page; `first` is the sweep as it is when the page opens."""
    sweep_id = str(first["sweep"])
    watched = first["state"] in ui.ACTIVE or actions.awaits()
    question, _, more = str(first["question"] or first["name"]).partition("? ")
    st.title(ui.text(f"{question}?" if more else question, 200), anchor=False)
    if more:
        st.markdown(ui.text(more, 600))

    @st.fragment(run_every=ui.SWEEP_REFRESH if watched else None)
    def live() -> None:
        """Everything that changes while the sweep runs."""
        try:
            row, runs = store.sweep(sweep_id), store.runs(sweep_id)
        except StoreError as error:
            st.warning(ui.text(error))
            return
        if row is None:
            ui.rerun()
        over = row["state"] not in ui.ACTIVE
        results = head.results_so_far(row, runs, over)
        groups, winners = results.groups, results.winners.groups
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            name = f" · {ui.text(row['name'], 80)}" if row["question"] else ""
            st.markdown(f"{ui.badge(row['state'])}{name} · :gray[{ui.ago(row['created'])}]", width="content")
            actions.buttons(row)
        # Each part has its own container: what one gains or loses moves no other to a new place in the page's tree,
        # where the browser would draw it anew.
        with st.container():
            head.headline(row, results, over, claims.of_sweep(row, runs, over))
        with st.container():
            head.progress(row, runs, results.search)
        with st.container():
            curves.curves(row, runs, groups, winners)
        with st.container():
            confirm.section(row, results.winners, results.standings)
        with st.container():
            tables.ranking_table(row, groups, None if winners else results.standings, bool(winners))
        with st.container():
            tables.more(row, runs, results.labels)
        if watched != (not over or actions.awaits()):
            ui.rerun()

    live()


first = chosen()
if first is not None:
    page(first)
