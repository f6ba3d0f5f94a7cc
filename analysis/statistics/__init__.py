"""The statistics under every comparison: differences, intervals, exact tests, corrected p-values.

A verdict's p takes this path, each file calling the next: `verdicts` corrects the p-values of all questions for each
other and decides, `evidence` pairs two groups and counts their diverged runs, `differences` subtracts their finite
results, `exact` counts the deals of chance. `standings` rank many groups by verdicts; `seeds` says how many more seeds
make a verdict possible.
"""

from analysis.statistics.best_of import best_weights, expected_best
from analysis.statistics.differences import ROUNDING, Difference, Values, check_direction, difference, holm
from analysis.statistics.intervals import ENOUGH_FOR_AN_INTERVAL, Interval, interval, number, plus_minus, t_quantile

__all__ = [
    "ENOUGH_FOR_AN_INTERVAL",
    "ROUNDING",
    "Difference",
    "Interval",
    "Values",
    "best_weights",
    "check_direction",
    "difference",
    "expected_best",
    "holm",
    "interval",
    "number",
    "plus_minus",
    "t_quantile",
]
