"""The tabs of the Regularization page on weights and decision regions, against the strengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import streamlit as st

from analysis.figures.info import FigureInfo
from analysis.figures.panels import together
from analysis.regularization.decision_regions import RegionsInfo, plot_regions, regions_info
from analysis.regularization.weight_histograms import SCALES, layer_names, plot_ridgelines, ridgelines_info
from analysis.regularization.weight_paths import path_info, plot_paths
from app.regularization.strengths import Subject
from app.shared import downloads, ui
from app.study import page as study_page
from app.study.page import Study
from tracking import schema

MOST_LAYERS: Final = 8
"""Layers drawn unless the user asks for others."""
MOST_PANELS: Final = 8
MEAN: Final = "mean of all"


def _no_strengths(subject: Subject, labs: Sequence[str]) -> None:
    problem = subject.info.problem if subject.info is not None else "These runs do not differ in any parameter."
    study_page.empty(problem, "regularization", labs)


def path(subject: Subject) -> None:
    """Draw layer norms, near-zero share and effective rank against the strengths."""
    strengths = subject.strengths
    if strengths is None:
        _no_strengths(subject, ["l2", "l1"])
        return
    info = path_info(strengths, subject.study.arrays(schema.LAYERS_FILE, strengths.runs["run_id"]))
    if info.empty:
        study_page.empty(info.problem, "regularization", ["l2", "l1"])
        return
    layers = list(info.layers)
    if len(layers) > 1:
        layers = st.pills(
            "Layers", layers, default=layers[:MOST_LAYERS], selection_mode="multi", key="layers", bind="query-params",
        ) or layers  # fmt: skip
    st.markdown(f"**{ui.text(info.sentence)}**")
    study_page.figure(subject.study, "path", info, partial(plot_paths, layers=layers))


def weights(subject: Subject) -> None:
    """Draw histograms of one layer's weights, a ridge per strength."""
    strengths = subject.strengths
    if strengths is None:
        _no_strengths(subject, ["l1", "l2"])
        return
    arrays = subject.study.arrays(schema.LAYERS_FILE, strengths.runs["run_id"])
    names = layer_names(strengths, arrays)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        layer = st.selectbox("Layer", names, key="layer", bind="query-params", width=240) if names else None
        info = ridgelines_info(strengths, arrays, layer)
        scale = st.segmented_control(
            "Height", list(SCALES), default=info.suited, required=True, key="ridge-scale", bind="query-params",
            help="Of the density: the others than linear lift what a spike at zero would flatten.",
        ) if not info.empty else ""  # fmt: skip
    if info.empty:
        study_page.empty(info.problem, "regularization", ["l1", "l2"])
        return
    st.markdown(f"**{ui.text(info.sentence)}**")
    study_page.figure(subject.study, "weights", info, partial(plot_ridgelines, scale=str(scale)))


def regions(subject: Subject) -> None:
    """Draw decision regions side by side."""
    strengths = subject.strengths
    if strengths is None:
        _no_strengths(subject, ["decision-regions"])
        return
    arrays = subject.study.arrays(schema.REGIONS_FILE, strengths.runs["run_id"])
    whole = regions_info(strengths, arrays)
    if whole.empty:
        study_page.empty(whole.problem, "regularization", ["decision-regions"])
        return
    chosen = st.selectbox(
        "Seed", [MEAN, *map(str, whole.seeds)], key="region-seed", bind="query-params", width=150,
        help="The mean of the seeds' probabilities, or the answers of one of them.",
    ) if len(whole.seeds) > 1 else MEAN  # fmt: skip
    info: RegionsInfo = whole if chosen == MEAN else regions_info(strengths, arrays, int(chosen))
    st.markdown(f"**{ui.text(info.sentence)}**")
    panels(subject.study, "regions", info, _spread(len(info.regions)), plot_regions)


def _spread(count: int) -> list[int]:
    """The places of the panels to draw: the first, the last and others evenly between."""
    if count <= MOST_PANELS:
        return list(range(count))
    return sorted({round(k * (count - 1) / (MOST_PANELS - 1)) for k in range(MOST_PANELS)})


def panels(
    study: Study, key: str, info: FigureInfo, places: Sequence[int], plot: Callable[..., Any], *, width: int = 260
) -> None:
    """Draw charts side by side, or above each other where the screen is narrow; one caption, one download of all.

    Args:
        study: The runs that they are made of.
        key: A name that no other figure of the page has.
        info: The numbers of all panels, and what they say of themselves.
        places: Which panels.
        plot: Draws one: `plot(info, place, dark=True)` makes the plotly figure.
        width: The least that a panel needs, in pixels.
    """
    with st.grid("auto", min_column_width=width, gap="small"):
        for place in places:
            st.plotly_chart(
                plot(info, place, dark=ui.dark()), key=f"{key}-{place}", theme=None, config=study_page.SHOWN,
                alt=ui.text(f"{info.shows}: panel {place + 1}"),
            )  # fmt: skip
    st.caption(ui.text(info.reading))
    caption = downloads.caption_of(study.comparison, study.sweeps, info.shows, info.n, info.interval, study.link())
    downloads.buttons(key, info.frame(), lambda: together([plot(info, place, dark=False) for place in places]), caption)
