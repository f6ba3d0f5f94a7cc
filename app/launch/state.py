"""What the launch form holds: the plain data that it started from, and which settings are varied.

The form starts from `base`, the plain data of a sweep (a first good one, a lab, a copy, pasted YAML). Loading another
base begins a new generation of widget keys, so that every widget starts afresh from it.
"""

from __future__ import annotations

import copy
from typing import Any, Final

import streamlit as st
import yaml

from sweeps import spec as specs
from tracking.schema import VAL_LOSS

FIRST: Final[dict[str, Any]] = {
    "name": "optimizers-on-digits",
    "question": "Which optimizer reaches the lowest validation loss, each at its own best learning rate?",
    "model": {"name": "mlp", "hidden_sizes": [64]},
    "data": {"name": "digits", "batch_size": 64},
    "trainer": {"max_epochs": 20},
    "search": {
        "optimizer.name": {"values": ["sgd", "momentum", "rmsprop", "adam"]},
        "optimizer.lr": {"low": 0.001, "high": 1.0, "log": True, "steps": 4},
    },
    "sampler": "grid",
    "seeds": 6,
    "objective": {"metric": VAL_LOSS, "direction": "minimize"},
    "claim": {
        "text": "Adam comes lower than plain gradient descent.",
        "better": {"optimizer.name": "adam"},
        "than": {"optimizer.name": "sgd"},
    },
}
"""What the form holds when it opens: a sweep that a newcomer can launch as it is, with a claim that it can decide."""


def _state() -> dict[str, Any]:
    return st.session_state.setdefault("_form", {"base": copy.deepcopy(FIRST), "generation": 0, "first": True})


def base() -> dict[str, Any]:
    """The plain data that the form started from."""
    return _state()["base"]


def load_text(text: str) -> None:
    """Replace the form's content by a sweep in YAML.

    Raises:
        SpecError: The text is no sweep that could be run.
    """
    spec = specs.parse(text)
    # How many workers are the default depends on the device: what the sweep has is what the form shows.
    written = yaml.safe_load(specs.to_yaml(spec)) | {"workers": spec.workers}
    st.session_state["_form"] = {"base": written, "generation": _state()["generation"] + 1}


def reset() -> None:
    """Start again from the first sweep."""
    st.session_state["_form"] = {"base": copy.deepcopy(FIRST), "generation": _state()["generation"] + 1, "first": True}


def is_first() -> bool:
    """Whether the form began with the first sweep, and not with one that somebody wrote."""
    return bool(_state().get("first"))


def drop_claim() -> None:
    """Drop what the sweep claims."""
    base().pop("claim", None)


def key(name: str) -> str:
    """The widget key of a field in this generation."""
    return f"f{_state()['generation']}:{name}"


def varied() -> list[str]:
    """The dotted keys that have several values to try, in the order of their rows."""
    return st.session_state.setdefault(key("varied"), list(base().get("search") or {}))


def vary(name: str) -> None:
    """Let this key have several values to try from now on."""
    if name not in varied():
        varied().append(name)


def fix(name: str) -> None:
    """Let this key have one value from now on."""
    if name in varied():
        varied().remove(name)
