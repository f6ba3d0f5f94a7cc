"""The launch form: the catalogue's fields as widgets, what they say as plain data for `sweeps.spec.checks`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import streamlit as st

from app.launch import coupled
from app.launch.state import FIRST, base, fix, key, varied, vary
from app.launch.widgets import help_of, one_value, several_values
from app.shared import metrics, ui
from sweeps import spec as specs
from sweeps.catalogue import Catalogue, Entry, load
from sweeps.catalogue.metrics import direction
from sweeps.fields import Field
from sweeps.spec import yaml_text

TITLES: Final = {
    "data": "Data", "model": "Model", "optimizer": "Optimizer", "schedule": "Learning-rate schedule",
    "regularization": "Regularization", "trainer": "Training",
}  # fmt: skip


def _names(section: str) -> list[str]:
    """What is chosen in a named section, before its widget has been drawn."""
    name = f"{section}.name"
    started = base().get(section) or {}
    axis = (base().get("search") or {}).get(name, {})
    if name in varied():
        return list(st.session_state.get(key(f"{name}:values"), axis.get("values") or [started.get("name")]))
    default = {"optimizer": "adam", "schedule": "constant"}.get(section) or FIRST[section]["name"]
    one = [] if name in coupled.always_set() else [st.session_state.get(key(name), started.get("name") or default)]
    return list(dict.fromkeys([*one, *coupled.names(section)]))


def _offered(catalogue: Catalogue, section: str) -> dict[str, Entry]:
    """What may be chosen in a section: of the models those that fit every data set that is tried."""
    entries = catalogue.named[section]
    if section != "model":
        return entries
    fitting = catalogue.models_for(*(name for name in _names("data") if name in catalogue.datasets))
    return {name: entries[name] for name in fitting} or entries


def _entry_fields(catalogue: Catalogue, section: str, name: str) -> dict[str, Field]:
    """The fields of an entry; of a model's losses those that fit the task of every data set that is tried."""
    if section != "model":
        return catalogue.named[section][name].fields
    return catalogue.fields_on(name, *(dataset for dataset in _names("data") if dataset in catalogue.datasets))


def fields_of(catalogue: Catalogue, section: str) -> dict[str, tuple[Field, bool]]:
    """The fields of all names that are chosen in a section, each with whether these names share its default."""
    if section in catalogue.sections:
        return {name: (field, True) for name, field in catalogue.sections[section].items()}
    offered = _offered(catalogue, section)
    fields: dict[str, list[Field]] = {}
    for entry_name in _names(section):
        for name, field in _entry_fields(catalogue, section, entry_name).items() if entry_name in offered else ():
            fields.setdefault(name, []).append(field)
    return {
        name: (same_name[0], all(field.default == same_name[0].default for field in same_name))
        for name, same_name in fields.items()
    }


def _name_field(section: str, offered: Iterable[str]) -> Field:
    return Field("name", "choice", None, choices=tuple(offered), help=f"The {TITLES[section].lower()}.")


def _cell(name: str, field: Field, value: Any, *, of: str = "", placeholder: str = "") -> Any:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xxsmall"):
        # Each name of a section has its own widgets: the learning rate of adam is none for sgd.
        result = one_value(f"{name}@{of}" if of else name, field, value, placeholder=placeholder)
        st.button(
            "Try several", key=f"icon-vary-{key(name)}", icon=":material/playlist_add:", type="tertiary",
            help=f"Try several values of {name}", on_click=vary, args=(name,),
        )  # fmt: skip
    return result


def section(catalogue: Catalogue, part: str) -> dict[str, Any]:
    """Draw the widgets of one section for what is not varied, and return what differs from the defaults."""
    started = dict(base().get(part) or {})
    values: dict[str, Any] = {}
    named = part in catalogue.named
    with st.grid("auto", min_column_width=150, gap=("small", "medium")):
        if named and f"{part}.name" not in (*varied(), *coupled.always_set()):
            offered = _offered(catalogue, part)
            chosen = _names(part)[0]
            values["name"] = _cell(f"{part}.name", _name_field(part, offered), chosen)
        elif named and started.get("name") in _names(part):
            values["name"] = started["name"]
        unchanged = not named or started.get("name") in (*_names(part), None)
        for name, (field, shared) in fields_of(catalogue, part).items():
            dotted = f"{part}.{name}"
            if dotted in (*varied(), *coupled.always_set()):
                continue
            written_before = unchanged and name in started
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


