"""The results of one group as comparisons take them: finite results by seed, diverged seeds, runs without a result.

A group that has confirm runs is judged by these alone: it was chosen by its search runs, and a winner's search result
is too good on average. Runs that share a training set or a seed are one result, their mean: see
`analysis.statistics.independent`.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.statistics.independent import DATASETS, SEEDS, any_shared, means, repeat_words
from analysis.statistics.intervals import Interval, finite, interval
from analysis.statistics.rounding import all_same, level_ties, precision, resolution
from tracking.schema import CONFIRM_PHASE, SEARCH_PHASE, Outcome

TRAINING_SET: Final = "training set"
"""What groups are paired on if their runs share training sets."""
NO_RESULT: Final = "without a result"
"""How a run is called that ended well but has no value."""
MOST_NAMED: Final = 3
"""How many groups a sentence on repeated seeds names."""


@dataclass(frozen=True)
class Sample:
    """The results of one group, by seed."""

    name: str
    values: Mapping[Hashable, float]
    """The finite results by seed."""
    diverged: frozenset[Hashable] = frozenset()
    """The seeds whose runs diverged: they count, and rank last."""
    unfinished: Mapping[str, int] = field(default_factory=dict)
    """How many more runs there are without a result, by what became of them: running, crashed, ..."""
    paired_on: str | None = None
    """What the keys are ("seed"), if another group's results with the same keys are its partners."""
    phase: str = ""
    """The phase of the runs, if all have one; empty elsewhere."""
    precision: float | None = None
    """The precision of the runs' results (see `analysis.statistics.rounding`) where `values` are means of several runs;
    None where it is that of `values`."""
    repeats: Mapping[int, int] = field(default_factory=dict)
    """For each seed, how many runs its result is the mean of; empty where each seed has one run."""

    def __post_init__(self) -> None:
        finite(f"{self.name}, values", self.values.values())
        both = self.diverged & set(self.values)
        if both:
            raise ValueError(
                f"{self.name}: {next(iter(both))!r} is not allowed as finite and diverged; allowed: either"
            )

    @property
    def n(self) -> int:
        """How many results were judged, finite and diverged ones."""
        return len(self.values) + len(self.diverged)

    @property
    def units(self) -> str:
        """What has one result each: `seeds`, or `training sets` where several runs share one."""
        return DATASETS if self.paired_on == TRAINING_SET else SEEDS

    @property
    def share_diverged(self) -> float:
        """The share of the judged runs that diverged; nan before there is one."""
        return len(self.diverged) / self.n if self.n else math.nan

    @property
    def runs(self) -> str:
        """`2 of 3`: how many of the judged runs are finite."""
        return f"{len(self.values)} of {self.n}" if self.n else "–"

    @cached_property
    def interval(self) -> Interval:
        """The mean of the finite results, and its 95 % t-interval."""
        return interval(self.values.values())

    @property
    def keys(self) -> set[Hashable]:
        """The seeds that were judged."""
        return set(self.values) | self.diverged


def sample(
    name: str,
    values: Iterable[float] | Mapping[Any, float],
    *,
    diverged: int | Iterable[Hashable] = 0,
    paired_on: str | None = None,
) -> Sample:
    """A group from plain numbers.

    Args:
        name: The group's name in sentences: plain text.
        values: Finite results; a Series or mapping has them by seed, a sequence by position.
        diverged: How many more runs diverged, or their seeds.
        paired_on: What the keys or positions stand for ("seed"), if other groups share them.
    """
    if isinstance(values, pd.Series):
        if values.index.has_duplicates:
            twice = values.index[values.index.duplicated()].tolist()[0]
            raise ValueError(f"{name}: {twice!r} is there twice; allowed: one result a key")
        by_key: dict[Hashable, float] = values.to_dict()
    else:
        by_key = dict(values) if isinstance(values, Mapping) else dict(enumerate(values))
    lost: Iterable[Hashable]
    if isinstance(diverged, int):
        if diverged < 0:
            raise ValueError(f"diverged: {diverged} is not allowed; allowed: 0 or more, or the seeds")
        if diverged and paired_on is not None:
            raise ValueError(
                f"diverged: {diverged} is not allowed beside paired_on; allowed: which {paired_on}s diverged"
            )
        lost = [f"diverged {k}" for k in range(diverged)]
    else:
        lost = diverged
    return Sample(name, by_key, frozenset(lost), paired_on=paired_on)


