"""Examples, the parts of a data set as tensors, and the batches of an epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from learning_tasks import Batch

TRAIN_EVAL_LIMIT = 2000


@dataclass(frozen=True)
class Examples:
    """Examples as they were loaded or drawn: inputs (n, *input_shape), targets (n,), in NumPy."""

    inputs: NDArray[Any]
    targets: NDArray[Any]
    clean: NDArray[Any] | None = None
    """The true targets (n,) where the data set added noise to them; None where the targets are the true ones."""


@dataclass(frozen=True)
class Part:
    """One part of a data set as tensors: inputs (n, *input_shape) float32; targets (n,) float32, or int64 classes.

    Indexing with a tensor or slice of indices gives a whole batch `(inputs, targets)` at once.
    """

    inputs: Tensor
    targets: Tensor
    clean: Tensor | None = None
    """The true targets, like `targets`, where the data set added noise to them; None where those are the true ones."""

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, indices: Tensor | slice) -> Batch:
        return self.inputs[indices], self.targets[indices]

    def to(self, device: torch.device | str) -> "Part":
        clean = None if self.clean is None else self.clean.to(device)
        return Part(self.inputs.to(device), self.targets.to(device), clean)

    def first(self, count: int) -> "Part":
        """The part with its first `count` examples alone."""
        clean = None if self.clean is None else self.clean[:count]
        return Part(self.inputs[:count], self.targets[:count], clean)


@dataclass(frozen=True)
class Scaling:
    """The mean and deviation (*input_shape) float32 that inputs were standardised by; 0 and 1 where they were not."""

    mean: Tensor
    std: Tensor

    def standardised(self, inputs: Tensor) -> Tensor:
        """The inputs (n, *input_shape) as a model gets them, from those of the data."""
        return (inputs - self.mean) / self.std

    def restored(self, inputs: Tensor) -> Tensor:
        """The inputs as the data have them, from those that a model gets."""
        return inputs * self.std + self.mean

    def to(self, device: torch.device | str) -> "Scaling":
        return Scaling(self.mean.to(device), self.std.to(device))


@dataclass(frozen=True)
class Parts:
    """The three parts, the fixed part of the training examples that `train_eval` is measured on, and their scaling."""

    train: Part
    validation: Part
    test: Part
    scaling: Scaling

    @property
    def train_eval(self) -> Part:
        return self.train.first(TRAIN_EVAL_LIMIT)

    def to(self, device: torch.device | str) -> "Parts":
        parts = (self.train, self.validation, self.test, self.scaling)
        return Parts(*(part.to(device) for part in parts))  # type: ignore[arg-type]


class Batches(Sampler[Any]):
    """The indices of each batch of an epoch, shuffled by the order seed and the number of the epoch alone.

    A last batch of a single example joins the batch before it, since batch norm cannot normalise one example. A batch
    of everything is not shuffled: the order seed then changes nothing.
    """

    def __init__(self, size: int, batch_size: int, seed: int) -> None:
        self.size, self.batch_size, self.seed = size, min(batch_size, size), seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of each epoch, so that a resumed run shuffles as it would have."""
        self.epoch = epoch

    def _lengths(self) -> list[int]:
        whole, rest = divmod(self.size, self.batch_size)
        lengths = [self.batch_size] * whole
        if rest == 1 and self.batch_size > 1:
            lengths[-1] += 1
        elif rest:
            lengths.append(rest)
        return lengths

    def __len__(self) -> int:
        return len(self._lengths())

    def __iter__(self) -> Iterator[Any]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        if len(self) == 1:
            return iter([slice(None)])
        state = np.random.SeedSequence([self.seed, epoch]).generate_state(1)[0]
        order = torch.randperm(self.size, generator=torch.Generator().manual_seed(int(state)))
        return iter(torch.split(order, self._lengths()))


def _uncollated(batch: Any) -> Any:
    return batch


def loader(part: Any, sampler: Sampler[Any]) -> DataLoader[Any]:
    """The batches of a part: one for each item of the sampler.

    Each item stands for a whole batch, so nothing is collated example by example. The generator is the loader's own:
    without one, each pass would draw from the global stream that dropout uses.
    """
    return DataLoader(part, sampler=sampler, batch_size=None, collate_fn=_uncollated, generator=torch.Generator())
