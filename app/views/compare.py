"""Sweeps, groups or runs side by side: the verdict, the figures, what differs."""

from __future__ import annotations

import streamlit as st

from app.compare import figures, tables
from app.shared import headline, live, selection, ui

seen = live.begin()
chosen, whole = selection.opened("compare")
found = selection.to_compare(chosen, whole)
bar = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
view = selection.controls(found)
if view is None:
    st.stop()
with bar:
    st.markdown(headline.about(view, view.groups), width="content")
    with st.container(horizontal=True, gap="xsmall", width="content", vertical_alignment="center"):
        with st.popover("Change", icon=":material/edit:", help="Other sweeps."):
            selection.picker(chosen, "compare")
        where = {"sweep": ",".join(chosen.sweeps)} if chosen.sweeps else {"runs": ",".join(found.runs["run_id"])}
        if st.button(
            "Quality", icon=":material/grid_on:", key="to-quality", help="How well the classes are told apart."
        ):
            ui.go("quality", where)
        tables.open_in_mlflow(view.members)
ranked = tables.ranked(view)
tables.headline(view, ranked, selection.judged_claims(chosen, whole))
headline.grown(view)
selection.phases(chosen, found)
headline.guard(view)
figures.figures(view)
tables.table(view, ranked)
tables.pair(view, ranked)
tables.params(view)
st.caption(f"The address of this page holds the selection and all settings: {ui.text('copy it to show the same.')}")
live.follow(seen, view.active)
