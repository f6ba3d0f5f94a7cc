"""What every data set shares: three parts that never mix, the options that change the training part, and fast batches.

A data set is split once and for all into a *test* part, the same in every run, and a *pool*. The data seed divides the
pool into a validation and a training part; only the training part is then cut to `train_size` and given label noise,
and only from it are the means and deviations of the standardisation taken. Each of these choices draws from a stream of
its own, so that changing one option leaves the others as they were: training sets of growing size are nested, and so
are the examples whose labels growing label noise changes.

A sweep with `replicate` trains on several training sets that share no example. Generated sets draw a fresh sample for
each data seed anyway; of all others, the training part that seed 0 gives is cut into equal pieces, with one validation
part for all of them, and each example keeps the label noise that seed 0 draws for it.

A set that adds noise to its targets keeps the true ones beside them (`clean`), so that a run can also be measured
against those.

Imbalance thins out all three parts, each by itself. Were only the training part imbalanced, as is usual where the aim
is a model for balanced data, accuracy on the test part would still be an honest figure; with all parts imbalanced, as
in the field, a model that never names the rare class looks good by its accuracy alone, which is to be shown.
"""

import hashlib
import math
from abc import abstractmethod
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from annotated_types import Ge, Interval
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from data.augmentation import Augmentation, Augmented, KeyedBatches, moments
from data.imbalance import classes_by_size, thinned
from data.parts import Batches as Batches
from data.parts import Examples as Examples
from data.parts import Part as Part
from data.parts import Parts as Parts
from data.parts import Scaling, loader
from learning_tasks.refusals import require

# A number for each choice that the data seed makes: part of what "the same seed" means, so they never change.
SAMPLE, SPLIT, NOISE, RARITY = 1, 2, 3, 4


