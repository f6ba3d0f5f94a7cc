"""The params of groups side by side: a row a param, a column a group."""

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
"""So many values of one group are named, the others counted."""


@dataclass(frozen=True)
class SideBySide:
    """What the params of groups are."""

    frame: pd.DataFrame
    """One row a param (`param`), one column a group, named by its label; texts."""
    differing: list[str]
    same: int
    """Params that are equal in all of them, seeds apart."""


def _cell(values: Sequence[str]) -> str:
    several = list(dict.fromkeys(values))
    more = f", {len(several) - SEVERAL} more" if len(several) > SEVERAL else ""
    return ", ".join(several[:SEVERAL]) + more


def side_by_side(
    found: Comparison, runs: pd.DataFrame, groups: Sequence[Group], *, everything: bool = False
) -> SideBySide:
    """The params of `groups`, those that differ first.

    Args:
        found: What is compared.
        runs: Its runs with the groups that are shown, from `groups_of`.
        groups: The columns, in their order.
        everything: Those that are equal as well.
    """
    keys = [key for key in map(str, found.params) if not is_seed(key)]
    rows = {group.group: (runs["group"] == group.group).to_numpy() for group in groups}
    texts = {key: found.params[key].map(shown) for key in keys}
    cells = {key: [_cell(texts[key][rows[group.group]].tolist()) for group in groups] for key in keys}
    differing = [key for key in keys if len(set(cells[key])) > 1]
    # What was searched was meant to differ: it leads.
    differing.sort(key=lambda key: (key not in found.searched, key))
    listed = differing + ([key for key in keys if key not in differing] if everything else [])
    columns = {group.label: [cells[key][place] for key in listed] for place, group in enumerate(groups)}
    return SideBySide(pd.DataFrame({"param": listed, **columns}, dtype=str), differing, len(keys) - len(differing))


def against(samples: Mapping[str, Sample], baseline: str) -> dict[str, Difference | None]:
    """Each group's difference from the baseline: paired on seeds where both have them; None where there is no result.

    Args:
        samples: Name -> the group's results.
        baseline: The name of one of them.
    """
    base = samples[baseline]
    found: dict[str, Difference | None] = {}
    for name, own in samples.items():
        if name == baseline or not own.values or not base.values:
            found[name] = None
            continue
        paired = own.paired_on if own.paired_on is not None and own.paired_on == base.paired_on else None
        shared, precision = len(set(own.values) & set(base.values)), shared_precision(own, base)
        if paired and 2 * shared > min(own.n, base.n):
            found[name] = difference(own.values, base.values, paired, precision=precision)
        else:
            found[name] = difference(own.values.values(), base.values.values(), precision=precision)
    return found


def half(found: Difference | None) -> float:
    """Half of the difference's interval, nan where none may be shown."""
    return found.interval.half if found is not None and found.interval.shown else math.nan
