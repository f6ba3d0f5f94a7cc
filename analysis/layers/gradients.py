"""What happens inside: gradient norms by layer and epoch, and how activations and inputs stand before training.

A signal that passes many layers shrinks or grows by a factor per layer, and so does the gradient on its way back
(Hochreiter 1991; Glorot and Bengio 2010). The ratio of the first to the last layer's gradient norm says which: it
vanishes where the whole interval lies below 1 / FACTOR, it explodes where it lies above FACTOR. Norms and ratios spread
by factors, so they are averaged by their logarithms: the mean is geometric, the interval Student's of the logarithms.

Layers differ in their sizes, and so do the norms of their gradients: compare methods and depths, not one number with 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from analysis.figures.export import sizes
from analysis.layers.layer_runs import ARRAYS, CONDITION, SPREAD, LayerRun, by_method_and_depth, label_of
from analysis.statistics import ENOUGH_FOR_AN_INTERVAL
from analysis.statistics.geometric_mean import GeometricMean, band, geometric_mean

FACTOR: Final = 10.0
FIRST, LAST = "first", "last"
GRADIENT: Final = "gradient norm"
_MEANING: Final = {
    SPREAD: "How far each layer's outputs spread over examples: what shrinks or grows a layer does so in depth.",
    CONDITION: "Largest over smallest eigenvalue of the second moments of what comes into a layer: gradient descent is"
    " slow where it is large.",
}


# Gradient norms by layer and epoch


@dataclass(frozen=True)
class HeatMap:
    """The gradient norms of one method and depth, by layer and epoch: what one panel shows."""

    method: str
    label: str
    names: tuple[str, ...]
    epochs: np.ndarray
    norms: np.ndarray
    """(epochs, layers): geometric means over the runs; 0 where one of them was 0, nan where one was not finite."""
    n: int


@dataclass(frozen=True)
class HeatInfo:
    """What `plot_heat` draws."""

    panels: list[HeatMap]

    @property
    def problem(self) -> str:
        """Why there is nothing to draw; nothing where there is something."""
        return "" if self.panels else "No run that ended ok left the gradient norms of its layers."

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest norm of all panels, which share their colours."""
        norms = np.concatenate([panel.norms.ravel() for panel in self.panels]) if self.panels else np.array([])
        norms = norms[np.isfinite(norms) & (norms > 0)]
        return (float(norms.min()), float(norms.max())) if len(norms) else (1.0, 1.0)

    @property
    def zeros(self) -> bool:
        """Whether a layer somewhere had no gradient at all."""
        return any(bool((panel.norms == 0).any()) for panel in self.panels)

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        return "Gradient norm by layer and epoch"

    @property
    def n(self) -> str:
        """`n=8 seeds each`."""
        return sizes([panel.n for panel in self.panels])

    @property
    def interval(self) -> str:
        """Nothing: colours have no intervals."""
        return ""

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        gaps = " Gaps: some run had no gradient there at all." if self.zeros else ""
        return f"Layer 1 is next to the input; geometric means over seeds, colours are shared.{gaps}"

    def frame(self) -> pd.DataFrame:
        """One row per cell: group, epoch, layer, gradient norm, runs."""
        rows = [
            (panel.label, int(epoch), name, float(value), panel.n)
            for panel in self.panels
            for epoch, row in zip(panel.epochs, panel.norms, strict=True)
            for name, value in zip(panel.names, row, strict=True)
        ]
        return pd.DataFrame(rows, columns=["group", "epoch", "layer", GRADIENT, "runs"])


def heat_info(runs: Sequence[LayerRun]) -> HeatInfo:
    """Gradient norms by layer and epoch, one panel per method and depth: geometric means over seeds, at shared epochs.

    Args:
        runs: From `layer_runs`.
    """
    grouped = by_method_and_depth(runs)
    several = len({depth for _, depth in grouped}) > 1
    panels = []
    for (method, depth), members in grouped.items():
        epochs = sorted(set.intersection(*(set(run.epochs.tolist()) for run in members)))
        if not epochs:
            continue
        stack = np.stack([run.gradients[np.searchsorted(run.epochs, epochs)] for run in members])
        with np.errstate(divide="ignore", invalid="ignore"):
            means = np.exp(np.log(stack).mean(axis=0))
        label = label_of(method, depth, several)
        panels.append(HeatMap(method, label, members[0].names, np.array(epochs), means, len(members)))
    return HeatInfo(panels)


