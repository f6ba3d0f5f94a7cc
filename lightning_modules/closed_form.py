"""Least squares by its closed form: what gradient descent on the same training part can at best reach.

    minimise over w and b:  (1/n)·Σ(w·x + b - y)² + (l2/2)·Σw²

With inputs and targets centred, X = U·diag(s)·Vᵀ and α = n·l2/2 the solution is w = V·diag(s / (s² + α))·Uᵀ·y, ridge
regression (Hoerl and Kennard 1970), and least squares without l2; the bias, which is not penalised, is ȳ - w·x̄. Where
several weights fit equally well (collinear inputs, fewer examples than inputs), it is the smallest ones, Σw² least:
gradient descent from zeros goes there too.
"""

from typing import Final, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

MOST_WORK: Final = 5e10
"""The most multiplications that a solution may take: about ten seconds of one core."""


class Solution(NamedTuple):
    """The solution of a least squares problem, float64 on the CPU."""

    weight: Tensor
    """(d,)."""
    bias: Tensor
    """()."""
    unique: bool
    """Whether no other weights fit equally well."""


class ClosedForm(NamedTuple):
    """The parameters that minimise a model's loss with its penalty."""

    parameters: dict[str, Tensor]
    """By the names of the module's parameters: float64 on the CPU."""
    unique: bool
    """Whether no other parameters fit equally well."""


@runtime_checkable
class Solvable(Protocol):
    """A model whose best parameters can be written down for some of its settings."""

    def closed_form(self, inputs: Tensor, targets: Tensor) -> ClosedForm | None:
        """The parameters that minimise the mean loss over these examples with the penalty of the model's recipe.

        None where there is no closed form, or it would take too long.
        """


def takes_too_long(size: int, width: int) -> bool:
    """Whether `least_squares` would need more than MOST_WORK for so many examples and inputs."""
    fewer = min(size, width)
    return size * width * fewer + 20 * fewer * fewer * width > MOST_WORK  # a QR, then an SVD


def _rank(triangle: Tensor, lengths: Tensor, eps: float) -> int:
    """How many directions of the inputs are more than what rounding made of them.

    Args:
        triangle: (m, d), whose columns are those of the centred inputs, turned.
        lengths: (d,) of the columns of the inputs before they were centred.
        eps: The relative rounding error of the inputs.
    """
    varying = triangle.norm(dim=0)
    ratios = lengths / varying
    varies = ratios * eps < 1  # not where an input is constant: the ratio is infinite, or NaN for zeros
    scaled = triangle[:, varies] / varying[varies]  # so that units of the inputs do not matter
    return int((torch.linalg.svdvals(scaled) > eps * ratios[varies].norm()).sum())


def least_squares(inputs: Tensor, targets: Tensor, l2: float = 0.0) -> Solution:
    """The weights and the bias that minimise (1/n)·Σ(w·x + b - y)² + (l2/2)·Σw², computed in float64.

    Args:
        inputs: (n, d); directions along which they vary by no more than the rounding of their dtype do not count.
        targets: (n,).
        l2: The strength of the penalty, which the bias does not have.
    """
    size, width = inputs.shape
    x, y = inputs.detach().cpu().double(), targets.detach().cpu().double()
    mean_x, mean_y = x.mean(dim=0), y.mean()
    centred = torch.cat([x - mean_x, (y - mean_y)[:, None]], dim=1)  # (n, d + 1)
    triangle = torch.linalg.qr(centred, mode="r").R  # (m, d + 1): the same distances in fewer rows
    left, sizes, right = torch.linalg.svd(triangle[:, :-1], full_matrices=False)
    rank = _rank(triangle[:, :-1], x.norm(dim=0), torch.finfo(inputs.dtype).eps)
    directions = len(sizes) if l2 else rank
    factors = sizes[:directions] / (sizes[:directions].square() + size * l2 / 2)
    weight = right[:directions].T @ (factors * (left[:, :directions].T @ triangle[:, -1]))  # (d,)
    return Solution(weight, mean_y - weight @ mean_x, unique=bool(l2) or rank == width)
