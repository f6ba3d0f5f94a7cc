"""The figure of one regularizer: training and validation error against its strength."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analysis.figures import theme
from analysis.figures.marks import at_edge
from analysis.figures.traces import cross, error_bars, halves, mean_dots, seed_dots
from analysis.regularization.one_regularizer import IsolationInfo
from analysis.regularization.strengths import strength_axis
from analysis.statistics import Interval, number, plus_minus
from analysis.statistics.samples import Sample, seed_name

if TYPE_CHECKING:
    import plotly.graph_objects as go


def _means(
    figure: go.Figure, means: Sequence[tuple[float, Interval, str]], colour: str, *, name: str, dash: str, filled: bool
) -> None:
    """Means with their intervals, joined by a line: of each where it stands, its value and its name."""
    mean_dots(
        figure,
        [x for x, _, _ in means],
        [mean.mean for _, mean, _ in means],
        colour,
        filled=filled,
        size=9,
        mode="lines+markers",
        line={"width": 1.4, "color": theme.translucent(colour, 0.55), "dash": dash},
        error_y=error_bars(halves([mean for _, mean, _ in means]), colour=colour),
        name=name,
        text=[f"{text}: {plus_minus(mean)} (n={mean.n})" for _, mean, text in means],
        hovertemplate="%{text}<extra></extra>",
    )


def _dots(figure: go.Figure, points: Sequence[tuple[float, float, str]], colour: str, size: int) -> None:
    seed_dots(
        figure,
        [x for x, _, _ in points],
        [y for _, y, _ in points],
        colour,
        size=size,
        text=[text for *_, text in points],
        hovertemplate="%{text}: %{y:.4g}<extra></extra>",
    )


def _cut(figure: go.Figure, info: IsolationInfo, dark: bool) -> None:
    """End the axis at `info.top`; means beyond it stand at its edge with their value."""
    values = [value for point in info.points for value in (*point.dev.values.values(), *point.train.values())]
    room = 0.08 * (info.top - min(values))
    figure.update_yaxes(range=[min(values) - room, info.top + room])
    beyond = [point for point in info.points if point.dev.interval.n and point.dev.interval.mean > info.top]
    if beyond:
        at_edge(
            figure,
            [point.x for point in beyond],
            {"symbol": "triangle-up-open", "size": 9, "color": theme.palette(dark)[0]},
            y=0.96,
            name="worse than the scale",
            mode="markers+text",
            text=[number(point.dev.interval.mean, 2) for point in beyond],
            textposition="bottom center",
            textfont={"size": 11},
            hovertext=[f"{theme.plain(point.name)}: {plus_minus(point.dev.interval)}" for point in beyond],
            hovertemplate="%{hovertext}<extra></extra>",
        )


def _who(sample: Sample, key: Any) -> str:
    """What a dot is: its seed, where seeds are known."""
    return f"{sample.paired_on} {seed_name(key)}" if sample.paired_on else "a run"


def _training(figure: go.Figure, info: IsolationInfo, colour: str, beside: float) -> None:
    points = [point for point in info.points if point.train]
    dots = [
        (point.x + 2 * beside, value, f"{theme.plain(point.name)}, training")
        for point in points
        for value in point.train.values()
    ]
    _dots(figure, dots, colour, 4)
    if points:
        means = [(point.x + beside, point.train_interval, f"{theme.plain(point.name)}, training") for point in points]
        _means(figure, means, colour, name=theme.plain(info.train_metric or "training"), dash="dot", filled=False)


def _validation(figure: go.Figure, info: IsolationInfo, colour: str, beside: float) -> None:
    points = [point for point in info.points if point.dev.values]
    dots = [
        (point.x - beside, value, f"{theme.plain(point.name)}, {_who(point.dev, key)}")
        for point in points
        for key, value in point.dev.values.items()
    ]
    _dots(figure, dots, colour, 5)
    means = [
        (point.x, point.dev.interval, theme.plain(", ".join(filter(None, [point.name, point.configuration]))))
        for point in points
    ]
    _means(figure, means, colour, name=theme.plain(info.metric), dash="solid", filled=True)


def plot_isolation(info: IsolationInfo, *, whole: bool = False, dark: bool = False, height: int = 400) -> go.Figure:
    """Validation in colour, training in grey; seeds as dots beside their mean, diverged ones as red crosses on top.

    Args:
        info: What to draw.
        whole: With strengths that ruin everything on the scale, which else stand at its edge as triangles.
        dark: Whether the page is dark.
        height: In pixels.
    """
    import plotly.graph_objects as go

    figure, accent = go.Figure(), theme.palette(dark)[0]
    places = info.strengths.places
    # Beside and not on the mean, so that its bar is not taken for one of them.
    beside = 0.012 * (places.range[1] - places.range[0])
    _training(figure, info, theme.grey(dark), beside)
    _validation(figure, info, accent, beside)
    if info.best is not None:
        best = info.points[info.best]
        figure.add_scatter(
            x=[best.x], y=[best.dev.interval.mean], mode="markers", showlegend=False, hoverinfo="skip",
            marker={"size": 19, "symbol": "circle-open", "color": theme.ink(dark), "line": {"width": 1.8}},
        )  # fmt: skip
    figure.update_layout(**theme.layout(dark, x=info.strengths.axis, y=info.metric, height=height))
    if info._reference is not None:
        figure.add_hline(
            info._reference.mean, line={"width": 1, "dash": "dot", "color": theme.translucent(accent, 0.7)}
        )
    if math.isfinite(info.top) and not whole:
        _cut(figure, info, dark)
    diverged = [point for point in info.points if point.dev.diverged]
    if diverged:
        at_edge(
            figure,
            [point.x for point in diverged],
            cross(dark),
            name="diverged",
            mode="markers+text",
            text=[f"  {len(point.dev.diverged)} of {point.dev.n}" for point in diverged],
            textposition="middle right",
            textfont={"size": 11},
            cliponaxis=False,
            hovertemplate="%{text} diverged<extra></extra>",
        )
    figure.update_layout(legend={"traceorder": "reversed"})
    strength_axis(figure, places, dark=dark)
    return figure
