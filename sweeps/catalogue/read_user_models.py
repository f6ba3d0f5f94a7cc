"""Reads user modules, in a separate process.

    python -m sweeps.catalogue.read_user_models ANSWERS PATH NAMED ...

Each LightningModule that a module defines becomes an entry of the catalogue, called by its class in snake_case; a class
whose name begins with an underscore, or that is abstract, is a base and none itself. Of each module one line of JSON is
written, as soon as it is read: {"entries": {name: entry}, "problems": [sentences]}.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytorch_lightning as pl

from learning_tasks import TASKS
from lightning_modules import Module
from sweeps.catalogue import user_files as modules
from sweeps.catalogue.build import argument_texts, field_of, summary_and_help
from sweeps.catalogue.entries import Entry
from sweeps.catalogue.user_files import FED, FED_BY_TEXTS
from sweeps.fields import Field, SpecError

USUAL: Final = ("regression", "binary", "multiclass")
"""The tasks of a user model that does not say which it can do (`tasks`)."""

REMOVED: Final = {
    "training_epoch_end": "on_train_epoch_end",
    "validation_epoch_end": "on_validation_epoch_end",
    "test_epoch_end": "on_test_epoch_end",
    "training_step_end": "training_step",
    "validation_step_end": "validation_step",
    "test_step_end": "test_step",
    "on_epoch_start": "on_train_epoch_start",
    "on_epoch_end": "on_train_epoch_end",
    "on_batch_start": "on_train_batch_start",
    "on_batch_end": "on_train_batch_end",
    "on_pretrain_routine_start": "on_fit_start",
    "on_pretrain_routine_end": "on_fit_start",
    "tbptt_split_batch": "training_step with manual optimisation",
}
"""Hooks that Lightning 2 does not call any more, and what takes their place."""
ASKED: Final = "int, float, bool, str, a list of numbers, Literal"
"""The types that a form can ask for."""


class Unusable(ValueError):
    """A class that cannot be offered; the message says why."""


def snake_case(name: str) -> str:
    """LeNet5 -> le_net5, MLPMixer -> mlp_mixer, Conv2D -> conv2d."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])", "_", name).lower()


def model_classes(source: modules.Source) -> dict[str, type[pl.LightningModule]]:
    """The LightningModules that a module defines, by the name of their class.

    For a package they are those in its `__init__`; if there are none, those of the modules directly in it.
    """
    module = modules.load(source)
    classes = _defined(module, module.__name__)
    if not classes:
        for inner in modules.submodules(module, source):
            classes |= _defined(inner, module.__name__)
    return classes


def _defined(module: types.ModuleType, package: str) -> dict[str, type[pl.LightningModule]]:
    return {
        value.__name__: value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, pl.LightningModule)
        and (value.__module__ == package or value.__module__.startswith(f"{package}."))
        and not value.__name__.startswith("_")
        and not inspect.isabstract(value)
    }


def entry_of(name: str, model: type[pl.LightningModule], path: Path) -> Entry:
    """The catalogue's entry of a user class.

    Raises:
        Unusable: It cannot be trained as it is.
    """
    foreign = not issubclass(model, Module)
    if foreign:
        _check_steps(model)
    takes = tuple(getattr(model, "takes", ()))
    fed = (*FED, *FED_BY_TEXTS) if {"tokens", "sequence_pair"} & set(takes) else FED
    fields, without_field, parameters = {}, [], []
    for parameter, annotation, help in arguments(model):
        parameters.append(parameter)
        if parameter.name in fed:
            continue
        field = _field(parameter, annotation, help)
        if field is None:
            without_field.append(parameter.name)
        else:
            fields[field.name] = field
    summary, rest = summary_and_help(inspect.cleandoc(model.__doc__ or ""))
    at_default = f"Left at their defaults: {', '.join(without_field)}." if without_field else ""
    needs_classes = any(
        parameter.name == "num_classes" and parameter.default is parameter.empty for parameter in parameters
    )
    possible = [task for task in TASKS if task != "regression" or not needs_classes]
    tasks = tuple(task for task in possible if task in getattr(model, "tasks", USUAL))
    return Entry(
        name,
        summary or f"{model.__name__} of {path.name}.",
        "\n\n".join(part for part in (rest, at_default) if part),
        fields,
        tasks or tuple(task for task in possible if task in USUAL),
        takes=takes,
        source=str(path),
        class_name=model.__name__,
        foreign=foreign,
        own_optimizer=foreign and own_optimizer(model),
    )


def own_optimizer(model: type[pl.LightningModule]) -> bool:
    """Whether it configures its optimizers itself."""
    return model.configure_optimizers is not pl.LightningModule.configure_optimizers


