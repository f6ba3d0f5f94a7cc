"""Coupled settings in the launch form: shown as the YAML that they were loaded from, where they can be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.launch.state import base, key, varied
from app.shared import ui
from sweeps.fields import SpecError
from sweeps.spec import yaml_text

HELP = (
    "Each name stands for the settings beside it, which are tried together. What one leaves out is as below."
    " Allowed: YAML such as `wide: {model.name: mlp, model.hidden_sizes: [128]}`, one name a line."
)


def is_coupled(name: str) -> bool:
    """Whether a searched key has coupled settings."""
    return "settings" in ((base().get("search") or {}).get(name) or {})


def _widget(name: str) -> str:
    return key(f"{name}:settings")


def _read(typed: str) -> Any:
    """What the text says; the text itself where it is not YAML, which the check of the sweep refuses."""
    try:
        return yaml_text.read(typed)
    except SpecError:
        return typed


def _settings() -> list[list[Mapping[str, Any]]]:
    """The settings of each coupled key as they are in the form now, without what is no setting."""
    settings = []
    for name in filter(is_coupled, varied()):
        typed = st.session_state.get(_widget(name))
        written = base()["search"][name]["settings"] if typed is None else _read(typed)
        values = written.values() if isinstance(written, Mapping) else ()
        settings.append([value for value in values if isinstance(value, Mapping)])
    return settings


def set_keys() -> set[str]:
    """The dotted keys that some setting sets."""
    return {str(dotted) for together in _settings() for setting in together for dotted in setting}


def always_set() -> set[str]:
    """The dotted keys that all settings of a coupled key set, so that the form need not ask for them."""
    return {
        str(dotted)
        for together in _settings()
        for dotted in (together[0] if together else ())
        if all(dotted in setting for setting in together)
    }


def names(section: str) -> list[str]:
    """The names that settings choose in a section."""
    dotted = f"{section}.name"
    return [str(setting[dotted]) for together in _settings() for setting in together if dotted in setting]


def editor(name: str) -> dict[str, Any]:
    """Draw the settings of a coupled key as YAML; returns what is searched under it, unchecked."""
    text = yaml_text.write(base()["search"][name]["settings"])
    typed = st.text_area(
        name, text, key=_widget(name), height="content", label_visibility="collapsed", persist_state="session"
    )
    try:
        yaml_text.read(typed or "")
    except SpecError as error:
        st.caption(ui.text(str(error)))
    return {"settings": _read(typed or "")}
