"""Dropout (Srivastava et al. 2014), scaled up while training instead of down afterwards: y = x·m, m = b / (1 - p).

Each b is 1 with probability 1 - p, else 0. All randomness of a network goes through this file, so that whoever trains
several copies of a network as one can hand in the random numbers of each copy:

    mask = dropout_mask((32, 64), 0.5, generator)                       # drawn from the generator of one run
    functional_call(network, {**state, "layers.2.mask": mask}, inputs)  # under `vmap` too: one mask per copy

A module without a mask draws from torch's global generator, exactly as `nn.Dropout` does.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learning_tasks.refusals import require


def dropout_mask(
    shape: Sequence[int],
    p: float | Tensor,
    generator: torch.Generator | None = None,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """A mask of this shape: 0 with probability p, else 1 / (1 - p).

    On a CPU, and with a float above 0 for p, it takes the same random numbers as `nn.Dropout` does, in the same order.

    Args:
        shape: That of the values which the mask is multiplied by.
        p: Probability of a 0, at least 0 and below 1; a tensor () draws other numbers than a float.
        generator: What the numbers are drawn from; torch's global generator if there is none.
        dtype: That of the mask; torch's default if there is none.
        device: Where the mask lies and the generator draws.
    """
    keep = 1 - p
    if isinstance(keep, Tensor):
        uniform = torch.rand(shape, generator=generator, dtype=dtype, device=device)
        return (uniform < keep).to(uniform.dtype) / keep
    return torch.empty(shape, dtype=dtype, device=device).bernoulli_(keep, generator=generator).div_(keep)


class Dropout(nn.Module):
    """Sets a share p of the values to 0 and divides the others by 1 - p in training mode; changes nothing else.

    `mask` is None. `functional_call` puts a tensor in its place, which is then what the values are multiplied by: see
    `dropout_mask`. It is no part of the state that is saved. A module that is called several times in one forward pass
    uses the same mask each time.

    Args:
        p: Share of the values set to 0, at least 0 and below 1. It may be a tensor (), one per copy under `vmap`.

    Raises:
        ValueError: p is a float outside these limits.
    """

    mask: Tensor | None

    def __init__(self, p: float | Tensor) -> None:
        super().__init__()
        require("dropout", p, isinstance(p, Tensor) or 0 <= p < 1, "a number of 0 or more and below 1.")
        self.p = p
        self.register_buffer("mask", None, persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        if not self.training:
            return values
        if self.mask is not None:
            return values * self.mask
        if isinstance(self.p, Tensor):
            return values * dropout_mask(values.shape, self.p, dtype=values.dtype, device=values.device)
        # On a GPU, F.dropout is one kernel, which draws other numbers than `dropout_mask`.
        return F.dropout(values, self.p) if self.p else values

    def extra_repr(self) -> str:
        return f"p={self.p}"
