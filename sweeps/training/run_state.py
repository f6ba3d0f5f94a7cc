"""What the callbacks of both kinds of run hold alike: the state that survives a kill, and what recorders are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import pytorch_lightning as pl
from torch import Tensor

from data import DataModule
from sweeps.training.ledger import Ledger
from sweeps.training.recorder import RunView
from sweeps.training.recorders import Recorders
from sweeps.training.training_meter import TrainingMeter


class RunParts(Protocol):
    """The parts of a run's callback: neither callback inherits from the other, each has these."""

    data: DataModule
    ledger: Ledger
    meter: TrainingMeter
    recorders: Recorders
    weights: dict[str, Tensor]
    """Of the best epoch so far."""


def state_of(run: RunParts) -> dict[str, Any]:
    """The state that a run needs to go on after a kill, as its resume file holds it."""
    return {
        **run.ledger.state_dict(),
        **run.meter.state_dict(),
        **run.recorders.state_dict(),
        "weights": run.weights,
    }


def load_state(run: RunParts, state: Mapping[str, Any]) -> None:
    """Let a run go on from such a state."""
    run.ledger.load_state_dict(state)
    run.meter.load_state_dict(state)
    run.recorders.load_state_dict(state)
    run.weights = state["weights"]


def view_of(run: RunParts, trainer: pl.Trainer, module: pl.LightningModule) -> RunView:
    """The view of a run that recorders get once an epoch has been judged."""
    ledger = run.ledger
    return RunView(trainer, module, run.data, ledger.epochs, ledger.best_epoch, dict(ledger.metrics), run.meter.norms)
