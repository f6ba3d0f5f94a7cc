"""The figures of the Optimizers page that compare methods, and the protocol below them."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from analysis.figures import export, theme
from analysis.figures.curves import CurvesInfo
from analysis.figures.curves_figure import plot_curves
from analysis.figures.vertical_range import Span, span_of
from analysis.optimizers.learning_rates import LR, RatesInfo, plot_rates, rates_info
from analysis.optimizers.protocol import Check, protocol_info
from analysis.optimizers.range_test import LIMITS, plot_range, range_info
from analysis.optimizers.time_to_target import default_target, plot_targets, targets_info
from analysis.optimizers.tuning_budget import budgets_info, plot_budgets
from app.optimizers.contest import EPOCHS, LIKELY, SCHEDULE, SECONDS, UPDATES, Contest
from app.shared import ui
from app.study import page as study_page
from tracking import schema

RACE: Final = ("optimizers-on-digits",)
TESTS: Final = ("learning-rate-range-test",)
HEIGHT: Final = 380


def red(words: str) -> None:
    """Draw what is wrong with a comparison, in red."""
    st.markdown(f":material/warning: :red[{ui.text(words, 600)}]")


def small(figure: Any) -> Any:
    """The figure with room for the axis' title above the legend, whose place is a share of the figure's height."""
    return figure.update_layout(legend={"y": -70 / figure.layout.height})


def _sizes(contest: Contest) -> str:
    return export.sizes([method.sample.n for method in contest.methods if method.sample.n])


# Curves


def _curve(info: CurvesInfo, *, dark: bool, log: bool, span: Span | None, target: float | None) -> Any:
    figure = plot_curves(info, dark=dark, log=log, height=HEIGHT, span=span)
    ends = [float(line.x[-1]) for curve in info.curves for line in curve.lines if len(line.x) and line.x[0] > 0]
    # Single examples take a hundred times the updates of the whole batch: beside them it would be a stroke.
    if ends and max(ends) >= 10 * min(ends):
        starts = [float(line.x[0]) for curve in info.curves for line in curve.lines if len(line.x)]
        if min(starts) > 0:
            figure.update_xaxes(type="log", **theme.log_ticks(min(starts), max(ends)))
    if target is not None and (target > 0 or not log):
        figure.add_hline(target, line={"width": 1.2, "dash": "dash", "color": theme.palette(dark)[6]})
    return figure


def _reading(info: CurvesInfo, log: bool) -> str:
    words = ["Thin lines are seeds, thick ones their mean"]
    words += [f"bands the {info.band}"] if info.band else ["below three seeds no interval is drawn"]
    words += info.marks(log)
    return "; ".join(words) + "."


def _rates_over_time(contest: Contest) -> None:
    """Draw the learning rate by epoch, where it changes."""
    info = contest.curves(schema.LR, EPOCHS)
    moves = any(len(line.values) and np.ptp(line.values) > 0 for curve in info.curves for line in curve.lines)
    if not moves:
        return
    log = min(float(line.values.min()) for curve in info.curves for line in curve.lines if len(line.values)) > 0
    study_page.chart(
        contest.study, "lr-curves", lambda dark: small(plot_curves(info, dark=dark, log=log, height=230)),
        info.frame(),
        shows="The learning rate by epoch", n=_sizes(contest), interval="",
        reading="The rate that each schedule sets, by epoch.",
    )  # fmt: skip


def curves(contest: Contest, drawn: bool) -> None:
    """Draw the error by updates and by seconds, every method at its best configuration."""
    slots = contest.study.slots
    options = {slots.label(slot): slot for slot in ("dev", "train", "training") if slots[slot]}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        metric = st.selectbox("Curve of", list(options), key="curve", bind="query-params", width=190)
        by = st.segmented_control(
            "Left by", [UPDATES, EPOCHS], default=UPDATES, required=True, key="left", bind="query-params"
        )
        scale = st.segmented_control(
            "Scale", ["linear", "log"], default="log", required=True, key="scale", bind="query-params"
        )
        goal = st.toggle("Target", False, key="goal-line", bind="query-params", help="The error of the tab Target.")
    if not drawn:
        return
    infos = [contest.curves(options[str(metric)], str(axis)) for axis in (by, SECONDS)]
    if infos[0].empty:
        study_page.empty(f"{metric} was not logged by these runs.", "optimizers", RACE)
        return
    log = scale == "log" and all(
        (line.values > 0).mean() > 0.5 for curve in infos[0].curves for line in curve.lines if len(line.values)
    )
    span = span_of((line.values for info in infos for curve in info.curves for line in curve.lines), log)
    target = _target(contest) if goal else None
    for column, key, info in zip(st.columns(2, gap="medium"), ("by-updates", "by-seconds"), infos, strict=True):
        with column:
            if info.empty:
                study_page.empty(info.caveat or f"{metric} has no values against {info.axis}.")
                continue
            study_page.chart(
                contest.study, key,
                lambda dark, info=info: _curve(info, dark=dark, log=log, span=span, target=target), info.frame(),
                shows=f"{info.metric} against {info.axis}, each method at its best configuration", n=_sizes(contest),
                interval=info.band, reading=_reading(info, log),
            )  # fmt: skip
    # What was logged twice stands at the page's head.
    for note in dict.fromkeys(note for info in infos if not info.empty for note in info.axis_notes):
        st.caption(ui.text(note))
    _rates_over_time(contest)


# The learning rate


def _range_test(contest: Contest) -> None:
    study, runs = contest.study, contest.tests
    loss = study.slots.training or schema.TRAIN_LOSS
    ids = runs["run_id"]
    histories = pd.concat([study.histories(loss, ids), study.histories(schema.LR, ids)], ignore_index=True)
    axes = [key for key in (contest.key, *LIKELY) if key in runs.columns and key != SCHEDULE]
    axis = next((key for key in axes if runs[key].astype(str).nunique() > 1), axes[0] if axes else contest.key)
    methods = dict(zip(runs["run_id"], runs[axis].astype(str), strict=True)) if axis in runs.columns else {}
    info = range_info(histories, runs, methods, loss=loss, key=schema.LR)
    st.markdown("#### Learning-rate range test")
    if info.problem:
        study_page.empty(info.problem, "optimizers", TESTS)
        return
    for words in info.sentences:
        st.markdown(f"**{ui.text(words)}**")
    study_page.figure(study, "range-test", info, plot_range)
    st.caption(ui.text(LIMITS))


def rates_of(contest: Contest, key: str = "") -> RatesInfo:
    """The results of the methods against their learning rate, or against another searched number."""
    key = key or contest.rate or LR
    values = contest.runs.get(key, ())
    return rates_info(contest.methods, metric=contest.metric, key=key, values=values)


def rates(contest: Contest, drawn: bool) -> None:
    """Draw the error against the learning rate, or against another number that was searched."""
    options = [key for key in contest.study.numeric_axes if key != contest.key and key in contest.keys]
    key = contest.rate
    if len(options) > 1:
        key = str(study_page.axis_picker("Along", options, contest.rate or None, "along"))
    if not drawn:
        return
    if len(contest.tests):
        _range_test(contest)
        if not len(contest.runs):
            return
    info = rates_of(contest, key)
    if info.problem:
        study_page.empty(info.problem, "optimizers", RACE)
        return
    st.markdown(f"**{ui.text(info.sentence)}**")
    for words in info.warnings:
        red(words)
    study_page.figure(contest.study, "rates", info, plot_rates)


# The number of trials


def budget(contest: Contest, drawn: bool) -> None:
    """Draw what the best of so many trials is expected to reach."""
    info = budgets_info(contest.methods, metric=contest.metric)
    trials = 1
    if not info.problem:
        trials = st.slider(
            "Trials", 1, info.most, max(1, min(info.most, 5)), key="trials", bind="query-params", width=360,
            help="The budget: how many configurations of each method one can afford to try.",
        )  # fmt: skip
    if not drawn:
        return
    if info.problem:
        study_page.empty(info.problem, "optimizers", RACE)
        return
    st.markdown(f"**{ui.text(info.sentence(trials))}**")
    if info.unequal:
        red(info.unequal)
    if info.luck:
        st.caption(ui.text(info.luck))
    study_page.figure(contest.study, "budget", info, partial(plot_budgets, budget=trials))


# Time to target


def _target(contest: Contest) -> float | None:
    """The target that is set, or the default one; None where no run reached anything."""
    default = default_target(contest.curves("dev", UPDATES))
    chosen = st.session_state.get("goal")
    return float(chosen) if chosen is not None else None if math.isnan(default) else default


def target(contest: Contest, drawn: bool) -> None:
    """Draw which share of the runs reaches an error, and when."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        by = st.segmented_control(
            "Time in", [UPDATES, SECONDS], default=UPDATES, required=True, key="clock", bind="query-params"
        )
        curves = contest.curves("dev", str(by))
        default = default_target(curves)
        if not math.isnan(default):
            st.number_input(
                f"Target {ui.text(contest.metric)}", value=default, step=10.0 ** (math.floor(math.log10(default)) - 1)
                if default > 0 else 0.01, format="%.4g", key="goal", bind="query-params", width=190,
                help="Set beforehand it is worth more than the default, which is what three of four runs reach.",
            )  # fmt: skip
    if not drawn:
        return
    info = targets_info(curves, _target(contest)) if not math.isnan(default) else targets_info(curves)
    if info.problem or math.isnan(info.target):
        nothing = f"No run ended with a finite {contest.metric}: there is no target to be reached."
        words = curves.caveat or info.problem or nothing
        study_page.empty(words, "optimizers", RACE)
        return
    st.markdown(f"**{ui.text(info.sentence)}**")
    if curves.caveat:
        st.caption(ui.text(curves.caveat))
    study_page.figure(contest.study, "target", info, plot_targets, numbers=info.table())


# The protocol


def _mark(check: Check) -> str:
    rule, words = ui.text(check.rule), ui.text(check.words)
    if check.holds is None:
        return f":material/help: :gray[{rule}.] {words}"
    if check.holds:
        return f":material/check: {rule}. {words}"
    return f":material/close: :red[{rule}: no.] {words}"


def protocol(contest: Contest) -> None:
    """Draw which rules of the protocol hold, with the search spaces and budgets."""
    info = protocol_info(
        contest.methods, contest.runs, key=contest.key, keys=contest.keys, metric=contest.metric,
        part=contest.study.slots.part, rates=rates_of(contest), active=contest.study.active,
        declared=contest.declared,
    )  # fmt: skip
    if not info.checks:
        return
    st.subheader("Protocol", anchor=False)
    st.markdown(ui.text(info.sentence) if not info.broken else f":red[{ui.text(info.sentence)}]")
    with st.container(gap="xsmall"):
        for check in info.checks:
            st.markdown(_mark(check))
    st.dataframe(
        info.frame(), hide_index=True, key="protocol", height="content",
        column_config={"method": st.column_config.TextColumn(contest.key)},
    )  # fmt: skip
    if contest.search:
        st.caption(ui.text(f"Search: {contest.search}."))
