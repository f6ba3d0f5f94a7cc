"""The best of k trials drawn at random from those that were run: its weights and its expectation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from analysis.statistics.differences import check_direction
from analysis.statistics.intervals import finite
from tracking.schema import MINIMIZE


def best_weights(finite: int, total: int, k: int) -> np.ndarray:
    """The chance that the i-th best of `finite` results is the best of k trials drawn from `total` without replacement.

    C(N - i, k - 1) / C(N, k) for i = 1, 2, ...; what is missing to 1 is the chance that all k diverged.
    """
    # The weight of the i-th best, from that of the one before: C(N - i, k - 1) without large factorials.
    i = np.arange(1, finite)
    weights = (k / total) * np.concatenate([[1.0], np.cumprod((total - i - k + 1).clip(0) / (total - i))])
    return np.asarray(weights[:finite])


def expected_best(
    values: Iterable[float], budget: int | Sequence[int], direction: str = MINIMIZE, *, diverged: int = 0
) -> np.ndarray:
    """What the best of `budget` trials, chosen at random from those run, is on average: exact, over all subsets.

    For the smallest: sum_i v_(i) C(N - i, k - 1) / C(N, k). Dodge et al. 2019 (Show your work) draw with replacement,
    which is biased; subsets are not (Tang et al. 2020, Showing your work doesn't always work).

    Args:
        values: Finite results, one per trial: N with those that diverged.
        budget: How many trials, 1 to N; several budgets give several expectations.
        direction: What is best: "minimize" or "maximize".
        diverged: How many more trials diverged. A budget that they alone could use up has no best: nan.

    Returns:
        One number per budget, an array of no dimension for one budget.
    """
    check_direction(direction)
    if diverged < 0:
        raise ValueError(f"diverged: {diverged} is not allowed; allowed: 0 or more")
    x = np.sort(finite("values", values))
    x = x if direction == MINIMIZE else x[::-1]
    total = len(x) + diverged
    budgets = np.asarray(budget)
    expected = np.empty(budgets.shape)
    for place, k in np.ndenumerate(budgets):
        if not 1 <= k <= total or k != int(k):
            raise ValueError(f"budget: {k} is not allowed; allowed: 1 to {total}, the number of trials")
        if k <= diverged:
            expected[place] = math.nan
            continue
        expected[place] = float(best_weights(len(x), total, int(k)) @ x)
    return expected
