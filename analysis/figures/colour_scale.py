"""The colour scale of figures in which a colour stands for a loss: one hue, the better the stronger."""

from __future__ import annotations

import math
from typing import Any

from analysis.figures import theme


def colour_scale(title: str, low: float, high: float, *, log: bool, dark: bool) -> dict[str, Any]:
    """The `colorscale` of a plotly trace, from the strong colour to the pale one, and its `colorbar`.

    Args:
        title: What the colours stand for.
        low: The smallest value, in its own units.
        high: The largest.
        log: Whether the trace holds the values' decimal logarithms; the ticks are in the values' own units.
        dark: Whether the page is dark.
    """
    middle, pale = ("#464c9e", "#262b33") if dark else ("#8fb4e8", "#e9edf2")
    bar: dict[str, Any] = {
        "thickness": 9,
        "len": 1.0,
        "x": 1.01,
        "outlinewidth": 0,
        "tickfont": {"size": 11},
        "title": {"text": theme.plain(theme.shortened(title, 30)), "side": "right", "font": {"size": 12}},
    }
    if log:
        values = [value for value in theme.log_ticks(low, high)["tickvals"] if low * 0.99 <= value <= high * 1.01]
        if len(values) < 3:  # too short a range for round numbers: its ends and its middle
            values = [low, math.sqrt(low * high), high]
        bar |= {"tickvals": [math.log10(value) for value in values], "ticktext": [f"{value:.2g}" for value in values]}
    return {"colorscale": [[0, theme.palette(dark)[0]], [0.5, middle], [1, pale]], "colorbar": bar}
