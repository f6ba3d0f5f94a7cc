"""The protocol of a comparison of methods: what of it holds, what does not.

Methods are compared fairly if each had as many trials, over a search space that is stated, with seeds that they share;
if its best trial is no accident of the seeds that chose it (retrained with FRESH fresh ones); if the best lies inside
the range that was searched; if diverged runs count; and if the choice was made on validation data (Dodge et al. 2019,
Show your work; Choi et al. 2019, On empirical comparisons of optimizers, show how the search space decides the winner).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from analysis.optimizers.learning_rates import RatesInfo
from analysis.runs import metric_roles as roles
from analysis.runs.methods import Method, in_words
from analysis.statistics.samples import NO_RESULT, repeats_words
from analysis.words import counted, joined
from tracking.schema import Outcome

FRESH: Final = 10
"""Fresh seeds that a winner is retrained with."""
EDGES: Final = "The best lies inside the range"
SELECTION: Final = "Chosen on validation data"
MOST_VALUES: Final = 8
"""So many tried values are listed; of more, the range is said."""


@dataclass(frozen=True)
class Check:
    """One part of the protocol."""

    rule: str
    holds: bool | None
    """None where it cannot be known from the runs."""
    words: str
    """What was found: plain text."""


@dataclass(frozen=True)
class Budget:
    """What one method was given."""

    method: str
    trials: int
    """Trials that came to a result, or were pruned."""
    runs: int
    """Search runs that ended ok or diverged."""
    diverged: int
    confirmed: int
    """Confirm runs that ended ok or diverged, of all its configurations."""
    space: Mapping[str, str]
    """Searched key -> its values, in words."""


@dataclass(frozen=True)
class ProtocolInfo:
    """What is printed below the figures."""

    budgets: list[Budget]
    checks: list[Check]

    @property
    def broken(self) -> list[Check]:
        """The parts that do not hold."""
        return [check for check in self.checks if check.holds is False]

    @property
    def sentence(self) -> str:
        """How much of it holds: plain text."""
        decided = [check for check in self.checks if check.holds is not None]
        if not decided:
            return ""
        holding, total = len(decided) - len(self.broken), len(self.checks)
        if holding == total:
            return f"All {total} rules of the protocol hold."
        unknown = f", {total - len(decided)} cannot be told" if len(decided) < total else ""
        names = "; ".join(check.rule[:1].lower() + check.rule[1:] for check in self.broken)
        return f"{holding} of {total} rules of the protocol hold{unknown}.{f' Not so: {names}.' if names else ''}"

    def frame(self) -> pd.DataFrame:
        """One row per method: method, trials, runs, diverged, confirm runs, and one column per searched key."""
        rows = [
            {
                "method": budget.method,
                "trials": budget.trials,
                "runs": budget.runs,
                "diverged": budget.diverged,
                "confirm runs": budget.confirmed,
                **budget.space,
            }
            for budget in self.budgets
        ]
        return pd.DataFrame(rows)


def tried(values: Sequence[Any]) -> str:
    """The values of a key that were tried, in words: `0.001, 0.01, 0.1`, or `11 values, 0.0001 to 10`."""
    distinct = {in_words(value): value for value in values}
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in distinct.values())
    texts = sorted(distinct, key=lambda name: distinct[name]) if numeric else list(distinct)
    if len(texts) <= MOST_VALUES:
        return ", ".join(texts)
    if not numeric:
        return f"{len(texts)} values"
    return f"{len(texts)} values, {texts[0]} to {texts[-1]}"


def _space(method: Method, key: str, keys: Sequence[str], declared: Mapping[str, str]) -> dict[str, str]:
    spaces = {}
    for other in keys:
        values = [trial.params[other] for trial in method.trials if other in trial.params]
        if other != key and values:
            spaces[other] = declared.get(other) or tried(values)
    return spaces


def _confirmed(method: Method) -> int:
    return sum(trial.sample.n for trial in method.confirmed)


def _budget(method: Method, key: str, keys: Sequence[str], declared: Mapping[str, str]) -> Budget:
    ended = [trial for trial in method.trials if trial.ended]
    return Budget(
        method.name,
        len(ended),
        sum(trial.sample.n for trial in ended),
        sum(len(trial.sample.diverged) for trial in [*method.trials, *method.confirmed]),
        _confirmed(method),
        _space(method, key, keys, declared),
    )


def _equal(budgets: Sequence[Budget]) -> Check:
    rule = "Every method had as many trials"
    counts = {budget.method: budget.trials for budget in budgets}
    if len(set(counts.values())) == 1:
        count = next(iter(counts.values()))
        return Check(rule, True, f"{counted(count, 'trial')} each.")
    return Check(rule, False, f"{', '.join(f'{name} {count}' for name, count in counts.items())}.")


def _seeds(methods: Sequence[Method]) -> Check:
    rule = "The same seeds for all"
    sets = {
        frozenset(trial.sample.keys)
        for method in methods
        for trial in method.trials
        if trial.sample.n and trial.sample.paired_on
    }
    unpaired = any(not trial.sample.paired_on for method in methods for trial in method.trials if trial.sample.n)
    if unpaired:
        return Check(rule, None, "The runs do not say which seed they had: they are compared as independent.")
    sizes = sorted({len(keys) for keys in sets})
    repeats = repeats_words([trial.sample for method in methods for trial in method.trials])
    repeats = f" {repeats}" if repeats else ""
    if len(sets) <= 1:
        return Check(rule, True, f"{sizes[0] if sizes else 0} in each trial of the search.{repeats}")
    return Check(rule, False, f"{sizes[0]} to {sizes[-1]} in a trial, not the same in all.{repeats}")


def _edges(rates: RatesInfo | None) -> Check:
    rule = EDGES
    judged = [line for line in rates.lines if line.best is not None and len(set(line.rates)) > 2] if rates else []
    if rates is None or not judged:
        return Check(rule, None, "No learning rate was searched over three values or more.")
    edge = [f"{line.method} ({line.edge})" for line in judged if line.edge]
    if edge:
        return Check(rule, False, f"At the edge of {rates.key}: {joined(edge)}.")
    return Check(rule, True, f"Of {rates.key}, for each method.")


def _others(method: Method) -> str:
    """What of a method's confirm runs is not of the configuration that it is judged by."""
    retrained = [trial for trial in method.confirmed if trial.sample.n]
    if len(retrained) < 2:
        return ""
    return f" ({_confirmed(method)} with {counted(len(retrained) - 1, 'other retrained configuration')})"


