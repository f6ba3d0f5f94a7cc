"""The order of groups, best first: by their share of diverged runs, then by the mean of the finite results.

A group of one seed may owe its result to luck: it stands behind the groups of several seeds, if any of these has a
finite result, but before groups of which all runs diverged.
"""

from __future__ import annotations

from collections.abc import Iterable


def replicated(counts: Iterable[tuple[int, int]]) -> bool:
    """Whether one of the groups has several results, at least one of them finite.

    Args:
        counts: For each group, its number of finite results, and of all results, diverged ones included.
    """
    return any(finite and judged > 1 for finite, judged in counts)


def order_key(finite: int, judged: int, mean: float, several: bool) -> tuple[bool, bool, bool, float, float]:
    """The sort key of a group: best first, groups without a result last.

    Args:
        finite: How many finite results the group has.
        judged: How many results it has, diverged ones included.
        mean: The mean of the finite ones, less being better.
        several: Whether a group of several seeds stands before one of a single seed: see `replicated`.
    """
    share = 1 - finite / judged if judged else 0.0
    return (not judged, not finite, several and judged == 1, share, mean if finite else 0.0)