def _row(name: str, help: str, editor: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Draw the row of a searched key, and return what its editor returns.

    Args:
        name: The key.
        help: What is said of it.
        editor: Draws the widgets for what is tried.
    """
    with st.container(key=f"row-vary-{name.replace('.', '-')}"):
        label, widgets, remove = st.columns([2.2, 6.4, 0.5], vertical_alignment="center")
        label.markdown(f"`{name}`", help=help)
        with widgets:
            axis = editor()
        remove.button(
            "Only one value", key=f"icon-fix-{key(name)}", icon=":material/close:", type="tertiary",
            help=f"Only one value of {name}", on_click=fix, args=(name,),
        )  # fmt: skip
    return axis


def search(catalogue: Catalogue) -> dict[str, Any]:
    """Draw the editor of what is varied, and return the spec's `search`."""
    axes: dict[str, Any] = {}
    started = base().get("search") or {}
    for name in list(varied()):
        part, _, setting = name.partition(".")
        if coupled.is_coupled(name):
            axes[name] = _row(name, coupled.HELP, partial(coupled.editor, name))
            continue
        if setting == "name":
            field, default = _name_field(part, _offered(catalogue, part)), (base().get(part) or {}).get("name")
        else:
            fields = fields_of(catalogue, part)
            if setting not in fields:
                st.caption(f"`{name}` is left out: {ui.text(', '.join(map(str, _names(part))))} has no such setting.")
                continue
            field, default = fields[setting][0], (base().get(part) or {}).get(setting, fields[setting][0].default)
        editor = partial(several_values, name, field, started.get(name) or {}, default)
        axes[name] = _row(name, help_of(field), editor)
    return axes


def searchable(catalogue: Catalogue) -> list[str]:
    """The dotted keys that are not varied yet."""
    keys = []
    for part in TITLES:
        names = ["name"] if part in catalogue.named else []
        keys += [f"{part}.{name}" for name in [*names, *fields_of(catalogue, part)]]
    return [name for name in keys if name not in varied() and name not in coupled.set_keys()]


def scalar(name: str, *, default: Any = None) -> Any:
    """A widget for one of the sweep's own fields, such as `seeds`."""
    field = specs.FIELDS[name]
    head, _, last = name.rpartition(".")
    started = (base().get(head) or {}) if head else base()
    return one_value(name, field, started.get(last, field.default if default is None else default))


def record(catalogue: Catalogue) -> dict[str, bool]:
    """Draw a switch for each recorder, and return those that are turned off."""
    started = base().get("record") or {}
    switches = {
        name: one_value(f"record.{name}", field, started.get(name, field.default))
        for name, field in catalogue.sections["record"].items()
    }
    return {name: on for name, on in switches.items() if on is False}


def objective(catalogue: Catalogue) -> dict[str, Any]:
    """Draw the widgets for what trials are ranked by; returns the values of `objective.metric` and the like."""
    started = base().get("objective") or {}
    datasets = [name for name in _names("data") if name in catalogue.datasets]
    models = [name for name in _names("model") if name in catalogue.models]
    field = specs.metric_field(catalogue, itertools.product(datasets, models))
    if field.choices:
        field = replace(field, help=f"{field.help} {metrics.legend(catalogue.tasks_of(*datasets))}")
    # Other data have other metrics; a model that logs metrics of its own has a box to type in.
    start = started.get("metric", field.default)
    start = start if not field.choices or start in field.choices else field.default
    metric = one_value(f"{field.name}@{field.type}", field, start)
    # Each metric has its own direction: what is better of it, unless the sweep that was loaded says otherwise.
    better = direction(catalogue.better(str(metric)))
    directed = started.get("direction", better) if metric == started.get("metric") else better
    name = "objective.direction"
    return {
        field.name: metric,
        name: one_value(f"{name}@{metric}", specs.FIELDS[name], directed),
        "objective.at": scalar("objective.at"),
    }


def combinations(axes: Mapping[str, Mapping[str, Any]]) -> int | None:
    """How many configurations the values to try make; None where a range has no steps, or says no number."""
    counts = [len(axis.get("values") or axis.get("settings") or ()) or axis.get("steps") for axis in axes.values()]
    return math.prod(counts) if all(isinstance(count, int) and count > 0 for count in counts) else None


def assemble(parts: dict[str, dict[str, Any]], axes: dict[str, Any], scalars: dict[str, Any]) -> dict[str, Any]:
    """The whole form as plain data, in the order in which one writes a sweep by hand."""
    raw: dict[str, Any] = {name: scalars[name] for name in ("name", "question") if scalars.get(name)}
    raw |= {"experiment": scalars["experiment"]} if scalars.get("experiment") else {}
    raw |= {part: values for part, values in parts.items() if values and values != {"name": "constant"}}
    raw |= {"search": axes} if axes else {}
    for name in ("keep", "sampler", "trials", "pruner", "seeds", "seed", "vary", "workers"):
        if name in scalars and scalars[name] is not None:
            raw[name] = scalars[name]
    for part in ("replicate", "objective", "confirm"):
        values = {name.partition(".")[2]: value for name, value in scalars.items() if name.startswith(f"{part}.")}
        raw |= {part: {name: value for name, value in values.items() if value is not None}} if values else {}
    return raw | ({"claim": base()["claim"]} if "claim" in base() else {})


def yaml_of(raw: dict[str, Any]) -> str:
    """The YAML of a form that cannot be run yet."""
    return yaml_text.write(raw)


def catalogue() -> Catalogue:
    """The models, data sets, optimizers and sections that the form offers."""
    return load()


def not_offered(catalogue: Catalogue) -> str:
    """Which models are not offered, and why: one sentence of Markdown, or nothing."""
    offered = _offered(catalogue, "model")
    missing = [name for name in catalogue.models if name not in offered]
    if not missing:
        return ""
    sets = _names("data")
    entries = [catalogue.datasets[name] for name in sets if name in catalogue.datasets]
    tasks = dict.fromkeys(metrics.in_words(entry.asks) for entry in entries)
    return ui.text(f"Not offered for {', '.join(map(str, sets))} ({' and '.join(tasks)}): {', '.join(missing)}.")