def _fresh(methods: Sequence[Method]) -> Check:
    rule = f"Winners are retrained with at least {FRESH} fresh seeds"
    if all(len(method.trials) <= 1 and not method.confirmed for method in methods):
        return Check(rule, None, "No method had a choice of trials, so there is no winner to retrain.")
    counts: dict[str, int] = {}
    reused = []
    for method in methods:
        counts[method.name] = method.judged.sample.n if method.judged and method.fresh else 0
        old = {key for trial in method.trials for key in trial.sample.keys if trial.sample.paired_on}
        if method.judged and method.fresh and method.judged.sample.paired_on and old & method.judged.sample.keys:
            reused.append(method.name)
    others = {method.name: _others(method) for method in methods}
    words = f"{', '.join(f'{name} {count}{others[name]}' for name, count in counts.items())}."
    if len(set(counts.values())) == 1 and not any(others.values()):
        count = next(iter(counts.values()))
        words = (
            f"{count} fresh seeds each." if count else "None is retrained: a sweep with a confirm section does that."
        )
    if reused:
        return Check(rule, False, f"{words} Not fresh, since the search had them too: {joined(reused)}.")
    return Check(rule, min(counts.values(), default=0) >= FRESH, words)


def _counted(runs: pd.DataFrame) -> Check:
    rule = "Every run came to a result, diverged ones counted"
    outcomes = Counter(str(outcome) for outcome in runs["outcome"])
    diverged = outcomes.pop(Outcome.DIVERGED.value, 0)
    ok = outcomes.pop(Outcome.OK.value, 0)
    pruned = outcomes.pop(Outcome.PRUNED.value, 0)
    last = "ranks" if diverged == 1 else "rank"
    words = f"{diverged} of {ok + diverged} runs diverged and {last} last." if diverged else "No run diverged."
    words += f" {pruned} {'was' if pruned == 1 else 'were'} ended early by the pruner." if pruned else ""
    if outcomes:
        names = {NO_RESULT: "that logged none"}
        others = ", ".join(f"{count} {names.get(name, name)}" for name, count in sorted(outcomes.items()))
        return Check(rule, False, f"{words} Without a result: {others}.")
    return Check(rule, True, words)


def _selection(metric: str, part: str) -> Check:
    rule = SELECTION
    if part == roles.TEST:
        return Check(rule, False, f"{metric} is of the test data: what is chosen by them is no longer tested by them.")
    if part == roles.TRAIN:
        return Check(rule, False, f"{metric} is of the training data.")
    return Check(rule, True if part == roles.VALIDATION else None, f"By {metric}.")


def _so_far(check: Check) -> Check:
    """A rule that does not hold yet, while runs are to come."""
    if check.holds is not False or check.rule in (EDGES, SELECTION):
        return check
    return replace(check, holds=None, words=f"So far: {check.words}")


def protocol_info(
    methods: Sequence[Method],
    runs: pd.DataFrame,
    *,
    key: str,
    keys: Sequence[str],
    metric: str,
    part: str = roles.UNKNOWN,
    rates: RatesInfo | None = None,
    active: bool = False,
    declared: Mapping[str, Mapping[str, str]] | None = None,
) -> ProtocolInfo:
    """What of the protocol holds.

    Args:
        methods: From `analysis.runs.methods.methods_of`.
        runs: One row per run that counts: outcome, phase.
        key: The param whose values are the methods.
        keys: The params that tell trials apart.
        metric: What the methods are judged by.
        part: Of which data it is: a part of `analysis.runs.metric_roles`.
        rates: The methods against their learning rate.
        active: Whether more runs are to come: what they can still mend is not known.
        declared: Method -> searched key -> the space that the method's sweeps state for it, in words.
    """
    others = [other for other in keys if other != key]
    budgets = [_budget(method, key, others, (declared or {}).get(method.name, {})) for method in methods]
    checks: list[Check] = []
    if budgets:
        checks = [
            _equal(budgets),
            _seeds(methods),
            _edges(rates),
            _fresh(methods),
            _counted(runs),
            _selection(metric, part),
        ]
    return ProtocolInfo(budgets, [_so_far(check) for check in checks] if active else checks)
