"""Double descent: whether the risk, having risen to a peak, falls again in larger networks (Belkin et al. 2019, PNAS).

The peak is the capacity that stands out most above both the best before it and the largest of all. It is chosen from
the same results, so both differences carry intervals at 1 - .05 / m for the m capacities that could have been it
(Bonferroni); they are paired over training sets (or seeds). There is a second descent if both exclude zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from analysis.statistics import Interval, interval, number, plus_minus
from analysis.statistics.independent import DATASETS
from analysis.statistics.rounding import resolution

ENOUGH: Final = 4
"""The fewest capacities with room for two descents."""


@dataclass(frozen=True)
class Descent:
    """The most likely peak and how far it stands out; texts are values of the axis."""

    best: str
    peak: str
    widest: str
    rise: Interval
    """The risk at the peak minus that of the best capacity before it."""
    fall: Interval
    """The risk at the peak minus that of the largest capacity."""
    gain: Interval
    """The risk of the best before the peak minus that of the largest: above zero if more capacity pays in the end."""
    candidates: int
    """How many capacities could have been the peak."""
    over: str
    """What the differences are paired on: training sets, or seeds."""

    @property
    def shown(self) -> bool:
        """Whether both differences exclude zero."""
        return self.rise.low > 0 and self.fall.low > 0

    @property
    def sentence(self) -> str:
        """Whether there is a second descent, with its figures, in plain text."""
        basis = f"n={self.rise.n} paired {self.over}"
        if not self.rise.shown:
            return (
                f"A peak at {self.peak} stands {number(self.fall.mean, 2)} above {self.widest}, but {basis} carry no"
                f" interval: no verdict on a second descent."
            )
        kind = f"95% t-intervals corrected for {self.candidates} possible peaks, {basis}"
        sizes = (
            f"from {self.best} to {self.peak} the risk rises by {plus_minus(self.rise)}, and from there to"
            f" {self.widest} it falls by {plus_minus(self.fall)} ({kind})"
        )
        if not self.shown:
            return f"A second descent cannot be told from chance: {sizes}."
        end = ""
        if self.gain.low > 0:
            end = f"; {self.widest} is then better than any before the peak, by {plus_minus(self.gain)}"
        elif self.gain.high < 0:
            end = f"; {self.best} remains better than {self.widest}, by {plus_minus(self.gain.turned)}"
        return f"There is a second descent: {sizes}{end}."


def _paired_difference(a: Mapping[Any, float], b: Mapping[Any, float], level: float) -> Interval:
    shared = [key for key in a if key in b]
    rounding = resolution([value for key in shared for value in (a[key], b[key])])
    return interval([a[key] - b[key] for key in shared], level, rounding=rounding)


def descent(names: Sequence[str], risks: Sequence[Mapping[Any, float]], over: str = DATASETS) -> Descent | None:
    """The second descent over a row of capacities; None where the risk has no peak with less on both sides.

    Args:
        names: The capacities, the smallest first.
        risks: The measured risks of each capacity, by training set (or seed).
        over: What the keys of `risks` are.
    """
    means = np.array([np.mean(list(by_key.values())) if by_key else np.nan for by_key in risks])
    finite = np.flatnonzero(np.isfinite(means)).tolist()
    if len(finite) < ENOUGH:
        return None
    names, risks, means = [names[k] for k in finite], [risks[k] for k in finite], means[finite]
    inner = np.arange(1, len(means) - 1)
    before = np.array([means[:k].argmin() for k in inner])
    above = np.minimum(means[inner] - means[before], means[inner] - means[-1])
    chosen = int(above.argmax())
    if above[chosen] <= 0:
        return None
    peak, best, m = int(inner[chosen]), int(before[chosen]), len(inner)
    level = 1 - 0.05 / m
    return Descent(
        best=names[best],
        peak=names[peak],
        widest=names[-1],
        rise=_paired_difference(risks[peak], risks[best], level),
        fall=_paired_difference(risks[peak], risks[-1], level),
        gain=_paired_difference(risks[best], risks[-1], level),
        candidates=m,
        over=over,
    )
