"""What can be done with a sweep: the buttons at the top of its page, and what the service answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import streamlit as st

from app.shared import store, ui
from app.shared.store import spec_of
from app.shared.study_pages import PAGES
from app.sweep import files
from sweeps import spec as specs
from sweeps.client import CommandError
from tracking.schema import COMMANDS

AWAITED_S: Final = 6.0
"""How long a page looks for what follows from a command."""
ABOUT: Final = {
    "pause": ("Pause", ":material/pause:", "Finishes the running runs and starts no more."),
    "resume": ("Resume", ":material/play_arrow:", "Goes on where it was; runs that were stopped are trained again."),
    "stop": ("Stop", ":material/stop:", "Ends the running runs now and keeps what they measured. It can be resumed."),
    "retry": ("Retry crashed", ":material/replay:", "Trains the crashed runs again."),
    "extend": ("Extend", ":material/add:", "More trials, or more seeds of each trial."),
    "change": ("Change", ":material/tune:", "Other workers, another pruner, from now on."),
}


def awaits() -> bool:
    """Whether a command was given so lately that what follows from it may not be in the store yet."""
    return time.monotonic() < st.session_state.get("_awaits_until", 0.0)


def keep_message(kind: str, text: str) -> None:
    """Keep a sentence for the page's next run.

    Args:
        kind: "error" or "warning".
        text: Plain text.
    """
    st.session_state["_said"] = (kind, text)


def show_message() -> None:
    """Show what `keep_message` kept, once."""
    message = st.session_state.pop("_said", None)
    if message:
        {"error": st.error, "warning": st.warning}[message[0]](ui.text(message[1]))


def command(name: str, target: Any, **arguments: Any) -> bool:
    """Give the service a command; what it refuses or warns of is shown on the page. Returns whether it was obeyed."""
    st.session_state["_awaits_until"] = time.monotonic() + AWAITED_S
    try:
        warning = getattr(store.client(), name)(target, **arguments)
    except (CommandError, ValueError, OSError) as error:
        keep_message("error", str(error))
        return False
    st.session_state["_said"] = ("warning", warning) if isinstance(warning, str) else None
    return True


def _turn(name: str) -> int:
    """How many forms of this name were sent and obeyed before this one: part of the keys of all that is in it."""
    return int(st.session_state.get(f"_turn-{name}", 0))


def _obeyed(name: str) -> None:
    """Close the form: the next one is another, with nothing filled in. What it changed is read afresh."""
    store.forget_specs()
    st.session_state[f"_turn-{name}"] = _turn(name) + 1


def _extended(sweep: str, **keys: str) -> None:
    if command("extend", sweep, **{name: int(st.session_state.get(key) or 0) for name, key in keys.items()}):
        _obeyed("extend")


def _extend(row: Any, spec: specs.Spec | None) -> None:
    keys = {name: f"extend-{name}-{_turn('extend')}" for name in ("trials", "seeds")}
    grid = spec is not None and spec.sampler == "grid"
    number: dict[str, Any] = {"min_value": 0, "step": 1}
    st.number_input(
        "More trials", value=0, key=keys["trials"], disabled=grid, max_value=specs.MOST_RUNS, **number,
        help="The grid has no more configurations." if grid else f"There are {int(row['trials'])} now.",
    )  # fmt: skip
    replicated = spec is not None and spec.replicate is not None
    st.number_input(
        "More seeds of each trial", value=0, key=keys["seeds"], disabled=replicated, max_value=1000, **number,
        help="Its training sets are made for as many runs as there are."
        if replicated else f"There are {int(row['seeds'])} now.",
    )  # fmt: skip
    if spec is not None and spec.confirm is not None:
        st.caption("The winners are then chosen again, and new ones confirmed.")
    st.button(
        "Extend the sweep", key="extend-sure", type="primary", on_click=_extended, args=(row["sweep"],), kwargs=keys,
        disabled=not any(st.session_state.get(key) for key in keys.values()),
    )  # fmt: skip


def _changed(sweep: str, before: specs.Spec, keys: dict[str, str]) -> None:
    given = {name: st.session_state.get(key) for name, key in keys.items()}
    changes = {name: value for name, value in given.items() if value not in (None, getattr(before, name))}
    if not changes or command("change", sweep, **changes):
        _obeyed("change")


def _change(row: Any, spec: specs.Spec | None) -> None:
    if spec is None:
        st.caption("Its specification cannot be read: it can only be paused, stopped or duplicated.")
        return
    # The values too: what another window or the command line changed begins the form anew.
    turn = f"{_turn('change')}-{spec.workers}-{spec.pruner}"
    keys = {name: f"change-{name}-{turn}" for name in ("workers", "pruner")}
    workers, pruner = specs.FIELDS["workers"], specs.FIELDS["pruner"]
    st.number_input(
        "Workers", min_value=int(workers.minimum or 1), max_value=int(workers.maximum or 64), value=spec.workers,
        step=1, key=keys["workers"], help=ui.text(workers.help),
    )  # fmt: skip
    st.selectbox(
        "Pruner", specs.PRUNERS, specs.PRUNERS.index(spec.pruner), key=keys["pruner"], help=ui.text(pruner.help)
    )
    st.button("Change it", key="change-sure", type="primary", on_click=_changed, args=(row["sweep"], spec, keys))


_FORMS: Final[dict[str, Callable[[Any, specs.Spec | None], None]]] = {"extend": _extend, "change": _change}


def buttons(row: Any) -> None:
    """Draw the buttons for what can be done with the sweep in its state."""
    spec = spec_of(row["sweep"])
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content", key="sweep-actions"):
        for name, states in COMMANDS.items():
            if row["state"] not in states or (name == "retry" and not row["crashed"]):
                continue
            label, icon, about = ABOUT[name]
            if name in _FORMS:
                # Without `on_change`: closed by a click on a link, it would ask for a run of the page that is left, and
                # the browser empty the next one.
                with st.popover(label, icon=icon, help=about, key=f"do-{name}-{_turn(name)}"):
                    _FORMS[name](row, spec)
                continue
            st.button(
                label, key=f"do-{name}", icon=icon, help=about, on_click=command, args=(name, row["sweep"]),
                type="primary" if name == "resume" else "secondary",
            )  # fmt: skip
        # Links: this part of the page runs by itself, where `ui.go` cannot stop the browser's clocks.
        sweep = {"sweep": str(row["sweep"])}
        st.page_link(
            "views/launch.py", label="Duplicate", icon=":material/content_copy:",
            help="Opens the form filled with this sweep.", query_params={"copy": sweep["sweep"]},
        )  # fmt: skip
        if row["done"]:
            st.page_link(
                "views/compare.py", label="Compare", icon=":material/compare_arrows:", query_params=sweep,
                help="Groups side by side, with verdicts.",
            )  # fmt: skip
        if row["ok"]:
            st.page_link(
                "views/quality.py", label="Quality", icon=":material/grid_on:", query_params=sweep,
                help="Which classes its runs confuse.",
            )  # fmt: skip
        if row["done"]:
            with st.popover("Study", icon=":material/insights:", help="What its runs say of a question of learning."):
                for page, about in PAGES.items():
                    st.page_link(f"views/{page}.py", label=about.title, query_params=sweep)
                    st.caption(about.question)
        if row["state"] not in ui.ACTIVE and st.button(
            "Delete", key="do-delete", icon=":material/delete:", help="The sweep with all its runs; it can be restored."
        ):
            delete_dialog(row)
    show_message()


def _deleted(sweep: str, name: str, runs: int) -> None:
    if command("delete", [sweep]):
        st.session_state["_deleted"] = (sweep, name, runs)


@st.dialog("Delete this sweep")
def delete_dialog(row: Any) -> None:
    """Ask before a sweep is deleted with its runs."""
    runs = len(store.runs(row["sweep"]))
    held = files.held(row["sweep"])
    remaining = f"Their files ({held}) stay on the disk until they are cleaned." if held else ""
    st.markdown(
        f"Delete **{ui.text(row['name'], 80)}** and its **{ui.count(runs, 'run')}**? They are hidden here and in"
        f" MLflow, and can be restored. {ui.text(remaining)}"
    )
    with st.container(horizontal=True):
        if st.button(
            "Delete the sweep", key="delete-sure", type="primary", on_click=_deleted,
            args=(row["sweep"], str(row["name"]), runs),
        ):  # fmt: skip
            st.rerun()
        if st.button("Keep", key="delete-not"):
            st.rerun()


def restore(sweep: str) -> None:
    """Bring a deleted sweep back with its runs."""
    if command("restore", [sweep]):
        st.session_state.pop("_deleted", None)


def just_deleted(sweep: str) -> bool:
    """Draw a sentence and the way back in place of a sweep that was just deleted; False for any other sweep."""
    gone = st.session_state.get("_deleted")
    if not gone or gone[0] != sweep:
        return False
    st.title("Sweep")
    show_message()
    st.markdown(f"{ui.text(gone[1], 80)} and its {ui.count(gone[2], 'run')} are deleted.")
    with st.container(horizontal=True):
        if st.button("All sweeps", type="primary", key="deleted-all"):
            ui.go("overview", {})
        st.button("Restore", key="deleted-undo", icon=":material/undo:", on_click=restore, args=(sweep,))
    return True
