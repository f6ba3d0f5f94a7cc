"""What a user would otherwise write: a study, plain Lightning and an MLFlowLogger, as their documentation shows them.

Each trial trains an MLP on digits: a Lightning module that logs train and validation loss and error, a DataLoader over
a TensorDataset, an MLFlowLogger on SQLite, one trial after the other in one process.
"""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

import optuna
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import MLFlowLogger
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from tracking.store import ensure_store


class Net(pl.LightningModule):
    def __init__(self, lr: float, hidden_size: int = 64) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(nn.Linear(64, hidden_size), nn.ReLU(), nn.Linear(hidden_size, 10))

    def _step(self, batch, split):  # type: ignore[no-untyped-def]
        x, y = batch
        logits = self.net(x)
        loss = F.cross_entropy(logits, y)
        self.log(f"{split}_loss", loss, on_step=False, on_epoch=True)
        self.log(f"{split}_error", (logits.argmax(1) != y).float().mean(), on_step=False, on_epoch=True)
        return loss

    def training_step(self, batch, batch_idx):  # type: ignore[no-untyped-def]
        return self._step(batch, "train")

    def validation_step(self, batch, batch_idx):  # type: ignore[no-untyped-def]
        self._step(batch, "val")

    def configure_optimizers(self):  # type: ignore[no-untyped-def]
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def digits() -> tuple[TensorDataset, TensorDataset]:
    """The training and the validation part."""
    x, y = load_digits(return_X_y=True)
    x = torch.tensor(x / 16, dtype=torch.float32)
    x_train, x_val, y_train, y_val = train_test_split(x, torch.tensor(y), test_size=0.2, random_state=0)
    return TensorDataset(x_train, y_train), TensorDataset(x_val, y_val)


def fit(params: dict[str, Any], train: DataLoader, val: DataLoader, uri: str, epochs: int) -> float:
    """The validation loss of a net with these params after its last epoch; the run is logged to the store."""
    logger = MLFlowLogger("benchmark", tracking_uri=uri)
    logger.log_hyperparams({"batch_size": 64, "hidden_size": 64, **params})
    trainer = pl.Trainer(
        max_epochs=epochs,
        logger=logger,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Net(**params), train, val)
    return float(trainer.callback_metrics["val_loss"])


def seconds(
    sampler: Callable[[], optuna.samplers.BaseSampler],
    suggest: Callable[[optuna.Trial], dict[str, Any]],
    trials: int,
    epochs: int,
) -> float:
    """Seconds of study.optimize, with the store made before.

    Args:
        sampler: Makes the study's sampler.
        suggest: Gives a trial its `lr` and, where it is searched, its `hidden_size` (else 64).
        trials: How many trials.
        epochs: Epochs of each.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    train_part, val_part = digits()
    with tempfile.TemporaryDirectory(prefix="sweepboard-bench-") as folder:
        uri = f"sqlite:///{folder}/mlflow.db"
        ensure_store(uri)

        def objective(trial: optuna.Trial) -> float:
            pl.seed_everything(trial.number, verbose=False)
            train = DataLoader(train_part, batch_size=64, shuffle=True)
            val = DataLoader(val_part, batch_size=512)
            return fit(suggest(trial), train, val, uri, epochs)

        start = time.perf_counter()
        optuna.create_study(sampler=sampler()).optimize(objective, n_trials=trials)
        return time.perf_counter() - start
