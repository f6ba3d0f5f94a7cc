"""Three explorers of what optimizers do, computed from their formulas as a slider moves: nothing is trained for them.

Each begins with a question and answers it in a sentence made from its numbers. Its settings live in the URL, and it
runs alone when one of them changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd
import streamlit as st

from analysis.explorers.averages import DAYS, averages_info, plot_averages, plot_weights
from analysis.explorers.convergence import best
from analysis.explorers.momentum import momentum_info
from analysis.explorers.surfaces import SURFACES, Surface, bowl
from analysis.explorers.trajectories import (
    METHODS,
    RATES,
    Entry,
    Settings,
    TrajectoriesInfo,
    best_rate,
    trajectories_info,
)
from analysis.explorers.trajectory_figure import plot_distances, plot_surface
from analysis.explorers.update_rules import GradientDescent, Momentum, Nesterov
from analysis.figures import export
from analysis.statistics import number
from app.shared import downloads, selection, ui

SHOWN: Final = {"displaylogo": False, "displayModeBar": False, "responsive": True}
CONDITIONS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
STEPS: Final = (10, 20, 50, 100, 200, 300, 500, 1000)
EPSILONS: Final = tuple(10.0**power for power in range(-10, 2))
ONE, EACH, THEORY = "one for all", "best of each", "theory's best"
ON, OFF, BOTH = "on", "off", "both"
LINEAR: Final = {"sgd": GradientDescent, "momentum": Momentum, "nesterov": Nesterov}
"""The methods whose best settings on a quadratic theory knows."""


def _caption(shows: str, settings: str) -> export.Caption:
    protocol = "Computed from the formulas of the update rules, no run"
    return export.Caption(shows, settings, "", protocol, f"open {selection.link('optimizers')}")


def _figure(
    key: str, draw: Callable[[bool], Any], numbers: pd.DataFrame, shows: str, reading: str, settings: str
) -> None:
    """Draw a chart, how to read it, and its downloads.

    Args:
        key: The figure's key.
        draw: Makes it; given whether the page is dark.
        numbers: What it is drawn from.
        shows: What is to be seen.
        reading: How to read it, plain text.
        settings: The settings it was made with.
    """
    st.plotly_chart(draw(ui.dark()), key=key, theme=None, config=SHOWN, alt=ui.text(shows))
    st.caption(ui.text(reading))
    downloads.buttons(key, numbers, lambda: draw(False), _caption(shows, settings))


def _choice(label: str, options: Sequence[Any], value: Any, key: str, help: str | None = None) -> Any:
    """A slider over values that no even step leads through."""
    return st.select_slider(
        label, list(options), value, key=key, bind="query-params", format_func=lambda option: number(float(option), 3),
        help=help,
    )  # fmt: skip


# The surface


def _choices() -> tuple[Surface, list[str], str]:
    """Draw the choices of surface, methods and learning rates; returns what is chosen."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.segmented_control(
            "Surface", list(SURFACES), default="bowl", required=True, key="surface", bind="query-params"
        )
        methods = st.pills(
            "Methods", list(METHODS), default=["sgd", "momentum", "rmsprop", "adam"], selection_mode="multi",
            key="surface-methods", bind="query-params", format_func=METHODS.get, wrap=True,
        )  # fmt: skip
        # A surface keeps its own rates: what is right on one means nothing on another.
        rates = st.segmented_control(
            "Learning rate", [ONE, EACH, THEORY] if name == "bowl" else [ONE, EACH], default=ONE, required=True,
            key=f"surface-rates-{name}", bind="query-params",
        )  # fmt: skip
    return SURFACES[str(name)](), [method for method in METHODS if method in methods], str(rates)


@dataclass(frozen=True)
class Descent:
    """The settings of a descent, as the sliders have them."""

    ground: Surface
    start: tuple[float, float]
    steps: int
    lr: float
    """The learning rate of all methods, unless each has its own."""
    shared: Settings
    bias: str
    """ON, OFF or BOTH: Adam with its bias correction, without, or twice."""


