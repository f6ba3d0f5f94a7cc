"""Two networks against each other, by manual optimisation: two optimizers, stepped by hand."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F


def perceptron(inputs, hidden, outputs):
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden), nn.LeakyReLU(0.2),
        nn.Linear(hidden, outputs),
    )  # fmt: skip


def energy_distance(a, b):
    """2·E|a - b| - E|a - a'| - E|b - b'| (Székely and Rizzo 2013): 0 where both are drawn alike."""
    return 2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()


class GAN(pl.LightningModule):
    """A generative adversarial network (Goodfellow et al. 2014) that learns to draw the inputs of a data set.

    It is judged by the energy distance between what it draws and the validation inputs.

    Args:
        latent_size: Numbers that a point is drawn from.
        hidden: Units of each hidden layer, in both networks.
        lr: Learning rate of both.
    """

    def __init__(self, in_features: int, latent_size: int = 4, hidden: int = 32, lr: float = 2e-3):
        super().__init__()
        self.automatic_optimization = False
        self.latent_size, self.lr = latent_size, lr
        self.generator = perceptron(latent_size, hidden, in_features)
        self.discriminator = perceptron(in_features, hidden, 1)

    def forward(self, noise):
        return self.generator(noise)  # (B, in_features)

    def draw(self, count):
        return self(torch.randn(count, self.latent_size, device=self.device))

    def training_step(self, batch, batch_idx):
        real = batch[0].flatten(1)
        for_generator, for_discriminator = self.optimizers()

        fake = self.draw(len(real))
        d_loss = F.softplus(-self.discriminator(real)).mean() + F.softplus(self.discriminator(fake.detach())).mean()
        for_discriminator.zero_grad()
        self.manual_backward(d_loss)
        for_discriminator.step()

        g_loss = F.softplus(-self.discriminator(fake)).mean()
        for_generator.zero_grad()
        self.manual_backward(g_loss)
        for_generator.step()
        self.log_dict({"g_loss": g_loss, "d_loss": d_loss}, on_step=True, on_epoch=True)

    def validation_step(self, batch, batch_idx):
        real = batch[0].flatten(1)
        self.log("val/distance", energy_distance(self.draw(len(real)), real))

    def configure_optimizers(self):
        return [
            torch.optim.Adam(network.parameters(), lr=self.lr, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        ]
