"""The catalogue: the models, data sets, optimizers and schedules there are, and their fields.

It is generated from typed constructor arguments and Google-style docstrings (`build`, which imports torch) and kept
beside this file as JSON, so that the launch form and the checks of a sweep (`load`) need neither torch nor the classes.
After a change of a class: `python -m sweeps catalogue --write`. `load` adds the models of the user's own modules, which
a process of its own has read (`sweeps.catalogue.user_models`).

An argument is a field if it is annotated `int`, `float`, `bool`, `str`, `Literal[...]`, a list or tuple of numbers, or
one of these `| None` or `| Literal[...]`, can be given by name, and is no size that the data decides. Limits come from
`Annotated[..., Ge(1)]` and the like (annotated_types), help from the docstring's `Args:`. A text that may not be empty
and is so by default must be given by a person.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sweeps.fields import Field as Field
from sweeps.fields import SpecError as SpecError
from sweeps.fields import nearest, refusal

if TYPE_CHECKING:
    from sweeps.catalogue.user_models import UserModels

FILE: Final = Path(__file__).with_suffix(".json")

NOT_FIELDS: Final = frozenset(
    {"self", "input_shape", "num_outputs", "task", "recipe", "disjoint", "seed_data", "seed_init", "seed_order"}
)
"""Arguments that the data, the seeds or a sweep's `replicate` decide."""


