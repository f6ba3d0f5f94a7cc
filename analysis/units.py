"""The independent values behind a mean: one a run, or one a training set where several runs share one.

Runs that differ in their initialisation alone are no independent draws of what a training set makes of a network: an
interval over them would be too short. Their mean is one value.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import pandas as pd

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
