"""The service behind the pages: started when the dashboard opens, its state in one quiet line of the sidebar."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from app.shared import store, ui
from sweeps.client import CommandError, ServiceStatus

STARTING_S = 30.0
"""So long a service that was asked to start is shown as starting."""


@st.cache_resource(show_spinner=False, max_entries=1)
def _last_request(uri: str) -> dict[str, float]:
    return {"at": 0.0}


def _start_if_needed(status: ServiceStatus) -> bool:
    """Ask for a service where there is none; returns whether one is on its way."""
    if status.alive:
        return False
    request = _last_request(store.uri())
    if not status.starting and (not request["at"] or time.monotonic() - request["at"] > STARTING_S):
        request["at"] = time.monotonic()
        store.client().start_service(wait=0)
    return True


def _state() -> tuple[ServiceStatus, bool]:
    """The status of the service, which is asked to start where it does not run, and whether it is on its way."""
    try:
        status = store.client().status()
        return status, _start_if_needed(status)
    except (OSError, RuntimeError, ValueError) as error:
        return ServiceStatus(alive=False, problem=str(error)), False


def _words(status: ServiceStatus, starting: bool) -> str:
    if status.alive:
        busy = len(status.active)
        doing = f"training {ui.count(busy, 'sweep')}" if busy else "ready"
        return f":material/check_circle: Service {doing}, {ui.count(status.workers, 'worker')}"
    return ":material/hourglass_top: Service starting" if starting else ":material/error: Service not running"


def line(notices: Any) -> None:
    """Start the service if none runs, and say in the sidebar how it is.

    Args:
        notices: The place at the top of the page for what keeps the service from its work.
    """
    first, starting = _state()

    @st.fragment(run_every=ui.REFRESH if starting else None)
    def watch() -> None:
        status, still = _state() if starting else (first, False)
        st.caption(_words(status, still))
        if starting and (status.alive or status.problem != first.problem):
            ui.rerun()

    with st.sidebar:
        watch()
    if first.problem:
        notices.warning(ui.text(first.problem), icon=":material/warning:")


def launch(text: str) -> None:
    """Launch a sweep and go to its page, or say why it cannot be launched."""
    try:
        with st.spinner("Launching"):
            sweep = store.client().launch(text)
    except (CommandError, ValueError) as error:
        st.error(ui.text(error))
        return
    ui.go("sweep", {"sweep": sweep})
