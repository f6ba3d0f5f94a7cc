"""train(configuration) -> result: one run, in plain Lightning. It knows no sweep, no store and no other run.

The same function serves the service's workers, the command line and a notebook. It takes a configuration (a plain
dictionary, see `train`), reports what it measures as it goes, and answers with an outcome whatever happens.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
import traceback as tracebacks
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import Checkpoint
from torch.utils.data import DataLoader

from data import DATASETS, DataModule
from learning_tasks import TASKS
from learning_tasks.refusals import require, require_name
from lightning_modules import MODELS, Module, Recipe
from sweeps.catalogue.read_user_models import own_optimizer
from sweeps.training import user_module
from sweeps.training.crashes import why_crashed
from sweeps.training.hardware import choose_device, device_label, lightning_precision
from sweeps.training.ledger import Ledger
from sweeps.training.measuring import Run
from sweeps.training.objective import Criterion, measured
from sweeps.training.process_state import interruptible, seeded
from sweeps.training.recorders import RECORDERS, RecorderCost, Recorders
from sweeps.training.reports import Report
from sweeps.training.resume import SAVE_SECONDS, Saver, fingerprint
from sweeps.training.run_files import save_files
from sweeps.training.user_run import UserModuleRun, exit_as_error
from tracking import schema
from tracking.schema import Outcome


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
    """One sentence: why it diverged or crashed; or why a recorder or a file of a run that is ok failed."""
    traceback: str | None = None
    recorders: Mapping[str, RecorderCost] = field(default_factory=dict)
    """By recorder that took part: the seconds that it took."""


@contextmanager
def _of_section(section: str) -> Iterator[None]:
    """Let the sentence that refuses a value begin with the section of the configuration that it stands in."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise ValueError(f"{section}: {error}") from error


def _without_name(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != "name"}


def data_of(configuration: Mapping[str, Any]) -> DataModule:
    """The data set that the configuration names, with its parts made."""
    fields, seeds = configuration["data"], configuration.get("seeds", {})
    name, seed, replicate = fields.get("name"), seeds.get("data", 0), configuration.get("replicate")
    disjoint = (seed, replicate["datasets"]) if replicate else None
    require_name("data.name", name, DATASETS)
    with _of_section(f"data {name}"):
        data = DATASETS[str(name)](
            **_without_name(fields), disjoint=disjoint, seed_data=seed, seed_order=seeds.get("order", 0)
        )
        assert len(data.parts.train)  # makes the parts, which refuses what does not fit the size of the set
    return data


def recipe_of(configuration: Mapping[str, Any]) -> Recipe:
    """The optimizer, schedule and penalties that the configuration names."""
    regularization = configuration.get("regularization", {})
    return Recipe(
        optimizer=configuration["optimizer"],
        schedule=configuration.get("schedule", {"name": "constant"}),
        l1=regularization.get("l1", 0.0),
        l2=regularization.get("l2", 0.0),
        label_smoothing=regularization.get("label_smoothing", 0.0),
    )


def _recorders(configuration: Mapping[str, Any]) -> Recorders:
    """The recorders that the configuration leaves on: all of them where it says nothing."""
    record = {"replicate": bool(configuration.get("replicate"))}  # its file compares runs of one trial
    for name, on in configuration.get("record", {}).items():
        require_name("record", name, RECORDERS)
        require(f"record.{name}", on, isinstance(on, bool), "true, false.")
        record[name] = on and record.get(name, True)
    return Recorders([name for name in RECORDERS if record.get(name, True)])


def _max_epochs(configuration: Mapping[str, Any]) -> int:
    epochs: int = configuration.get("trainer", {}).get("max_epochs", 20)
    return epochs


def _run(
    configuration: Mapping[str, Any],
    model: type[pl.LightningModule],
    data: DataModule,
    report: Report,
    should_end: Callable[[], Outcome | None],
) -> Run | UserModuleRun:
    """What is to be measured of a run of this class, and by what it is ranked."""
    built_in = issubclass(model, Module)
    criterion = Criterion(**configuration.get("objective", {}))
    recorders = _recorders(configuration)
    recorded = [metric for recorder in recorders for metric in recorder.metrics if data.task in recorder.tasks]
    ledger = Ledger(
        criterion.checked(measured(TASKS[data.task].metrics, recorded) if built_in else None),
        patience=configuration.get("regularization", {}).get("early_stopping_patience", 0),
        max_epochs=_max_epochs(configuration),
        logs=not built_in,
        meant_to_explode=configuration.get("schedule", {}).get("name") == "range_test",
    )
    if not built_in:
        recipe, optimizes = recipe_of(configuration), own_optimizer(model)
        return UserModuleRun(data, ledger, report, should_end, recorders, recipe=recipe, own_optimizer=optimizes)
    return Run(data, ledger, report, should_end, recorders)


