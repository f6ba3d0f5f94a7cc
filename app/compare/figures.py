"""The figures of the Compare page, each with its controls, one sentence on how to read it, and its downloads."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from analysis.figures import export
from analysis.figures.curves import CurvesInfo, curves_info
from analysis.figures.curves_figure import plot_curves
from analysis.runs.comparison import Comparison, shown
from analysis.runs.steps_and_times import SINCE_START, duration_seconds, foreign_steps_sentence, since_start
from analysis.search.importance import EVALUATORS, importance_info, plot_importance
from analysis.search.relations import parallel_info, plot_parallel, plot_scatter, scatter_info
from app.shared import downloads, store, ui
from app.shared.selection import View, link, trained_elsewhere
from tracking import schema

SHOWN = {"displaylogo": False, "displayModeBar": False, "responsive": True}
TABS = ["Curves", "Parallel coordinates", "Scatter", "Importance"]


def caption_of(view: View, shows: str, n: str, interval: str) -> export.Caption:
    """The caption of a figure of this page in a document."""
    return downloads.caption_of(view.comparison, view.sweeps, shows, n, interval, link())


def _empty(words: str) -> None:
    st.container(border=True, height=300, horizontal_alignment="center", vertical_alignment="center").caption(
        ui.text(words), text_alignment="center"
    )


def _axes(view: View) -> list[str]:
    ours = schema.STEPS in view.comparison.metrics
    return ["epoch", "step", "time"] if ours else ["step", "time"]


def _along(
    view: View, axis: str, ids: tuple[str, ...], histories: pd.DataFrame
) -> tuple[pd.DataFrame, str | None, str, str]:
    """Histories with what the horizontal axis shows, its metric, its name, and what misleads on it."""
    ours = schema.STEPS in view.comparison.metrics
    if axis == "epoch" or (axis == "step" and not ours):
        elsewhere = trained_elsewhere(view.members, view.sweeps) if ours else {}
        return histories, None, axis, foreign_steps_sentence(list(elsewhere.values()))
    if axis == "step":
        more = store.histories(ids, schema.STEPS)
        return pd.concat([histories, more], ignore_index=True), schema.STEPS, "optimizer updates", ""
    if schema.TRAIN_SECONDS in view.comparison.metrics and view.metric != schema.TRAIN_SECONDS:
        more = store.histories(ids, schema.TRAIN_SECONDS)
        return pd.concat([histories, more], ignore_index=True), schema.TRAIN_SECONDS, "seconds of training", ""
    seconds, caveat = since_start(histories, view.runs)
    return pd.concat([histories, seconds], ignore_index=True), SINCE_START, SINCE_START, caveat


def curves(view: View, drawn: bool) -> None:
    """Draw the metric over epochs, updates or time."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        axes = _axes(view)
        axis = st.segmented_control("By", axes, default=axes[0], required=True, key="x", bind="query-params")
        apart = view.baseline is not None and st.toggle(
            "Difference", False, key="apart", bind="query-params", help="From the baseline, seed from seed."
        )
        scale = "linear"
        if not apart:
            scale = st.segmented_control(
                "Scale", ["linear", "log"], default="log", required=True, key="scale", bind="query-params"
            )
        smoothing = st.slider(
            "Smoothing", 0.0, 0.95, 0.0, 0.05, key="smooth", bind="query-params", width=170,
            help="The weight of what was before, in a debiased exponential mean. The raw curve stays visible.",
        )  # fmt: skip
    if not drawn:
        return
    members = view.members
    if view.baseline is not None:
        baseline_runs = view.runs[view.runs["group"] == view.baseline.group]
        members = pd.concat([members, baseline_runs]).drop_duplicates("run_id")
    ids = tuple(members["run_id"])
    histories = store.histories(ids, view.metric) if ids else pd.DataFrame()
    if not len(histories):
        _empty(f"{view.metric} was not logged by these runs.")
        return
    histories, along, named, caveat = _along(view, str(axis), ids, histories)
    info = curves_info(
        histories, members, view.drawn, view.metric, along=along, axis=named, smoothing=smoothing,
        baseline=view.baseline.group if apart and view.baseline else None, caveat=caveat,
    )  # fmt: skip
    if info.empty:
        _empty(info.caveat or f"{view.metric} was not logged by these runs.")
        return
    log = scale == "log"
    figure = plot_curves(info, dark=ui.dark(), log=log, height=400)
    st.plotly_chart(figure, key="curves", theme=None, config=SHOWN, alt=ui.text(f"{view.metric} against the {named}"))
    st.caption(ui.text(_reading(info, log)))
    n = export.sizes([curve.n for curve in info.curves if curve.n])
    shows = f"{view.metric} against {named}, {ui.count(len(info.curves), 'run' if view.single else 'group')}"
    shows += f", minus {info.baseline}" if info.baseline else ""
    shows += f", smoothed with weight {smoothing:g}" if smoothing else ""
    downloads.buttons(
        "curves", info.frame(), lambda: plot_curves(info, log=log, height=460),
        caption_of(view, shows, n, info.band),
    )  # fmt: skip


