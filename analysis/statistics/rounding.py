"""The resolution of results: a difference up to it is only rounding.

Results that are equal are often not equal as stored. The difference of 50 / 287 and 19 / 287, both stored in single
precision, is a billionth away from that of 40 / 287 and 9 / 287, and every tie that is missed makes a p-value wrong. So
every function that compares results asks for their `resolution` first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

SINGLE: Final = 2.0**-23
"""What single precision may be off by, in units of a number: two halves of its last binary digit."""
DOUBLE: Final = 2.0**-50
"""What double precision may be off by after a few additions, in units of a number."""


def precision(values: Iterable[float]) -> float:
    """What results may be off by, in units of their size: SINGLE if it can hold every one, else DOUBLE.

    Whole numbers are counts, and exact. What is not finite is left out.
    """
    x = np.asarray(list(values), dtype=float)
    x = x[np.isfinite(x)]
    with np.errstate(over="ignore"):
        single = (x == x.astype(np.float32)).all()
    return SINGLE if single and not (x == np.rint(x)).all() else DOUBLE


def resolution(values: Iterable[float], of: float | None = None) -> float:
    """The least difference between results that is more than rounding.

    Args:
        values: All that is compared with each other, not its differences.
        of: The results' `precision`, where these are means of others; by default that of the values.
    """
    x = np.asarray(list(values), dtype=float)
    x = x[np.isfinite(x)]
    return (precision(x) if of is None else of) * float(np.abs(x).max(initial=0.0))


def all_same(values: Sequence[float], least: float | None = None) -> bool:
    """Whether there are several values, and nothing but rounding tells them apart.

    Args:
        values: Finite numbers.
        least: The difference up to which two values are the same; by default their resolution.
    """
    least = resolution(values) if least is None else least
    return len(values) > 1 and max(values) - min(values) <= least


def level_ties(values: Sequence[float], close: float) -> list[float]:
    """The values with those that rounding alone tells apart set to the lowest of them; what is not finite stays.

    Args:
        values: Means or results that are to be ordered.
        close: Their `resolution`: sorted values that follow each other within it are tied.
    """
    x = np.asarray(values, dtype=float)
    order = np.argsort(x, kind="stable")
    ordered = x[order]
    with np.errstate(invalid="ignore"):
        begins = np.concatenate([[True], ~(np.diff(ordered) <= close)])[: len(x)]
    levelled = np.empty(len(x))
    levelled[order] = ordered[np.maximum.accumulate(np.where(begins, np.arange(len(x)), 0))]
    return [float(value) for value in levelled]