def _refuse_batch_norm_of_one_example(module: Module, data: DataModule) -> None:
    single = 1 in (data.batch_size, data.sizes["train"])
    if single and any(isinstance(layer, torch.nn.modules.batchnorm._BatchNorm) for layer in module.modules()):
        raise ValueError("model.norm: batch norm cannot normalise a batch of one example; allowed: 2 or more a batch.")


def module_of(
    configuration: Mapping[str, Any], model: type[pl.LightningModule], data: DataModule
) -> pl.LightningModule:
    """The module to train, of the class that the configuration names."""
    fields = configuration["model"]
    if (name := fields.get("name")) in MODELS:
        with _of_section(f"model {name}"):
            module: pl.LightningModule = MODELS[name].for_data(data.dims, **_without_name(fields))
    else:
        module = user_module.make(model, fields, data)
    if isinstance(module, Module):
        module.recipe = recipe_of(configuration)
        module.logs = False  # the callback takes what the steps return
        _refuse_batch_norm_of_one_example(module, data)
    return module


def _facts(data: DataModule) -> dict[str, Any]:
    """What is known of the data beside their sizes, without tables as long as a vocabulary."""
    dims = {name: list(value) if name == "input_shape" else value for name, value in data.dims.items()}
    return {name: value for name, value in dims.items() if name == "input_shape" or isinstance(value, int | str)}


def _info(
    configuration: Mapping[str, Any], data: DataModule, module: pl.LightningModule, device: str
) -> dict[str, Any]:
    """What is reported of a run before it trains: its data set, its tags, the number of its parameters."""
    versions = {"python": platform.python_version()}
    versions |= {package: metadata.version(package) for package in ("torch", "pytorch-lightning")}
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {device_label(device)}"
    return {
        "dataset": {
            "name": configuration["data"]["name"],
            "digest": data.digest,
            "source": data.source,
            "profile": {**data.sizes, **_facts(data)},
        },
        "tags": {
            schema.DATA_HASH: data.digest,
            schema.MACHINE: machine,
            schema.VERSIONS: ", ".join(f"{name} {version}" for name, version in versions.items()),
            **user_module.tags(configuration["model"]["name"]),
        },
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
    }


def trainer_of(
    configuration: Mapping[str, Any], device: str, callbacks: Sequence[pl.Callback], **options: Any
) -> pl.Trainer:
    """A trainer for the device; `options` are those in which built-in models and user modules differ."""
    section = configuration.get("trainer", {})
    kind, _, number = device.partition(":")
    return pl.Trainer(
        max_epochs=_max_epochs(configuration),
        accelerator=kind,
        devices=[int(number)] if number else 1,
        precision=lightning_precision(section.get("precision", 32), device),  # type: ignore[arg-type]
        gradient_clip_val=section.get("gradient_clip_val", 0.0) or None,
        callbacks=[*callbacks],
        limit_train_batches=section.get("limit_train_batches"),  # only a rehearsal cuts its epochs short
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
        plugins=[LightningEnvironment()],  # one process here, also on a machine that a cluster's scheduler lends
        **options,
    )


def _fit(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    batches: DataLoader[Any],
    saver: Saver | None,
    validation: DataLoader[Any] | None = None,
) -> None:
    """Train the module, from where a saved run was killed if there is one."""
    epochs = saver.take_up() if saver is not None else 0
    batches.sampler.set_epoch(epochs)  # type: ignore[attr-defined]  # Lightning would begin with the first epoch's
    resume = saver.path if saver is not None and epochs else None
    if resume:  # Lightning would fill a module of 32 bits and widen it afterwards
        trainer.precision_plugin.convert_module(module)
    trainer.fit(module, batches, validation, ckpt_path=resume, weights_only=True if resume else None)


def _fit_user_module(
    configuration: Mapping[str, Any],
    device: str,
    callbacks: Sequence[pl.Callback],
    module: pl.LightningModule,
    batches: DataLoader[Any],
    saver: Saver | None,
    run: UserModuleRun,
) -> None:
    """Train a user module, which validates and logs for itself, and measure its test part."""
    run.prepare(module)
    with tempfile.TemporaryDirectory(prefix="sweepboard-") as folder:
        trainer = trainer_of(
            configuration,
            device,
            callbacks,
            logger=run.metric_logger,
            log_every_n_steps=1,
            limit_val_batches=1.0,
            default_root_dir=folder,
        )
        run.refuse_clipping(module, trainer)
        with exit_as_error():
            _fit(trainer, module, batches, saver, run.batches(run.data.parts.validation))
            run.measure_test_part(trainer, module)


