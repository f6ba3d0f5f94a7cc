"""One run's metrics over its steps: one panel per quantity, so that training and validation stand in the same one.

What is no number is not drawn and not padded: a red cross marks the last finite point before it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.traces import crosses, mean_line, thin
from analysis.figures.vertical_range import Span, fit, span_of
from analysis.runs.metric_roles import SYSTEM, TEST, TRAIN, VALIDATION, Role, is_part, ordered
from analysis.runs.references import Reference
from analysis.runs.steps_and_times import (
    Repeats,
    clock_sentence,
    in_time,
    latest,
    mixed_steps_sentence,
    repeats,
    repeats_sentence,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

FARTHEST_BELOW: Final = 1000
"""A logarithmic axis shows references down to the lowest value of the curves divided by this."""
LEGEND: Final = {"yref": "container", "y": 0, "yanchor": "bottom"}
"""At the foot of the figure: below a plot of few pixels, a share of its height would be no room."""
REFERENCE_WIDTH: Final = 1.3
"""The width of a reference's line, in pixels."""
_PLACES: Final = {VALIDATION: 0, TRAIN: 1, TEST: 2}


@dataclass(frozen=True)
class Trace:
    """One metric's points. `broken`: where a value was no number, the last finite point before it."""

    metric: str
    part: str
    steps: np.ndarray
    seconds: np.ndarray
    values: np.ndarray
    broken: list[int]
    """Places in the points above."""
    repeats: Repeats | None = None
    """The steps that were logged more than once, if some were."""
    misdated: float | None = None
    """A time of a value that cannot be when the run trained (milliseconds); None where all times can."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes, and the metrics of one quantity on it."""

    title: str
    traces: list[Trace]
    references: tuple[Reference, ...] = ()
    """The references that are drawn beside the curves, where they have a value of one of the metrics."""

    @property
    def positive(self) -> bool:
        """Whether a logarithmic axis can show all of it."""
        return all(bool((trace.values > 0).all()) for trace in self.traces)

    @property
    def over_time(self) -> Panel:
        """The panel without the metrics that have no place on an axis of time."""
        return replace(self, traces=[trace for trace in self.traces if trace.misdated is None])

    def span(self, log: bool) -> Span | None:
        """The vertical axis that the curves and references need; None where there is nothing to draw."""
        levels = [level for _, _, level in self.levels(log)]
        return span_of([*(trace.values for trace in self.traces), np.array(levels)], log)

    def levels(self, log: bool) -> list[tuple[Reference, Trace, float]]:
        """The lines of the references: each with the curve that it belongs to and its height.

        On a logarithmic axis those far below all curves are left out: an exact fit, of 1e-30, would leave the curves
        one line at the top.
        """
        lowest = min((float(trace.values.min()) for trace in self.traces), default=0.0)
        least = lowest / FARTHEST_BELOW if log else -math.inf
        return [
            (reference, trace, reference.values[trace.metric])
            for reference in self.references
            for trace in self.traces
            if reference.values.get(trace.metric, math.nan) >= least  # NaN is not
        ]

    @property
    def flat(self) -> bool:
        """Whether nothing changes."""
        return all(bool((trace.values == trace.values[0]).all()) and not trace.broken for trace in self.traces)


def quantity(name: str, role: Role) -> str:
    """What a metric measures, whatever data it is of: `val/loss` and `train_loss` -> loss."""
    if role.part == SYSTEM:
        return name
    pieces = [piece for piece in re.split(r"[/_. :-]+", name) if piece]
    rest = [piece for piece in pieces if not is_part(piece)]
    return " ".join(rest) if rest and len(rest) < len(pieces) else name


def quantities(roles: Mapping[str, Role]) -> dict[str, list[str]]:
    """Quantity -> its metrics, the most telling first."""
    result: dict[str, list[str]] = {}
    for name in ordered(roles):
        result.setdefault(quantity(name, roles[name]), []).append(name)
    return result


def _misdated(histories: pd.DataFrame, start: float | None, end: float | None) -> dict[str, float]:
    """Metric -> a time of it that cannot be when the run trained."""
    wrong = {}
    for metric, first, last in histories.groupby("key")["time"].agg(["min", "max"]).itertuples():
        begin = first if start is None else start
        if not in_time(first, last, begin, math.nan if end is None else end):
            wrong[str(metric)] = float(first if first < begin else last)
    return wrong


