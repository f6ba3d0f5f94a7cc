"""The independent values behind a mean: one per run, or one per training set or seed where several runs share one.

Runs that differ in their initialisation alone are no independent draws of what a training set makes of a network: an
interval over them would be too short. Their mean is one value. So is that of runs that repeat a seed, as where one rate
was written in three ways: they say the same thing several times.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.statistics.differences import Difference, difference
from analysis.words import some

SEEDS, DATASETS = "seeds", "training sets"


def share(sets: Sequence[int]) -> bool:
    """Whether several of a group's runs have one training set, or one seed.

    Runs that all have the same are no repeats of several values, but all that is known of one: they remain apart.

    Args:
        sets: Each run's training set by its seed, or its seed; -1 where it is not known.
    """
    return 1 < len(set(sets)) < len(sets) and min(sets) >= 0


def shared_by(sets: Sequence[int], seeds: Sequence[int]) -> Sequence[int] | None:
    """What the runs with one independent value have in common, per run; None where each run is a value of its own.

    Args:
        sets: Each run's training set, by its seed; -1 where it is not known.
        seeds: Each run's seed; -1 where it is not known.
    """
    return next((keys for keys in (sets, seeds) if share(keys)), None)


def means(values: Iterable[tuple[Hashable, float]]) -> dict[Hashable, float]:
    """Key -> the mean of its values, in the order in which keys first appear."""
    found: dict[Hashable, list[float]] = {}
    for key, value in values:
        found.setdefault(key, []).append(value)
    return {key: sum(own) / len(own) for key, own in found.items()}


def kind(sets: Sequence[int]) -> str:
    """Says what gives a group one independent value each: SEEDS or DATASETS."""
    return DATASETS if share(sets) else SEEDS


def independent(values: Iterable[float], sets: Sequence[int], seeds: Sequence[int] = ()) -> list[float]:
    """The independent values of a group, those of one training set or seed being one, their mean.

    Args:
        values: One a run; what is not finite is left out.
        sets: Each run's training set, by its seed; -1 where it is not known.
        seeds: Each run's seed; -1 where it is not known.
    """
    numbers = [float(value) for value in values]
    keys = shared_by(sets, seeds)
    by_key = zip(range(len(numbers)) if keys is None else keys, numbers, strict=True)
    return list(means((key, value) for key, value in by_key if math.isfinite(value)).values())


def repeat_words(repeats: Mapping[int, int]) -> str:
    """`seeds 0 to 4 come 3 times each: their mean counts once`; nothing where no seed is repeated.

    Args:
        repeats: Seed -> how many runs of the group have it.
    """
    several = {seed: count for seed, count in sorted(repeats.items()) if count > 1}
    if not several:
        return ""
    first, last, counts = min(several), max(several), set(several.values())
    row = len(several) > 2 and last - first == len(several) - 1
    which = f"{first} to {last}" if row else some([str(seed) for seed in several], 4)
    often = f"{min(counts)} times" if len(counts) == 1 else f"{min(counts)} to {max(counts)} times"
    if len(several) == 1:
        return f"seed {which} comes {often}: its mean counts once"
    return f"seeds {which} come {often} each: their mean counts once"


def gap(after: Mapping[Any, float], before: Mapping[Any, float], paired: bool) -> Difference:
    """The mean of one group minus that of another.

    Args:
        after: The first one's values.
        before: Those of the other.
        paired: Whether a key means the same in both; they are paired then if the smaller shares more than half of its
            own.
    """
    if paired and 2 * len(after.keys() & before.keys()) > min(len(after), len(before)):
        return difference(after, before, "seed")
    return difference(after.values(), before.values())


def _numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    plain = pd.api.types.is_float_dtype(column)
    return column if plain else pd.to_numeric(column, errors="coerce").astype(float)


def units(runs: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, str, bool]:
    """The values of one group.

    Args:
        runs: Its runs: `columns`, and where they exist seed and seed_data (-1: unknown).
        columns: What is averaged.

    Returns:
        One row an independent value, indexed by what runs of other groups share with it; what these rows are of, SEEDS
        or DATASETS; whether the index can be shared, which positions cannot.
    """
    numbers = pd.DataFrame({name: _numbers(runs[name]) for name in columns})
    if "seed_data" in runs and share(runs["seed_data"].tolist()):
        return numbers.groupby(runs["seed_data"]).mean(), DATASETS, True
    seeds = runs["seed"] if "seed" in runs else pd.Series(-1, index=runs.index)
    if share(seeds.tolist()):
        return numbers.groupby(seeds).mean(), SEEDS, True
    if len(runs) and seeds.is_unique and (seeds >= 0).all():
        return numbers.set_axis(seeds.tolist()), SEEDS, True
    return numbers.reset_index(drop=True), SEEDS, False
