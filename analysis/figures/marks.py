"""What figures mark beside their data: where training sets are fitted, what stands at the edge, the titles of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from analysis.figures import theme
from analysis.figures.param_axis import ParamAxis
from analysis.figures.traces import cross

if TYPE_CHECKING:
    import plotly.graph_objects as go

EDGE: Final = 0.985
"""Where diverged trials stand, as a share of the figure's height from its better end: they have no value."""


def threshold(figure: go.Figure, axis: ParamAxis, place: float, dark: bool) -> None:
    """A dashed line just before the first place from which on training sets are fitted."""
    ink = theme.layout(dark, x="", y="")["font"]["color"]
    before = [other for other in axis.places if other < place]
    # Between the last that does not fit and the first that does: on the place itself it would hide what stands there.
    x = (before[-1] + place) / 2 if before else place - axis.room(place) / 2
    figure.add_shape(
        type="line", x0=x, x1=x, y0=0, y1=1, yref="paper", line={"color": ink, "width": 1.2, "dash": "dash"}
    )
    right = x < (axis.places[0] + axis.places[-1]) / 2
    figure.add_annotation(
        text="fits its training set →",
        x=x,
        y=1,
        yref="paper",
        yanchor="bottom",
        xanchor="left" if right else "right",
        showarrow=False,
        font={"size": 11, "color": ink},
    )


def frame_axis(figure: go.Figure, axis: str = "y2", domain: Sequence[float] | None = None) -> None:
    """A hidden vertical axis from 0 to 1 over the frame, whatever the scale of the data.

    Args:
        figure: What it is added to.
        axis: How traces name it.
        domain: The part of the figure's height that the frame takes; all of it if not given.
    """
    hidden = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
    figure.update_layout({f"yaxis{axis[1:]}": hidden | ({"domain": list(domain)} if domain else {})})


def at_edge(
    figure: go.Figure,
    x: Any,
    marker: Mapping[str, Any],
    *,
    y: float | Sequence[float] = EDGE,
    name: str,
    **trace: Any,
) -> None:
    """Markers of what has no place on the scale, at the upper edge of the frame.

    Args:
        figure: What they are added to.
        x: Where they stand on the horizontal axis.
        marker: How they look.
        y: Where on the frame, 0 at its foot and 1 at its top: one for all, or one per marker.
        name: What the legend calls them.
        trace: More for plotly.
    """
    heights = [y] * len(x) if isinstance(y, int | float) else y
    figure.add_scatter(x=x, y=heights, **({"mode": "markers", "yaxis": "y2", "name": name, "marker": marker} | trace))
    frame_axis(figure)


def edge_crosses(
    figure: go.Figure, places: Sequence[float], texts: Sequence[str], dark: bool, domain: Sequence[float] = (0.0, 1.0)
) -> None:
    """Red crosses along the upper edge of the frame, where runs diverged, on an axis of their own beside any others.

    Args:
        figure: What they are added to.
        places: Where on the horizontal axis.
        texts: `3 of 8 runs`, one per cross.
        dark: Whether the page is dark.
        domain: The part of the figure's height that the frame takes.
    """
    figure.add_scatter(
        x=list(places),
        y=[0.975] * len(places),
        yaxis="y9",
        mode="markers",
        name="diverged runs",
        marker=cross(dark),
        customdata=list(texts),
        hovertemplate="%{customdata} diverged<extra></extra>",
    )
    frame_axis(figure, "y9", domain)


def row_title(figure: go.Figure, y: float, text: str, **font: Any) -> None:
    """The title of a row at the left of the frame.

    It stands above its row and not beside it: on a phone names beside their rows would leave the figure no room.
    """
    figure.add_annotation(
        text=theme.plain(text),
        x=0,
        xref="paper",
        xanchor="left",
        y=y,
        yanchor="middle",
        showarrow=False,
        align="left",
        font=font or None,
    )
