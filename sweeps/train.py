"""train(configuration) -> result: one run, in plain Lightning. It knows no sweep, no store and no other run.

The same function serves the service's workers, the command line and a notebook. It takes a configuration (a plain
dictionary, see `train`), reports what it measures as it goes, and answers with an outcome whatever happens.
"""

from __future__ import annotations

import logging
import os
import platform
import signal
import tempfile
import threading
import time
import traceback as tracebacks
import warnings
from collections.abc import Callable, Iterator, Mapping
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

from data import DATASETS, DataModule
from lightning_modules import MODELS, Module, Recipe
from sweeps.measure import Objective, Report, Run, one_of
from tracking import schema
from tracking.schema import Outcome

T = TypeVar("T")

PRECISIONS = {"32": "32-true", "64": "64-true", "bf16-mixed": "bf16-mixed"}


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


def _device(wanted: str) -> str:
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return "cuda" if available["cuda"] else "mps" if available["mps"] else "cpu"
    one_of("trainer.device", wanted, ["auto", *available])
    if not available[wanted]:
        here = ", ".join(name for name, there in available.items() if there)
        raise ValueError(f"trainer.device: this machine has no {wanted} device that torch can use; it has: {here}.")
    return wanted


def _data(configuration: Mapping[str, Any], seeds: Mapping[str, int]) -> DataModule:
    fields = configuration["data"]
    data = _made("data", DATASETS, fields, seed_data=seeds.get("data", 0), seed_order=seeds.get("order", 0))
    with _within(f"data {fields['name']}"):
        assert len(data.parts.train)  # made here, where what does not fit the set's size is refused
    return data


def _model(configuration: Mapping[str, Any], data: DataModule) -> Module:
    module = _made("model", MODELS, configuration["model"], **data.dims)
    regularization = configuration.get("regularization", {})
    module.recipe = Recipe(
        optimizer=configuration["optimizer"],
        schedule=configuration.get("schedule", {"name": "constant"}),
        l1=regularization.get("l1", 0.0),
        l2=regularization.get("l2", 0.0),
    )
    module.logs = False  # the callback takes what the steps return
    single = 1 in (data.batch_size, data.sizes["train"])
    if single and any(isinstance(layer, torch.nn.modules.batchnorm._BatchNorm) for layer in module.modules()):
        raise ValueError("model.norm: batch norm cannot normalise a batch of one example; allowed: 2 or more a batch.")
    return module


def _trainer(configuration: Mapping[str, Any], device: str, run: Run) -> pl.Trainer:
    options = configuration.get("trainer", {})
    precision = options.get("precision", 32)
    one_of("trainer.precision", precision, list(PRECISIONS))
    if device == "mps" and str(precision) == "64":
        raise ValueError("trainer.precision: 64 is not allowed on mps, which has no 64-bit numbers; allowed: 32.")
    return pl.Trainer(
        max_epochs=options.get("max_epochs", 20),
        accelerator=device,
        devices=1,
        precision=PRECISIONS[str(precision)],  # type: ignore[arg-type]
        gradient_clip_val=options.get("gradient_clip_val", 0.0) or None,
        callbacks=[run],
        limit_val_batches=0,  # the callback measures, whole parts at a time
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        plugins=[LightningEnvironment()],  # one process here, also on a machine that a cluster's scheduler lends
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
    devices = [torch.cuda.current_device()] if device == "cuda" else []
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    with torch.random.fork_rng(devices), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="pytorch_lightning")
        warnings.simplefilter("ignore", FutureWarning)  # of torch, at how Lightning uses it
        logger.setLevel(logging.ERROR)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            logger.setLevel(level)


def _info(configuration: Mapping[str, Any], data: DataModule, module: Module, device: str) -> dict[str, Any]:
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
            schema.MACHINE: f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {device}",
            schema.VERSIONS: ", ".join(f"{name} {version}" for name, version in versions.items()),
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
    if run.predictions:
        write = partial(np.savez_compressed, **run.predictions)
        files.append(("predictions", schema.PREDICTIONS_FILE, write))
    problems = [_save(*each, scratch, report) for each in files]
    return " ".join(problem for problem in problems if problem) or None


def _sentence(error: Exception) -> str:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return "The run needed more memory than there is."
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"


def _train(configuration: Mapping[str, Any], run: Run, data: DataModule, seeds: Mapping[str, int]) -> None:
    device = _device(configuration.get("trainer", {}).get("device", "auto"))
    with _interruptible(), _alone(device, seeds.get("init", 0)):
        module = _model(configuration, data)
        run.report("info", _info(configuration, data, module, device))
        data.to(device)
        _trainer(configuration, device, run).fit(module, train_dataloaders=data.train_dataloader())


def train(
    configuration: Mapping[str, Any],
    report: Report = lambda kind, record: None,
    should_stop: Callable[[], bool] = lambda: False,
    scratch: Path | None = None,
) -> Result:
    """Train one configuration and say how it ended; a run that fails raises nothing.

    Args:
        configuration: The sections model, data, optimizer and schedule (a name and its fields), regularization (l1,
            l2, early_stopping_patience), trainer (max_epochs, device, precision, gradient_clip_val), keep ("best" or
            "none"), objective (metric, direction, at) and seeds (data, init, order). Only the first three are needed:
            {"model": {"name": "mlp"}, "data": {"name": "digits"}, "optimizer": {"name": "adam", "lr": 0.001}}.
        report: Called with "info" (once, before training: data set, tags, number of parameters), "metrics" (after each
            epoch: step, time in ms, metrics; those of the test part with the last) and "file" (path, artifact).
        should_stop: Asked after every batch; once it says yes, the run ends with the outcome `stopped`.
        scratch: Where the predictions of a classification are written, and the weights if `keep` is "best"; nothing is
            written without it.
    """
    began = time.perf_counter()
    run: Run | None = None
    trace = None
    try:
        seeds = configuration.get("seeds", {})
        objective = Objective(**configuration.get("objective", {})).checked()
        data = _data(configuration, seeds)
        patience = configuration.get("regularization", {}).get("early_stopping_patience", 0)
        run = Run(data, objective, patience, report, should_stop)
        _train(configuration, run, data, seeds)
        outcome, error = run.outcome, run.error
        if outcome is Outcome.OK and scratch is not None:
            error = _save_all(run, configuration.get("keep", "best"), scratch, report)
    except Exception as problem:
        outcome, error, trace = Outcome.CRASHED, _sentence(problem), tracebacks.format_exc()
    return Result(
        outcome=outcome,
        objective=run.result if run is not None and outcome is Outcome.OK else None,
        metrics=dict(run.metrics) if run is not None else {},
        epochs=run.epochs if run is not None else 0,
        seconds=time.perf_counter() - began,
        error=error,
        traceback=trace,
    )
