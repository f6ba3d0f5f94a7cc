"""Means with their t-intervals, and numbers as they are written in sentences and tables.

A mean carries Student's t-interval at every n: mean +- t(1 - alpha/2, n - 1) s / sqrt(n), s the standard deviation with
ddof 1. At the sizes that seeds come in (3, 5, 10) the percentile bootstrap covers 74, 83 and 89 % instead of 95 %.
Rounding is no spread: a half-width at or below the resolution of the values (`analysis.statistics.rounding`) is 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from analysis.statistics.rounding import resolution

ENOUGH_FOR_AN_INTERVAL: Final = 3
"""Below this many seeds a figure shows the dots only."""


@dataclass(frozen=True)
class Interval:
    """A mean and where it may lie; `low` and `high` are nan below two values, all are nan without any."""

    mean: float
    low: float
    high: float
    n: int
    level: float = 0.95

    @property
    def half(self) -> float:
        """Half of the interval's width."""
        return (self.high - self.low) / 2

    @property
    def size(self) -> Interval:
        """The interval without the sign of its mean: how far two means lie apart, where words say the direction."""
        return replace(self, mean=abs(self.mean), low=abs(self.mean) - self.half, high=abs(self.mean) + self.half)

    @property
    def turned(self) -> Interval:
        """The interval of the opposite difference."""
        return replace(self, mean=-self.mean, low=-self.high, high=-self.low)

    @property
    def kind(self) -> str:
        """How the interval is named on a figure."""
        return f"{100 * self.level:g}% t-interval, n={self.n}"

    @property
    def shown(self) -> bool:
        """Whether a figure may show it."""
        return self.n >= ENOUGH_FOR_AN_INTERVAL


def number(value: float, digits: int = 4) -> str:
    """A number with at most `digits` significant digits, `–` where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if -4 <= size < 6:
        text = f"{value:.{max(0, digits - 1 - size)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.{digits}g}"


def plus_minus(interval: Interval) -> str:
    """`0.0912 ± 0.0083`: both to the second digit of the half-width; the mean alone where no interval may be shown."""
    if not interval.shown or not math.isfinite(interval.half):
        return number(interval.mean)
    if interval.half == 0:
        return f"{number(interval.mean)} ± 0"
    decimals = max(0, 1 - math.floor(math.log10(interval.half)))
    if decimals > 6 or abs(interval.mean) >= 1e6:
        return f"{number(interval.mean)} ± {number(interval.half, 2)}"
    mean = round(interval.mean, decimals) + 0.0  # no minus before zero
    return f"{mean:.{decimals}f} ± {interval.half:.{decimals}f}"


def t_quantile(p: np.ndarray | float, df: np.ndarray | float) -> np.ndarray:
    """The quantile of Student's t distribution."""
    # scipy.stats takes most of a second to import, scipy.special a fifth of that: the dashboard opens with this module.
    from scipy.special import stdtrit

    return np.asarray(stdtrit(df, p), dtype=float)


def finite(name: str, values: Iterable[float]) -> np.ndarray:
    """`values` as an array, refused if one of them is no finite number."""
    x = np.asarray(list(values), dtype=float)
    if not np.isfinite(x).all():
        raise ValueError(
            f"{name}: {x[~np.isfinite(x)][0]} is not allowed; allowed: finite numbers, what diverged is counted apart"
        )
    return x


def check_share(name: str, value: float) -> None:
    """Refuses a value that is not strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name}: {value} is not allowed; allowed: more than 0 and less than 1")


def _around(estimate: float, low: float, high: float, rounding: float) -> tuple[float, float]:
    """The bounds of an interval; both are the estimate itself where the interval is no wider than rounding."""
    return (estimate, estimate) if (high - low) / 2 <= rounding else (low, high)


def interval(values: Iterable[float], level: float = 0.95, *, rounding: float | None = None) -> Interval:
    """The mean of `values` and its t-interval.

    Args:
        values: Finite numbers, one per seed. What diverged is counted by the caller, not averaged here.
        level: The share of repetitions in which such an interval holds the true value.
        rounding: The resolution of the results (`analysis.statistics.rounding`) where `values` are differences or means
            of results; by default that of `values`.
    """
    check_share("level", level)
    x = finite("values", values)
    if len(x) == 0:
        return Interval(math.nan, math.nan, math.nan, 0, level)
    if len(x) == 1:
        return Interval(float(x[0]), math.nan, math.nan, 1, level)
    least = resolution(x) if rounding is None else rounding
    mean = float(x.mean())
    half = float(t_quantile((1 + level) / 2, len(x) - 1)) * float(x.std(ddof=1)) / math.sqrt(len(x))
    return Interval(mean, *_around(mean, mean - half, mean + half, least), len(x), level)
