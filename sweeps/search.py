"""From a sweep to its trials, all of them at once and always the same ones.

The grid is the product of the searched keys in the order of the spec, the last one turning fastest; a key that does
not exist for a trial's model, data set, optimizer or schedule is left out of it, and configurations that are equal
without it are one trial. Random search draws each key independently, never the same configuration twice; the same seed
draws the same trials, and more of them begin with the fewer. It draws from `random.Random`, whose sequence Python
promises to keep.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sweeps.axis import Axis
from sweeps.spec import NAMED, SEED_KINDS, Spec, configuration
from tracking import schema

LISTED: Final = 2 * 100_000
"""A search with at most so many configurations is listed and shuffled; in a larger one, repetitions are drawn again."""


@dataclass(frozen=True)
class Trial:
    """One configuration of a sweep."""

    number: int
    params: dict[str, Any]
    """The searched keys that exist for it, and their values."""
    configuration: dict[str, Any]
    """All that a run of it trains, but for the seeds."""
    group: str
    """Hash of configuration and phase: the same for equal runs of any sweep, whatever their seeds."""


def canonical(value: Any) -> str:
    """One spelling for equal values: sorted keys, floats by their shortest exact digits."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def group_of(configuration: Mapping[str, Any], phase: str = schema.SEARCH_PHASE) -> str:
    """The group of a configuration: 12 hexadecimal digits. Seeds in it do not count."""
    seedless = {key: value for key, value in configuration.items() if key != "seeds"}
    return hashlib.sha256(canonical([seedless, phase]).encode()).hexdigest()[:12]


def flatten(configuration: Mapping[str, Any]) -> dict[str, str]:
    """The configuration as params: dotted key -> text; what is no text is written as JSON."""
    flat: dict[str, str] = {}
    for key, value in configuration.items():
        if isinstance(value, Mapping):
            flat.update({f"{key}.{inner}": text for inner, text in flatten(value).items()})
        else:
            flat[key] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return flat


def count(spec: Spec) -> tuple[int, int]:
    """(trials, runs), without listing them."""
    trials = spec.trials if spec.sampler == "random" else spec.size()
    assert trials is not None  # a checked spec has trials for random and steps for a grid
    return trials, trials * spec.seeds


def seeds_for(spec: Spec, k: int) -> dict[str, int]:
    """The seeds of a trial's run number k (from 0): k for what the spec varies, 0 for what it keeps."""
    return {kind: k if kind in spec.vary else 0 for kind in SEED_KINDS}


def run_name(trial: Trial, seed: int) -> str:
    """What a run is called: `adam · lr 0.01 · seed 2`."""
    fields = [key.rpartition(".")[2] for key in trial.params]
    parts = []
    for (key, value), field in zip(trial.params.items(), fields, strict=True):
        said = f"{value:.4g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)
        if field == "name":
            parts.append(said)
        else:
            parts.append(f"{field if fields.count(field) == 1 else key} {said}")
    if not parts:
        parts.append(str(trial.configuration.get("model", {}).get("name", "run")))
    return " · ".join([*parts, f"seed {seed}"])


def trials_to_json(trials: list[Trial]) -> str:
    """The artifact that a sweep is rebuilt from, one trial a line."""
    return "[\n" + ",\n".join(json.dumps(vars(trial), ensure_ascii=False) for trial in trials) + "\n]\n"


def trials_from_json(text: str) -> list[Trial]:
    """The inverse of `trials_to_json`."""
    return [Trial(**stored) for stored in json.loads(text)]


def enumerate_trials(spec: Spec) -> list[Trial]:
    """All trials of a sweep, numbered from 0 in the order in which they are tried."""
    found = _grid(spec) if spec.sampler == "grid" else _random(spec)
    trials = []
    for number, params in enumerate(found):
        whole = configuration(spec, params)
        trials.append(Trial(number, params, whole, group_of(whole)))
    return trials


def _grid(spec: Spec) -> Iterator[dict[str, Any]]:
    listed = [(places, params) for places, params, _ in _listed(spec)]
    return (params for _, params in sorted(listed, key=lambda one: one[0]))


def _listed(spec: Spec) -> Iterator[tuple[tuple[int, ...], dict[str, Any], float]]:
    """(places, params, probability) of every configuration of a finite search.

    Places are those of its values on each axis, 0 where an axis does not exist for it: sorted by them, configurations
    stand where the whole product would first meet them.
    """
    axes = {key: _weighted(axis) for key, axis in spec.search.items()}
    for names in spec.combinations():
        own = spec.axes(names)
        fixed = {f"{section}.name": name for section, name in names.items()}
        choices = [
            [
                (place, value, weight)
                for place, (value, weight) in enumerate(axes[key])
                if fixed.get(key, value) == value
            ]
            for key in own
        ]
        for chosen in itertools.product(*choices):
            places = dict(zip(own, (place for place, _, _ in chosen), strict=True))
            params = dict(zip(own, (value for _, value, _ in chosen), strict=True))
            weight = math.prod(weight for _, _, weight in chosen)
            yield tuple(places.get(key, 0) for key in spec.search), params, weight


def _weighted(axis: Axis) -> list[tuple[Any, float]]:
    """(value, probability to draw it) for each value of a finite axis."""
    values = axis.points
    if values is None:
        assert axis.integer and axis.low is not None and axis.high is not None
        whole = range(int(axis.low), int(axis.high) + 1)
        if axis.log:
            span = math.log(axis.high + 0.5) - math.log(axis.low - 0.5)
            return [(axis.cast(n), (math.log(n + 0.5) - math.log(n - 0.5)) / span) for n in whole]
        values = [axis.cast(n) for n in whole]
    return [(value, 1 / len(values)) for value in values]


def _random(spec: Spec) -> list[dict[str, Any]]:
    assert spec.trials is not None
    stream = random.Random(spec.seed)
    size = spec.size()
    if size is not None and size <= LISTED:
        # Efraimidis and Spirakis (2006): sorted by an exponential draw over its probability, the order is that of
        # drawing without repetition, in one pass however unlikely the last ones are.
        keyed = [
            (-math.log(1 - stream.random()) / weight, params)
            for _, params, weight in sorted(_listed(spec), key=lambda one: one[0])
        ]
        return [params for _, params in sorted(keyed, key=lambda one: one[0])[: spec.trials]]
    found: dict[str, dict[str, Any]] = {}
    while len(found) < spec.trials:
        drawn = {key: _draw(axis, stream) for key, axis in spec.search.items()}
        names = {section: drawn.get(f"{section}.name", spec.names(section)[0]) for section in NAMED}
        params = {key: drawn[key] for key in spec.axes(names)}
        found.setdefault(canonical(params), params)
    return list(found.values())


def _draw(axis: Axis, stream: random.Random) -> Any:
    """One value, by exactly one number of the stream, so that axes do not shift each other."""
    share = stream.random()
    points = axis.points
    if points is not None:
        return points[int(share * len(points))]
    assert axis.low is not None and axis.high is not None
    margin = 0.5 if axis.integer else 0.0  # so that the whole numbers at both ends get their full share
    low, high = axis.low - margin, axis.high + margin
    if axis.log:
        value = math.exp(math.log(low) * (1 - share) + math.log(high) * share)
    else:
        value = low * (1 - share) + high * share
    value = round(value) if axis.integer else float(f"{value:.12g}")
    return axis.cast(min(max(value, axis.low), axis.high))
