"""One sweep: its question, its answer so far, its curves, its ranking, its runs."""

from __future__ import annotations

import time

import pandas as pd
import streamlit as st

from analysis.ranking import Group, answer, caution, ranking
from analysis.samples import samples
from analysis.standings import standings
from app import detail, figures, store, ui
from tracking.store import StoreError

MOST_COMPARED = 100  # groups of which every pair gets a verdict: beyond this a page would wait for it


def chosen() -> pd.Series | None:
    """The sweep that the URL names, else the newest; where there is none, one sentence and one button."""
    asked = st.query_params.get("sweep")
    frame = store.sweeps()
    if asked and (found := store.sweep(asked)) is not None:
        return found
    if not asked and len(frame):
        return frame.iloc[0]
    st.title("Sweep")
    if asked:
        st.markdown(f"There is no sweep {ui.text(asked, 60)} in this store.")
        if st.button("All sweeps", type="primary"):
            st.switch_page("views/overview.py")
    else:
        st.markdown("There is no sweep yet whose results could be shown.")
        if st.button("New sweep", type="primary", icon=":material/add:"):
            st.switch_page("views/launch.py")
    return None


def headline(row: pd.Series, runs: pd.DataFrame, groups: list[Group], over: bool) -> None:
    """The answer in one sentence, and how far it can be believed."""
    st.markdown(f"## {ui.text(answer(groups, row['metric'], row['direction'], over=over))}")
    warned = caution(groups, int(row["seeds"]))
    if warned:
        st.caption(ui.text(warned))
    elif over and 1 < sum(group.interval.n > 0 for group in groups) <= MOST_COMPARED:
        found = samples(runs, names={group.group: group.label for group in groups})
        st.caption(ui.text(standings(found, direction=row["direction"], metric=row["metric"]).sentence))


def progress(row: pd.Series, runs: pd.DataFrame) -> None:
    """How far it is, how long it will take, and what became of the runs."""
    planned, done, running = int(row["planned"] or 0), int(row["done"]), int(row["running"])
    words = [f"{done} of {ui.count(planned, 'run')}"]
    if row["state"] == "running":
        left = ui.time_left(runs, planned, time.time() * 1000)
        words += [f"about {ui.duration(left)} left" if left is not None else "estimating the time left"]
    parts = [(int(row[name]), name) for name in ("ok", "diverged", "pruned", "stopped", "crashed")]
    waiting = max(0, planned - done - running)
    parts += [(running, "running"), (waiting, "waiting" if row["state"] in ui.ACTIVE else "not started")]
    colours = {"diverged": "red", "crashed": "red", "running": "blue"}
    chips = [
        f":{colours[name]}[**{number}** {name}]" if name in colours else f"**{number}** {name}"
        for number, name in parts
        if number
    ]
    st.progress(min(1.0, done / planned) if planned else 0.0, text=" · ".join(words))
    st.caption(" · ".join(chips))


def page(first: pd.Series) -> None:
    """The whole page; `first` is the sweep as it is when the page opens."""
    sweep_id = str(first["sweep"])
    watched = first["state"] in ui.ACTIVE or detail.awaits()
    question, _, more = str(first["question"] or first["name"]).partition("? ")
    st.title(ui.text(f"{question}?" if more else question, 200), anchor=False)
    if more:
        st.markdown(ui.text(more, 600))

    @st.fragment(run_every=ui.REFRESH if watched else None)
    def live() -> None:
        """Everything that changes while the sweep runs."""
        try:
            row, runs = store.sweep(sweep_id), store.runs(sweep_id)
        except StoreError as error:
            st.warning(ui.text(error))
            return
        if row is None:
            st.rerun()
        over = row["state"] not in ui.ACTIVE
        groups = ranking(runs, list(row["searched"]), row["direction"])
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            name = f" · {ui.text(row['name'], 80)}" if row["question"] else ""
            st.markdown(f"{ui.badge(row['state'])}{name} · :gray[{ui.ago(row['created'])}]", width="content")
            detail.buttons(row)
        # Each part in a container of its own: what one gains or loses moves no other to a new place in the page's tree,
        # where the browser would draw it anew.
        with st.container():
            headline(row, runs, groups, over)
        with st.container():
            progress(row, runs)
        with st.container():
            figures.curves(row, runs, groups)
        with st.container():
            detail.ranking_table(row, groups)
        with st.container():
            detail.more(row, runs, groups)
        if watched != (not over or detail.awaits()):
            st.rerun()

    live()


first = chosen()
if first is not None:
    page(first)
