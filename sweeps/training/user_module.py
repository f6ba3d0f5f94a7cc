"""Training a module that is not one of ours: any LightningModule written for a plain `pl.Trainer`.

It gets batches `(inputs, targets)` and trains as its author wrote it: its own loss, its own optimizers if it has them,
automatic or manual optimisation. What it logs is what the run measures. Of ours there is what needs no knowledge of the
module: the mean of the losses it returns, seconds, steps, learning rate, norms. Losses and errors of our own are not
measured, since only its author knows what its outputs mean.
"""

from __future__ import annotations

import math
import time
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor
from torch.nn.parameter import UninitializedParameter
from torch.utils.data import DataLoader

from data import DataModule
from data.base import Part
from lightning_modules import MODELS, Recipe
from lightning_modules.base import optimizers_of
from sweeps.catalogue import load
from sweeps.catalogue import user_files as modules
from sweeps.catalogue.read_user_models import arguments, model_classes
from sweeps.settings import settings
from sweeps.training.measuring import Run
from sweeps.training.refusals import one_of
from sweeps.training.user_metrics import RESERVED, Recorder, broken_loss, stored, unforked
from tracking import schema
from tracking.schema import Outcome


def model_class(name: Any) -> type[pl.LightningModule]:
    """The class of a model's name: one of ours, or one of the user's modules, which is imported.

    Raises:
        ValueError: There is none, or its module cannot be imported.
    """
    if name in MODELS:
        return MODELS[name]
    entries = load().models
    one_of("model.name", name, entries)
    source, class_name = source_of(str(name)), entries[str(name)].class_name
    try:
        found = model_classes(source)
    except BaseException as error:
        raise ValueError(f"model {name}: {modules.sentence(source, error)}") from error
    if class_name not in found:
        raise ValueError(f"{source.path}: it does not define {class_name} any more.")
    return found[class_name]


def source_of(name: str) -> modules.Source:
    """Where a model of the user's modules is defined.

    Raises:
        ValueError: The file is gone, or the settings do not name it any more.
    """
    path = Path(load().models[name].source)
    found, _ = modules.find(settings().modules)
    for source in found:
        if source.path == path:
            return source
    raise ValueError(f"{path}: it is not there any more, or the settings do not name it.")


def tags(name: Any) -> dict[str, str]:
    """What a run of a user's model is tagged with; nothing for one of ours."""
    if name in MODELS:
        return {}
    source, entry = source_of(str(name)), load().models[str(name)]
    digest = modules.digest(source.named)[:16]
    return {
        schema.MODEL_SOURCE: f"{source.path.name} {digest}",
        schema.OPTIMIZER_OF: schema.MODEL if entry.own_optimizer else schema.CONFIGURATION,
    }


def make(model: type[pl.LightningModule], fields: Mapping[str, Any], data: DataModule) -> pl.LightningModule:
    """A module of a user's class, with the fields of the configuration and what it asks to know of the data.

    Raises:
        ValueError: Its constructor raised, or asks for what this data set does not have.
    """
    name = fields.get("name")
    known = fed(data)
    given = {key: value for key, value in fields.items() if key != "name"}
    for parameter, _, _ in arguments(model):
        if parameter.name in known:
            given[parameter.name] = known[parameter.name]
        elif parameter.name in modules.FED and parameter.default is parameter.empty:
            raise ValueError(f"model {name}: its argument {parameter.name} is not known of data that is {data.task}.")
    try:
        module = model(**given)
    except (Exception, SystemExit) as error:
        reason = modules.sentence(source_of(str(name)), error, "its constructor")
        raise ValueError(f"model {name}: {reason}") from error
    if any(isinstance(parameter, UninitializedParameter) for parameter in module.parameters()):
        batch = data.parts.train[slice(2)]
        with torch.no_grad():  # lazy layers learn their sizes from a first batch
            module(batch[0]) if is_overridden("forward", module) else module.training_step(batch, 0)
    return module


def fed(data: DataModule) -> dict[str, Any]:
    """What is known of the data, by the names that constructors use for it."""
    dims = data.dims
    features, outputs = math.prod(dims["input_shape"]), dims["num_outputs"]
    known = {**dims, **dict.fromkeys(("in_features", "input_dim", "num_features"), features)}
    known |= dict.fromkeys(("out_features", "output_dim"), outputs)
    return known if data.task == "regression" else {**known, "num_classes": max(outputs, 2)}


@contextmanager
def exit_as_error() -> Iterator[None]:
    """Let a module that ends the process (`sys.exit`) end its run alone; Ctrl-C passes through."""
    try:
        yield
    except SystemExit as leaving:
        if isinstance(leaving.__context__, KeyboardInterrupt):
            raise
        raise RuntimeError("its code ended the process (sys.exit)") from leaving