def panel_info(
    title: str,
    metrics: Sequence[str],
    histories: pd.DataFrame,
    roles: Mapping[str, Role],
    *,
    start: float | None = None,
    end: float | None = None,
    references: Sequence[Reference] = (),
) -> Panel:
    """The points of a panel; metrics without a finite point are left out.

    Args:
        title: The quantity.
        metrics: Its metrics, in the order of the legend.
        histories: Long, of one run: key, step, time, value.
        roles: The role of each metric.
        start: When the run started, in milliseconds; None where that is not known.
        end: When it ended; None while it trains.
        references: What the run could at best reach, or has to beat.
    """
    misdated = _misdated(histories, start, end)
    well_dated = histories[~histories["key"].isin(list(misdated))]
    zero = int(well_dated["time"].min()) if len(well_dated) else 0
    traces = []
    for metric in metrics:
        history = histories[histories["key"] == metric]
        points = latest(history)
        values = points["value"].to_numpy(dtype=float)
        finite = np.isfinite(values)
        if not finite.any():
            continue
        before = np.cumsum(finite) - 1
        broken = sorted({int(place) for place in before[~finite] if place >= 0})
        seconds = (points["time"].to_numpy(dtype=float) - zero) / 1000
        steps = points["step"].to_numpy(dtype=float)
        part = roles[metric].part if metric in roles else ""
        repeated = repeats(metric, history)
        traces.append(
            Trace(metric, part, steps[finite], seconds[finite], values[finite], broken, repeated, misdated.get(metric))
        )
    drawn = {trace.metric for trace in traces}
    return Panel(title, traces, tuple(reference for reference in references if drawn & reference.values.keys()))


def notes_of(panels: Sequence[Panel], *, over_time: bool) -> str:
    """What misleads in how the metrics were logged, in sentences; nothing where nothing does.

    Args:
        panels: What is shown, single values included.
        over_time: Whether they are drawn over time, and else over steps.
    """
    traces = [trace for panel in panels for trace in panel.traces]
    sentences = [repeats_sentence([trace.repeats for trace in traces if trace.repeats is not None], "metrics")]
    if over_time:
        sentences += [
            clock_sentence([(trace.metric, trace.misdated) for trace in traces if trace.misdated is not None])
        ]
    else:
        sentences += [mixed_steps_sentence([(trace.metric, trace.steps) for trace in panel.traces]) for panel in panels]
    return " ".join(filter(None, sentences))


def _reference_lines(
    figure: go.Figure,
    levels: Sequence[tuple[Reference, Trace, float]],
    colours: Mapping[str, str],
    x: str,
    dark: bool,
) -> None:
    """Thin dashed lines, each in the colour of the curve that it belongs to, and one entry of the legend per name.

    Args:
        figure: The figure of a panel.
        levels: What to draw: see `Panel.levels`.
        colours: By metric, that of its curve.
        x: As in `plot_panel`.
        dark: Whether the page is dark.
    """
    for reference, trace, level in levels:
        name, metric = theme.plain(reference.name), theme.plain(theme.shortened(trace.metric))
        places, _ = thin(trace.seconds if x == "seconds" else trace.steps, trace.values)
        mean_line(
            figure,
            places,
            np.full(len(places), level),
            colours[trace.metric],
            dash="dash",
            width=REFERENCE_WIDTH,
            name=name,
            legendgroup=name,
            showlegend=False,
            hovertemplate=f"<b>{name}</b><br>{metric}: %{{y:.5g}}<extra></extra>",
        )
    for name in dict.fromkeys(theme.plain(reference.name) for reference, _, _ in levels):
        grey = theme.grey(dark)
        mean_line(figure, [None], [None], grey, dash="dash", width=REFERENCE_WIDTH, name=name, legendgroup=name)


def plot_panel(panel: Panel, *, dark: bool = False, log: bool = False, x: str = "step", height: int = 260) -> go.Figure:
    """The figure of a panel.

    Args:
        panel: What to draw.
        dark: Whether the page is dark.
        log: A logarithmic axis of values.
        x: "step", "epoch" or "seconds" since the first value.
        height: In pixels.
    """
    import plotly.graph_objects as go

    colours = theme.palette(dark)
    figure = go.Figure()
    taken: list[int] = []
    for trace in panel.traces:
        usual = _PLACES.get(trace.part, 3)
        place = usual if usual not in taken else next((k for k in range(len(colours)) if k not in taken), usual)
        taken.append(place)
        positions = trace.seconds if x == "seconds" else trace.steps
        places, y = thin(positions, trace.values)
        name = theme.plain(theme.shortened(trace.metric))
        unit = "%{x:.4g} s" if x == "seconds" else f"{x} %{{x}}"
        mean_line(
            figure,
            places,
            y,
            colours[place],
            width=2,
            size=4 if len(places) <= 30 else None,
            name=name,
            hovertemplate=f"<b>{name}</b><br>{unit}: %{{y:.5g}}<extra></extra>",
        )
        if trace.broken:
            hover = f"<b>{name}</b><br>no number after %{{x}}<extra></extra>"
            crosses(figure, positions[trace.broken], trace.values[trace.broken], dark, hovertemplate=hover)
    levels = panel.levels(log)
    metrics = [trace.metric for trace in panel.traces]
    drawn_in = {metric: colours[place] for metric, place in zip(metrics, taken, strict=True)}
    _reference_lines(figure, levels, drawn_in, x, dark)
    figure.update_layout(**theme.layout(dark, x=x, y=theme.shortened(panel.title), log_y=log, height=height))
    figure.update_layout(showlegend=len(panel.traces) > 1 or bool(levels), legend=LEGEND)
    if span := panel.span(log):
        fit(figure, span)
    return figure
