"""The norms of each training step: of the gradients, of the update, of the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tracking import schema


class StepNorms:
    """Gradient, update and parameter norms (Euclidean): over all parameters together, and of each parameter alone.

    They are added up on the device of the parameters and read once per epoch, so that no step waits for them.
    """

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.trained = parameters
        self._parameters = [parameter.detach() for parameter in parameters]
        self._before = [torch.empty_like(parameter) for parameter in self._parameters]
        self._step_sums = torch.zeros(3, device=self._parameters[0].device)
        self._gradient_sums = torch.zeros(len(parameters), device=self._step_sums.device)
        self._steps = 0

    def before_step(self) -> None:
        """Take the gradients, and the parameters as they are before the optimizer changes them."""
        torch._foreach_copy_(self._before, self._parameters)
        gradients = [parameter.grad for parameter in self.trained]
        present = [gradient for gradient in gradients if gradient is not None]
        norms = torch.stack(torch._foreach_norm(present)) if present else self._step_sums.new_zeros(0)
        self._gradient_norm = torch.linalg.vector_norm(norms)
        if len(present) == len(gradients):
            self._gradient_sums += norms
        else:
            self._gradient_sums[[gradient is not None for gradient in gradients]] += norms

    def after_step(self) -> None:
        """Add up the norms of the step that was taken since `before_step`."""
        torch._foreach_sub_(self._before, self._parameters)
        self._step_sums += torch.stack([self._gradient_norm, self._norm(self._before), self._norm(self._parameters)])
        self._steps += 1

    @staticmethod
    def _norm(tensors: list[Tensor]) -> Tensor:
        norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))
        return norm

    def take(self) -> tuple[dict[str, float], dict[nn.Parameter, float], dict[nn.Parameter, float]]:
        """The means over the steps since the last call, and the norms by parameter.

        Returns:
            the mean norms of the gradient, of the update and of all parameters, by metric; the mean norm of the
            gradient of each parameter; the norm of each parameter now
        """
        now = torch.stack(torch._foreach_norm(self._parameters))
        steps, count = max(self._steps, 1), len(self.trained)
        values = torch.cat([self._step_sums / steps, self._gradient_sums / steps, now]).tolist()
        self._step_sums.zero_()
        self._gradient_sums.zero_()
        self._steps = 0
        means = dict(zip((schema.GRAD_NORM, schema.UPDATE_NORM, schema.PARAM_NORM), values[:3], strict=True))
        gradient_norms = dict(zip(self.trained, values[3 : 3 + count], strict=True))
        norms = dict(zip(self.trained, values[-count:], strict=True))
        return means, gradient_norms, norms
