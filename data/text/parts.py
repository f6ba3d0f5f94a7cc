"""A part of a data set whose examples are texts of different lengths."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learning_tasks import IGNORED, Batch
from learning_tasks.language import Tokens

MOST_AT_ONCE: Final = 2**23
"""The most numbers that the places of one batch are counted with where no gradients are needed."""
PER_PLACE: Final = 256
"""The fewest numbers that are counted for each place of a text, since models have states and not outputs alone."""


def padded(texts: Sequence[Sequence[int]], value: int, length: int | None = None) -> NDArray[np.int64]:
    """Lists of numbers as one array (n, length), filled up behind with a value.

    Args:
        texts: The lists.
        value: What stands behind the end of a list.
        length: That of the longest list if not given.
    """
    longest = max(map(len, texts), default=0) if length is None else length
    rows = np.full((len(texts), longest), value, dtype=np.int64)
    for row, text in zip(rows, texts, strict=True):
        row[: len(text)] = text
    return rows


@dataclass(frozen=True)
class TokensPart:
    """Texts as numbers of tokens; a batch is cut to the longest of its texts."""

    ids: Tensor
    """(n, T) int64, of any value from the end of a text on."""
    lengths: Tensor
    """(n,) int64: the tokens of each text, 1 or more."""
    targets: Tensor
    """(n,) int64, a class for each text; or (n, T) int64, one for each token, IGNORED where there is none."""
    outputs: int = 1
    """How many outputs a model has for each token, which limits `at_once`."""
    clean: None = None
    """The targets are the true ones."""

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]], targets: Any, outputs: int = 1) -> "TokensPart":
        """The part of these texts and targets, the targets a class for each text or a list of them for each token."""
        lengths = torch.tensor([len(text) for text in texts])
        by_token = len(texts) > 0 and isinstance(targets[0], Sequence)
        rows = padded(targets, IGNORED, max(map(len, texts))) if by_token else np.asarray(targets, dtype=np.int64)
        return cls(torch.from_numpy(padded(texts, 0)), lengths, torch.from_numpy(rows), outputs)

    @property
    def at_once(self) -> int:
        return max(MOST_AT_ONCE // (self.ids.shape[1] * max(self.outputs, PER_PLACE)), 1)

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, indices: Tensor | slice) -> Batch:
        lengths, targets = self.lengths[indices], self.targets[indices]
        longest = int(lengths.max())
        ids = self.ids[indices][:, :longest]  # (B, T)
        mask = torch.arange(longest, device=ids.device) < lengths[:, None]
        inputs = Tokens(ids, mask, torch.zeros_like(ids))
        return Batch(inputs, targets[:, :longest] if targets.ndim > 1 else targets)

    def first(self, count: int) -> "TokensPart":
        return replace(self, ids=self.ids[:count], lengths=self.lengths[:count], targets=self.targets[:count])

    def to(self, device: torch.device | str) -> "TokensPart":
        ids, lengths, targets = (tensor.to(device) for tensor in self.tensors())
        return replace(self, ids=ids, lengths=lengths, targets=targets)

    def tensors(self) -> Iterator[Tensor]:
        return iter((self.ids, self.lengths, self.targets))
