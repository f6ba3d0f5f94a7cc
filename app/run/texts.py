"""What an encoder-decoder writes, on its run's page."""

from __future__ import annotations

import streamlit as st

from analysis.translation.texts import Texts, read
from app.run.data import OneRun
from app.shared import store, ui
from tracking import schema

CHOSEN = "chosen"
"""The word for the weights that validation chose."""


@st.cache_data(show_spinner=False, max_entries=16)
def _texts(uri: str, run_id: str, ended: int | None) -> Texts:
    """The texts of a run; one that ended again is read again."""
    return read(store.artifact(run_id, schema.TRANSLATIONS_FILE))


def texts(run: OneRun) -> None:
    """Draw the table of sources, references and outputs; nothing where the run left none."""
    if schema.TRANSLATIONS_FILE not in dict(run.files):
        return
    st.subheader("What it writes", anchor=False)
    try:
        written = _texts(store.uri(), run.run_id, run.end)
    except (OSError, ValueError) as problem:
        st.warning(ui.text(problem))
        return
    epochs = {f"epoch {number}": number for number in written.hypotheses}
    weights = st.segmented_control(
        "Weights", [*epochs, CHOSEN], default=CHOSEN, required=True, key="run-texts", bind="query-params",
        help="Those after some of the epochs, or those that validation chose.",
    )  # fmt: skip
    epoch = epochs.get(weights)
    st.caption(f"{written.sentence(epoch)} Greedy decoding: each token is the most probable one after those before it.")
    st.dataframe(
        written.frame(epoch), hide_index=True, key="run-texts-table", row_height=30, height="content",
        alt="Sources, references and outputs of this run",
    )  # fmt: skip
