"""Tabs of the Regularization page: one regularizer by its strength, regularizers against none, their interactions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pandas as pd
import streamlit as st

from analysis.regularization.factorial import FACTORS, factorial_info, plot_factorial
from analysis.regularization.forest import REGULARIZERS, ForestInfo, forest_info, plot_forest, with_methods
from analysis.regularization.one_regularizer import IsolationInfo, isolation_info
from analysis.regularization.one_regularizer_figure import plot_isolation
from analysis.regularization.strengths import Strengths, held_of
from analysis.runs.arguments import having
from analysis.runs.comparison import shown
from app.shared import ui
from app.study import page as study_page
from app.study.page import Study
from tracking.configurations import identities

ITS_BEST: Final = "its best"
"""The choice for a param that is not held fast: at each strength it has the value that suits it."""
MOST_HELD: Final = 4
"""Other params that can be held fast."""
MORE_DATA: Final = ("data.train_size", "trainer.max_epochs", "model.hidden_sizes")
"""Params that restrain a network too, without being regularizers by name: offered where no regularizer differs."""


@dataclass(frozen=True)
class Subject:
    """The subject of all tabs: the runs, and the param whose strengths they compare."""

    study: Study
    info: IsolationInfo | None
    """None where the runs differ in nothing."""
    forest: ForestInfo | None
    """None where the runs do not differ in a regularizer."""

    @property
    def strengths(self) -> Strengths | None:
        """The strengths of that param; None where there is none, or no run has a result."""
        return None if self.info is None or self.info.empty else self.info.strengths

    @property
    def regularizers(self) -> list[str]:
        """The regularizers in which the runs differ."""
        return [key for key in self.study.axes if key in REGULARIZERS]

    @property
    def answer(self) -> str:
        """The answer to the page's question, in one sentence of plain text."""
        if self.info is None:
            return "These runs differ in nothing that could be compared: launch a sweep over a regularizer's strength."
        if self.forest is not None and not self.forest.empty and len(self.regularizers) > 1:
            return self.forest.sentence
        return self.info.sentence

    @property
    def compares(self) -> bool:
        """Whether the answer is a verdict on strengths or regularizers."""
        return self.info is not None

    def says(self, sentence: str) -> bool:
        """Whether the page's head says this sentence already."""
        return self.answer == sentence and not self.study.claims

    def verdict_line(self, sentence: str, comparisons: int) -> None:
        """Draw a figure's verdict where the head does not say it; below a claim, which needs no search, it is small."""
        if self.says(sentence):
            return
        if not self.study.claims:
            st.markdown(f"**{ui.text(sentence)}**")
            return
        corrected = (
            f", so it is corrected for {comparisons} comparisons; a claim is stated before" if comparisons > 1 else ""
        )
        st.caption(ui.text(f"{sentence} This was found by looking at the runs{corrected}."))


def axes_of(study: Study) -> list[str]:
    """The params whose strengths the page can compare, the likeliest first."""
    # An argument that only some choices have, and that has one value in them, compares nothing.
    differing = [
        key for key in study.axes if len(set(identities(having(study.runs, key, study.axes)[key].tolist()))) > 1
    ]
    first = [key for key in differing if key in REGULARIZERS] + [key for key in MORE_DATA if key in differing]
    return list(dict.fromkeys([*first, *differing]))


def _held(study: Study, axis: str) -> dict[str, str]:
    """The other params that are held fast, each with the value as it is shown."""
    usual, held = held_of(study.runs, axis, study.axes), {}
    # Those with a usual value first: what has no room stands at its best.
    others = sorted((key for key in study.axes if key != axis), key=lambda key: key not in usual)[:MOST_HELD]
    for key in others:
        values = sorted({shown(value) for value in study.runs[key]}, key=lambda text: (len(text), text))
        if len(values) < 2:
            continue
        options = [ITS_BEST, *values]
        # Named after the strength too: along another one another value is usual.
        picked = st.selectbox(
            key, options, options.index(usual.get(key, ITS_BEST)), key=f"hold-{key}-along-{axis}",
            bind="query-params", width=190,
            help="At each strength the value that suits it best, or one value for all. Unless chosen, other"
            " regularizers do nothing, a learning rate suits each strength, and all else is the same for all.",
        )  # fmt: skip
        if picked != ITS_BEST:
            held[key] = str(picked)
    return held


