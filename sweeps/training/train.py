"""train(configuration) -> result: one run, in plain Lightning. It knows no sweep, no store and no other run.

The same function serves the service's workers, the command line and a notebook. It takes a configuration (a plain
dictionary, see `train`), reports what it measures as it goes, and answers with an outcome whatever happens.
"""

from __future__ import annotations

import logging
import os
import platform
import random
import re
import signal
import tempfile
import threading
import time
import traceback as tracebacks
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import Tensor
from torch.utils.data import DataLoader

from data import DATASETS, DataModule
from lightning_modules import MODELS, Module, Recipe
from sweeps.training import user_module as foreign
from sweeps.training.crashes import why_crashed
from sweeps.training.measuring import Report, Run
from sweeps.training.objective import Objective, one_of
from sweeps.training.resume import SAVE_SECONDS, Saver, fingerprint
from tracking import schema
from tracking.schema import Outcome

T = TypeVar("T")

PRECISIONS = {"32": "32-true", "64": "64-true", "bf16-mixed": "bf16-mixed", "16-mixed": "16-mixed"}
UNFIT = {"cpu": ("16-mixed",), "cuda": (), "mps": ("64", "16-mixed")}
"""Precisions that a kind of device cannot compute with: float16 needs a GPU's loss scaling, mps has no float64."""
NAMES = {
    schema.LAYERS_FILE: "norms of the layers",
    schema.REGIONS_FILE: "decision regions",
    schema.REPLICATE_FILE: "answers to the test part",
    schema.PREDICTIONS_FILE: "predictions",
}
"""What a run leaves behind, in words."""


@dataclass(frozen=True)
class Result:
    """How a run ended."""

    outcome: Outcome
    objective: float | None
    """What the run is ranked by; None unless the outcome is ok."""
    metrics: dict[str, float]
    """The last value of each metric, all finite."""
    epochs: int
    """Epochs trained and measured."""
    seconds: float
    error: str | None = None
    """One sentence: why it diverged or crashed, or why a file of a run that is ok could not be saved."""
    traceback: str | None = None


@contextmanager
def _within(section: str) -> Iterator[None]:
    """Says of a refused value which section of the configuration it stands in."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise ValueError(f"{section}: {error}") from error


def _made(section: str, registry: Mapping[str, Callable[..., T]], fields: Mapping[str, Any], **more: Any) -> T:
    """One of a registry's classes, with the fields of a section of the configuration."""
    name = fields.get("name")
    one_of(f"{section}.name", name, registry)
    with _within(f"{section} {name}"):
        return registry[str(name)](**{key: value for key, value in fields.items() if key != "name"}, **more)


def _there() -> list[str]:
    """The devices that torch can use here."""
    cuda = [f"cuda:{number}" for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]


def _device(wanted: str) -> str:
    """The device to train on, as torch names it: cpu, cuda:0, cuda:1, ... or mps."""
    there = _there()
    if wanted == "auto":
        return there[1] if len(there) > 1 else "cpu"
    if not re.fullmatch(r"cuda:\d+", wanted):
        one_of("trainer.device", wanted, ["auto", "cpu", "cuda", "cuda:N", "mps"])
    device = "cuda:0" if wanted == "cuda" else wanted
    if device not in there:
        has = ", ".join(there)
        raise ValueError(f"trainer.device: this machine has no {wanted} device that torch can use; it has: {has}.")
    return device


def _precision(wanted: object, device: str) -> str:
    """The precision as Lightning calls it."""
    one_of("trainer.precision", wanted, list(PRECISIONS))
    kind = device.partition(":")[0]
    fit = [precision for precision in PRECISIONS if precision not in UNFIT[kind]]
    if str(wanted) not in fit:
        allowed = ", ".join(fit)
        raise ValueError(f"trainer.precision: {wanted} is not allowed on {kind}; allowed: {allowed}.")
    return PRECISIONS[str(wanted)]


def _data(configuration: Mapping[str, Any], seeds: Mapping[str, int]) -> DataModule:
    fields, seed = configuration["data"], seeds.get("data", 0)
    replicate = configuration.get("replicate")
    disjoint = (seed, replicate["datasets"]) if replicate else None
    data = _made("data", DATASETS, fields, disjoint=disjoint, seed_data=seed, seed_order=seeds.get("order", 0))
    with _within(f"data {fields['name']}"):
        assert len(data.parts.train)  # made here, where what does not fit the set's size is refused
    return data


def _recipe(configuration: Mapping[str, Any]) -> Recipe:
    regularization = configuration.get("regularization", {})
    return Recipe(
        optimizer=configuration["optimizer"],
        schedule=configuration.get("schedule", {"name": "constant"}),
        l1=regularization.get("l1", 0.0),
        l2=regularization.get("l2", 0.0),
        label_smoothing=regularization.get("label_smoothing", 0.0),
    )


