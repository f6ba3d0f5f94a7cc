"""Sixteen digits-MLP runs of 20 epochs: two workers of ours against Optuna + Lightning + MLFlowLogger in one process.

What a user would otherwise write is written here as their documentation shows it: a study, a Lightning module that
logs train and validation loss and error, a DataLoader over a TensorDataset, an MLFlowLogger on SQLite. Ours measures
more of each run (training part in evaluation mode, norms, test set, weights). The service is warm, as it is from the
moment the dashboard has been open for ten seconds; both sides alternate in one run of this script.
"""

from __future__ import annotations

import logging
import tempfile
import time
import warnings

from benchmarks.measure import REPEATS, median, own_store, write

RUNS, EPOCHS = 16, 20
SPEC = """
name: throughput
model: {name: mlp, hidden_sizes: [64]}
data: {name: digits, batch_size: 64}
optimizer: {name: adam}
trainer: {max_epochs: 20}
search:
  optimizer.lr: {low: 1.0e-4, high: 1.0e-1, log: true, steps: 8}
seeds: 2
workers: 2
"""


def ours(uri: str) -> float:
    """Seconds from launch to finished, the last metric stored."""
    from sweeps.client import Client
    from tracking.reader import open_reader

    client, reader = Client(uri), open_reader(uri)
    begun = time.perf_counter()
    sweep = client.launch(SPEC)
    while reader.tags([sweep], ["state"])["value"].item() != "finished":
        time.sleep(0.02)
    return time.perf_counter() - begun


def theirs() -> float:
    """Seconds of study.optimize, the store and all imports made before."""
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

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")

    class Net(pl.LightningModule):
        def __init__(self, lr: float) -> None:
            super().__init__()
            self.lr = lr
            self.net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))

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

    x, y = load_digits(return_X_y=True)
    x = torch.tensor(x / 16, dtype=torch.float32)
    parts = train_test_split(x, torch.tensor(y), test_size=0.2, random_state=0)
    with tempfile.TemporaryDirectory(prefix="sweepboard-bench-") as folder:
        uri = f"sqlite:///{folder}/mlflow.db"
        ensure_store(uri)

        def objective(trial: optuna.Trial) -> float:
            pl.seed_everything(trial.number)
            train = DataLoader(TensorDataset(parts[0], parts[2]), batch_size=64, shuffle=True)
            val = DataLoader(TensorDataset(parts[1], parts[3]), batch_size=512)
            lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
            logger = MLFlowLogger("throughput", tracking_uri=uri)
            logger.log_hyperparams({"lr": lr, "batch_size": 64, "hidden_size": 64})
            trainer = pl.Trainer(
                max_epochs=EPOCHS,
                logger=logger,
                accelerator="cpu",
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            trainer.fit(Net(lr), train, val)
            return float(trainer.callback_metrics["val_loss"])

        begun = time.perf_counter()
        optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).optimize(objective, n_trials=RUNS)
        return time.perf_counter() - begun


def main() -> None:
    from sweeps.client import Client

    theirs()  # imports and first calls
    with own_store() as uri:
        Client(uri).start_service(wait=120)
        ours(uri)
        pairs = [(ours(uri), theirs()) for _ in range(REPEATS)]
    write(
        "throughput",
        {
            "what": f"{RUNS} runs of {EPOCHS} epochs, digits, MLP 64-64-10, batch 64",
            "seconds_ours": [round(a, 2) for a, _ in pairs],
            "seconds_optuna_lightning_mlflowlogger": [round(b, 2) for _, b in pairs],
            "median_seconds_ours": median([a for a, _ in pairs]),
            "median_seconds_theirs": median([b for _, b in pairs]),
            "median_ratio": median([b / a for a, b in pairs]),
            "goal_ratio": 1.8,
        },
    )


if __name__ == "__main__":
    main()
