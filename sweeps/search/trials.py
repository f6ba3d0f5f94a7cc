"""From a sweep to its trials: all of them at once for the samplers that do not learn, and always the same ones.

The grid is the product of the searched keys in the order of the spec, the last one turning fastest; a key that does
not exist for a trial's model, data set, optimizer or schedule is left out of it, and configurations that are equal
without it are one trial. Random search draws each key independently, never the same configuration twice; the same seed
draws the same trials, and a longer search begins with the trials of a shorter one. It draws from `random.Random`,
whose sequence Python promises to keep. QMC does the same with the points of a scrambled Sobol sequence (scipy's), one
dimension per key.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from sweeps.spec import ADAPTIVE, MOST_SEEDS, NAMED, SEED_KINDS, Axis, Spec, configuration, fixed_by, repeats
from tracking import schema

LISTED: Final = 2 * 100_000
"""A search with at most so many configurations is listed and shuffled; in a larger one, repetitions are drawn again."""
SOBOL_PATIENCE: Final = 16
"""After so many points per configuration, a finite search takes what is left in random order."""
CONFIRM_SEEDS: Final = MOST_SEEDS
"""The first seed of confirm runs: no sweep has so many seeds that one of them could have chosen a winner."""


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


def settings_of(spec: Spec, params: Mapping[str, Any]) -> dict[str, str]:
    """By coupled key, the name of the trial's setting, which a run's params tell beside the configuration."""
    return {key: params[key] for key in spec.settings if key in params}


def count(spec: Spec) -> tuple[int, int]:
    """(trials, runs), without listing them; the runs of a pruned sweep are the most there can be."""
    trials = spec.trials or spec.size()
    assert trials is not None  # a checked spec has trials, or steps for a grid
    return trials, trials * spec.seeds + confirm_runs(spec, trials)


def count_text(spec: Spec) -> str:
    """`10 trials x 2 seeds + 8 to confirm = up to 28 runs`, `2 trials x 8 data sets x 4 initialisations = 64 runs`."""
    trials, runs = count(spec)
    confirms = confirm_runs(spec, trials)
    added = f" + {confirms:,} to confirm" if confirms else ""
    return f"{trials:,} trials x {repeats(spec)}{added} = {'up to ' * (spec.pruner != 'none')}{runs:,} runs"


def confirm_runs(spec: Spec, trials: int) -> int:
    """How many runs confirm the winners of a search of so many trials, if every value of `per` has enough trials."""
    if spec.confirm is None:
        return 0
    values = len(spec.search[spec.confirm.per].points or ()) if spec.confirm.per else 1
    return min(spec.confirm.top * values, trials) * spec.confirm.seeds


def seeds_for(spec: Spec, k: int) -> dict[str, int]:
    """The seeds of a trial's run number k (from 0): k for what the spec varies, 0 for what it keeps; with `replicate`
    runs k and k + datasets share their training set, and nothing else."""
    if spec.replicate:
        return {"data": k % spec.replicate.datasets, "init": k, "order": k}
    return {kind: k if kind in spec.vary else 0 for kind in SEED_KINDS}


def run_name(trial: Trial, seed: int) -> str:
    """The name of a run: `adam · lr 0.01 · seed 2`."""
    fields = [key.rpartition(".")[2] for key in trial.params]
    parts = []
    for (key, value), field in zip(trial.params.items(), fields, strict=True):
        text = f"{value:.4g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)
        if field == "name":
            parts.append(text)
        else:
            parts.append(f"{field if fields.count(field) == 1 else key} {text}")
    if not parts:
        parts.append(str(trial.configuration.get("model", {}).get("name", "run")))
    return " · ".join([*parts, f"seed {seed}"])


def trials_to_json(trials: list[Trial]) -> str:
    """The trials as the text of the artifact that a sweep is rebuilt from, one trial per line."""
    return "[\n" + ",\n".join(json.dumps(vars(trial), ensure_ascii=False) for trial in trials) + "\n]\n"


def trials_text(spec: Spec) -> str:
    """The text of the artifact that holds all trials of a sweep."""
    return trials_to_json(enumerate_trials(spec))


def trials_from_json(text: str) -> list[Trial]:
    """The trials that `trials_to_json` wrote."""
    return [Trial(**stored) for stored in json.loads(text)]


def trial_of(spec: Spec, number: int, params: dict[str, Any]) -> Trial:
    """The trial with these values of the searched keys."""
    complete = configuration(spec, params)
    return Trial(number, params, complete, group_of(complete))


def enumerate_trials(spec: Spec) -> list[Trial]:
    """All trials of a sweep, numbered from 0 in the order in which they are tried; none for a sampler that learns."""
    if spec.sampler in ADAPTIVE:
        return []
    searched = {"grid": _grid, "random": _random, "qmc": _sobol}[spec.sampler](spec)
    return [trial_of(spec, number, params) for number, params in enumerate(searched)]


def _grid(spec: Spec) -> Iterator[dict[str, Any]]:
    listed = [(places, params) for places, params, _ in _listed(spec)]
    return (params for _, params in sorted(listed, key=itemgetter(0)))


def _listed(spec: Spec) -> Iterator[tuple[tuple[int, ...], dict[str, Any], float]]:
    """(places, params, probability) of every configuration of a finite search.

    Places are those of its values on each axis, 0 where an axis does not exist for it: sorted by them, configurations
    stand where the whole product would first meet them.
    """
    axes = {key: _weighted(axis) for key, axis in spec.search.items()}
    for names in spec.combinations():
        keys = spec.axes(names)
        fixed = fixed_by(names)
        choices = [
            [
                (place, value, weight)
                for place, (value, weight) in enumerate(axes[key])
                if fixed.get(key, value) == value
            ]
            for key in keys
        ]
        for chosen in itertools.product(*choices):
            places = dict(zip(keys, (place for place, _, _ in chosen), strict=True))
            params = dict(zip(keys, (value for _, value, _ in chosen), strict=True))
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


def shuffled(spec: Spec) -> list[dict[str, Any]] | None:
    """Every configuration in the random order of the sweep's seed; None if there are more than LISTED."""
    size = spec.size()
    if size is None or size > LISTED:
        return None
    stream = random.Random(spec.seed)
    # Efraimidis and Spirakis (2006): sorted by an exponential draw over its probability, the order is that of drawing
    # without repetition, in one pass however unlikely the last ones are.
    keyed = [
        (-math.log(1 - stream.random()) / weight, params)
        for _, params, weight in sorted(_listed(spec), key=itemgetter(0))
    ]
    return [params for _, params in sorted(keyed, key=itemgetter(0))]


