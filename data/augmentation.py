"""Augmentation of the training examples, afresh for each batch: noise on every input, images moved by some pixels.

What a batch gets depends on the order seed, the epoch and the number of the batch alone, and is drawn on the CPU: the
same on every device, and in a run that goes on after a kill. No other part is ever changed.

An image is moved as it was before standardisation, what comes in from outside it is 0 (black), and then it is
standardised again, each pixel by its own mean and deviation. These are taken over the training images and over all the
moves that are possible, as training sees them (`moments`). Fitted to the images where they stand, the deviation of
a pixel at the margin, which is black in nearly all of them, would be so small that an image moved there would stand out
by hundreds of deviations: by 255 of them in the digits, at one pixel.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from data.parts import Batches, Scaling, TensorPart
from learning_tasks import Batch

STREAM: Final = 5
"""Keeps these random numbers apart from those that shuffle the batches."""

Key = tuple[int, int, int]
"""Order seed, epoch and number of a batch."""


@dataclass(frozen=True)
class Augmentation:
    """Changes the inputs of a batch."""

    noise: float
    """Standard deviation of the normal noise that is added to each input, in the unit of the standardised inputs."""
    shift: int
    """The most pixels that an image is moved by, in rows and in columns; all moves are equally likely."""
    scaling: Scaling

    def __call__(self, inputs: Tensor, key: Key) -> Tensor:
        """The changed inputs (B, *input_shape) of a batch."""
        state = np.random.SeedSequence([*key, STREAM]).generate_state(1)[0]
        generator = torch.Generator().manual_seed(int(state))
        if self.shift:
            moves = torch.randint(0, 2 * self.shift + 1, (2, len(inputs)), generator=generator).to(inputs.device)
            inputs = self.scaling.standardised(moved(self.scaling.restored(inputs), moves, self.shift))
        if self.noise:
            inputs = inputs + self.noise * torch.randn(inputs.shape, generator=generator).to(inputs.device)
        return inputs


def moved(images: Tensor, moves: Tensor, largest: int) -> Tensor:
    """The images, each moved by its own number of pixels, with 0 where nothing is left of it.

    Args:
        images: (B, ..., rows, columns).
        moves: (2, B) by how much up and to the left, counted from -largest: `largest` leaves an image where it is.
        largest: The largest move.
    """
    rows, columns = images.shape[-2:]
    stacked = images.reshape(len(images), -1, rows, columns)
    padded = F.pad(stacked, [largest] * 4)  # (B, C, rows + 2 largest, columns + 2 largest)
    pixels = torch.arange(max(rows, columns), device=images.device)
    numbers = torch.arange(len(images), device=images.device)
    row = moves[0][:, None, None] + pixels[:rows, None]  # (B, rows, 1)
    column = moves[1][:, None, None] + pixels[:columns]  # (B, 1, columns)
    windows = padded[numbers[:, None, None], :, row, column]  # (B, rows, columns, C)
    return windows.movedim(-1, 1).reshape(images.shape)


def moments(inputs: NDArray[Any], shift: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean and standard deviation (*input_shape) of each input over the examples, and over all moves of an image.

    Args:
        inputs: (n, *input_shape), before standardisation.
        shift: The largest move; 0 for what is not moved.
    """
    mean, std = inputs.mean(axis=0, dtype=np.float64), inputs.std(axis=0, dtype=np.float64)
    if not shift:
        return mean, std
    variance = std**2
    for axis in (-2, -1):
        means, variances = _moves(mean, axis, shift), _moves(variance, axis, shift)
        mean = means.mean(axis=0)
        variance = variances.mean(axis=0) + means.var(axis=0)  # within the moves, and between them
    return mean, np.sqrt(variance)


def _moves(image: NDArray[np.float64], axis: int, shift: int) -> NDArray[np.float64]:
    """The image moved over one axis by -shift to shift pixels, (2 shift + 1, *image.shape)."""
    padding = [(0, 0)] * image.ndim
    padding[axis] = (shift, shift)
    padded = np.pad(image, padding)
    length = image.shape[axis]
    return np.stack([np.take(padded, range(begin, begin + length), axis=axis) for begin in range(2 * shift + 1)])


class KeyedBatches(Batches):
    """The batches of an epoch, each with its key: (indices, key)."""

    def __iter__(self) -> Iterator[tuple[Any, Key]]:
        epoch = self.epoch
        return ((indices, (self.seed, epoch, number)) for number, indices in enumerate(super().__iter__()))


@dataclass(frozen=True)
class Augmented:
    """A part whose batches are changed: each is asked for by (indices, key), as `KeyedBatches` gives them."""

    part: TensorPart
    augmentation: Augmentation

    def __len__(self) -> int:
        return len(self.part)

    def batch(self, keyed_indices: tuple[Any, Key]) -> Batch:
        indices, key = keyed_indices
        inputs, targets = self.part.batch(indices)
        return Batch(self.augmentation(inputs, key), targets)
