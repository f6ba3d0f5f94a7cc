"""What a run could at best reach, as its page needs it."""

from __future__ import annotations

import streamlit as st

from analysis.runs.references import Reference, read
from app.run.data import OneRun
from app.shared import store, ui
from tracking import schema


@st.cache_data(show_spinner=False, max_entries=16)
def _references(uri: str, run_id: str, ended: int | None) -> list[Reference]:
    """The references of a run; one that ended again is read again."""
    return read(store.artifact(run_id, schema.REFERENCES_FILE))


def references(run: OneRun) -> list[Reference]:
    """The references that the run left; none for runs without the file, and for one that cannot be read, which is said.

    They are drawn beside its curves and stand in the table of its metrics.
    """
    if schema.REFERENCES_FILE not in dict(run.files):
        return []
    try:
        return _references(store.uri(), run.run_id, run.end)
    except (OSError, ValueError) as problem:
        st.warning(ui.text(problem))
        return []
