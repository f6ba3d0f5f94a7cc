"""The curves and the tabs of one run's page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
import streamlit as st

from analysis.figures.run_curves import notes_of, panel_info, plot_panel, quantities
from analysis.figures.vertical_range import edge_words
from analysis.runs import metric_roles
from analysis.runs.references import Reference, reading
from app.run import cached
from app.run.data import OneRun, events_of, snippet
from app.runs.grids import number_column
from app.runs.table import shape_of
from app.shared import metrics, store, ui
from tracking import schema
from tracking.legible import legible
from tracking.schema import TRACEBACK_FILE, WEIGHTS_FILE
from tracking.store import scrub

PANELS = 8
"""Drawn unless others are chosen."""
MOST_PANELS = 24
PREVIEW = 200_000
"""Bytes of a text file that is shown."""
TEXT_FILES = {
    ".txt": None,
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".md": "markdown",
    ".csv": None,
    ".log": None,
}
FACTS = {
    schema.MACHINE: "Machine", schema.VERSIONS: "Versions", schema.COMMIT: "Commit", "mlflow.user": "User",
    "mlflow.source.name": "Source", schema.DATA_HASH: "Data hash", schema.ATTEMPT: "Attempt",
    "parameters": "Parameters",
}  # fmt: skip


def curves(run: OneRun, roles: Mapping[str, metric_roles.Role], beside: Sequence[Reference] = ()) -> None:
    """Draw a panel per quantity, with what is to be drawn beside the curves; which are drawn stands in the URL."""
    names_of = quantities(roles)
    if not names_of:
        st.caption("This run logged no metric: there is no curve to draw.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        scale = st.segmented_control(
            "Scale", ["linear", "log"], default="linear", required=True, key="run-scale", bind="query-params"
        )
        along = st.segmented_control(
            "Over", ["steps", "time"], default="steps", required=True, key="run-x", bind="query-params"
        )
        named = [title for title, names in names_of.items() if roles[names[0]].part != metric_roles.SYSTEM]
        first = (named or list(names_of))[:PANELS]
        chosen = st.multiselect(
            "Curves", list(names_of), first, key="run-curves", bind="query-params", width="stretch",
            max_selections=MOST_PANELS, help="Metrics of one quantity share a panel: validation beside training.",
        ) if len(names_of) > 1 else list(names_of)  # fmt: skip
    drawn_names = tuple(name for title in chosen for name in names_of[title])
    histories = cached.run_histories(run.run_id, drawn_names) if drawn_names else pd.DataFrame()
    titles = chosen if len(histories) else []
    logged = [
        panel_info(title, names_of[title], histories, roles, start=run.start, end=run.end, references=beside)
        for title in titles
    ]
    panels = [panel.over_time for panel in logged] if along == "time" else logged
    drawn = [panel for panel in panels if any(len(trace.values) > 1 for trace in panel.traces)]
    single = [panel for panel in panels if panel not in drawn and panel.traces]
    flat = [panel for panel in drawn if panel.flat] if chosen == first else []
    drawn = [panel for panel in drawn if panel not in flat] or drawn
    shown = {trace.metric: (trace.steps[-1], trace.values[-1]) for panel in drawn for trace in panel.traces}
    if sentence := reading(beside, shown):
        st.caption(ui.text(sentence))
    broken, beyond = False, 0
    with st.grid("auto", min_column_width=330, gap="medium"):
        for place, panel in enumerate(drawn):
            broken = broken or any(trace.broken for trace in panel.traces)
            log = scale == "log" and panel.positive
            along_x = "seconds" if along == "time" else "epoch" if run.ours else "step"
            span = panel.span(log)
            beyond += span.beyond if span else 0
            figure = plot_panel(panel, dark=ui.dark(), log=log, x=along_x)
            st.plotly_chart(
                figure, key=f"run-panel-{place}", theme=None, alt=f"{panel.title} of this run",
                config={"displaylogo": False, "displayModeBar": False, "responsive": True},
            )  # fmt: skip
    words = ["One run: no mean, no interval"] if drawn else []
    if broken:
        words += ["a red cross is the last number before one that was none"]
    words += [edge_words(beyond)] if beyond else []
    if single:
        names = ", ".join(trace.metric for panel in single for trace in panel.traces)
        words += [f"logged at one step, so in the table only: {names if len(names) < 160 else names[:159] + '…'}"]
    if flat:
        words += [f"constant: {', '.join(panel.title for panel in flat)}"]
    if scale == "log" and any(not panel.positive for panel in drawn):
        words += ["what has values at or below zero stays linear"]
    if words:
        st.caption(ui.text("; ".join(words) + "."))
    if notes := notes_of(logged, over_time=along == "time"):
        st.caption(ui.text(notes))


def metrics_table(run: OneRun, roles: Mapping[str, metric_roles.Role], beside: Sequence[Reference] = ()) -> None:
    """Draw the table of metrics: the last, best, lowest and highest value of each, and those of the references."""
    if not roles:
        st.caption("This run logged no metric.")
        return
    names = metric_roles.choices(roles)
    tasks = metrics.tasks_of({key: [value] for key, value in run.params.items()})
    histories = cached.run_histories(run.run_id, tuple(names))
    by_metric = histories.assign(run_id=histories["key"]).sort_values(["run_id", "step", "time"], kind="stable")
    shape = shape_of(by_metric).reindex(names)
    last = pd.Series([run.metrics[name] for name in names], dtype=float)
    best = [
        shape.loc[name, {"higher": "max", "lower": "min"}[roles[name].better]] if roles[name].better else math.nan
        for name in names
    ]
    frame = pd.DataFrame(
        {
            "metric": names,
            "last": number_column(last, last.isna()).array,
            "best": best,
            "lowest": shape["min"].to_numpy(),
            "highest": shape["max"].to_numpy(),
            "curve": [line if isinstance(line, list) else [] for line in shape["curve"]],
            "what it is": [roles[name].words or "unknown" for name in names],
            "what it says": [metrics.meaning(name, tasks) for name in names],
        }
    )
    config: dict[str, Any] = {
        name: st.column_config.NumberColumn(name, format="%.5g") for name in ("last", "best", "lowest", "highest")
    }
    config["metric"] = st.column_config.TextColumn("metric", pinned=True)
    config["best"] = st.column_config.NumberColumn(
        "best", format="%.5g", help="The best value ever: of a noisy curve it flatters."
    )
    for reference in beside:
        if reference.name not in frame:
            values = [reference.values.get(name, math.nan) for name in names]
            frame.insert(frame.columns.get_loc("lowest"), reference.name, values)
            config[reference.name] = st.column_config.NumberColumn(
                ui.text(reference.name), format="%.5g", help=ui.text(reference.sentence)
            )
    config["curve"] = st.column_config.LineChartColumn("curve", width=110)
    st.dataframe(
        frame, hide_index=True, key="run-metrics", row_height=30, height=_height(len(frame)), column_config=config,
        placeholder="", alt="Metrics of this run",
    )  # fmt: skip


def _height(rows: int, most: int = 460) -> int:
    return min(38 + 30 * max(1, rows), most)


def _pairs(values: Mapping[str, str], name: str, key: str) -> None:
    frame = pd.DataFrame({name: list(values), "value": list(values.values())})
    st.dataframe(
        frame, hide_index=True, key=key, row_height=30, height=_height(len(frame)), alt=f"{name}s of this run",
        column_config={
            name: st.column_config.TextColumn(name, width="medium"),
            "value": st.column_config.TextColumn("value", width="large"),
        },
    )  # fmt: skip


def params(run: OneRun) -> None:
    """Draw the table of params."""
    if run.params:
        _pairs(run.params, "param", "run-params")
    else:
        st.caption("This run has no params.")


def tags(run: OneRun) -> None:
    """Draw the table of tags, without the long lists of events and commands."""
    shown = {key: value for key, value in run.tags.items() if not key.startswith((schema.EVENT, schema.COMMAND))}
    if shown:
        _pairs(shown, "tag", "run-tags")
    else:
        st.caption("This run has no tags.")


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def files(run: OneRun) -> None:
    """Draw the table of files; the marked one can be downloaded, and a text is shown."""
    if run.files_problem:
        st.warning(ui.text(run.files_problem))
        return
    if not run.files:
        st.caption("This run kept no files.")
        return
    frame = pd.DataFrame({"file": [path for path, _ in run.files], "size": [_size(size) for _, size in run.files]})
    st.caption("Mark a file to download it.")
    event = st.dataframe(
        frame, hide_index=True, key=f"run-files-{run.run_id}", row_height=30, height=_height(len(frame), 340),
        on_select="rerun", selection_mode="single-row", alt="Files of this run",
        column_config={"size": st.column_config.TextColumn("size", alignment="right")},
    )  # fmt: skip
    for place in event["selection"]["rows"]:
        if place < len(run.files):
            _one_file(run, *run.files[place])


def _text_of(run: OneRun, path: str) -> str:
    """The text of a file of the run, as it may be shown.

    Raises:
        OSError, ValueError: it cannot be read.
    """
    return legible(store.artifact(run.run_id, path).decode("utf-8", "replace"))


def _one_file(run: OneRun, path: str, size: int) -> None:
    name = PurePosixPath(path).name
    st.download_button(
        f"Download {ui.text(name, 60)}", lambda: store.artifact(run.run_id, path), name, key="download-file",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in TEXT_FILES and size <= PREVIEW:
        try:
            st.code(_text_of(run, path), TEXT_FILES[suffix], wrap_lines=True)
        except (OSError, ValueError) as problem:
            st.warning(ui.text(problem))


def _moment(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "–"
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def system(run: OneRun) -> None:
    """Draw when, where and with what the run was trained."""
    took = "–" if run.seconds is None else f"{run.seconds:,.1f} s"
    facts = {"Started": _moment(run.start), "Ended": _moment(run.end), "Took": took}
    facts |= {word: run.tags[tag] for tag, word in FACTS.items() if run.tags.get(tag)}
    facts |= {"Run id": run.run_id, "MLflow status": run.status, "Files lie in": scrub(run.artifact_uri) or "–"}
    st.table({word: ui.text(value, 400) for word, value in facts.items()}, border="horizontal", width="stretch")


def events(run: OneRun) -> None:
    """Draw what happened to the run, its error, and where that was raised."""
    error = run.tags.get(schema.ERROR)
    if error:
        st.error(ui.text(error))
    if TRACEBACK_FILE in dict(run.files):
        with st.expander("Where it was raised"):
            try:
                st.code(_text_of(run, TRACEBACK_FILE), None, wrap_lines=True)
            except (OSError, ValueError) as problem:
                st.warning(ui.text(problem))
    entries = events_of(run)
    if entries:
        words = pd.DataFrame({"when": [ui.ago(at) for at, _ in entries], "what": [text for _, text in entries]})
        st.dataframe(words, hide_index=True, key="run-events", row_height=30, height=_height(len(words)), alt="Events")
    elif not error:
        st.caption("Nothing out of the ordinary happened.")


def weights(run: OneRun) -> None:
    """Draw the best weights: the file to download, and the Python that loads it."""
    has_weights = WEIGHTS_FILE in dict(run.files)
    code = snippet(run, scrub(store.uri()))
    if not has_weights:
        words = "This run kept no weights" if run.ours else "No sweep of this program trained this run"
        st.caption(f"{words}, so there is nothing to load; its own files are under Files.")
        return
    st.caption("The weights of the epoch that validation chose.")
    st.download_button(
        "Download weights", lambda: store.artifact(run.run_id, WEIGHTS_FILE), f"{run.run_id[:8]}-best.pt",
        key="download-weights", icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    if code:
        st.caption("In Python, from this program's folder or where it is installed:")
        st.code(code, "python", wrap_lines=True)
