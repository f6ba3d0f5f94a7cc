"""Optimizers by name. Their keyword arguments are what a sweep can set.

All are torch's. L2 regularization is part of the loss (see `Module.penalty`), never torch's `weight_decay`; only AdamW
decays weights apart from the gradient, which is what it is for.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Interval
from torch import nn
from torch.optim import Optimizer

LearningRate = Annotated[float, Gt(0)]
Decay = Annotated[float, Interval(ge=0, lt=1)]
Epsilon = Annotated[float, Gt(0)]


def _on_cpu(params: list[nn.Parameter]) -> dict[str, Any]:
    """On a CPU, the options for torch's one-kernel implementation: small networks spend most time in Python."""
    return {"fused": True} if all(param.device.type == "cpu" for param in params) else {}


def sgd(params: Iterable[nn.Parameter], /, *, lr: LearningRate = 0.1) -> Optimizer:
    """Stochastic gradient descent: w <- w - lr·g.

    Args:
        lr: Learning rate.
    """
    params = list(params)
    return torch.optim.SGD(params, lr=lr, **_on_cpu(params))


def momentum(params: Iterable[nn.Parameter], /, *, lr: LearningRate = 0.01, momentum: Decay = 0.9) -> Optimizer:
    """Gradient descent with momentum (Polyak 1964): v <- momentum·v + g, w <- w - lr·v.

    Args:
        lr: Learning rate.
        momentum: Share of the velocity that is kept from step to step.
    """
    params = list(params)
    return torch.optim.SGD(params, lr=lr, momentum=momentum, **_on_cpu(params))


def nesterov(
    params: Iterable[nn.Parameter],
    /,
    *,
    lr: LearningRate = 0.01,
    momentum: Annotated[float, Interval(gt=0, lt=1)] = 0.9,
) -> Optimizer:
    """Nesterov's momentum as Sutskever et al. (2013) write it: v <- momentum·v + g, w <- w - lr·(g + momentum·v).

    Args:
        lr: Learning rate.
        momentum: Share of the velocity that is kept from step to step.
    """
    params = list(params)
    return torch.optim.SGD(params, lr=lr, momentum=momentum, nesterov=True, **_on_cpu(params))


def rmsprop(
    params: Iterable[nn.Parameter], /, *, lr: LearningRate = 1e-3, alpha: Decay = 0.99, eps: Epsilon = 1e-8
) -> Optimizer:
    """RMSprop (Hinton 2012): s <- alpha·s + (1 - alpha)·g², w <- w - lr·g / (√s + eps).

    Args:
        lr: Learning rate.
        alpha: Share of the mean squared gradient that is kept from step to step.
        eps: Added to the denominator.
    """
    return torch.optim.RMSprop(params, lr=lr, alpha=alpha, eps=eps)


def adam(
    params: Iterable[nn.Parameter],
    /,
    *,
    lr: LearningRate = 1e-3,
    betas: tuple[Decay, Decay] = (0.9, 0.999),
    eps: Epsilon = 1e-8,
) -> Optimizer:
    """Adam (Kingma and Ba 2015): steps by the mean gradient over the root of the mean squared one, both bias-corrected.

    Args:
        lr: Learning rate.
        betas: Shares of the mean gradient and of the mean squared gradient that are kept from step to step.
        eps: Added to the denominator.
    """
    params = list(params)
    return torch.optim.Adam(params, lr=lr, betas=_pair(betas), eps=eps, **_on_cpu(params))


def adamw(
    params: Iterable[nn.Parameter],
    /,
    *,
    lr: LearningRate = 1e-3,
    betas: tuple[Decay, Decay] = (0.9, 0.999),
    eps: Epsilon = 1e-8,
    weight_decay: Annotated[float, Ge(0)] = 0.01,
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): before Adam's step, w <- w - lr·weight_decay·w.

    As in torch, the decay reaches every parameter, biases included.

    Args:
        lr: Learning rate.
        betas: Shares of the mean gradient and of the mean squared gradient that are kept from step to step.
        eps: Added to the denominator.
        weight_decay: Strength of the decay, multiplied by the learning rate.
    """
    params = list(params)
    return torch.optim.AdamW(params, lr=lr, betas=_pair(betas), eps=eps, weight_decay=weight_decay, **_on_cpu(params))


def adagrad(params: Iterable[nn.Parameter], /, *, lr: LearningRate = 0.01, eps: Epsilon = 1e-10) -> Optimizer:
    """Adagrad (Duchi et al. 2011): s <- s + g², w <- w - lr·g / (√s + eps).

    Args:
        lr: Learning rate.
        eps: Added to the denominator.
    """
    params = list(params)
    return torch.optim.Adagrad(params, lr=lr, eps=eps, **_on_cpu(params))


def _pair(betas: Iterable[float]) -> tuple[float, float]:
    first, second = betas
    return first, second


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
    "adagrad": adagrad,
}
