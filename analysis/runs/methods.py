"""Methods side by side, each at its own best configuration.

A method is a value of one param (the optimizer, the batch size, the schedule, ...); its trials are the configurations
in which it was tried. Results are errors or losses: less is better. The best trial has the smallest share of diverged
runs, then the smallest mean. The result of a trial of one seed may be the luck of that seed: it does not stand for a
method that has trials of several. The best trial was chosen by its own results, which are therefore too good on
average: where the sweep retrained it with fresh seeds, the method is judged by these alone.
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
"""How many trials a sentence names."""
NO_RATE: Final = math.nan
"""The value of a numeric param that a trial does not have."""


@dataclass(frozen=True)
class TrialResult:
    """A trial with its results: one configuration of a method, trained with one or more seeds."""

    group: str
    label: str
    """Its configuration in words, without its method."""
    params: Mapping[str, Any]
    """The params that tell the trials apart, the method among them."""
    sample: Sample
    """Its results by seed."""

    @property
    def has_result(self) -> bool:
        """Whether it has a result, and no seed of it diverged."""
        return bool(self.sample.values) and not self.sample.diverged

    @property
    def ended(self) -> bool:
        """Whether it came to a result, or the sweep's pruner ended it."""
        return self.sample.n > 0 or set(self.sample.unfinished) == {Outcome.PRUNED.value}

    def rate(self, key: str) -> float:
        """The trial's value of a numeric param; nan where it has none."""
        value = self.params.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else NO_RATE


@dataclass(frozen=True)
class Method:
    """One value of the compared param, with its trials."""

    name: str
    value: Any
    trials: tuple[TrialResult, ...]
    """The search's trials, in its order."""
    confirmed: tuple[TrialResult, ...]
    """Trials retrained with fresh seeds."""
    best: TrialResult | None
    """The trial that the search chose; None before one has a result."""
    judged: TrialResult | None
    """The trial that it is judged by: the best one's fresh seeds, or its search runs where it has none."""

    @property
    def fresh(self) -> bool:
        """Whether it is judged by seeds that did not choose it."""
        return self.judged is not None and self.judged in self.confirmed

    @cached_property
    def sample(self) -> Sample:
        """The results that it is judged by, under its name; empty before there is one."""
        return replace(self.judged.sample, name=self.name) if self.judged else Sample(self.name, {})

    @property
    def title(self) -> str:
        """`adam, lr 0.01`: its name and the configuration that it is judged by."""
        configuration = self.judged.label if self.judged else ""
        return f"{self.name}, {configuration}" if configuration else self.name


def in_words(value: Any) -> str:
    """A value as one word of a label: a list is `32-32`."""
    return chained([*map(in_words, value)]) or "none" if isinstance(value, list | tuple) else shown(value)


def names_of(values: Iterable[Any], method: str) -> list[str]:
    """The name of each run's method: `adam`, but `batch_size 32`, since a number alone says nothing.

    Long values are cut as in all labels, and a run without the param is `optimizer not set`.

    Args:
        values: The param's value in each run.
        method: The param.
    """
    rows = [{"name": value} for value in values]
    words = all(isinstance(row["name"], str) or is_missing(row["name"]) for row in rows)
    short = _short(method)
    lead = "" if words else f"{short} "
    # The label of a value under "name" is the value alone.
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

    A trial of one seed comes after those of several, so that it does not stand for their method.
    """
    with_result = [trial for trial in trials if trial.sample.n]
    several = _replicated(with_result)
    means = ordering_means([trial.sample for trial in with_result])

    def order(place: int) -> tuple[Any, ...]:
        sample = with_result[place].sample
        return order_key(len(sample.values), sample.n, means[place], several)

    return [with_result[place] for place in sorted(range(len(with_result)), key=order)]


def _replicated(trials: Iterable[TrialResult]) -> bool:
    return replicated((len(trial.sample.values), trial.sample.n) for trial in trials)


def maybe_lucky(trials: Sequence[TrialResult]) -> list[TrialResult]:
    """The trials of one seed, where others have several: the result of such a trial may be the luck of its seed."""
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
    # A param that no trial of the method has cannot tell them apart.
    keys_in_labels = [
        key for key in named if key != method and any(key in params for params in configurations.values())
    ]
    titles = labels(configurations, keys_in_labels, empty="")
    return tuple(TrialResult(group, titles[group], params, by_group[group]) for group, params in configurations.items())


def _same(trial: TrialResult, others: Sequence[TrialResult]) -> TrialResult | None:
    """The trial with the same params among others; None where there is none."""
    return next((other for other in others if identity(other.params) == identity(trial.params)), None)


def _judged(best: TrialResult | None, confirmed: Sequence[TrialResult]) -> TrialResult | None:
    """The trial that a method is judged by: the search's choice with its fresh seeds, no other winner."""
    with_result = best_first(confirmed)
    if not with_result:
        return best
    retrained = _same(best, with_result) if best else None
    return retrained or with_result[0]


