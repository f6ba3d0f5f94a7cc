"""The figure of curves: a band and a mean line per group, a thin line per run, marks where a run diverged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.figures import theme
from analysis.figures.curves import Curve, CurvesInfo, Line
from analysis.figures.traces import band, band_opacity, bounds, crosses, mean_line, seed_line, thin
from analysis.figures.vertical_range import Span, fit, span_of
from analysis.statistics import ENOUGH_FOR_AN_INTERVAL, plus_minus
from tracking.schema import Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go


def _seed(line: Line) -> str:
    return f"seed {line.seed}, " if line.seed >= 0 else ""


def _band(figure: go.Figure, curve: Curve, colour: str, *, dark: bool, log: bool) -> None:
    low, high = bounds(curve.means)
    if log:
        # A bound at or below zero has no place on a logarithmic axis: the band ends at the smallest value drawn.
        span = span_of((line.values for line in curve.lines), log)
        low = np.where(low > 0, low, span.low if span else 1e-9)
    band(figure, curve.x, low, high, colour, opacity=band_opacity(dark), legendgroup=curve.group.group)


def _run(figure: go.Figure, line: Line, curve: Curve, axis: str, colour: str, dash: str) -> None:
    x, y = thin(line.x, line.values)
    seed_line(
        figure,
        x,
        y,
        colour,
        dash=dash,
        mode="lines+markers" if len(x) <= 40 else "lines",
        marker={"color": theme.translucent(colour, 0.5), "size": 3},
        hovertemplate=f"<b>{curve.name}</b><br>{_seed(line)}{axis} %{{x:.6g}}: %{{y:.4g}}<extra></extra>",
        legendgroup=curve.group.group,
    )


def _mean(figure: go.Figure, curve: Curve, axis: str, colour: str, dash: str) -> None:
    x, y = thin(curve.x, np.array([mean.mean for mean in curve.means]))
    means = dict(zip(curve.x.tolist(), curve.means, strict=True))
    mean_line(
        figure,
        x if len(x) else [None],
        y if len(x) else [None],
        colour,
        dash=dash,
        size=5 if 0 < len(x) <= 2 else None,
        name=curve.name,
        legendgroup=curve.group.group,
        text=[f"{plus_minus(means[place])} (n={means[place].n})" for place in x.tolist()] or None,
        hovertemplate=f"<b>{curve.name}</b><br>{axis} %{{x:.6g}}: %{{text}}<extra></extra>",
    )


def _end(figure: go.Figure, line: Line, curve: Curve, axis: str, colour: str, *, dark: bool) -> None:
    """What became of a run that was pruned or diverged, at its last point."""
    last = {"x": line.x[-1:].tolist(), "y": line.values[-1:].tolist(), "legendgroup": curve.group.group}
    if line.outcome == Outcome.PRUNED:
        marker = {"symbol": "line-ns", "size": 10, "line": {"width": 2, "color": colour}}
        hovertemplate = f"<b>{curve.name}</b><br>{_seed(line)}pruned after {axis} %{{x:.6g}}<extra></extra>"
        figure.add_scatter(**last, mode="markers", marker=marker, hovertemplate=hovertemplate, showlegend=False)
    if line.outcome == Outcome.DIVERGED:
        hovertemplate = f"<b>{curve.name}</b><br>{_seed(line)}diverged after {axis} %{{x:.6g}}<extra></extra>"
        crosses(figure, dark=dark, hovertemplate=hovertemplate, **last)


def plot_curves(
    info: CurvesInfo, *, dark: bool = False, log: bool = False, height: int = 380, span: Span | None = None
) -> go.Figure:
    """The figure: seeds faint, means strong, intervals as bands, diverged runs ended by a red cross.

    Args:
        info: What is drawn.
        dark: Whether the page is dark.
        log: A logarithmic vertical axis.
        height: In pixels.
        span: The vertical axis that it shares with other figures, on the same scale.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    looks = theme.line_looks([curve.group.method for curve in info.curves], dark)
    for curve, (colour, dash) in zip(info.curves, looks, strict=True):
        if curve.n >= ENOUGH_FOR_AN_INTERVAL and len(curve.steps):
            _band(figure, curve, colour, dark=dark, log=log)
        drawn = [line for line in curve.lines if len(line.steps)]
        # A single run's mean is the run; one that is in no mean (diverged, crashed) is drawn as itself.
        alone = len(curve.lines) == 1 and len(curve.steps) > 0
        for line in drawn if info.smoothing or not alone else []:
            _run(figure, line, curve, info.axis, colour, dash)
        _mean(figure, curve, info.axis, colour, dash)
        for line in drawn:
            _end(figure, line, curve, info.axis, colour, dark=dark)
    figure.update_layout(**theme.layout(dark, x=info.axis, y=info.title, log_y=log, height=height))
    if fitting := span or info.span(log):
        fit(figure, fitting, fixed=span is not None)
    # The reader's zoom and hidden lines stay while points arrive; another metric or scale starts afresh.
    figure.update_layout(uirevision=f"{info.metric} {log} {info.axis} {info.baseline}")
    return figure
