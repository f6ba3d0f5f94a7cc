"""The figure of a risk and its parts along an axis: the stack with the measured risk over it, the parts with intervals.

Estimates below zero hang below the axis: the height above zero minus the depth below it is the risk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from analysis.bias_variance.capacity import CapacityInfo
from analysis.bias_variance.decomposition import BIAS, DATA, HELPS, INIT, NOISE, PARTS
from analysis.figures import marks, theme
from analysis.figures.traces import error_bars, mean_line, seed_dots, sides
from analysis.statistics import Interval, number, plus_minus

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLOURS: Final = {BIAS: 0, DATA: 1, INIT: 2, HELPS: 3}
"""Part -> its place in the palette; noise is grey, the measured risk ink."""
UPPER: Final = (0.42, 1.0)
"""The part of the figure's height that the stack takes."""
GREY: Final = {"light": "#b4bac4", "dark": "#59616d"}


def colour_of(part: str, dark: bool) -> str:
    """The colour of a part, the same in every figure."""
    return GREY["dark" if dark else "light"] if part == NOISE else theme.palette(dark)[COLOURS[part]]


def _bars(intervals: Sequence[Interval], colour: str) -> dict[str, Any]:
    return error_bars(*sides(intervals, [interval.shown for interval in intervals]), colour=colour, width=3)


def _parts_of(info: CapacityInfo) -> dict[str, str]:
    """Part -> its name, of those that there are."""
    names = {part.key: part.name for position in info.drawn if position.parts for part in position.parts.parts}
    return {key: names[key] for key in PARTS if key in names}


def _stack(figure: go.Figure, info: CapacityInfo, dark: bool) -> None:
    """The upper panel: the parts as bars, the risk over them."""
    ink = theme.ink(dark)
    title = theme.plain(info.axis.key)
    for key, name in _parts_of(info).items():
        positions = [position for position in info.drawn if position.parts is not None and key in position.parts]
        parts = [position.parts[key] for position in positions if position.parts is not None]
        figure.add_bar(
            x=[position.place for position in positions], y=[part.sign * part.estimate.mean for part in parts],
            width=[0.76 * min(info.axis.room(position.place), 1.5 * info.axis.step) for position in positions],
            name=theme.plain(name), legendgroup=key,
            marker={
                "color": theme.translucent(colour_of(key, dark), 0.8),
                "pattern": {"shape": "/" if key == HELPS else "", "size": 6},
            },
            customdata=[(place.text, plus_minus(part.estimate)) for place, part in zip(positions, parts, strict=True)],
            hovertemplate=f"<b>{theme.plain(name)}</b><br>{title} %{{customdata[0]}}: %{{customdata[1]}}"
            "<extra></extra>",
        )  # fmt: skip
    drawn = [position for position in info.drawn if position.parts is not None]
    dots = [
        (position.place, value, position.text, seed) for position in drawn for seed, value in position.risks.items()
    ]
    seed_dots(
        figure,
        [dot[0] for dot in dots],
        [dot[1] for dot in dots],
        ink,
        size=4.5,
        legendgroup="risk",
        customdata=[dot[2:] for dot in dots],
        hovertemplate=f"{title} %{{customdata[0]}}, training set %{{customdata[1]}}: %{{y:.4g}}<extra></extra>",
    )
    risks = [position.parts.risk for position in drawn if position.parts is not None]
    mean_line(
        figure,
        [position.place for position in drawn],
        [risk.mean for risk in risks],
        ink,
        width=2,
        size=7,
        mode="lines+markers" if info.axis.numeric else "markers",
        error_y=_bars(risks, ink),
        name="risk, measured",
        legendgroup="risk",
        customdata=[(position.text, plus_minus(risk), risk.n) for position, risk in zip(drawn, risks, strict=True)],
        hovertemplate=f"<b>risk, measured</b><br>{title} %{{customdata[0]}}: %{{customdata[1]}}"
        " (%{customdata[2]} training sets)<extra></extra>",
    )


def _apart(figure: go.Figure, info: CapacityInfo, dark: bool) -> None:
    """The lower panel: every part by itself, with its interval."""
    names = _parts_of(info)
    title = theme.plain(info.axis.key)
    for k, (key, name) in enumerate(names.items()):
        drawn = [
            (position, position.parts[key].estimate)
            for position in info.drawn
            if position.parts is not None and key in position.parts
        ]
        colour = colour_of(key, dark)
        beside = (k - (len(names) - 1) / 2) * 0.11 * info.axis.step
        mean_line(
            figure,
            [position.place + beside for position, _ in drawn],
            [estimate.mean for _, estimate in drawn],
            colour,
            size=6,
            mode="lines+markers" if info.axis.numeric else "markers",
            line={"color": theme.translucent(colour, 0.55), "width": 1.4},
            error_y=_bars([estimate for _, estimate in drawn], colour),
            yaxis="y2",
            legendgroup=key,
            showlegend=False,
            customdata=[
                (position.text, plus_minus(estimate), number(estimate.low, 3), number(estimate.high, 3))
                for position, estimate in drawn
            ],
            hovertemplate=f"<b>{theme.plain(name)}</b><br>{title} %{{customdata[0]}}: %{{customdata[1]}}<br>"
            "%{customdata[2]} to %{customdata[3]}<extra></extra>",
        )


def _range(info: CapacityInfo) -> list[float]:
    """From the deepest bar to the highest bar or dot: one wide interval must not press everything else flat."""
    low = high = 0.0
    for position in info.drawn:
        assert position.parts is not None
        bars = [part.sign * part.estimate.mean for part in position.parts.parts]
        low = min(low, sum(bar for bar in bars if bar < 0))
        high = max(high, sum(bar for bar in bars if bar > 0), *position.parts.risks.tolist())
    return [low * 1.1, (high or 1.0) * 1.08]


def plot_capacity(info: CapacityInfo, *, dark: bool = False, height: int = 520) -> go.Figure:
    """The stack of the parts with the measured risk over it, and below each part with its interval."""
    import plotly.graph_objects as go

    figure = go.Figure()
    base = theme.layout(dark, x=info.axis.title, y=info.loss, height=height)
    figure.update_layout(**base)
    _stack(figure, info, dark)
    _apart(figure, info, dark)
    zero = {"zeroline": True, "zerolinecolor": base["yaxis"]["gridcolor"], "zerolinewidth": 2}
    parts = {"domain": [0.0, 0.36], "anchor": "x", "title": base["yaxis"]["title"] | {"text": "parts"}}
    figure.update_layout(
        barmode="relative",
        yaxis=zero | {"domain": UPPER, "range": _range(info)},
        yaxis2=base["yaxis"] | zero | parts,
        margin={"l": 8, "r": 8, "t": 26, "b": 8},
        legend={"y": -0.13},
        uirevision=f"{info.loss} {info.axis.key}",
    )  # fmt: skip
    figure.update_xaxes(anchor="y2", **info.axis.layout(bars=True))
    if info.threshold is not None:
        marks.threshold(figure, info.axis, info.threshold.place, dark)
    diverged = [position for position in info.positions if position.diverged]
    if diverged:
        texts = [f"{position.text}: {position.diverged} of {position.runs} runs" for position in diverged]
        marks.edge_crosses(figure, [position.place for position in diverged], texts, dark, UPPER)
    return figure
