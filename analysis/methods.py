"""Methods side by side, each at its own best configuration.

A method is a value of one param (the optimizer, the batch size, the schedule, ...); its trials are the configurations
in which it was tried. Results are errors or losses: less is better. The best trial is that with the smallest share of
diverged runs, then the smallest mean. It was chosen by its own results, which are therefore too good on average: where
the sweep retrained it with fresh seeds, the method is judged by these alone.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import pandas as pd

from analysis.comparison import shown
from analysis.ranking import Group, ranking
from analysis.ranking import label as label_of
from analysis.samples import Sample, samples
from analysis.standings import Standings, standings
from analysis.words import chained
from tracking.schema import CONFIRM_PHASE, Outcome

NOT_SET: Final = "not set"
"""What a method is called whose runs have no such param."""
NO_RATE: Final = math.nan


@dataclass(frozen=True)
class Trial:
    """One configuration of a method."""

    group: str
    label: str
    """What it is, beside its method."""
    params: Mapping[str, Any]
    """The params that tell the trials apart, the method among them."""
    sample: Sample
    """Its results by seed."""

    @property
    def told(self) -> bool:
        """Whether it has a result, and no seed of it diverged."""
        return bool(self.sample.values) and not self.sample.diverged

    @property
    def ended(self) -> bool:
        """Whether it came to a result, or the sweep's pruner ended it."""
        return self.sample.n > 0 or set(self.sample.unfinished) == {Outcome.PRUNED.value}

    def rate(self, key: str) -> float:
        """Its value of a numeric param; nan where it has none."""
        value = self.params.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else NO_RATE


@dataclass(frozen=True)
class Method:
    """One value of the compared param."""

    name: str
    value: Any
    trials: tuple[Trial, ...]
    """What the search tried, in its order."""
    confirmed: tuple[Trial, ...]
    """Trials retrained with fresh seeds."""
    best: Trial | None
    """That which the search chose; None before one has a result."""
    judged: Trial | None
    """What it is judged by: the best trial's fresh seeds, or its search runs where it has none."""

    @property
    def fresh(self) -> bool:
        """Whether it is judged by seeds that did not choose it."""
        return self.judged is not None and self.judged in self.confirmed

    @cached_property
    def sample(self) -> Sample:
        """What it is judged by, under its name; without a result an empty one."""
        return replace(self.judged.sample, name=self.name) if self.judged else Sample(self.name, {})

    @property
    def title(self) -> str:
        """`adam, lr 0.01`: its name and the configuration that it is judged by."""
        own = self.judged.label if self.judged else ""
        return f"{self.name}, {own}" if own else self.name


def _hashable(value: Any) -> Hashable:
    return shown(value) if not isinstance(value, Hashable) or isinstance(value, float) else value


def in_words(value: Any) -> str:
    """A value among others: a list as `32-32`."""
    return chained([*map(in_words, value)]) or "none" if isinstance(value, list | tuple) else shown(value)


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def names_of(values: Iterable[Any], method: str) -> list[str]:
    """What the method of each run is called: `adam`, but `batch_size 32`, since a number alone says nothing.

    Args:
        values: Those of the runs.
        method: The param.
    """
    listed = list(values)
    words = all(isinstance(value, str) or _missing(value) for value in listed)
    lead = "" if words else f"{method.rpartition('.')[2]} "
    return [f"{lead}{NOT_SET if _missing(value) else in_words(value)}" for value in listed]


def seed_name(key: Hashable) -> str:
    """A key of a sample's results as a reader knows it: the seed."""
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def order(trial: Trial) -> tuple[bool, float, float]:
    """By this trials are sorted, best first: share of diverged runs, then the mean; those without a result last."""
    own = trial.sample
    if not own.n:
        return (True, 0.0, 0.0)
    return (False, own.share_diverged, math.inf if math.isnan(own.interval.mean) else own.interval.mean)


def _trials(runs: pd.DataFrame, method: str, keys: Sequence[str]) -> tuple[Trial, ...]:
    """The trials of some runs of one method, in the order in which they first appear."""
    if not len(runs):
        return ()
    by_group = {sample.name: sample for sample in samples(runs, "group")}
    first = runs.drop_duplicates("group")
    found = []
    for row in first.to_dict("records"):
        params = {key: row[key] for key in keys if key in row and not _missing(row[key])}
        others = {key: value for key, value in params.items() if key != method}
        found.append(Trial(str(row["group"]), label_of(others) if others else "", params, by_group[str(row["group"])]))
    return tuple(found)


