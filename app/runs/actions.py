"""What a user can do on the page of runs: filter rows, set the roles of metrics, and act on the marked rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from analysis.runs import metric_roles
from app.runs.table import ARCHIVED, NAME, RunTable, is_seed, typed
from app.shared import live, store, ui
from sweeps.client import CommandError
from tracking.filters import NUMERIC, quoted_key, quoted_value
from tracking.schema import NOTE, RUN_NAME

MOST_COMPARED = 100
"""Runs in one link: longer addresses are cut by some browsers."""
MOST_VALUES = 200
"""Values offered to click."""


def short(columns: Sequence[str]) -> dict[str, str]:
    """Column -> its name in the table: a param's last part where that tells it apart, else all of it."""
    names = {column: column.partition(".")[2] if column.startswith(PREFIXES) else column for column in columns}
    ends = {column: _end(names[column]) if column.startswith("params.") else names[column] for column in columns}
    taken = list(ends.values())
    return {column: ends[column] if taken.count(ends[column]) == 1 else names[column] for column in columns}


PREFIXES = ("params.", "metrics.", "tags.")


def _end(name: str) -> str:
    if is_seed(name):
        return name
    head, _, last = name.rpartition(".")
    return head.rpartition(".")[2] if last == "name" and head else last


def keep_message(kind: str, text: str) -> None:
    """Keep a sentence for the page's next run."""
    st.session_state["_runs_said"] = (kind, text)


def show_message() -> None:
    """Show what `keep_message` kept, once."""
    message = st.session_state.pop("_runs_said", None)
    if message:
        {"error": st.error, "warning": st.warning, "success": st.toast}[message[0]](ui.text(message[1]))


def act(words: str, name: str, *arguments: Any, **more: Any) -> bool:
    """Ask the service to change runs; what it refuses is shown on the page. Returns whether it was done."""
    try:
        with st.spinner("Writing"):
            warning = getattr(store.client(), name)(*arguments, **more)
    except (CommandError, ValueError, OSError, RuntimeError) as error:
        keep_message("error", str(error))
        return False
    keep_message("warning" if warning else "success", warning or words)
    return True


def add_condition(text: str) -> None:
    """Append a condition to the filter."""
    old = str(st.session_state.get("filter") or "").strip()
    st.session_state["filter"] = f"{old} AND {text}" if old else text


def _add_clicked() -> None:
    column, kind = st.session_state["_column"], st.session_state.get("_column_kind")
    name = (
        f"{column.partition('.')[0]}.{quoted_key(column.partition('.')[2])}" if column.startswith(PREFIXES) else column
    )
    if kind == "number":
        value = st.session_state["_number"]
        if value is not None:
            add_condition(f"{name} {st.session_state['_sign']} {value:g}")
        return
    values = st.session_state.get("_values") or []
    if len(values) == 1:
        add_condition(f"{name} = {quoted_value(values[0])}")
    elif values:
        add_condition(f"{name} IN ({', '.join(quoted_value(value) for value in values)})")


def condition_builder(table: RunTable) -> None:
    """Draw a filter to click together: a column, then a bound or some of its values, added to the filter's text."""
    columns = [*table.differing, *table.metrics, *(param for param in table.params if param not in table.differing)]
    columns = [*columns, "status", *table.tags]
    column = st.selectbox("Column", columns, key="_column", format_func=lambda name: str(name))
    values = typed(table.frame[column]) if column else pd.Series(dtype=object)
    numeric = pd.api.types.is_numeric_dtype(values)
    st.session_state["_column_kind"] = "number" if numeric else "text"
    if numeric:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox("is", NUMERIC, index=2, key="_sign", width=80)
            middle = values.replace([float("inf"), float("-inf")], float("nan")).median()
            st.number_input("than", value=None if pd.isna(middle) else float(middle), format="%g", key="_number")
    else:
        different = values.dropna().astype(str).value_counts()
        st.multiselect("is one of", list(different.index[:MOST_VALUES]), key="_values", placeholder="choose values")
        if len(different) > MOST_VALUES:
            st.caption(f"The {MOST_VALUES} most frequent of {len(different):,} values; type the others.")
    st.button("Add to the filter", key="add-condition", icon=":material/add:", on_click=_add_clicked)


