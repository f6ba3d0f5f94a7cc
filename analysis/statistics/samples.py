"""The results of one group, as a comparison takes them: what is finite by its seed, what diverged, what has no result.

Where a group has confirm runs it is judged by these alone: its search runs are what it was chosen by, and a winner's
search result is too good on average. Runs that share a training set or a seed are one result, their mean: see
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

from analysis.statistics.exact import all_same, level_ties, precision, resolution
from analysis.statistics.independent import DATASETS, SEEDS, means, repeat_words, share
from analysis.statistics.intervals import Interval, finite, interval
from tracking.schema import CONFIRM_PHASE, SEARCH_PHASE, Outcome

TRAINING_SET: Final = "training set"
"""What groups are paired on whose runs share training sets."""
NO_RESULT: Final = "without a result"
"""What a run is called that ended well but has no value."""
MOST_NAMED: Final = 3
"""Groups that a sentence on repeated seeds names."""


@dataclass(frozen=True)
class Sample:
    """The results of one group."""

    name: str
    values: Mapping[Hashable, float]
    """Seed -> finite result."""
    diverged: frozenset[Hashable] = frozenset()
    """The seeds whose runs diverged: they count, and rank last."""
    unfinished: Mapping[str, int] = field(default_factory=dict)
    """How many more runs there are without a result, by what became of them: running, crashed, ..."""
    paired_on: str | None = None
    """What the keys are ("seed"), if another group's results with the same keys are its partners."""
    phase: str = ""
    precision: float | None = None
    """The precision of the runs' results (see `analysis.statistics.exact`) where `values` are means of several runs;
    None where `values` tell it themselves."""
    repeats: Mapping[int, int] = field(default_factory=dict)
    """Seed -> how many runs its result is the mean of; nothing where each has one."""

    def __post_init__(self) -> None:
        finite(f"{self.name}, values", self.values.values())
        both = self.diverged & set(self.values)
        if both:
            raise ValueError(
                f"{self.name}: {next(iter(both))!r} is not allowed as finite and diverged; allowed: either"
            )

    @property
    def n(self) -> int:
        """Runs that were judged: finite or diverged."""
        return len(self.values) + len(self.diverged)

    @property
    def units(self) -> str:
        """What the results are of: `seeds`, or `training sets` where several runs share one."""
        return DATASETS if self.paired_on == TRAINING_SET else SEEDS

    @property
    def share_diverged(self) -> float:
        """Of the runs that were judged; nan before there is one."""
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
        name: What the group is called in sentences: plain text.
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
    """In which groups seeds are repeated, and how they count, in sentences; nothing where none is."""
    repeated = [group for group in groups if group.repeats]
    lead = [f"In {group.name} " if len(groups) > 1 else "" for group in repeated]
    if len(repeated) > MOST_NAMED:
        return f"In {len(repeated)} groups seeds come several times: the mean of each seed's runs counts once."
    words = [f"{start}{repeat_words(group.repeats)}." for start, group in zip(lead, repeated, strict=True)]
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}" for sentence in words)


def shared_precision(*groups: Sample) -> float | None:
    """Returns the precision that the results of all groups have; None where their values tell it themselves."""
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
    """Tells what became of each run, if it is judged by one metric.

    A run that ended ok has no result by a metric that it never logged, and has diverged if it logged no finite number.

    Args:
        values: The metric's value of each run, nan where there is none.
        outcomes: What became of each run as a whole.
        logged: Whether it logged the metric.
    """
    lost = ~np.isfinite(values.to_numpy(dtype=float)) & (outcomes == Outcome.OK).to_numpy(dtype=bool)
    there = np.fromiter(logged, dtype=bool, count=len(values))
    return outcomes.mask(lost & ~there, NO_RESULT).mask(lost & there, Outcome.DIVERGED.value)


def _groupable(value: Any) -> Hashable:
    """A value of a column, lists among them, as something to group by."""
    if isinstance(value, float) and math.isnan(value):
        return None
    try:
        hash(value)
    except TypeError:
        return json.dumps(value, sort_keys=True, default=str)
    return value  # type: ignore[no-any-return]


def _known(key: Any) -> bool:
    """Whether a run has this seed: -1 stands for none."""
    return not (pd.api.types.is_scalar(key) and pd.isna(key)) and key != -1


def _whole_seeds(keys: Sequence[Any]) -> list[int]:
    """The seed of each key; nothing where one has none, or none that is a whole number."""
    seeds = [key[0] for key in keys]
    return [int(seed) for seed in seeds] if all(isinstance(seed, int | np.integer) for seed in seeds) else []


