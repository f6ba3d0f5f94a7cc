"""Optimizers, schedules, batch sizes, initialisations: which descends furthest, how soon, at equal cost of tuning."""

from __future__ import annotations

import streamlit as st

from analysis.runs.methods import selection_words
from app.optimizers import explorers, figures, landscape, layers
from app.optimizers.contest import Contest, contest_of
from app.shared import live
from app.study import page as study_page

TABS = ["Curves", "Learning rate", "Budget", "Target", "Inside", "Landscape", "Explore"]
EXPLORERS = {"Surface": explorers.surface, "Averages": explorers.averages, "Momentum": explorers.momentum}


def explore() -> None:
    """Draw what needs no run: trajectories on a surface, moving averages, momentum in two conventions."""
    name = st.segmented_control(
        "Explore", list(EXPLORERS), default="Surface", required=True, key="explore", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    EXPLORERS[str(name)]()


def offered() -> None:
    """Draw the explorers below the offer of sweeps, where no runs are chosen."""
    st.subheader("Explore", anchor=False)
    explore()


def answer(contest: Contest) -> tuple[str, ...]:
    """The verdict on the methods, how they were chosen, and each one's configuration."""
    if not len(contest.runs):
        return ("A learning-rate range test: which rates the loss falls at is read from its curve, below.",)
    titles = [method.title for method in contest.methods if method.judged and method.judged.label]
    at = f"At their best: {'; '.join(titles)}." if titles else ""
    return contest.sentence, selection_words(contest.methods), at


snapshot = live.begin()
study = study_page.opened("optimizers", otherwise=offered)
contest = contest_of(study)
study_page.head(study, *answer(contest))
tabs = st.tabs(TABS, key="look", on_change="rerun", bind="query-params")
draws = (figures.curves, figures.rates, figures.budget, figures.target, layers.inside_tab)
for tab, draw in zip(tabs, draws, strict=False):
    with tab:
        if len(contest.runs) or draw is figures.rates:
            draw(contest, bool(tab.open))
        elif tab.open:
            study_page.empty(
                "Range tests compare nothing here: their rate grows from epoch to epoch. See Learning rate."
            )
with tabs[5]:
    if tabs[5].open:
        landscape.landscape(study)
with tabs[6]:
    if tabs[6].open:
        explore()
if not tabs[6].open:
    figures.protocol(contest)
live.follow(snapshot, study.active)