def _sliders(ground: Surface, rates: str) -> Descent:
    """Draw the settings of the surface and of the methods; those that are seldom changed are folded away."""
    name = ground.name
    with st.grid("auto", min_column_width=150, gap="small"):
        lr = st.select_slider(
            "lr", RATES, ground.lr, key=f"surface-lr-{name}", bind="query-params", disabled=rates != ONE,
            format_func=lambda option: number(option, 3), help="The learning rate of all methods.",
        )  # fmt: skip
        beta = st.slider(
            "β", 0.0, 0.99, 0.9, 0.01, key="surface-beta", bind="query-params",
            help="How much of the past momentum, Nesterov and Adam (its β₁) keep. Theory's best has its own.",
        )  # fmt: skip
        if name == "bowl":
            condition = _choice(
                "Condition number", CONDITIONS, 100, "surface-condition", "How many times steeper across than along."
            )
            turned = st.slider(
                "Turned (°)", 0, 90, 0, 5, key="surface-turned", bind="query-params",
                help="Gradient descent and momentum do not notice; RMSprop and Adam, which scale x and y apart, do.",
            )  # fmt: skip
            ground = bowl(condition, turned)
        steps = _choice("Steps", STEPS, 300, "surface-steps")
    with st.expander("Start, β₂, ε, bias correction"), st.grid("auto", min_column_width=150, gap="small"):
        (left, right), (low, high) = ground.window
        x = st.slider("Start x", left, right, ground.start[0], 0.01, key=f"surface-x-{name}", bind="query-params")
        y = st.slider("Start y", low, high, ground.start[1], 0.01, key=f"surface-y-{name}", bind="query-params")
        beta2 = st.slider(
            "β₂", 0.0, 0.999, 0.99, 0.001, format="%.3f", key="surface-beta2", bind="query-params",
            help="How much of the mean squared gradient RMSprop and Adam keep.",
        )  # fmt: skip
        eps = st.select_slider(
            "ε", EPSILONS, 1e-8, key="surface-eps", bind="query-params", format_func=lambda option: f"{option:g}",
            help="Added to the denominator of RMSprop and Adam: large, it makes Adam slow momentum.",
        )  # fmt: skip
        bias = st.segmented_control(
            "Adam's bias correction", [ON, OFF, BOTH], default=ON, required=True, key="surface-bias",
            bind="query-params",
        )  # fmt: skip
    return Descent(ground, (x, y), steps, lr, Settings(beta, beta2, eps), str(bias))


def _entries(descent: Descent, methods: Sequence[str], rates: str) -> list[Entry]:
    """The methods that take part, each with its learning rate: one for all, searched, or theory's best."""
    entries = []
    for method in methods:
        twice = {ON: [True], OFF: [False], BOTH: [True, False]}[descent.bias] if method == "adam" else [True]
        for corrected in twice:
            settings = replace(descent.shared, corrected=corrected)
            label = METHODS[method] + ("" if corrected else " without correction")
            by_theory = None
            if rates == THEORY and descent.ground.eigenvalues is not None and method in LINEAR:
                by_theory = best(LINEAR[method], descent.ground.eigenvalues)
            searches = rates != ONE and by_theory is None
            lr = best_rate(descent.ground, method, settings, descent.start, descent.steps) if searches else descent.lr
            entries.append(Entry(method, label, by_theory or settings.rule(method, lr)))
    return entries


def _settings_text(descent: Descent, entries: Sequence[Entry]) -> str:
    """The settings in words."""
    ground, (x, y) = descent.ground, descent.start
    words = [f"Start ({x:g}, {y:g})", *[f"{entry.label} {entry.setting}" for entry in entries]]
    if ground.eigenvalues is not None:
        words.append(f"condition number {number(ground.eigenvalues[1] / ground.eigenvalues[0])}")
    if {"rmsprop", "adam"} & {entry.method for entry in entries}:
        words.append(f"β₂ {descent.shared.beta2:g}, ε {descent.shared.eps:g}")
    return ", ".join(words)


def _notes(info: TrajectoriesInfo, rates: str) -> list[str]:
    """What the reader must know of the learning rates, in plain text."""
    if rates == ONE:
        return ["One learning rate for all says little of who is better: each has a best one of its own."]
    tried = f"{len(RATES)} learning rates from {number(RATES[0])} to {number(RATES[-1])}"
    words = [f"Each with the best of {tried}: the first to arrive, else the nearest at the end."]
    if rates == THEORY:
        words = [f"Learning rate and β by theory where it knows them; for the others the best of {tried}."]
    edge = [
        way.label
        for way in info.trajectories
        if float(way.entry.rule.lr) in (RATES[0], RATES[-1]) and (rates == EACH or way.entry.method not in LINEAR)
    ]
    if edge:
        words.append(f"At the edge of that range, so perhaps not the best: {', '.join(edge)}.")
    return words


def _table(info: TrajectoriesInfo) -> None:
    table = info.table()
    config: dict[str, Any] = {
        "within 1%": st.column_config.NumberColumn("steps to 1%", help="From then on it stays so near."),
        "within 0.1%": st.column_config.NumberColumn("to 0.1%", help="From then on it stays so near."),
        "at the end": st.column_config.TextColumn(help="Of the starting distance.", alignment="right"),
        "rate": st.column_config.NumberColumn(
            "theory, a step", format="%.4f", help="The factor on the slowest direction: above 1 it diverges."
        ),
    }
    st.dataframe(
        table if table["rate"].notna().any() else table.drop(columns="rate"), hide_index=True, row_height=30,
        column_config=config, key="surface-table", placeholder="–", alt="Steps that each method needs",
    )  # fmt: skip