def repeats_words(groups: Sequence[Sample]) -> str:
    """In which groups seeds are repeated, and how they count, in sentences; empty where none is."""
    repeated = [group for group in groups if group.repeats]
    if len(repeated) > MOST_NAMED:
        return f"In {len(repeated)} groups seeds come several times: the mean of each seed's runs counts once."
    sentences = [
        f"{f'In {group.name} ' if len(groups) > 1 else ''}{repeat_words(group.repeats)}." for group in repeated
    ]
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}" for sentence in sentences)


def shared_precision(*groups: Sample) -> float | None:
    """The precision that the results of all groups have; None where it is that of their values."""
    if all(group.precision is None for group in groups):
        return None
    return min(precision(group.values.values()) if group.precision is None else group.precision for group in groups)


def _resolution(groups: Sequence[Sample]) -> float:
    """The least difference between results of any of these groups that is more than rounding."""
    return resolution((value for group in groups for value in group.values.values()), shared_precision(*groups))


def ordering_means(groups: Sequence[Sample]) -> list[float]:
    """The mean of each group's finite results, equal where rounding alone tells them apart; nan without any."""
    return level_ties([group.interval.mean for group in groups], _resolution(groups))


def alike(groups: Sequence[Sample]) -> bool:
    """Whether all groups have results, and all of these are the same but for rounding."""
    values = [value for group in groups for value in group.values.values()]
    complete = all(group.values and not group.diverged for group in groups)
    return complete and all_same(values, _resolution(groups))


def outcomes_by(values: pd.Series[Any], outcomes: pd.Series[Any], logged: Iterable[bool]) -> pd.Series[Any]:
    """What became of each run, if it is judged by one metric.

    A run that ended ok has no result by a metric that it never logged, and has diverged if it logged no finite number.

    Args:
        values: The metric's value of each run, nan where there is none.
        outcomes: What became of each run as a whole.
        logged: Whether it logged the metric.
    """
    not_finite = ~np.isfinite(values.to_numpy(dtype=float)) & (outcomes == Outcome.OK).to_numpy(dtype=bool)
    has_logged = np.fromiter(logged, dtype=bool, count=len(values))
    return outcomes.mask(not_finite & ~has_logged, NO_RESULT).mask(not_finite & has_logged, Outcome.DIVERGED.value)


def _groupable(value: Any) -> Hashable:
    """A value of a column, which may be a list, in a form that can be grouped by."""
    if isinstance(value, float) and math.isnan(value):
        return None
    try:
        hash(value)
    except TypeError:
        return json.dumps(value, sort_keys=True, default=str)
    return value  # type: ignore[no-any-return]


def _is_known(seed: Any) -> bool:
    """Whether a run has this seed: -1 stands for none."""
    return not (pd.api.types.is_scalar(seed) and pd.isna(seed)) and seed != -1


def _whole_seeds(keys: Sequence[Any]) -> list[int]:
    """The seed of each key; empty where one has no seed that is a whole number."""
    seeds = [key[0] for key in keys]
    return [int(seed) for seed in seeds] if all(isinstance(seed, int | np.integer) for seed in seeds) else []


@dataclass
class _Outcomes:
    """What became of a group's runs."""

    judged: list[tuple[Hashable, float]] = field(default_factory=list)
    """The key (its seeds) and the result of each run that has one; inf where it diverged."""
    unfinished: Counter[str] = field(default_factory=Counter)
    """How many runs have no result, by what became of them."""
    waiting: set[Hashable] = field(default_factory=set)
    """The keys of these runs."""


def _outcomes_of(rows: pd.DataFrame, numbers: Sequence[float], keys: Sequence[Hashable]) -> _Outcomes:
    """Sort a group's runs by what became of them.

    Args:
        rows: One row per run, with its outcome if there is such a column.
        numbers: The result of each run; not finite where it has none or diverged.
        keys: What each run may be paired on.
    """
    outcomes = [str(outcome) for outcome in rows["outcome"]] if "outcome" in rows else [""] * len(rows)
    sorted_out = _Outcomes()
    for number, outcome, key in zip(numbers, outcomes, keys, strict=True):
        if outcome == Outcome.DIVERGED:
            sorted_out.judged.append((key, math.inf))
        elif outcome == Outcome.OK or (not outcome and not math.isnan(number)):
            # A run that ended ok with a result that is not finite has diverged, whatever its outcome says.
            sorted_out.judged.append((key, number if math.isfinite(number) else math.inf))
        else:
            sorted_out.unfinished[outcome or NO_RESULT] += 1
            sorted_out.waiting.add(key)
    return sorted_out


