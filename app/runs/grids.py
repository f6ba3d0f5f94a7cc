"""The two tables of the page of runs, drawn: one row per run, and one row per group of runs."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from analysis.runs import metric_roles
from app.runs import actions, cached
from app.runs.incremental import NAN
from app.runs.table import NAME, SECONDS, STARTED, groups, typed
from app.shared import metrics, ui
from tracking.order import order_key, replicated

CELL = 300
"""So many characters of a cell are sent at most; the run's page has them all."""


def number_column(values: pd.Series, lost: pd.Series | None = None) -> pd.Series:
    """A column as it is sent to the browser: numbers as numbers, long texts cut.

    Args:
        values: The column's values, by run.
        lost: Where a metric was logged as nan, and is not missing: it is shown as NaN, and not as nothing.
    """
    values = typed(values)
    if lost is not None and bool(lost.any()):
        import pyarrow as pa

        numbers = values.to_numpy(dtype=float)
        array = pa.array(numbers, mask=np.isnan(numbers) & ~lost.to_numpy(dtype=bool))
        return pd.Series(pd.arrays.ArrowExtensionArray(array), index=values.index, name=values.name)
    if pd.api.types.is_float_dtype(values):
        present = values.dropna()
        whole = len(present) and bool((present == present.round()).all()) and bool((present.abs() < 1e15).all())
        if whole and str(values.name).startswith("params."):
            return values.astype("Int64")
        return values
    if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_numeric_dtype(values):
        return values
    texts = values.astype(object).where(values.notna(), None)
    return texts.map(lambda text: text if text is None else str(text)[:CELL])


def _about(column: str, tasks: Sequence[str]) -> str:
    """The help of a column: its whole name; of a metric also what it says in runs of these tasks."""
    prefix, _, name = column.partition(".")
    says = metrics.meaning(name, tasks) if prefix == "metrics" else ""
    return f"{ui.text(column, 200)}{f': {ui.text(says)}' if says else ''}"


def _tasks_of(rows: pd.DataFrame) -> list[str]:
    return metrics.tasks_of(rows, f"params.{metrics.DATASET}")


def _config(column: str, values: pd.Series, label: str, pinned: bool = False, tasks: Sequence[str] = ()) -> Any:
    about = _about(column, tasks)
    if column == STARTED:
        return st.column_config.DatetimeColumn(label, format="YYYY-MM-DD HH:mm", pinned=pinned, width=130)
    if column == SECONDS:
        return st.column_config.NumberColumn("seconds", format="%.1f", pinned=pinned, width=80)
    if pd.api.types.is_numeric_dtype(values):
        whole = pd.api.types.is_integer_dtype(values)
        return st.column_config.NumberColumn(label, format="%d" if whole else "%.4g", help=about, pinned=pinned)
    return st.column_config.TextColumn(label, help=about, pinned=pinned)


def _height(rows: int) -> int:
    return min(38 + 30 * max(1, rows), 620)


def _key(kind: str, experiment: str, ids: Sequence[str]) -> str:
    """The table's key: the same whatever rows it shows, so that it is not drawn anew.

    Rows are marked by their places: the marks move along with the rows.
    """
    key = f"{kind}-{zlib.crc32(experiment.encode()):x}"
    before, marked = st.session_state.get(f"_ids-{key}"), st.session_state.get(key)
    if before is not None and before != ids and marked and marked["selection"]["rows"]:
        places = {run: place for place, run in enumerate(ids)}
        lost = [before[place] for place in marked["selection"]["rows"] if place < len(before)]
        st.session_state[key] = {"selection": {"rows": [places[run] for run in lost if run in places], "columns": []}}
    st.session_state[f"_ids-{key}"] = list(ids)
    st.session_state["_runs_table"] = key
    return key


def _open(ids: list[str]) -> None:
    click = st.session_state.get("open_run")
    if click is not None and 0 <= click["row"] < len(ids):
        st.session_state["_open_run"] = ids[click["row"]]


def _curve(ids: list[str], curve: str, role: metric_roles.Role) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns of one metric's history: its line, its best, lowest and highest value."""
    shape = cached.metric_shape(tuple(ids), curve).reindex(ids)
    about = ui.text(curve, 100)
    data: dict[str, Any] = {"curve": [line if isinstance(line, list) else [] for line in shape["curve"]]}
    config: dict[str, Any] = {
        "curve": st.column_config.LineChartColumn(curve, width=110, help=f"{about}, first to last value")
    }
    words = {"min": ("lowest", f"The lowest value ever of {about}"), "max": ("highest", f"The highest ever of {about}")}
    if role.better:
        best = "max" if role.better == metric_roles.HIGHER else "min"
        flatters = ("best", f"The best value ever of {about}: of a noisy curve it flatters")
        words = {best: flatters} | {name: about_it for name, about_it in words.items() if name != best}
    for name, (word, help_) in words.items():
        data[name] = shape[name].to_numpy(dtype=float)
        config[name] = st.column_config.NumberColumn(word, format="%.4g", help=help_)
    return data, config


