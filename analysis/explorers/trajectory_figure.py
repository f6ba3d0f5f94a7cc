"""The figures of trajectories: on the surface that they descend, and as the distance left after each step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analysis.explorers.surfaces import Surface
from analysis.explorers.trajectories import ARRIVED, TrajectoriesInfo, Trajectory
from analysis.explorers.update_rules import Array
from analysis.figures import theme
from analysis.figures.traces import cross, crosses
from analysis.statistics import number

if TYPE_CHECKING:
    import plotly.graph_objects as go

FINE: Final = 121
"""The surface is drawn from so many points along each axis."""
FLOOR: Final = 1e-7
CEILING: Final = 1e4
"""Between these a relative distance is drawn."""


def _styles(info: TrajectoriesInfo, dark: bool) -> Iterator[tuple[Trajectory, str, str]]:
    """Each trajectory with its colour and its dash, broad bands first."""
    looks = theme.line_looks([way.entry.method for way in info.trajectories], dark)
    styles = [(way, *look) for way, look in zip(info.trajectories, looks, strict=True)]
    yield from sorted(styles, key=lambda style: not style[0].entry.beneath)


def _line(way: Trajectory, colour: str, dash: str) -> dict[str, Any]:
    if way.entry.beneath:
        return {"color": theme.translucent(colour, 0.4), "width": 9}
    return {"color": colour, "width": 2, "dash": dash}


def _cross(dark: bool) -> dict[str, Any]:
    """The marker of a trajectory that diverged, larger than that of a run."""
    return cross(dark, size=11, width=3)


def edge(surface: Surface, way: Trajectory) -> Array | None:
    """The place where a trajectory leaves the window for good: (2,); None if it ends inside."""
    if way.leaves is None or way.leaves + 1 >= len(way.points):
        return None
    inner, outer = way.points[way.leaves], way.points[way.leaves + 1]
    share = 1.0
    for place, (low, high) in enumerate(surface.window):
        moved = outer[place] - inner[place]
        bound = high if moved > 0 else low
        if moved and not low <= outer[place] <= high:
            share = min(share, float((bound - inner[place]) / moved))
    return np.asarray(inner + share * (outer - inner))


def _seen(surface: Surface, way: Trajectory) -> list[int]:
    """The steps that are drawn: those in sight, without those that hardly move."""
    stop = len(way.points) if way.leaves is None else way.leaves + 1
    (left, right), _ = surface.window
    steps = [0]
    for step in range(1, stop):
        if np.abs(way.points[step] - way.points[steps[-1]]).max() > (right - left) / 600:
            steps.append(step)
    return steps if steps[-1] == stop - 1 else [*steps, stop - 1]


def _contours(surface: Surface, dark: bool) -> dict[str, Any]:
    """The surface in greys, the deeper the stronger, its levels evenly spaced in the logarithm of the height."""
    (left, right), (low, high) = surface.window
    x, y = np.linspace(left, right, FINE), np.linspace(low, high, FINE)
    heights = surface.value(np.stack(np.meshgrid(x, y), axis=-1)) - surface.lowest
    # Without an offset the levels would crowd around the minimum.
    z = np.log10(heights + heights.max() / 2000)
    deep, flat = ("#434c5a", "#15181c") if dark else ("#bcc6d3", "#fbfcfd")
    return {
        "x": x,
        "y": y,
        "z": z.astype(np.float32),
        "colorscale": [[0, deep], [1, flat]],
        "showscale": False,
        "autocontour": False,
        "contours": {"start": float(z.min()), "end": float(z.max()), "size": float(np.ptp(z)) / 14},
        "line": {"width": 0.6, "color": "rgba(128,136,148,0.55)"},
        "hoverinfo": "skip",
    }


def plot_surface(info: TrajectoriesInfo, *, dark: bool = False, height: int = 460) -> go.Figure:
    """The surface from above, one line per trajectory: a ring at the start, a dot at each end, stars in the minima."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(**theme.layout(dark, x="x", y="y", height=height))
    figure.add_contour(**_contours(info.surface, dark))
    ink, ground = theme.ink(dark), theme.background(dark)
    figure.add_scatter(
        x=info.surface.minima[:, 0],
        y=info.surface.minima[:, 1],
        mode="markers",
        showlegend=False,
        marker={"symbol": "star", "size": 12, "color": ink, "line": {"width": 1, "color": ground}},
        hovertemplate="minimum (%{x:.3g}, %{y:.3g})<extra></extra>",
    )
    for way, colour, dash in _styles(info, dark):
        name, steps = theme.plain(way.label), _seen(info.surface, way)
        points, values = way.points[steps], way.values[steps].tolist()
        left = edge(info.surface, way)
        notes = [f"step {step}, value {number(value, 3)}" for step, value in zip(steps, values, strict=True)]
        if left is not None:
            points, notes = np.vstack([points, left]), [*notes, "leaves the window"]
        figure.add_scatter(
            x=points[:, 0],
            y=points[:, 1],
            mode="lines+markers",
            name=name,
            legendgroup=name,
            line=_line(way, colour, dash),
            marker={"size": 9 if way.entry.beneath else 4, "color": colour, "opacity": 0.4 if way.entry.beneath else 1},
            text=notes,
            hovertemplate=f"<b>{name}</b><br>%{{text}}<br>(%{{x:.3g}}, %{{y:.3g}})<extra></extra>",
        )
        dot = {"symbol": "circle", "size": 10, "color": colour, "line": {"width": 1.5, "color": ground}}
        figure.add_scatter(
            x=points[-1:, 0],
            y=points[-1:, 1],
            mode="markers",
            showlegend=False,
            legendgroup=name,
            marker=_cross(dark) if way.diverged else dot,
            cliponaxis=False,
            hovertemplate=f"<b>{name}</b><br>{theme.plain(way.outcome)}<extra></extra>",
        )
    figure.add_scatter(
        x=[info.start[0]],
        y=[info.start[1]],
        mode="markers",
        showlegend=False,
        cliponaxis=False,
        marker={"symbol": "circle-open", "size": 12, "color": ink, "line": {"width": 2}},
        hovertemplate="start (%{x:.3g}, %{y:.3g})<extra></extra>",
    )
    window_x, window_y = info.surface.window
    figure.update_xaxes(range=list(window_x), constrain="domain")
    figure.update_yaxes(range=list(window_y), scaleanchor="x", constrain="domain", showgrid=False)
    figure.update_layout(legend={"y": -0.11})
    return figure