def _of(name: str, rows: pd.DataFrame, value: str, paired_on: Sequence[str]) -> Sample:
    phases = set(rows["phase"]) if "phase" in rows else set()
    if CONFIRM_PHASE in phases:
        rows = rows[rows["phase"] == CONFIRM_PHASE]
        phases = {CONFIRM_PHASE}
    numbers = [float(x) for x in pd.to_numeric(rows[value], errors="coerce")]
    outcomes = [str(x) for x in rows["outcome"]] if "outcome" in rows else [""] * len(rows)
    judged: list[tuple[Hashable, float]] = []
    unfinished: Counter[str] = Counter()
    waiting: set[Hashable] = set()
    shared = list(paired_on) == ["seed"] and "seed_data" in rows and share(rows["seed_data"].tolist())
    on = ["seed_data"] if shared else paired_on
    keys = zip(*(map(_groupable, rows[column]) for column in on), strict=True) if on else iter(())
    known = list(keys) or [(position,) for position in range(len(rows))]
    for number, outcome, key in zip(numbers, outcomes, known, strict=True):
        if outcome == Outcome.DIVERGED:
            judged.append((key, math.inf))
        elif outcome == Outcome.OK or (not outcome and not math.isnan(number)):
            # A run that ended ok with a result that is not finite has diverged, whatever its outcome says.
            judged.append((key, number if math.isfinite(number) else math.inf))
        else:
            unfinished[outcome or NO_RESULT] += 1
            waiting.add(key)
    if shared:
        # The mean of a part of a set's runs would be no partner for that of all.
        judged = [(key, each) for key, each in means(judged).items() if key not in waiting or math.isinf(each)]
    seeds = _whole_seeds([key for key, _ in judged]) if list(on) == ["seed"] else []
    repeated = share(seeds)
    if repeated:
        judged = list(means(judged).items())
    found = [key for key, _ in judged]
    paired = bool(on) and len(set(found)) == len(found) and all(_known(x) for key in found for x in key)  # type: ignore[attr-defined]
    by_key = {key if paired else position: result for position, (key, result) in enumerate(judged)}
    return Sample(
        name,
        {key: result for key, result in by_key.items() if math.isfinite(result)},
        frozenset(key for key, result in by_key.items() if not math.isfinite(result)),
        dict(unfinished),
        (TRAINING_SET if shared else " and ".join(on)) if paired else None,
        phases.pop() if len(phases) == 1 else "",
        precision(numbers) if shared or repeated else None,
        Counter(seeds) if repeated else {},
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
        runs: One row a run: `by`, `value`, and where they exist `paired_on`, outcome, counts and phase.
        by: The column or columns that tell groups apart.
        value: The column of results.
        paired_on: The columns that runs of different groups share. Where they are missing, unknown (-1) or name two
            runs of one group, the group is compared as independent; runs that repeat seeds are one result per seed.
        names: What a group is called, by its value of `by` (a tuple if there are several columns); else that value.
    """
    columns = [by] if isinstance(by, str) else list(by)
    missing = [column for column in [*columns, value] if column not in runs.columns]
    if missing:
        raise ValueError(f"runs: no column {missing[0]!r}; allowed: {', '.join(map(str, runs.columns))}")
    on = [column for column in ([paired_on] if isinstance(paired_on, str) else paired_on) if column in runs.columns]
    if len(on) < (1 if isinstance(paired_on, str) else len(paired_on)):
        on = []
    counting = runs[runs["counts"].astype(bool)] if "counts" in runs.columns else runs
    cells: dict[tuple[Hashable, ...], list[int]] = {}
    for position, key in enumerate(zip(*(map(_groupable, counting[column]) for column in columns), strict=True)):
        cells.setdefault(key, []).append(position)
    found = []
    for key, positions in cells.items():
        known = key[0] if len(columns) == 1 else key
        name = (names or {}).get(known) or ", ".join("none" if part is None else str(part) for part in key)
        found.append(_of(name, counting.iloc[positions], value, on))
    return found


def phase_words(phase: str) -> str:
    """`confirm runs`, for a sentence; nothing for what has only search runs or no phase."""
    return f"{phase} runs" if phase and phase != SEARCH_PHASE else ""


def key_words(key: Hashable) -> str:
    """`3`, or `3, 0` where runs are paired on two seeds: a key of a sample, for a reader."""
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)
