"""The statistics under every comparison: differences, intervals, exact tests, corrected p-values.

Verdicts, standings and seeds stand on them, in files of their own.
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
