"""The launch form: the catalogue's fields as widgets, what they say as plain data for `sweeps.spec.checks`.

The form starts from `base`, the plain data of a sweep (a first good one, a lab, a copy, pasted YAML). Loading another
base begins a new generation of widget keys, so that every widget starts afresh from it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import streamlit as st
import yaml

from app.shared import ui
from sweeps import spec as specs
from sweeps.catalogue import Catalogue, Entry, load
from sweeps.catalogue.data_files import offered
from sweeps.fields import Field, as_number
from sweeps.spec import yaml_text
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

TITLES: Final = {
    "data": "Data", "model": "Model", "optimizer": "Optimizer", "schedule": "Learning-rate schedule",
    "regularization": "Regularization", "trainer": "Training",
}  # fmt: skip
TASK_LABELS: Final = {"regression": "a regression", "binary": "two classes", "multiclass": "many classes"}
"""Each of `learning_tasks.TASKS`, which the app cannot import, in words."""


# The form's state


def _state() -> dict[str, Any]:
    return st.session_state.setdefault("_form", {"base": copy.deepcopy(FIRST), "generation": 0, "first": True})


def base() -> dict[str, Any]:
    """What the form started from."""
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
    """From now on, the sweep claims nothing."""
    base().pop("claim", None)


def key(name: str) -> str:
    """The widget key of a field in this generation."""
    return f"f{_state()['generation']}:{name}"


def _varied() -> list[str]:
    return st.session_state.setdefault(key("varied"), list(base().get("search") or {}))


def vary(name: str) -> None:
    """From now on, values to try for this key."""
    if name not in _varied():
        _varied().append(name)


def fix(name: str) -> None:
    """From now on, one value for this key."""
    if name in _varied():
        _varied().remove(name)


# From text to values and back


def written(value: Any) -> str:
    """A value as one types it."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(written(item) for item in value)
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def read(field: Field, typed: str | None) -> Any:
    """What was typed for a field, not yet checked."""
    typed = (typed or "").strip()
    if field.type in ("int_list", "float_list"):
        return [as_number(part.strip()) for part in typed.split(",") if part.strip()]
    if not typed and field.optional:
        return None
    return as_number(typed) if field.numeric else typed


def read_several(field: Field, typed: str | None) -> list[Any]:
    """The values to try: divided by commas, lists by semicolons."""
    divider = ";" if field.type in ("int_list", "float_list") else ","
    return [read(field, part) for part in (typed or "").split(divider) if part.strip()]


def help_of(field: Field) -> str:
    """A field's help with what is allowed."""
    return f"{ui.text(field.help)} Allowed: {ui.text(field.allowed)}."


# Widgets


def one(name: str, field: Field, value: Any, *, placeholder: str = "") -> Any:
    """A widget for one value of a field; returns the value, unchecked.

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
    """What the data folder holds for a field of the data that is chosen, by its key; nothing for any other field."""
    own, _, sets = name.removeprefix("data.").partition("@")
    return sorted({path for dataset in sets.split("+") for path in offered(dataset, own)})


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


def _options(field: Field, values: list[Any]) -> list[Any]:
    return [True, False] if field.type == "bool" else field.offered(*values)


def several(name: str, field: Field, axis: dict[str, Any], default: Any) -> dict[str, Any]:
    """Widgets for the values to try of a field; returns them as a spec writes them, unchecked."""
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


# Sections


def _names(section: str) -> list[str]:
    """What is chosen in a named section, before its widget has been drawn."""
    name = f"{section}.name"
    started = base().get(section) or {}
    axis = (base().get("search") or {}).get(name, {})
    if name in _varied():
        return list(st.session_state.get(key(f"{name}:values"), axis.get("values") or [started.get("name")]))
    default = {"optimizer": "adam", "schedule": "constant"}.get(section) or FIRST[section]["name"]
    return [st.session_state.get(key(name), started.get("name") or default)]


def _offered(catalogue: Catalogue, section: str) -> dict[str, Entry]:
    """What may be chosen in a section: of the models those that fit every data set that is tried."""
    entries = catalogue.named[section]
    if section != "model":
        return entries
    sets = [catalogue.datasets[name].asks for name in _names("data") if name in catalogue.datasets]
    fitting = [set(catalogue.models_for(*asks)) for asks in sets]
    return {name: entry for name, entry in entries.items() if all(name in models for models in fitting)} or entries


def fields_of(catalogue: Catalogue, section: str) -> dict[str, tuple[Field, bool]]:
    """The fields that one of a section's chosen names has, each with whether all of them have the same default."""
    if section in catalogue.sections:
        return {name: (field, True) for name, field in catalogue.sections[section].items()}
    offered = _offered(catalogue, section)
    found: dict[str, list[Field]] = {}
    for chosen in _names(section):
        for name, field in (offered[chosen].fields if chosen in offered else {}).items():
            found.setdefault(name, []).append(field)
    return {name: (own[0], all(field.default == own[0].default for field in own)) for name, own in found.items()}


def _name_field(section: str, offered: Iterable[str]) -> Field:
    return Field("name", "choice", None, choices=tuple(offered), help=f"The {TITLES[section].lower()}.")


def _cell(name: str, field: Field, value: Any, *, of: str = "", placeholder: str = "") -> Any:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xxsmall"):
        # Each name of a section has widgets of its own: the learning rate of adam is none for sgd.
        result = one(f"{name}@{of}" if of else name, field, value, placeholder=placeholder)
        st.button(
            "Try several", key=f"icon-vary-{key(name)}", icon=":material/playlist_add:", type="tertiary",
            help=f"Try several values of {name}", on_click=vary, args=(name,),
        )  # fmt: skip
    return result


