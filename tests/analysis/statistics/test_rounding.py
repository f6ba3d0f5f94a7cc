"""What results may be off by, for counts, single and double precision."""

from __future__ import annotations

import math

import numpy as np

from analysis.statistics.rounding import DOUBLE, SINGLE, all_same, precision, resolution


def test_the_resolution_is_that_of_what_is_compared() -> None:
    single = [float(np.float32(0.1)), 0.5, math.inf, math.nan]
    assert precision(single) == SINGLE and resolution(single) == SINGLE * 0.5
    assert precision([0.1, 0.5]) == DOUBLE and resolution([0.1, -0.5]) == DOUBLE * 0.5
    assert resolution([10_000_001, 10_000_002]) < 1e-6, "whole numbers are exact counts"
    assert resolution([1e300, 0.25]) == DOUBLE * 1e300, "too large for single precision"
    assert resolution([0.3, 0.6], SINGLE) == SINGLE * 0.6 and resolution([]) == 0


def test_rounding_alone_tells_nothing_apart() -> None:
    assert all_same([0.1 + 0.2, 0.3, 0.30000000000000004]) and not all_same([0.3, 0.3001])
    assert all_same([0.3, 0.31], 0.02) and not all_same([0.3]) and not all_same([])
