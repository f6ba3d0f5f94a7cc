"""Methods side by side, each at its own best configuration.

A method is a value of one param (the optimizer, the batch size, the schedule, ...); its trials are the configurations
in which it was tried. Results are errors or losses: less is better. The best trial is that with the smallest share of
diverged runs, then the smallest mean; a trial of one seed may be the luck of that seed, and stands for no method that
has trials of several. The best one was chosen by its own results, which are therefore too good on average: where the
sweep retrained it with fresh seeds, the method is judged by these alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import pandas as pd

from analysis.runs.comparison import shown
from analysis.runs.ranking import Group, ranking
from analysis.statistics.samples import Sample, ordering_means, samples
from analysis.statistics.standings import Standings, standings
from analysis.words import chained, listed, some
from tracking.configurations import identity, is_missing
from tracking.labels import NOT_SET, labels
from tracking.order import order_key, replicated
from tracking.schema import CONFIRM_PHASE, Outcome

MOST_NAMED: Final = 3
"""Trials that a sentence names."""
NO_RATE: Final = math.nan


@dataclass(frozen=True)
class TrialResult:
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
    trials: tuple[TrialResult, ...]
    """What the search tried, in its order."""
    confirmed: tuple[TrialResult, ...]
    """Trials retrained with fresh seeds."""
    best: TrialResult | None
    """That which the search chose; None before one has a result."""
    judged: TrialResult | None
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


def in_words(value: Any) -> str:
    """A value among others: a list as `32-32`."""
    return chained([*map(in_words, value)]) or "none" if isinstance(value, list | tuple) else shown(value)


def names_of(values: Iterable[Any], method: str) -> list[str]:
    """What the method of each run is called: `adam`, but `batch_size 32`, since a number alone says nothing.

    Long values are cut as in all labels, and a run without the param is `optimizer not set`.

    Args:
        values: Those of the runs.
        method: The param.
    """
    rows = [{"name": value} for value in values]
    words = all(isinstance(row["name"], str) or is_missing(row["name"]) for row in rows)
    short = _short(method)
    lead = "" if words else f"{short} "
    # The value of a name is its whole label.
    texts = labels({str(place): row for place, row in enumerate(rows)}, ["name"]).values()
    return [
        f"{short} {NOT_SET}" if is_missing(row["name"]) else f"{lead}{text}"
        for row, text in zip(rows, texts, strict=True)
    ]


def _short(method: str) -> str:
    """The param without its section: `optimizer` of `optimizer.name`, `batch_size` of `data.batch_size`."""
    section, _, last = method.rpartition(".")
    return section.rpartition(".")[2] if last == "name" and section else last


def best_first(trials: Iterable[TrialResult]) -> list[TrialResult]:
    """The trials that have a result, in the order of `tracking.order`.

    One of a single seed comes after those of several, so that it does not stand for their method.
    """
    done = [trial for trial in trials if trial.sample.n]
    several = _replicated(done)
    means = ordering_means([trial.sample for trial in done])

    def order(place: int) -> tuple[Any, ...]:
        sample = done[place].sample
        return order_key(len(sample.values), sample.n, means[place], several)

    return [done[place] for place in sorted(range(len(done)), key=order)]


def _replicated(trials: Iterable[TrialResult]) -> bool:
    return replicated((len(trial.sample.values), trial.sample.n) for trial in trials)


def maybe_lucky(trials: Sequence[TrialResult]) -> list[TrialResult]:
    """The trials of one seed, where others have several: what such a trial reached may be the luck of its seed."""
    return [trial for trial in trials if trial.sample.n == 1] if _replicated(trials) else []


def _trials(runs: pd.DataFrame, method: str, keys: Sequence[str], named: Sequence[str]) -> tuple[TrialResult, ...]:
    """The trials among some runs of one method, in the order in which they first appear."""
    if not len(runs):
        return ()
    by_group = {sample.name: sample for sample in samples(runs, "group")}
    rows = runs.drop_duplicates("group").set_index("group")[list(keys)].to_dict("index")
    configurations = {
        str(group): {str(key): value for key, value in row.items() if not is_missing(value)}
        for group, row in rows.items()
    }
    # What no trial of the method has says nothing of them.
    keys_in_labels = [
        key for key in named if key != method and any(key in params for params in configurations.values())
    ]
    titles = labels(configurations, keys_in_labels, empty="")
    return tuple(TrialResult(group, titles[group], params, by_group[group]) for group, params in configurations.items())


def _same(trial: TrialResult, others: Sequence[TrialResult]) -> TrialResult | None:
    """The trial of the same params among others."""
    return next((other for other in others if identity(other.params) == identity(trial.params)), None)


def _judged(best: TrialResult | None, confirmed: Sequence[TrialResult]) -> TrialResult | None:
    """What a method is judged by: the fresh seeds of what its search chose, which other winners cannot replace."""
    done = best_first(confirmed)
    if not done:
        return best
    own = _same(best, done) if best else None
    return own or done[0]


def methods_of(
    runs: pd.DataFrame, method: str, keys: Sequence[str], named: Sequence[str] | None = None
) -> list[Method]:
    """The methods among some runs: numbers ascending, words in the order in which they first appear.

    Args:
        runs: One row a run that counts: group, seed, phase, outcome, objective and a column a param.
        method: The param whose values are the methods.
        keys: The params that tell trials apart.
        named: Those of them that trials are called by; all if not given.

    Raises:
        ValueError: The runs have no such param.
    """
    if not len(runs):
        return []
    if method not in runs.columns:
        raise ValueError(f"method: {method!r} is not allowed; allowed: a param of the runs")
    values: dict[str, Any] = {}
    names = names_of(runs[method], method)
    keys = [key for key in dict.fromkeys(keys) if key in runs.columns]
    titled = keys if named is None else [key for key in named if key in keys]
    for name, value in zip(names, runs[method], strict=True):
        values.setdefault(name, value)
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values.values())
    ordered = sorted(values, key=lambda name: float(values[name])) if numeric else list(values)
    fresh = runs["phase"] == CONFIRM_PHASE if "phase" in runs else pd.Series(False, index=runs.index)
    found = []
    for name in ordered:
        own = pd.Series([each == name for each in names], index=runs.index)
        trials, confirmed = (_trials(runs[own & part], method, keys, titled) for part in (~fresh, fresh))
        best = next(iter(best_first(trials)), None)
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


def _single_words(methods: Sequence[Method]) -> str:
    """Which trials stand for no method, since they have one seed where others have several; nothing without any."""
    titles = [
        f"{method.name} with {trial.label}" if trial.label else method.name
        for method in methods
        for trial in maybe_lucky(method.trials)
    ]
    if not titles:
        return ""
    return f"Shown, but not chosen, since one seed may be luck: {some(titles, MOST_NAMED)}."


def selection_words(methods: Sequence[Method]) -> str:
    """How the configurations were chosen, in plain text; nothing where no method was tried more than once."""
    return " ".join(filter(None, (_choice_words(methods), _single_words(methods))))


def _choice_words(methods: Sequence[Method]) -> str:
    judged = [method for method in methods if method.judged]
    if not judged:
        return ""
    fresh = [method for method in judged if method.fresh]
    if len(fresh) == len(judged):
        return "Each method stands at the configuration that its search chose, judged by fresh seeds."
    if not any(len(method.trials) > 1 for method in judged):
        return ""
    if fresh:
        left = listed([method.name for method in judged if not method.fresh])
        return f"Not retrained with fresh seeds: {left}, whose results are too good on average."
    return (
        "Each method stands at its best configuration, chosen by the same runs that judge it: such results are too"
        " good on average, and retraining the winners with fresh seeds would tell."
    )
