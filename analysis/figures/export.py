"""Figures for a document: the caption that says what they show, of how many, and how to make them again.

Making a picture of a plotly figure takes a browser. The reader has one open, so the figure is laid out here (white, of
fixed size, its caption in it) and saved there, as SVG or PNG, by plotly's own button.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from analysis.figures import theme
from tracking.legible import legible

if TYPE_CHECKING:
    import plotly.graph_objects as go

WIDTH: Final = 1000
LINE: Final = 138
"""So many letters of the caption fit into one line."""
FORMATS: Final = ("svg", "png")


@dataclass(frozen=True)
class Caption:
    """What a figure has to say of itself."""

    shows: str
    """`val/loss against the epoch, 3 groups`."""
    n: str
    """`n=8 seeds each`."""
    interval: str
    """What the bands are; nothing where there is none."""
    protocol: str
    """Which sweeps or runs it is of, at which commit."""
    reproduce: str
    """How to make it again."""

    @property
    def text(self) -> str:
        """All of it, one sentence after another."""
        interval = f"Intervals: {self.interval}" if self.interval else "No interval is drawn"
        parts = [self.shows, self.n, interval, self.protocol, f"To make it again: {self.reproduce}"]
        return " ".join(part.rstrip(".") + "." for part in parts if part)


def sizes(counts: Sequence[int], what: str = "seed") -> str:
    """`n=8 seeds each`, `n=3 to 8 seeds`."""
    distinct = sorted(set(counts))
    if not distinct:
        return ""
    if len(distinct) == 1:
        ending = " each" if len(counts) > 1 else ""
        return f"n={distinct[0]} {what}{'' if distinct[0] == 1 else 's'}{ending}"
    return f"n={distinct[0]} to {distinct[-1]} {what}s"


def for_document(figure: go.Figure, caption: Caption) -> go.Figure:
    """A copy of a light figure on white, with its caption below it."""
    import plotly.graph_objects as go

    copy = go.Figure(figure)
    lines = textwrap.wrap(caption.text, LINE, break_on_hyphens=False)
    height = int(copy.layout.height or 420)
    legend = sum(bool(trace.get("name")) and trace.get("showlegend") is not False for trace in copy.to_dict()["data"])
    # The legend takes a line for about four entries of such a width.
    legend_height = 70 + 22 * -(-legend // 4 if legend else 0)
    foot = legend_height + 17 * len(lines) + 16
    margin = copy.layout.margin.to_plotly_json() if copy.layout.margin else {}
    copy.update_layout(
        width=WIDTH,
        height=height + foot,
        margin={"l": 72, "r": max(24, margin.get("r") or 0), "t": max(24, margin.get("t") or 0), "b": foot + 8},
        paper_bgcolor=theme.BACKGROUND["light"],
        plot_bgcolor=theme.BACKGROUND["light"],
    )
    copy.add_annotation(
        text="<br>".join(theme.plain(line) for line in lines),
        xref="paper",
        yref="paper",
        x=0,
        y=0,
        xanchor="left",
        yanchor="top",
        yshift=-legend_height,
        align="left",
        showarrow=False,
        font={"size": 12, "color": "#4a515c"},
    )
    return copy


def button(name: str, format: str, height: int) -> dict[str, Any]:
    """Plotly's configuration: one button that saves the figure.

    Args:
        name: The name of the file, without its ending.
        format: One of FORMATS.
        height: The height of the figure; its width is WIDTH, however narrow the screen.
    """
    if format not in FORMATS:
        raise ValueError(f"format: {format!r} is not allowed; allowed: {', '.join(FORMATS)}")
    safe = (
        "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)[:80].strip("-.") or "figure"
    )
    return {
        "displaylogo": False,
        "displayModeBar": True,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {
            "format": format,
            "filename": safe,
            "scale": 1 if format == "svg" else 2,
            "width": WIDTH,
            "height": height,
        },
    }


def csv(frame: pd.DataFrame, caption: Caption | None = None) -> bytes:
    """A table as CSV in UTF-8, its caption in a comment above it.

    A cell that a spreadsheet would run as a formula is quoted by an apostrophe, and all text is legible.
    """

    def harmless(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return legible(f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value)

    table = frame.copy()
    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            table[name] = table[name].map(harmless)
    table.columns = [harmless(str(name)) for name in table.columns]
    head = f"# {legible(' '.join(caption.text.split()))}\n" if caption else ""
    return (head + table.to_csv(index=False)).encode()
