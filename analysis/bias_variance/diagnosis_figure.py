"""The figures of a diagnosis: the errors of one group as a waterfall, the gaps of all groups side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from analysis.bias_variance.diagnosis import BIAS, MISMATCH, REFERENCE, VARIANCE, Diagnosis, Finding
from analysis.figures import theme, traces
from analysis.statistics import Interval, number, plus_minus

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLOURS: Final = {BIAS: 0, VARIANCE: 1, MISMATCH: 3}
"""Fault -> its place in the palette: bias and variance as in the decomposition."""
MOST_ROWS: Final = 40
"""Groups of a sweep that are drawn at most."""


def _grey(dark: bool) -> str:
    return "#59616d" if dark else "#b4bac4"


def _crosses(figure: go.Figure, rows: Sequence[int], texts: Sequence[str], dark: bool) -> None:
    """Red crosses at the right edge, whatever the scales below them."""
    traces.crosses(
        figure,
        [1.0] * len(rows),
        list(rows),
        dark,
        name="diverged runs",
        xaxis="x9",
        customdata=list(texts),
        hovertemplate="%{customdata} diverged<extra></extra>",
    )
    edge = {"overlaying": "x", "range": [0, 1.015], "visible": False, "domain": [0, 1], "fixedrange": True}
    figure.update_layout(xaxis9=edge)


def _bar(figure: go.Figure, y: int, size: float, colour: str, text: str, base: float = 0.0) -> None:
    figure.add_bar(
        y=[y], x=[size], base=[base], orientation="h", width=0.52, showlegend=False, marker={"color": colour},
        hovertemplate=f"{text}<extra></extra>",
    )  # fmt: skip


def _spread(figure: go.Figure, y: int, values: Sequence[float], interval: Interval, base: float, ink: str) -> None:
    """The seeds of a bar as dots, and its interval at its end."""
    heights = [y + (k * 0.618 % 1 - 0.5) * 0.3 for k in range(len(values))]
    traces.seed_dots(figure, [base + value for value in values], heights, ink, opacity=0.55, hoverinfo="skip")
    if interval.n:
        figure.add_scatter(
            x=[base + interval.mean],
            y=[y],
            mode="markers",
            marker={"size": 6, "symbol": "line-ns", "line": {"width": 2, "color": ink}},
            error_x=traces.error_bars(traces.halves([interval]), colour=ink, thickness=2, width=5),
            showlegend=False,
            hoverinfo="skip",
        )


def plot_waterfall(
    info: Diagnosis, names: Mapping[str, str], *, dark: bool = False, height: int | None = None
) -> go.Figure:
    """From the reference to the validation error, one bar per gap, with seed dots and intervals.

    Args:
        info: Of one group.
        names: Slot -> what its metric is called.
        dark: Whether the page is dark.
        height: In pixels; by the rows if not given.
    """
    import plotly.graph_objects as go

    figure, palette = go.Figure(), theme.palette(dark)
    ink, rows = palette[6], [REFERENCE]
    _bar(figure, 0, info.reference, _grey(dark), f"reference {number(info.reference)}")
    for gap in info.gaps:
        start = info.reference if gap.start == REFERENCE else info.levels[gap.start].mean
        level, place = info.levels[gap.end], len(rows)
        rows += [gap.fault, names.get(gap.end) or gap.end]
        shade = theme.translucent(palette[COLOURS[gap.fault]], 0.9 if gap.finding is Finding.FAULT else 0.4)
        _bar(figure, place, gap.interval.mean, shade, f"{gap.fault} {plus_minus(gap.interval)}<br>{gap.finding}", start)
        _spread(figure, place, gap.values, gap.interval, start, ink)
        _bar(figure, place + 1, level.mean, _grey(dark), f"{theme.plain(rows[-1])} {plus_minus(level)}")
        _spread(figure, place + 1, info.dots[gap.end], level, 0.0, ink)
        figure.add_annotation(
            x=1, xref="paper", xanchor="right", y=place - 0.46, yanchor="middle", showarrow=False,
            text=f"{plus_minus(gap.interval)} · {gap.finding}", font={"size": 11},
        )  # fmt: skip
    if info.diverged:
        _crosses(figure, [len(rows) - 1], [f"{info.diverged} of {info.runs} runs"], dark)
    figure.update_layout(**theme.layout(dark, x="error", y="", height=height or 90 + 50 * len(rows)))
    figure.update_layout(barmode="overlay", showlegend=bool(info.diverged), uirevision=info.group)
    figure.update_yaxes(
        tickmode="array", tickvals=list(range(len(rows))), showgrid=False, range=[len(rows) - 0.4, -0.7],
        ticktext=[theme.plain(theme.shortened(row, 24)) for row in rows],
    )  # fmt: skip
    figure.update_xaxes(showgrid=True, zeroline=True, zerolinecolor=_grey(dark), selector={"overlaying": None})
    return figure


def _panels(diagnoses: Sequence[Diagnosis]) -> dict[str, str]:
    """Fault -> the axis of its panel, of the faults that were measured."""
    measured = {gap.fault for diagnosis in diagnoses for gap in diagnosis.gaps}
    faults = [fault for fault in COLOURS if fault in measured]
    return {fault: f"x{k + 1 if k else ''}" for k, fault in enumerate(faults)}


def _panel(figure: go.Figure, drawn: Sequence[Diagnosis], fault: str, axis: str, dark: bool) -> None:
    """The dots, means and intervals of one gap, one row per group, and the threshold."""
    colour, ink = theme.palette(dark)[COLOURS[fault]], theme.ink(dark)
    rows = [(y, gap) for y, group in enumerate(drawn) for gap in group.gaps if gap.fault == fault and gap.values]
    dots = [(y, value) for y, gap in rows for value in gap.values]
    traces.seed_dots(
        figure,
        [value for _, value in dots],
        [y for y, _ in dots],
        ink,
        size=4,
        opacity=0.4,
        xaxis=axis,
        hovertemplate="%{x:.4g}<extra></extra>",
    )
    for is_fault in (True, False):
        gaps = [(y, gap) for y, gap in rows if (gap.finding is Finding.FAULT) is is_fault]
        traces.mean_dots(
            figure,
            [gap.interval.mean for _, gap in gaps],
            [y for y, _ in gaps],
            colour,
            filled=is_fault,
            error_x=traces.error_bars(traces.halves([gap.interval for _, gap in gaps]), colour=colour, thickness=2),
            xaxis=axis,
            showlegend=False,
            customdata=[
                (theme.plain(drawn[y].label), plus_minus(gap.interval), gap.finding, gap.interval.n) for y, gap in gaps
            ],
            hovertemplate="<b>%{customdata[0]}</b><br>"
            f"{fault} %{{customdata[1]}} (n=%{{customdata[3]}})<br>%{{customdata[2]}}<extra></extra>",
        )
    figure.add_shape(
        type="line", xref=axis, x0=drawn[0].threshold, x1=drawn[0].threshold, yref="paper", y0=0, y1=1,
        line={"color": ink, "width": 1.2, "dash": "dash"},
    )  # fmt: skip


def plot_gaps(diagnoses: Sequence[Diagnosis], *, dark: bool = False, height: int | None = None) -> go.Figure:
    """One panel per gap, one row per group: seed dots, the mean and its interval, filled where it is a fault.

    Args:
        diagnoses: The groups, in the order of their rows; the first MOST_ROWS are drawn.
        dark: Whether the page is dark.
        height: In pixels; by the rows if not given.
    """
    import plotly.graph_objects as go

    figure, drawn = go.Figure(), list(diagnoses)[:MOST_ROWS]
    panels = _panels(drawn)
    base = theme.layout(dark, x="", y="", height=height or 120 + 44 * len(drawn))
    figure.update_layout(**base)
    ink, share = base["font"]["color"], 1 / max(len(panels), 1)
    notes: list[dict[str, Any]] = []
    for k, (fault, axis) in enumerate(panels.items()):
        domain = [share * k + 0.025 * bool(k), share * (k + 1) - 0.025 * (k < len(panels) - 1)]
        look = {"domain": domain, "anchor": "y", "showgrid": True, "nticks": 4, "tickangle": 0, "zeroline": True}
        figure.update_layout({f"xaxis{axis[1:]}": base["xaxis"] | look | {"zerolinecolor": _grey(dark), "title": None}})
        notes.append({
            "text": f"<b>{fault}</b>", "xref": f"{axis} domain", "x": 0, "xanchor": "left", "yref": "paper", "y": 1,
            "yanchor": "bottom", "showarrow": False, "font": {"size": 12, "color": ink},
        })  # fmt: skip
        _panel(figure, drawn, fault, axis, dark)
    diverged = [(y, group) for y, group in enumerate(drawn) if group.diverged]
    if diverged:
        _crosses(
            figure, [y for y, _ in diverged], [f"{group.diverged} of {group.runs} runs" for _, group in diverged], dark
        )
    ground = theme.translucent(theme.background(dark), 0.85)
    # Above its row and not beside it: on a phone names would leave the figure no room.
    notes += [
        {
            "text": theme.plain(theme.shortened(group.label, 46)), "x": 0, "xref": "paper", "xanchor": "left",
            "y": y - 0.42, "yanchor": "middle", "showarrow": False, "font": {"size": 11, "color": ink},
            "bgcolor": ground, "borderpad": 0,
        }
        for y, group in enumerate(drawn)
    ]  # fmt: skip
    figure.update_yaxes(visible=False, range=[len(drawn) - 0.55, -0.75])
    figure.update_layout(showlegend=bool(diverged), margin={"l": 8, "r": 8, "t": 26, "b": 8}, annotations=notes)
    return figure


def reading(diagnoses: Sequence[Diagnosis]) -> str:
    """How to read these figures; plain text."""
    most = max(diagnoses, key=lambda diagnosis: diagnosis.n)
    words = [f"Dots are {most.over}, lines {most.basis}" if most.n >= 3 else f"Dots are {most.over}"]
    tests = "its test, corrected for all of them, agrees" if most.tests > 1 else "its test agrees"
    words += [f"a gap is a fault, drawn full, if its whole interval lies above {number(most.threshold, 3)} and {tests}"]
    words += ["groups of one or two have dots only"] if min(diagnosis.n for diagnosis in diagnoses) < 3 else []
    words += [f"the first {MOST_ROWS} groups are drawn"] if len(diagnoses) > MOST_ROWS else []
    return "; ".join(words) + "."
