"""Any experiment's runs: filtered, sorted, grouped over seeds, edited, and sent to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from analysis.runs import metric_roles
from app.runs import actions, cached, grids, settings
from app.runs.table import (
    ARCHIVED,
    EXPERIMENT,
    GROUP,
    NAME,
    SECONDS,
    STARTED,
    STATE,
    RunTable,
    common_first,
    default_columns,
    is_seed,
    typed,
)
from app.shared import live, store, ui
from tracking.filters import SearchError, matches

SHOWN = {"Active": "no runs yet", "Archived": "no archived runs", "Deleted": "no deleted runs"}
ALL = "All experiments"
NO_CURVE = "no curve"
NEWEST = "newest first"
ORDERS = {"ascending": True, "descending": False}
CURVES_AT_ONCE = 2_000
"""More runs than this get sparklines only when asked for."""


def address_names_one(names: Mapping[str, str], options: Sequence[str]) -> bool:
    """Whether the address names an experiment, or none at all; an unknown one is reported, an id replaced by its name.

    Args:
        names: Id -> name of the experiments.
        options: The values that the widget takes.
    """
    address = st.query_params.get("experiment")
    if not address or address in options:
        return True
    if address in names:
        others = {key: st.query_params.get_all(key) for key in st.query_params}
        ui.go("runs", {**others, "experiment": names[address]})
    st.error(f"There is no experiment {ui.text(address, 80)} in this store.")
    return False


def chosen_experiment() -> tuple[str | None, str] | None:
    """Id and name of the experiment that the URL names, else of the newest; no id for all of them, None without any."""
    experiments = store.experiments()
    experiments = experiments[experiments["lifecycle"] == "active"]
    ids = dict(zip(map(str, experiments["name"]), map(str, experiments["experiment_id"]), strict=True))
    names = list(ids)
    # MLflow's own, mostly empty, last.
    names = [name for name in reversed(names) if name != "Default"] + [name for name in names if name == "Default"]
    if not names:
        return None
    all_option = ALL if ALL not in names else f"{ALL} of the store"
    options = [*names, all_option] if len(names) > 1 else names
    first = 0 if address_names_one({number: name for name, number in ids.items()}, options) else None
    name = st.selectbox(
        "Experiment", options, first, key="experiment", bind="query-params", on_change=settings.forget, width=320,
        placeholder="choose an experiment",
        help="One question, with all its sweeps and runs; or all experiments at once.",
    )  # fmt: skip
    if name is None:
        st.stop()
    return None if name == all_option else ids[name], name


def nothing(text: str) -> None:
    """Draw the page without runs."""
    st.markdown(text)
    st.page_link("views/launch.py", label="Launch a sweep", icon=":material/add_circle:")


def column_choice(table: RunTable, main: list[str], rows: int) -> tuple[list[str], list[str], str]:
    """Draw the choice of columns; returns the columns, those pinned, and the metric whose curve is drawn."""
    first_own = [column for column in table.always if column in (EXPERIMENT, STATE)]
    default = [*first_own, *default_columns(table, main), STARTED, SECONDS]
    options = [column for column in table.columns if column != NAME]
    settings.only("columns", options)
    columns = st.multiselect(
        "Columns", options, default, key="columns", bind="query-params",
        help="Those that differ between the runs and the main metrics, unless you choose others.",
    )  # fmt: skip
    settings.only("pinned", columns)
    pinned = st.multiselect("Pinned to the left", columns, key="pinned", bind="query-params", placeholder="none")
    metrics = [column.removeprefix("metrics.") for column in table.metrics]
    first = main[0].removeprefix("metrics.") if main and rows <= CURVES_AT_ONCE else NO_CURVE
    curves = [NO_CURVE, *metrics]
    settings.only("curve", curves)
    curve = st.selectbox(
        "Curve, best, lowest and highest of", curves, curves.index(first), key="curve", bind="query-params",
        help=f"Read for every row: above {CURVES_AT_ONCE:,} runs only when you choose it.",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        orders = [NEWEST, *table.columns]
        settings.only("sort", orders)
        sort = st.selectbox(
            "Sorted by", orders, key="sort", bind="query-params", help="A click on a column's head sorts too, for now."
        )
        settings.only("order", list(ORDERS))
        st.segmented_control(
            "Order", list(ORDERS), default=next(iter(ORDERS)), required=True, key="order", bind="query-params",
            disabled=sort == NEWEST,
        )  # fmt: skip
    return columns, pinned, "" if curve in (None, NO_CURVE) else curve


def keep_button(experiment_id: str | None) -> None:
    """Draw the button that keeps the columns with the experiment, for everybody."""
    if experiment_id is None:
        st.caption("Remembered while you browse, and in the address.")
        return
    now, stored = settings.to_tag(), store.experiment_tags(experiment_id).get(settings.TAG, "")
    same = settings.of_tag(now) == settings.of_tag(stored)
    about = "Kept with the experiment, for everybody, wherever an address does not say otherwise."
    if st.button("Keep", key="keep-view", type="primary", disabled=same or store.read_only() is not None, help=about):
        actions.act("Kept with the experiment", "edit_experiment", experiment_id, {settings.TAG: now})
        st.rerun()


def ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order that was chosen; what lacks the column comes last."""
    column = st.session_state.get("sort")
    if column in (None, NEWEST) or column not in rows:
        return rows
    values = typed(rows[column])
    values = values.astype(str).where(values.notna()) if values.dtype == object else values
    return rows.loc[values.sort_values(ascending=ORDERS[st.session_state["order"]], kind="stable").index]


