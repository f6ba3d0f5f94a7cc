"""The parts of a sweep's page below its figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import pandas as pd
import streamlit as st

from analysis.figures import theme
from analysis.runs.ranking import Group, places
from analysis.runs.steps_and_times import duration_seconds
from analysis.statistics.standings import Standings
from app.shared import metrics, store, ui
from app.sweep import actions, files, search
from sweeps.client import CommandError
from tracking.legible import legible

_PLACES: Final = {
    "place": "1–3: it may be the first or the third",
    "rank": "By the order of the means: no verdict stands behind it.",
}


def about_mean(row: Any) -> str:
    """The help of the column that ranks: what the mean is over, and what the objective says."""
    tasks = metrics.tasks_of_spec(store.spec_of(row["sweep"]))
    return ui.text(f"Mean over the finite runs. {metrics.meaning(str(row['metric']), tasks)}")


def ranking_table(row: Any, groups: list[Group], standings: Standings | None, winners: bool) -> None:
    """Draw the table of all groups of the search, best first.

    Args:
        row: The sweep.
        groups: In their order.
        standings: The verdicts on them, where there are some.
        winners: Whether there are winners, which have their own table.
    """
    if not groups:
        return
    st.subheader("Ranking of the search" if winners else "Ranking", anchor=False)
    keys = [key for key in row["searched"] if any(key in group.params for group in groups)]
    colour_of = theme.colour_indices(group.method for group in groups)
    colours = theme.palette(ui.dark())
    place = "rank" if standings is None else "place"
    frame = pd.DataFrame(
        {
            "●": ["●"] * len(groups),
            place: places(groups, standings),
            **{key: [_cell(group.params.get(key)) for group in groups] for key in keys},
            "mean": [group.interval.mean for group in groups],
            "±": [group.interval.half if group.interval.shown else math.nan for group in groups],
            "seeds": [group.seeds for group in groups],
            "remarks": [_remarks(group, int(row["seeds"]) if row["state"] in ui.ACTIVE else 0) for group in groups],
        }
    )
    tints = [f"color: {colours[colour_of[group.method]]}" for group in groups]
    styled = frame.style.apply(lambda _: tints, subset=["●"])
    short = {key: key.partition(".")[0] if key.endswith(".name") else key.rpartition(".")[2] for key in keys}
    names = {key: short[key] if list(short.values()).count(short[key]) == 1 else key for key in keys}
    config: dict[str, Any] = {
        "●": st.column_config.TextColumn("", width=28, help="Its colour in the figure"),
        place: st.column_config.TextColumn(width=56, help=_PLACES[place]),
        "mean": st.column_config.NumberColumn(row["metric"], format="%.4g", help=about_mean(row)),
        "±": st.column_config.NumberColumn(
            "±", format="%.2g", width=70, help="Half of the 95% t-interval; none below 3 seeds"
        ),
        "seeds": st.column_config.TextColumn(
            "seeds", width=70, alignment="right", help="Finite runs of those that ended"
        ),
        "remarks": st.column_config.TextColumn("", width="medium"),
    }
    for key in keys:
        numeric = pd.api.types.is_numeric_dtype(frame[key])
        config[key] = st.column_config.Column(names[key], help=key, alignment="right" if numeric else "left")
        if numeric:
            config[key] = st.column_config.NumberColumn(names[key], format="%.4g", help=key)
    st.dataframe(
        styled, hide_index=True, column_config=config, key="ranking", row_height=30, placeholder="",
        height=_height(max(len(groups), int(row["trials"])), 400), alt="Configurations ranked by their mean objective",
    )  # fmt: skip
    pruned = sum(group.pruned for group in groups)
    words = f" {pruned} {'were' if pruned > 1 else 'was'} pruned and {'have' if pruned > 1 else 'has'} no rank."
    shared = next((row.place for row in standings.rows if row.tied), "") if standings is not None else ""
    tied = f" {shared}: with these seeds their order cannot be told." if shared else ""
    by = "Ranked by the share of diverged runs, then by the mean of the finite ones."
    st.caption(f"{by}{tied}{words if pruned else ''}")


def _height(rows: int, most: int) -> int:
    # For all rows that will come: a table that grew would push what stands below it down the page.
    return min(38 + 30 * max(1, rows), most)


def _remarks(group: Group, seeds: int) -> str:
    missing = 0 if group.pruned else seeds - group.judged - sum(group.others.values())
    return ", ".join([*filter(None, [group.remarks]), *([f"{missing} to come"] if missing > 0 else [])])


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple | dict):
        return ", ".join(map(str, value)) if not isinstance(value, dict) else str(value)
    return value


def _stop(ids: list[str]) -> None:
    click = st.session_state.get("stop_run")
    if click is not None and 0 <= click["row"] < len(ids):
        actions.command("stop_run", ids[click["row"]])


def stoppable(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """The runs in the order of the table, running ones first, then the newest; and their ids in that order."""
    order = runs["outcome"].map({"running": 0}).fillna(1)
    shown = runs.assign(order=order).sort_values(["order", "start_time", "run_id"], ascending=[True, False, True])
    return shown, shown["run_id"]


def runs_table(row: Any, runs: pd.DataFrame, labels: Mapping[str, str]) -> None:
    """Draw the table of all runs, those that do not count too, with a button that stops one that trains.

    Args:
        row: The sweep.
        runs: Its runs.
        labels: What each group is called.
    """
    if not len(runs):
        st.caption("No run has started yet.")
        return
    shown, ids = stoppable(runs)
    frame = pd.DataFrame(
        {
            "configuration": [labels.get(group, "") for group in shown["group"]],
            "seed": shown["seed"].to_numpy(),
            "outcome": [
                outcome if counts else f"{outcome}, superseded"
                for outcome, counts in zip(shown["outcome"], shown["counts"], strict=True)
            ],
            "objective": shown["objective"].astype(float).to_numpy(),
            "seconds": duration_seconds(shown["start_time"], shown["end_time"]).to_numpy(),
            "stop": ["Stop" if outcome == "running" else None for outcome in shown["outcome"]],
            "error": shown["error"].fillna("").to_numpy(),
        }
    )
    if not frame["stop"].notna().any():
        frame = frame.drop(columns="stop")
    if not frame["error"].astype(bool).any():
        frame = frame.drop(columns="error")
    st.dataframe(
        frame, hide_index=True, key="runs", row_height=30, placeholder="",
        height=_height(max(len(frame), int(row["planned"])), 420),
        column_config={
            "configuration": st.column_config.TextColumn(width="medium"),
            "seed": st.column_config.NumberColumn(width=56),
            "outcome": st.column_config.TextColumn(width=150),
            "objective": st.column_config.NumberColumn(row["metric"], format="%.4g"),
            "seconds": st.column_config.NumberColumn("seconds", format="%.1f", width=80),
            "stop": st.column_config.ButtonColumn(
                "", width=76, key="stop_run", on_click=_stop, args=(list(ids),), help="Ends this run alone, now."
            ),
            "error": st.column_config.TextColumn("error", width="large"),
        },
        alt="The runs of this sweep",
    )  # fmt: skip


def events_list(row: Any) -> None:
    """Draw the table of what happened, newest first."""
    frame = store.events(row["sweep"])
    if not len(frame):
        st.caption("Nothing has happened yet.")
        return
    shown = frame.head(200)
    st.dataframe(
        pd.DataFrame({"when": [ui.ago(at) for at in shown["at"]], "what": shown["text"].astype(str)}),
        hide_index=True, key="events", row_height=30, height=_height(len(shown), 420),
        column_config={
            "when": st.column_config.TextColumn(width=130),
            "what": st.column_config.TextColumn(width="large"),
        },
        alt="Events of this sweep, newest first",
    )  # fmt: skip


def specification(row: Any) -> None:
    """Draw the YAML that the sweep was launched with, and the link to MLflow."""
    text = store.spec_text(row["sweep"])
    st.code(legible(text), language="yaml", wrap_lines=True)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button("Download YAML", text, "sweep.yaml", "text/yaml", icon=":material/download:")
        if st.button("Open in MLflow", key="do-mlflow", icon=":material/open_in_new:"):
            try:
                with st.spinner("Starting MLflow's own pages"):
                    st.session_state["_mlflow"] = store.mlflow_page()
            except (CommandError, OSError) as error:
                st.error(ui.text(error))
        if st.session_state.get("_mlflow"):
            query = quote(f"tags.sweep = '{row['sweep']}'")
            page = f"{st.session_state['_mlflow']}/#/experiments/{row['experiment_id']}/runs?searchFilter={query}"
            st.link_button("This sweep in MLflow", page)


def more(row: Any, runs: pd.DataFrame, labels: Mapping[str, str]) -> None:
    """Draw the tabs: runs, figures of the search, files, events, specification; of these only the open one."""
    parts: dict[str, Callable[[], None]] = {"Runs": lambda: runs_table(row, runs, labels)}
    parts |= {name: partial(search.figure, name, row, runs) for name in search.FIGURES}
    parts |= {
        "Files": lambda: files.files(row),
        "Events": lambda: events_list(row),
        "Specification": lambda: specification(row),
    }
    tabs = st.tabs(list(parts), key="part", on_change="rerun", bind="query-params")
    for tab, draw in zip(tabs, parts.values(), strict=True):
        if tab.open:
            with tab:
                draw()
