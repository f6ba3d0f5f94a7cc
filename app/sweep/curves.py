"""The curves of a sweep with their controls; what is chosen lives in the URL."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from analysis.figures.curves import CurvesInfo, curves_info
from analysis.figures.curves_figure import plot_curves
from analysis.runs.ranking import Group
from app.shared import metrics, store, ui
from tracking.schema import Outcome

CONFIRM, SEARCH = "confirm", "search"
COUNTS = ["3", "5", "10", "All"]
HEIGHT = 380
MOST = 60
"""Groups drawn at most: more lines than this are no figure."""


def _chosen(groups: list[Group], many: str, named: list[str]) -> list[Group]:
    if named:
        return [group for group in groups if group.label in named][:MOST]
    return groups[: MOST if many == "All" else int(many)]


@dataclass(frozen=True)
class Controls:
    """What is set for the figure."""

    phase: str
    groups: list[Group]
    """The groups of that phase, best first."""
    metric: str
    scale: str
    many: str
    """How many of the best groups are drawn: one of COUNTS."""
    named: list[str]
    """The labels of the groups that are drawn instead."""
    follows: bool
    """Whether the figure follows the sweep, or is held still."""


def _controls(row: Any, groups: list[Group], winners: Sequence[Group]) -> Controls:
    phase = SEARCH
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if winners:
            phase = st.segmented_control(
                "Phase", [CONFIRM, SEARCH], default=CONFIRM, required=True, key="phase", bind="query-params",
                help="The winners with fresh seeds, or the runs that chose them.",
            )  # fmt: skip
            groups = list(winners) if phase == CONFIRM else groups
        tasks = metrics.tasks_of_spec(store.spec_of(row["sweep"]))
        options = metrics.over_epochs(tasks)
        if row["metric"] and row["metric"] not in options:
            options = [row["metric"], *options]  # one that a user module logs
        metric = st.selectbox(
            "Metric", options, options.index(row["metric"] or options[0]), key="metric", bind="query-params", width=190,
            help=ui.text(f"What is drawn against the epochs. {metrics.legend(tasks)}"),
        )  # fmt: skip
        scale = st.segmented_control(
            "Scale", ["linear", "log"], default="log", required=True, key="scale", bind="query-params"
        )
        # By trial and not by rank: the list only grows while the sweep runs, and a choice stays what it was.
        labels = list(dict.fromkeys(group.label for group in sorted(groups, key=lambda group: group.trial)))
        many = "All"
        if len(groups) > int(COUNTS[0]):
            many = st.segmented_control(
                "Best", COUNTS, default="5", required=True, key="best", bind="query-params",
                help="How many configurations are drawn, in the order of the ranking.",
            )  # fmt: skip
        named = st.multiselect(
            "or these", labels, key="groups", bind="query-params", placeholder="choose configurations", width=300,
        ) if len(groups) > 1 else []  # fmt: skip
        # Streamlit mounts a new chart for new points, which undoes a zoom: a reader can hold the figure still.
        follows = row["state"] not in ui.ACTIVE or st.toggle("Live", True, key="follow", help="Off: the figure stays.")
    return Controls(phase, groups, str(metric), str(scale), many or "5", named, follows)


def curves(row: Any, runs: pd.DataFrame, groups: list[Group], winners: Sequence[Group] = ()) -> None:
    """Draw the controls and the figure.

    Args:
        row: The sweep.
        runs: Its runs.
        groups: The groups of its search, best first.
        winners: The groups of its confirm runs, best first; nothing before there are some.
    """
    controls = _controls(row, groups, winners)
    phase, metric, groups = controls.phase, controls.metric, controls.groups
    if controls.follows:
        st.session_state["_curves_held"] = (row["sweep"], phase, runs, groups)
    elif st.session_state.get("_curves_held", ("", ""))[:2] == (row["sweep"], phase):
        _, _, runs, groups = st.session_state["_curves_held"]
    drawn = _chosen(groups, controls.many, controls.named)
    members = (
        runs[runs["counts"].astype(bool) & runs["group"].isin([group.group for group in drawn])] if len(runs) else runs
    )
    histories = store.histories(tuple(members["run_id"]), metric) if len(members) else pd.DataFrame()
    if not controls.follows:
        # Runs that went on since then are drawn as far as they had come.
        histories = _until(histories, st.session_state.setdefault("_curves_held_at", time.time() * 1000))
    else:
        st.session_state.pop("_curves_held_at", None)
    info = curves_info(histories, runs, drawn, metric)
    if info.empty:
        waiting = row["state"] in ui.ACTIVE
        words = "appears with the first epoch" if waiting else "was not logged by these runs"
        st.container(border=True, height=HEIGHT, horizontal_alignment="center", vertical_alignment="center").caption(
            f"{metric} {words}.", text_alignment="center"
        )
        return
    log = controls.scale == "log" and not mostly_zero(info)
    figure = plot_curves(info, dark=ui.dark(), log=log, height=HEIGHT)
    st.plotly_chart(
        figure, key="curves", theme=None, config={"displaylogo": False, "displayModeBar": False, "responsive": True},
        alt=f"{metric} over the epochs, a line a configuration",
    )  # fmt: skip
    st.caption(axis_reading(info, log, wanted=controls.scale == "log"))
    for note in info.notes:
        st.caption(ui.text(note))


def _until(histories: pd.DataFrame, moment: float) -> pd.DataFrame:
    return histories[histories["time"] <= moment] if len(histories) else histories


def _zeros(info: CurvesInfo) -> tuple[int, int]:
    """How many values lie at or below zero, and how many there are."""
    values = [line.values for curve in info.curves for line in curve.lines]
    return sum(int((array <= 0).sum()) for array in values), sum(len(array) for array in values)


def mostly_zero(info: CurvesInfo) -> bool:
    """Whether a logarithmic scale would hide the most: an error of 0 has no place on it."""
    hidden, total = _zeros(info)
    return hidden > total / 2


def axis_reading(info: CurvesInfo, log: bool, wanted: bool) -> str:
    """How to read the figure; `wanted` says whether a logarithmic scale was asked for."""
    words = ["Thin lines are seeds, thick ones their mean"]
    words += [f"bands the {info.band}"] if info.band else ["below three seeds no interval is drawn"]
    words += info.marks(log)
    if any(line.outcome == Outcome.PRUNED for curve in info.curves for line in curve.lines):
        words += ["a bar is where the pruner ended a run"]
    hidden, _ = _zeros(info)
    if wanted and not log:
        words += ["the scale is linear, since a logarithmic one has no place for the zeros that most values are"]
    if log and hidden:
        words += [f"{ui.count(hidden, 'value')} at or below zero cannot be shown on this scale"]
    return ui.text("; ".join(words) + ".")
