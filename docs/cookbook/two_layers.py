"""A classifier as one writes it for a plain Trainer: its own loss, metrics, optimizer and schedule."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F


class TwoLayers(pl.LightningModule):
    """Two linear layers with dropout between them, trained by AdamW on a one-cycle schedule.

    Args:
        hidden: Units of the hidden layer.
        dropout: Share of the hidden units that is dropped while training.
        max_lr: The learning rate at the top of the cycle.
    """

    def __init__(
        self, in_features: int, num_classes: int, hidden: int = 64, dropout: float = 0.1, max_lr: float = 0.01
    ):
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(in_features, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, num_classes)
        )

    def forward(self, x):
        return self.layers(x)  # (B, num_classes)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(dim=1) == y).float().mean())

    def test_step(self, batch, batch_idx):
        x, y = batch
        self.log("test_acc", (self(x).argmax(dim=1) == y).float().mean())

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams.max_lr / 25)
        steps = self.trainer.estimated_stepping_batches
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.hparams.max_lr, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
