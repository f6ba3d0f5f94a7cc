"""A button that has the models in the form learn ten examples by heart, and the answer in a sentence.

A worker process of the service trains (`sweeps.preflight.overfit_ten`); the page asks how far it is and waits for no
more. A page that is closed asks no more, and the service then drops the test.
"""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from app.shared import store, ui
from sweeps.client import CommandError

LOOK_S: Final = 0.7
"""Seconds between two questions to the service while it tests."""
WAIT_S: Final = 0.1
"""How long a page waits for an answer."""
HELP: Final = (
    "Trains each model on the first ten training examples until their loss is the smallest possible. Code that cannot "
    "learn ten examples by heart will not learn the data: the answer says that it can, or what is broken. It takes up "
    "to 20 seconds for each model; nothing is stored."
)
_ASKED: Final = "_overfit_asked"
"""The sweep that the user wants tested."""
_ANSWER: Final = "_overfit"


def _ask(text: str, act: str) -> dict[str, Any] | None:
    """What the service knows by now; None where no service answers."""
    try:
        return store.client().overfit(text, act, wait=WAIT_S)
    except (CommandError, OSError, ValueError):
        return None


def _begin(text: str) -> None:
    st.session_state[_ASKED] = text
    st.session_state.pop(_ANSWER, None)
    _ask(text, "again")


def _stop(text: str) -> None:
    st.session_state.pop(_ASKED, None)
    _ask(text, "stop")


def _answer(text: str) -> dict[str, Any] | None:
    """The answer that the page has, or what the service knows by now."""
    last = st.session_state.get(_ANSWER)
    if last and last[0] == text:
        return last[1]
    report = _ask(text, "ask")
    if report is not None and not report["pending"]:
        st.session_state[_ANSWER] = (text, report)
    return report


def _draw_result(result: dict[str, Any], several: bool) -> None:
    what = f"**{ui.text(result['what'])}:** " if several else ""
    sentence = what + ui.text(result["sentence"])
    if result["verdict"] == "learns":
        st.success(sentence, icon=":material/check_circle:")
    elif result["verdict"] == "broken":
        st.error(sentence, icon=":material/error:")
    else:
        st.warning(sentence, icon=":material/warning:")
    for remark in result["remarks"]:
        st.caption(ui.text(remark))


def _draw(report: dict[str, Any] | None, text: str) -> None:
    """Draw the answer, or how far the test is."""
    if report is None:
        st.caption(":material/hourglass_empty: The service tests as soon as it runs.")
        return
    for problem in report["problems"]:
        st.error(ui.text(problem))
    for result in report["results"]:
        _draw_result(result, several=report["pending"] or len(report["results"]) > 1)
    if report["left_out"]:
        st.caption(ui.text(report["left_out"]))
    if report["pending"]:
        st.progress(report["share"], ui.text(report["doing"]))
        st.button("Stop the test", key="overfit-stop", on_click=_stop, args=(text,), type="tertiary")


def panel(text: str, problems: tuple[str, ...]) -> None:
    """Draw the button, and what came of its last press for this sweep; nothing while the form has problems.

    Args:
        text: The sweep in YAML.
        problems: What keeps it from being one.
    """
    if problems:
        return
    st.button(
        "Overfit ten examples",
        key="overfit",
        on_click=_begin,
        args=(text,),
        icon=":material/model_training:",
        help=HELP,
    )
    if st.session_state.get(_ASKED) != text:
        return
    first = _answer(text)
    waits = first is None or first["pending"]

    @st.fragment(run_every=LOOK_S if waits else None)
    def look() -> None:
        report = _answer(text) if waits else first
        if waits and report is not None and not report["pending"]:
            ui.rerun()
        _draw(report, text)

    look()