def _section(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


SECTIONS: Final[dict[str, dict[str, Field]]] = {
    "regularization": _section(
        Field("l1", "float", 0.0, minimum=0, help="Strength of the penalty l1·Σ|w|, over weights only."),
        Field("l2", "float", 0.0, minimum=0, help="Strength of the penalty (l2/2)·Σw², over weights only."),
        Field(
            "label_smoothing", "float", 0.0, minimum=0, maximum=1, exclusive_maximum=True,
            help="While training a classification, the target has this share spread evenly over all classes.",
        ),
        Field(
            "early_stopping_patience", "int", 0, minimum=0, maximum=100_000,
            help="Stop after this many epochs in a row without a better validation loss; 0 trains to the last epoch.",
        ),
    ),
    "trainer": _section(
        Field("max_epochs", "int", 20, minimum=1, maximum=100_000, help="Passes over the training data."),
        Field(
            "device", "choice", "auto", choices=("auto", "cpu", "cuda", "mps"), numbered=("cuda",),
            help="Where to train: auto takes a GPU if there is one, auto and cuda spread runs over several, cuda:1 is "
            "the second.",
        ),
        Field(
            "precision", "choice", 32, choices=(32, 64, "bf16-mixed", "16-mixed"),
            help="Bits of the numbers to compute with; mixed ones keep the weights in 32, and 16-mixed needs cuda.",
        ),
        Field(
            "gradient_clip_val", "float", 0.0, minimum=0,
            help="A longer gradient is scaled down to this norm; 0 never clips.",
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One name of the catalogue: a model, a data set, an optimizer or a schedule."""

    name: str
    summary: str
    """The docstring's first line."""
    help: str
    """The rest of the docstring, down to `Args:`."""
    fields: dict[str, Field]
    """In the order of the constructor's arguments, the common ones last."""
    tasks: tuple[str, ...] = ()
    """What a model can be trained for: regression, binary, multiclass; what a data set may turn out to ask for."""
    task: str = ""
    """What a data set asks for, if that is known before its files are read."""
    source: str = ""
    """Of a model of the user's own: the file or package that defines it."""
    class_name: str = ""
    """And the name of its class."""
    foreign: bool = False
    """A plain LightningModule, which has a loss and metrics of its own."""
    own_optimizer: bool = False
    """It configures its optimizers itself: those of a configuration are not used."""

    @property
    def asks(self) -> tuple[str, ...]:
        """The tasks that a data set may ask for: more than one where its files decide."""
        return self.tasks or (self.task,)

    def as_json(self) -> dict[str, Any]:
        """As the file holds it."""
        kind = {"task": self.task} if self.task else {"tasks": list(self.tasks)} if self.tasks else {}
        fields = [field.as_json() for field in self.fields.values()]
        more = {name: getattr(self, name) for name in _OF_USERS if getattr(self, name)}
        return {"summary": self.summary, "help": self.help, **kind, **more, "fields": fields}

    @classmethod
    def from_json(cls, name: str, stored: Mapping[str, Any]) -> Entry:
        """The inverse of `as_json`."""
        fields = {field["name"]: Field.from_json(field) for field in stored["fields"]}
        tasks, task = tuple(stored.get("tasks", ())), stored.get("task", "")
        more = {name: stored[name] for name in _OF_USERS if name in stored}
        return cls(name, stored["summary"], stored["help"], fields, tasks, task, **more)


_OF_USERS: Final = ("source", "class_name", "foreign", "own_optimizer")


@dataclass(frozen=True)
class Catalogue:
    """All there is to choose from."""

    models: dict[str, Entry]
    datasets: dict[str, Entry]
    optimizers: dict[str, Entry]
    schedules: dict[str, Entry]
    sections: dict[str, dict[str, Field]]
    """The parts of a configuration that have fields but no name: regularization, trainer."""

    @property
    def named(self) -> dict[str, dict[str, Entry]]:
        """The sections of a configuration that begin with a name, and what may be named there."""
        return {"model": self.models, "data": self.datasets, "optimizer": self.optimizers, "schedule": self.schedules}

    def entry(self, section: str, name: str) -> Entry:
        """What is named so in a section.

        Raises:
            SpecError: It is not there, or no more: a module of the user's own may be taken away.
        """
        entries = self.named[section]
        if name not in entries:
            raise refusal(f"{section}.name", name, ", ".join(entries), nearest(name, entries))
        return entries[name]

    def models_for(self, *tasks: str) -> list[str]:
        """The models that can be trained for one of the tasks."""
        return [name for name, entry in self.models.items() if not set(tasks).isdisjoint(entry.tasks)]


_KINDS: Final = ("models", "datasets", "optimizers", "schedules")


@functools.cache
def ours(file: Path = FILE) -> Catalogue:
    """What the program brings, from its file: imports nothing that trains."""
    stored = json.loads(file.read_text(encoding="utf-8"))
    kinds = {kind: {name: Entry.from_json(name, entry) for name, entry in stored[kind].items()} for kind in _KINDS}
    return Catalogue(**kinds, sections=SECTIONS)


def load() -> Catalogue:
    """All there is, the models of the user's own included; imports nothing that trains.

    It takes microseconds, but for the first call after a change of those modules: it waits until a process of its own
    has read them, some ten seconds.
    """
    from sweeps.catalogue import user_models

    return _with(user_models.current())


@functools.lru_cache(maxsize=2)
def _with(users: UserModels) -> Catalogue:
    return replace(ours(), models={**ours().models, **users.entries})


# Reading the classes


def _arguments(factory: Callable[..., Any]) -> Iterator[tuple[inspect.Parameter, Any, str]]:
    """(parameter, its annotation, its help), following `**kwargs` to the base classes' constructors."""
    if not isinstance(factory, type):
        hints = typing.get_type_hints(factory, include_extras=True)
        texts = argument_texts(inspect.getdoc(factory) or "")
        for parameter in inspect.signature(factory).parameters.values():
            yield parameter, hints.get(parameter.name), texts.get(parameter.name, "")
        return
    ours = factory.__module__.partition(".")[0]
    bases = [base for base in factory.__mro__ if base.__module__.partition(".")[0] == ours]
    seen: set[str] = set()
    texts = {}
    for base in reversed(bases):
        for described in (base, base.__dict__.get("__init__")):
            texts.update(argument_texts(inspect.cleandoc(described.__doc__ or "") if described else ""))
    for base in bases:
        constructor = base.__dict__.get("__init__")
        if constructor is None:
            continue
        hints = typing.get_type_hints(constructor, include_extras=True)
        parameters = list(inspect.signature(constructor).parameters.values())
        for parameter in parameters:
            if parameter.name not in seen and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                seen.add(parameter.name)
                yield parameter, hints.get(parameter.name), texts.get(parameter.name, "")
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return


_SECTION_HEAD: Final = re.compile(r"(Args|Arguments|Attributes|Returns|Raises|Shapes?|Examples?|References?)::?\s*$")
_UNDERLINE: Final = re.compile(r"\s*-{3,}\s*")
"""What stands below the head of a section in NumPy's style."""


def _without_doctests(doc: str) -> list[str]:
    """The lines of a docstring, but none from `>>>` to the next empty line, or to one that is indented less."""
    lines: list[str] = []
    indent: int | None = None
    for line in doc.splitlines():
        depth = len(line) - len(line.lstrip())
        if line.lstrip().startswith(">>>"):
            indent = depth
        elif not line.strip() or (indent is not None and depth < indent):
            indent = None
        if indent is None:
            lines.append(line)
    return lines


def argument_texts(doc: str) -> dict[str, str]:
    """What a Google-style docstring (cleaned of its indentation) says about each argument."""
    texts: dict[str, str] = {}
    name, indent, inside = "", -1, False
    for line in _without_doctests(doc):
        depth = len(line) - len(line.lstrip())
        if depth == 0 and line:
            inside = line.strip() in ("Args:", "Arguments:")
            indent = -1
        elif inside and line.strip():
            indent = depth if indent < 0 else indent
            begins = re.match(r"\s*\*{0,2}(\w+)(?:\s*\([^)]*\))?:\s*(.*)", line) if depth == indent else None
            if begins:
                name = begins[1]
                texts[name] = begins[2].strip()
            elif name:
                texts[name] = f"{texts[name]} {line.strip()}".strip()
    return texts


def summary_and_help(doc: str) -> tuple[str, str]:
    """A docstring's first paragraph, and the others down to its first section; doctests are none of it."""
    lines = _without_doctests(doc)
    head: list[str] = []
    for line, below in itertools.pairwise([*lines, ""]):
        if _SECTION_HEAD.match(line) or _UNDERLINE.fullmatch(below):
            break
        head.append(line)
    first, _, rest = "\n".join(head).strip().partition("\n\n")
    return " ".join(first.split()), rest.strip()


def field_of(name: str, annotation: Any, default: Any, help: str = "") -> Field:
    """The field that an annotated argument describes.

    Raises:
        TypeError: The annotation is none that a form could ask for.
    """
    kinds: set[str] = set()
    choices: list[Any] = []
    limits: dict[str, Any] = {}

    def limit(marks: Iterable[Any]) -> None:
        for mark in marks:
            if isinstance(mark, Iterable) and not isinstance(mark, str):  # Interval and Len hold others
                limit(mark)
            for bound, field, exclusive in (
                ("ge", "minimum", None), ("gt", "minimum", "exclusive_minimum"),
                ("le", "maximum", None), ("lt", "maximum", "exclusive_maximum"),
                ("min_length", "min_length", None), ("max_length", "max_length", None),
            ):  # fmt: skip
                if not isinstance(mark, Iterable) and getattr(mark, bound, None) is not None:
                    limits[field] = getattr(mark, bound)
                    if exclusive:
                        limits[exclusive] = True

    def read(hint: Any) -> None:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Annotated:
            read(arguments[0])
            limit(arguments[1:])
        elif origin in (typing.Union, types.UnionType):
            for argument in arguments:
                read(argument)
        elif origin is typing.Literal:
            choices.extend(argument for argument in arguments if argument is not None)
            kinds.update({"none"} if None in arguments else ())
        elif hint is None or hint is type(None):
            kinds.add("none")
        elif hint in (bool, int, float, str):
            kinds.add(hint.__name__)
        elif isinstance(origin, type) and issubclass(origin, Sequence):
            inner = field_of(name, arguments[0], None)
            if not inner.numeric:
                raise TypeError(f"argument {name}: {hint!r} is no type that a field can have")
            kinds.add(f"{inner.type}_list")
            limits.update({key: value for key in ("minimum", "maximum", "exclusive_minimum", "exclusive_maximum")
                           if (value := getattr(inner, key)) is not None and value is not False})  # fmt: skip
            if origin is tuple and Ellipsis not in arguments:
                limits.update(min_length=len(arguments), max_length=len(arguments))
        else:
            raise TypeError(f"argument {name}: {hint!r} is no type that a field can have")

    read(annotation)
    optional = "none" in kinds
    kinds.discard("none")
    if kinds == {"int", "float"}:
        kinds = {"float"}
    if len(kinds) > 1 or not (kinds or choices):
        raise TypeError(f"argument {name}: {annotation!r} is no type that a field can have")
    kind: Any = kinds.pop() if kinds else "choice"
    if isinstance(default, tuple):
        default = list(default)
    elif kind == "float" and isinstance(default, int) and not isinstance(default, bool):
        default = float(default)
    required = kind == "str" and default == "" and bool(limits.get("min_length"))
    return Field(name, kind, default, choices=tuple(choices), optional=optional, required=required, help=help, **limits)


# Positional only is what the caller decides, such as an optimizer's parameters.
_NEVER_FIELDS: Final = (
    inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD,
)  # fmt: skip


def entry_of(name: str, factory: Callable[..., Any]) -> Entry:
    """The catalogue's entry of a class or function.

    Raises:
        TypeError: An argument has no default, no help, or a type that a form cannot ask for.
    """
    fields = {}
    for parameter, annotation, help in _arguments(factory):
        if parameter.name in NOT_FIELDS or parameter.kind in _NEVER_FIELDS:
            continue
        where = f"{getattr(factory, '__name__', factory)}, argument {parameter.name}"
        if annotation is None:
            raise TypeError(f"{where}: it has no annotation")
        if parameter.default is parameter.empty:
            raise TypeError(f"{where}: a field needs a default")
        field = field_of(parameter.name, annotation, parameter.default, help)
        if not help:
            raise TypeError(f"{where}: the docstring's Args say nothing about it")
        if not field.required:
            field.check(f"{name}.{field.name}", field.default)
        fields[field.name] = field
    summary, rest = summary_and_help(inspect.getdoc(factory) or "")
    tasks = tuple(getattr(factory, "tasks", ()))
    return Entry(name, summary, rest, fields, tasks, "" if tasks else str(getattr(factory, "task", "")))


def build() -> dict[str, Any]:
    """What the file should hold: reads the classes, and so imports torch."""
    from data import DATASETS
    from lightning_modules import MODELS
    from lightning_modules.optimizers import OPTIMIZERS, SCHEDULES

    registries: tuple[Mapping[str, Any], ...] = (MODELS, DATASETS, OPTIMIZERS, SCHEDULES)
    return {
        kind: {name: entry_of(name, factory).as_json() for name, factory in registry.items()}
        for kind, registry in zip(_KINDS, registries, strict=True)
    }


def as_text(built: Mapping[str, Any]) -> str:
    """The file's text: stable, a line a value, so that a change reads well in a diff."""
    return json.dumps(built, indent=1, ensure_ascii=False) + "\n"
