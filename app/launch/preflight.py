"""What a sweep will take: the estimate beside the form, and beside what it took when it is done.

The service tries the sweep out (`sweeps.preflight.check`); the page asks what is known by now and waits for no more.
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import streamlit as st

from app.shared import store, ui
from sweeps.client import CommandError
from sweeps.preflight.estimate import recording, summary
from sweeps.preflight.parameters import parameters_sentence
from sweeps.words import duration

LOOK_S: Final = 1.0
"""Seconds between two questions to the service while it is estimating."""
WAIT_S: Final = 0.1
"""How long a page waits for an answer."""
_ANSWER: Final = "_preflight"


def _ask(text: str) -> dict[str, Any] | None:
    """What the service knows of this sweep by now; None where no service answers."""
    last = st.session_state.get(_ANSWER)
    if last and last[0] == text:
        return last[1]
    try:
        report = store.client().check(text, wait=WAIT_S)
    except (CommandError, OSError, ValueError):
        return None
    if not report["pending"]:
        st.session_state[_ANSWER] = (text, report)
    return report


def _again() -> None:
    st.session_state.pop(_ANSWER, None)


def _draw(report: dict[str, Any] | None) -> None:
    """Draw the estimate with its warnings, or what is wrong with the sweep."""
    if report is None:
        st.caption(":material/hourglass_empty: The service estimates time, disk and memory as soon as it runs.")
        return
    if report["pending"]:
        st.caption(":material/hourglass_top: Estimating time, disk and memory…")
        return
    for problem in report["problems"]:
        st.error(ui.text(problem))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if report["seconds"] is not None:
            words = f":material/timer: {ui.text(summary(report))}"
            st.markdown(words, width="content", help=recording(report) or None)
        if len(report["architectures"]) > 1:
            with st.popover("How long each takes", type="tertiary"):
                _architectures(report["architectures"])
        if report["problems"] or report["warnings"]:
            st.button("Check again", key="preflight-again", on_click=_again, type="tertiary")
    if sentence := parameters_sentence(report.get("parameters", ())):
        st.caption(ui.text(sentence, 900))
    for warning in report["warnings"]:
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
    """Draw the estimate of the sweep in the form, live; nothing while the form has problems.

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
        report = _ask(text) if waits else first
        if waits and report is not None and not report["pending"]:
            ui.rerun()
        _draw(report)

    look()


def trained_seconds(runs: pd.DataFrame) -> float:
    """Seconds in which at least one run was being trained: pauses and waiting do not count.

    Args:
        runs: One row per run: start_time, end_time in milliseconds.
    """
    ended = runs[runs["end_time"].notna()] if len(runs) else runs
    total, until = 0.0, float("-inf")
    for begun, end in sorted(zip(ended["start_time"].astype(float), ended["end_time"].astype(float), strict=True)):
        total += max(0.0, end - max(begun, until))
        until = max(until, end)
    return total / 1000


def beside_truth(row: Any, runs: pd.DataFrame) -> str:
    """`Estimated 42 s when it was launched, took 39 s.` for an estimated sweep that has finished, else nothing.

    Args:
        row: The sweep.
        runs: All of its runs, also those that do not count.
    """
    estimated, took = float(row["estimated"]), trained_seconds(runs)
    if row["state"] != "finished" or not estimated > 0 or not took:
        return ""
    return f"Estimated {duration(estimated)} when it was launched, took {duration(took)}."
