"""Pages that follow the store while something trains: they run again when it has changed, at a pace they can afford.

The whole page runs again: its elements keep their places and its widgets what was set, so nothing flickers or jumps.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import streamlit as st

from app.shared import store, ui

SHARE: Final = 5
"""A page that takes a second is not run again before five have passed."""
_HELD: Final = "_held"


@dataclass(frozen=True)
class Snapshot:
    """What a page is made from: the store's version, and when the page began (s)."""

    version: str
    began: float


def begin() -> Snapshot:
    """Note what the page is made from; call before anything is read."""
    st.session_state[_HELD] = False
    return Snapshot(store.version(), time.perf_counter())


def hold() -> None:
    """Keep the page as it is; call in a dialog, which is to run the page again when it is closed."""
    st.session_state[_HELD] = True


def follow(snapshot: Snapshot, active: bool) -> None:
    """Run the page again when the store changes, while something in it is active; call last."""
    if not active:
        return

    @st.fragment(run_every=max(ui.REFRESH, SHARE * (time.perf_counter() - snapshot.began)))
    def look() -> None:
        if not st.session_state.get(_HELD) and store.version() != snapshot.version:
            ui.rerun()

    look()
