"""The vertical range of curves: what is too far off stands at the edge, and is counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.figures.curves import CurvesInfo, curves_info
from analysis.figures.curves_figure import plot_curves
from analysis.figures.run_curves import panel_info, plot_panel
from analysis.figures.vertical_range import edge_words, span_of
from analysis.runs.ranking import ranking


def info_of(values: list[float], outcome: str = "ok") -> CurvesInfo:
    """One run with these values, and one that diverged without any."""
    histories = pd.DataFrame({"run_id": "a", "key": "loss", "step": range(len(values)), "value": values})
    runs = pd.DataFrame({"run_id": ["a", "b"], "group": ["a", "b"], "trial": [0, 1], "seed": [0, 0],
                         "outcome": [outcome, "diverged"], "counts": True, "objective": [0.5, np.nan]})  # fmt: skip
    return curves_info(histories, runs, ranking(runs, []), "loss")


@pytest.mark.parametrize("log", [False, True])
def test_values_that_are_too_large_stand_at_the_edge_and_are_counted(log: bool) -> None:
    info = info_of([1.0, 0.5, 1e308, -1e308, 0.8], outcome="diverged")
    figure = plot_curves(info, log=log)
    low, high = figure.layout.yaxis.range
    assert -1.1 < low < high < 1.1 and len(info.curves) == 2
    drawn = np.concatenate([np.array(trace.y, dtype=float) for trace in figure.data if trace.y[0] is not None])
    assert np.nanmax(np.abs(drawn)) <= 1 or log
    assert np.nanmax(drawn) == 1.0
    (line,) = [trace for trace in figure.data if len(trace.x) == 5]
    assert max(line.customdata) == 1e308 and "customdata" in line.hovertemplate, "the hover text keeps the value"
    count = 1 if log else 2
    assert f"{edge_words(count)}" in info.marks(log) and "a red cross is where a run diverged" in info.marks(log)


def test_a_cross_that_is_not_drawn_is_not_explained() -> None:
    assert info_of([1.0, 0.5]).marks(log=True) == []
    assert info_of([1.0, -0.5], outcome="diverged").marks(log=True) == [], "it has no place on a logarithmic scale"
    assert info_of([1.0, -0.5], outcome="diverged").marks(log=False) == ["a red cross is where a run diverged"]


def test_what_is_not_too_far_keeps_its_axis() -> None:
    figure = plot_curves(info_of([1e6, 1.0, 1e-9]), log=True)
    assert figure.layout.yaxis.range is None
    span = span_of([np.array([1.0, 3.0]), np.array([2.0])], log=False)
    assert span is not None and plot_curves(info_of([2.0, 2.5]), span=span).layout.yaxis.range == (0.9, 3.1)
    assert span_of([np.zeros(3)], log=True) is None and span_of([], log=False) is None
    zeros = span_of([np.zeros(3)], log=False)
    assert zeros is not None and zeros.range == [-0.5, 0.5] and zeros.beyond == 0


def test_where_all_is_too_large_there_still_is_an_axis() -> None:
    span = span_of([np.array([1e308, -1e308])], log=False)
    assert span is not None and span.beyond == 2 and np.isfinite(span.range).all()


def test_the_curves_of_one_run_follow_the_same_rule() -> None:
    history = pd.DataFrame({"key": "loss", "step": [0, 1, 2], "time": [0, 1000, 2000], "value": [1.0, 1e308, 0.5]})
    panel = panel_info("loss", ["loss"], history, {}, start=0, end=2000)
    assert plot_panel(panel, log=True).layout.yaxis.range[1] < 1
