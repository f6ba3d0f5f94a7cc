"""The head of a sweep's page: what it answers, and how far it has come."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from analysis.runs.ranking import Group, answer, sweep_ranking
from analysis.search import confirmed
from analysis.search.history import pruning_saved
from analysis.statistics.independent import SEEDS
from analysis.statistics.seeds import Plan
from analysis.statistics.standings import Standings
from app.launch import preflight
from app.shared import claims, store, ui
from app.shared.claims import Judged
from app.shared.headline import losses_of_sweep
from app.sweep import confirm
from sweeps.preflight.decidable import plan_of
from sweeps.spec import Spec


@dataclass(frozen=True)
class Results:
    """The results of a sweep so far."""

    search: pd.DataFrame
    """Its search runs."""
    groups: list[Group]
    """The groups of the search, best first."""
    winners: confirmed.ConfirmedInfo
    confirms: Spec | None
    """Its specification, if it confirms its winners."""
    confirmed_at: float = math.inf
    """When the first confirm run began (ms)."""
    standings: Standings | None = None
    """The configurations with their verdicts, once no more runs will come: the winners where there are some."""

    @property
    def searches_on(self) -> bool:
        """Whether search runs began after winners had been confirmed: the sweep was extended."""
        return bool(len(self.search)) and float(self.search["start_time"].max()) > self.confirmed_at

    @property
    def labels(self) -> dict[str, str]:
        """Group -> its label, with those of confirm runs marked."""
        fresh = {group.group: f"{group.label} (confirm)" for group in self.winners.groups}
        return {group.group: group.label for group in self.groups} | fresh


def results_so_far(row: Any, runs: pd.DataFrame, over: bool) -> Results:
    """Rank the groups that have results; pairs are compared once no more runs come, since that takes too long."""
    search = runs[~confirmed.confirms(runs)] if len(runs) else runs
    spec = confirm.expected(row)
    groups = sweep_ranking(search, list(row["searched"]), row["direction"])
    fresh = runs[confirmed.confirms(runs)] if len(runs) else runs
    began = float(fresh["start_time"].min()) if len(fresh) else math.inf
    winners = confirm.info_of(row, runs, spec)
    ranked = confirmed.sweep_standings(search, groups, winners) if over else None
    return Results(search, groups, winners, spec, began, ranked)


def _plan(row: Any, groups: list[Group]) -> Plan:
    """What the sweep is to decide and with how many seeds, as far as its specification can be read."""
    spec = store.spec_of(row["sweep"])
    return Plan(int(row["seeds"]), SEEDS, 0, len(groups)) if spec is None else plan_of(spec)


def _lacking(row: Any, results: Results, over: bool, claimed: bool) -> str:
    """What keeps a sweep from a verdict: too few seeds as long as it trains, or too many configurations."""
    if over:
        return "" if claimed else confirmed.not_compared(results.groups, results.winners)
    plan = _plan(row, results.winners.groups if results.winners.judged else results.groups)
    return plan.sentence if plan.missing or plan.too_many else ""


def _answer(row: Any, results: Results, over: bool, claimed: bool) -> str:
    """The verdict on all pairs once every run is there; before that, or below a claim's verdict, who leads."""
    if results.standings is not None and not claimed:
        return results.standings.sentence
    if results.winners.judged:
        return confirmed.answer(results.winners, over=over)
    return answer(results.groups, row["metric"], over=over)


def headline(row: Any, results: Results, over: bool, judged: Sequence[Judged]) -> None:
    """Draw the claims with their verdict, else the answer, and how far it can be believed.

    Args:
        row: The sweep.
        results: Its results so far: winners are judged by their confirm runs alone.
        over: Whether no more runs will come.
        judged: What it claims.
    """
    winners, spec = results.winners, results.confirms
    words = ui.text(_answer(row, results, over, bool(judged)))
    st.markdown(words if claims.headline(judged) else f"## {words}")
    if winners.judged:
        st.caption("Judged by fresh seeds alone: those that chose the winners make them look better than they are.")
        if not over and results.searches_on:
            st.caption("The search goes on: when it is done, its winners are chosen again.")
    elif spec is not None and spec.confirm is not None and any(group.interval.n for group in results.groups):
        st.caption(
            f"The best of a search is too good on average, since luck helped to choose it:"
            f" {ui.count(spec.confirm.seeds, 'fresh seed')} will say how good it is."
        )
    if lacking := _lacking(row, results, over, bool(judged)):
        st.caption(ui.text(lacking))
    if different := losses_of_sweep(row["sweep"], row["metric"]):
        st.markdown(f":material/warning: :red[{ui.text(different, 900)}]")


def saved(row: Any, search: pd.DataFrame) -> str:
    """What pruning saved, as the end of a sentence; nothing if nothing was pruned."""
    savings = pruning_saved(search, int(row["seeds"]))
    if not savings.ended:
        return ""
    time_ = f" about {ui.duration(savings.seconds)} of training" if savings.seconds >= 1 else ""
    spared = f" and {ui.count(savings.spared, 'run')} not begun" if savings.spared else ""
    return f"pruning saved{time_ or ' time'}: {ui.count(savings.ended, 'run')} ended early{spared}"


def progress(row: Any, runs: pd.DataFrame, search: pd.DataFrame) -> None:
    """Draw how far the sweep is, how long it will take, and what became of its runs."""
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
