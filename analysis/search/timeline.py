"""When each run was trained, and how busy the workers were.

Where nothing ran for long (a pause, a night before the sweep was extended) the time is cut out and the cut marked.

A run does not say which worker trained it. Runs are laid into as few lanes as they fit without overlapping, each into
the first that is free: as many lanes as runs were trained at one time, which is how many workers there were at most.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from analysis.figures import theme
from analysis.runs.ranking import RUNNING
from analysis.statistics import number
from tracking.schema import CONFIRM_PHASE, Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST: Final = 3000
"""The latest so many bars are drawn: with more nothing could be made out."""
SHORT: Final = {"hours": "h", "minutes": "min", "seconds": "s"}
LABELLED_CUTS: Final = 4
LONG_IDLE: Final = 0.05
"""Idle time is cut out if it is longer than this share of the time in which something ran."""
UNITS: Final = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))


@dataclass(frozen=True)
class RunSpan:
    """One run on the timeline, in seconds since the first run began."""

    run_id: str
    name: str
    outcome: str
    confirms: bool
    counts: bool
    start: float
    end: float
    lane: int
    cut: float
    """Idle seconds before it that are cut out of the figure."""

    @property
    def drawn(self) -> float:
        """Where it begins in the figure."""
        return self.start - self.cut

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


@dataclass(frozen=True)
class TimelineInfo:
    """What `plot_timeline` draws."""

    spans: list[RunSpan]
    """The runs in the order in which they began."""
    lanes: int
    """The largest number of runs that were trained at one time."""
    cuts: list[tuple[float, float]]
    """(where it lies in the figure, how many seconds are cut out there)."""

    @property
    def length(self) -> float:
        """Seconds that the figure shows."""
        return max((span.drawn + span.seconds for span in self.spans), default=0.0)

    @property
    def busy(self) -> float:
        """The share of the lanes' time, without what is cut out, in which a run was trained; 0 without any."""
        whole = self.lanes * self.length
        return sum(span.seconds for span in self.spans) / whole if whole else 0.0

    @property
    def unit(self) -> tuple[str, float]:
        """What the axis counts, and its seconds."""
        return next((unit for unit in UNITS if self.length >= 2 * unit[1]), UNITS[-1])

    @property
    def sentence(self) -> str:
        """How many ran at one time, and how busy: plain text."""
        many = f"{self.lanes} runs at one time" if self.lanes > 1 else "one run at a time"
        name, seconds = self.unit
        text = f"At most {many}; over {number(self.length / seconds, 2)} {name} the lanes were busy {self.busy:.0%}"
        if self.cuts:
            text += f", without {_time(sum(seconds for _, seconds in self.cuts))} in which nothing ran"
        if repeated := sum(not span.counts for span in self.spans):
            text += f"; {repeated} pale {'runs were' if repeated > 1 else 'run was'} trained again"
        return f"{text}."


def _time(seconds: float) -> str:
    """`35 minutes`."""
    name, unit = next((candidate for candidate in UNITS if seconds >= 2 * candidate[1]), UNITS[-1])
    return f"{number(seconds / unit, 2)} {name}"


def _short(seconds: float) -> str:
    """`35 min`, for a place between bars."""
    value, name = _time(seconds).split()
    return f"{value} {SHORT[name]}"


def cuts_of(starts: Sequence[float], ends: Sequence[float]) -> tuple[list[float], list[tuple[float, float]]]:
    """What is cut out where nothing ran for long: more than LONG_IDLE of the time in which something did.

    Args:
        starts: In ascending order.
        ends: Each at or after its start.

    Returns:
        The seconds cut out before each span, and (where in the figure, how many seconds) of each cut.
    """
    gaps, trained, until = [0.0] * len(starts), 0.0, starts[0] if starts else 0.0
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        gaps[place] = max(0.0, start - until)
        trained += max(0.0, end - max(start, until))
        until = max(until, end)
    cut, before, marks = 0.0, [], []
    for start, gap in zip(starts, gaps, strict=True):
        if gap > LONG_IDLE * trained > 0:
            shown = LONG_IDLE / 2 * trained
            cut += gap - shown
            marks.append((start - cut - shown / 2, gap - shown))
        before.append(cut)
    return before, marks


def lanes_of(starts: Sequence[float], ends: Sequence[float]) -> list[int]:
    """The lane of each span: the lowest that is free when it begins.

    Args:
        starts: In ascending order.
        ends: Each at or after its start; a span may begin where another ends.
    """
    busy: list[tuple[float, int]] = []
    free: list[int] = []
    lanes, count = [], 0
    for start, end in zip(starts, ends, strict=True):
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lane = heapq.heappop(free)
        else:
            lane, count = count, count + 1
        heapq.heappush(busy, (end, lane))
        lanes.append(lane)
    return lanes