def roles_of(table: RunTable, experiment_id: str | None) -> dict[str, metric_roles.Role]:
    """The role of each metric of the experiment, or of all experiments: as it was set, else guessed."""
    names = [column.removeprefix("metrics.") for column in table.metrics]
    goals = store.goals(table.frame["parent"].dropna().unique()) if "parent" in table.frame else []
    return store.roles(names, [experiment_id] if experiment_id is not None else [], goals)


def roles_editor(roles: dict[str, metric_roles.Role], experiment_id: str) -> None:
    """Draw the table of metrics' roles, which can be changed and are kept with the experiment."""
    if not roles:
        st.caption("These runs logged no metric.")
        return
    names = metric_roles.ordered(roles)
    frame = pd.DataFrame(
        {
            "metric": names,
            "of": [roles[name].part for name in names],
            "better": [roles[name].better for name in names],
            "": [roles[name].source for name in names],
        }
    )
    st.caption("Known of our own, else guessed from the names. What you change is kept with the experiment.")
    edited = st.data_editor(
        frame, key=f"roles-{experiment_id}", hide_index=True, disabled=["metric", ""],
        height=min(38 + 35 * len(frame), 360), placeholder="–",
        column_config={
            "of": st.column_config.SelectboxColumn("of the data", options=list(metric_roles.PARTS)),
            "better": st.column_config.SelectboxColumn("better is", options=list(metric_roles.BETTER)),
        },
        alt="What each metric measures",
    )  # fmt: skip
    changed = dict(roles)
    for name, part, better in zip(edited["metric"], edited["of"], edited["better"], strict=True):
        role = roles[name]
        if role.objective and (better or "") != role.better:
            st.caption(f"{ui.text(name)} is what the sweep ranks by: {role.better} stays better.")
        pair = (part or "", role.better if role.objective else better or "")
        if pair != (role.part, role.better):
            changed[name] = replace(metric_roles.Role(*pair, metric_roles.SAID), objective=role.objective)
    if st.button("Keep", key="keep-roles", type="primary", disabled=changed == roles or store.read_only() is not None):
        tags = {store.ROLES_TAG: metric_roles.remembered(changed)}
        if act("Kept with the experiment", "edit_experiment", experiment_id, tags):
            st.session_state.pop(f"roles-{experiment_id}", None)
        st.rerun()


def _save(ids: list[str], old_name: str | None, old_note: str) -> None:
    state, tags = st.session_state, {}
    if old_name is not None:
        name, note = str(state.get("edit-name") or "").strip(), str(state.get("edit-note") or "")
        if name and name != old_name:
            tags[RUN_NAME] = name
        if note != old_note:
            tags[NOTE] = note
    if key := str(state.get("edit-tag") or "").strip():
        tags[key] = str(state.get("edit-value") or "")
    removed = list(state.get("edit-removed") or [])
    if tags or removed:
        act("Saved", "edit", ids, tags, removed)


@st.dialog("Edit", on_dismiss="rerun")
def edit_dialog(rows: pd.DataFrame) -> None:
    """Edit the name, note and tags of one run, or the tags of several."""
    live.hold()
    ids = [str(run) for run in rows["run_id"]]
    single = rows.iloc[0] if len(rows) == 1 else None
    name, note = None, ""
    # A callback saves: it runs before the page does.
    with st.form("edit", border=False):
        if single is not None:
            name = str(single[NAME]) if isinstance(single[NAME], str) else ""
            stored = single.get(f"tags.{NOTE}")
            note = stored if isinstance(stored, str) else ""
            st.text_input("Name", name, key="edit-name", max_chars=250)
            st.text_area("Note", note, key="edit-note", max_chars=5000)
        else:
            st.caption(f"{ui.count(len(ids), 'run')} are marked: a tag is set on all of them.")
        with st.container(horizontal=True):
            st.text_input("Tag", key="edit-tag", placeholder="name", max_chars=250)
            st.text_input("Value", key="edit-value", max_chars=5000)
        tag_columns = [str(column) for column in rows if str(column).startswith("tags.") and rows[column].notna().any()]
        if removable := [tag for column in tag_columns if not reserved(tag := column.removeprefix("tags."))]:
            st.multiselect("Remove tags", removable, key="edit-removed")
        if st.form_submit_button("Save", type="primary", on_click=_save, args=(ids, name, note)):
            st.rerun()


