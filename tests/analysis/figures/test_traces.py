"""The shared traces: what stands in the legend, what an interval not to be shown becomes, what stands at the edge."""

from __future__ import annotations

import math

import plotly.graph_objects as go
import pytest

from analysis.figures import marks, theme, traces
from analysis.figures.value_axis import Scale, value_axis
from analysis.statistics import Interval, interval

SHOWN, HIDDEN = interval([1.0, 2.0, 4.0]), interval([1.0, 2.0])


@pytest.mark.parametrize("draw", [traces.seed_dots, traces.seed_line])
def test_seeds_stand_in_the_legend_only_with_a_name(draw) -> None:
    figure = go.Figure()
    draw(figure, [1], [2], "#112233")
    draw(figure, [1], [2], "#112233", name="a seed")
    assert [trace.showlegend for trace in figure.data] == [False, None]


def test_a_mean_has_markers_only_where_they_have_a_size() -> None:
    figure = go.Figure()
    traces.mean_line(figure, [1, 2], [2, 3], "#112233")
    traces.mean_line(figure, [1, 2], [2, 3], "#112233", size=7)
    assert [trace.mode for trace in figure.data] == ["lines", "lines+markers"]
    assert figure.data[1].marker.size == 7 and figure.data[0].line.color == "#112233"


def test_a_band_goes_along_the_upper_bounds_and_back_along_the_lower() -> None:
    figure = go.Figure()
    traces.band(figure, [1, 2], *traces.bounds([SHOWN, SHOWN]), "#112233", opacity=0.2)
    (band,) = figure.data
    assert list(band.x) == [1, 2, 2, 1] and list(band.y) == [SHOWN.high] * 2 + [SHOWN.low] * 2
    assert (band.fillcolor, band.line.width, band.showlegend) == ("rgba(17,34,51,0.2)", 0, False)


def test_an_interval_that_may_not_be_shown_has_no_bar() -> None:
    endless = Interval(1.0, -math.inf, math.inf, 3)
    assert traces.halves([SHOWN, HIDDEN, endless]) == [SHOWN.half, 0.0, 0.0]
    above, below = traces.sides([SHOWN, HIDDEN], [True, False])
    assert above == [SHOWN.high - SHOWN.mean, 0.0] and below == [SHOWN.mean - SHOWN.low, 0.0]


def test_bars_are_symmetric_unless_they_have_lower_ends() -> None:
    assert "arrayminus" not in traces.error_bars([1.0])
    assert traces.error_bars([1.0], [0.5])["symmetric"] is False


@pytest.mark.parametrize("dark", [False, True])
def test_crosses_are_red_and_used_for_nothing_else(dark: bool) -> None:
    figure = go.Figure()
    traces.crosses(figure, [1], [2], dark)
    (trace,) = figure.data
    assert trace.marker.line.color == theme.DIVERGED["dark" if dark else "light"] and trace.showlegend is False


def test_what_stands_at_the_edge_does_not_move_with_the_scale() -> None:
    figure = go.Figure()
    marks.at_edge(figure, [1, 2], {"size": 8}, name="worse")
    value_axis(figure, Scale(10.0, 100.0, True))
    assert figure.data[0].yaxis == "y2" and list(figure.data[0].y) == [marks.EDGE] * 2
    assert figure.layout.yaxis2.range == (0, 1) and figure.layout.yaxis2.type is None
    assert figure.layout.yaxis.type == "log"


def test_lines_of_one_method_share_its_colour_and_differ_by_their_dash() -> None:
    (one, solid), (other, dashed) = theme.line_looks(["adam", "adam"], dark=False)
    assert one == other == theme.LIGHT[0] and solid != dashed
