"""A loss and metrics of one's own, and no optimizer: the sweep's optimizer and schedule train it."""

from typing import Literal

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F


class Focal(pl.LightningModule):
    """A multilayer perceptron trained by the focal loss -(1 - p)^gamma·log p (Lin et al. 2017), for rare classes.

    Args:
        gamma: How much examples that are classified well already count less; 0 is the cross-entropy.
        hidden_sizes: Units of each hidden layer.
        activation: What follows each hidden layer.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        gamma: float = 2.0,
        hidden_sizes: list[int] = [32],  # noqa: B006 - it is never changed
        activation: Literal["relu", "tanh"] = "relu",
    ):
        super().__init__()
        self.gamma, self.num_classes = gamma, num_classes
        layers, size = [nn.Flatten()], in_features
        for hidden in hidden_sizes:
            layers += [nn.Linear(size, hidden), nn.ReLU() if activation == "relu" else nn.Tanh()]
            size = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(size, num_classes))

    def forward(self, x):
        return self.layers(x)  # (B, num_classes)

    def loss(self, x, y):
        log_p = -F.cross_entropy(self(x), y, reduction="none")  # (B,)
        return -((1 - log_p.exp()) ** self.gamma * log_p).mean()

    def training_step(self, batch, batch_idx):
        loss = self.loss(*batch)
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def on_validation_epoch_start(self):
        self.seen = []

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val/loss", self.loss(x, y))
        self.seen.append((self(x).argmax(dim=1), y))

    def on_validation_epoch_end(self):
        predicted, y = (torch.cat(parts) for parts in zip(*self.seen, strict=True))
        f1 = []
        for label in range(self.num_classes):
            hits = ((predicted == label) & (y == label)).sum()
            f1.append(2 * hits / ((predicted == label).sum() + (y == label).sum()).clamp(min=1))
        self.log("val/f1", torch.stack(f1).mean())
