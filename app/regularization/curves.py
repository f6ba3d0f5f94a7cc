"""The tabs of the Regularization page on curves: early stopping, and training against evaluation mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pandas as pd
import streamlit as st

from analysis.regularization.early_stopping import early_stopping_info, plot_early_stopping, plot_patience
from analysis.regularization.patience import PATIENCE, longer_runs
from analysis.regularization.train_eval_gap import modes_info, plot_modes
from analysis.runs.ranking import Group
from app.regularization.layers import panels
from app.regularization.strengths import Subject
from app.shared import ui
from app.study import page as study_page
from app.study.page import Study
from tracking import schema

MOST_MODES: Final = 6
"""Groups drawn unless the user asks for others."""


def _logged(study: Study, metric: str) -> bool:
    return metric in study.comparison.metrics


def _first_group(subject: Subject, groups: Sequence[Group]) -> int:
    """The group whose curves say most of early stopping: the best of those that train to the end."""
    runs = subject.study.judged
    if PATIENCE in runs:
        to_the_end = set(runs.loc[runs[PATIENCE] == 0, "group"])
        return next((place for place, group in enumerate(groups) if group.group in to_the_end), 0)
    return 0


def early_stopping(subject: Subject) -> None:
    """Draw which epoch a patience would have chosen, and what that costs and saves."""
    study = subject.study
    groups = [group for group in study.view.groups if group.judged]
    if not groups:
        study_page.empty("No run has ended.", "regularization", ["early-stopping"])
        return
    labels = [group.label for group in groups]
    dev = study.slots.label("dev")
    watchable = list(dict.fromkeys([*([schema.VAL_LOSS] if _logged(study, schema.VAL_LOSS) else []), study.slots.dev]))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        label = st.selectbox(
            "Group", labels, _first_group(subject, groups), key="stopped", bind="query-params", width=320,
            help="The runs that differ in their seed alone.",
        )  # fmt: skip
        watched = str(
            st.selectbox(
                "Watches", watchable, key="watches", bind="query-params", width=150,
                help="What stopping looks at; our runs with a patience watch val/loss.",
            )
            if len(watchable) > 1 else watchable[0]
        )  # fmt: skip
        slider = st.container(width=280)
    group_runs = study.judged[study.judged["group"] == groups[labels.index(label)].group]
    longer = longer_runs(study.runs)
    ids = [*group_runs["run_id"], *[longer[run] for run in group_runs["run_id"] if run in longer]]
    errors = study.histories("dev", ids)
    same = watched == study.slots.dev
    watched_values, watches = (errors, dev) if same else (study.histories(watched, ids), watched)
    info = early_stopping_info(
        errors, watched_values, group_runs, name=str(label), metric=dev, watches=watches, patience=0, longer=longer
    )
    if info.empty:
        study_page.empty(info.problem, "regularization", ["early-stopping"])
        return
    most = info.most
    with slider:
        patience = st.slider(
            "Patience", 0, most, max(1, most // 6), key=f"patience-{most}",
            help="Simulated on the curves: epochs without a new lowest value after which training stops; 0: never.",
        )  # fmt: skip
    info = replace(info, patience=int(patience))
    st.markdown(f"**{ui.text(info.sentence)}**")
    if info.unknown:
        st.markdown(f":material/info: {ui.text(info.unknown)}")
    study_page.figure(study, "stopping", info, plot_early_stopping)
    bands = f"bands the {info.band}" if info.band else "below three seeds no interval is drawn"
    study_page.chart(
        study, "patience", lambda dark: plot_patience(info, dark=dark), info.costs_frame(),
        shows=f"Regret and epochs saved against the patience, {label}", n=info.n, interval=info.band,
        reading=f"What every patience would have cost and saved on the same curves; {bands}; dotted: the one above.",
    )  # fmt: skip


def _grouped(subject: Subject) -> tuple[pd.DataFrame, list[Group]]:
    """The runs, and the groups to draw: the strengths where there are some, in their order."""
    study, strengths = subject.study, subject.strengths
    by_group = {group.group: group for group in study.view.groups}
    if strengths is None or len(strengths.levels) < 2:
        return study.judged, list(by_group.values())
    groups = []
    for place, level in enumerate(strengths.levels):
        if level.judged is not None and level.judged.group in by_group:
            groups.append(replace(by_group[level.judged.group], label=strengths.name(place)))
    return strengths.runs, groups


def training_mode(subject: Subject) -> None:
    """Draw the loss in training mode against that in evaluation mode, a panel per group."""
    study = subject.study
    ours = _logged(study, schema.TRAIN_LOSS) and _logged(study, schema.TRAIN_EVAL_LOSS)
    training = schema.TRAIN_LOSS if ours else study.slots.training
    evaluation = schema.TRAIN_EVAL_LOSS if ours else study.slots.train
    runs, groups = _grouped(subject)
    labels = [group.label for group in groups]
    if len(labels) > 1:
        picked = st.multiselect(
            "Groups", labels, labels[:MOST_MODES], key="modes", bind="query-params", placeholder="choose"
        )
        groups = [group for group in groups if group.label in picked]
    ids = runs[runs["group"].isin([group.group for group in groups])]["run_id"].tolist()
    info = modes_info(
        study.histories(training, ids) if training else study.histories("", []),
        study.histories(evaluation, ids) if evaluation else study.histories("", []),
        runs, groups, training_metric=training, evaluation_metric=evaluation,
    )  # fmt: skip
    if info.empty:
        words = info.problem if labels else "No run has a result."
        study_page.empty(words, "regularization", ["dropout", "batch-norm", "augmentation"])
        return
    st.markdown(f"**{ui.text(info.sentence)}**")
    panels(study, "modes", info, range(len(info.panels)), plot_modes, width=310)
    gaps = info.gaps_frame()
    st.dataframe(
        gaps, hide_index=True, key="gaps", row_height=30, height="content", placeholder="",
        column_config={
            "epoch": st.column_config.NumberColumn(format="%d", width=70, help="The last that all seeds have of both"),
            "gap": st.column_config.NumberColumn("training − evaluation", format="%.4g"),
            "half": st.column_config.NumberColumn("±", format="%.2g", width=80, help="Half of the 95% t-interval"),
            "seeds": st.column_config.NumberColumn(width=70),
        },
    )  # fmt: skip
