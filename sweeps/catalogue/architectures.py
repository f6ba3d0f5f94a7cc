"""Writes `docs/architectures.md`: what each model of ours is, its paper, what it is checked against, its parameters.

All of it comes from the registry: the facts from the sections `Paper:`, `Written out:` and `Checked against:` of the
class's docstring, the rest from the catalogue, the parameters from the model, built for the first data set that it
fits. A model without one of the sections cannot be written down, and a test says so.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sweeps.catalogue.build import ABOUT
from sweeps.catalogue.entries import Entry, fits
from sweeps.fields import Field, show

ROOT: Final = Path(__file__).parents[2]
FILE: Final = ROOT / "docs" / "architectures.md"
_HEAD: Final = """\
# Architectures

The networks that Sweepboard brings, in the order of the launch form. This page is made from their classes: after a
change of one, `sweepboard catalogue --write` writes it again, and a test fails until it is done.

*Written out* says what our own code does and what it leaves to torch. *Checked against* names the independent truth
that the tests hold it to. Every network also passes the contract of `tests/lightning_modules/test_contract.py`: it
learns ten examples by heart, gradients reach every parameter, the same seed gives the same numbers, and copies that are
trained as one equal a loop over them. A run of it that is killed goes on to the same numbers
(`tests/sweeps/training/test_same_numbers.py`).
"""
_WRAPPED: Final = textwrap.TextWrapper(120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
_FIELD_HEAD: Final = "| field | default | allowed |\n|---|---|---|"


def about(model: type) -> dict[str, str]:
    """The text of each section of ABOUT in a class's own docstring.

    Raises:
        TypeError: The docstring lacks one.
    """
    texts = {}
    for section in ABOUT:
        match = re.search(rf"^{section}:\n((?:    .*\n?)+)", inspect.cleandoc(model.__doc__ or ""), re.MULTILINE)
        if match is None:
            raise TypeError(
                f"{model.__name__}: its docstring has no section '{section}:' with a text below it, as in "
                "lightning_modules/lenet.py; docs/architectures.md needs it."
            )
        texts[section] = " ".join(match[1].split())
    return texts


def first_fitting(model: Entry, datasets: Mapping[str, Entry]) -> str:
    """The first data set that a model can be trained on and that needs no file of the user's.

    Raises:
        LookupError: There is none.
    """
    for name, dataset in datasets.items():
        if fits(model, dataset) and not any(field.required for field in dataset.fields.values()):
            return name
    raise LookupError(f"no data set without files fits the model {model.name}")


def _parameters(model: type, dataset: str) -> str:
    """`61,706 on digits`: the number of parameters at the defaults of a model and a data set."""
    from data import DATASETS

    module: Any = model.for_data(DATASETS[dataset]().dims)  # type: ignore[attr-defined]  # a Module, which needs torch
    return f"{sum(parameter.numel() for parameter in module.parameters()):,} on {dataset}, both at their defaults"


def _linked(text: str) -> str:
    """The text with a link for each file of ours that it names."""
    return re.sub(r"\b((?:tests|lightning_modules)/[\w/]+\.py)", r"[\1](../\1)", text)


def _field_line(field: Field) -> str:
    return f"| `{field.name}` | {show(field.default)} | {field.allowed} |".replace('"', "")


def _part(name: str, model: type, entry: Entry, datasets: Mapping[str, Entry]) -> str:
    """What the page says of one model."""
    source = Path(inspect.getfile(model)).relative_to(ROOT).as_posix()
    facts = {
        **about(model),
        "Tasks": ", ".join(entry.tasks),
        "Inputs": ", ".join(entry.takes),
        "Parameters": _parameters(model, first_fitting(entry, datasets)),
        "File": source,
    }
    lines = [f"## {name}", "", *textwrap.wrap(" ".join([entry.summary, *entry.help.split()]), 120), ""]
    for fact, text in facts.items():
        lines += _WRAPPED.wrap(f"- **{fact}.** {_linked(text)}")
    if entry.fields:
        lines += ["", _FIELD_HEAD, *map(_field_line, entry.fields.values())]
    return "\n".join(lines) + "\n"


def page(built: Mapping[str, Any]) -> str:
    """The text that the page should have; builds each model.

    Args:
        built: The catalogue, as `sweeps.catalogue.build.build` makes it.

    Raises:
        TypeError: The docstring of a model lacks a section.
    """
    from lightning_modules import MODELS

    models, datasets = (
        {name: Entry.from_json(name, entry) for name, entry in built.get(kind, {}).items()}
        for kind in ("models", "datasets")
    )
    parts = [_part(name, MODELS[name], entry, datasets) for name, entry in models.items()]
    return "\n".join([_HEAD, *parts])