def _same(trial: Trial, others: Sequence[Trial]) -> Trial | None:
    """The trial of the same params among others."""
    own = {key: _hashable(value) for key, value in trial.params.items()}
    return next((each for each in others if {k: _hashable(v) for k, v in each.params.items()} == own), None)


def _judged(best: Trial | None, confirmed: Sequence[Trial]) -> Trial | None:
    """What a method is judged by: the fresh seeds of what its search chose, which other winners cannot replace."""
    done = [trial for trial in confirmed if trial.sample.n]
    if not done:
        return best
    own = _same(best, done) if best else None
    return own or min(done, key=order)


def methods_of(runs: pd.DataFrame, method: str, keys: Sequence[str]) -> list[Method]:
    """The methods among some runs: numbers ascending, words in the order in which they first appear.

    Args:
        runs: One row a run that counts: group, seed, phase, outcome, objective and a column a param.
        method: The param whose values are the methods.
        keys: The params that tell trials apart.

    Raises:
        ValueError: The runs have no such param.
    """
    if not len(runs):
        return []
    if method not in runs.columns:
        raise ValueError(f"method: {method!r} is not allowed; allowed: a param of the runs")
    values: dict[str, Any] = {}
    names = names_of(runs[method], method)
    for name, value in zip(names, runs[method], strict=True):
        values.setdefault(name, value)
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values.values())
    ordered = sorted(values, key=lambda name: float(values[name])) if numeric else list(values)
    fresh = runs["phase"] == CONFIRM_PHASE if "phase" in runs else pd.Series(False, index=runs.index)
    found = []
    for name in ordered:
        own = pd.Series([each == name for each in names], index=runs.index)
        trials, confirmed = (_trials(runs[own & part], method, keys) for part in (~fresh, fresh))
        done = [trial for trial in trials if trial.sample.n]
        best = min(done, key=order) if done else None
        found.append(Method(name, values[name], trials, confirmed, best, _judged(best, confirmed)))
    return found


def groups_of(methods: Sequence[Method], runs: pd.DataFrame) -> list[Group]:
    """What each method is judged by as a group of the ranking, best first, called by the method and its configuration.

    Args:
        methods: From `methods_of`.
        runs: The same runs.
    """
    by_group = {method.judged.group: method for method in methods if method.judged}
    own = runs[runs["group"].isin(list(by_group))] if len(runs) else runs
    made = ranking(own.assign(counts=True), []) if len(own) else []
    return [
        replace(group, label=by_group[group.group].title, method=by_group[group.group].name)
        for group in made
    ]  # fmt: skip


def judged_runs(methods: Sequence[Method], runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that the methods are judged by, with the column `method`."""
    by_group = {method.judged.group: method.name for method in methods if method.judged}
    own = runs[runs["group"].isin(list(by_group))] if len(runs) else runs
    return own.assign(method=[by_group[group] for group in own["group"]] if len(own) else [])


def verdict_of(methods: Sequence[Method], *, metric: str) -> Standings:
    """The methods ranked, each at its best configuration, with verdicts corrected for all pairs (Holm).

    Args:
        methods: From `methods_of`.
        metric: What they are judged by.
    """
    return standings([method.sample for method in methods], metric=metric)


def selection_words(methods: Sequence[Method]) -> str:
    """How the configurations were chosen, in one sentence; nothing where no method was tried more than once."""
    judged = [method for method in methods if method.judged]
    if not judged:
        return ""
    fresh = [method for method in judged if method.fresh]
    if len(fresh) == len(judged):
        return "Each method stands at the configuration that its search chose, judged by fresh seeds."
    if not any(len(method.trials) > 1 for method in judged):
        return ""
    if fresh:
        left = ", ".join(method.name for method in judged if not method.fresh)
        return f"Not retrained with fresh seeds: {left}, whose results are too good on average."
    return (
        "Each method stands at its best configuration, chosen by the same runs that judge it: such results are too"
        " good on average, and retraining the winners with fresh seeds would tell."
    )
