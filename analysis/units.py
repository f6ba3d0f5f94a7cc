"""The independent values behind a mean: one a run, or one a training set where several runs share one.

Runs that differ in their initialisation alone are no independent draws of what a training set makes of a network: an
interval over them would be too short. Their mean is one value.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.statistics import Difference, difference

SEEDS, DATASETS = "seeds", "training sets"


def share(sets: Sequence[int]) -> bool:
    """Whether several of a group's runs have one training set.

    Args:
        sets: Each run's training set, by its seed; -1 where it is not known.
    """
    return 1 < len(set(sets)) < len(sets) and min(sets) >= 0


def means(values: Iterable[tuple[Hashable, float]]) -> dict[Hashable, float]:
    """Key -> the mean of its values, in the order in which keys first appear."""
    found: dict[Hashable, list[float]] = {}
    for key, value in values:
        found.setdefault(key, []).append(value)
    return {key: sum(own) / len(own) for key, own in found.items()}


def kind(sets: Sequence[int]) -> str:
    """Says what gives a group one independent value each: SEEDS or DATASETS."""
    return DATASETS if share(sets) else SEEDS


def independent(values: Iterable[float], sets: Sequence[int]) -> list[float]:
    """The independent values of a group, those of one training set being one, their mean; without what is not finite.

    Args:
        values: One a run.
        sets: Each run's training set, by its seed; -1 where it is not known.
    """
    known = [(own, float(value)) for own, value in zip(sets, values, strict=True) if math.isfinite(value)]
    return list(means(known).values()) if share(sets) else [value for _, value in known]


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
    if len(runs) and seeds.is_unique and (seeds >= 0).all():
        return numbers.set_axis(seeds.tolist()), SEEDS, True
    return numbers.reset_index(drop=True), SEEDS, False
