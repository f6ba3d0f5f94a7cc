"""One run: what it reached, its curves, params, files, machine, and its weights in Python."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from analysis.runs import metric_roles
from analysis.statistics import number
from app.run import cached, panels
from app.run.data import OneRun
from app.runs import actions
from app.runs.table import ARCHIVED, NAME, finite
from app.shared import live, store, ui

COLOURS = {
    "ok": "green", "finished": "green", "diverged": "red", "crashed": "red", "failed": "red", "running": "blue",
    "pruned": "gray", "stopped": "gray", "killed": "gray",
}  # fmt: skip


def chosen() -> OneRun | None:
    """The run that the URL names; where there is none, one sentence and the way to the others."""
    asked = st.query_params.get("run")
    found = cached.one_run(asked) if asked else None
    if found is None:
        st.title("Run")
        words = f"There is no run {ui.text(asked, 60)} in this store." if asked else "No run is chosen."
        st.markdown(words)
        st.page_link("views/runs.py", label="All runs", icon=":material/table_rows:")
    return found


def result(run: OneRun, found: dict[str, metric_roles.Role]) -> str:
    """What it reached, in one sentence."""
    if not found:
        return "It logged no metric."
    # What it is judged by; of a run that logged nothing of the kind, what says most.
    name = next(iter([*metric_roles.judges(found), *metric_roles.ordered(found)]))
    value = run.metrics[name]
    words = (
        f"Last {name} {number(value)}" if finite(pd.Series([value], dtype=float))[0] else f"Last {name} is no number"
    )
    better = f" ({found[name].words})" if found[name].words else ""
    return f"{words}{better}."


def links(run: OneRun, experiment: str) -> None:
    """The way to its sweep and to the other runs."""
    if run.ours and run.parent:
        asked = {"sweep": run.parent}
        st.page_link("views/sweep.py", label="Its sweep", icon=":material/monitoring:", query_params=asked)
    if experiment:
        asked = {"experiment": experiment}
        st.page_link("views/runs.py", label="All runs", icon=":material/table_rows:", query_params=asked)


def header(run: OneRun, experiment: str, found: dict[str, metric_roles.Role]) -> None:
    """Its name, how it ended and what it reached, and the way to its sweep and its experiment."""
    st.title(ui.text(run.name or "Unnamed run", 120), anchor=False)
    state = f":{COLOURS.get(run.state, 'gray')}-badge[{ui.text(run.state, 30)}]"
    about = [state]
    about += [":gray-badge[superseded]"] if run.superseded else []
    about += [":gray-badge[deleted]"] if run.deleted else []
    about += [":gray-badge[archived]"] if ARCHIVED in run.tags else []
    about += [f":gray[{ui.ago(run.start)}]"] if run.start else []
    about += [f":gray[took {ui.duration(run.seconds)}]"] if run.seconds is not None else []
    if run.status == "RUNNING" and not run.end:
        about += [f":gray[last heard of {ui.ago(run.last_seen or run.start)}]"]
    st.markdown(" · ".join(about))
    st.markdown(ui.text(result(run, found)))
    if run.tags.get("error"):
        st.error(ui.text(run.tags["error"], 400))
    if note := run.tags.get("mlflow.note.content"):
        st.markdown(f":gray[Note] {ui.text(note, 2000)}")
    row = {"run_id": run.run_id, "experiment_id": run.experiment_id, NAME: run.name}
    row |= {f"tags.{key}": value for key, value in run.tags.items()}
    show = "Deleted" if run.deleted else "Archived" if ARCHIVED in run.tags else "Active"
    actions.actions(pd.DataFrame([row]), show, before=lambda: links(run, experiment))


def page(run: OneRun) -> None:
    """The whole page."""
    experiments = store.experiments()
    named = experiments[experiments["experiment_id"] == run.experiment_id]["name"]
    found = store.roles(list(run.metrics), [run.experiment_id], store.goals([run.parent]))
    header(run, str(named.iloc[0]) if len(named) else "", found)
    panels.curves(run, found)
    words = ["Metrics", "Params", "Files", "System", "Events", "Weights", "Tags"]
    drawn = [
        lambda: panels.metrics_table(run, found), lambda: panels.params(run), lambda: panels.files(run),
        lambda: panels.system(run), lambda: panels.events(run), lambda: panels.weights(run), lambda: panels.tags(run),
    ]  # fmt: skip
    tabs = st.tabs(words, key="about", on_change="rerun", bind="query-params")
    for tab, show in zip(tabs, drawn, strict=True):
        if tab.open:
            with tab:
                show()


if why := store.read_only():
    st.info(ui.text(f"{why} Until then it is only read here."), icon=":material/lock:")
actions.show_said()
seen = live.begin()
run = chosen()
if run is not None:
    page(run)
    live.follow(seen, run.status == "RUNNING" and not run.end)
