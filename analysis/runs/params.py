"""The params of groups side by side, and how far each group lies from a baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.runs.comparison import Comparison, shown
from analysis.runs.ranking import Group
from analysis.statistics import Difference, difference
from analysis.statistics.samples import Sample, shared_precision
from tracking.configurations import is_seed

SEVERAL = 3
"""How many values of one group are named; the others are counted."""


@dataclass(frozen=True)
class SideBySide:
    """The params of groups side by side."""

    frame: pd.DataFrame
    """Texts: one row per param (`param`), one column per group, named by its label."""
    differing: list[str]
    same: int
    """How many params are equal in all groups, seeds apart."""


def _cell(values: Sequence[str]) -> str:
    """`32, 64, 128, 2 more`."""
    different = list(dict.fromkeys(values))
    more = f", {len(different) - SEVERAL} more" if len(different) > SEVERAL else ""
    return ", ".join(different[:SEVERAL]) + more


def side_by_side(
    comparison: Comparison, runs: pd.DataFrame, groups: Sequence[Group], *, everything: bool = False
) -> SideBySide:
    """The params of `groups`, those that differ first.

    Args:
        comparison: The runs that are compared.
        runs: The same runs with the groups that are shown, from `groups_of`.
        groups: The groups of the columns, in their order.
        everything: Whether params that are equal are listed as well.
    """
    keys = [key for key in map(str, comparison.params) if not is_seed(key)]
    rows = {group.group: (runs["group"] == group.group).to_numpy() for group in groups}
    texts = {key: comparison.params[key].map(shown) for key in keys}
    cells = {key: [_cell(texts[key][rows[group.group]].tolist()) for group in groups] for key in keys}
    differing = [key for key in keys if len(set(cells[key])) > 1]
    # Searched params were meant to differ: they lead.
    differing.sort(key=lambda key: (key not in comparison.searched, key))
    listed = differing + ([key for key in keys if key not in differing] if everything else [])
    columns = {group.label: [cells[key][place] for key in listed] for place, group in enumerate(groups)}
    return SideBySide(pd.DataFrame({"param": listed, **columns}, dtype=str), differing, len(keys) - len(differing))


def against(samples: Mapping[str, Sample], baseline: str) -> dict[str, Difference | None]:
    """Each group's difference from the baseline: paired on seeds where both have them; None where there is no result.

    Args:
        samples: The results of each group by its name.
        baseline: The name of one of them.
    """
    base = samples[baseline]
    differences: dict[str, Difference | None] = {}
    for name, sample in samples.items():
        if name == baseline or not sample.values or not base.values:
            differences[name] = None
            continue
        paired = sample.paired_on if sample.paired_on is not None and sample.paired_on == base.paired_on else None
        shared, precision = len(set(sample.values) & set(base.values)), shared_precision(sample, base)
        if paired and 2 * shared > min(sample.n, base.n):
            differences[name] = difference(sample.values, base.values, paired, precision=precision)
        else:
            differences[name] = difference(sample.values.values(), base.values.values(), precision=precision)
    return differences


def half(difference: Difference | None) -> float:
    """Half of the width of the difference's interval; nan where none may be shown."""
    return difference.interval.half if difference is not None and difference.interval.shown else math.nan
