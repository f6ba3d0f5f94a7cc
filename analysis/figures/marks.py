"""What the figures along an axis mark beside their data: where training sets are fitted, and runs that diverged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from analysis.figures import theme
from analysis.figures.param_axis import Along

if TYPE_CHECKING:
    import plotly.graph_objects as go

EDGE: Final = "y9"
"""The axis of the crosses: from 0 to 1 over the frame, whatever the scale of the data."""


def threshold(figure: go.Figure, axis: Along, place: float, dark: bool) -> None:
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
        x=x, y=1, yref="paper", yanchor="bottom", xanchor="left" if right else "right", showarrow=False,
        font={"size": 11, "color": ink},
    )  # fmt: skip


def crosses(
    figure: go.Figure, places: Sequence[float], texts: Sequence[str], dark: bool, domain: Sequence[float] = (0.0, 1.0)
) -> None:
    """Red crosses along the upper edge of the frame, where runs diverged.

    Args:
        figure: What they are added to.
        places: Where on the horizontal axis.
        texts: `3 of 8 runs`, one a cross.
        dark: Whether the page is dark.
        domain: The part of the figure's height that the frame takes.
    """
    figure.add_scatter(
        x=list(places), y=[0.975] * len(places), yaxis=EDGE, mode="markers", name="diverged runs",
        marker={
            "symbol": "x-thin", "size": 9,
            "line": {"width": 2.5, "color": theme.DIVERGED["dark" if dark else "light"]},
        },
        customdata=list(texts), hovertemplate="%{customdata} diverged<extra></extra>",
    )  # fmt: skip
    figure.update_layout(
        yaxis9={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True, "domain": list(domain)}
    )
