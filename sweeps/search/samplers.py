"""The samplers that learn: the next trial from those before it, by Optuna's TPE and Gaussian process.

`propose` is a pure function of the sweep, the trial's number and what is known of the others. Optuna's study is built
afresh for it, in memory, with a sampler seeded by the sweep's seed and the number: so a sweep that was killed asks for
the trials that it would have asked for, from what the store holds. (Replaying the trials into one sampler with one seed
repeats its first suggestions.)
"""

from __future__ import annotations

import hashlib
import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sweeps.search.trials import canonical, shuffled
from sweeps.spec import NAMED, Axis, Spec, fixed_by
from tracking.schema import Outcome

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

ATTEMPTS: Final = 10
"""How often a configuration that has been tried is drawn again, before one is taken in random order."""


@dataclass(frozen=True)
class TrialRecord:
    """What is known of a trial."""

    number: int
    params: Mapping[str, Any]
    outcome: Outcome | None = None
    """ok, pruned, diverged (of any seed), crashed (no seed has a result); None while it is trained."""
    value: float | None = None
    """The mean of its seeds' objectives; of a pruned trial, the objective where it was judged."""
    epoch: int = 0
    """Where a pruned trial was judged."""


def propose(spec: Spec, number: int, records: Sequence[TrialRecord]) -> dict[str, Any]:
    """The searched keys of trial `number` and their values, none that were tried before if there are others.

    Args:
        spec: A sweep whose sampler learns.
        number: The number of the trial.
        records: All other trials, in any order.
    """
    trials = sorted(records, key=lambda trial: trial.number)
    tried = {canonical(dict(trial.params)) for trial in trials}
    for attempt in range(ATTEMPTS):
        params = _ask(spec, _seed(spec.seed, number, attempt), trials)
        if canonical(params) not in tried:
            return params
    return next((params for params in shuffled(spec) or () if canonical(params) not in tried), params)


def _seed(*parts: int) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4])


def _ask(spec: Spec, seed: int, records: Sequence[TrialRecord]) -> dict[str, Any]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a feature is experimental, or that a key was drawn independently
        sampler: optuna.samplers.BaseSampler
        if spec.sampler == "tpe":
            sampler = optuna.samplers.TPESampler(seed=seed)
        else:
            sampler = optuna.samplers.GPSampler(seed=seed)
        study = optuna.create_study(sampler=sampler, direction=spec.objective.direction)
        study.add_trials([_frozen(spec, record) for record in records])
        trial = study.ask()
        chosen = {key: _suggest(trial, spec, key) for key in spec.settings}
        coupled, names = spec.expanded(chosen), {}
        for section in NAMED:
            key, written = f"{section}.name", getattr(spec, section)["name"]
            names[section] = coupled.get(key) or _suggest(trial, spec, key, written)
        chosen |= fixed_by(names)
        return {key: chosen.get(key) or _suggest(trial, spec, key) for key in spec.axes(names)}


def _suggest(trial: optuna.Trial, spec: Spec, key: str, otherwise: Any = None) -> Any:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    axis = spec.search.get(key)
    if axis is None:
        return otherwise
    distribution = _distribution(axis)
    suggested: Any
    if isinstance(distribution, CategoricalDistribution):
        suggested = trial.suggest_categorical(key, distribution.choices)
    elif isinstance(distribution, IntDistribution):
        suggested = trial.suggest_int(key, distribution.low, distribution.high, log=distribution.log)
    else:
        suggested = trial.suggest_float(key, distribution.low, distribution.high, log=distribution.log)
    if axis.points is not None:
        return axis.points[int(suggested)]
    return axis.cast(suggested if axis.integer else float(f"{suggested:.12g}"))


def _distribution(axis: Axis) -> CategoricalDistribution | FloatDistribution | IntDistribution:
    """Listed values are suggested by their place, numbers in rising order as an order, anything else as categories."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    points = axis.points
    if points is not None:
        numbers = [point for point in points if isinstance(point, int | float) and not isinstance(point, bool)]
        if len(numbers) == len(points) > 1 and all(low < high for low, high in itertools.pairwise(numbers)):
            return IntDistribution(0, len(points) - 1)
        return CategoricalDistribution(range(len(points)))
    assert axis.low is not None and axis.high is not None
    if axis.integer:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _frozen(spec: Spec, record: TrialRecord) -> optuna.trial.FrozenTrial:
    """A trial as Optuna knows it."""
    from optuna.trial import TrialState, create_trial

    axes = {key: spec.search[key] for key in record.params if key in spec.search}
    states = {None: TrialState.RUNNING, Outcome.OK: TrialState.COMPLETE, Outcome.PRUNED: TrialState.PRUNED}
    state = states.get(record.outcome, TrialState.FAIL)
    judged = None
    if record.outcome is Outcome.PRUNED and record.value is not None:
        judged = {record.epoch: record.value}
    return create_trial(
        state=state,
        value=record.value if state is TrialState.COMPLETE else None,
        params={
            key: record.params[key] if axis.points is None else axis.points.index(record.params[key])
            for key, axis in axes.items()
        },
        distributions={key: _distribution(axis) for key, axis in axes.items()},
        intermediate_values=judged,
    )
