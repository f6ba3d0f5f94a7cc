"""What a page compares: the sweeps, runs and groups that its URL names, and the settings for all of its figures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import pandas as pd
import streamlit as st

from analysis.runs.comparison import Comparison, comparison, groups_of
from analysis.runs.metric_roles import (
    HIGHER,
    LOWER,
    Role,
    assumption,
    choices,
    judged_on,
    judges,
    nothing_to_judge_by,
)
from analysis.runs.ranking import RUNNING, Group
from analysis.search.confirmed import confirms, judged_by_confirm
from analysis.statistics.samples import Sample, samples
from analysis.statistics.seeds import too_many
from app.shared import claims, metrics, store, ui
from tracking import schema
from tracking.schema import MAXIMIZE

MOST_DRAWN = 60
MOST_READ = 2_000
"""So many runs at most have their whole histories read for what is odd in them: more take seconds."""
NO_BASELINE = "none"
COUNTS = ["3", "5", "10", "All"]


@dataclass(frozen=True)
class Address:
    """The sweeps, runs and groups that a URL names."""

    sweeps: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether it names nothing."""
        return not (self.sweeps or self.runs or self.groups)

    @property
    def as_they_are(self) -> bool:
        """Whether it names runs or groups, so that all of them are shown, even search runs of what was confirmed."""
        return bool(self.runs or self.groups)


def _listed(name: str) -> tuple[str, ...]:
    parts = [part.strip() for text in st.query_params.get_all(name) for part in text.split(",")]
    return tuple(dict.fromkeys(part for part in parts if part))


def from_url() -> Address:
    """The sweeps, runs and groups that the URL names; its groups are chosen within its sweeps, if it names both."""
    return Address(_listed("sweep"), _listed("runs"), _listed("groups"))


ALL = "phases"
"""The widget, and the part of the address, that asks for search runs beside confirm runs."""


def _all_phases() -> bool:
    """Whether search runs are wanted too, known before the switch is drawn."""
    return bool(st.session_state.get(ALL, str(st.query_params.get(ALL)).lower() == "true"))


