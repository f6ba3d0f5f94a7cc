"""What a batch is, and what a task is: the meaning of a model's outputs, and how its answers are scored."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IGNORED: Final = -100
"""The target where nothing is to be predicted, as in torch's own losses."""


class Batch(NamedTuple):
    """Inputs and targets: a tensor each, or a NamedTuple of tensors. Every leaf is a tensor."""

    inputs: Any
    targets: Any


def leaves(tree: Any) -> Iterator[Tensor]:
    """The tensors of a tensor, or of a NamedTuple of tensors, in order."""
    if isinstance(tree, Tensor):
        yield tree
    else:
        for branch in tree:
            yield from leaves(branch)


def moved(tree: Any, device: torch.device | str) -> Any:
    """The same tensor, or NamedTuple of tensors, on a device."""
    return tree.to(device) if isinstance(tree, Tensor) else type(tree)(*(moved(branch, device) for branch in tree))


class Metric(NamedTuple):
    """A metric that a part of the data is measured by, logged as `val/<name>` and so on."""

    name: str
    better: Literal["lower", "higher"]
    """The same for every task that has a metric of this name."""
    help: str
    least: float = 0.0
    """The smallest value that it can have."""


Sums = Mapping[str, NDArray[np.float64]]
"""What the batches of a part add up to, each of any fixed shape."""


def total(values: Tensor, dim: int | None = None) -> Tensor:
    """The sum in float64, over everything or over one axis; on the CPU where a device has no float64."""
    exact = (values.cpu() if values.device.type == "mps" else values).to(torch.float64)
    return exact.sum() if dim is None else exact.sum(dim=dim)


def ratio(sums: Sums, numerator: str, denominator: str = "n") -> float:
    """One sum over another one, as a plain number; 0 where there was nothing to count."""
    return float(sums[numerator]) / max(float(sums[denominator]), 1.0)


@dataclass(frozen=True)
class Task(ABC):
    """What the outputs of a model mean: its loss, and the scores of its answers.

    A part of the data is measured by adding up `sums` over its batches and taking the `scores` of that: an error is
    then exactly k/n, however the part was cut. `loss` and `sums` work under `torch.func.vmap`.

    Args:
        loss_name: Which of `losses` is minimised; "auto" is the first one.
        smoothing: Share of each target that is spread evenly over all classes in `loss`, never in `sums`.
    """

    loss_name: str = "auto"
    smoothing: float | Tensor = 0.0

    name: ClassVar[str]
    metrics: ClassVar[tuple[Metric, ...]]
    """The loss first, then what is called the error, then others."""
    losses: ClassVar[tuple[str, ...]]
    smooths: ClassVar[tuple[str, ...]] = ()
    """The losses that label smoothing is defined for."""
    constant_name: ClassVar[str] = ""
    """What the constant answer is called where it is drawn beside the curves of a run; empty where it is not drawn."""
    constant_words: ClassVar[str] = ""
    """What it answers, in words: `each token by its share`."""

    def __post_init__(self) -> None:
        if self.loss_name == "auto":
            object.__setattr__(self, "loss_name", self.losses[0])
        if self.loss_name not in self.losses:
            allowed = ", ".join(("auto", *self.losses))
            raise ValueError(f"loss: {self.loss_name!r} is not allowed for the task {self.name}; allowed: {allowed}")

    @abstractmethod
    def loss(self, outputs: Any, targets: Any) -> Tensor:
        """The mean loss (), over what counts; 0 where nothing does."""

    @abstractmethod
    def sums(self, outputs: Any, targets: Any) -> dict[str, Tensor]:
        """What a batch adds to the sums of its part, in float64; `n` is the number that the loss is a mean over."""

    @abstractmethod
    def scores(self, sums: Sums) -> dict[str, float]:
        """The value of each metric, from the sums over a part."""

    @abstractmethod
    def constant(self, targets: Any) -> dict[str, float]:
        """The scores of the best answer that is the same for every example."""

    def probabilities(self, outputs: Any) -> Tensor:
        """The probability of each class, its axis last; for tasks with classes."""
        raise NotImplementedError(f"{self.name} has no classes")

    def count(self, targets: Any) -> int | Tensor:
        """How much the loss of a batch is a mean over: examples, or tokens, as `n` of its sums."""
        return len(targets)


def numbers(sums: Mapping[str, Tensor]) -> dict[str, NDArray[np.float64]]:
    """Sums as NumPy arrays, for `scores`."""
    return {name: value.detach().cpu().numpy() for name, value in sums.items()}
