"""One run: what it reached, its curves, params, files, machine, and its weights in Python."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from analysis.runs import metric_roles
from analysis.statistics import number
from app.run import cached, panels, references, texts
from app.run.data import OneRun
from app.runs import actions
from app.runs.table import ARCHIVED, NAME, finite
from app.shared import live, store, ui

COLOURS = {
    "ok": "green", "finished": "green", "diverged": "red", "crashed": "red", "failed": "red", "running": "blue",
    "pruned": "gray", "stopped": "gray", "killed": "gray",
}  # fmt: skip


def chosen() -> OneRun | None:
    """The run that the URL names; where there is none, the page says so and links to the others."""
    run_id = st.query_params.get("run")
    run = cached.one_run(run_id) if run_id else None
    if run is None:
        st.title("Run")
        words = f"There is no run {ui.text(run_id, 60)} in this store." if run_id else "No run is chosen."
        st.markdown(words)
        st.page_link("views/runs.py", label="All runs", icon=":material/table_rows:")
    return run


def result(run: OneRun, roles: dict[str, metric_roles.Role]) -> str:
    """What the run reached, in one sentence."""
    if not roles:
        return "It logged no metric."
    # The metric that it is judged by; without one, the metric that says most.
    name = next(iter([*metric_roles.judges(roles), *metric_roles.ordered(roles)]))
    value = run.metrics[name]
    words = (
        f"Last {name} {number(value)}" if finite(pd.Series([value], dtype=float))[0] else f"Last {name} is no number"
    )
    better = f" ({roles[name].words})" if roles[name].words else ""
    return f"{words}{better}."


def links(run: OneRun, experiment: str) -> None:
    """Draw the links to its sweep and to the other runs."""
    if run.ours and run.parent:
        query = {"sweep": run.parent}
        st.page_link("views/sweep.py", label="Its sweep", icon=":material/monitoring:", query_params=query)
    if experiment:
        query = {"experiment": experiment}
        st.page_link("views/runs.py", label="All runs", icon=":material/table_rows:", query_params=query)


def header(run: OneRun, experiment: str, roles: dict[str, metric_roles.Role]) -> None:
    """Draw the run's name, how it ended, what it reached, and the links to its sweep and its experiment."""
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
    st.markdown(ui.text(result(run, roles)))
    if run.tags.get("error"):
        st.error(ui.text(run.tags["error"], 400))
    if note := run.tags.get("mlflow.note.content"):
        st.markdown(f":gray[Note] {ui.text(note, 2000)}")
    row = {"run_id": run.run_id, "experiment_id": run.experiment_id, NAME: run.name}
    row |= {f"tags.{key}": value for key, value in run.tags.items()}
    show = "Deleted" if run.deleted else "Archived" if ARCHIVED in run.tags else "Active"
    actions.actions(pd.DataFrame([row]), show, before=lambda: links(run, experiment))


def page(run: OneRun) -> None:
    """Draw the whole page."""
    experiments = store.experiments()
    named = experiments[experiments["experiment_id"] == run.experiment_id]["name"]
    roles = store.roles(list(run.metrics), [run.experiment_id], store.goals([run.parent]))
    header(run, str(named.iloc[0]) if len(named) else "", roles)
    beside = references.references(run)
    panels.curves(run, roles, beside)
    texts.texts(run)
    words = ["Metrics", "Params", "Files", "System", "Events", "Weights", "Tags"]
    drawn = [
        lambda: panels.metrics_table(run, roles, beside), lambda: panels.params(run), lambda: panels.files(run),
        lambda: panels.system(run), lambda: panels.events(run), lambda: panels.weights(run), lambda: panels.tags(run),
    ]  # fmt: skip
    tabs = st.tabs(words, key="about", on_change="rerun", bind="query-params")
    for tab, show in zip(tabs, drawn, strict=True):
        if tab.open:
            with tab:
                show()


if why := store.read_only():
    st.info(ui.text(f"{why} Until then it is only read here."), icon=":material/lock:")
actions.show_message()
snapshot = live.begin()
run = chosen()
if run is not None:
    page(run)
    live.follow(snapshot, run.status == "RUNNING" and not run.end)
