"""Learning-rate schedules by name. Their keyword arguments are what a sweep can set.

A schedule is a function of the number of finished epochs e = 0, 1, ... that gives the factor on the learning rate.
With w = `warmup_epochs` the first w epochs use (e + 1) / (w + 1), and the schedule proper follows, at t = e - w. Only
the range test has no warm-up: it is one.
"""

import math
from collections.abc import Callable
from typing import Annotated

from annotated_types import Ge, Interval

WarmupEpochs = Annotated[int, Ge(0)]

Factor = Callable[[int], float]
"""Finished epochs -> the factor on the learning rate."""


def constant(epochs: int, /, *, warmup_epochs: WarmupEpochs = 0) -> Factor:
    """The same learning rate throughout: 1.

    Args:
        warmup_epochs: Epochs over which the learning rate first grows linearly.
    """
    return _warmed(lambda t: 1.0, warmup_epochs)


def inverse_time(epochs: int, /, *, decay: Annotated[float, Ge(0)] = 0.1, warmup_epochs: WarmupEpochs = 0) -> Factor:
    """Inverse time: 1 / (1 + decay·t).

    Args:
        decay: How fast the learning rate falls; after 1 / decay epochs it has halved.
        warmup_epochs: Epochs over which the learning rate first grows linearly.
    """
    return _warmed(lambda t: 1 / (1 + decay * t), warmup_epochs)


def step(
    epochs: int,
    /,
    *,
    step_size: Annotated[int, Ge(1)] = 10,
    gamma: Annotated[float, Interval(gt=0, le=1)] = 0.1,
    warmup_epochs: WarmupEpochs = 0,
) -> Factor:
    """In steps: gamma^⌊t / step_size⌋.

    Args:
        step_size: Epochs between two steps.
        gamma: Factor of each step.
        warmup_epochs: Epochs over which the learning rate first grows linearly.
    """
    return _warmed(lambda t: gamma ** (t // step_size), warmup_epochs)


def exponential(
    epochs: int, /, *, gamma: Annotated[float, Interval(gt=0, le=1)] = 0.95, warmup_epochs: WarmupEpochs = 0
) -> Factor:
    """Exponential: gamma^t.

    Args:
        gamma: Factor of each epoch.
        warmup_epochs: Epochs over which the learning rate first grows linearly.
    """
    return _warmed(lambda t: gamma**t, warmup_epochs)


def cosine(
    epochs: int, /, *, final: Annotated[float, Interval(ge=0, le=1)] = 0.0, warmup_epochs: WarmupEpochs = 0
) -> Factor:
    """Half a cosine: final + (1 - final)·(1 + cos(π·t / T)) / 2, where T epochs follow the warm-up.

    Loshchilov and Hutter (2017), without restarts.

    Args:
        final: The factor that the curve falls to, reached when the last epoch is over.
        warmup_epochs: Epochs over which the learning rate first grows linearly.
    """
    length = max(epochs - warmup_epochs, 1)
    return _warmed(lambda t: final + (1 - final) * (1 + math.cos(math.pi * min(t / length, 1))) / 2, warmup_epochs)


def range_test(epochs: int, /, *, growth: Annotated[float, Interval(gt=1, le=1e12)] = 1e6) -> Factor:
    """Range test of the learning rate (Smith 2017): growth^(e / (T - 1)), where T epochs are trained.

    The training loss against the learning rate shows where learning begins and where it breaks down: begin with a rate
    that is far too small. The weights that come of it are of no use.

    Args:
        growth: How many times larger the learning rate of the last epoch is than that of the first.
    """
    return lambda e: growth ** (e / max(epochs - 1, 1))


def _warmed(factor: Factor, warmup_epochs: int) -> Factor:
    return lambda e: (e + 1) / (warmup_epochs + 1) if e < warmup_epochs else factor(e - warmup_epochs)


SCHEDULES: dict[str, Callable[..., Factor]] = {
    "constant": constant,
    "inverse_time": inverse_time,
    "step": step,
    "exponential": exponential,
    "cosine": cosine,
    "range_test": range_test,
}