# The first layer against the last


@dataclass(frozen=True)
class Ratio:
    """The first layer's gradient norm over the last's, of one method and depth."""

    method: str
    depth: int
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    """The ratio of each seed's run."""
    over: GeometricMean

    @property
    def verdict(self) -> str:
        """`vanishing`, `exploding`, `neither`, `mixed` where it is 0 in some runs only, or `too few seeds`."""
        if not self.over.n and self.over.zeros >= ENOUGH_FOR_AN_INTERVAL:
            return "vanishing"
        if not self.over.shown:
            return "too few seeds"
        if self.over.high < 1 / FACTOR:
            return "vanishing"
        return "mixed" if self.over.zeros else "exploding" if self.over.low > FACTOR else "neither"


@dataclass(frozen=True)
class RatioInfo:
    """What `plot_ratio` draws."""

    ratios: list[Ratio]
    when: str
    """FIRST or LAST epoch."""

    @property
    def depths(self) -> list[int]:
        """Ascending."""
        return sorted({ratio.depth for ratio in self.ratios})

    @property
    def sentence(self) -> str:
        """What becomes of the gradient in the deepest networks of each method: plain text."""
        if not self.ratios:
            return ""
        words = []
        for method in dict.fromkeys(ratio.method for ratio in self.ratios):
            ratio = max((ratio for ratio in self.ratios if ratio.method == method), key=lambda ratio: ratio.depth)
            n = f"n={ratio.over.n or ratio.over.zeros}"
            zeros = f", 0 in {ratio.over.zeros} more" if ratio.over.n and ratio.over.zeros else ""
            words.append(f"{method}, {ratio.depth} layers: {ratio.over.words} ({ratio.verdict}, {n}{zeros})")
        return f"The first layer's gradient as a share of the last's, in the {self.when} epoch: {'; '.join(words)}."

    @property
    def band(self) -> str:
        """What the bars are; nothing where none is drawn."""
        return band([ratio.over for ratio in self.ratios])

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        return "The first layer's gradient norm over the last's, against the number of layers"

    @property
    def n(self) -> str:
        """`n=8 seeds each`."""
        return sizes([len(ratio.values) for ratio in self.ratios])

    @property
    def interval(self) -> str:
        """The kind of the bars; nothing where none is drawn."""
        return self.band

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        bars = self.band or "seeds are too few for an interval"
        return f"Dots are seeds, lines geometric means, bars the {bars}. Layers differ in size: compare methods."

    def frame(self) -> pd.DataFrame:
        """One row per run: method, layers, seed, ratio, the verdict on its group."""
        rows = [
            (ratio.method, ratio.depth, seed, value, ratio.verdict)
            for ratio in self.ratios
            for seed, value in zip(ratio.seeds, ratio.values, strict=True)
        ]
        return pd.DataFrame(rows, columns=["method", "layers", "seed", "first over last", "verdict"])


def _ratio(run: LayerRun, when: str) -> float:
    first, last = run.gradients[0 if when == FIRST else -1, [0, -1]].tolist()
    return math.nan if first == last == 0 else math.inf if last == 0 else first / last


def ratio_info(runs: Sequence[LayerRun], when: str = FIRST) -> RatioInfo:
    """Whether gradients vanish or explode on their way back, by method and depth.

    Args:
        runs: From `layer_runs`; those of one layer are left out.
        when: FIRST or LAST epoch.
    """
    if when not in (FIRST, LAST):
        raise ValueError(f"when: {when!r} is not allowed; allowed: {FIRST!r}, {LAST!r}")
    ratios = []
    for (method, depth), members in by_method_and_depth([run for run in runs if run.depth > 1]).items():
        values = tuple(_ratio(run, when) for run in members)
        over = geometric_mean(values, [run.data for run in members])
        ratios.append(Ratio(method, depth, tuple(run.seed for run in members), values, over))
    return RatioInfo(ratios, when)


# A quantity by layer


@dataclass(frozen=True)
class Profile:
    """A quantity of one method and depth by layer."""

    method: str
    label: str
    names: tuple[str, ...]
    seeds: tuple[int, ...]
    values: np.ndarray
    """(runs, layers)"""
    means: tuple[GeometricMean, ...]
    change: GeometricMean
    """The last layer's over the first's."""


