"""What a sweep will take, beside the form while it is filled in, and beside the truth when it is done.

The service tries it out (`sweeps.preflight.check`); the page asks what is known by now and never waits for more.
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import streamlit as st

from app.shared import store, ui
from sweeps.client import CommandError
from sweeps.preflight.estimate import summary
from sweeps.words import duration

LOOK_S: Final = 1.0
"""Seconds between two questions to the service while it is estimating."""
WAIT_S: Final = 0.1
"""How long a page waits for an answer."""
_ANSWER: Final = "_preflight"


def _ask(text: str) -> dict[str, Any] | None:
    """What is known of this sweep; None where no service answers."""
    kept = st.session_state.get(_ANSWER)
    if kept and kept[0] == text:
        return kept[1]
    try:
        found = store.client().check(text, wait=WAIT_S)
    except (CommandError, OSError, ValueError):
        return None
    if not found["pending"]:
        st.session_state[_ANSWER] = (text, found)
    return found


def _again() -> None:
    st.session_state.pop(_ANSWER, None)


def _draw(found: dict[str, Any] | None) -> None:
    """The estimate with what is to be known of it, or what is wrong."""
    if found is None:
        st.caption(":material/hourglass_empty: The service estimates time, disk and memory as soon as it runs.")
        return
    if found["pending"]:
        st.caption(":material/hourglass_top: Estimating time, disk and memory…")
        return
    for problem in found["problems"]:
        st.error(ui.text(problem))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if found["seconds"] is not None:
            st.markdown(f":material/timer: {ui.text(summary(found))}", width="content")
        if len(found["architectures"]) > 1:
            with st.popover("How long each takes", type="tertiary"):
                _architectures(found["architectures"])
        if found["problems"] or found["warnings"]:
            st.button("Check again", key="preflight-again", on_click=_again, type="tertiary")
    for warning in found["warnings"]:
        st.caption(ui.text(warning))


def _architectures(rows: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(rows)
    frame["seconds_per_epoch"] *= 1000
    st.dataframe(
        frame, hide_index=True, row_height=30, alt="What was timed",
        column_config={
            "what": st.column_config.TextColumn("architecture"),
            "parameters": st.column_config.NumberColumn("parameters", format="localized"),
            "seconds_per_epoch": st.column_config.NumberColumn("ms an epoch", format="%.3g"),
        },
    )  # fmt: skip
    st.caption("Each was trained for a moment, with as many at a time as the sweep has workers.")


def panel(text: str, problems: tuple[str, ...]) -> None:
    """The estimate of the sweep in the form, live; nothing while the form has problems.

    Args:
        text: The sweep in YAML.
        problems: What keeps it from being one.
    """
    if problems:
        return
    first = _ask(text)
    waits = first is None or first["pending"]

    @st.fragment(run_every=LOOK_S if waits else None)
    def look() -> None:
        found = _ask(text) if waits else first
        if waits and found is not None and not found["pending"]:
            ui.rerun()
        _draw(found)

    look()


def trained_seconds(runs: pd.DataFrame) -> float:
    """Seconds in which at least one run was being trained: pauses and waiting do not count.

    Args:
        runs: One row a run: start_time, end_time in milliseconds.
    """
    ended = runs[runs["end_time"].notna()] if len(runs) else runs
    total, until = 0.0, float("-inf")
    for begun, end in sorted(zip(ended["start_time"].astype(float), ended["end_time"].astype(float), strict=True)):
        total += max(0.0, end - max(begun, until))
        until = max(until, end)
    return total / 1000


def beside_truth(row: Any, runs: pd.DataFrame) -> str:
    """`Estimated 42 s when it was launched, took 39 s.` of an estimated sweep that has finished, else nothing.

    Args:
        row: The sweep.
        runs: All of its runs, those that do not count as well.
    """
    estimated, took = float(row["estimated"]), trained_seconds(runs)
    if row["state"] != "finished" or not estimated > 0 or not took:
        return ""
    return f"Estimated {duration(estimated)} when it was launched, took {duration(took)}."
