"""The class of the model that a configuration names, and a module of a user's class made for a data set.

A user module is any LightningModule written for a plain `pl.Trainer`; `user_run` says how it is trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch.nn.parameter import UninitializedParameter

from data import DataModule
from learning_tasks.refusals import require_name
from lightning_modules import MODELS
from sweeps.catalogue import load, user_files
from sweeps.catalogue.read_user_models import arguments, model_classes
from sweeps.settings import settings
from tracking import schema


def source_of(name: str) -> user_files.Source:
    """The file or package that defines a user's model.

    Raises:
        ValueError: The file is gone, or the settings do not name it any more.
    """
    path = Path(load().models[name].source)
    sources, _ = user_files.find(settings().modules)
    for source in sources:
        if source.path == path:
            return source
    raise ValueError(f"{path}: it is not there any more, or the settings do not name it.")


def model_class(name: Any) -> type[pl.LightningModule]:
    """The class of a model's name: a built-in one, or one of a user module, which is imported.

    Raises:
        ValueError: There is none, or its module cannot be imported.
    """
    if name in MODELS:
        return MODELS[name]
    entries = load().models
    require_name("model.name", name, entries)
    source, class_name = source_of(str(name)), entries[str(name)].class_name
    try:
        classes = model_classes(source)
    except BaseException as error:
        raise ValueError(f"model {name}: {user_files.sentence(source, error)}") from error
    if class_name not in classes:
        raise ValueError(f"{source.path}: it does not define {class_name} any more.")
    return classes[class_name]


def tags(name: Any) -> dict[str, str]:
    """The tags of a run that say which code of the user it trains; none for a built-in model."""
    if name in MODELS:
        return {}
    source, entry = source_of(str(name)), load().models[str(name)]
    digest = user_files.digest(source.named)[:16]
    return {
        schema.MODEL_SOURCE: f"{source.path.name} {digest}",
        schema.OPTIMIZER_OF: schema.MODEL if entry.own_optimizer else schema.CONFIGURATION,
    }


def _facts_of(data: DataModule) -> dict[str, Any]:
    """What is known of the data, by the names that constructors use for it."""
    dims = data.dims
    facts = dict(dims)
    if "num_outputs" in dims:
        outputs = dims["num_outputs"]
        facts |= dict.fromkeys(("out_features", "output_dim"), outputs)
        facts |= {} if data.task == "regression" else {"num_classes": max(outputs, 2)}
    if "input_shape" in dims:
        features = math.prod(dims["input_shape"])
        facts |= dict.fromkeys(("in_features", "input_dim", "num_features"), features)
    return facts


def _size_lazy_layers(module: pl.LightningModule, data: DataModule) -> None:
    """Let lazy layers learn their sizes from two examples."""
    if any(isinstance(parameter, UninitializedParameter) for parameter in module.parameters()):
        batch = data.parts.train.batch(slice(2))
        with torch.no_grad():
            module(batch[0]) if is_overridden("forward", module) else module.training_step(batch, 0)


def make(model: type[pl.LightningModule], fields: Mapping[str, Any], data: DataModule) -> pl.LightningModule:
    """A module of a user's class, with the fields of the configuration and what it asks to know of the data.

    Raises:
        ValueError: Its constructor raised, or asks for what this data set does not have.
    """
    name = fields.get("name")
    facts = _facts_of(data)
    values = {key: value for key, value in fields.items() if key != "name"}
    for parameter, _, _ in arguments(model):
        if parameter.name in facts:
            values[parameter.name] = facts[parameter.name]
        elif parameter.name in user_files.FED and parameter.default is parameter.empty:
            raise ValueError(f"model {name}: its argument {parameter.name} is not known of data that is {data.task}.")
    try:
        module = model(**values)
    except (Exception, SystemExit) as error:
        reason = user_files.sentence(source_of(str(name)), error, "its constructor")
        raise ValueError(f"model {name}: {reason}") from error
    _size_lazy_layers(module, data)
    return module