def subject_of(study: Study) -> Subject:
    """Draw the controls of the whole page; returns the subject that they set."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        axes = axes_of(study)
        axis = study_page.axis_picker(
            "Strength of", axes, axes[0] if axes else None, "axis", "The param that strengths are read from."
        )
        if axis is None:
            return Subject(study, None, None)
        held = _held(study, axis)
    info = isolation_info(
        study.runs, axis, study.axes, metric=study.slots.label("dev"), train_metric=study.slots.label("train"),
        pinned=held,
    )  # fmt: skip
    return Subject(study, info, _forest(study))


def _forest(study: Study) -> ForestInfo | None:
    keys = [key for key in study.axes if key in REGULARIZERS]
    if not keys:
        return None
    regularizers = [key for key in REGULARIZERS if key in study.runs]
    needed = dict.fromkeys(["group", "seed", "seed_data", "phase", "outcome", *regularizers, *study.axes])
    runs = study.runs[list(needed)].assign(objective=study.runs["dev"])
    return forest_info(with_methods(runs), study.axes, metric=study.slots.label("dev"))


def strength(subject: Subject) -> None:
    """Draw the error against the strength."""
    info = subject.info
    if info is None or info.empty:
        study_page.empty(
            info.problem if info is not None else "These runs do not differ in any parameter.",
            "regularization",
            ["l2", "dropout", "l1"],
        )
        return
    subject.verdict_line(info.sentence, info.verdict.comparisons if info.verdict else 0)
    if info.edge_sentence:
        icon = ":material/warning:" if info.edge else ":material/check:"
        st.markdown(f"{icon} {ui.text(info.edge_sentence)}")
    whole = math.isfinite(info.top) and st.toggle(
        "Whole range", False, key="whole", bind="query-params",
        help="With the strengths that ruin everything on the scale; they flatten the others.",
    )  # fmt: skip
    study_page.figure(subject.study, "strength", info, partial(plot_isolation, whole=whole))


def against_none(subject: Subject) -> None:
    """Draw every regularizer against none, each retuned."""
    info = subject.forest
    if info is None or info.empty:
        study_page.empty(
            info.problem if info is not None else "These runs do not differ in a regularizer that is known by name:"
            f" {', '.join(key.rpartition('.')[2] for key in REGULARIZERS)}.",
            "regularization", ["regularizers-retuned"],
        )  # fmt: skip
        return
    subject.verdict_line(info.sentence, max((row.verdict.comparisons for row in info.rows if row.verdict), default=0))
    study_page.figure(subject.study, "forest", info, plot_forest)


def factorial(subject: Subject) -> None:
    """Draw the main effects and interactions of regularizers that were crossed."""
    study = subject.study
    options = [key for key in study.axes if key in REGULARIZERS] + [
        key for key in study.axes if key not in REGULARIZERS
    ]
    if len(options) < FACTORS[0]:
        study_page.empty(
            "Effects are taken apart where two or more params were crossed.",
            "regularization",
            ["regularization-factorial"],
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        default = subject.regularizers if len(subject.regularizers) > 1 else options[: FACTORS[0]]
        factors = st.multiselect(
            "Factors", options, default[: FACTORS[1]], key="factors", bind="query-params", width=460,
            max_selections=FACTORS[1], placeholder="choose two or more",
        )  # fmt: skip
        rest = [key for key in study.axes if key not in factors]
        runs = _one_value_each(study.judged.assign(objective=study.judged["dev"]), rest)
    info = factorial_info(runs, factors, metric=study.slots.label("dev"), others=rest)
    if info.empty:
        study_page.empty(info.problem, "regularization", ["regularization-factorial"])
        return
    st.markdown(f"**{ui.text(info.sentence)}**")
    study_page.figure(study, "factorial", info, plot_factorial)


def _one_value_each(runs: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The runs with one value of each other param, which the user chooses: a combination is then one group."""
    for key in keys:
        values: dict[str, Any] = {shown(value): value for value in runs[key]}
        if len(values) > 1:
            texts = sorted(values, key=lambda text: (len(text), text))
            picked = st.selectbox(key, texts, key=f"at-{key}", bind="query-params", width=170)
            runs = runs[[shown(value) == picked for value in runs[key]]]
    return runs
