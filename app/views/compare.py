"""Sweeps, groups or runs side by side: the verdict, the figures, what differs."""

from __future__ import annotations

import streamlit as st

from app.compare import figures, tables
from app.shared import headline, live, selection, ui

snapshot = live.begin()
address, whole = selection.opened("compare")
compared = selection.to_compare(address, whole)
bar = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
view = selection.controls(compared)
if view is None:
    st.stop()
with bar:
    st.markdown(headline.about(view, view.groups), width="content")
    with st.container(horizontal=True, gap="xsmall", width="content", vertical_alignment="center"):
        with st.popover("Change", icon=":material/edit:", help="Other sweeps."):
            selection.picker(address, "compare")
        where = {"sweep": ",".join(address.sweeps)} if address.sweeps else {"runs": ",".join(compared.runs["run_id"])}
        if st.button(
            "Quality", icon=":material/grid_on:", key="to-quality", help="How well the classes are told apart."
        ):
            ui.go("quality", where)
        tables.open_in_mlflow(view.members)
ranked = tables.ranked(view)
tables.headline(view, ranked, selection.judged_claims(address, whole))
headline.grown(view)
selection.phases(address, compared)
headline.guard(view)
figures.figures(view)
tables.table(view, ranked)
tables.pair(view, ranked)
tables.params(view)
st.caption(f"The address of this page holds the selection and all settings: {ui.text('copy it to show the same.')}")
live.follow(snapshot, view.active)
