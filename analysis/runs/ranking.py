"""Which group is best: from runs to groups in their order.

A group's runs differ in the seed alone. Groups rank by their share of diverged runs, then by the mean objective of the
finite ones, groups of one seed behind those of several (`tracking.order`). Nothing is dropped: diverged runs are
counted ("2 of 3"), runs that crashed, were stopped or still run are named.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from analysis.statistics import Interval, interval, plus_minus
from analysis.statistics.independent import independent
from analysis.statistics.rounding import all_same, level_ties, resolution
from analysis.statistics.standings import Standings, same_words
from tracking.labels import labels
from tracking.order import order_key, replicated
from tracking.schema import Outcome

RUNNING = "running"
"""The outcome of a run that has not ended yet."""


@dataclass(frozen=True)
class Group:
    """One configuration with all its seeds.

    `interval` is over the finite runs, with runs that share a training set as one value; `judged` counts the runs that
    ended ok or diverged; `others` counts the rest by what became of them.
    """

    group: str
    trial: int
    label: str
    params: Mapping[str, Any]
    method: str
    rank: int | None
    interval: Interval
    judged: int
    diverged: int
    others: Mapping[str, int]
    single: bool = False
    """Whether it has one result where another group has several."""

    @property
    def share_diverged(self) -> float:
        """The share of the judged runs that diverged; nan before there is one."""
        return self.diverged / self.judged if self.judged else math.nan

    @property
    def seeds(self) -> str:
        """`2 of 3`: how many of the judged runs are finite."""
        return f"{self.judged - self.diverged} of {self.judged}" if self.judged else "–"

    @property
    def remarks(self) -> str:
        """What became of its other runs, in words."""
        if self.pruned:
            return "pruned"
        words = ["one seed"] if self.single else []
        words += [f"{self.diverged} diverged"] if self.diverged else []
        return ", ".join(words + [f"{count} {name}" for name, count in sorted(self.others.items())])

    @property
    def pruned(self) -> bool:
        """Whether it has no result because the pruner ended it; its other seeds are then not trained."""
        return not self.judged and set(self.others) == {Outcome.PRUNED.value}


def _method(params: Mapping[str, Any], trial: int) -> str:
    """The method that gives a group its colour: its first searched word; without one, its trial."""
    for value in params.values():
        if isinstance(value, str):
            return value
    return f"trial {trial}"


def _independent(ended: Sequence[Mapping[Any, Any]]) -> list[float]:
    """The independent results of runs that ended ok."""
    sets, seeds = ([int(row.get(key, -1)) for row in ended] for key in ("seed_data", "seed"))
    return independent([float(row["objective"]) for row in ended], sets, seeds)


def _members(runs: pd.DataFrame, searched: Sequence[str]) -> dict[str, list[dict[Any, Any]]]:
    """The rows of each group's runs that count."""
    members: dict[str, list[dict[Any, Any]]] = {}
    if len(runs):
        optional = [key for key in ("seed", "seed_data", *searched) if key in runs]
        columns = dict.fromkeys(["group", "trial", "outcome", "objective", *optional])
        for row in runs.loc[runs["counts"].astype(bool), list(columns)].to_dict("records"):
            members.setdefault(str(row["group"]), []).append(row)
    return members


def _group(name: str, rows: Sequence[Mapping[Any, Any]], label: str, params: Mapping[str, Any]) -> Group:
    """The group of these runs, without a rank."""
    outcomes = Counter(str(row["outcome"]) for row in rows)
    ended = [row for row in rows if row["outcome"] == Outcome.OK]
    finite = sum(math.isfinite(float(row["objective"])) for row in ended)
    # An objective that is not finite has diverged, whatever its outcome says.
    diverged = outcomes.pop(str(Outcome.DIVERGED), 0) + len(ended) - finite
    outcomes.pop(str(Outcome.OK), None)
    trial = int(rows[0]["trial"])
    return Group(
        group=name,
        trial=trial,
        label=label,
        params=params,
        method=_method(params, trial),
        rank=None,
        interval=interval(_independent(ended)),
        judged=finite + diverged,
        diverged=diverged,
        others=dict(outcomes),
    )