class DataModule(pl.LightningDataModule):
    """The base of every data set. A subclass says its task and source and gives its examples.

    Args:
        train_size: Number of training examples to use; all of them if not given. Smaller sets lie within larger ones.
        validation_fraction: Share of the examples outside the test part that is set aside for validation.
        label_noise: How much the training labels are made wrong; validation and test labels stay clean. Classification:
            the share of training examples that get another class. Regression: the standard deviation of the normal
            noise added to the target, as a share of the standard deviation of the training targets.
        standardize: Bring each input to mean 0 and standard deviation 1, both taken from the training part only.
        batch_size: Examples in a batch; "full" for all of them at once.
        input_noise: Standard deviation of the normal noise that is added to each input of the training examples,
            afresh in each batch; where inputs are standardised, in units of their standard deviation.
        disjoint: (r, R) for number r, from 0, of R training sets that share no example; a generated set has a fresh
            sample for each data seed, so that it means nothing there.
        seed_data: Decides the validation part, the training subset, the label noise and the sample of generated sets.
        seed_order: Decides the order of the batches.
    """

    tasks: ClassVar[tuple[str, ...]] = ()
    """The tasks that are possible for a set whose files decide the task; empty for all others."""
    task: str
    source: str
    """Where the data come from, in words: never a path of this machine."""
    named_classes: tuple[str, ...] = ()
    """What the classes are called; empty where they have no other name than their number."""
    imbalance: float = 1.0
    shift: int = 0
    fresh: ClassVar[bool] = False
    """Whether the data seed draws a sample of its own, rather than a part of what there is."""

    def __init__(
        self,
        *,
        train_size: Annotated[int | None, Ge(1)] = None,
        validation_fraction: Annotated[float, Interval(gt=0, lt=1)] = 0.2,
        label_noise: Annotated[float, Interval(ge=0, le=1)] = 0.0,
        standardize: bool = True,
        batch_size: Annotated[int | Literal["full"], Ge(1)] = 64,
        input_noise: Annotated[float, Ge(0)] = 0.0,
        disjoint: tuple[int, int] | None = None,
        seed_data: int = 0,
        seed_order: int = 0,
    ) -> None:
        super().__init__()
        require("train_size", train_size, train_size is None or train_size >= 1, "1 or more, or nothing")
        require("validation_fraction", validation_fraction, 0 < validation_fraction < 1, "between 0 and 1")
        require("label_noise", label_noise, 0 <= label_noise <= 1, "0 to 1")
        whole_batches = batch_size == "full" or (isinstance(batch_size, int) and batch_size >= 1)
        require("batch_size", batch_size, whole_batches, '1 or more, or "full"')
        require("input_noise", input_noise, 0 <= input_noise < math.inf, "0 or more")
        if disjoint is not None and not self.fresh:
            number, count = disjoint
            require("seeds.data", number, 0 <= number < count, f"0 to {count - 1}, the numbers of the training sets")
        self.train_size = train_size
        self.validation_fraction = validation_fraction
        self.label_noise = label_noise
        self.standardize = standardize
        self.batch_size = batch_size
        self.input_noise = input_noise
        self.disjoint = None if self.fresh else disjoint
        self.seed_data, self.seed_order = seed_data, seed_order

    @abstractmethod
    def examples(self) -> tuple[Examples, Examples]:
        """The pool that training and validation share, and the test part, which must not depend on any seed.

        An input that is NaN is missing: it becomes the mean of the training part.
        """

    def stream(self, choice: int) -> np.random.Generator:
        """The random numbers for one of the data seed's choices; all disjoint sets use those of seed 0."""
        return np.random.default_rng([0 if self.disjoint else self.seed_data, choice])

    def to(self, device: torch.device | str) -> "DataModule":
        """The data set itself, its tensors moved to this device, so that no batch has to be copied there."""
        self.__dict__["parts"] = self.parts.to(device)
        return self

    @cached_property
    def parts(self) -> Parts:
        """The three parts and their scaling, made at the first use."""
        pool, test = self.examples()
        sides = min(pool.inputs.shape[-2:]) if pool.inputs.ndim > 2 else 1
        require("shift", self.shift, self.shift < sides, f"0 to {sides - 1}, so that something is left of an image")
        train, validation = self._indices(pool.targets)
        if self.imbalance > 1:
            train, validation, test = self._imbalanced(pool, train, validation, test)
        train = self._training_subset(train)
        parts = _filled(self._with_label_noise(pool, train), _chosen(pool, validation), test)
        return self._as_tensors(*self._standardised(parts))

    def _indices(self, targets: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """The indices of the pool for training and for validation, both in random order."""
        order = self.stream(SPLIT).permutation(len(targets))
        size = min(max(round(self.validation_fraction * len(order)), 1), len(order) - 1)
        return order[size:], order[:size]

    def _imbalanced(
        self, pool: Examples, train: NDArray[Any], validation: NDArray[Any], test: Examples
    ) -> tuple[NDArray[Any], NDArray[Any], Examples]:
        """What stays of the training indices, of the validation indices and of the test part."""
        by_size = classes_by_size(pool.targets, test.targets)  # one order for all parts, whatever the seed puts there
        rank = self.stream(RARITY).random(len(pool.targets))
        train, validation = (
            indices[thinned(pool.targets[indices], rank[indices], by_size, self.imbalance)]
            for indices in (train, validation)
        )
        number = np.arange(len(test.targets))  # no seed: the first of each class stay
        return train, validation, _chosen(test, thinned(test.targets, number, by_size, self.imbalance))

    def _training_subset(self, train: NDArray[Any]) -> NDArray[Any]:
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

    def _with_label_noise(self, pool: Examples, train: NDArray[Any]) -> Examples:
        """The training examples with noisy targets, and the true ones beside them."""
        examples = _chosen(pool, train)
        clean = examples.targets if examples.clean is None and self.label_noise else examples.clean
        return replace(examples, targets=self._noisy(pool.targets, train), clean=clean)

    def _noisy(self, targets: NDArray[Any], train: NDArray[Any]) -> NDArray[Any]:
        """The targets of the training examples with label noise, from those of the whole pool."""
        stream = self.stream(NOISE)
        clean: NDArray[Any] = targets[train]
        if self.task == "regression":
            noise = stream.standard_normal(len(targets))[train]
            return np.asarray(clean + self.label_noise * clean.std() * noise)
        classes = int(targets.max()) + 1
        rank = stream.random(len(targets))[train].argsort()
        shift = stream.integers(1, classes, len(targets))[train]
        wrong = rank[: round(self.label_noise * len(train))]
        noisy = clean.copy()
        noisy[wrong] = (clean[wrong] + shift[wrong]) % classes
        return noisy

    def _standardised(self, parts: tuple[Examples, ...]) -> tuple[tuple[Examples, ...], Scaling]:
        """The parts, the training part first, by the scaling that is fitted to it, and that scaling."""
        shape = parts[0].inputs.shape[1:]
        mean, std = np.zeros(shape), np.ones(shape)
        if self.standardize:
            mean, std = self._moments(parts[0].inputs)
            parts = tuple(replace(part, inputs=(part.inputs - mean) / std) for part in parts)
        return parts, Scaling(*(torch.tensor(values, dtype=torch.float32) for values in (mean, std)))

    def _moments(self, inputs: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Mean and deviation of the training inputs; an input that never varies is only centred."""
        mean, std = moments(inputs, self.shift)
        varies = std > 1e-12 * np.abs(mean)  # what is left of a constant such as 0.1 after rounding is no deviation
        return mean.astype(inputs.dtype), np.where(varies, std, 1.0).astype(inputs.dtype)

    def _as_tensors(self, parts: tuple[Examples, ...], scaling: Scaling) -> Parts:
        train, validation, test = (self._part(examples) for examples in parts)
        return Parts(train, validation, test, scaling)

    def _part(self, examples: Examples) -> Part:
        dtype = torch.float32 if self.task == "regression" else torch.int64
        clean = None if examples.clean is None else torch.tensor(examples.clean).to(dtype)
        targets = torch.tensor(examples.targets).to(dtype)
        return Part(torch.tensor(examples.inputs, dtype=torch.float32), targets, clean)

    @property
    def dims(self) -> dict[str, Any]:
        """What a model must know of the data: `input_shape`, `num_outputs` (1, or the number of classes), `task`."""
        test = self.parts.test
        classes = len(self.named_classes) or int(test.targets.max()) + 1
        num_outputs = classes if self.task == "multiclass" else 1
        return {"input_shape": tuple(test.inputs.shape[1:]), "num_outputs": num_outputs, "task": self.task}

    @property
    def sizes(self) -> dict[str, int]:
        """The number of examples in each part: train, validation, test."""
        parts = self.parts
        return {"train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)}

    def axes(self, size: int, margin: float) -> tuple[NDArray[np.float64], ...]:
        """Values at equal distances over the range that each input has in the test part, before standardisation.

        The test part depends on no seed and is taken before imbalance thins it, so all runs share these values.

        Args:
            size: Number of values for each input.
            margin: By how much they go beyond the range on each side, as a share of it.
        """
        _, test = self.examples()
        low, high = (reach(test.inputs, axis=0) for reach in (np.nanmin, np.nanmax))
        wider = np.where(high > low, margin * (high - low), 1.0)
        return tuple(np.linspace(low - wider, high + wider, size, dtype=np.float64).T)

    @cached_property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of a SHA-256 of all tensors: equal digests mean equal data."""
        sha = hashlib.sha256()
        for part in (self.parts.train, self.parts.validation, self.parts.test):
            for tensor in (part.inputs, part.targets):
                sha.update(str(tuple(tensor.shape)).encode())
                sha.update(tensor.cpu().contiguous().numpy().tobytes())
        return sha.hexdigest()[:16]

    def train_dataloader(self) -> DataLoader[Any]:
        part = self.parts.train
        size = len(part) if self.batch_size == "full" else int(self.batch_size)
        if not (self.input_noise or self.shift):
            return loader(part, Batches(len(part), size, self.seed_order))
        augmentation = Augmentation(self.input_noise, self.shift, self.parts.scaling)
        return loader(Augmented(part, augmentation), KeyedBatches(len(part), size, self.seed_order))

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """Validation, then the training examples that `train_eval` is measured on; each whole in one batch."""
        return [self._whole(self.parts.validation), self._whole(self.parts.train_eval)]

    def test_dataloader(self) -> DataLoader[Any]:
        return self._whole(self.parts.test)

    def _whole(self, part: Part) -> DataLoader[Any]:
        return loader(part, Batches(len(part), len(part), 0))


class Classification(DataModule):
    """A data set whose targets are classes, counted from 0.

    Args:
        imbalance: How many times rarer the rarest class is than the largest, in all parts, the test part too; 1 leaves
            the data as they are. In the order of their sizes (equal ones by number), class k of K keeps at most
            1 / imbalance^(k / (K - 1)) of the largest one's size, k from 0 (Cui et al. 2019), and at least one example.
    """

    def __init__(self, *, imbalance: Annotated[float, Interval(ge=1, le=1000)] = 1.0, **common: Any) -> None:
        super().__init__(**common)
        require("imbalance", imbalance, 1 <= imbalance <= 1000, "1 to 1000")
        self.imbalance = imbalance

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class; its number where it has no other."""
        classes = self.dims["num_outputs"] if self.task == "multiclass" else 2
        return self.named_classes or tuple(str(number) for number in range(classes))


class Images(Classification):
    """A classification of images (..., rows, columns).

    Args:
        shift: The images of each training batch are moved, each by up to so many pixels in rows and in columns, at
            random; what comes in from outside is black.
    """

    def __init__(self, *, shift: Annotated[int, Interval(ge=0, le=64)] = 0, **common: Any) -> None:
        super().__init__(**common)
        require("shift", shift, 0 <= shift <= 64, "0 to 64")
        self.shift = shift


def _chosen(examples: Examples, indices: NDArray[Any]) -> Examples:
    clean = None if examples.clean is None else examples.clean[indices]
    return Examples(examples.inputs[indices], examples.targets[indices], clean)


def _filled(*parts: Examples) -> tuple[Examples, ...]:
    """The parts with each missing input replaced by its mean in the first part, by 0 where that has no value."""
    gaps = [np.isnan(part.inputs) for part in parts]
    if not any(gap.any() for gap in gaps):
        return parts
    counts = (~gaps[0]).sum(axis=0)
    mean = np.where(gaps[0], 0.0, parts[0].inputs).sum(axis=0) / np.maximum(counts, 1)
    return tuple(replace(part, inputs=np.where(gap, mean, part.inputs)) for part, gap in zip(parts, gaps, strict=True))
