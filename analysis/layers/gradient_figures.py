"""Figures of `analysis.layers.gradients`: heat maps by layer and epoch, ratios against depth, a quantity by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analysis.figures import theme
from analysis.figures.marks import at_edge
from analysis.figures.traces import error_bars, mean_line, seed_dots, sides
from analysis.layers.gradients import FACTOR, HeatInfo, ProfileInfo, RatioInfo
from analysis.statistics.geometric_mean import GeometricMean

if TYPE_CHECKING:
    import plotly.graph_objects as go

ROW: Final = 26
"""Pixels of a layer in a heat map, at most."""


def plot_heat(info: HeatInfo, *, dark: bool = False, height: int | None = None) -> go.Figure:
    """One panel per group, epochs across, layers down from the input; colours are shared and logarithmic."""
    from plotly.subplots import make_subplots

    count = max(1, len(info.panels))
    layers = [len(panel.names) for panel in info.panels] or [1]
    sizes = [max(3, size) for size in layers]
    tall = height or int(70 + 52 * count + sum(min(ROW, 190 / size) * size for size in sizes))
    figure = make_subplots(
        rows=count,
        cols=1,
        shared_xaxes=True,
        row_heights=sizes,
        vertical_spacing=min(0.3 / count, 46 / tall),
        subplot_titles=[theme.plain(theme.shortened(f"{panel.label} (n={panel.n})", 44)) for panel in info.panels],
    )
    low, high = (math.log10(bound) for bound in info.range)
    for row, panel in enumerate(info.panels, start=1):
        with np.errstate(divide="ignore", invalid="ignore"):
            shade = np.where(panel.norms > 0, np.log10(panel.norms), math.nan).T
        figure.add_heatmap(
            x=panel.epochs,
            y=[str(place) for place in range(1, len(panel.names) + 1)],
            z=shade,
            coloraxis="coloraxis",
            customdata=panel.norms.T,
            text=[[theme.plain(name)] * len(panel.epochs) for name in panel.names],
            hovertemplate="%{text}, epoch %{x}: %{customdata:.3g}<extra></extra>",
            hoverongaps=True,
            row=row,
            col=1,
        )
    figure.update_layout(**theme.layout(dark, x="", y="", height=tall))
    base = theme.layout(dark, x="epoch", y="layer")
    plain = {key: value for key, value in base["yaxis"].items() if key != "title"}
    figure.update_yaxes(**plain, type="category", autorange="reversed", showgrid=False)
    figure.update_yaxes(title=base["yaxis"]["title"] | {"text": "layer"})
    figure.update_xaxes(**{key: value for key, value in base["xaxis"].items() if key != "title"})
    figure.update_xaxes(title=base["xaxis"]["title"], row=count, col=1)
    figure.update_annotations(font={"size": 12.5, "color": base["font"]["color"]}, x=0, xanchor="left")
    powers = list(range(math.ceil(low), math.floor(high) + 1))
    every = max(1, math.ceil(len(powers) / 6))
    ticks: dict[str, Any] = {"tickvals": powers[::every], "ticktext": [f"{10.0**power:g}" for power in powers[::every]]}
    if len(powers) < 2:
        ticks = {"tickvals": [low, high], "ticktext": [f"{10.0**low:.2g}", f"{10.0**high:.2g}"]}
    figure.update_layout(
        margin={"t": 26, "l": 8, "r": 8, "b": 8},
        coloraxis={
            "colorscale": "Cividis",
            "cmin": low,
            "cmax": high if high > low else low + 1,
            "colorbar": {
                "title": {"text": "gradient norm", "side": "right", "font": {"size": 12}},
                "thickness": 10,
                "outlinewidth": 0,
                **ticks,
            },
        },
    )
    return figure


def _dots(figure: go.Figure, dots: Sequence[tuple[float, float, int]], colour: str, **trace: Any) -> None:
    """The seeds: where each stands, its value, and the seed, in the hover text as `customdata`."""
    seed_dots(
        figure,
        [dot[0] for dot in dots],
        [dot[1] for dot in dots],
        colour,
        customdata=[dot[2] for dot in dots],
        **trace,
    )


def _bars(means: Sequence[GeometricMean], colour: str) -> dict[str, Any]:
    """Intervals on a logarithmic axis."""
    return error_bars(*sides(means, [mean.shown for mean in means]), colour=colour, thickness=1.6)


def _log_axis(figure: go.Figure, values: list[float]) -> None:
    positive = [value for value in values if math.isfinite(value) and value > 0]
    figure.update_yaxes(type="log", **(theme.log_ticks(min(positive), max(positive)) if positive else {}))


def plot_ratio(info: RatioInfo, *, dark: bool = False, height: int = 380) -> go.Figure:
    """The first layer's gradient over the last's against depth: one dot per run, one line per method; the bounds."""
    import plotly.graph_objects as go

    figure = go.Figure()
    methods = list(dict.fromkeys(ratio.method for ratio in info.ratios))
    values = [value for ratio in info.ratios for value in ratio.values]
    for row, (method, (colour, dash)) in enumerate(zip(methods, theme.line_looks(methods, dark), strict=True)):
        name = theme.plain(theme.shortened(method))
        ratios = [ratio for ratio in info.ratios if ratio.method == method]
        # Methods stand a little apart, so that those of one depth do not hide each other.
        beside = 0.09 * (row - (len(methods) - 1) / 2)
        dots = [
            (ratio.depth + beside, value, seed)
            for ratio in ratios
            for seed, value in zip(ratio.seeds, ratio.values, strict=True)
            if math.isfinite(value) and value > 0
        ]
        hover = f"<b>{name}</b><br>seed %{{customdata}}: %{{y:.3g}}<extra></extra>"
        _dots(figure, dots, colour, hovertemplate=hover, legendgroup=name)
        measured = [ratio for ratio in ratios if ratio.over.n]
        mean_line(
            figure,
            [ratio.depth + beside for ratio in measured],
            [ratio.over.mean for ratio in measured],
            colour,
            dash=dash,
            size=8,
            error_y=_bars([ratio.over for ratio in measured], colour),
            name=name,
            legendgroup=name,
            text=[f"{ratio.depth} layers: {ratio.over.words}, {ratio.verdict}" for ratio in measured],
            hovertemplate=f"<b>{name}</b><br>%{{text}}<extra></extra>",
        )
    figure.update_layout(**theme.layout(dark, x="layers", y="first layer's gradient / last's", height=height))
    for bound, words in ((1 / FACTOR, "vanishing below"), (FACTOR, "exploding above")):
        figure.add_hline(bound, line={"width": 1, "dash": "dot", "color": theme.grey(dark)})
        # On a logarithmic axis a shape takes the value, an annotation its logarithm.
        figure.add_annotation(
            text=words,
            x=1,
            xref="paper",
            xanchor="right",
            y=math.log10(bound),
            yanchor="top" if bound < 1 else "bottom",
            showarrow=False,
            font={"size": 11, "color": theme.grey(dark)},
        )
    _log_axis(figure, [*values, 1 / FACTOR, FACTOR])
    figure.update_xaxes(tickvals=info.depths)
    return figure


def plot_profile(info: ProfileInfo, *, dark: bool = False, height: int = 380) -> go.Figure:
    """A quantity by layer: one dot per run, one line per group; infinite values are triangles at the upper edge."""
    import plotly.graph_objects as go

    figure = go.Figure()
    looks = theme.line_looks([profile.method for profile in info.profiles], dark)
    above: list[tuple[int, str]] = []
    for profile, (colour, dash) in zip(info.profiles, looks, strict=True):
        name = theme.plain(theme.shortened(profile.label))
        dots = [
            (layer, float(value), seed)
            for seed, row in zip(profile.seeds, profile.values, strict=True)
            for layer, value in enumerate(row, start=1)
            if math.isfinite(value) and value > 0
        ]
        hover = f"<b>{name}</b><br>layer %{{x}}, seed %{{customdata}}: %{{y:.3g}}<extra></extra>"
        _dots(figure, dots, colour, opacity=0.4, hovertemplate=hover, legendgroup=name)
        mean_line(
            figure,
            list(range(1, len(profile.means) + 1)),
            [mean.mean if mean.n else None for mean in profile.means],
            colour,
            dash=dash,
            size=6,
            error_y=_bars(profile.means, colour),
            name=name,
            legendgroup=name,
            text=[
                f"{theme.plain(layer)}: {mean.words}" for layer, mean in zip(profile.names, profile.means, strict=True)
            ],
            hovertemplate=f"<b>{name}</b><br>%{{text}}<extra></extra>",
        )
        above += [
            (layer, f"<b>{name}</b><br>layer {layer}: infinite in {mean.infinite} of {len(profile.seeds)} runs")
            for layer, mean in enumerate(profile.means, start=1)
            if mean.infinite
        ]
    figure.update_layout(**theme.layout(dark, x="layer, from the input", y=info.what, height=height))
    _log_axis(figure, [float(value) for profile in info.profiles for value in profile.values.ravel()])
    deepest = max((len(profile.means) for profile in info.profiles), default=1)
    figure.update_xaxes(dtick=1 if deepest <= 15 else None, range=[0.7, deepest + 0.3])
    if above:
        at_edge(
            figure,
            [layer for layer, _ in above],
            {"symbol": "triangle-up-open", "size": 8, "color": theme.grey(dark)},
            name="infinite",
            text=[text for _, text in above],
            hovertemplate="%{text}<extra></extra>",
        )
    return figure
