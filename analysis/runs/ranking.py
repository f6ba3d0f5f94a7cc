"""Which group is best: runs in, groups in their order out.

A group's runs differ in the seed alone. Groups rank by their share of diverged runs, then by the mean objective of the
finite ones, those of one seed behind those of several (`tracking.order`). Nothing is dropped: what diverged is counted
("2 of 3"), what crashed, was stopped or still runs is named.
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
"""What a run is called whose outcome is not known yet."""


@dataclass(frozen=True)
class Group:
    """One configuration with all its seeds.

    `interval` is over the finite runs, those on one training set as one; `judged` counts those that ended ok or
    diverged; `others` names the rest.
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
        """Of the runs that were judged; nan before there is one."""
        return self.diverged / self.judged if self.judged else math.nan

    @property
    def seeds(self) -> str:
        """`2 of 3`: how many of the judged runs are finite."""
        return f"{self.judged - self.diverged} of {self.judged}" if self.judged else "–"

    @property
    def remarks(self) -> str:
        """What else became of its runs, in words."""
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
    """What colours a group: its first searched word; without one, itself."""
    for value in params.values():
        if isinstance(value, str):
            return value
    return f"trial {trial}"


def _independent(ended: Sequence[Mapping[Any, Any]]) -> list[float]:
    """The independent results of runs that ended ok."""
    sets, seeds = ([int(row.get(key, -1)) for row in ended] for key in ("seed_data", "seed"))
    return independent([float(row["objective"]) for row in ended], sets, seeds)


def ranking(runs: pd.DataFrame, searched: Sequence[str], direction: str = "minimize") -> list[Group]:
    """The groups, best first; then what diverged wholly, then what has no result yet, then what was pruned.

    Args:
        runs: One row a run: group, trial, outcome, counts, objective and one column a searched key.
        searched: The dotted keys that tell the groups apart, in the order in which they are named.
        direction: "minimize" or "maximize".
    """
    sign = -1.0 if direction == "maximize" else 1.0
    members: dict[str, list[dict[Any, Any]]] = {}
    if len(runs):
        optional = [key for key in ("seed", "seed_data", *searched) if key in runs]
        wanted = dict.fromkeys(["group", "trial", "outcome", "objective", *optional])
        for row in runs.loc[runs["counts"].astype(bool), list(wanted)].to_dict("records"):
            members.setdefault(str(row["group"]), []).append(row)
    keys = [key for key in searched if key in runs]
    configurations = {name: {key: rows[0][key] for key in keys} for name, rows in members.items()}
    named = labels(configurations, keys)
    groups: list[Group] = []
    results: list[float] = []
    for name, rows in members.items():
        outcomes = Counter(str(row["outcome"]) for row in rows)
        ended = [row for row in rows if row["outcome"] == Outcome.OK]
        ok = [float(row["objective"]) for row in ended]
        finite = [value for value in ok if math.isfinite(value)]
        results += finite
        # An objective that is not finite has diverged, whatever its outcome says.
        diverged = outcomes.pop(str(Outcome.DIVERGED), 0) + len(ok) - len(finite)
        outcomes.pop(str(Outcome.OK), None)
        params, trial = configurations[name], int(rows[0]["trial"])
        groups.append(
            Group(
                group=name,
                trial=trial,
                label=named[name],
                params=params,
                method=_method(params, trial),
                rank=None,
                interval=interval(_independent(ended)),
                judged=len(finite) + diverged,
                diverged=diverged,
                others=dict(outcomes),
            )
        )

    several = replicated((group.judged - group.diverged, group.judged) for group in groups)
    means = level_ties([group.interval.mean for group in groups], resolution(results))

    def order(place: int) -> tuple[Any, ...]:
        group = groups[place]
        key = order_key(group.judged - group.diverged, group.judged, sign * means[place], several)
        return (*key, group.pruned, group.trial)

    return [
        replace(
            groups[place], rank=rank if groups[place].judged else None, single=several and groups[place].judged == 1
        )
        for rank, place in enumerate(sorted(range(len(groups)), key=order), start=1)
    ]


def sweep_ranking(runs: pd.DataFrame, searched: Sequence[str], direction: str = "minimize") -> list[Group]:
    """The groups of one sweep, best first; those of one label, such as a configuration drawn twice, name their trial.

    Args:
        runs: As for `ranking`.
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
    """Who leads so far, in one sentence of plain text; whether it is a difference `standings` says.

    Args:
        groups: In their order, from `ranking`.
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
    some = f", though {best.diverged} of its {best.judged} runs diverged" if best.diverged else ""
    so_far = "" if over else " so far"
    return f"{best.label} leads {len(judged)} configurations{so_far} with {shown}{basis}{some}."


def places(groups: Sequence[Group], found: Standings | None) -> list[str]:
    """The place of each group as a table shows it: `1–3` where verdicts do not tell the first three apart.

    Args:
        groups: With labels that differ, by which the verdicts name them.
        found: The verdicts on them. Without any, the rank of each; where some were tested, the others have no place,
            since beside places that verdicts carry a mere rank would say too much.
    """
    if found is None:
        return ["–" if group.rank is None else f"{group.rank}" for group in groups]
    known = {row.name: row.place for row in found.rows}
    return [known.get(group.label, "–") for group in groups]