def methods_of(
    runs: pd.DataFrame, method: str, keys: Sequence[str], named: Sequence[str] | None = None
) -> list[Method]:
    """The methods among some runs: numbers ascending, words in the order in which they first appear.

    Args:
        runs: One row per run that counts: group, seed, phase, outcome, objective and one column per param.
        method: The param whose values are the methods.
        keys: The params that tell trials apart.
        named: Those of `keys` that stand in the labels of trials; all if not given.

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
    methods = []
    for name in ordered:
        of_method = pd.Series([run_name == name for run_name in names], index=runs.index)
        trials, confirmed = (_trials(runs[of_method & part], method, keys, titled) for part in (~fresh, fresh))
        best = next(iter(best_first(trials)), None)
        methods.append(Method(name, values[name], trials, confirmed, best, _judged(best, confirmed)))
    return methods


def groups_of(methods: Sequence[Method], runs: pd.DataFrame) -> list[Group]:
    """The methods as groups of the ranking, best first, each at the trial that it is judged by and under its title.

    Args:
        methods: From `methods_of`.
        runs: The runs that the methods were made from.
    """
    by_group = {method.judged.group: method for method in methods if method.judged}
    judged = runs[runs["group"].isin(list(by_group))] if len(runs) else runs
    groups = ranking(judged.assign(counts=True), []) if len(judged) else []
    return [replace(group, label=by_group[group.group].title, method=by_group[group.group].name) for group in groups]


def judged_runs(methods: Sequence[Method], runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that the methods are judged by, with the column `method`."""
    by_group = {method.judged.group: method.name for method in methods if method.judged}
    judged = runs[runs["group"].isin(list(by_group))] if len(runs) else runs
    return judged.assign(method=[by_group[group] for group in judged["group"]] if len(judged) else [])


def verdict_of(methods: Sequence[Method], *, metric: str) -> Standings:
    """The methods ranked, each at its best configuration, with verdicts corrected for all pairs (Holm).

    Args:
        methods: From `methods_of`.
        metric: The metric that they are judged by.
    """
    return standings([method.sample for method in methods], metric=metric)


def _single_words(methods: Sequence[Method]) -> str:
    """Which trials were not chosen, since they have one seed where others have several; empty without any."""
    titles = [
        f"{method.name} with {trial.label}" if trial.label else method.name
        for method in methods
        for trial in maybe_lucky(method.trials)
    ]
    if not titles:
        return ""
    return f"Shown, but not chosen, since one seed may be luck: {some(titles, MOST_NAMED)}."


def selection_words(methods: Sequence[Method]) -> str:
    """How the configurations were chosen, in plain text; empty where no method was tried more than once."""
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
        rest = listed([method.name for method in judged if not method.fresh])
        return f"Not retrained with fresh seeds: {rest}, whose results are too good on average."
    return (
        "Each method stands at its best configuration, chosen by the same runs that judge it: such results are too"
        " good on average, and retraining the winners with fresh seeds would tell."
    )