@st.fragment
def surface() -> None:
    """Draw trajectories of the update rules on a surface, the distance that is left, and what theory says of it."""
    st.markdown("#### Which way does each optimizer take down, and in how many steps?")
    ground, methods, rates = _choices()
    descent = _sliders(ground, rates)
    entries = _entries(descent, methods, rates)
    info = trajectories_info(descent.ground, descent.start, entries, descent.steps)
    st.markdown(f"**{ui.text(info.sentence)}**")
    if not methods:
        return
    numbers, settings = info.frame(), _settings_text(descent, entries)
    left_side, right_side = st.columns(2, gap="medium")
    with left_side:
        _figure(
            "surface-ways", lambda dark: plot_surface(info, dark=dark), numbers, f"Ways down the {ground.name} surface",
            "The deeper the grey the lower; a ring is the start, a dot where a way ends, a star a minimum, a red cross"
            " where one that diverged leaves the window.", settings,
        )  # fmt: skip
    with right_side:
        dotted = (
            " Dotted: the bound that theory gives beforehand." if any(way.theory for way in info.trajectories) else ""
        )
        _figure(
            "surface-distances", lambda dark: plot_distances(info, dark=dark), numbers,
            "The distance to the nearest minimum after each step",
            f"Down is nearer, a straight line the same factor a step; a dot is where 1% is reached for good.{dotted}",
            settings,
        )  # fmt: skip
    for words in filter(None, [info.ends, info.theory, *_notes(info, rates)]):
        st.caption(ui.text(words))
    _table(info)


# Averages


def _another() -> None:
    st.session_state["averages-seed"] = int(st.session_state.get("averages-seed", 0)) + 1


@st.fragment
def averages() -> None:
    """Draw exponentially weighted averages with and without bias correction."""
    st.markdown("#### What does an exponentially weighted average remember, and why does it begin too low?")
    with st.grid("auto", min_column_width=150, vertical_alignment="bottom", gap="small"):
        beta = st.slider("β", 0.0, 0.99, 0.9, 0.01, key="averages-beta", bind="query-params")
        noise = st.slider("Noise (°C)", 0.0, 8.0, 3.0, 0.5, key="averages-noise", bind="query-params")
        at = st.slider(
            "Weights on day", 1, DAYS, 10, key="averages-day", bind="query-params",
            help="The day whose average is taken apart on the right.",
        )  # fmt: skip
        seed = st.number_input("Seed", 0, 9999, 0, key="averages-seed", bind="query-params", help="Of the noise.")
        st.button("Another", key="averages-another", icon=":material/casino:", on_click=_another, help="Other noise.")
    info = averages_info(beta, noise=noise, seed=int(seed), at=at)
    st.markdown(f"**{ui.text(info.sentence)}**")
    settings = f"β {beta:g}, noise {noise:g} °C, seed {seed}"
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _figure(
            "averages-series", lambda dark: plot_averages(info, dark=dark), info.frame(),
            "A noisy series and its exponentially weighted average", info.reading, settings,
        )  # fmt: skip
    with right:
        _figure(
            "averages-weights", lambda dark: plot_weights(info, dark=dark), info.weights_frame(),
            f"The weight of each past day in the average of day {at}", info.weighing, settings,
        )  # fmt: skip


# Momentum


@st.fragment
def momentum() -> None:
    """Draw momentum in both conventions, and what mixing them up does."""
    st.markdown("#### Is v = βv + g the same momentum as v = βv + (1−β)g?")
    with st.grid("auto", min_column_width=150, gap="small"):
        lr = st.select_slider(
            "lr of v = βv + g", RATES, 0.1, key="momentum-lr", bind="query-params",
            format_func=lambda option: number(option, 3),
        )  # fmt: skip
        beta = st.slider("β", 0.0, 0.99, 0.9, 0.01, key="momentum-beta", bind="query-params")
        condition = _choice("Condition number", CONDITIONS, 100, "momentum-condition")
        steps = _choice("Steps", STEPS, 300, "momentum-steps")
    ground = bowl(condition)
    info = momentum_info(ground, ground.start, lr=lr, beta=beta, steps=steps)
    st.markdown(f"**{ui.text(info.sentence)}**")
    settings = f"Bowl of condition number {condition}, lr {number(lr, 3)}, β {beta:g}"
    left, right = st.columns(2, gap="medium")
    with left:
        _figure(
            "momentum-ways", lambda dark: plot_surface(info.trajectories, dark=dark), info.frame(),
            "The paths of momentum in both conventions",
            f"The broad line is v = βv + g; the average at lr/(1−β) lies on it (largest gap {info.gap:.1g}).", settings,
        )  # fmt: skip
    with right:
        _figure(
            "momentum-distances", lambda dark: plot_distances(info.trajectories, dark=dark), info.frame(),
            "The distance to the minimum after each step",
            "The broad line and the one on it are the same momentum. Dotted: the bound that theory gives beforehand.",
            settings,
        )  # fmt: skip