def train(
    configuration: Mapping[str, Any],
    report: Report = lambda kind, record: None,
    should_end: Callable[[], Outcome | None] = lambda: None,
    scratch: Path | None = None,
    resume: Path | None = None,
    save_seconds: float = SAVE_SECONDS,
    callbacks: Sequence[pl.Callback] = (),
) -> Result:
    """Train one configuration; the result says how it ended, and a run that fails raises nothing.

    Args:
        configuration: The sections model, data, optimizer and schedule (a name and its fields), regularization (l1,
            l2, label_smoothing, early_stopping_patience), trainer (max_epochs, device, precision, gradient_clip_val),
            keep ("best" or "none"), objective (metric, direction, at), seeds (data, init, order), replicate
            (datasets, inits), where seed data is the number of the training set, and record (a recorder and false
            where it is to be left out). Only the first three are needed:
            {"model": {"name": "mlp"}, "data": {"name": "digits"}, "optimizer": {"name": "adam", "lr": 0.001}}.
        report: Called with "info" (once, before training: data set, tags, number of parameters), "metrics" (after each
            epoch: step, time in ms, metrics; those of the test part with the last) and "file" (path, artifact).
        should_end: Asked after every batch; once it gives an outcome (stopped, pruned), the run ends with that.
        scratch: The folder for the files that a run leaves behind: what its layers did, predictions and more, and the
            weights if `keep` is "best"; nothing is written without it.
        resume: A file by which the run goes on after a kill. If it holds a run of this configuration, that is taken up
            after its last saved epoch, and what it had measured is reported again; otherwise the run starts afresh.
            It is removed when the run ends, unless it was stopped or crashed.
        save_seconds: The run is saved there at the end of an epoch when so long has passed since it began, or since
            it was last saved.
        callbacks: Lightning calls them at each moment of the training before the run itself measures; they must not
            change it.
    """
    began = time.perf_counter()
    saver = Saver(resume, save_seconds, report) if resume is not None else None
    run: Run | UserModuleRun | None = None
    problems: list[str | None]
    trace: str | None = None
    try:
        data = data_of(configuration)
        model = user_module.model_class(configuration["model"].get("name"))
        run = _run(configuration, model, data, saver.report if saver else report, should_end)
        device = choose_device(configuration.get("trainer", {}).get("device", "auto"))
        with interruptible(), seeded(device, configuration.get("seeds", {}).get("init", 0)):
            module = module_of(configuration, model, data)
            info = _info(configuration, data, module, device)
            run.report("info", info)
            data.to(device)
            batches = data.train_dataloader()
            all_callbacks = [*callbacks, run, *([saver] if saver else [])]
            if saver is not None:
                saver.fingerprint = fingerprint(configuration, info["tags"], module, device)
            if isinstance(run, UserModuleRun):
                _fit_user_module(configuration, device, all_callbacks, module, batches, saver, run)
            else:  # the callback measures, whole parts at a time
                trainer = trainer_of(configuration, device, all_callbacks, logger=False, limit_val_batches=0)
                _fit(trainer, module, batches, saver)
        outcome, problems = run.ledger.outcome, [run.ledger.error]
        if outcome in (Outcome.OK, Outcome.CRASHED):  # an objective may be missing because its recorder failed
            problems += run.recorders.problems.values()
        if outcome is Outcome.OK and scratch is not None:
            weights = run.weights if configuration.get("keep", "best") == "best" else None
            problems += save_files(weights, run.files, scratch, report)
    except Exception as problem:
        outcome, problems, trace = Outcome.CRASHED, [why_crashed(configuration, problem)], tracebacks.format_exc()
    if saver is not None:
        saver.end(outcome)
    return Result(
        outcome=outcome,
        objective=run.ledger.objective if run is not None and outcome is Outcome.OK else None,
        metrics=dict(run.ledger.metrics) if run is not None else {},
        epochs=run.ledger.epochs if run is not None else 0,
        seconds=time.perf_counter() - began,
        error=" ".join(sentence for sentence in problems if sentence) or None,
        traceback=trace,
        recorders=run.recorders.costs if run is not None else {},
    )
