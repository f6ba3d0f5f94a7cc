"""The launch form's switch for confirming winners, and what it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.launch import form, state, widgets
from sweeps import spec as specs

WHOLE = "the whole sweep"


def listed(axes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The searched keys each value of which can have its own winners: those with listed values, or steps."""
    return [key for key, axis in axes.items() if axis.get("values") or axis.get("steps") or axis.get("settings")]


def confirm(axes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Draw the switch and, if it is on, its fields; returns `confirm.top`, `confirm.per`, `confirm.seeds`, unchecked.

    Args:
        axes: What is searched, as the form has it.
    """
    started = state.base().get("confirm")
    on = st.toggle(
        "Confirm the winners", started is not None, key=state.key("confirm"), persist_state="session",
        help="Trains the best again, with seeds that did not choose them: the best of a search is too good on average.",
    )  # fmt: skip
    if not on:
        return {}
    keys = listed(axes)
    before = (started or {}).get("per")
    options = [WHOLE, *keys]
    with st.grid("auto", min_column_width=150, gap=("small", "medium")):
        top = form.scalar("confirm.top")
        chosen = st.selectbox(
            "per", options, options.index(before) if before in keys else 0, key=state.key("confirm.per"),
            help=widgets.help_of(specs.FIELDS["confirm.per"]), persist_state="session",
        )  # fmt: skip
        seeds = form.scalar("confirm.seeds")
    return {"confirm.top": top, "confirm.per": None if chosen == WHOLE else chosen, "confirm.seeds": seeds}