def ranking(runs: pd.DataFrame, searched: Sequence[str], direction: str = "minimize") -> list[Group]:
    """The groups, best first; then those that wholly diverged, then those without a result, then the pruned ones.

    Args:
        runs: One row per run: group, trial, outcome, counts, objective and one column per searched key.
        searched: The dotted keys that tell the groups apart, in the order in which they are named.
        direction: "minimize" or "maximize".
    """
    sign = -1.0 if direction == "maximize" else 1.0
    members = _members(runs, searched)
    keys = [key for key in searched if key in runs]
    configurations = {name: {key: rows[0][key] for key in keys} for name, rows in members.items()}
    names = labels(configurations, keys)
    groups = [_group(name, rows, names[name], configurations[name]) for name, rows in members.items()]
    results = [float(row["objective"]) for rows in members.values() for row in rows if row["outcome"] == Outcome.OK]

    several = replicated((group.judged - group.diverged, group.judged) for group in groups)
    means = level_ties([group.interval.mean for group in groups], resolution(results))

    def order(place: int) -> tuple[Any, ...]:
        group = groups[place]
        key = order_key(group.judged - group.diverged, group.judged, sign * means[place], several)
        return (*key, group.pruned, group.trial)

    ordered = [groups[place] for place in sorted(range(len(groups)), key=order)]
    return [
        replace(group, rank=rank if group.judged else None, single=several and group.judged == 1)
        for rank, group in enumerate(ordered, start=1)
    ]


def sweep_ranking(runs: pd.DataFrame, searched: Sequence[str], direction: str = "minimize") -> list[Group]:
    """The groups of one sweep, best first; those of one label, such as a configuration drawn twice, name their trial.

    Args:
        runs: The runs, as `ranking` takes them.
        searched: The dotted keys that tell the groups apart.
        direction: "minimize" or "maximize".
    """
    groups = ranking(runs, searched, direction)
    labels = Counter(group.label for group in groups)
    return [
        replace(group, label=f"{group.label}, trial {group.trial}") if labels[group.label] > 1 else group
        for group in groups
    ]


def alike(groups: Sequence[Group]) -> bool:
    """Whether there are several groups, and all their results are the same but for rounding."""
    finite = all(group.interval.n and not group.diverged for group in groups)
    means = [group.interval.mean for group in groups]
    spread = any(group.interval.half > 0 for group in groups)  # nan of a single seed is not above 0
    return finite and not spread and all_same(means)


def answer(groups: Sequence[Group], metric: str, *, over: bool) -> str:
    """Which group leads so far, in one sentence of plain text; whether the difference is real `standings` says.

    Args:
        groups: The groups in their order, from `ranking`.
        metric: The objective's metric.
        over: Whether no more runs will come.
    """
    judged = [group for group in groups if group.judged]
    if not judged:
        return "No run came to a result." if over else "No result yet."
    best = judged[0]
    if not best.interval.n:
        return f"All {sum(group.judged for group in judged)} runs diverged{'' if over else ' so far'}."
    shown = f"{metric} {plus_minus(best.interval)}"
    basis = f" ({best.interval.kind})" if best.interval.shown else f" (n={best.interval.n})"
    if len(judged) == 1:
        return f"{best.label}: {shown}{basis}."
    if alike(judged):
        return same_words(metric, best.interval.mean, f"{len(judged)} configurations")
    though = f", though {best.diverged} of its {best.judged} runs diverged" if best.diverged else ""
    so_far = "" if over else " so far"
    return f"{best.label} leads {len(judged)} configurations{so_far} with {shown}{basis}{though}."


def places(groups: Sequence[Group], standings: Standings | None) -> list[str]:
    """The place of each group as a table shows it: `1–3` where verdicts do not tell the first three apart.

    Args:
        groups: The groups, with labels that differ, by which the verdicts name them.
        standings: The verdicts on them. Without any, each place is the group's rank. Where only some groups were
            tested, the others have no place, since a mere rank beside places that verdicts carry would say too much.
    """
    if standings is None:
        return ["–" if group.rank is None else f"{group.rank}" for group in groups]
    by_name = {row.name: row.place for row in standings.rows}
    return [by_name.get(group.label, "–") for group in groups]