def _reading(info: CurvesInfo, log: bool) -> str:
    if all(len(curve.lines) == 1 for curve in info.curves):
        words = ["Every line is one run"]
    else:
        words = ["Thin lines are seeds, thick ones their mean"]
        words += [f"bands the {info.band}"] if info.band else ["below three seeds no interval is drawn"]
    words += ["means are of the smoothed values, thin lines are raw"] if info.smoothing else []
    words += [f"zero is {info.baseline}, seed from seed where both have it"] if info.baseline else []
    words += info.marks(log)
    hidden = sum(int((line.values <= 0).sum()) for curve in info.curves for line in curve.lines)
    if log and hidden:
        words += [f"{ui.count(hidden, 'value')} at or below zero cannot be shown on this scale"]
    return " ".join(["; ".join(words) + ".", *info.notes])


def columns_of(view: View) -> pd.DataFrame:
    """What a scatter or parallel coordinates can show: params that differ, then last metrics, then time."""
    comparison: Comparison = view.comparison
    keys = [*comparison.searched, *[key for key in comparison.differing if key not in comparison.searched]]
    metrics = [str(name) for name in comparison.metrics if name not in (schema.OBJECTIVE, view.metric)]
    parts: dict[str, Any] = {key: comparison.params[key] for key in keys}
    parts[view.metric] = view.runs["objective"].reset_index(drop=True)
    parts |= {name: comparison.metrics[name] for name in metrics if name not in parts}
    parts["seconds"] = duration_seconds(comparison.runs["start_time"], comparison.runs["end_time"])
    if (comparison.runs["seed"] >= 0).any():
        parts["seed"] = comparison.runs["seed"]
    parts["group"] = view.runs["group"].map(view.labels).reset_index(drop=True)
    return pd.DataFrame({name: pd.Series(list(values), dtype=object) for name, values in parts.items()})


def parallel(view: View, drawn: bool) -> None:
    """Draw a line per run through its params to its result."""
    table = columns_of(view)
    keys = [key for key in view.comparison.differing if key in table]
    lead = view.comparison.searched or keys[:6]
    options = [name for name in table if name not in (view.metric, "group")]
    axes = st.multiselect(
        "Axes", options, [key for key in lead if key in options], key="axes", bind="query-params", max_selections=11
    )
    if not drawn:
        return
    info = parallel_info(view.runs.reset_index(drop=True), table[list(axes)], view.metric, maximize=view.maximize)
    if not info.n or not axes:
        _empty("No run has a result yet." if axes else "Choose at least one axis.")
        return
    figure = plot_parallel(info, dark=ui.dark())
    st.plotly_chart(figure, key="parallel", theme=None, config=SHOWN, alt="A line a run through its parameters")
    lost = f" {ui.count(info.left_out, 'run')} without a result left out." if info.left_out else ""
    red = " Red lines diverged." if info.diverged.any() else ""
    many = ui.count(info.n, "run")
    st.caption(f"{many}, a line each, blue the best by rank.{red} Drag along an axis to keep what passes there.{lost}")
    numbers = pd.concat([view.runs[["run_id"]].reset_index(drop=True), table[[*axes, view.metric]]], axis=1)
    downloads.buttons(
        "parallel", numbers, lambda: plot_parallel(info, height=460),
        caption_of(view, f"{', '.join(axes)} and {view.metric}, a line a run", f"{info.n} runs", ""),
    )  # fmt: skip


