"""The colours of the figures, one per method on every page, and the layout that all figures share.

Both palettes keep their members apart for normal sight, protanopia and deuteranopia, and stand out from the page's
background. What the palette cannot tell apart (an eighth method, two groups of one method) differs by its dash.
"""

from __future__ import annotations

import html
import math
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from tracking.legible import legible

# blue, ochre, green, plum, sky, brown, ink
LIGHT: Final = ("#1f6fd6", "#bd8620", "#3f9f7f", "#7d2a80", "#5a99cf", "#6b3d10", "#2a2d33")
DARK: Final = ("#6e78ff", "#f0cf4a", "#6fdc9a", "#c9688a", "#5cb0f2", "#cf6a1a", "#e6eef3")
BACKGROUND: Final = {"light": "#ffffff", "dark": "#121417"}
DIVERGED: Final = {"light": "#d92d20", "dark": "#ff6b5e"}
"""The red of diverged runs, used for nothing else in a figure."""
DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")

_FIXED: Final[dict[str, int]] = {
    # the plain choice of its kind is ink, its usual rival blue
    **{"adam": 0, "rmsprop": 1, "adagrad": 2, "adamw": 3, "momentum": 4, "nesterov": 5, "sgd": 6},
    **{"relu": 0, "sigmoid": 1, "tanh": 2, "gelu": 3, "leaky_relu": 4, "prelu": 5, "identity": 6},
    **{"he": 0, "normal": 1, "xavier": 2, "zeros": 6, "none": 6},
    **{"cosine": 0, "step": 1, "exponential": 2, "inverse_time": 3, "constant": 6},
    **{"mlp": 0, "softmax_regression": 1, "logistic_regression": 2, "linear_regression": 6},
}


def colour_indices(names: Iterable[str]) -> dict[str, int]:
    """Name -> place in the palette.

    A known method has its own place. Another name takes the place that its spelling gives, or the next free one, so
    that a name keeps its colour from page to page; more names than colours share them.
    """
    unique = sorted(set(names))
    places = {name: _FIXED[name] for name in unique if name in _FIXED}
    for name in (name for name in unique if name not in _FIXED):
        usual = zlib.crc32(name.encode()) % len(LIGHT)
        free = [(usual + k) % len(LIGHT) for k in range(len(LIGHT))]
        places[name] = next((place for place in free if place not in places.values()), usual)
    return places


def palette(dark: bool) -> tuple[str, ...]:
    """The colours for that background."""
    return DARK if dark else LIGHT


def ink(dark: bool) -> str:
    """The colour of what belongs to no method."""
    return palette(dark)[6]


def grey(dark: bool) -> str:
    """The colour of what is beside the point."""
    return "#8a929e" if dark else "#7b838f"


def background(dark: bool) -> str:
    """The colour of the page."""
    return BACKGROUND["dark" if dark else "light"]


def diverged(dark: bool) -> str:
    """The red of diverged runs."""
    return DIVERGED["dark" if dark else "light"]


def line_looks(methods: Sequence[str], dark: bool) -> list[tuple[str, str]]:
    """Colour and dash of each line, by its method: lines of one colour differ by their dash."""
    places = colour_indices(methods)
    chosen = [places[method] for method in methods]
    return [(palette(dark)[place], dash) for place, dash in zip(chosen, dashes(chosen), strict=True)]


def translucent(colour: str, alpha: float) -> str:
    """`#rrggbb` with an opacity, as plotly takes it."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def plain(text: Any) -> str:
    """`text` for a plotly label: legible, and not read as HTML."""
    return html.escape(legible(str(text)), quote=False)


def shortened(text: str, length: int = 48) -> str:
    """`text` cut in its middle to `length` characters."""
    if len(text) <= length:
        return text
    head = (length - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def layout(dark: bool, *, x: str, y: str, log_y: bool = False, height: int = 380) -> dict[str, Any]:
    """The layout of a figure with one pair of axes.

    Args:
        dark: Whether the page is dark.
        x: What the horizontal axis shows, with its unit.
        y: What the vertical axis shows.
        log_y: A logarithmic vertical axis.
        height: In pixels.
    """
    ink = "#c4c9d1" if dark else "#4a515c"
    grid = "rgba(255,255,255,0.08)" if dark else "rgba(20,24,31,0.08)"
    title = {"font": {"size": 12, "color": ink}, "standoff": 8}
    axis: dict[str, Any] = {
        "gridcolor": grid,
        "linecolor": grid,
        "zeroline": False,
        "ticks": "",
        "automargin": True,
        "tickfont": {"size": 12, "color": ink},
    }
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "'Source Sans', 'Source Sans Pro', system-ui, sans-serif", "size": 13, "color": ink},
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": "#23272e" if dark else "#ffffff",
            "bordercolor": grid,
            "font": {"color": "#e6e8ec" if dark else "#1b1f24", "size": 12},
            "namelength": 0,
            "align": "left",
        },
        "showlegend": True,
        "legend": {
            "orientation": "h",
            "yanchor": "top",
            "y": -0.14,
            "x": 0,
            "font": {"size": 12, "color": ink},
            "itemclick": "toggle",
            "itemdoubleclick": "toggleothers",
        },
        "xaxis": axis | {"title": title | {"text": plain(x)}, "showgrid": False},
        "yaxis": axis | {"title": title | {"text": plain(y)}} | ({"type": "log"} if log_y else {}),
    }


def _even_ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks at even distances: between 6 and 9 a logarithmic axis has none of 1, 2, 5."""
    unit = 10.0 ** math.floor(math.log10((high - low) / 2))
    step = next(factor * unit for factor in (1, 2, 5, 10) if (high - low) / (factor * unit) <= 5)
    places = range(math.ceil(low / step - 0.2), math.floor(high / step + 0.2) + 1)
    values = [place * step for place in places]
    return {"tickmode": "array", "tickvals": values, "ticktext": [f"{value:.6g}" for value in values]}


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks of a logarithmic axis with their whole value: plotly's own say 5 where they mean 0.05.

    Args:
        low: The smallest value shown, positive.
        high: The largest.
    """
    if low < high < 4 * low:
        return _even_ticks(low, high)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 3 else (1,)
    stride = 1 if last - first <= 12 else math.ceil((last - first) / 8)
    values = [step * 10.0**power for power in range(first, last + 1, stride) for step in steps]
    return {"tickmode": "array", "tickvals": values, "ticktext": [f"{value:g}" for value in values]}


def dashes(keys: Sequence[int]) -> list[str]:
    """One dash per line, so that lines of one colour differ: the k-th line of a colour has the k-th dash."""
    counts: dict[int, int] = {}
    chosen = []
    for key in keys:
        chosen.append(DASHES[counts.get(key, 0) % len(DASHES)])
        counts[key] = counts.get(key, 0) + 1
    return chosen
