"""The sweeps that were deleted, each with the button that restores it."""

from __future__ import annotations

import streamlit as st

from app.shared import store, ui
from app.sweep import actions

MOST = 50
"""Listed at most, the newest."""


def deleted() -> None:
    """Draw the deleted sweeps, each with a button; they are read only when they are asked for."""
    actions.show_message()
    listing = st.expander("Deleted sweeps", icon=":material/delete:", key="deleted-sweeps", on_change="rerun")
    if not listing.open:
        return
    with listing:
        frame = store.deleted_sweeps()
        if not len(frame):
            st.caption("No sweep is deleted.")
        for row in frame.head(MOST).to_dict("records"):
            sweep = str(row["run_id"])
            with st.container(horizontal=True, vertical_alignment="center", key=f"row-deleted-{sweep}"):
                st.markdown(f"{ui.text(row['name'], 80) or 'unnamed'} · :gray[{ui.ago(row['start_time'])}]")
                st.button(
                    "Restore", key=f"restore-{sweep}", icon=":material/undo:", on_click=actions.restore,
                    args=(sweep,), help="Brings it back with its runs.",
                )  # fmt: skip
