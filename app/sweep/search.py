"""How a sweep's search went: history, importance, slices, contour, timeline. Only the open one is read and drawn."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import streamlit as st

from analysis.figures.value_axis import scale
from analysis.search.confirmed import confirms
from analysis.search.contour import contour_info, plot_contour
from analysis.search.history import TrialResult, heights_of, history_info, last_seen, plot_history, trial_results
from analysis.search.importance import EVALUATORS, importance_info, plot_importance
from analysis.search.slices import plot_slice, slice_info
from analysis.search.timeline import plot_timeline, timeline_info
from app.shared import store, ui
from tracking.schema import Outcome

SHOWN: Final = {"displaylogo": False, "displayModeBar": False, "responsive": True}
FEW: Final = 50
"""Below so many trials the order of importance is rough."""
MOST_SLICES: Final = 12


@dataclass(frozen=True)
class Search:
    """What the figures are drawn from."""

    row: Any
    """The sweep."""
    runs: pd.DataFrame
    """Its search runs."""
    all_runs: pd.DataFrame
    """All its runs."""

    @property
    def trials(self) -> list[TrialResult]:
        """Its trials; a pruned one with what it logged until it was ended."""
        pruned = self.runs[self.runs["outcome"] == Outcome.PRUNED] if len(self.runs) else self.runs
        histories = store.histories(tuple(pruned["run_id"]), self.row["metric"]) if len(pruned) else pd.DataFrame()
        return trial_results(self.runs, list(self.row["searched"]), last_seen(histories))

    @property
    def keys(self) -> list[str]:
        """The searched keys that some trial has."""
        return [key for key in self.row["searched"] if key in self.runs.columns]


def _empty(words: str) -> None:
    st.container(border=True, height=220, horizontal_alignment="center", vertical_alignment="center").caption(
        ui.text(words), text_alignment="center"
    )


def _chart(figure: Any, key: str, alt: str) -> None:
    st.plotly_chart(figure, key=key, theme=None, config=SHOWN, alt=ui.text(alt))


def history(search: Search) -> None:
    """Draw the objective by trial."""
    info = history_info(search.trials, search.row["metric"], search.row["direction"])
    if info.empty:
        _empty("No trial has a result yet.")
        return
    _chart(plot_history(info, dark=ui.dark()), "history", f"{info.metric} by trial, with the best so far")
    st.caption(ui.text(f"{info.sentence} {_reading(info.trials, info.direction)}"))


def _reading(trials: list[TrialResult], direction: str) -> str:
    words = ["A dot is a trial"]
    words += ["its line the range of its seeds"] if any(len(trial.values) > 1 for trial in trials) else []
    if any(trial.outcome == Outcome.PRUNED for trial in trials):
        words += ["hollow ones were pruned and stand where they were judged"]
    words += ["red crosses diverged"] if any(trial.outcome == Outcome.DIVERGED for trial in trials) else []
    axis = scale(heights_of(trials), direction)
    far = any(math.isfinite(trial.height) and not axis.holds(trial.height) for trial in trials)
    words += ["triangles are worse than the scale"] if far else []
    return ", ".join(words) + "."


def importance(search: Search) -> None:
    """Draw how much each searched key matters."""
    evaluator = st.segmented_control(
        "By", list(EVALUATORS), default=EVALUATORS[0], required=True, key="evaluator", bind="query-params",
        help="PED-ANOVA asks what the best trials have in common, fANOVA what the variance of all is due to.",
    )  # fmt: skip
    trials = search.trials
    table = pd.DataFrame(
        {
            "outcome": [trial.outcome for trial in trials],
            "counts": [True] * len(trials),
            "objective": [trial.mean for trial in trials],
        }
    )
    params = pd.DataFrame(
        {key: pd.Series([_plain(trial.params.get(key)) for trial in trials], dtype=object) for key in search.keys}
    )
    info = _importance(table, params, search.row["direction"], str(evaluator))
    if info.problem:
        _empty(info.problem)
        return
    _chart(plot_importance(info, dark=ui.dark()), "importance", "Importance of each searched key")
    few = f" Of so few trials it is rough: {FEW} or more would steady the order." if info.n < FEW else ""
    absent = [key for key in search.keys if key not in info.shares]
    left = f" Not judged, as not every trial has it: {', '.join(absent)}." if absent else ""
    st.caption(ui.text(f"{info.caption}{few}{left}"))


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, list | tuple | dict) else value


@st.cache_data(show_spinner="Asking which key matters", max_entries=16)
def _importance(trials: pd.DataFrame, params: pd.DataFrame, direction: str, evaluator: str) -> Any:
    return importance_info(trials, params, direction=direction, evaluator=evaluator, of="trials")


def slices(search: Search) -> None:
    """Draw the objective against each searched key."""
    keys, trials = search.keys, search.trials
    if not keys or not trials:
        _empty("Nothing is searched." if not keys else "No trial has a result yet.")
        return
    infos = [slice_info(trials, key, search.row["metric"], search.row["direction"]) for key in keys[:MOST_SLICES]]
    with st.grid("auto", min_column_width=310, gap=("medium", "small")):
        for info in infos:
            _chart(plot_slice(info, dark=ui.dark()), f"slice-{info.key}", f"{info.metric} against {info.key}")
    for info in infos:
        if info.warning:
            st.markdown(f":material/info: {ui.text(info.warning)}")
    more = f" {len(keys) - MOST_SLICES} more keys are not drawn." if len(keys) > MOST_SLICES else ""
    st.caption(
        ui.text(f"{_reading(trials, search.row['direction'])} The best is ringed; all share the vertical axis.{more}")
    )


def contour(search: Search) -> None:
    """Draw the objective over two searched keys."""
    keys = search.keys
    if len(keys) < 2:
        _empty(
            "A contour needs two searched keys; the slice shows the one there is." if keys else "Nothing is searched."
        )
        return
    numeric = [key for key in keys if pd.api.types.is_numeric_dtype(search.runs[key])]
    first, second = (numeric + [key for key in keys if key not in numeric])[:2]
    with st.container(horizontal=True, gap="small"):
        x = st.selectbox("Across", keys, keys.index(first), key="across", bind="query-params", width=220)
        y = st.selectbox("Up", keys, keys.index(second), key="up", bind="query-params", width=220)
    if x == y:
        _empty("Choose two different keys.")
        return
    info = contour_info(search.trials, x, y, search.row["metric"], search.row["direction"])
    if not info.with_result:
        _empty("No trial with both keys has a result yet.")
        return
    _chart(plot_contour(info, dark=ui.dark()), "contour", f"{info.metric} over {x} and {y}")
    others = " Other searched keys vary too: their effect is averaged in." if len(keys) > 2 else ""
    st.caption(ui.text(f"{info.sentence}{others}"))


def timeline(search: Search) -> None:
    """Draw when each run was trained."""
    info = timeline_info(search.all_runs, time.time() * 1000)
    if not info.spans:
        _empty("No run has started yet.")
        return
    _chart(plot_timeline(info, dark=ui.dark()), "timeline", "When each run was trained, a bar a run")
    confirm = " Confirm runs are outlined." if any(span.confirms for span in info.spans) else ""
    st.caption(ui.text(f"{info.sentence} A bar is a run, a lane a free place among the workers.{confirm}"))


FIGURES: Final[dict[str, Callable[[Search], None]]] = {
    "History": history, "Importance": importance, "Slices": slices, "Contour": contour, "Timeline": timeline,
}  # fmt: skip
"""Tab -> the function that draws it."""


def figure(name: str, row: Any, runs: pd.DataFrame) -> None:
    """Draw one of FIGURES."""
    FIGURES[name](Search(row, runs[~confirms(runs)] if len(runs) else runs, runs))
