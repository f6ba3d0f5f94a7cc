"""The launch form's switch for training on several training sets from several initialisations, and its two numbers."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.launch import form, state


def replicate() -> dict[str, Any]:
    """Draw the switch and, if it is on, its fields; returns `replicate.datasets` and `replicate.inits`, unchecked."""
    on = st.toggle(
        "Replicate data sets and initialisations", state.base().get("replicate") is not None,
        key=state.key("replicate"), persist_state="session",
        help="Takes error apart into bias, variance from the data and variance from the initialisation.",
    )  # fmt: skip
    if not on:
        return {}
    with st.grid("auto", min_column_width=150, gap=("small", "medium")):
        fields = {name: form.scalar(name) for name in ("replicate.datasets", "replicate.inits")}
    st.caption(
        "Each configuration is trained on every data set from so many initialisations, in place of seeds;"
        " none is pruned, and none confirmed."
    )
    return fields