def summary(rows: pd.DataFrame, total: int) -> str:
    """How many runs there are, and what became of them."""
    states = rows[STATE].astype(str).str.partition(",")[0].value_counts()
    words = ", ".join(f"{count:,} {ui.text(state, 30)}" for state, count in states.head(6).items())
    of = f" of {total:,}" if len(rows) < total else ""
    return f"**{len(rows):,}{of} {'run' if total == 1 else 'runs'}**{f': {words}' if words else ''}."


def reading(metrics: list[str], role: metric_roles.Role) -> str:
    """How to read the rows of groups, and how they rank."""
    if not metrics:
        return "These runs logged no metric: groups are only counted."
    first = metrics[0].removeprefix("metrics.")
    about = ui.text(f"{first} ({role.words})" if role.words else first)
    return (
        f"Best first by {about}; what diverged ranks last. Means over the finite runs that ended well, ± half of the"
        " 95% t-interval."
    )


def grouped(
    rows: pd.DataFrame, table: RunTable, metrics: list[str], role: metric_roles.Role, name: str
) -> tuple[list[str], str]:
    """Draw the table of groups; returns the run ids of the marked ones, and how many are marked."""
    options = [column for column in (*table.always, *table.params) if column == EXPERIMENT or column in table.params]
    options = [column for column in options if not is_seed(column)]
    settings.only("by", options)
    by = st.multiselect(
        "Grouped by", options, key="by", bind="query-params",
        placeholder="everything but the seed", help="Runs equal in all of these are one group.",
    )  # fmt: skip
    listed, marked = grids.groups_table(rows, by or [GROUP], by or table.telling, metrics, role, name)
    ids = [run for place in marked for run in listed["runs"].iloc[place]]
    return ids, f"{ui.count(len(marked), 'group')}, "


def page(experiment_id: str | None, name: str, show: str, by_groups: bool) -> bool:
    """Draw the runs of one experiment, or of all; returns whether one of them trains."""
    table = cached.run_table(experiment_id, show == "Deleted")
    frame = table.frame
    if show != "Deleted":
        tag = f"tags.{ARCHIVED}"
        away = frame[tag].notna() if tag in frame else pd.Series(False, index=frame.index)
        frame = frame[away if show == "Archived" else ~away]
    if frame.empty:
        which = f"The experiment {ui.text(name, 80)} has" if experiment_id is not None else "The experiments have"
        nothing(f"{which} {SHOWN[show]}.")
        return table.active
    tag_text = store.experiment_tags(experiment_id).get(settings.TAG, "") if experiment_id is not None else ""
    settings.restore(experiment_id or ALL, tag_text)
    roles = actions.roles_of(table, experiment_id)
    main = common_first(table, [f"metrics.{name}" for name in metric_roles.ordered(roles)])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        text = st.text_input(
            "Filter", key="filter", bind="query-params", icon=":material/search:", width=540,
            placeholder="params.lr > 0.01 AND metrics.`val loss` < 0.5",
            help="MLflow's search syntax; params compare with numbers too. Joined by AND, OR, NOT and parentheses.",
        )  # fmt: skip
        with st.popover("Add", icon=":material/filter_list:", help="Build a condition by clicking"):
            actions.condition_builder(table)
        with st.popover("Columns", icon=":material/view_column:"):
            columns, pinned, curve = column_choice(table, main, len(frame))
            keep_button(experiment_id)
        if experiment_id is not None:
            with st.popover("Metrics", icon=":material/straighten:", help="Which metric is which"):
                actions.roles_editor(roles, experiment_id)
    settings.remember(experiment_id or ALL)
    try:
        rows = frame[matches(text or "", frame)]
    except SearchError as error:
        st.error(ui.text(error))
        rows = frame
    bar = st.container(key="runs-bar")
    if rows.empty:
        st.markdown("No run matches this filter.")
        return table.active
    hidden = len(table.columns) - 1 - len(columns)
    rest = f" {ui.count(hidden, 'more column')} can be shown." if hidden > 0 else ""
    if by_groups:
        metrics = [column for column in columns if column.startswith("metrics.")] or main[:1]
        role = roles.get(metrics[0].removeprefix("metrics."), metric_roles.Role()) if metrics else metric_roles.Role()
        ids, words = grouped(rows, table, metrics, role, name)
        marked_runs = rows[rows["run_id"].isin(ids)]
        st.caption(reading(metrics, role))
    else:
        rows = ordered(rows)
        marked = grids.runs_table(rows, columns, pinned, curve, roles.get(curve, metric_roles.Role()), f"{name}-{show}")
        marked_runs, words = rows.iloc[marked], ""
        st.caption(f"Click a column's head to sort by it; mark rows to compare, edit, archive or delete them.{rest}")
    with bar:
        if len(marked_runs):
            actions.actions(marked_runs, show, f"**{words}{ui.count(len(marked_runs), 'run')}** marked")
        else:
            st.markdown(summary(rows, len(frame)))
    return table.active


snapshot = live.begin()
st.title("Runs")
if target := st.session_state.pop("_open_run", None):
    ui.go("run", {"run": target})
if why := store.read_only():
    st.info(ui.text(f"{why} Until then it is only read here."), icon=":material/lock:")
actions.show_message()
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    experiment = chosen_experiment()
    if experiment is not None:
        show = st.segmented_control(
            "Show", list(SHOWN), default="Active", required=True, key="show", bind="query-params"
        )
        mode = st.segmented_control(
            "Rows", ["Runs", "Groups"], default="Runs", required=True, key="rows", bind="query-params",
            help="A group holds the runs that are equal in everything but the seed.",
        )  # fmt: skip
if experiment is None:
    nothing("There is no run in this store yet: launch a sweep, or point MLFLOW_TRACKING_URI at a store that has some.")
else:
    live.follow(snapshot, page(*experiment, show or "Active", mode == "Groups"))
