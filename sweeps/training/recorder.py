"""What a recorder is: something that looks at a run while it trains, and leaves arrays for a page, or metrics.

A recorder is one class in a file of its own, named in `sweeps.training.recorders.RECORDERS`. It changes nothing of the
run: random numbers and the training mode of each layer are put back after every call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytorch_lightning as pl
from numpy.typing import NDArray

from data import DataModule
from learning_tasks import Metric
from sweeps.training.training_meter import ParameterNorms


@dataclass(frozen=True)
class RunView:
    """What a recorder is shown of a run at one moment of it."""

    trainer: pl.Trainer
    """For its precision: `trainer.precision_plugin`."""
    module: pl.LightningModule
    data: DataModule
    epoch: int
    """The epoch that was trained last, counted from 1; before training the number of those before a kill, or 0."""
    best_epoch: int
    """The epoch of the checkpoint so far; 0 before the first one has been judged."""
    metrics: Mapping[str, float]
    """The last value of each metric, those of this epoch included."""
    norms: ParameterNorms | None
    """Of this epoch; None before training, and where a module steps its optimizers itself."""

    def after(self, measured: Mapping[str, float]) -> RunView:
        """The view of the epoch that comes next, which has been trained and measured, and not yet judged."""
        return replace(self, epoch=self.epoch + 1, metrics={**self.metrics, **measured})


class Recorder:
    """What a run leaves for a page. A subclass says what it fits, and overrides the moments at which it looks.

    The moments in their order: `begin` before training; after each epoch `measure`, then `epoch`; after the last one
    `finish`, then `arrays`. A run that does not end ok leaves nothing. An error of a recorder ends the recorder, not
    the run: its file is left out, and the run says so in a sentence.
    """

    artifact: ClassVar[str] = ""
    """The artifact of `tracking.schema` that its arrays make; empty if it only measures."""
    words: ClassVar[str] = ""
    """What is in the artifact, in words: `norms of the layers`."""
    metrics: ClassVar[tuple[Metric, ...]] = ()
    """The metrics that `measure` gives of the validation part, as `val/<name>`: runs may then be ranked by them."""
    tasks: ClassVar[tuple[str, ...]] = ()
    """The tasks that `metrics` are for, as the catalogue says; a recorder that measures nothing needs none."""

    def fits(self, module: pl.LightningModule, data: DataModule) -> bool:
        """Whether there is something to record of this module, trained on these data."""
        raise NotImplementedError

    def begin(self, run: RunView) -> None:
        """Look at the run before its first step; after a kill again, when its state has been loaded."""

    def measure(self, run: RunView) -> dict[str, float]:
        """Metrics of this epoch, before the run decides which epoch is the best and whether it goes on."""
        return {}

    def epoch(self, run: RunView, last: bool) -> None:
        """Keep what is needed of this epoch, at its weights, once it is known whether it was the last."""

    def finish(self, run: RunView) -> dict[str, float]:
        """Look once at the weights that validation chose; metrics of the test part."""
        return {}

    def arrays(self, run: RunView) -> dict[str, NDArray[Any]]:
        """The arrays of the artifact, which can be loaded without pickle; none if there is nothing to show."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What has to survive a kill: tensors, numbers and texts, in lists and dictionaries."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up such a state."""
