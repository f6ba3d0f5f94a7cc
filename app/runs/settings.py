"""The settings of the page of runs, kept for each experiment: while a user browses and, if saved, for everybody.

The address holds them too and wins.
"""

from __future__ import annotations

import json
from typing import Any, Final

import streamlit as st

TAG: Final = "sweepboard.view"
"""The tag of an experiment that holds what was kept for everybody."""
KEPT: Final = {"columns": list, "pinned": list, "sort": str, "order": str, "curve": str}
"""What can be kept: the widget's key -> its type."""
BROWSED: Final = ("filter", "by", *KEPT)
"""What is remembered while the user browses."""


def forget() -> None:
    """Forget what the widgets hold: another experiment has other columns."""
    for key in BROWSED:
        st.session_state.pop(key, None)


def of_tag(text: str) -> dict[str, Any]:
    """What the tag holds; text that this program did not write counts as nothing."""
    try:
        content = json.loads(text or "{}")
    except ValueError:
        return {}
    if not isinstance(content, dict):
        return {}
    good = {key: content[key] for key, kind in KEPT.items() if isinstance(content.get(key), kind)}
    return {key: [str(item) for item in value] if isinstance(value, list) else value for key, value in good.items()}


def to_tag() -> str:
    """What is set now, as the tag holds it."""
    return json.dumps({key: st.session_state[key] for key in KEPT if st.session_state.get(key) is not None})


def restore(experiment: str, tag_text: str) -> None:
    """Set what was remembered, before the widgets are drawn; an address and what was set just now win.

    Args:
        experiment: Its id.
        tag_text: The text of the experiment's tag.
    """
    values = st.session_state.get("_views", {}).get(experiment) or of_tag(tag_text)
    for key, value in values.items():
        if key not in st.session_state and key not in st.query_params and value not in ("", [], None):
            st.session_state[key] = value


def remember(experiment: str) -> None:
    """Remember what is set, after the widgets were drawn."""
    views = st.session_state.setdefault("_views", {})
    views[experiment] = {key: st.session_state[key] for key in BROWSED if key in st.session_state}


def only(key: str, options: list[str]) -> None:
    """Drop what is set for a widget and no longer offered."""
    value = st.session_state.get(key)
    if isinstance(value, list):
        if not set(value) <= set(options):
            st.session_state[key] = [option for option in value if option in options]
    elif value is not None and value not in options:
        del st.session_state[key]