def section(catalogue: Catalogue, part: str) -> dict[str, Any]:
    """The widgets of one section for what is not varied; returns what differs from the defaults."""
    started = dict(base().get(part) or {})
    values: dict[str, Any] = {}
    named = part in catalogue.named
    with st.grid("auto", min_column_width=150, gap=("small", "medium")):
        if named and f"{part}.name" not in _varied():
            offered = _offered(catalogue, part)
            chosen = _names(part)[0]
            values["name"] = _cell(f"{part}.name", _name_field(part, offered), chosen)
        elif named and started.get("name") in _names(part):
            values["name"] = started["name"]
        own = not named or started.get("name") in (*_names(part), None)
        for name, (field, shared) in fields_of(catalogue, part).items():
            dotted = f"{part}.{name}"
            if dotted in _varied():
                continue
            written_before = own and name in started
            value = started[name] if written_before else field.default if shared else None
            result = _cell(
                dotted, field, value, of="+".join(map(str, _names(part))) if named else "",
                placeholder="" if shared or written_before else "each its own default",
            )  # fmt: skip
            if not shared and not written_before:
                differs = result is not None
            else:
                differs = (result is not None or field.optional) and (written_before or result != field.default)
            if differs:
                values[name] = result
    return values


def search(catalogue: Catalogue) -> dict[str, Any]:
    """The editor of what is varied; returns the spec's `search`."""
    axes: dict[str, Any] = {}
    started = base().get("search") or {}
    for name in list(_varied()):
        part, _, own = name.partition(".")
        if own == "name":
            field, default = _name_field(part, _offered(catalogue, part)), (base().get(part) or {}).get("name")
        else:
            known = fields_of(catalogue, part)
            if own not in known:
                st.caption(f"`{name}` is left out: {ui.text(', '.join(map(str, _names(part))))} has no such setting.")
                continue
            field, default = known[own][0], (base().get(part) or {}).get(own, known[own][0].default)
        with st.container(key=f"row-vary-{name.replace('.', '-')}"):
            label, editor, remove = st.columns([2.2, 6.4, 0.5], vertical_alignment="center")
            label.markdown(f"`{name}`", help=help_of(field))
            with editor:
                axes[name] = several(name, field, started.get(name) or {}, default)
            remove.button(
                "Only one value", key=f"icon-fix-{key(name)}", icon=":material/close:", type="tertiary",
                help=f"Only one value of {name}", on_click=fix, args=(name,),
            )  # fmt: skip
    return axes


def searchable(catalogue: Catalogue) -> list[str]:
    """The dotted keys that are not varied yet."""
    keys = []
    for part in TITLES:
        own = ["name"] if part in catalogue.named else []
        keys += [f"{part}.{name}" for name in [*own, *fields_of(catalogue, part)]]
    return [name for name in keys if name not in _varied()]


def scalar(name: str, *, default: Any = None) -> Any:
    """A widget for one of the sweep's own fields, such as `seeds` or `objective.metric`."""
    field = specs.FIELDS[name]
    head, _, last = name.rpartition(".")
    started = (base().get(head) or {}) if head else base()
    if name == specs.ANY_METRIC.name:
        entries = catalogue().models
        field = specs.metric_field(entries[model] for model in _names("model") if model in entries)
        name = f"{name}@{field.type}"  # a box to type in where the model logs metrics of its own
    return one(name, field, started.get(last, field.default if default is None else default))


def combinations(axes: Mapping[str, Mapping[str, Any]]) -> int | None:
    """How many configurations the values to try make; None where a range has no steps, or says no number."""
    counts = [len(axis["values"]) if "values" in axis else axis.get("steps") for axis in axes.values()]
    return math.prod(counts) if all(isinstance(count, int) and count > 0 for count in counts) else None


def assemble(parts: dict[str, dict[str, Any]], axes: dict[str, Any], scalars: dict[str, Any]) -> dict[str, Any]:
    """The whole form as plain data, in the order in which a person writes a sweep."""
    raw: dict[str, Any] = {name: scalars[name] for name in ("name", "question") if scalars.get(name)}
    raw |= {"experiment": scalars["experiment"]} if scalars.get("experiment") else {}
    raw |= {part: own for part, own in parts.items() if own and own != {"name": "constant"}}
    raw |= {"search": axes} if axes else {}
    for name in ("keep", "sampler", "trials", "pruner", "seeds", "seed", "vary", "workers"):
        if name in scalars and scalars[name] is not None:
            raw[name] = scalars[name]
    for part in ("replicate", "objective", "confirm"):
        own = {name.partition(".")[2]: value for name, value in scalars.items() if name.startswith(f"{part}.")}
        raw |= {part: {name: value for name, value in own.items() if value is not None}} if own else {}
    return raw | ({"claim": base()["claim"]} if "claim" in base() else {})


def yaml_of(raw: dict[str, Any]) -> str:
    """The YAML of a form that cannot be run yet."""
    return yaml_text.write(raw)


def catalogue() -> Catalogue:
    """All that may be chosen."""
    return load()


def not_offered(catalogue: Catalogue) -> str:
    """Which models are not offered, and why: one sentence of Markdown, or nothing."""
    offered = _offered(catalogue, "model")
    missing = [name for name in catalogue.models if name not in offered]
    if not missing:
        return ""
    sets = _names("data")
    entries = [catalogue.datasets[name] for name in sets if name in catalogue.datasets]
    tasks = dict.fromkeys(" or ".join(TASK_LABELS[task] for task in entry.asks) for entry in entries)
    return ui.text(f"Not offered for {', '.join(map(str, sets))} ({' and '.join(tasks)}): {', '.join(missing)}.")