def phases(address: Address, compared: Comparison) -> None:
    """Say what became of the search runs where there are confirm runs, with a switch for those who want both."""
    if not confirms(compared.runs).any():
        return
    if address.as_they_are:
        st.caption("Confirmed groups were trained with fresh seeds: judge a winner by these, not by its search runs.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.toggle("Search runs too", False, key=ALL, bind="query-params")
        st.caption(
            "Search scores are too good on average: do not rank confirmed groups, with their fresh seeds, among them."
            if _all_phases()
            else "Winners by their fresh seeds; the search that chose them is left out.",
            width="content",
        )


def load(address: Address) -> Comparison | None:
    """The runs that the URL names, search and confirm runs alike; None where the store has none of them."""
    among = address.groups if address.sweeps else ()
    records = store.records(address.sweeps, address.runs, () if among else address.groups)
    if records is None or not len(records.runs):
        return None
    whole = comparison(records.runs, records.params, records.tags, records.metrics, store.sweeps())
    if among:
        group = whole.runs["group"].str.partition("@")[0]
        whole = whole.only(whole.runs[group.isin(among) | whole.runs["run_id"].isin(address.runs)]["run_id"].tolist())
    return whole if whole.runs["counts"].any() else None


def to_compare(address: Address, whole: Comparison) -> Comparison:
    """The chosen runs without search runs where winners were confirmed, unless these are asked for.

    Args:
        address: What the URL names.
        whole: From `load`.
    """
    return whole if address.as_they_are or _all_phases() else judged_by_confirm(whole)


@dataclass(frozen=True)
class View:
    """What is compared, and how it is looked at."""

    comparison: Comparison
    runs: pd.DataFrame
    """Its runs, with the metric as their objective and their group as it is shown."""
    metric: str
    direction: str
    groups: list[Group]
    """All groups, best first."""
    drawn: list[Group]
    named: bool
    """Whether the user named the drawn ones."""
    baseline: Group | None
    single: bool
    sweeps: dict[str, str]
    """The sweeps' names, by id."""
    assumption: str = ""
    """A sentence where it is not set which direction is better; nothing where it is known."""
    judged_on: str = ""
    """A sentence where the metric is not of validation data; nothing elsewhere."""

    @property
    def maximize(self) -> bool:
        """Whether more is better."""
        return self.direction == MAXIMIZE

    @property
    def labels(self) -> dict[str, str]:
        """Group -> its label."""
        return {group.group: group.label for group in self.groups}

    @property
    def tested(self) -> list[Group]:
        """The groups that are tested: those that the user named, else all; none if they are too many."""
        chosen = self.drawn if self.named and len(self.drawn) > 1 else self.groups
        return [] if too_many(len(chosen)) else chosen

    def samples(self, groups: Sequence[Group]) -> list[Sample]:
        """The results of these groups, named by their labels, in their order."""
        part = self.runs[self.runs["group"].isin([group.group for group in groups])]
        by_label = {sample.name: sample for sample in samples(part, names=self.labels)} if len(part) else {}
        return [by_label[group.label] for group in groups if group.label in by_label]

    @property
    def active(self) -> bool:
        """Whether one of its runs trains, or one of its sweeps is to train some."""
        sweeps = store.sweeps()
        if (self.runs["outcome"] == RUNNING).any() or not len(sweeps):
            return bool((self.runs["outcome"] == RUNNING).any())
        return bool(sweeps[sweeps["sweep"].isin(self.runs["parent"])]["state"].isin(ui.ACTIVE).any())

    @property
    def members(self) -> pd.DataFrame:
        """The runs of the drawn groups that count."""
        drawn = [group.group for group in self.drawn]
        return self.runs[self.runs["counts"].astype(bool) & self.runs["group"].isin(drawn)]


def trained_elsewhere(runs: pd.DataFrame, sweeps: Collection[str]) -> dict[str, str]:
    """The names, by run id, of the runs that belong to none of these sweeps."""
    runs = runs[~runs["parent"].isin(list(sweeps))]
    return {str(run): str(name) or str(run)[:8] for run, name in zip(runs["run_id"], runs["name"], strict=True)}


def roles_of(compared: Comparison) -> dict[str, Role]:
    """The role of each metric, as set for the experiments or guessed."""
    names = [str(name) for name in compared.metrics if name != schema.OBJECTIVE]
    # Runs that all diverged before they logged anything still have what they were to be judged by.
    names = list(dict.fromkeys([*names, *filter(None, [compared.objective])]))
    return store.roles(names, list(dict.fromkeys(compared.runs["experiment_id"])), compared.goals)


def judged_claims(address: Address, whole: Comparison) -> list[claims.Judged]:
    """The claims of the sweeps that the address names whole, with the verdict of all their runs.

    Args:
        address: What the URL names.
        whole: From `load`.
    """
    specs = {} if address.as_they_are else {sweep: store.spec_of(sweep) for sweep in address.sweeps}
    return claims.of_comparison(whole, {sweep: spec for sweep, spec in specs.items() if spec is not None})


def _drawn(groups: list[Group], named: Sequence[str], many: str | None, baseline: Group | None) -> list[Group]:
    """The groups to draw: those that are named, else the best of them; the baseline always."""
    drawn = [group for group in groups if group.label in named] if named else groups
    drawn = drawn[: MOST_DRAWN if named or many in ("All", None) else int(many)]
    return drawn if baseline is None or baseline in drawn else [*drawn, baseline]


def _about_metric(compared: Comparison) -> str:
    """The help of the choice of a metric: how groups are judged by it, and what the scores of these runs' task say."""
    judged = "Groups are judged by its last value, or by the sweep's objective where it is that."
    return ui.text(f"{judged} {metrics.legend(metrics.tasks_of(compared.params))}")


def controls(compared: Comparison) -> View | None:
    """Draw the settings that hold for the whole page; None, with a sentence, where no metric can judge."""
    roles = roles_of(compared)
    names = choices(roles)
    if not names:
        st.markdown("These runs logged no metric: only their parameters can be compared.")
        return None
    default = next(iter(judges(roles)), None)
    frame = store.sweeps()
    sweeps = dict(zip(frame["sweep"], frame["name"], strict=True)) if len(frame) else {}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        metric = st.selectbox(
            "Metric", names, names.index(default) if default else None, key="metric", bind="query-params", width=190,
            placeholder="choose", help=_about_metric(compared),
        )  # fmt: skip
        if metric is None:
            st.markdown(nothing_to_judge_by(roles))
            return None
        role = roles[metric]
        automatic = HIGHER if role.direction == MAXIMIZE else LOWER
        better = st.selectbox(
            "Better is", ["as known", LOWER, HIGHER], key="better", bind="query-params", width=140,
            format_func=lambda word: f"{automatic} (auto)" if word == "as known" else word,
            help="Known from the sweep's objective, or as said on the Runs page under Metrics, else guessed.",
        )  # fmt: skip
        show = st.segmented_control(
            "Compare", ["groups", "runs"], default="groups", required=True, key="show", bind="query-params",
            help="A group is the runs that differ in their seed alone.",
        )  # fmt: skip
        direction_named = {LOWER: schema.MINIMIZE, HIGHER: MAXIMIZE}.get(better)
        direction, single = direction_named or role.direction, show == "runs"
        groups, runs = groups_of(compared, metric, direction, single=single, sweeps=sweeps)
        many = "All"
        if len(groups) > int(COUNTS[0]):
            many = st.segmented_control(
                "Draw the best", COUNTS, default="5", required=True, key="best", bind="query-params",
            )  # fmt: skip
        labels = [group.label for group in sorted(groups, key=lambda group: (group.trial, group.label))]
        named = st.multiselect(
            "or these", labels, key="these", bind="query-params", placeholder="choose", width=260,
            help="The verdicts then are about these alone: choose them before you look at the results.",
        ) if len(groups) > 1 else []  # fmt: skip
        base = st.selectbox(
            "Baseline", [NO_BASELINE, *labels], key="baseline", bind="query-params", width=220,
            help="What the others are compared with, wherever a difference can be shown.",
        )  # fmt: skip
    baseline = next((group for group in groups if group.label == base), None)
    drawn = _drawn(groups, named, many, baseline)
    unsaid = "" if direction_named else assumption(metric, role)
    return View(
        compared, runs, metric, direction, groups, drawn, bool(named), baseline, single, sweeps, unsaid, judged_on(role)
    )


def link(page: str = "compare") -> str:
    """The end of a URL that opens this page as it is."""
    params = [(name, value) for name in st.query_params for value in st.query_params.get_all(name)]
    return f"{page}?{urlencode(params, safe=',')}"


def mlflow_compare(base: str, runs: pd.DataFrame, most: int = 100) -> str:
    """The URL of MLflow's compare page of these runs.

    Args:
        base: The URL of MLflow's pages.
        runs: run_id, experiment_id.
        most: It takes no more than these: its address would be too long.
    """
    shown = runs.head(most)

    def listed(values: pd.Series[Any]) -> str:
        return quote("[" + ",".join(f'"{value}"' for value in dict.fromkeys(values)) + "]", safe="")

    return f"{base}/#/compare-runs?runs={listed(shown['run_id'])}&experiments={listed(shown['experiment_id'])}"


WORDS = {
    "compare": ("Choose the sweeps whose groups are to be compared.", "There is nothing to compare yet."),
    "quality": ("Choose a sweep whose runs classify.", "There is no run yet whose answers could be shown."),
}


def opened(page: str) -> tuple[Address, Comparison]:
    """What the URL names, and all of its runs; without any the page says so, offers a button and ends.

    Args:
        page: "compare" or "quality".
    """
    address = from_url()
    st.title(page.capitalize(), anchor=False)
    if address.empty:
        choose, nothing = WORDS[page]
        if len(store.sweeps()):
            st.markdown(choose)
            picker(address, page)
        else:
            st.markdown(nothing)
            if st.button("New sweep", type="primary", icon=":material/add:"):
                ui.go("launch", {})
        st.stop()
    whole = load(address)
    if whole is None:
        st.markdown("This store has none of the runs that the address names, or none of them counts any more.")
        if st.button("Choose others", type="primary"):
            ui.go(page, {})
        st.stop()
    return address, whole


def picker(address: Address, page: str) -> None:
    """Draw the sweeps to choose from, and a button that puts them into the URL."""
    frame = store.sweeps()
    rows = frame.to_dict("records")
    names = {row["sweep"]: f"{row['name'] or 'unnamed'}, {ui.moment(row['created'])}" for row in rows}
    with st.form(f"{page}-picker", border=False, enter_to_submit=False):
        sweeps = st.multiselect(
            "Sweeps", list(names), [sweep for sweep in address.sweeps if sweep in names], key=f"{page}-sweeps",
            format_func=lambda sweep: names.get(sweep, sweep), placeholder="choose sweeps",
        )  # fmt: skip
        if st.form_submit_button("Compare" if page == "compare" else "Show", type="primary") and sweeps:
            ui.go(page, {"sweep": ",".join(sweeps)})
