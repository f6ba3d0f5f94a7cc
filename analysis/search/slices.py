"""The objective against one searched key at a time: where the good values lie, and how far seeds spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.figures import theme
from analysis.figures.traces import seed_line
from analysis.figures.value_axis import Scale, scale, value_axis
from analysis.search.history import TrialResult, heights_of, hover, off_scale, spread
from analysis.search.relations import Column, apart, axis, column
from analysis.statistics import number
from tracking.schema import MAXIMIZE, Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_TICKS = 6
"""Numbers that stand side by side under a panel."""
ENOUGH_VALUES = 3
"""A key with fewer values than this has no edge that could be moved."""


@dataclass(frozen=True)
class SliceInfo:
    """What `plot_slice` draws: the trials that have this key."""

    key: str
    values: Column
    """The value of each trial."""
    trials: list[TrialResult]
    best: int | None
    """Position of the best of them."""
    metric: str
    direction: str
    scale: Scale
    """The scale of all trials: the slices of a sweep share their vertical axis."""

    @property
    def edge(self) -> str:
        """`lowest` or `highest` if the best trial has the outermost value of those tried; else nothing."""
        tried = np.unique(self.values.values[np.isfinite(self.values.values)])
        if self.best is None or self.values.words or len(tried) < ENOUGH_VALUES:
            return ""
        value = self.values.values[self.best]
        return "lowest" if value == tried[0] else "highest" if value == tried[-1] else ""

    @property
    def warning(self) -> str:
        """A sentence where the best lies at the edge of what was tried; nothing where it does not."""
        if not self.edge:
            return ""
        value = number(float(self.values.values[self.best or 0]))
        return f"The best trial has the {self.edge} {self.key} tried ({value}): a wider range may hold a better one."


def _present(value: object) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def slice_info(trials: Sequence[TrialResult], key: str, metric: str, direction: str) -> SliceInfo:
    """The trials against one key; those that have no such key are left out.

    Args:
        trials: From `trial_results`.
        key: The dotted key.
        metric: What the objective is called.
        direction: "minimize" or "maximize".
    """
    present = [trial for trial in trials if _present(trial.params.get(key))]
    finished = [place for place, trial in enumerate(present) if trial.has_result]
    better = max if direction == MAXIMIZE else min
    best = better(finished, key=lambda place: present[place].mean) if finished else None
    values = column(key, [trial.params[key] for trial in present])
    return SliceInfo(key, values, present, best, metric, direction, scale(heights_of(trials), direction))


def _level(values: Column) -> dict[str, Any]:
    """Level ticks: only powers of ten get a number if all numbers of a logarithmic axis would have to be slanted."""
    if values.words or not values.log:
        return {}
    ticks = theme.log_ticks(*values.range)
    if len(ticks["tickvals"]) <= MOST_TICKS:
        return {"tickangle": 0}
    texts = [
        text if math.log10(value) == round(math.log10(value)) else ""
        for value, text in zip(ticks["tickvals"], ticks["ticktext"], strict=True)
    ]
    return {"tickangle": 0, "ticktext": texts}


def plot_slice(info: SliceInfo, *, dark: bool = False, height: int = 250) -> go.Figure:
    """One dot per trial with the range of its seeds; the best ringed, pruned ones hollow, diverged ones red crosses."""
    import plotly.graph_objects as go

    figure, accent, faint = go.Figure(), theme.palette(dark)[0], theme.grey(dark)
    x = apart(info.values)
    shown = [place for place, trial in enumerate(info.trials) if info.scale.holds(trial.height)]
    finished = [place for place in shown if info.trials[place].has_result]
    xs, ys = spread([info.trials[place] for place in finished], x[finished].tolist())
    if xs:
        seed_line(figure, xs, ys, faint, width=1.2, opacity=0.6, hoverinfo="skip")

    def dots(places: list[int], marker: dict[str, object]) -> None:
        if places:
            figure.add_scatter(
                x=x[places],
                y=[info.trials[place].height for place in places],
                mode="markers",
                marker=marker,
                text=[hover(info.trials[place]) for place in places],
                hovertemplate="%{text}<extra></extra>",
            )

    pruned = [place for place in shown if info.trials[place].outcome == Outcome.PRUNED]
    dots(pruned, {"size": 6, "symbol": "circle-open", "color": faint, "line": {"width": 1.4}})
    dots(finished, {"size": 7, "color": theme.translucent(accent, 0.7)})
    if info.best is not None:
        dots([info.best], {"size": 10, "color": accent, "line": {"width": 2, "color": theme.ink(dark)}})
    figure.update_layout(**theme.layout(dark, x=theme.shortened(info.key, 40), y=info.metric, height=height))
    figure.update_xaxes(**axis(info.values) | _level(info.values))
    value_axis(figure, info.scale)
    off_scale(figure, list(zip(info.trials, x.tolist(), strict=True)), info.scale, info.direction, dark=dark)
    figure.update_layout(showlegend=False)
    return figure
