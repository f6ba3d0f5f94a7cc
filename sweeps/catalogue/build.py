"""Builds the catalogue from typed constructor arguments and Google-style docstrings. Imports torch.

An argument is a field if it is annotated `int`, `float`, `bool`, `str`, `Literal[...]`, a list or tuple of numbers, or
one of these `| None` or `| Literal[...]`, can be given by name, and is not a size that the data decides. Limits come
from `Annotated[..., Ge(1)]` and the like (annotated_types), help from the docstring's `Args:`. A text that may not be
empty and is so by default must be given by the user.
"""

from __future__ import annotations

import inspect
import itertools
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sweeps.catalogue.entries import KINDS, NOT_FIELDS, Entry
from sweeps.catalogue.metrics import TaskMetric, refuse_two_directions
from sweeps.fields import Field


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


ABOUT: Final = ("Paper", "Written out", "Checked against")
"""The sections of the docstring of a model of ours that `docs/architectures.md` is made from."""
_SECTION_HEAD: Final = re.compile(
    rf"(Args|Arguments|Attributes|Returns|Raises|Shapes?|Examples?|References?|{'|'.join(ABOUT)})::?\s*$"
)


_UNDERLINE: Final = re.compile(r"\s*-{3,}\s*")
"""The line below the head of a section in NumPy's style."""


def _without_doctests(doc: str) -> list[str]:
    """The lines of a docstring without those from `>>>` to the next empty line, or to one that is indented less."""
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
    """By argument: its description in a Google-style docstring that is cleaned of its indentation."""
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
    """(a docstring's first paragraph, the others down to its first section), without doctests."""
    lines = _without_doctests(doc)
    head: list[str] = []
    for line, below in itertools.pairwise([*lines, ""]):
        if _SECTION_HEAD.match(line) or _UNDERLINE.fullmatch(below):
            break
        head.append(line)
    first, _, rest = "\n".join(head).strip().partition("\n\n")
    return " ".join(first.split()), rest.strip()


_LIMITS: Final = {
    "ge": ("minimum", None),
    "gt": ("minimum", "exclusive_minimum"),
    "le": ("maximum", None),
    "lt": ("maximum", "exclusive_maximum"),
    "min_length": ("min_length", None),
    "max_length": ("max_length", None),
}
"""Attributes of annotated_types' marks -> the limit of a field, and the flag that is set with it."""


class _Annotation:
    """Gathers what an annotation says about a field.

    Args:
        name: The name of the argument.
        annotation: Its annotation.

    Raises:
        TypeError: The annotation is not one that a form could ask for.
    """

    def __init__(self, name: str, annotation: Any) -> None:
        self.name = name
        self.kinds: set[str] = set()
        self.choices: list[Any] = []
        self.limits: dict[str, Any] = {}
        self._read(annotation)

    def _read(self, hint: Any) -> None:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Annotated:
            self._read(arguments[0])
            self._limit(arguments[1:])
        elif origin in (typing.Union, types.UnionType):
            for argument in arguments:
                self._read(argument)
        elif origin is typing.Literal:
            self.choices.extend(argument for argument in arguments if argument is not None)
            self.kinds.update({"none"} if None in arguments else ())
        elif hint is None or hint is type(None):
            self.kinds.add("none")
        elif hint in (bool, int, float, str):
            self.kinds.add(hint.__name__)
        elif isinstance(origin, type) and issubclass(origin, Sequence):
            self._read_list(hint)
        else:
            raise TypeError(f"argument {self.name}: {hint!r} is no type that a field can have")

    def _read_list(self, hint: Any) -> None:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        item = field_of(self.name, arguments[0], None)
        if not item.numeric:
            raise TypeError(f"argument {self.name}: {hint!r} is no type that a field can have")
        self.kinds.add(f"{item.type}_list")
        for limit in ("minimum", "maximum", "exclusive_minimum", "exclusive_maximum"):
            if (value := getattr(item, limit)) is not None and value is not False:
                self.limits[limit] = value
        if origin is tuple and Ellipsis not in arguments:
            self.limits.update(min_length=len(arguments), max_length=len(arguments))

    def _limit(self, marks: Iterable[Any]) -> None:
        for mark in marks:
            if isinstance(mark, Iterable):
                if not isinstance(mark, str):  # Interval and Len hold others
                    self._limit(mark)
                continue
            for attribute, (limit, exclusive) in _LIMITS.items():
                if getattr(mark, attribute, None) is not None:
                    self.limits[limit] = getattr(mark, attribute)
                    if exclusive:
                        self.limits[exclusive] = True


def field_of(name: str, annotation: Any, default: Any, help: str = "") -> Field:
    """The field that an annotated argument describes.

    Raises:
        TypeError: The annotation is not one that a form could ask for.
    """
    read = _Annotation(name, annotation)
    kinds, choices, limits = read.kinds, read.choices, read.limits
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
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
)


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
    task = "" if tasks else str(getattr(factory, "task", ""))
    gives, takes = getattr(factory, "gives", ""), tuple(getattr(factory, "takes", ()))
    return Entry(name, summary, rest, fields, tasks, task, gives, takes, own_loss=_own_loss(factory))


def _own_loss(factory: Any) -> str:
    """The loss of a model whose `criteria` have another one than its tasks; empty for all others."""
    from learning_tasks import TASKS

    criteria = getattr(factory, "criteria", TASKS)
    losses = {task.losses[0] for name, task in criteria.items() if task.losses != TASKS[name].losses}
    return ", ".join(sorted(losses))


def metrics_of(tasks: Mapping[str, Any], recorders: Mapping[str, Any]) -> dict[str, list[TaskMetric]]:
    """The metrics of each task: its own, then those that recorders measure of its runs.

    Args:
        tasks: By name: classes with `metrics`, as in `learning_tasks.TASKS`.
        recorders: By name: classes with `metrics` and, where there are some, `tasks`.

    Raises:
        TypeError: A recorder does not say for which tasks its metrics are, or tasks disagree what is better.
    """
    metrics = {task: [TaskMetric(*metric) for metric in described.metrics] for task, described in tasks.items()}
    for name, recorder in recorders.items():
        if recorder.metrics and not recorder.tasks:
            raise TypeError(f"recorder {name}: it has metrics, but no tasks that they are for")
        for task in recorder.tasks:
            metrics[task] += [TaskMetric(*metric)._replace(recorder=name) for metric in recorder.metrics]
    refuse_two_directions(metrics)
    return metrics


def build(recorders: Mapping[str, Any]) -> dict[str, Any]:
    """The content that the catalogue's file should have; reads the classes, and so imports torch.

    Args:
        recorders: `sweeps.training.recorders.RECORDERS`, which stands above this room.
    """
    from data import DATASETS
    from learning_tasks import TASKS
    from lightning_modules import MODELS
    from lightning_modules.optimizers import OPTIMIZERS
    from lightning_modules.schedules import SCHEDULES

    registries: tuple[Mapping[str, Any], ...] = (MODELS, DATASETS, OPTIMIZERS, SCHEDULES)
    entries = {
        kind: {name: entry_of(name, factory).as_json() for name, factory in registry.items()}
        for kind, registry in zip(KINDS, registries, strict=True)
    }
    metrics = metrics_of(TASKS, recorders)
    return {
        **entries,
        "losses": {name: list(task.losses) for name, task in TASKS.items()},
        "tasks": {task: [metric.as_json() for metric in scores] for task, scores in metrics.items()},
    }


def as_text(built: Mapping[str, Any]) -> str:
    """The file's text: stable, one line per value, so that a change reads well in a diff."""
    return json.dumps(built, indent=1, ensure_ascii=False) + "\n"