def runs_table(
    rows: pd.DataFrame, columns: list[str], pinned: list[str], curve: str, role: metric_roles.Role, experiment: str
) -> list[int]:
    """Draw one row per run; returns the places of the marked ones.

    Args:
        rows: The runs.
        columns: What is shown of them beside their name.
        pinned: What of it stays at the left.
        curve: The metric whose history is drawn; none if empty.
        role: What that metric is.
        experiment: What they are the runs of, by name.
    """
    labels = actions.short(columns)
    ids = [str(run) for run in rows["run_id"]]
    data: dict[str, Any] = {
        "": [":material/open_in_full:"] * len(rows),
        NAME: number_column(rows[NAME]).fillna("unnamed"),
    }
    config: dict[str, Any] = {
        "": st.column_config.ButtonColumn(
            "",
            key="open_run",
            on_click=_open,
            args=(ids,),
            width=40,
            type="tertiary",
            pinned=True,
            help="Opens the run",
        ),
        NAME: st.column_config.TextColumn("run", pinned=True, width=165),
    }
    tasks = _tasks_of(rows)
    for column in columns:
        data[column] = number_column(rows[column], rows.get(f"{NAN}{column}"))
        config[column] = _config(column, data[column], labels[column], column in pinned, tasks)
    more: dict[str, Any] = {}
    if curve:
        more, about = _curve(ids, curve, role)
        data, config = data | more, config | about
    frame = pd.DataFrame({name: pd.Series(values).array for name, values in data.items()})
    left = [column for column in columns if column in pinned]
    rest = [column for column in columns if column not in pinned]
    # Beside the metrics, before the times.
    place = min((rest.index(column) for column in (STARTED, SECONDS) if column in rest), default=len(rest))
    order = ["", NAME, *left, *rest[:place], *more, *rest[place:]]
    key = _key("runs-table", experiment, ids)
    event = st.dataframe(
        frame, hide_index=True, key=key, row_height=30, height=_height(len(frame)), column_order=order, lazy=False,
        column_config=config, on_select="rerun", selection_mode="multi-row", placeholder="",
        alt="The runs, newest first",
    )  # fmt: skip
    return [place for place in event["selection"]["rows"] if place < len(rows)]


def groups_table(
    rows: pd.DataFrame, by: list[str], shown: list[str], metrics: list[str], role: metric_roles.Role, experiment: str
) -> tuple[pd.DataFrame, list[int]]:
    """Draw one row per group, the best first; returns the groups and the places of the marked ones.

    Args:
        rows: The runs.
        by: What makes a group.
        shown: Those columns of it that are shown.
        metrics: What is averaged; they rank by the first.
        role: What the first metric is.
        experiment: What they are the runs of, by name.
    """
    frame = groups(rows, by, metrics, shown)
    if metrics:
        sign = -1.0 if role.better == metric_roles.HIGHER else 1.0
        several = replicated(zip(frame["n"], frame["judged"], strict=True))
        means = frame[metrics[0]] * sign
        keys = [order_key(*row, several) for row in zip(frame["n"], frame["judged"], means, strict=True)]
        frame = frame.iloc[sorted(range(len(frame)), key=keys.__getitem__)].reset_index(drop=True)
    labels = actions.short([*shown, *metrics])
    data = {column: number_column(frame[column]) for column in shown}
    config: dict[str, Any] = {column: _config(column, data[column], labels[column]) for column in shown}
    tasks = _tasks_of(rows)
    for place, column in enumerate(metrics):
        data[column], data[f"± {column}"] = frame[column], frame[f"± {column}"]
        about = f"Mean over the finite runs of {_about(column, tasks)}"
        config[column] = st.column_config.NumberColumn(labels[column], format="%.4g", help=about)
        config[f"± {column}"] = st.column_config.NumberColumn(
            "±", format="%.2g", width=64, help="Half of the 95% t-interval; none below 3 runs"
        )
        if place == 0:
            data["n"] = frame["n"]
    data["finite"] = frame["finite"]
    config["n"] = st.column_config.NumberColumn("n", width=44, help="Runs in the mean before it")
    config["finite"] = st.column_config.TextColumn(
        "finite", width=72, alignment="right", help="Finite runs of those that ended well or diverged"
    )
    if not metrics:
        data["n"] = frame["n"]
    if frame["others"].astype(bool).any():
        data["others"] = frame["others"]
        config["others"] = st.column_config.TextColumn("others", help="What became of the rest")
    # A group is known by its first run, which it keeps while others join it.
    key = _key("groups-table", " ".join([experiment, *by]), [str(ids[-1]) for ids in frame["runs"]])
    event = st.dataframe(
        pd.DataFrame(data), hide_index=True, key=key, row_height=30, height=_height(len(frame)), column_config=config,
        on_select="rerun", selection_mode="multi-row", placeholder="", lazy=False, alt="Groups of runs, the best first",
    )  # fmt: skip
    return frame, [place for place in event["selection"]["rows"] if place < len(frame)]
