"""The geometric mean of a positive quantity over seeds, with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.statistics.independent import independent
from analysis.statistics.intervals import ENOUGH_FOR_AN_INTERVAL, interval, number


def _short(value: float) -> str:
    """Two digits: a condition number of 115920 is 1.2e+05."""
    return f"{value:.2g}" if value >= 10_000 else number(value, 2)


@dataclass(frozen=True)
class GeometricMean:
    """The geometric mean of a positive quantity over seeds, with the t-interval of its logarithms."""

    mean: float
    low: float
    high: float
    n: int
    zeros: int = 0
    """Runs in which it was 0, which have no logarithm and are in no mean."""
    infinite: int = 0
    """Runs in which it was infinite."""

    @property
    def shown(self) -> bool:
        """Whether a figure may show its interval."""
        return self.n >= ENOUGH_FOR_AN_INTERVAL

    @property
    def words(self) -> str:
        """`0.012 (0.008 to 0.02)`."""
        if not self.n:
            return "0" if self.zeros else "infinite" if self.infinite else "–"
        bounds = f" ({_short(self.low)} to {_short(self.high)})" if self.shown else ""
        return f"{_short(self.mean)}{bounds}"


def geometric_mean(values: Iterable[float], sets: Sequence[int] | None = None) -> GeometricMean:
    """The geometric mean of values that are not negative, and its interval; nan are left out.

    Args:
        values: One per run.
        sets: Each run's training set, by its seed, -1 where it is not known: runs that share one are one value.
    """
    x = np.asarray(list(values), dtype=float)
    logarithms = np.log(x, out=np.full(len(x), math.nan), where=np.isfinite(x) & (x > 0))
    of_logarithms = interval(independent(logarithms.tolist(), [-1] * len(x) if sets is None else sets))
    mean, low, high = (math.exp(value) for value in (of_logarithms.mean, of_logarithms.low, of_logarithms.high))
    return GeometricMean(
        mean, low, high, of_logarithms.n, zeros=int((x == 0).sum()), infinite=int(np.isposinf(x).sum())
    )


def band(means: Iterable[GeometricMean], what: str = "the logarithms") -> str:
    """`95% t-interval of the logarithms, n=3 to 5`: the intervals as a figure names them; empty where none is shown."""
    sizes = {mean.n for mean in means if mean.shown}
    if not sizes:
        return ""
    n = f"n={min(sizes)}" + (f" to {max(sizes)}" if len(sizes) > 1 else "")
    return f"95% t-interval of {what}, {n}"
