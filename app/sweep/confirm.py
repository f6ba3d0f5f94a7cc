"""The winners of a sweep: their results in the search, and what is left of these with fresh seeds."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from analysis.figures import export
from analysis.runs.ranking import places
from analysis.search.confirmed import OPTIMISTIC, ConfirmedInfo, confirmed_info, plot_confirmed, table
from analysis.statistics.standings import Standings
from app.shared import store, ui
from sweeps.spec import Spec

SHOWN = {"displaylogo": False, "displayModeBar": False, "responsive": True}
MOST_DRAWN = 12
"""Winners in the figure: the table has them all."""


def info_of(row: Any, runs: pd.DataFrame, spec: Spec | None) -> ConfirmedInfo:
    """The winners with their runs; none where nothing was confirmed yet.

    Args:
        row: The sweep.
        runs: Its runs.
        spec: What it is, if it can be read.
    """
    per = spec.confirm.per if spec is not None and spec.confirm is not None else None
    return confirmed_info(runs, list(row["searched"]), metric=row["metric"], direction=row["direction"], per=per)


def expected(row: Any) -> Spec | None:
    """The sweep's specification if it confirms its winners."""
    spec = store.spec_of(row["sweep"])
    return spec if spec is not None and spec.confirm is not None else None


def section(row: Any, info: ConfirmedInfo, standings: Standings | None) -> None:
    """Draw search and confirm apart: a figure, a table, and what to make of them.

    Args:
        row: The sweep.
        info: The winners.
        standings: The verdicts on them, where there are some.
    """
    if not info.winners:
        return
    st.subheader("Search and confirm", anchor=False)
    if info.sentence:
        st.markdown(ui.text(info.sentence))
    drawn = ConfirmedInfo(info.winners[:MOST_DRAWN], info.metric, info.direction, info.per)
    st.plotly_chart(
        plot_confirmed(drawn, dark=ui.dark()), key="confirmed", theme=None, config=SHOWN,
        alt=ui.text(f"{info.metric} of each winner: the runs that chose it, and those with fresh seeds"),
    )  # fmt: skip
    _table(info, standings)
    st.caption(ui.text(f"{OPTIMISTIC} {info.basis}"))
    numbers = table(info)
    caption = export.Caption(
        f"{info.metric} of each winner, search and confirm apart", f"{len(info.winners)} winners", info.basis,
        f"Runs of {row['name']} ({str(row['sweep'])[:8]})", "launch the sweep's spec.yaml with sweepboard run",
    )  # fmt: skip
    st.download_button(
        "CSV", lambda: export.csv(numbers, caption), "confirmed.csv", "text/csv", icon=":material/download:",
        key="csv-confirmed", type="tertiary", on_click="ignore", help="The numbers of this table, with their basis.",
    )  # fmt: skip


def _table(info: ConfirmedInfo, standings: Standings | None) -> None:
    frame = table(info).assign(rank=places(info.groups, standings))
    several = info.per is not None and frame["value"].value_counts().max() > 1
    if info.per is None:
        frame = frame.drop(columns=["value", "place"])
    elif not several:
        frame = frame.drop(columns="place")
    better = "higher" if info.direction == "maximize" else "lower"
    number: dict[str, Any] = {"format": "%.4g"}
    half: dict[str, Any] = {"format": "%.2g", "width": 64, "help": "Half of the 95% interval; none below 3 seeds"}
    st.dataframe(
        frame, hide_index=True, key="winners", row_height=30, placeholder="",
        height=min(38 + 30 * len(frame), 400),
        column_config={
            "rank": st.column_config.TextColumn(
                "place", width=56, help="By the confirm runs alone; 1–3: it may be the first or the third"
            ),
            "value": st.column_config.TextColumn(info.per or "", help="Each of its values has winners of its own"),
            "place": st.column_config.NumberColumn(
                f"of its {(info.per or '').rpartition('.')[2]}", width=70,
                help=f"Among the winners of this {info.per}, by the confirm runs alone",
            ),
            "configuration": st.column_config.TextColumn(width="medium"),
            "confirm": st.column_config.NumberColumn("confirm", help=f"Mean, {better} is better", **number),
            "confirm_half": st.column_config.NumberColumn("±", **half),
            "seeds": st.column_config.TextColumn("seeds", width=70, alignment="right", help="Finite of fresh runs"),
            "search": st.column_config.NumberColumn("search", help="Mean of the runs that chose it", **number),
            "search_half": st.column_config.NumberColumn("± ", **half),
            "search_seeds": st.column_config.TextColumn("seeds ", width=70, alignment="right"),
            "shrinkage": st.column_config.NumberColumn(
                "shrank by", help="How much worse confirm is than search; negative where it is better", **number
            ),
            "shrinkage_half": st.column_config.NumberColumn("±  ", **half),
        },
        alt="Winners ranked by their confirm runs, with what the search had said",
    )  # fmt: skip