def _check_steps(model: type[pl.LightningModule]) -> None:
    for hook, instead in REMOVED.items():
        if callable(getattr(model, hook, None)):
            raise Unusable(f"Lightning 2 does not call {hook} any more; write {instead} instead.")
    if model.training_step is pl.LightningModule.training_step:
        raise Unusable("it has no training_step, so that it cannot be trained.")
    if "optimizer_idx" in inspect.signature(model.training_step).parameters:
        raise Unusable("Lightning 2 gives training_step no optimizer_idx any more; use manual optimisation instead.")


def arguments(model: type[pl.LightningModule]) -> Iterator[tuple[inspect.Parameter, Any, str]]:
    """(parameter, its annotation, its help) of the constructor, following `**kwargs` to the user's base classes."""
    bases = [base for base in model.__mro__ if issubclass(base, pl.LightningModule) and base is not pl.LightningModule]
    texts: dict[str, str] = {}
    for base in reversed(bases):
        for described in (base, base.__dict__.get("__init__")):
            texts.update(argument_texts(inspect.cleandoc(described.__doc__ or "") if described else ""))
    seen = {"self"}
    for base in bases:
        constructor = base.__dict__.get("__init__")
        if constructor is None:
            continue
        parameters = list(inspect.signature(constructor).parameters.values())
        for parameter in parameters:
            if parameter.name not in seen and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                seen.add(parameter.name)
                yield parameter, _annotation(constructor, parameter), texts.get(parameter.name, "")
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return


def _annotation(constructor: Any, parameter: inspect.Parameter) -> Any:
    """What the argument is annotated with, or what its default says; None if neither says anything."""
    if parameter.annotation is not parameter.empty:
        annotated = types.SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
        try:
            hints = typing.get_type_hints(annotated, getattr(constructor, "__globals__", {}), include_extras=True)
        except Exception:  # a name that exists for type checkers alone
            hints = {}
        if parameter.name in hints and hints[parameter.name] not in (list, tuple):
            return hints[parameter.name] | None if parameter.default is None else hints[parameter.name]
    default = parameter.default
    if isinstance(default, bool | int | float | str):
        return type(default)
    kinds = {type(item) for item in default} if isinstance(default, list | tuple) else set()
    if kinds in ({int}, {float}, {int, float}):
        return list[float] if float in kinds else list[int]
    return None


def _field(parameter: inspect.Parameter, annotation: Any, help: str) -> Field | None:
    """The field of an argument; None if a form cannot ask for it and it has a default.

    Raises:
        Unusable: It has no default, and nobody could say it.
    """
    required = parameter.default is parameter.empty
    where = f"its argument {parameter.name}"
    if parameter.kind is parameter.POSITIONAL_ONLY and required:
        raise Unusable(f"{where} can only be given by its place; take the / out.")
    if parameter.name == "name" and required:
        raise Unusable(f"{where} collides with model.name, which says which model is meant; call it something else.")
    if annotation is None and required:
        raise Unusable(f"{where} has no type and no default; allowed: {ASKED}.")
    if annotation is None or parameter.name == "name" or parameter.kind is parameter.POSITIONAL_ONLY:
        return None
    try:
        field = field_of(parameter.name, annotation, None if required else parameter.default, help)
        if required:
            return Field(**{**vars(field), "required": not field.optional})
        field.check(f"model.{field.name}", field.default)
        return field
    except (TypeError, SpecError):
        if not required:
            return None
        type_name = getattr(annotation, "__name__", None) or str(annotation)
        raise Unusable(f"{where} needs an object ({type_name}) and has no default; allowed: {ASKED}.") from None


def read(source: modules.Source) -> dict[str, Any]:
    """The answer for one module: its entries as the catalogue holds them, and a sentence for each fault."""
    entries: dict[str, Any] = {}
    problems: list[str] = []
    try:
        classes = model_classes(source)
    except BaseException as error:  # whatever the module does, the others are read
        return {"entries": {}, "problems": [modules.sentence(source, error)]}
    if not classes:
        problems.append(f"{source.path}: it defines no LightningModule.")
    for class_name, model in classes.items():
        name = snake_case(class_name)
        try:
            entry = entry_of(name, model, source.path).as_json()
        except Unusable as why:
            problems.append(f"{source.path}: {class_name}: {why}")
        except Exception as error:
            problems.append(f"{source.path}: {class_name}: it cannot be read ({type(error).__name__}: {error}).")
        else:
            if name in entries:
                taken = entries[name]["class_name"]
                problems.append(
                    f"{source.path}: {class_name} would be called {name}, which {taken} is; rename the class."
                )
            else:
                entries[name] = entry
    return {"entries": entries, "problems": problems}


def main(arguments: list[str]) -> None:
    """Read the modules and write a line for each into the file of answers."""
    with open(arguments[0], "a", encoding="utf-8") as answers:
        for path, named in zip(arguments[1::2], arguments[2::2], strict=True):
            answers.write(json.dumps(read(modules.Source(Path(path), Path(named))), ensure_ascii=False) + "\n")
            answers.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # not kept waiting by a thread that a module has begun