def reserved(tag: str) -> bool:
    """Whether a tag belongs to this program or to MLflow."""
    from sweeps.service.editing import RESERVED

    return tag in RESERVED or tag.startswith(("mlflow.", "cmd.", "event."))


@st.dialog("Delete runs", on_dismiss="rerun")
def delete_dialog(ids: list[str]) -> None:
    """Ask before runs are deleted."""
    live.hold()
    runs = ui.count(len(ids), "run")
    st.markdown(f"Delete **{runs}**? They are hidden here and in MLflow, and can be restored.")
    with st.container(horizontal=True):
        words = f"{runs} deleted; Show: Deleted brings them back"
        if st.button(f"Delete {runs}", key="delete-sure", type="primary", on_click=act, args=(words, "delete", ids)):
            st.rerun()
        if st.button("Keep", key="delete-not"):
            st.rerun()


def _mlflow(ids: list[str], experiments: list[str]) -> None:
    about = "Starts MLflow's own pages and links to the same runs there."
    if st.button("Open in MLflow", key="mlflow-compare", icon=":material/open_in_new:", help=about):
        try:
            with st.spinner("Starting MLflow's own pages"):
                st.session_state["_mlflow"] = store.mlflow_page()
        except (CommandError, OSError) as error:
            keep_message("error", str(error))
            st.rerun()
    if base := store.mlflow_url():
        st.link_button("Go to MLflow", mlflow_address(base, ids, experiments), type="tertiary")


def mlflow_address(base: str, ids: list[str], experiments: list[str]) -> str:
    """The URL of MLflow's page of one run, or of its comparison of several."""
    from urllib.parse import quote

    if len(ids) == 1:
        return f"{base}/#/experiments/{experiments[0]}/runs/{ids[0]}"
    runs, among = quote(json.dumps(ids, separators=(",", ":"))), quote(json.dumps(experiments, separators=(",", ":")))
    return f"{base}/#/compare-runs?runs={runs}&experiments={among}"


def actions(rows: pd.DataFrame, show: str, words: str = "", before: Callable[[], None] | None = None) -> None:
    """Draw what can be done with the marked rows.

    Args:
        rows: The marked runs.
        show: Which runs are shown: "Active", "Archived" or "Deleted".
        words: What stands before the buttons, in Markdown; then the way to the run or the comparison follows.
        before: Draws what stands before the buttons instead.
    """
    ids = [str(run) for run in rows["run_id"]]
    runs = ui.count(len(ids), "run")
    fixed = store.read_only() is not None
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="runs-actions"):
        if before:
            before()
        if words:
            st.markdown(words, width="content")
        if show == "Deleted":
            if st.button(
                "Restore", key="restore", icon=":material/restore_from_trash:", type="primary", disabled=fixed
            ):
                act(f"{runs} restored", "restore", ids)
                st.rerun()
            return
        if words:
            compare_link(ids)
        _mlflow(ids, sorted({str(experiment) for experiment in rows["experiment_id"]}))
        if st.button("Edit", key="edit-runs", icon=":material/edit:", disabled=fixed, help="Name, note and tags"):
            edit_dialog(rows)
        if show == "Archived":
            if st.button("Unarchive", key="unarchive", icon=":material/unarchive:", disabled=fixed):
                act(f"{runs} back among the active ones", "edit", ids, {}, [ARCHIVED])
                st.rerun()
        elif st.button(
            "Archive", key="archive", icon=":material/archive:", disabled=fixed, help="Puts away; nothing is deleted."
        ):
            act(f"{runs} archived", "edit", ids, {ARCHIVED: "yes"})
            st.rerun()
        if st.button("Delete", key="delete-runs", icon=":material/delete:", disabled=fixed):
            delete_dialog(ids)


def compare_link(ids: list[str]) -> None:
    """Draw the link to the page of one run, or to the comparison of several."""
    if len(ids) == 1:
        st.page_link("views/run.py", label="Open", icon=":material/description:", query_params={"run": ids[0]})
    elif len(ids) <= MOST_COMPARED:
        query = {"runs": ",".join(ids)}
        st.page_link("views/compare.py", label="Compare", icon=":material/compare_arrows:", query_params=query)
    else:
        st.caption(f"Compare takes at most {MOST_COMPARED} runs.", width="content")
