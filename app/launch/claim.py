"""What the sweep in the form claims: shown as it was loaded, kept while it fits what is searched, or dropped."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.launch import state
from app.shared import ui
from tracking.schema import MAXIMIZE


def _drop(key: str) -> None:
    st.button(
        "Drop the claim", key=key, icon=":material/close:", type="tertiary", on_click=state.drop_claim,
        help="The sweep is launched without what it claims.",
    )  # fmt: skip


def claims() -> None:
    """Draw the sentences that are claimed, with the button that drops them; nothing where there is none."""
    written = state.base().get("claim")
    if written is None:
        return
    texts = [str(claim["text"]) for claim in (written if isinstance(written, list) else [written])]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="claims"):
        st.markdown("  \n".join(f":material/gavel: {ui.text(text)}" for text in texts), width="content")
        _drop("drop-claim")


def drop_first(problems: Sequence[str]) -> None:
    """Drop the claim of the form's first sweep, which nobody wrote, where it alone is what is wrong."""
    if state.is_first() and "claim" in state.base() and all(problem.startswith("claim") for problem in problems):
        state.drop_claim()
        ui.rerun()


def drop_first_where_more_is_better(direction: str) -> None:
    """Drop the claim of the form's first sweep, which says that something comes lower, where lower is worse.

    Args:
        direction: That of the objective.
    """
    if state.is_first() and "claim" in state.base() and direction == MAXIMIZE:
        state.drop_claim()
        ui.rerun()


def misfit(problems: Sequence[str]) -> None:
    """Draw the button that drops the claim, where the claim is among what is to be mended."""
    if any(problem.startswith("claim") for problem in problems):
        _drop("drop-claim-that-misfits")