@dataclass(frozen=True)
class ProfileInfo:
    """What `plot_profile` draws."""

    profiles: list[Profile]
    what: str
    when: str = LAST
    """FIRST or LAST epoch, of the gradient."""

    @property
    def problem(self) -> str:
        """Why there is nothing to draw; nothing where there is something."""
        if not self.profiles:
            return f"No run that ended ok left the {self.what} of its layers."
        if not any(mean.n or mean.infinite for profile in self.profiles for mean in profile.means):
            return f"The {self.what} is 0 in every layer: its weights start at zero."
        return ""

    @property
    def sentence(self) -> str:
        """What differs between the methods: plain text."""
        if not self.profiles:
            return ""
        if self.what == CONDITION:
            conditions = {profile.label: profile.means[0].words for profile in self.profiles}
            words = "; ".join(f"{label} {condition}" for label, condition in conditions.items())
            if len(set(conditions.values())) == 1 < len(conditions):
                words = f"{next(iter(conditions.values()))} for all"
            return f"Condition of the inputs, large where gradient descent is slow: {words}."
        ends = [f"{profile.label} {profile.change.words}" for profile in self.profiles]
        return f"{self.what.capitalize()}, the last layer's as a multiple of the first's: {'; '.join(ends)}."

    @property
    def band(self) -> str:
        """What the bars are; nothing where none is drawn."""
        return band([mean for profile in self.profiles for mean in profile.means])

    @property
    def infinite(self) -> int:
        """Values that are infinite, which stand at the upper edge."""
        return sum(int(np.isposinf(profile.values).sum()) for profile in self.profiles)

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        epoch = f" in the {self.when} epoch" if self.what == GRADIENT else ""
        return f"{self.what.capitalize()} by layer{epoch}"

    @property
    def n(self) -> str:
        """`n=8 seeds each`."""
        return sizes([len(profile.values) for profile in self.profiles])

    @property
    def interval(self) -> str:
        """The kind of the bars; nothing where none is drawn."""
        return self.band

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        if self.what == GRADIENT:
            return f"Dots are seeds, lines geometric means, bars the {self.band or 'seeds too few for one'}."
        bars = f" Bars: {self.band}." if self.band else ""
        triangles = " Triangles: infinite, since an input never varies." if self.infinite else ""
        return f"{_MEANING[self.what]} Dots are seeds.{bars}{triangles}"

    def frame(self) -> pd.DataFrame:
        """One row per run and layer."""
        rows = [
            (profile.label, seed, name, float(value))
            for profile in self.profiles
            for seed, row in zip(profile.seeds, profile.values, strict=True)
            for name, value in zip(profile.names, row, strict=True)
        ]
        return pd.DataFrame(rows, columns=["group", "seed", "layer", self.what])


def profile_info(runs: Sequence[LayerRun], what: str, when: str = LAST) -> ProfileInfo:
    """A quantity by layer, one line per method and depth.

    Args:
        runs: From `layer_runs`.
        what: GRADIENT, SPREAD or CONDITION.
        when: FIRST or LAST epoch, of the gradient.
    """
    if what not in (GRADIENT, *ARRAYS):
        raise ValueError(f"what: {what!r} is not allowed; allowed: {GRADIENT!r}, {SPREAD!r}, {CONDITION!r}")
    chosen = runs if what == GRADIENT else [run for run in runs if what in run.before]
    grouped = by_method_and_depth(chosen)
    several = len({depth for _, depth in grouped}) > 1
    profiles = []
    for (method, depth), members in grouped.items():
        rows = [run.gradients[0 if when == FIRST else -1] if what == GRADIENT else run.before[what] for run in members]
        values, sets = np.stack(rows), [run.data for run in members]
        with np.errstate(divide="ignore", invalid="ignore"):
            change = geometric_mean(values[:, -1] / values[:, 0], sets)
        profiles.append(
            Profile(
                method,
                label_of(method, depth, several),
                members[0].names,
                tuple(run.seed for run in members),
                values,
                tuple(geometric_mean(column, sets) for column in values.T),
                change,
            )
        )
    return ProfileInfo(profiles, what, when)
