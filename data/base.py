"""What every data set shares: three parts that never mix, a training part that can be cut, and fast batches.

A data set is split once and for all into a *test* part, the same in every run, and a *pool*. The data seed divides the
pool into a validation and a training part; only the training part is then cut to `train_size`. Each choice of the data
seed draws from a stream of its own, so that changing one option leaves the others as they were: training sets of
growing size are nested. `data.tabular` says what data of vectors and images have beside that.

A sweep with `replicate` trains on several training sets that share no example. Generated sets draw a fresh sample for
each data seed anyway; of all others, the training part that seed 0 gives is cut into equal pieces, with one validation
part for all of them.
"""

import hashlib
from abc import abstractmethod
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from annotated_types import Ge, Interval
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from data.parts import Batches, Part, Parts, loader
from learning_tasks.refusals import require

# A number for each choice that the data seed makes: part of what "the same seed" means, so they never change.
SAMPLE, SPLIT, NOISE, RARITY = 1, 2, 3, 4


class DataModule(pl.LightningDataModule):
    """The base of every data set. A subclass says its task and source, what its inputs are, and makes its parts.

    Args:
        train_size: Number of training examples to use; all of them if not given. Smaller sets lie within larger ones.
        validation_fraction: Share of the examples outside the test part that is set aside for validation.
        batch_size: Examples in a batch; "full" for all of them at once.
        disjoint: (r, R) for number r, from 0, of R training sets that share no example; a generated set has a fresh
            sample for each data seed, so that it means nothing there.
        seed_data: Decides the validation part, the training subset and the sample of generated sets.
        seed_order: Decides the order of the batches.
    """

    tasks: ClassVar[tuple[str, ...]] = ()
    """The tasks that are possible for a set whose files decide the task; empty for all others."""
    task: str
    gives: ClassVar[str]
    """What its inputs are: vector, image, tokens, sequence_pair or graph; models say what they take."""
    source: str
    """Where the data come from, in words: never a path of this machine."""
    named_classes: tuple[str, ...] = ()
    """What the classes are called; empty where they have no other name than their number."""
    fresh: ClassVar[bool] = False
    """Whether the data seed draws a sample of its own, rather than a part of what there is."""

    def __init__(
        self,
        *,
        train_size: Annotated[int | None, Ge(1)] = None,
        validation_fraction: Annotated[float, Interval(gt=0, lt=1)] = 0.2,
        batch_size: Annotated[int | Literal["full"], Ge(1)] = 64,
        disjoint: tuple[int, int] | None = None,
        seed_data: int = 0,
        seed_order: int = 0,
    ) -> None:
        super().__init__()
        require("train_size", train_size, train_size is None or train_size >= 1, "1 or more, or nothing")
        require("validation_fraction", validation_fraction, 0 < validation_fraction < 1, "between 0 and 1")
        whole_batches = batch_size == "full" or (isinstance(batch_size, int) and batch_size >= 1)
        require("batch_size", batch_size, whole_batches, '1 or more, or "full"')
        if disjoint is not None and not self.fresh:
            number, count = disjoint
            require("seeds.data", number, 0 <= number < count, f"0 to {count - 1}, the numbers of the training sets")
        self.train_size = train_size
        self.validation_fraction = validation_fraction
        self.batch_size = batch_size
        self.disjoint = None if self.fresh else disjoint
        self.seed_data, self.seed_order = seed_data, seed_order

    @abstractmethod
    def make_parts(self) -> Parts:
        """The three parts; the test part must not depend on any seed."""

    @property
    @abstractmethod
    def dims(self) -> dict[str, Any]:
        """What a model must know of the data, by the arguments of constructors; `task` is always there."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class, where there are classes; its number where it has no other."""
        classes = 2 if self.task == "binary" else int(self.dims["num_outputs"])
        return self.named_classes or tuple(str(number) for number in range(classes))

    @cached_property
    def parts(self) -> Parts:
        """The three parts, made at the first use."""
        return self.make_parts()

    def stream(self, choice: int) -> np.random.Generator:
        """The random numbers for one of the data seed's choices; all disjoint sets use those of seed 0."""
        return np.random.default_rng([0 if self.disjoint else self.seed_data, choice])

    def to(self, device: torch.device | str) -> "DataModule":
        """The data set itself, its tensors moved to this device, so that no batch has to be copied there."""
        self.__dict__["parts"] = self.parts.to(device)
        return self

    def split(self, size: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Divide a pool of this size: the indices for training and for validation, both in random order."""
        return self.cut(self.stream(SPLIT).permutation(size))

    def cut(self, order: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Cut the indices of a pool, already in order: those for training, and the first ones for validation."""
        validation = min(max(round(self.validation_fraction * len(order)), 1), len(order) - 1)
        return order[validation:], order[:validation]

    def training_subset(self, train: NDArray[Any]) -> NDArray[Any]:
        """The first `train_size` of the indices that this data set may train on."""
        train, holder = self._piece(train)
        size = len(train) if self.train_size is None else self.train_size
        require("train_size", size, size <= len(train), f"at most {len(train)}, what {holder}")
        return train[:size]

    def _piece(self, train: NDArray[Any]) -> tuple[NDArray[Any], str]:
        """The indices that this data set may train on, and what holds so many of them, in words."""
        if self.disjoint is None:
            return train, "validation leaves of this set"
        number, count = self.disjoint
        size = len(train) // count
        require("replicate.datasets", count, size >= 1, f"at most {len(train)}, an example for each training set")
        return train[number * size : (number + 1) * size], f"each of {count} disjoint training sets holds"

    @property
    def sizes(self) -> dict[str, int]:
        """The number of examples in each part: train, validation, test."""
        parts = self.parts
        return {"train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)}

    @cached_property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of a SHA-256 of all tensors: equal digests mean equal data."""
        sha = hashlib.sha256()
        for part in (self.parts.train, self.parts.validation, self.parts.test):
            for tensor in part.tensors():
                sha.update(str(tuple(tensor.shape)).encode())
                sha.update(tensor.cpu().contiguous().numpy().tobytes())
        return sha.hexdigest()[:16]

    def batch_length(self) -> int:
        """How many examples a training batch has, the last one aside."""
        return len(self.parts.train) if self.batch_size == "full" else int(self.batch_size)

    def train_dataloader(self) -> DataLoader[Any]:
        part = self.parts.train
        return loader(part, Batches(len(part), self.batch_length(), self.seed_order))

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """Validation, then the training examples that `train_eval` is measured on; each whole in one batch."""
        return [self._whole(self.parts.validation), self._whole(self.parts.train_eval)]

    def test_dataloader(self) -> DataLoader[Any]:
        return self._whole(self.parts.test)

    def _whole(self, part: Part) -> DataLoader[Any]:
        return loader(part, Batches(len(part), len(part), 0))
