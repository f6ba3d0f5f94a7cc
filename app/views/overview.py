"""Every sweep: its state, its progress, its best configuration so far."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.shared import ui

with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    st.title("Overview")
    with st.container(width="content", key="new-sweep"):
        st.page_link("views/launch.py", label="New sweep", icon=":material/add:")

# Only now what takes a moment to import: the page is there already.
from analysis.statistics import number
from app.shared import service_line, store
from app.shared.study_pages import PAGES
from app.sweep import deleted
from tracking.store import StoreError

PAGE = 25  # sweeps shown at a time
WIDTHS = [5, 1.5, 3, 4]


NETWORKS = "Networks"


def kinds(by_stem: dict[str, Any]) -> dict[str, list[str]]:
    """Page title -> the ready-made sweeps that fill the page; those that fill none are about networks."""
    listed = {page.title: [stem for stem in page.labs if stem in by_stem] for page in PAGES.values()}
    placed = {stem for stems in listed.values() for stem in stems}
    whole = {NETWORKS: [stem for stem in by_stem if stem not in placed], **listed}
    return {title: stems for title, stems in whole.items() if stems}


def lab(stem: str, about: dict[str, Any], compact: bool) -> None:
    """Draw one ready-made sweep: its question, its size and one button."""
    with st.container(border=True, height="stretch", gap="small"):
        name = f"**{ui.text(about['name'])}**"
        if not compact:
            st.markdown(name)
            st.markdown(ui.text(about["question"]))
            st.space("stretch")
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            size = ui.count(about["runs"], "run")
            if compact:
                st.markdown(f"{name}  \n:small[:gray[{size}]]", width="stretch", help=ui.text(about["question"]))
            else:
                st.caption(size, width="stretch")
            kind = "secondary" if compact else "primary"
            says = f"Launch {ui.text(about['name'])}"
            if st.button("Launch", key=f"lab-{stem}", type=kind, icon=":material/play_arrow:", help=says):
                service_line.launch(about["text"])


def labs(title: str, compact: bool) -> None:
    """Draw the ready-made sweeps, by the page that they fill."""
    by_stem = store.labs()
    if not by_stem:
        return
    st.subheader(title)
    listed = kinds(by_stem)
    for tab, stems in zip(st.tabs(list(listed)), listed.values(), strict=True):
        with tab, st.grid("auto", min_column_width=260, gap="medium"):
            for stem in stems:
                lab(stem, by_stem[stem], compact)


def progress(row: dict[str, Any]) -> None:
    """Draw how far a sweep is: a bar while it runs, words when it is over."""
    planned, done = int(row["planned"] or 0), int(row["done"])
    odd = [f"{int(row[name])} {name}" for name in ("diverged", "crashed", "stopped", "pruned") if row[name]]
    words = ", ".join([f"{done} of {ui.count(planned, 'run')}" if done < planned else ui.count(done, "run"), *odd])
    if row["state"] in ui.ACTIVE or done < planned:
        st.progress(min(1.0, done / planned) if planned else 0.0, text=words)
    else:
        st.caption(words)


def best(row: dict[str, Any]) -> None:
    """Draw the best group so far and its mean, right-aligned."""
    if not row["best_name"] or row["best"] != row["best"]:
        st.caption("no result yet" if row["state"] in ui.ACTIVE else "no result", text_alignment="right")
        return
    words = ui.text(f"{row['best_name']}, {row['metric']}", 90)
    st.markdown(f"**{ui.text(number(row['best']))}**  \n:small[:gray[{words}]]", text_alignment="right")


def table(rows: list[dict[str, Any]]) -> None:
    """Draw one line per sweep."""
    with st.container(key="head-row", gap=None):
        for column, word, side in zip(
            st.columns(WIDTHS), ("Sweep", "State", "Progress", "Best so far"), ("left",) * 3 + ("right",), strict=True
        ):
            column.caption(word, text_alignment=side)
    for row in rows:
        with st.container(key=f"row-{row['sweep']}", gap=None):
            name, state, bar, winner = st.columns(WIDTHS, vertical_alignment="center")
            with name, st.container(gap="xxsmall"):
                label = ui.text(row["name"], 60) or "unnamed"
                st.page_link("views/sweep.py", label=label, query_params={"sweep": row["sweep"]})
                question = ui.text(ui.asked(row["question"] or ""), 140)
                about = " · ".join(part for part in (ui.ago(row["created"]), question) if part)
                st.caption(about)
            state.markdown(ui.badge(row["state"]))
            with bar:
                progress(row)
            with winner:
                best(row)


def ordered(frame: Any) -> list[dict[str, Any]]:
    """The sweeps as rows: running ones first, then those that wait, then the newest."""
    place = {"running": 0, "pausing": 0, "stopping": 0, "queued": 1, "paused": 2}
    rows = frame.to_dict("records")
    return sorted(rows, key=lambda row: (place.get(row["state"], 3), -float(row["created"])))


def show_more() -> None:
    """Lengthen the list by a page."""
    st.session_state["_overview_shown"] += PAGE


def listed(active: bool) -> None:
    """Draw the table, kept up to date while something is queued or running."""

    @st.fragment(run_every=ui.REFRESH if active else None)
    def live() -> None:
        try:
            frame = store.sweeps()
        except StoreError as error:
            st.warning(ui.text(error))
            return
        rows = ordered(frame)
        shown = st.session_state.setdefault("_overview_shown", PAGE)
        table(rows[:shown])
        if len(rows) > shown:
            words = f"Show {min(PAGE, len(rows) - shown)} more"
            st.button(words, key="more-sweeps", type="tertiary", on_click=show_more)
        if active and not frame["state"].isin(ui.ACTIVE).any():
            ui.rerun()

    live()


frame = store.sweeps()
if len(frame):
    listed(bool(frame["state"].isin(ui.ACTIVE).any()))
    labs("Ready-made", compact=True)
else:
    st.markdown("No sweep has been launched here yet: start with one of these, or write your own.")
    labs("Ready-made sweeps", compact=False)
deleted.deleted()
