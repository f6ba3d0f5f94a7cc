"""Sweeps, groups or runs side by side: the verdict, the figures, what differs."""

from __future__ import annotations

import streamlit as st

from app.compare import figures as compare_figures
from app.compare import tables as compare_parts
from app.shared import headline, live, ui
from app.shared import selection as compare_data

seen = live.begin()
chosen, whole = compare_data.opened("compare")
found = compare_data.compared(chosen, whole)
bar = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
view = compare_data.controls(found)
if view is None:
    st.stop()
with bar:
    st.markdown(headline.about(view, view.groups), width="content")
    with st.container(horizontal=True, gap="xsmall", width="content", vertical_alignment="center"):
        with st.popover("Change", icon=":material/edit:", help="Other sweeps."):
            compare_data.picker(chosen, "compare")
        where = {"sweep": ",".join(chosen.sweeps)} if chosen.sweeps else {"runs": ",".join(found.runs["run_id"])}
        if st.button(
            "Quality", icon=":material/grid_on:", key="to-quality", help="How well the classes are told apart."
        ):
            ui.go("quality", where)
        compare_parts.open_in_mlflow(view.members)
ranked = compare_parts.ranked(view)
compare_parts.headline(view, ranked, compare_data.judged_claims(chosen, whole))
compare_parts.grown(view)
compare_data.phases(chosen, found)
headline.guard(view)
compare_figures.figures(view)
compare_parts.table(view, ranked)
compare_parts.pair(view, ranked)
compare_parts.params(view)
st.caption(f"The address of this page holds the selection and all settings: {ui.text('copy it to show the same.')}")
live.follow(seen, view.active)
