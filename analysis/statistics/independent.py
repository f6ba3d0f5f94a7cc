"""The independent values behind a mean: one per run, or one per training set or seed where several runs share one.

Runs that differ only in their initialisation are not independent draws of what a training set makes of a network: an
interval over them would be too short. So their mean is one value. The mean of runs that repeat a seed is one value too,
as where one learning rate was written in three ways: such runs say the same thing several times.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.statistics.differences import Difference, difference
from analysis.words import some

SEEDS, DATASETS = "seeds", "training sets"
"""The units of independent values: what has one value each."""


def any_shared(seeds: Sequence[int]) -> bool:
    """Whether several of a group's runs share a training set, or a seed.

    Runs that all share one are not repeats of several values, but the only knowledge of one value: they stay apart.

    Args:
        seeds: The seed of each run's training set, or each run's seed; -1 where it is not known.
    """
    return 1 < len(set(seeds)) < len(seeds) and min(seeds) >= 0


def shared_by(sets: Sequence[int], seeds: Sequence[int]) -> Sequence[int] | None:
    """For each run, the key that it shares with the runs of its independent value; None where no run shares one.

    Args:
        sets: Each run's training set, by its seed; -1 where it is not known.
        seeds: Each run's seed; -1 where it is not known.
    """
    return next((keys for keys in (sets, seeds) if any_shared(keys)), None)


def means(values: Iterable[tuple[Hashable, float]]) -> dict[Hashable, float]:
    """The mean of the values of each key, in the order in which keys first appear."""
    by_key: dict[Hashable, list[float]] = {}
    for key, value in values:
        by_key.setdefault(key, []).append(value)
    return {key: sum(numbers) / len(numbers) for key, numbers in by_key.items()}


def unit_name(sets: Sequence[int]) -> str:
    """What has one independent value each, SEEDS or DATASETS, by each run's training set."""
    return DATASETS if any_shared(sets) else SEEDS


def independent(values: Iterable[float], sets: Sequence[int], seeds: Sequence[int] = ()) -> list[float]:
    """The independent values of a group: those of runs that share a training set or a seed are one, their mean.

    Args:
        values: One per run; what is not finite is left out.
        sets: Each run's training set, by its seed; -1 where it is not known.
        seeds: Each run's seed; -1 where it is not known.
    """
    numbers = [float(value) for value in values]
    keys = shared_by(sets, seeds)
    by_key = zip(range(len(numbers)) if keys is None else keys, numbers, strict=True)
    return list(means((key, value) for key, value in by_key if math.isfinite(value)).values())


def repeat_words(repeats: Mapping[int, int]) -> str:
    """`seeds 0 to 4 come 3 times each: their mean counts once`; empty where no seed is repeated.

    Args:
        repeats: For each seed, how many runs of the group have it.
    """
    several = {seed: count for seed, count in sorted(repeats.items()) if count > 1}
    if not several:
        return ""
    first, last, counts = min(several), max(several), set(several.values())
    consecutive = len(several) > 2 and last - first == len(several) - 1
    which = f"{first} to {last}" if consecutive else some([str(seed) for seed in several], 4)
    often = f"{min(counts)} times" if len(counts) == 1 else f"{min(counts)} to {max(counts)} times"
    if len(several) == 1:
        return f"seed {which} comes {often}: its mean counts once"
    return f"seeds {which} come {often} each: their mean counts once"


def gap(after: Mapping[Any, float], before: Mapping[Any, float], paired: bool) -> Difference:
    """The mean of one group minus that of another, with its interval.

    Args:
        after: The values of the first group by key.
        before: The values of the other group by key.
        paired: Whether a key means the same in both; they are then paired if more than half of the smaller group's keys
            are shared.
    """
    if paired and 2 * len(after.keys() & before.keys()) > min(len(after), len(before)):
        return difference(after, before, "seed")
    return difference(after.values(), before.values())


def _numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    return column if pd.api.types.is_float_dtype(column) else pd.to_numeric(column, errors="coerce").astype(float)


def independent_rows(runs: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, str, bool]:
    """The independent values of a group in several columns.

    Args:
        runs: The group's runs: `columns`, and where they exist seed and seed_data (-1: unknown).
        columns: What is averaged.

    Returns:
        The values, one row per training set or seed; what the rows are, SEEDS or DATASETS; whether their index (the
        training set or the seed) can pair them with rows of other groups, which mere positions cannot.
    """
    numbers = pd.DataFrame({name: _numbers(runs[name]) for name in columns})
    if "seed_data" in runs and any_shared(runs["seed_data"].tolist()):
        return numbers.groupby(runs["seed_data"]).mean(), DATASETS, True
    seeds = runs["seed"] if "seed" in runs else pd.Series(-1, index=runs.index)
    if any_shared(seeds.tolist()):
        return numbers.groupby(seeds).mean(), SEEDS, True
    if len(runs) and seeds.is_unique and (seeds >= 0).all():
        return numbers.set_axis(seeds.tolist()), SEEDS, True
    return numbers.reset_index(drop=True), SEEDS, False