def _model(configuration: Mapping[str, Any], data: DataModule) -> pl.LightningModule:
    fields = configuration["model"]
    if fields.get("name") in MODELS:
        module: pl.LightningModule = _made("model", MODELS, fields, **data.dims)
    else:
        module = foreign.make(foreign.model_class(fields.get("name")), fields, data)
    if not isinstance(module, Module):
        return module
    module.recipe = _recipe(configuration)
    module.logs = False  # the callback takes what the steps return
    single = 1 in (data.batch_size, data.sizes["train"])
    if single and any(isinstance(layer, torch.nn.modules.batchnorm._BatchNorm) for layer in module.modules()):
        raise ValueError("model.norm: batch norm cannot normalise a batch of one example; allowed: 2 or more a batch.")
    return module


def _run(
    configuration: Mapping[str, Any], data: DataModule, report: Report, should_end: Callable[[], Outcome | None]
) -> Run:
    """What is to be measured of a run, and by what it is ranked."""
    model = foreign.model_class(configuration["model"].get("name"))
    ours = issubclass(model, Module)
    objective = Objective(**configuration.get("objective", {})).checked(any_metric=not ours)
    patience = configuration.get("regularization", {}).get("early_stopping_patience", 0)
    if ours:
        return Run(
            data, objective, patience, report, should_end, replicated=bool(configuration.get("replicate")),
            meant_to_explode=configuration.get("schedule", {}).get("name") == "range_test",
        )  # fmt: skip
    own = foreign.own_optimizer(model)
    return foreign.ForeignRun(
        data, objective, patience, report, should_end, recipe=_recipe(configuration), own_optimizer=own
    )


def _trainer(
    configuration: Mapping[str, Any],
    device: str,
    run: Run,
    saver: Saver | None,
    callbacks: Sequence[pl.Callback],
    **more: Any,
) -> pl.Trainer:
    options = configuration.get("trainer", {})
    kind, _, number = device.partition(":")
    unless_told = {
        "limit_val_batches": 0,  # the callback measures, whole parts at a time
        "logger": False,
        "enable_checkpointing": saver is not None,
    }
    return pl.Trainer(
        max_epochs=options.get("max_epochs", 20),
        accelerator=kind,
        devices=[int(number)] if number else 1,
        precision=_precision(options.get("precision", 32), device),  # type: ignore[arg-type]
        gradient_clip_val=options.get("gradient_clip_val", 0.0) or None,
        callbacks=[*callbacks, run, *([saver] if saver else [])],
        limit_train_batches=options.get("limit_train_batches"),  # only a rehearsal cuts its epochs short
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        plugins=[LightningEnvironment()],  # one process here, also on a machine that a cluster's scheduler lends
        **{**unless_told, **more},
    )


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C reaches the caller as KeyboardInterrupt; Lightning would leave the process and ignore the next one."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as leaving:
        if isinstance(leaving.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


@contextmanager
def _alone(device: str, seed: int) -> Iterator[None]:
    """Random numbers that depend on the seed alone, and leave no trace; Lightning keeps its remarks to itself."""
    devices = [torch.device(device)] if device.startswith("cuda") else []
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    before = random.getstate(), np.random.get_state(), torch.get_default_dtype()
    with torch.random.fork_rng(devices), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="pytorch_lightning")
        warnings.simplefilter("ignore", FutureWarning)  # of torch, at how Lightning uses it
        logger.setLevel(logging.ERROR)
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            logger.setLevel(level)
            random.setstate(before[0])
            np.random.set_state(before[1])
            torch.set_default_dtype(before[2])


def _named(device: str) -> str:
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.startswith("cuda") else device


def _info(
    configuration: Mapping[str, Any], data: DataModule, module: pl.LightningModule, device: str
) -> dict[str, Any]:
    versions = {"python": platform.python_version()}
    versions |= {package: metadata.version(package) for package in ("torch", "pytorch-lightning")}
    return {
        "dataset": {
            "name": configuration["data"]["name"],
            "digest": data.digest,
            "source": data.source,
            "profile": {**data.sizes, **data.dims, "input_shape": list(data.dims["input_shape"])},
        },
        "tags": {
            schema.DATA_HASH: data.digest,
            schema.MACHINE: f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {_named(device)}",
            schema.VERSIONS: ", ".join(f"{name} {version}" for name, version in versions.items()),
            **foreign.tags(configuration["model"]["name"]),
        },
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
    }


def _save(what: str, artifact: str, write: Callable[[IO[bytes]], None], scratch: Path, report: Report) -> str | None:
    """Writes a file and reports it; a sentence if that fails, for what was measured is worth keeping."""
    path = None
    try:
        with tempfile.NamedTemporaryFile(dir=scratch, suffix=Path(artifact).suffix, delete=False) as file:
            path = Path(file.name)
            write(file)
    except (OSError, RuntimeError) as error:
        if path is not None:
            path.unlink(missing_ok=True)
        return f"The {what} could not be saved: {error}."
    report("file", {"path": str(path), "artifact": artifact})
    return None


def _on_cpu(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.cpu() for name, value in weights.items()}


