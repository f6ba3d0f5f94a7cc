"""Finds the configurations of a sweep that differ in cost: its architectures, as points, and some that lie far apart.

Many configurations of a sweep cost the same: a learning rate changes no time. What does change it is a configuration's
*architecture*: model and data sections, the optimizer's name, device and precision.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sweeps.search import canonical, count, enumerate_trials, settings_of
from sweeps.spec import ADAPTIVE, Spec

MOST_BUILT: Final = 64
"""Architectures that are built and try a step; of more, those that lie far apart."""
MOST_TIMED: Final = 12
"""Architectures of those that are timed."""
MOST_LISTED: Final = 2000
"""Trials that are looked at one by one; a larger search is represented by as many random ones."""
_WHETHER: Final = frozenset({"input_noise", "shift"})
"""Fields of data whose value costs the same, whatever it is but 0."""
_FREE: Final = frozenset({"label_noise", "noise", "turns", "standardize", "initialization", "init_std"})
"""Fields of data and model that change what is learned, not how long it takes."""


@dataclass(frozen=True)
class CostPlan:
    """The work of a sweep, as far as it matters for its cost."""

    spec: Spec
    trials: int
    runs: int
    work: tuple[tuple[str, int], ...]
    """For each trial in the order in which they are tried, or of a random choice of them: (architecture, epochs)."""
    architectures: dict[str, dict[str, Any]]
    """By key: the configuration, without seeds, of the first trial that has it."""
    built: tuple[str, ...]
    """The architectures to build, each as far as can be from those before it, then one of each setting without one."""
    settings: Mapping[str, Mapping[str, Sequence[str]]]
    """By coupled key and setting: its architectures."""

    @property
    def timed(self) -> tuple[str, ...]:
        """The architectures to time."""
        return self.built[:MOST_TIMED]

    @cached_property
    def names(self) -> dict[str, str]:
        """By key: the words that tell an architecture from the others."""
        return _names(self.architectures)


def architecture(configuration: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The part of a configuration that a run's time depends on, as {section: {field: value}}.

    For a penalty, or a number below 1 in the model, it matters only whether it is 0: dropout costs the same at 0.1 and
    0.5. For `replicate` it matters into how many parts the training data are cut.
    """
    regularization, trainer = configuration.get("regularization", {}), configuration.get("trainer", {})
    model, data = (
        {name: value for name, value in configuration[section].items() if name not in _FREE}
        for section in ("model", "data")
    )
    replicate = configuration.get("replicate")
    return {
        "model": {
            name: value > 0 if isinstance(value, float) and 0 <= value < 1 else value for name, value in model.items()
        },
        "data": {name: bool(value) if name in _WHETHER else value for name, value in data.items()},
        "optimizer": {"name": configuration["optimizer"]["name"]},
        "regularization": {name: bool(regularization.get(name)) for name in ("l1", "l2")},
        "trainer": {
            "device": trainer.get("device"),
            "precision": trainer.get("precision"),
            "gradient_clip_val": bool(trainer.get("gradient_clip_val")),
        },
        **({"record": dict(record)} if (record := configuration.get("record")) else {}),
        **({"replicate": {"datasets": replicate["datasets"]}} if replicate else {}),
    }


def cost_plan(spec: Spec) -> CostPlan:
    """The architectures of a sweep, and how often each is trained for how many epochs."""
    trials, runs = count(spec)
    listed = spec
    if trials > MOST_LISTED or spec.sampler in ADAPTIVE:
        # A sampler that learns may choose any setting: enough trials are drawn to meet each.
        most = max(trials, min(MOST_BUILT, spec.size() or MOST_BUILT)) if spec.settings else trials
        listed = replace(spec, sampler="random", trials=min(most, MOST_LISTED))
    work: list[tuple[str, int]] = []
    architectures: dict[str, dict[str, Any]] = {}
    settings: dict[str, dict[str, list[str]]] = {}
    for trial in enumerate_trials(listed):
        key = canonical(architecture(trial.configuration))
        architectures.setdefault(key, trial.configuration)
        work.append((key, int(trial.configuration["trainer"]["max_epochs"])))
        for coupled, setting in settings_of(spec, trial.params).items():
            settings.setdefault(coupled, {}).setdefault(setting, []).append(key)
    keys = list(architectures)
    places = spread_out(features([architecture(configuration) for configuration in architectures.values()]), MOST_BUILT)
    built = dict.fromkeys(keys[place] for place in places)
    for by_setting in settings.values():
        built |= {group[0]: None for group in by_setting.values() if built.keys().isdisjoint(group)}
    return CostPlan(spec, trials, runs, tuple(work), architectures, tuple(built), settings)


def flat(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values of sections by dotted key."""
    return {f"{section}.{name}": value for section, fields in sections.items() for name, value in fields.items()}


def _names(architectures: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """By key: words that tell architectures apart: `optimizer adam`, or `mlp on digits` where there is only one."""
    leaves = {key: flat(architecture(configuration)) for key, configuration in architectures.items()}
    fields = dict.fromkeys(itertools.chain.from_iterable(leaves.values()))
    differing = [
        field for field in fields if len({_text(values[field]) for values in leaves.values() if field in values}) > 1
    ]
    names = {}
    for key, values in leaves.items():
        phrases = [words(field.partition(".")[2], values[field]) for field in differing if field in values]
        names[key] = " · ".join(phrases) or f"{values['model.name']} on {values['data.name']}"
    return names


def words(name: str, value: Any) -> str:
    """A field with its value: `hidden_sizes [64]`, `no l1`; the value alone of a field that is called name."""
    if isinstance(value, bool):
        return name if value else f"no {name}"
    return _text(value) if name == "name" else f"{name} {_text(value)}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def features(architectures: Sequence[Mapping[str, Mapping[str, Any]]]) -> NDArray[np.float64]:
    """Each architecture as a point (n, d).

    Numbers become one coordinate, lists their sum and length, both as logarithms scaled from 0 to 1; anything else
    becomes one coordinate for each of its values.
    """
    leaves = [flat(sections) for sections in architectures]
    columns: list[list[float]] = []
    for field in dict.fromkeys(itertools.chain.from_iterable(leaves)):
        values = [fields.get(field) for fields in leaves]
        if all(value is None or _is_number(value) for value in values):
            columns.append([float(value or 0) for value in values])
        elif all(value is None or (isinstance(value, list) and all(map(_is_number, value))) for value in values):
            columns += [[float(sum(value or ())) for value in values], [float(len(value or ())) for value in values]]
        else:
            spellings = [_text(value) for value in values]
            columns += [[float(text == choice) for text in spellings] for choice in dict.fromkeys(spellings)]
    table = np.log1p(np.abs(np.array(columns, dtype=np.float64))).T
    low, high = table.min(axis=0), table.max(axis=0)
    varied = high > low
    return np.asarray((table[:, varied] - low[varied]) / (high[varied] - low[varied]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def spread_out(points: NDArray[np.float64], most: int) -> list[int]:
    """At most so many of the points (n, d): the first, then each the farthest from those before it (Gonzalez 1985)."""
    chosen: list[int] = []
    nearest = np.full(len(points), np.inf)
    while len(chosen) < min(most, len(points)):
        place = int(nearest.argmax())
        chosen.append(place)
        nearest = np.minimum(nearest, np.linalg.norm(points - points[place], axis=1))
        nearest[chosen] = -1.0  # never again, though another point may lie in the same place
    return chosen
