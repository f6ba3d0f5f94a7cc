"""Data of vectors and images: a target for each, and options that change the training part.

Only the training part is given label noise, and only from it are the means and deviations of the standardisation
taken. Each of these choices draws from a stream of its own, so that changing one option leaves the others as they were:
the examples whose labels growing label noise changes are nested. With `replicate`, each example keeps the label noise
that seed 0 draws for it.

A set that adds noise to its targets keeps the true ones beside them (`clean`), so that a run can also be measured
against those.

Imbalance thins out all three parts, each by itself. Were only the training part imbalanced, as is usual where the aim
is a model for balanced data, accuracy on the test part would still be an honest figure; with all parts imbalanced, as
in the field, a model that never names the rare class looks good by its accuracy alone, which is to be shown.
"""

import math
from abc import abstractmethod
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from annotated_types import Ge, Interval
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from data.augmentation import Augmentation, Augmented, KeyedBatches, moments
from data.base import NOISE, RARITY, DataModule
from data.imbalance import classes_by_size, thinned
from data.parts import Examples, Parts, ScaledParts, Scaling, TensorPart, loader
from learning_tasks.refusals import require


class Tabular(DataModule):
    """The base of data whose examples are arrays of one shape. A subclass gives its examples.

    Args:
        label_noise: How much the training labels are made wrong; validation and test labels stay clean. Classification:
            the share of training examples that get another class. Regression: the standard deviation of the normal
            noise added to the target, as a share of the standard deviation of the training targets.
        standardize: Bring each input to mean 0 and standard deviation 1, both taken from the training part only.
        input_noise: Standard deviation of the normal noise that is added to each input of the training examples,
            afresh in each batch; where inputs are standardised, in units of their standard deviation.
    """

    gives: ClassVar[str] = "vector"
    imbalance: float = 1.0
    shift: int = 0

    def __init__(
        self,
        *,
        label_noise: Annotated[float, Interval(ge=0, le=1)] = 0.0,
        standardize: bool = True,
        input_noise: Annotated[float, Ge(0)] = 0.0,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        require("label_noise", label_noise, 0 <= label_noise <= 1, "0 to 1")
        require("input_noise", input_noise, 0 <= input_noise < math.inf, "0 or more")
        self.label_noise = label_noise
        self.standardize = standardize
        self.input_noise = input_noise

    @abstractmethod
    def examples(self) -> tuple[Examples, Examples]:
        """The pool that training and validation share, and the test part, which must not depend on any seed.

        An input that is NaN is missing: it becomes the mean of the training part.
        """

    @property
    def scaled(self) -> ScaledParts:
        """The parts with their scaling."""
        parts = self.parts
        assert isinstance(parts, ScaledParts)
        return parts

    def make_parts(self) -> Parts:
        pool, test = self.examples()
        sides = min(pool.inputs.shape[-2:]) if pool.inputs.ndim > 2 else 1
        require("shift", self.shift, self.shift < sides, f"0 to {sides - 1}, so that something is left of an image")
        train, validation = self.split(len(pool.targets))
        if self.imbalance > 1:
            train, validation, test = self._imbalanced(pool, train, validation, test)
        train = self.training_subset(train)
        parts = _filled(self._with_label_noise(pool, train), _chosen(pool, validation), test)
        parts, scaling = self._standardised(parts)
        return ScaledParts(*(self._part(examples) for examples in parts), scaling=scaling)

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
        if self.task == "multilabel":
            order = stream.random(targets.shape)[train].argsort(axis=None)
            flipped = order[: round(self.label_noise * clean.size)]
            noisy = clean.copy()
            noisy.flat[flipped] = 1 - noisy.flat[flipped]
            return noisy
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

    def _part(self, examples: Examples) -> TensorPart:
        dtype = torch.float32 if self.task == "regression" else torch.int64
        clean = None if examples.clean is None else torch.tensor(examples.clean).to(dtype)
        targets = torch.tensor(examples.targets).to(dtype)
        return TensorPart(torch.tensor(examples.inputs, dtype=torch.float32), targets, clean)

    @property
    def dims(self) -> dict[str, Any]:
        """`input_shape`, `num_outputs` (1, or the number of classes or labels), `task`."""
        test = self.scaled.test
        if self.task == "multilabel":
            num_outputs = test.targets.shape[1]
        elif self.task == "multiclass":
            num_outputs = len(self.named_classes) or int(test.targets.max()) + 1
        else:
            num_outputs = 1
        return {"input_shape": tuple(test.inputs.shape[1:]), "num_outputs": num_outputs, "task": self.task}

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

    def train_dataloader(self) -> DataLoader[Any]:
        if not (self.input_noise or self.shift):
            return super().train_dataloader()
        part, scaling = self.scaled.train, self.scaled.scaling
        augmented = Augmented(part, Augmentation(self.input_noise, self.shift, scaling))
        return loader(augmented, KeyedBatches(len(part), self.batch_length(), self.seed_order))


class Classification(Tabular):
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


class Images(Classification):
    """A classification of images (..., rows, columns).

    Args:
        shift: The images of each training batch are moved, each by up to so many pixels in rows and in columns, at
            random; what comes in from outside is black.
    """

    gives = "image"

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
