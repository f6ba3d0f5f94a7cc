"""The head of a sweep's page: what it answers, and how far it has come."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from analysis import confirmed
from analysis.ranking import Group, answer, ranking
from analysis.search_figures import pruning_saved
from analysis.seeds import Plan
from analysis.units import SEEDS
from app import preflight, sweep_actions, sweep_confirm, ui
from sweeps.decidable import plan_of
from sweeps.spec import Spec


@dataclass(frozen=True)
class Found:
    """A sweep as far as it has come."""

    search: pd.DataFrame
    """Its search runs."""
    groups: list[Group]
    """Of the search, best first."""
    winners: confirmed.ConfirmedInfo
    confirms: Spec | None
    """Its specification, if it confirms its winners."""
    confirmed_at: float = math.inf
    """When the first confirm run began (ms)."""

    @property
    def searches_on(self) -> bool:
        """Whether search runs began after winners had been confirmed: the sweep was extended."""
        return bool(len(self.search)) and float(self.search["start_time"].max()) > self.confirmed_at

    @property
    def labels(self) -> dict[str, str]:
        """What each group is called, that of search and confirm runs apart."""
        fresh = {group.group: f"{group.label} (confirm)" for group in self.winners.groups}
        return {group.group: group.label for group in self.groups} | fresh


def look(row: Any, runs: pd.DataFrame) -> Found:
    """Rank what there is."""
    search = runs[~confirmed.confirms(runs)] if len(runs) else runs
    spec = sweep_confirm.expected(row)
    groups = ranking(search, list(row["searched"]), row["direction"])
    fresh = runs[confirmed.confirms(runs)] if len(runs) else runs
    began = float(fresh["start_time"].min()) if len(fresh) else math.inf
    return Found(search, groups, sweep_confirm.info_of(row, runs, spec), spec, began)


def _plan(row: Any, groups: list[Group]) -> Plan:
    """What the sweep is to decide and with how many seeds, as far as its specification can be read."""
    spec = sweep_actions.spec_of(row["sweep"])
    return Plan(int(row["seeds"]), SEEDS, 0, len(groups)) if spec is None else plan_of(spec)


def _belief(row: Any, found: Found, groups: list[Group], over: bool) -> None:
    """How far the answer can be believed: what the configurations' comparison says, or too few seeds for it.

    Args:
        row: The sweep.
        found: What there is of it.
        groups: The configurations, or the winners.
        over: Whether no more runs will come.
    """
    plan = _plan(row, groups)
    if over and (plan.claims or sum(group.interval.n > 0 for group in groups) < 2):
        return
    ranked = confirmed.sweep_standings(found.search, found.groups, found.winners) if over else None
    if ranked is not None:
        st.caption(ui.text(ranked.sentence))
    elif plan.missing:
        st.caption(ui.text(plan.sentence))


def headline(row: Any, found: Found, over: bool) -> None:
    """The answer in one sentence, and how far it can be believed: winners are judged by their confirm runs alone."""
    winners, spec = found.winners, found.confirms
    if winners.judged:
        st.markdown(f"## {ui.text(confirmed.answer(winners, over=over))}")
        if not over and found.searches_on:
            st.caption("The search goes on: when it is done, its winners are chosen again.")
        _belief(row, found, winners.groups, over)
        return
    st.markdown(f"## {ui.text(answer(found.groups, row['metric'], row['direction'], over=over))}")
    if spec is not None and spec.confirm is not None and any(group.interval.n for group in found.groups):
        st.caption(
            f"The best of a search is too good on average, since luck helped to choose it:"
            f" {ui.count(spec.confirm.seeds, 'fresh seed')} will say how good it is."
        )
    _belief(row, found, found.groups, over)


def saved(row: Any, search: pd.DataFrame) -> str:
    """What pruning saved, as the end of a sentence; nothing if nothing was pruned."""
    found = pruning_saved(search, int(row["seeds"]))
    if not found.ended:
        return ""
    time_ = f" about {ui.duration(found.seconds)} of training" if found.seconds >= 1 else ""
    spared = f" and {ui.count(found.spared, 'run')} not begun" if found.spared else ""
    return f"pruning saved{time_ or ' time'}: {ui.count(found.ended, 'run')} ended early{spared}"


def progress(row: Any, runs: pd.DataFrame, search: pd.DataFrame) -> None:
    """How far it is, how long it will take, and what became of the runs."""
    planned, done, running = int(row["planned"] or 0), int(row["done"]), int(row["running"])
    words = [f"{done} of {ui.count(planned, 'run')}"]
    if row["state"] == "running":
        left = ui.time_left(runs, planned, time.time() * 1000)
        words += [f"about {ui.duration(left)} left" if left is not None else "estimating the time left"]
    if spared := saved(row, search):
        words += [spared]
    parts = [(int(row[name]), name) for name in ("ok", "diverged", "pruned", "stopped", "crashed")]
    waiting = max(0, planned - done - running)
    parts += [(running, "running"), (waiting, "waiting" if row["state"] in ui.ACTIVE else "not started")]
    colours = {"diverged": "red", "crashed": "red", "running": "blue"}
    chips = [
        f":{colours[name]}[**{number}** {name}]" if name in colours else f"**{number}** {name}"
        for number, name in parts
        if number
    ]
    if truth := preflight.beside_truth(row, runs):
        words += [ui.text(truth.rstrip("."))]
    st.progress(min(1.0, done / planned) if planned else 0.0, text=" · ".join(words))
    st.caption(" · ".join(chips))
