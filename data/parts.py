"""Examples, the parts of a data set as tensors, and the batches of an epoch."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

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


class Part(Protocol):
    """One part of a data set: what is counted and shuffled, and how batches are made of it."""

    @property
    def clean(self) -> Tensor | None:
        """The true targets (n,) where the data set added noise to them; None where its targets are the true ones."""

    @property
    def at_once(self) -> int:
        """The most examples that one batch may have where no gradients are needed."""

    def __len__(self) -> int:
        """The number of what is shuffled: examples, sentences, graphs, labelled nodes."""

    def batch(self, indices: Tensor | slice) -> Batch:
        """The batch of these examples: every leaf of its inputs and targets is a tensor."""

    def first(self, count: int) -> "Part":
        """The part with its first `count` examples alone."""

    def to(self, device: torch.device | str) -> "Part":
        """The part on a device."""

    def tensors(self) -> Iterator[Tensor]:
        """Everything that training sees of it, in a fixed order: what the digest of the data is made from."""


def slices(part: Part, size: int) -> list[slice]:
    """The slices that cut a part, in its own order, into batches of at most `size` examples."""
    return [slice(begin, min(begin + size, len(part))) for begin in range(0, len(part), size)]


@dataclass(frozen=True)
class TensorPart:
    """A part whose examples are equally large: inputs (n, *input_shape) float32; targets (n, ...) float32 or int64."""

    inputs: Tensor
    targets: Tensor
    clean: Tensor | None = None
    """The true targets, like `targets`, where the data set added noise to them; None where those are the true ones."""
    at_once: int = 8192

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, indices: Tensor | slice) -> Batch:
        return Batch(self.inputs[indices], self.targets[indices])

    def first(self, count: int) -> "TensorPart":
        clean = None if self.clean is None else self.clean[:count]
        return TensorPart(self.inputs[:count], self.targets[:count], clean)

    def to(self, device: torch.device | str) -> "TensorPart":
        clean = None if self.clean is None else self.clean.to(device)
        return TensorPart(self.inputs.to(device), self.targets.to(device), clean)

    def tensors(self) -> Iterator[Tensor]:
        return iter((self.inputs, self.targets))


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
    """The three parts, and the fixed part of the training examples that `train_eval` is measured on."""

    train: Part
    validation: Part
    test: Part
    probes: Part | None = None
    """Fixed examples on which runs are compared, the same for every seed: never trained on, never scored."""

    @property
    def train_eval(self) -> Part:
        return self.train.first(TRAIN_EVAL_LIMIT)

    def to(self, device: torch.device | str) -> "Parts":
        probes = None if self.probes is None else self.probes.to(device)
        return Parts(self.train.to(device), self.validation.to(device), self.test.to(device), probes)


@dataclass(frozen=True)
class ScaledParts(Parts):
    """Parts of tensors, and the scaling of their inputs."""

    train: TensorPart
    validation: TensorPart
    test: TensorPart
    scaling: Scaling = field(kw_only=True)

    def to(self, device: torch.device | str) -> "ScaledParts":
        parts = (self.train, self.validation, self.test)
        return ScaledParts(*(part.to(device) for part in parts), scaling=self.scaling.to(device))


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


class _Batched:
    """A part as a data set of Lightning's: an item is a whole batch."""

    def __init__(self, part: Any) -> None:
        self.part = part

    def __getitem__(self, indices: Any) -> Batch:
        batch: Batch = self.part.batch(indices)
        return batch

    def __len__(self) -> int:
        return len(self.part)


def loader(part: Any, sampler: Iterable[Any]) -> DataLoader[Any]:
    """The batches of a part: one for each item of the sampler.

    Each item stands for a whole batch, so nothing is collated example by example. The generator is the loader's own:
    without one, each pass would draw from the global stream that dropout uses.
    """
    return DataLoader(
        _Batched(part),  # type: ignore[arg-type]
        sampler=sampler,
        batch_size=None,
        collate_fn=_uncollated,
        generator=torch.Generator(),
    )