def scatter(view: View, drawn: bool) -> None:
    """Draw any two columns, coloured by a third."""
    table = columns_of(view)
    options = list(table)
    keys = [key for key in [*view.comparison.searched, *view.comparison.differing] if key in options]
    numeric = [key for key in keys if all(isinstance(value, int | float) for value in table[key].dropna())]
    first = (numeric or keys or ["seconds"])[0]
    words = [key for key in keys if key not in numeric]
    third = (words or ["group"])[0]
    with st.container(horizontal=True, gap="small"):
        x = st.selectbox("Across", options, options.index(first), key="across", bind="query-params", width=210)
        y = st.selectbox("Up", options, options.index(view.metric), key="up", bind="query-params", width=210)
        colour = st.selectbox("Colour", options, options.index(third), key="colour", bind="query-params", width=210)
    if not drawn:
        return
    labels = [
        f"{view.labels.get(group, '')}{f', seed {seed}' if seed >= 0 and not view.single else ''}"
        for group, seed in zip(view.runs["group"], view.runs["seed"], strict=True)
    ]
    info = scatter_info(view.runs.reset_index(drop=True), table, x, y, colour, labels)
    if not info.n:
        _empty(f"No run has both {x} and {y}.")
        return
    st.plotly_chart(
        plot_scatter(info, dark=ui.dark()), key="scatter", theme=None, config=SHOWN, alt=ui.text(f"{y} against {x}")
    )
    lost = f" {ui.count(info.left_out, 'run')} without one of the two left out." if info.left_out else ""
    crosses = " Red crosses at the upper edge diverged and have no value." if info.diverged.any() else ""
    st.caption(f"{ui.count(info.n, 'run')}, a dot each.{crosses}{lost}")
    numbers = pd.concat(
        [view.runs[["run_id"]].reset_index(drop=True), table[list(dict.fromkeys([x, y, colour]))]], axis=1
    )
    downloads.buttons(
        "scatter", numbers, lambda: plot_scatter(info, height=460),
        caption_of(view, f"{y} against {x}, coloured by {colour}, a dot a run", f"{info.n} runs", ""),
    )  # fmt: skip


def importance(view: View, drawn: bool) -> None:
    """Draw how much each param matters."""
    evaluator = st.segmented_control(
        "By", list(EVALUATORS), default=EVALUATORS[0], required=True, key="evaluator", bind="query-params",
        help="PED-ANOVA asks what the best runs have in common, fANOVA what the variance of all is due to.",
    )  # fmt: skip
    if not drawn:
        return
    info = _importance(
        view.runs[["outcome", "counts", "objective"]].reset_index(drop=True),
        view.comparison.params[view.comparison.differing].map(_hashable), view.direction, str(evaluator),
    )  # fmt: skip
    if info.problem:
        _empty(info.problem)
        return
    st.plotly_chart(
        plot_importance(info, dark=ui.dark()), key="importance", theme=None, config=SHOWN,
        alt=ui.text(f"Importance of each parameter for {view.metric}"),
    )  # fmt: skip
    st.caption(ui.text(info.caption))
    numbers = pd.DataFrame({"param": list(info.shares), "importance": list(info.shares.values())})
    downloads.buttons(
        "importance", numbers, lambda: plot_importance(info),
        caption_of(view, f"Importance of each parameter for {view.metric}. {info.caption}", f"{info.n} runs", ""),
    )  # fmt: skip


def _hashable(value: Any) -> Any:
    return shown(value) if isinstance(value, list | tuple | dict) else value


@st.cache_data(show_spinner="Asking which parameter matters", max_entries=16)
def _importance(runs: pd.DataFrame, params: pd.DataFrame, direction: str, evaluator: str) -> Any:
    return importance_info(runs, params, direction=direction, evaluator=evaluator)


def figures(view: View) -> None:
    """Draw the four figures: only the open one has its chart, all have their controls, whose settings the URL keeps."""
    tabs = st.tabs(TABS, key="view", on_change="rerun", bind="query-params")
    for tab, draw in zip(tabs, (curves, parallel, scatter, importance), strict=True):
        with tab:
            draw(view, drawn=bool(tab.open))
