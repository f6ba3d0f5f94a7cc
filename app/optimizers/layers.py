"""The Optimizers page looks inside: norms by step, gradients by layer, and how layers stand before training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd
import streamlit as st

from analysis.figures import export
from analysis.figures.curves_figure import plot_curves
from analysis.layers.gradient_figures import plot_heat, plot_profile, plot_ratio
from analysis.layers.gradients import FIRST, GRADIENT, LAST, heat_info, profile_info, ratio_info
from analysis.layers.layer_runs import CONDITION, SPREAD, LayerRun, deepest, layer_runs
from analysis.runs.methods import best_first, in_words, methods_of, names_of
from app.optimizers.contest import UPDATES, Contest
from app.optimizers.figures import small
from app.shared import ui
from app.study import page as study_page
from tracking import schema

NORMS: Final = {
    schema.GRAD_NORM: "How steep the loss is where the method stands.",
    schema.UPDATE_NORM: "How far one update moves all weights together.",
    schema.PARAM_NORM: "How large the weights have become.",
}
DEPTH: Final = ("activations-by-depth",)
STARTS: Final = ("initialisations", "input-scaling")
MOST_PANELS: Final = 8
_PAIR: Final = "method and model"


def _norms(contest: Contest) -> None:
    """Draw the norms of gradients, updates and parameters by update."""
    infos = {metric: contest.curves(metric, UPDATES) for metric in NORMS if metric in contest.study.comparison.metrics}
    infos = {metric: info for metric, info in infos.items() if not info.empty}
    if not infos:
        study_page.empty("These runs logged no norms of gradients, updates or parameters.", "optimizers", DEPTH)
        return
    with st.grid("auto", min_column_width=330, gap="medium"):
        for metric, info in infos.items():
            band = f" Bands: {info.band}." if info.band else " Below three seeds no interval is drawn."
            with st.container():
                study_page.chart(
                    contest.study, f"norms-{metric.rpartition('/')[2]}",
                    lambda dark, info=info: small(plot_curves(info, dark=dark, log=True, height=330)),
                    info.frame(),
                    shows=f"{metric} against {info.axis}, each method at its best configuration",
                    n=export.sizes([curve.n for curve in info.curves if curve.n]), interval=info.band,
                    reading=f"{NORMS[metric]}{band}",
                )  # fmt: skip


def _candidates(contest: Contest) -> pd.DataFrame:
    """The runs of the best trial of each method and model: depths are compared, each at its best learning rate."""
    runs = contest.runs
    models = [key for key in contest.study.axes if key.startswith("model.") and key != contest.key and key in runs]
    names = [
        " ".join(map(in_words, values)) for values in zip(*(runs[key] for key in (contest.key, *models)), strict=True)
    ]
    pairs = methods_of(runs.assign(**{_PAIR: names}), _PAIR, contest.keys) if len(runs) else []
    chosen = [trial for pair in pairs if (trial := pair.judged) is not None]
    groups = [trial.group for trial in best_first(chosen)]
    candidates = runs.assign(method=names_of(runs[contest.key], contest.key))
    candidates = candidates[candidates["group"].isin(groups)]
    return candidates.assign(place=candidates["group"].map({group: place for place, group in enumerate(groups)}))


def inside(contest: Contest) -> list[LayerRun]:
    """What the runs recorded of their layers, for the best trial of each method and depth."""
    runs = _candidates(contest)
    if not len(runs):
        return []
    arrays = contest.study.arrays(schema.LAYERS_FILE, runs["run_id"])
    methods = dict(zip(runs["run_id"], runs["method"], strict=True))
    with_layers = layer_runs(arrays, runs, methods)
    places = dict(zip(runs["run_id"], runs["place"], strict=True))
    best: dict[tuple[str, int], int] = {}
    for run in with_layers:
        key = (run.method, run.depth)
        best[key] = min(best.get(key, places[run.run_id]), places[run.run_id])
    chosen = [run for run in with_layers if places[run.run_id] == best[run.method, run.depth]]
    order_of = [method.name for method in contest.methods]
    return sorted(chosen, key=lambda run: (order_of.index(run.method), run.depth))


def _sizes(runs: Sequence[LayerRun]) -> str:
    counts = pd.Series([(run.method, run.depth) for run in runs], dtype=object).value_counts()
    return export.sizes(counts.tolist())


def _by_layer(contest: Contest, runs: Sequence[LayerRun], when: str) -> None:
    """Draw heat maps, and the first layer against the last or the norms by layer."""
    heat = heat_info(runs)
    if heat.problem:
        study_page.empty(heat.problem, "optimizers", DEPTH)
        return
    ratio, profile = ratio_info(runs, when), profile_info(runs, GRADIENT, when)
    if ratio.sentence:
        st.markdown(f"**{ui.text(ratio.sentence)}**")
    left, right = st.columns(2, gap="medium")
    with left:
        if len(ratio.depths) > 1:
            study_page.figure(contest.study, "layer-ratio", ratio, plot_ratio, n=_sizes(runs))
        else:
            study_page.figure(contest.study, "layer-profile", profile, plot_profile, n=_sizes(runs))
    with right:
        labels = [panel.label for panel in heat.panels]
        shown, last = labels, {panel.method: panel.label for panel in heat.panels}
        if len(labels) > 4:
            shown = st.multiselect(
                "Heat maps of", labels, list(last.values())[:MOST_PANELS], key="heats", bind="query-params",
                max_selections=MOST_PANELS,
            )  # fmt: skip
        drawn = type(heat)([panel for panel in heat.panels if panel.label in shown])
        if not drawn.panels:
            study_page.empty("Choose at least one group.")
            return
        study_page.figure(contest.study, "layer-heat", drawn, plot_heat, n=_sizes(runs))


def _before(contest: Contest, runs: Sequence[LayerRun]) -> None:
    """Draw activation spread and conditioning before the first update, in the deepest networks of each method."""
    runs = deepest(runs)
    infos = {SPREAD: profile_info(runs, SPREAD), CONDITION: profile_info(runs, CONDITION)}
    if all(info.problem for info in infos.values()):
        study_page.empty(infos[SPREAD].problem, "optimizers", STARTS)
        return
    for column, (what, info) in zip(st.columns(2, gap="medium"), infos.items(), strict=True):
        with column:
            if info.problem:
                study_page.empty(info.problem)
                continue
            st.markdown(f"**{ui.text(info.sentence)}**")
            study_page.figure(contest.study, f"before-{what.split()[0]}", info, plot_profile, n=_sizes(runs))


def inside_tab(contest: Contest, drawn: bool) -> None:
    """Draw the tab Inside: norms over time, gradients by layer, or layers before training."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        views = ["Norms", "Gradient by layer", "Before training"]
        view = st.segmented_control(
            "Look at", views, default=views[0], required=True, key="inside", bind="query-params"
        )
        when = FIRST
        if view == views[1]:
            when = str(
                st.segmented_control(
                    "In the epoch", [FIRST, LAST], default=FIRST, required=True, key="when", bind="query-params"
                )
            )
    if not drawn:
        return
    if view == views[0]:
        _norms(contest)
    elif view == views[1]:
        _by_layer(contest, inside(contest), when)
    else:
        _before(contest, inside(contest))
