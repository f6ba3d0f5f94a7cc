"""Small multiples: figures of one pair of axes each, laid out as one for a document.

On a page each panel is a separate chart, so that they stand beside or above each other as the screen allows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLUMNS: Final = 3
LEGEND: Final = 40
"""Pixels of a panel's height that its legend takes, which all of them then share."""
_ROOM: Final = (0.09, 62)
"""Between two panels: as a share of the width, in pixels of the height."""


def together(figures: Sequence[go.Figure], *, columns: int = COLUMNS) -> go.Figure:
    """One figure of all panels, row by row, with the legend of the first.

    Args:
        figures: With one pair of axes each, a title, and layouts from `theme.layout`.
        columns: Panels in a row at most.

    Raises:
        ValueError: There is none.
    """
    import plotly.graph_objects as go

    if not figures:
        raise ValueError("figures: none is not allowed; allowed: one or more")
    across = min(columns, len(figures))
    rows = math.ceil(len(figures) / across)
    panel_height = max(int(figure.layout.height or 300) for figure in figures) - LEGEND
    height = panel_height * rows + _ROOM[1] * (rows - 1)
    wide = (1 - _ROOM[0] * (across - 1)) / across
    tall, below = panel_height / height, _ROOM[1] / height
    base = figures[0].layout.to_plotly_json()
    names = ("paper_bgcolor", "plot_bgcolor", "font", "hovermode", "hoverlabel", "legend")
    figure = go.Figure(layout={name: base[name] for name in names if name in base} | {"height": height})
    for place, panel in enumerate(figures):
        row, column = divmod(place, across)
        suffix = "" if place == 0 else f"{place + 1}"
        left, top = column * (wide + _ROOM[0]), 1 - row * (tall + below)
        for trace in panel.data:
            data = trace.to_plotly_json() | {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
            if not isinstance(trace, go.Image):  # which stands in no legend
                data["showlegend"] = place == 0 and bool(trace.name) and trace.showlegend is not False
            figure.add_trace(data)
        layout = panel.layout.to_plotly_json()
        x: dict[str, Any] = layout.get("xaxis", {}) | {"domain": [left, min(1.0, left + wide)], "anchor": f"y{suffix}"}
        y: dict[str, Any] = layout.get("yaxis", {}) | {"domain": [max(0.0, top - tall), top], "anchor": f"x{suffix}"}
        if "scaleanchor" in y:
            y["scaleanchor"] = f"x{suffix}"
        figure.update_layout({f"xaxis{suffix}": x, f"yaxis{suffix}": y})
        title = (panel.layout.title.text if panel.layout.title else None) or ""
        figure.add_annotation(
            text=title,
            x=left,
            xref="paper",
            xanchor="left",
            y=top,
            yref="paper",
            yanchor="bottom",
            showarrow=False,
            font={"size": 13},
        )
    figure.update_layout(margin={"l": 8, "r": 8, "t": 30, "b": 8}, legend={"y": -40 / height})
    return figure
