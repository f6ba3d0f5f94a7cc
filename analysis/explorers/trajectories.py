"""The trajectories of optimizers down a surface, how many steps they need, and what theory says on a quadratic.

A method has arrived at the first step from which its distance to the nearest minimum stays within 1% of what it was at
the start, as far as it was followed. It has diverged when its numbers grow beyond a hundred windows, or cease to be
numbers; its trajectory is drawn to where it leaves the window for good.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from analysis.explorers.convergence import Convergence, best, convergence
from analysis.explorers.surfaces import Surface
from analysis.explorers.update_rules import Adam, Array, GradientDescent, Momentum, Nesterov, Rate, RMSprop, Rule, path
from analysis.statistics import number
from analysis.words import counted, joined

METHODS: Final = {
    "sgd": "gradient descent",
    "momentum": "momentum",
    "nesterov": "Nesterov",
    "rmsprop": "RMSprop",
    "adam": "Adam",
}
"""Method -> what it is called. The names are those of the optimizers, which give them their colours."""
ARRIVED: Final = 0.01
CLOSE: Final = 0.001
BEYOND: Final = 100
"""A trajectory that is so many windows away has diverged."""
RATES: Final = tuple(float(f"{10 ** (k / 10):.2g}") for k in range(-40, 11))
"""Learning rates among which the best is looked for: ten a decade, from 0.0001 to 10."""


@dataclass(frozen=True)
class Settings:
    """What the rules share beside their learning rates."""

    beta: float = 0.9
    """β of momentum and Nesterov; β₁ of Adam."""
    beta2: float = 0.99
    """β of RMSprop; β₂ of Adam."""
    eps: float = 1e-8
    """What RMSprop and Adam add to the denominator."""
    corrected: bool = True
    """Whether Adam corrects the bias of its averages."""

    def rule(self, method: str, lr: Rate) -> Rule:
        """The method with these settings.

        Args:
            method: One of METHODS.
            lr: Its learning rate, or one per point of a batch.
        """
        match method:
            case "sgd":
                return GradientDescent(lr)
            case "momentum":
                return Momentum(lr, self.beta)
            case "nesterov":
                return Nesterov(lr, self.beta)
            case "rmsprop":
                return RMSprop(lr, self.beta2, self.eps)
            case "adam":
                return Adam(lr, self.beta, self.beta2, self.eps, self.corrected)
        raise ValueError(f"method: {method} is not allowed; allowed: {', '.join(METHODS)}")


@dataclass(frozen=True)
class Entry:
    """A rule that takes part."""

    method: str
    """What gives it its colour: one of METHODS, or another word."""
    label: str
    rule: Rule
    beneath: bool = False
    """Whether it is drawn as a broad band, on which another trajectory that is the same can be seen."""

    @property
    def setting(self) -> str:
        """`lr 0.1`; for momentum with its β."""
        beta = f", β {number(self.rule.beta, 3)}" if isinstance(self.rule, Momentum | Nesterov) else ""
        return f"lr {number(float(self.rule.lr), 3)}{beta}"


def settled(distances: Array, share: float) -> Array:
    """The first step from which relative distances stay within `share`: (...), infinite where they do not.

    Args:
        distances: (steps + 1, ...).
        share: A share of the distance at the start.
    """
    outside = ~(distances <= share)
    last = len(outside) - 1 - np.argmax(outside[::-1], axis=0)
    first = np.where(outside.any(axis=0), last + 1, 0).astype(np.float64)
    return np.where(first < len(outside), first, math.inf)


def best_rate(surface: Surface, method: str, settings: Settings, start: tuple[float, float], steps: int) -> float:
    """The one of RATES that arrives first; where none arrives, the one that comes nearest.

    Args:
        surface: What is descended.
        method: One of METHODS.
        settings: What it takes beside the learning rate.
        start: Where it begins.
        steps: How many it may take.
    """
    rates = np.array(RATES)[:, None]
    points = path(settings.rule(method, rates), surface.gradient, np.tile(np.array(start), (len(rates), 1)), steps)
    distances = surface.distance(points) / max(float(surface.distance(np.array(start))), 1e-12)
    end = np.where(np.isfinite(distances[-1]), distances[-1], math.inf)
    return RATES[int(np.lexsort((end, settled(distances, ARRIVED)))[0])]


@dataclass(frozen=True)
class Trajectory:
    """The points that one rule goes through."""

    entry: Entry
    points: Array
    """(n, 2): from the start on, to all the steps or to where it diverged."""
    values: Array
    """(n,): of the surface."""
    distances: Array
    """(n,): to the nearest minimum, relative to that at the start."""
    steps: int
    """How many were to be taken."""
    diverged: bool
    """Whether it was followed no further because it grew beyond all bounds."""
    arrived: int | None
    """The first step from which it stays within ARRIVED."""
    close: int | None
    """The first step from which it stays within CLOSE."""
    leaves: int | None
    """The last step in the window, if it ends outside."""
    minimum: tuple[float, float]
    """The one that is nearest at the end."""
    theory: Convergence | None
    bound: Array | None
    """(n,): what theory says that `distances` does not exceed."""

    @property
    def label(self) -> str:
        """What it is called."""
        return self.entry.label

    @property
    def outcome(self) -> str:
        """How it ended, in words."""
        if self.diverged:
            return "diverged"
        if self.arrived is not None:
            return f"after {counted(self.arrived, 'step')}"
        return f"{_percent(self.distances[-1])} left after {counted(self.steps, 'step')}"


def _percent(share: float) -> str:
    return f"{number(100 * float(share), 2)}%" if share >= 1e-5 else "under 0.001%"


def _factor(rate: float) -> str:
    return f"{rate:.6f}" if 0 < abs(1 - rate) < 5e-4 else f"{rate:.3f}"


@dataclass(frozen=True)
class TrajectoriesInfo:
    """What `plot_surface` and `plot_distances` (trajectory_figure.py) draw."""

    surface: Surface
    start: tuple[float, float]
    trajectories: list[Trajectory]
    steps: int

    @property
    def problem(self) -> str:
        """Why nothing is to be seen, in plain text; nothing where something is."""
        if not self.trajectories:
            return "Choose at least one method."
        if not self.surface.distance(np.array(self.start)) > 0:
            return "The start is a minimum already, and no method leaves it: choose another start."
        return ""

    @cached_property
    def order(self) -> list[Trajectory]:
        """The first to arrive first, then by what is left, those that diverged last."""

        def key(way: Trajectory) -> tuple[bool, float, float]:
            arrived = math.inf if way.arrived is None else way.arrived
            return way.diverged, arrived, 0.0 if way.arrived is not None else float(way.distances[-1])

        return sorted(self.trajectories, key=key)

    @property
    def sentence(self) -> str:
        """Which method arrives when, in plain text."""
        if self.problem:
            return self.problem
        arrived = [way for way in self.order if way.arrived is not None]
        parts = []
        if arrived:
            first = [way for way in arrived if way.arrived == arrived[0].arrived]
            place = "the minimum" if len(self.surface.minima) == 1 else "a minimum"
            lead = joined([way.label for way in first])
            is_first = "are the first to stay" if len(first) > 1 else "is the first to stay"
            parts.append(
                f"{lead} {is_first if len(self.trajectories) > 1 else 'stays'}"
                f" within 1% of the starting distance from {place},"
                f" {'both ' if len(first) == 2 else 'all ' if len(first) > 2 else ''}{first[0].outcome}"
            )
            later = arrived[len(first) :]
            if later:
                parts.append(f"then {joined([f'{way.label} after {way.arrived}' for way in later])}")
        left = [way for way in self.order if way.arrived is None and not way.diverged]
        if left:
            has = [f"{way.label} {'' if k else 'has '}{_percent(way.distances[-1])}" for k, way in enumerate(left)]
            of = "that" if arrived else "the starting"
            parts.append(f"{joined(has)} of {of} distance left after {counted(self.steps, 'step')}")
        if diverged := [way.label for way in self.order if way.diverged]:
            parts.append(
                f"{'all of them' if len(diverged) == len(self.trajectories) > 1 else joined(diverged)} diverged"
            )
        text = "; ".join(parts) + "."
        return text[0].upper() + text[1:]

    @property
    def ends(self) -> str:
        """Which minima were found, where it is not one and the same; nothing otherwise."""
        minima: dict[tuple[float, float], list[str]] = {}
        for way in self.order:
            if way.arrived is not None:
                minima.setdefault(way.minimum, []).append(way.label)
        if len(minima) < 2:
            return ""
        at = [f"{joined(names)} at ({number(x, 3)}, {number(y, 3)})" for (x, y), names in minima.items()]
        return f"They end in {len(minima)} different minima: {joined(at)}."

    @property
    def theory(self) -> str:
        """What theory says beforehand of the methods that it knows, in plain text; nothing off a quadratic."""
        return " ".join(filter(None, [_predicted(self.trajectories), _optima(self.surface)]))

    def frame(self) -> pd.DataFrame:
        """Columns: method, lr, step, x, y, value, distance (relative), bound (of theory, nan where it has none)."""
        rows = [
            pd.DataFrame(
                {
                    "method": way.label,
                    "lr": float(way.entry.rule.lr),
                    "step": np.arange(len(way.points)),
                    "x": way.points[:, 0],
                    "y": way.points[:, 1],
                    "value": way.values,
                    "distance": way.distances,
                    "bound": way.bound if way.bound is not None else np.full(len(way.points), math.nan),
                }
            )
            for way in self.trajectories
        ]
        columns = ["method", "lr", "step", "x", "y", "value", "distance", "bound"]
        return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=columns)

    def table(self) -> pd.DataFrame:
        """One row per method, in `order`: method, setting, within 1%, within 0.1% (steps), at the end (percent), rate.

        `rate` is the shrinkage per step of the slowest direction by theory, nan where it says nothing.
        """
        return pd.DataFrame(
            {
                "method": [way.label for way in self.order],
                "setting": [way.entry.setting for way in self.order],
                "within 1%": pd.array([way.arrived for way in self.order], dtype="Int64"),
                "within 0.1%": pd.array([way.close for way in self.order], dtype="Int64"),
                "at the end": ["diverged" if way.diverged else _percent(way.distances[-1]) for way in self.order],
                "rate": [way.theory.rate if way.theory else math.nan for way in self.order],
            }
        )


def _predicted(ways: Sequence[Trajectory]) -> str:
    parts = []
    for way in ways:
        if way.theory is None:
            continue
        flat, steep = way.theory.rates[0], way.theory.rates[-1]
        directions = f"the flat direction by {_factor(flat)} and the steep one by {_factor(steep)} a step"
        if math.isclose(flat, steep, abs_tol=5e-4):
            directions = f"both directions by {_factor(flat)} a step"
        linear = way.entry.method == "sgd"
        many = way.theory.steps_to(ARRIVED)
        then = (
            f"{'' if linear else 'at most '}{counted(many, 'step')} to a hundredth" if many else "it does not converge"
        )
        parts.append(
            f"{way.label} at {way.entry.setting} multiplies {directions}{'' if linear else ' in the long run'}: {then}"
        )
    return f"Theory: {'; '.join(parts)}." if parts else ""


def _optima(surface: Surface) -> str:
    if surface.eigenvalues is None or surface.condition is None:
        return ""
    rates = []
    for method, kind in (("sgd", GradientDescent), ("momentum", Momentum), ("nesterov", Nesterov)):
        rule = best(kind, surface.eigenvalues)
        theory = convergence(rule, surface.eigenvalues) if rule else None
        if rule and theory:
            rates.append(f"{theory.rate:.3f} for {METHODS[method]} ({Entry(method, method, rule).setting})")
    return f"The best rates at condition number {number(surface.condition, 4)}: {joined(rates)}."


def _trajectory(surface: Surface, start: Array, entry: Entry, steps: int) -> Trajectory:
    points = path(entry.rule, surface.gradient, start, steps)
    (left, right), (low, high) = surface.window
    centre = np.array([(left + right) / 2, (low + high) / 2])
    with np.errstate(invalid="ignore"):
        beyond = ~(np.abs(points - centre).max(axis=1) <= BEYOND * max(right - left, high - low))
    diverged = bool(beyond.any())
    if diverged:
        # The first place that is beyond tells in which direction it went, unless it is no place any more.
        last = int(np.argmax(beyond))
        points = points[: last + (float(np.abs(points[last]).max()) < 1e9)]
    first = float(surface.distance(start))
    distances = surface.distance(points) / (first or 1.0)
    inside = surface.inside(points)
    nearest = surface.minima[np.argmin(np.hypot(*(surface.minima - points[-1]).T))]
    theory = convergence(entry.rule, surface.eigenvalues) if surface.eigenvalues is not None else None
    bound = None
    if theory is not None and surface.eigenvectors is not None and first:
        parts = surface.eigenvectors.T @ (start - surface.minima[0])
        bound = theory.envelope(parts.tolist(), len(points) - 1) / first

    def reached(share: float) -> int | None:
        step = math.inf if diverged else float(settled(distances, share))
        return None if math.isinf(step) else int(step)

    return Trajectory(
        entry=entry,
        points=points,
        values=surface.value(points),
        distances=distances,
        steps=steps,
        diverged=diverged,
        arrived=reached(ARRIVED),
        close=reached(CLOSE),
        leaves=None if inside[-1] and not diverged else int(np.flatnonzero(inside)[-1]),
        minimum=(float(nearest[0]), float(nearest[1])),
        theory=theory,
        bound=bound,
    )


def trajectories_info(
    surface: Surface, start: tuple[float, float], entries: Sequence[Entry], steps: int
) -> TrajectoriesInfo:
    """The trajectory of each entry from `start`.

    Args:
        surface: What is descended.
        start: x and y, in the window.
        entries: The rules that take part, in the order of the legend.
        steps: How many each takes.
    """
    return TrajectoriesInfo(
        surface, start, [_trajectory(surface, np.array(start), entry, steps) for entry in entries], steps
    )
