"""The launch form's widgets: one value of a field, or several values to try, typed as text and read back.

The help of a field's widget is `help_of(field)`: the field's own text, and what the field allows. The text of a model,
a data set, an optimizer or a schedule is in its docstring, under `Args:`; it reaches the form through `sweepboard
catalogue --write`. Regularization and trainer have theirs in `sweeps.catalogue.entries`, the rest of the sweep in
`sweeps.spec.options`.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.launch.state import key
from app.shared import ui
from sweeps.catalogue.data_files import offered
from sweeps.fields import Field, as_number

# From text to values and back


def written(value: Any) -> str:
    """The text that one types for a value."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(written(item) for item in value)
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def read(field: Field, typed: str | None) -> Any:
    """The value that was typed for a field, not yet checked."""
    typed = (typed or "").strip()
    if field.type in ("int_list", "float_list"):
        return [as_number(part.strip()) for part in typed.split(",") if part.strip()]
    if not typed and field.optional:
        return None
    return as_number(typed) if field.numeric else typed


def read_several(field: Field, typed: str | None) -> list[Any]:
    """The values to try that were typed: divided by commas, lists by semicolons."""
    divider = ";" if field.type in ("int_list", "float_list") else ","
    return [read(field, part) for part in (typed or "").split(divider) if part.strip()]


def help_of(field: Field) -> str:
    """The help of a field's widget: what the field says of itself, and what is allowed."""
    return f"{ui.text(field.help)} Allowed: {ui.text(field.allowed)}."


# Widgets


def one_value(name: str, field: Field, value: Any, *, placeholder: str = "") -> Any:
    """Draw a widget for one value of a field, and return the value, unchecked.

    Args:
        name: The dotted key.
        field: Its type, limits and help.
        value: What it starts with.
        placeholder: What an empty widget says; given, an empty widget returns None.
    """
    common: dict[str, Any] = {"key": key(name), "help": help_of(field), "persist_state": "session"}
    label = field.name.rpartition(".")[2]
    if placeholder:
        typed = st.text_input(label, "" if value is None else written(value), placeholder=placeholder, **common)
        return read(field, typed) if typed.strip() else None
    if field.type == "choice":
        options = field.offered(value)
        index = options.index(value) if value in options else 0
        return st.selectbox(label, options, index=index, accept_new_options=bool(field.numbered), **common)
    if field.type == "bool":
        return st.selectbox(label, [True, False], index=0 if value else 1, format_func=_yes_no, **common)
    if field.type == "int" and not field.choices:
        limits = {
            bound: None if limit is None else int(limit)
            for bound, limit in (("min_value", field.minimum), ("max_value", field.maximum))
        }
        empty = {"placeholder": "all"} if field.optional else {}
        return st.number_input(label, value=None if value is None else int(value), step=1, **limits, **empty, **common)
    if name.startswith("data.") and (files := _files(name)):
        # A path that is not among them can be typed.
        options = ["", *files] if value in (None, "", *files) else ["", str(value), *files]
        place = options.index(str(value or ""))
        return st.selectbox(label, options, place, accept_new_options=True, placeholder="choose a file", **common) or ""
    return read(field, st.text_input(label, written(value), **common))


def _files(name: str) -> list[str]:
    """The files of the data folder that a field of the chosen data set may name; nothing for any other field."""
    setting, _, sets = name.removeprefix("data.").partition("@")
    return sorted({path for dataset in sets.split("+") for path in offered(dataset, setting)})


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


def _options(field: Field, values: list[Any]) -> list[Any]:
    return [True, False] if field.type == "bool" else field.offered(*values)


def several_values(name: str, field: Field, axis: dict[str, Any], default: Any) -> dict[str, Any]:
    """Draw the widgets for the values of a field to try, and return them as a spec writes them, unchecked."""
    common: dict[str, Any] = {"persist_state": "session"}
    if field.type in ("choice", "bool"):
        values = axis.get("values", [default])
        options = _options(field, values)
        chosen = st.multiselect(
            f"Values of {name}", options, [value for value in values if value in options],
            key=key(f"{name}:values"), label_visibility="collapsed", placeholder="Choose the values to try",
            format_func=_yes_no if field.type == "bool" else str, accept_new_options=bool(field.numbered), **common,
        )  # fmt: skip
        return {"values": chosen}
    ranged = "low" in axis
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        if field.numeric:
            how = st.segmented_control(
                f"How to give {name}", ["List", "Range"], default="Range" if ranged else "List", required=True,
                key=key(f"{name}:how"), label_visibility="collapsed", **common,
            )  # fmt: skip
            ranged = how == "Range"
        if not ranged:
            divider = "; " if field.type in ("int_list", "float_list") else ", "
            typed = st.text_input(
                f"Values of {name}", divider.join(written(value) for value in axis.get("values", [default])),
                key=key(f"{name}:values"), label_visibility="collapsed", width=260, **common,
                placeholder="64; 64, 64; 128" if divider == "; " else "values, divided by commas",
            )  # fmt: skip
            return {"values": read_several(field, typed)}
        start = axis if "low" in axis else _range_around(field, default)
        typed = {}
        for bound, word in (("low", "from"), ("high", "to"), ("steps", "steps")):
            typed[bound] = st.text_input(
                word, written(start.get(bound)), key=key(f"{name}:{bound}"), width=76, **common,
                placeholder="any" if bound == "steps" else "",
                help="How many values of the range are tried. Left empty: any of it, which grid cannot."
                if bound == "steps" else None,
            )  # fmt: skip
        log = st.checkbox("log", bool(start.get("log")), key=key(f"{name}:log"), **common)
    result: dict[str, Any] = {bound: as_number(typed[bound].strip()) for bound in ("low", "high")}
    result |= {"log": True} if log else {}
    result |= {"steps": as_number(typed["steps"].strip())} if typed["steps"].strip() else {}
    return result | ({"integer": True} if axis.get("integer") else {})


def _range_around(field: Field, default: Any) -> dict[str, Any]:
    centre = default if isinstance(default, int | float) and not isinstance(default, bool) and default > 0 else 0.1
    if field.type == "int":
        low, high = max(int(field.minimum or 1), int(centre) // 4, 1), int(centre) * 4
        return {"low": low, "high": max(high, low + 1), "log": True, "steps": 3}
    high = centre * 10 if field.maximum is None else min(centre * 10, field.maximum)
    return {"low": centre / 10, "high": high, "log": True, "steps": 3}