def _save_all(run: Run, keep: str, scratch: Path, report: Report) -> str | None:
    """What a run that ended ok leaves behind; a sentence for each file that could not be written."""
    files: list[tuple[str, str, Callable[[IO[bytes]], None]]] = []
    if keep == "best":
        files.append(("weights", schema.WEIGHTS_FILE, lambda file: torch.save(_on_cpu(run.weights), file)))
    for artifact, arrays in run.files.items():
        if arrays:
            files.append((NAMES[artifact], artifact, partial(np.savez_compressed, **arrays)))
    problems = [_save(*each, scratch, report) for each in files]
    return " ".join(problem for problem in problems if problem) or None


def _train(
    configuration: Mapping[str, Any],
    run: Run,
    data: DataModule,
    seeds: Mapping[str, int],
    saver: Saver | None,
    callbacks: Sequence[pl.Callback],
) -> None:
    device = _device(configuration.get("trainer", {}).get("device", "auto"))
    with _interruptible(), _alone(device, seeds.get("init", 0)):
        module = _model(configuration, data)
        info = _info(configuration, data, module, device)
        run.report("info", info)
        data.to(device)
        batches = data.train_dataloader()
        trainer = partial(_trainer, configuration, device, run, saver, callbacks)
        if saver is not None:
            saver.fingerprint = fingerprint(configuration, info["tags"], module, device)
        fit = partial(_fit, module, batches, saver)
        if isinstance(run, foreign.ForeignRun):
            run.train(module, trainer, fit)
        else:
            fit(trainer())


def _fit(
    module: pl.LightningModule,
    batches: DataLoader[Any],
    saver: Saver | None,
    trainer: pl.Trainer,
    validation: DataLoader[Any] | None = None,
) -> None:
    saved = saver.take_up() if saver is not None else 0
    batches.sampler.set_epoch(saved)  # type: ignore[attr-defined]  # Lightning would begin with the first epoch's
    resume = saver.path if saver is not None and saved else None
    if resume:  # Lightning would fill a module of 32 bits and widen it afterwards
        trainer.precision_plugin.convert_module(module)
    trainer.fit(module, batches, validation, ckpt_path=resume, weights_only=True if resume else None)


def train(
    configuration: Mapping[str, Any],
    report: Report = lambda kind, record: None,
    should_end: Callable[[], Outcome | None] = lambda: None,
    scratch: Path | None = None,
    resume: Path | None = None,
    save_seconds: float = SAVE_SECONDS,
    callbacks: Sequence[pl.Callback] = (),
) -> Result:
    """Train one configuration and say how it ended; a run that fails raises nothing.

    Args:
        configuration: The sections model, data, optimizer and schedule (a name and its fields), regularization (l1,
            l2, label_smoothing, early_stopping_patience), trainer (max_epochs, device, precision, gradient_clip_val),
            keep ("best" or "none"), objective (metric, direction, at), seeds (data, init, order) and replicate
            (datasets, inits), where seed data is the number of the training set. Only the first three are needed:
            {"model": {"name": "mlp"}, "data": {"name": "digits"}, "optimizer": {"name": "adam", "lr": 0.001}}.
        report: Called with "info" (once, before training: data set, tags, number of parameters), "metrics" (after each
            epoch: step, time in ms, metrics; those of the test part with the last) and "file" (path, artifact).
        should_end: Asked after every batch; once it gives an outcome (stopped, pruned), the run ends with that.
        scratch: Where the files are written that a run leaves behind: what its layers did, predictions and more, and
            the weights if `keep` is "best"; nothing is written without it.
        resume: A file by which the run goes on after a kill. If it holds a run of this configuration, that is taken up
            after its last saved epoch, and what it had measured is reported again; otherwise the run starts afresh.
            It is removed when the run ends, unless it was stopped or crashed.
        save_seconds: The run is saved there at the end of an epoch when so long has passed since it began, or since
            the last time.
        callbacks: Told of the training by Lightning, at each moment before the run itself measures; they must not
            change it.
    """
    began = time.perf_counter()
    run: Run | None = None
    saver: Saver | None = None
    trace = None
    try:
        seeds = configuration.get("seeds", {})
        data = _data(configuration, seeds)
        saver = Saver(resume, save_seconds, report) if resume is not None else None
        run = _run(configuration, data, saver.report if saver else report, should_end)
        _train(configuration, run, data, seeds, saver, callbacks)
        outcome, error = run.outcome, run.error
        if outcome is Outcome.OK and scratch is not None:
            unsaved = _save_all(run, configuration.get("keep", "best"), scratch, report)
            error = " ".join(sentence for sentence in (error, unsaved) if sentence) or None
    except Exception as problem:
        outcome, error, trace = Outcome.CRASHED, why_crashed(configuration, problem), tracebacks.format_exc()
    if saver:
        saver.end(outcome)
    return Result(
        outcome=outcome,
        objective=run.result if run is not None and outcome is Outcome.OK else None,
        metrics=dict(run.metrics) if run is not None else {},
        epochs=run.epochs if run is not None else 0,
        seconds=time.perf_counter() - began,
        error=error,
        traceback=trace,
    )