def timeline_info(runs: pd.DataFrame, now_ms: float) -> TimelineInfo:
    """When each run was trained.

    Args:
        runs: One row per run, those that do not count too: run_id, name, outcome, counts, phase, start_time, end_time
            (milliseconds, missing while it runs).
        now_ms: The present: where runs end that have not ended.
    """
    if not len(runs):
        return TimelineInfo([], 0, [])
    ends = pd.to_numeric(runs["end_time"], errors="coerce").astype(float).fillna(now_ms)
    frame = runs.assign(start=runs["start_time"].astype(float), end=ends).sort_values(["start", "run_id"])
    first = float(frame["start"].min())
    starts = ((frame["start"] - first) / 1000).tolist()
    # A clock that was set back must not make a run end before it began.
    stops = [max(start, (end - first) / 1000) for start, end in zip(starts, frame["end"], strict=True)]
    lanes = lanes_of(starts, stops)
    before, cuts = cuts_of(starts, stops)
    spans = [
        RunSpan(
            run_id=str(row["run_id"]),
            name=str(row["name"]),
            outcome=str(row["outcome"]),
            confirms=row["phase"] == CONFIRM_PHASE,
            counts=bool(row["counts"]),
            start=start,
            end=stop,
            lane=lane,
            cut=cut,
        )
        for row, start, stop, lane, cut in zip(frame.to_dict("records"), starts, stops, lanes, before, strict=True)
    ]
    return TimelineInfo(spans, max(lanes) + 1, cuts)


def _looks(dark: bool) -> dict[str, dict[str, Any]]:
    """Outcome -> its bar. Each differs from the others in lightness or pattern, not in hue alone."""
    palette, faint = theme.palette(dark), theme.grey(dark)
    return {
        Outcome.OK.value: {"color": theme.translucent(palette[0], 0.8)},
        Outcome.PRUNED.value: {"color": theme.translucent(faint, 0.55)},
        Outcome.DIVERGED.value: {"color": theme.diverged(dark)},
        Outcome.STOPPED.value: {"color": faint, "pattern": {"shape": "/", "size": 5, "solidity": 0.35}},
        Outcome.CRASHED.value: {"color": palette[1], "pattern": {"shape": "x", "size": 5, "solidity": 0.4}},
        RUNNING: {"color": theme.translucent(palette[0], 0.35)},
    }


def plot_timeline(info: TimelineInfo, *, dark: bool = False) -> go.Figure:
    """One bar per run, one row per lane, coloured by outcome; runs that do not count pale, confirm runs outlined."""
    import plotly.graph_objects as go

    figure = go.Figure()
    name, seconds = info.unit
    drawn = info.spans[-MOST:]
    ground = theme.background(dark)
    ink = theme.translucent(theme.ink(dark), 0.75)
    for outcome, look in _looks(dark).items():
        group = [span for span in drawn if span.outcome == outcome]
        if not group:
            continue
        figure.add_bar(
            x=[span.seconds / seconds for span in group],
            base=[span.drawn / seconds for span in group],
            y=[span.lane for span in group],
            orientation="h",
            width=0.72,
            name=outcome,
            marker=look
            | {
                "opacity": [1.0 if span.counts else 0.35 for span in group],
                "line": {
                    "width": [1.2 if span.confirms else 0.6 for span in group],
                    "color": [ink if span.confirms else ground for span in group],
                },
            },
            text=[f"<b>{theme.plain(theme.shortened(span.name, 60))}</b><br>{_said(span)}" for span in group],
            textposition="none",
            hovertemplate="%{text}<extra></extra>",
        )
    figure.update_layout(
        **theme.layout(
            dark,
            x=f"{name}, idle time cut out" if info.cuts else f"{name} since the first run began",
            y="lane",
            height=130 + 34 * max(1, info.lanes),
        )
    )
    figure.update_layout(barmode="overlay", bargap=0.2, legend={"y": -0.3 if info.lanes < 4 else -0.16})
    figure.update_yaxes(
        tickvals=list(range(info.lanes)),
        ticktext=[str(lane + 1) for lane in range(info.lanes)],
        showgrid=False,
        range=[info.lanes - 0.5, -0.5],
    )
    figure.update_xaxes(showgrid=True, rangemode="tozero")
    for place, idle in info.cuts:
        figure.add_vline(x=place / seconds, line={"width": 1, "dash": "dot", "color": theme.grey(dark)})
        if len(info.cuts) <= LABELLED_CUTS:
            figure.add_annotation(
                x=place / seconds,
                y=1,
                yref="paper",
                yanchor="bottom",
                text=_short(idle),
                showarrow=False,
                font={"size": 11, "color": theme.grey(dark)},
            )
    if info.cuts:
        figure.update_layout(margin={"t": 24})
    return figure


def _said(span: RunSpan) -> str:
    words = ["confirm" if span.confirms else "", span.outcome, "" if span.counts else "superseded"]
    return f"{', '.join(filter(None, words))}, {number(span.seconds, 3)} s"