def _shown(distances: Array) -> Array:
    """The distances that are drawn, nan for the others."""
    with np.errstate(invalid="ignore"):
        return np.where((distances >= FLOOR) & (distances <= CEILING), distances, np.nan)


def plot_distances(info: TrajectoriesInfo, *, dark: bool = False, height: int = 460) -> go.Figure:
    """The distance to the nearest minimum after each step, relative to the start; dotted theory's bound on it."""
    import plotly.graph_objects as go

    figure = go.Figure()
    title = "distance to the minimum, relative to the start"
    figure.update_layout(**theme.layout(dark, x="step", y=title, log_y=True, height=height))
    top, bottom = 1.0, ARRIVED
    for way, colour, dash in _styles(info, dark):
        name = theme.plain(way.label)
        drawn = _shown(way.distances)
        finite = drawn[np.isfinite(drawn)].tolist()
        top, bottom = max([top, *finite]), min([bottom, *finite])
        steps = np.arange(len(drawn))
        if way.bound is not None and not way.entry.beneath:
            figure.add_scatter(
                x=steps,
                y=_shown(way.bound),
                mode="lines",
                showlegend=False,
                legendgroup=name,
                line={"color": theme.translucent(colour, 0.8), "width": 1.4, "dash": "dot"},
                hovertemplate=f"<b>{name}</b><br>step %{{x}}: theory at most %{{y:.3g}}<extra></extra>",
            )
        figure.add_scatter(
            x=steps,
            y=drawn,
            mode="lines",
            name=name,
            legendgroup=name,
            line=_line(way, colour, dash),
            hovertemplate=f"<b>{name}</b><br>step %{{x}}: %{{y:.3g}}<extra></extra>",
        )
        if way.arrived is not None and not way.entry.beneath:
            figure.add_scatter(
                x=[way.arrived],
                y=[ARRIVED],
                mode="markers",
                showlegend=False,
                legendgroup=name,
                marker={"symbol": "circle", "size": 8, "color": colour},
                hovertemplate=f"<b>{name}</b><br>within 1% from step {way.arrived} on<extra></extra>",
            )
        if way.diverged:
            crosses(
                figure,
                steps[-1:],
                drawn[-1:],
                dark,
                marker=_cross(dark),
                legendgroup=name,
                hovertemplate=f"<b>{name}</b><br>diverged after step %{{x}}<extra></extra>",
                cliponaxis=False,
            )
    line = {"width": 1, "color": theme.grey(dark)}
    figure.add_shape(type="line", x0=0, x1=1, xref="x domain", y0=ARRIVED, y1=ARRIVED, line=line)
    figure.update_yaxes(range=[np.log10(bottom) - 0.15, np.log10(top) + 0.15], **theme.log_ticks(bottom, top))
    figure.update_xaxes(range=[0, info.steps * 1.02])
    figure.update_layout(legend={"y": -0.11})
    return figure
