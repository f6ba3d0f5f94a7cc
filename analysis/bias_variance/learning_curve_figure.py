"""The figure of errors against the size of the training set, or any other number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.bias_variance.learning_curve import LearningCurveInfo, Line
from analysis.figures import marks, theme
from analysis.figures.traces import error_bars, halves, mean_line, seed_dots
from analysis.runs.metric_slots import DEV, TRAIN
from analysis.statistics import number, plus_minus

if TYPE_CHECKING:
    import plotly.graph_objects as go


def _looks(info: LearningCurveInfo, dark: bool) -> list[tuple[Line, str, str, str, str]]:
    """Line, slot, name, colour and dash of each curve."""
    palette = theme.palette(dark)
    if len(info.lines) == 1:
        both = [(DEV, info.dev, palette[1], "solid")] + ([(TRAIN, info.train, palette[0], "solid")] * bool(info.train))
        return [(info.lines[0], slot, name, colour, dash) for slot, name, colour, dash in both]
    places = theme.colour_indices([line.name for line in info.lines])
    curves = []
    for line in info.lines:
        colour = palette[places[line.name]]
        curves.append((line, DEV, f"{line.name}, {info.dev}", colour, "solid"))
        if info.train:
            curves.append((line, TRAIN, f"{line.name}, {info.train}", colour, "dot"))
    return curves


def _curve(
    figure: go.Figure, info: LearningCurveInfo, line: Line, slot: str, colour: str, *, name: str, dash: str, log: bool
) -> None:  # fmt: skip
    """The dots, the means and the intervals of one error."""
    label, title = theme.plain(theme.shortened(name, 44)), theme.plain(info.axis.key)
    dots = [
        (dot.place, value, info.axis.text(dot.value), f"{dot.over.rstrip('s')} {seed}")
        for dot in line.dots
        for seed, value in dot.seeds[slot].items()
    ]
    seed_dots(
        figure,
        [mark[0] for mark in dots],
        [mark[1] for mark in dots],
        colour,
        opacity=0.4,
        legendgroup=name,
        customdata=[mark[2:] for mark in dots],
        hovertemplate=f"<b>{label}</b><br>{title} %{{customdata[0]}}, %{{customdata[1]}}: %{{y:.4g}}<extra></extra>",
    )
    drawn = [dot for dot in line.dots if dot.means[slot].n]
    means = [dot.means[slot] for dot in drawn]
    above = halves(means)
    # On a logarithmic axis a bound at or below zero has no place: the bar ends at the lowest dot.
    lowest = [min(dot.seeds[slot].values()) for dot in drawn]
    below = [
        mean.mean - min(low, mean.mean) if log and half >= mean.mean else half
        for mean, half, low in zip(means, above, lowest, strict=True)
    ]
    mean_line(
        figure,
        [dot.place for dot in drawn],
        [mean.mean for mean in means],
        colour,
        dash=dash,
        size=7,
        error_y=error_bars(above, below, colour=colour, width=4),
        name=label,
        legendgroup=name,
        customdata=[
            (info.axis.text(dot.value), plus_minus(mean), mean.n) for dot, mean in zip(drawn, means, strict=True)
        ],
        hovertemplate=f"<b>{label}</b><br>{title} %{{customdata[0]}}: %{{customdata[1]}} (n=%{{customdata[2]}})"
        "<extra></extra>",
    )


def plot_learning_curve(
    info: LearningCurveInfo, *, dark: bool = False, log: bool = False, height: int = 420
) -> go.Figure:
    """Seed dots, means and intervals of both errors; the reference error, unless it is 0, as a dashed line.

    Args:
        info: What to draw.
        dark: Whether the page is dark.
        log: A logarithmic axis of errors.
        height: In pixels.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    base = theme.layout(dark, x=info.axis.title, y="error", log_y=log, height=height)
    figure.update_layout(**base)
    for line, slot, name, colour, dash in _looks(info, dark):
        _curve(figure, info, line, slot, colour, name=name, dash=dash, log=log)
    diverged = [dot for line in info.lines for dot in line.dots if dot.diverged]
    if diverged:
        texts = [f"{info.axis.text(dot.value)}: {dot.diverged} of {dot.runs} runs" for dot in diverged]
        marks.edge_crosses(figure, [dot.place for dot in diverged], texts, dark)
    ticks = info.axis.layout()
    if info.reference and not (log and info.reference < 0):
        # A trace and no shape, so that the axis makes room for it.
        figure.add_scatter(
            x=ticks["range"], y=[info.reference] * 2, mode="lines",
            name=f"reference error {number(info.reference, 3)}",
            line={"color": base["font"]["color"], "width": 1.4, "dash": "dash"}, hoverinfo="skip",
        )  # fmt: skip
    figure.update_xaxes(**ticks)
    if info.threshold is not None:
        marks.threshold(figure, info.axis, info.threshold.place, dark)
        figure.update_layout(margin={"l": 8, "r": 8, "t": 26, "b": 8})
    if log:
        values = [x for line in info.lines for dot in line.dots for seeds in dot.seeds.values() for x in seeds.values()]
        positive = [x for x in [*values, info.reference] if x > 0]
        if positive:
            figure.update_yaxes(theme.log_ticks(min(positive), max(positive)), selector={"overlaying": None})
    else:
        figure.update_yaxes(rangemode="tozero", selector={"overlaying": None})
    figure.update_layout(uirevision=f"{info.axis.key} {info.dev} {log}")
    return figure
