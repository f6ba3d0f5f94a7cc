"""Momentum written in its two ways, v <- β·v + g and v <- β·v + (1 - β)·g, and what a forgotten 1 - β does.

The second v is 1 - β times the first, so both take the same path if the second has the learning rate lr / (1 - β)
(the first is torch's and Sutskever's, the second that of averages and of Adam).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.explorers.surfaces import Surface
from analysis.explorers.trajectories import Entry, TrajectoriesInfo, Trajectory, trajectories_info
from analysis.explorers.update_rules import Momentum
from analysis.statistics import number

SUM, AVERAGE = "v = βv + g", "v = βv + (1−β)g"


@dataclass(frozen=True)
class MomentumInfo:
    """Both ways of writing it, each with both learning rates."""

    lr: float
    """The learning rate of the sum."""
    beta: float
    trajectories: TrajectoriesInfo
    """The sum at lr, the average at lr / (1 - β); then, forgotten, the average at lr and the sum at lr / (1 - β)."""

    @property
    def factor(self) -> float:
        """The factor by which the learning rates of equal paths differ: 1 / (1 - β)."""
        return 1 / (1 - self.beta)

    @property
    def gap(self) -> float:
        """The largest distance between the two paths that should be one."""
        one, other = self.trajectories.trajectories[0].points, self.trajectories.trajectories[1].points
        shared = min(len(one), len(other))
        return float(np.abs(one[:shared] - other[:shared]).max())

    @property
    def sentence(self) -> str:
        """Whether both paths are equal, and what becomes of those whose learning rate was not changed; plain text."""
        if self.trajectories.problem:
            return self.trajectories.problem
        if self.beta == 0:
            return "Without momentum (β = 0) both ways of writing it are gradient descent."
        right, _, small, large = self.trajectories.trajectories
        times = number(self.factor, 3)
        return (
            f"At β = {number(self.beta, 3)} the average takes the path of the sum if its learning rate is {times} times"
            f" as large ({_fate(right)}); with the same learning rate its steps are {times} times smaller"
            f" ({_fate(small)}), and the sum with the learning rate of the average takes steps {times} times too large"
            f" ({_fate(large)})."
        )

    def frame(self) -> pd.DataFrame:
        """The table of `TrajectoriesInfo.frame`, of all four trajectories."""
        return self.trajectories.frame()


def _fate(way: Trajectory) -> str:
    if way.diverged:
        return f"it diverges after {len(way.points) - 1} steps"
    return f"within 1% {way.outcome}" if way.arrived is not None else way.outcome


def momentum_info(surface: Surface, start: tuple[float, float], *, lr: float, beta: float, steps: int) -> MomentumInfo:
    """Both ways of writing momentum, each with its own learning rate and with the other's.

    Args:
        surface: What is descended.
        start: x and y.
        lr: The learning rate of v <- β·v + g.
        beta: β, 0 to less than 1.
        steps: How many each takes.
    """
    if not 0 <= beta < 1:
        raise ValueError(f"beta: {beta} is not allowed; allowed: 0 to less than 1")
    larger = lr / (1 - beta)

    def entry(colour: str, average: bool, rate: float, forgotten: str = "", beneath: bool = False) -> Entry:
        label = f"{AVERAGE if average else SUM}, lr {number(rate, 3)}{forgotten}"
        return Entry(colour, label, Momentum(rate, beta, average), beneath)

    entries = [
        entry("momentum", False, lr, beneath=True),
        entry("average", True, larger),
        entry("average too small", True, lr, ": too small"),
        entry("sum too large", False, larger, ": too large"),
    ]
    return MomentumInfo(lr, beta, trajectories_info(surface, start, entries, steps))