def _sample_of(name: str, rows: pd.DataFrame, value: str, paired_on: Sequence[str]) -> Sample:
    """The sample of one group's runs."""
    phases = set(rows["phase"]) if "phase" in rows else set()
    if CONFIRM_PHASE in phases:
        rows = rows[rows["phase"] == CONFIRM_PHASE]
        phases = {CONFIRM_PHASE}
    numbers = [float(x) for x in pd.to_numeric(rows[value], errors="coerce")]
    by_set = list(paired_on) == ["seed"] and "seed_data" in rows and any_shared(rows["seed_data"].tolist())
    on = ["seed_data"] if by_set else paired_on
    keys: list[Any] = list(zip(*(map(_groupable, rows[column]) for column in on), strict=True)) if on else []
    keys = keys or [(position,) for position in range(len(rows))]
    outcomes = _outcomes_of(rows, numbers, keys)
    judged = outcomes.judged
    if by_set:
        # The mean of some of a training set's runs would be no partner for that of all of them.
        of_sets = means(judged).items()
        judged = [(key, mean) for key, mean in of_sets if key not in outcomes.waiting or math.isinf(mean)]
    judged_keys: list[Any] = [key for key, _ in judged]
    seeds = _whole_seeds(judged_keys) if list(on) == ["seed"] else []
    repeated = any_shared(seeds)
    if repeated:
        judged = list(means(judged).items())
        judged_keys = [key for key, _ in judged]
    once_each = len(set(judged_keys)) == len(judged_keys)
    paired = bool(on) and once_each and all(_is_known(seed) for key in judged_keys for seed in key)
    results = {key if paired else position: result for position, (key, result) in enumerate(judged)}
    return Sample(
        name,
        {key: result for key, result in results.items() if math.isfinite(result)},
        frozenset(key for key, result in results.items() if not math.isfinite(result)),
        dict(outcomes.unfinished),
        paired_on=(TRAINING_SET if by_set else " and ".join(on)) if paired else None,
        phase=phases.pop() if len(phases) == 1 else "",
        precision=precision(numbers) if by_set or repeated else None,
        repeats=Counter(seeds) if repeated else {},
    )


def samples(
    runs: pd.DataFrame,
    by: str | Sequence[str] = "group",
    *,
    value: str = "objective",
    paired_on: str | Sequence[str] = "seed",
    names: Mapping[Any, str] | None = None,
) -> list[Sample]:
    """The groups of a frame of runs, in the order in which they first appear.

    Runs that do not count (`counts`) are left out. A group with confirm runs (`phase`) is judged by these alone: `by`
    must then be what search and confirm runs have in common, such as "trial" or the searched keys, not "group".
    Outcome "diverged", and an ok run whose result is not finite, count as diverged; other outcomes as unfinished.

    Args:
        runs: One row per run: `by`, `value`, and where they exist `paired_on`, outcome, counts and phase.
        by: The column or columns that tell groups apart.
        value: The column of results.
        paired_on: The columns that runs of different groups share. Where they are missing, unknown (-1) or name two
            runs of one group, the group is compared as independent; runs that repeat seeds are one result per seed.
        names: The groups' names, by their value of `by` (a tuple if there are several columns); else that value.
    """
    columns = [by] if isinstance(by, str) else list(by)
    missing = [column for column in [*columns, value] if column not in runs.columns]
    if missing:
        raise ValueError(f"runs: no column {missing[0]!r}; allowed: {', '.join(map(str, runs.columns))}")
    on = [column for column in ([paired_on] if isinstance(paired_on, str) else paired_on) if column in runs.columns]
    if len(on) < (1 if isinstance(paired_on, str) else len(paired_on)):
        on = []
    counting = runs[runs["counts"].astype(bool)] if "counts" in runs.columns else runs
    positions_by_key: dict[tuple[Hashable, ...], list[int]] = {}
    for position, key in enumerate(zip(*(map(_groupable, counting[column]) for column in columns), strict=True)):
        positions_by_key.setdefault(key, []).append(position)
    groups = []
    for key, positions in positions_by_key.items():
        by_value = key[0] if len(columns) == 1 else key
        name = (names or {}).get(by_value) or ", ".join("none" if part is None else str(part) for part in key)
        groups.append(_sample_of(name, counting.iloc[positions], value, on))
    return groups


def phase_words(phase: str) -> str:
    """`confirm runs`, for a sentence; empty for a group that has only search runs or no phase."""
    return f"{phase} runs" if phase and phase != SEARCH_PHASE else ""


def seed_name(key: Hashable) -> str:
    """`3`, or `3, 0` where runs are paired on two seeds: a key of a sample as the user knows it."""
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)