def _as_is(batch: Any) -> Any:
    return batch


@dataclass(eq=False)
class ForeignRun(Run, Checkpoint):
    """What a run of a user's module measures: what the module logs, once an epoch, and every reason to end it.

    A `Checkpoint` to Lightning, which calls those after the module's own `on_train_epoch_end`.
    """

    recipe: Recipe = field(default_factory=Recipe)
    own_optimizer: bool = False
    remarks: list[str] = field(default_factory=list)
    """Sentences about a run that is ok nevertheless."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.recorder = Recorder()
        self._stepped: dict[str, float] = {}
        self._validated: dict[str, float] = {}
        self._takes_norms = False
        self._record: dict[str, Any] = {}
        self._waits = False

    def prepare(self, module: pl.LightningModule) -> None:
        """Give the module the optimizers of the configuration, unless it has its own.

        Raises:
            ValueError: The configuration asks for label smoothing.
        """
        if not self.own_optimizer:
            recipe = self.recipe
            module.configure_optimizers = types.MethodType(lambda model: optimizers_of(model, recipe), module)  # type: ignore[method-assign]
        if smoothing := self.recipe.label_smoothing:
            raise ValueError(
                f"regularization.label_smoothing: {smoothing} is not allowed for a model whose loss is its own; "
                "allowed: 0."
            )

    def refuse_clipping(self, module: pl.LightningModule, trainer: pl.Trainer) -> None:
        """Refuse to clip gradients for a module that steps its optimizers itself.

        Raises:
            ValueError: It does, and the trainer would clip.
        """
        if not module.automatic_optimization and trainer.gradient_clip_val:
            raise ValueError(
                f"trainer.gradient_clip_val: {trainer.gradient_clip_val} is not allowed for a model that steps its "
                "optimizers itself; allowed: 0."
            )

    def batches(self, part: Part) -> DataLoader[Any]:
        """A part in its own order, in batches as large as those that the module trains on."""
        size = len(self.data.parts.train) if self.data.batch_size == "full" else int(self.data.batch_size)
        slices = [slice(begin, begin + size) for begin in range(0, len(part), size)]
        return DataLoader(part, sampler=slices, batch_size=None, collate_fn=_as_is, generator=torch.Generator())  # type: ignore[arg-type]

    # Lightning's hooks, in the order of an epoch

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trained = any(parameter.requires_grad for parameter in pl_module.parameters())
        self._takes_norms = pl_module.automatic_optimization and trained
        if self._takes_norms:
            super().on_train_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._loss, self._examples = 0.0, 0
        self._lr = trainer.optimizers[0].param_groups[0]["lr"] if trainer.optimizers else math.nan
        trainer.logged_metrics.clear()  # what an earlier epoch left there
        self.recorder.take()
        self._stepped, self._validated, self._validating = {}, {}, 0.0
        self._began = time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.recorder.weight = len(batch[1])
        self._stepped_now = False

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        if self.recipe.l1 or self.recipe.l2:
            self._penalise(optimizer)
        if self._takes_norms:
            super().on_before_optimizer_step(trainer, pl_module, optimizer)
            self._stepped_now = True

    def _penalise(self, optimizer: torch.optim.Optimizer) -> None:
        """Add the gradient of l1·Σ|w| + (l2/2)·Σw² over the weights: the module's loss is its own."""
        for parameter in (own for group in optimizer.param_groups for own in group["params"]):
            if parameter.ndim > 1 and parameter.grad is not None:
                weight = parameter.detach()
                parameter.grad.add_(self.recipe.l2 * weight + self.recipe.l1 * weight.sign())

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        where = f"at batch {batch_idx + 1} of epoch {self.epochs + 1}"
        if isinstance(loss, Tensor) and loss.numel() == 1:
            value = float(loss)
            self._loss += value * len(batch[1])
            self._examples += len(batch[1])
            if not math.isfinite(value):
                self._finish_early(trainer, Outcome.DIVERGED, f"The training loss was {value} {where}.")
                return
        broken = self.recorder.broken()
        if broken:
            self._finish_early(trainer, Outcome.DIVERGED, f"{broken[0]} was not finite {where}.")
            return
        self.steps += 1
        if self._stepped_now:
            self._norms.after_step()
        if (asked := self.should_end()) is not None:
            self._finish_early(trainer, asked)

    def _finish_early(self, trainer: pl.Trainer, outcome: Outcome, error: str | None = None) -> None:
        trainer.limit_val_batches = 0  # else Lightning validates once more before it ends
        self._end(trainer, outcome, error)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stepped = self.recorder.take()
        self._validation_began = time.perf_counter()

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self.recorder.weight = len(batch[1])

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._validated = self.recorder.take()
        self._validating += time.perf_counter() - self._validation_began

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.outcome is not Outcome.OK:
            return
        self._stepped |= self.recorder.take()
        norms, *by_layer = self._norms.take() if self._takes_norms else ({},)
        self.train_seconds += time.perf_counter() - self._began - self._validating
        logged = self._logged(trainer)
        self.epochs += 1
        measured = {
            **({schema.TRAIN_LOSS: self._loss / self._examples} if self._examples else {}),
            **logged,
            schema.TRAIN_SECONDS: self.train_seconds,
            schema.LR: self._lr,
            schema.STEPS: float(self.steps),
            **norms,
        }
        finite = {name: value for name, value in measured.items() if math.isfinite(value)}
        self.metrics.update(finite)
        self._record = {"step": self.epochs, "time": time.time_ns() // 1_000_000, "metrics": finite}
        broken = broken_loss(measured)
        if broken is None and not math.isfinite(measured.get(self.criterion.metric, 0.0)):
            broken = self.criterion.metric, measured[self.criterion.metric]
        if broken:
            self._end(trainer, Outcome.DIVERGED, f"{broken[0]} was {broken[1]} after epoch {self.epochs}.")
        elif not all(torch.isfinite(parameter).all() for parameter in pl_module.parameters()):
            self._end(trainer, Outcome.DIVERGED, f"A parameter was not finite after epoch {self.epochs}.")
        elif missing := self._missing():
            self._end(trainer, Outcome.CRASHED, missing)
        else:
            self._choose(pl_module)
            if by_layer:
                self._layers.add(self.epochs, *by_layer)
            if self._is_last(trainer):
                self.files[schema.LAYERS_FILE] = self._layers.arrays()
                trainer.should_stop = True
                self._waits = True  # for what is measured of the test part
                return
        self.report("metrics", self._record)

    def _logged(self, trainer: pl.Trainer) -> dict[str, float]:
        """What the module logged in this epoch, by the names under which it is stored."""
        epoch = {
            name: float(value)
            for name, value in trainer.logged_metrics.items()
            if name not in self._stepped and name not in self._validated
        }
        trained, validated = unforked({**self._stepped, **epoch}), unforked(self._validated)
        for name in trained.keys() & validated.keys():
            self._remark(f"It logs {name} in training and in validation alike; the value of the validation is stored.")
        self._validated = stored(validated, self._remark)
        return {**stored(trained, self._remark), **self._validated}

    def _remark(self, sentence: str) -> None:
        if sentence not in self.remarks:
            self.remarks.append(sentence)

    def _missing(self) -> str | None:
        """What the configuration needs to be logged and is not, in one sentence."""
        there = [name for name in self.metrics if name not in RESERVED]
        validated = "" if self._validated else ", and none of the validation data"
        for key, metric in (
            ("objective.metric", self.criterion.metric),
            ("regularization.early_stopping_patience", schema.VAL_LOSS if self.patience else None),
        ):
            if metric is not None and metric not in self.metrics:
                return f"{key}: no metric {metric} was logged{validated}; there are: {', '.join(there) or 'none'}."
        return None

    def _choose(self, module: pl.LightningModule) -> None:
        """Keep the weights if they are the best so far by the validation data, or the last where nothing is logged."""
        for best in (self._ranked, self._stopping):
            if best.criterion.metric in self.metrics:
                best.offer(self.metrics[best.criterion.metric], self.epochs)
        if self.criterion.metric in self._validated:
            self._selected.criterion = self.criterion
        criterion = self._selected.criterion
        if criterion.metric not in self._validated:
            self._remark(
                "It logs no loss of the validation data; the weights that are kept are those of the last epoch."
            )
            self._selected.epoch = self.epochs
        elif not self._selected.offer(self.metrics[criterion.metric], self.epochs):
            return
        state = module.state_dict().items()
        self.weights = {name: value.detach().clone() for name, value in state if isinstance(value, Tensor)}

    def measure_test_part(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Measure the test part of a run that is ok, if the module has a step for it, at the weights that are kept."""
        if self.outcome is not Outcome.OK:
            return
        self.error = " ".join(self.remarks) or None
        finite: dict[str, float] = {}
        if is_overridden("test_step", module):
            module.load_state_dict(self.weights, strict=False)  # what is no tensor stays as it is
            self.recorder.take()
            trainer.test(module, self.batches(self.data.parts.test), verbose=False)
            tested = unforked(self.recorder.take())
            named = {name if name.startswith("test") else f"test/{name}": value for name, value in tested.items()}
            finite = {name: value for name, value in stored(named, self._remark).items() if math.isfinite(value)}
        self.metrics.update(finite)
        if self._waits or finite:
            self.report("metrics", {**self._record, "metrics": {**self._record["metrics"], **finite}})
