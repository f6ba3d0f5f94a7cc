"""The norms of each training step: of the gradients, of the update, of the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tracking import schema


class StepNorms:
    """Gradient, update and parameter norms (Euclidean): over all parameters together, and of each parameter by itself.

    They are added up where the parameters lie and read once an epoch, so that no step waits for them.
    """

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.trained = parameters
        self._parameters = [parameter.detach() for parameter in parameters]
        self._before = [torch.empty_like(parameter) for parameter in self._parameters]
        self._sums = torch.zeros(3, device=self._parameters[0].device)
        self._each = torch.zeros(len(parameters), device=self._sums.device)
        self._steps = 0

    def before_step(self) -> None:
        torch._foreach_copy_(self._before, self._parameters)
        gradients = [parameter.grad for parameter in self.trained]
        there = [gradient for gradient in gradients if gradient is not None]
        norms = torch.stack(torch._foreach_norm(there)) if there else self._sums.new_zeros(0)
        self._gradient = torch.linalg.vector_norm(norms)
        if len(there) == len(gradients):
            self._each += norms
        else:
            self._each[[gradient is not None for gradient in gradients]] += norms

    def after_step(self) -> None:
        torch._foreach_sub_(self._before, self._parameters)
        self._sums += torch.stack([self._gradient, self._norm(self._before), self._norm(self._parameters)])
        self._steps += 1

    @staticmethod
    def _norm(tensors: list[Tensor]) -> Tensor:
        norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))
        return norm

    def take(self) -> tuple[dict[str, float], dict[nn.Parameter, float], dict[nn.Parameter, float]]:
        """The means since the last call; of each parameter the mean norm of its gradient; its own norm now."""
        now = torch.stack(torch._foreach_norm(self._parameters))
        steps, count = max(self._steps, 1), len(self.trained)
        values = torch.cat([self._sums / steps, self._each / steps, now]).tolist()
        self._sums.zero_()
        self._each.zero_()
        self._steps = 0
        means = dict(zip((schema.GRAD_NORM, schema.UPDATE_NORM, schema.PARAM_NORM), values[:3], strict=True))
        gradients, norms = (
            dict(zip(self.trained, own, strict=True)) for own in (values[3 : 3 + count], values[-count:])
        )
        return means, gradients, norms