def _random(spec: Spec) -> list[dict[str, Any]]:
    assert spec.trials is not None
    listed = shuffled(spec)
    if listed is not None:
        return listed[: spec.trials]
    stream = random.Random(spec.seed)
    distinct: dict[str, dict[str, Any]] = {}
    while len(distinct) < spec.trials:
        params = existing(spec, {key: value_at(axis, stream.random()) for key, axis in spec.search.items()})
        distinct.setdefault(canonical(params), params)
    return list(distinct.values())


def _sobol(spec: Spec) -> list[dict[str, Any]]:
    assert spec.trials is not None
    distinct: dict[str, dict[str, Any]] = {}
    blocks = _sobol_blocks(len(spec.search), spec.seed) if spec.search else iter(())
    listed = shuffled(spec)
    for drawn, point in enumerate(itertools.chain.from_iterable(blocks)):
        if len(distinct) == spec.trials or (listed is not None and drawn >= SOBOL_PATIENCE * len(listed)):
            break
        shares = zip(spec.search.items(), point, strict=True)
        params = existing(spec, {key: value_at(axis, share) for (key, axis), share in shares})
        distinct.setdefault(canonical(params), params)
    for params in listed or ():
        distinct.setdefault(canonical(params), params)  # the few that the sequence would take long to meet
    return list(distinct.values())[: spec.trials]


def _sobol_blocks(dimensions: int, seed: int) -> Iterator[Any]:
    """The points (n, dimensions) of a scrambled Sobol sequence, always the same ones, in blocks of powers of two."""
    from scipy.stats import qmc  # takes a second to import, and few sweeps need it

    sequence = qmc.Sobol(dimensions, scramble=True, rng=seed)
    size = 1
    while sequence.num_generated < 2**sequence.bits:
        block = sequence.random(size)
        yield block
        size = sequence.num_generated


def existing(spec: Spec, drawn: Mapping[str, Any]) -> dict[str, Any]:
    """The drawn values of the keys that exist for the model, data set, optimizer and schedule among them."""
    values = spec.expanded(drawn)
    names = {section: values.get(f"{section}.name", getattr(spec, section)["name"]) for section in NAMED}
    return {key: drawn[key] for key in spec.axes(names)}


def value_at(axis: Axis, share: float) -> Any:
    """The value of an axis at a share of it, from 0 up to and without 1; equal shares of it are equally likely."""
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
