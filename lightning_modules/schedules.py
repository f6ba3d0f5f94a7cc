"""Learning-rate schedules by name. Their keyword arguments are what a sweep can set.

A schedule by the epoch is a function of the number of finished epochs e = 0, 1, ... that gives the factor on the
learning rate. With w = `warmup_epochs` the first w epochs use (e + 1) / (w + 1), and the schedule proper follows, at
t = e - w. Only the range test has no warm-up: it is one.

A schedule by the step is the same function of the number of finished steps s = 0, 1, ..., where a step is one update of
the weights. It knows how many steps there will be: the batches of an epoch times the epochs.
"""

import math
from collections.abc import Callable
from typing import Annotated

from annotated_types import Ge, Interval

WarmupEpochs = Annotated[int, Ge(0)]
WarmupSteps = Annotated[int, Ge(0)]

Factor = Callable[[int], float]
"""Finished epochs, or finished steps -> the factor on the learning rate."""


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
    return _half_cosine(epochs, final, warmup_epochs)


def range_test(epochs: int, /, *, growth: Annotated[float, Interval(gt=1, le=1e12)] = 1e6) -> Factor:
    """Range test of the learning rate (Smith 2017): growth^(e / (T - 1)), where T epochs are trained.

    The training loss against the learning rate shows where learning begins and where it breaks down: begin with a rate
    that is far too small. The weights that come of it are of no use.

    Args:
        growth: How many times larger the learning rate of the last epoch is than that of the first.
    """
    return lambda e: growth ** (e / max(epochs - 1, 1))


def linear(steps: float, /, *, warmup_steps: WarmupSteps = 0) -> Factor:
    """By the step, linearly down to 0: 1 - t / N, where N steps follow the warm-up.

    As BERT is trained (Devlin et al. 2019). A step is one update of the weights.

    Args:
        warmup_steps: Steps over which the learning rate first grows linearly.
    """
    length = max(steps - warmup_steps, 1)
    return _warmed(lambda t: max(1 - t / length, 0.0), warmup_steps)


def cosine_steps(
    steps: float, /, *, final: Annotated[float, Interval(ge=0, le=1)] = 0.0, warmup_steps: WarmupSteps = 0
) -> Factor:
    """By the step, half a cosine: final + (1 - final)·(1 + cos(π·t / N)) / 2, where N steps follow the warm-up.

    Loshchilov and Hutter (2017), without restarts. A step is one update of the weights.

    Args:
        final: The factor that the curve falls to, reached when the last step is over.
        warmup_steps: Steps over which the learning rate first grows linearly.
    """
    return _half_cosine(steps, final, warmup_steps)


def noam(steps: float, /, *, warmup_steps: Annotated[int, Ge(1)] = 400) -> Factor:
    """By the step, up linearly and down as an inverse square root: min((s + 1) / w, √(w / (s + 1))), w = warmup_steps.

    Vaswani et al. (2017, eq. 3), who use w = 4000. A step is one update of the weights, and s of them are finished.
    The optimizer's lr is the highest rate, which step w has; in the paper that is 1 / √(d_model·w).

    Args:
        warmup_steps: Steps over which the learning rate grows linearly, before it falls. Keep them below the steps of
            a whole run (batches of an epoch times epochs), or it only grows.
    """
    return lambda s: min((s + 1) / warmup_steps, math.sqrt(warmup_steps / (s + 1)))


def _half_cosine(end: float, final: float, warmup: int) -> Factor:
    length = max(end - warmup, 1)
    return _warmed(lambda t: final + (1 - final) * (1 + math.cos(math.pi * min(t / length, 1))) / 2, warmup)


def _warmed(factor: Factor, warmup: int) -> Factor:
    return lambda e: (e + 1) / (warmup + 1) if e < warmup else factor(e - warmup)


EPOCH_SCHEDULES: dict[str, Callable[..., Factor]] = {
    "constant": constant,
    "inverse_time": inverse_time,
    "step": step,
    "exponential": exponential,
    "cosine": cosine,
    "range_test": range_test,
}

STEP_SCHEDULES: dict[str, Callable[..., Factor]] = {
    "linear": linear,
    "cosine_steps": cosine_steps,
    "noam": noam,
}
SCHEDULES = {**EPOCH_SCHEDULES, **STEP_SCHEDULES}
"""Each is called with the number of epochs that will be trained, or of steps if it is one of `STEP_SCHEDULES`."""
