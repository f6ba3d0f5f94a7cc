"""Regularization: strengths on a path, regularizers against none, what they do to weights, curves and answers."""

from __future__ import annotations

import streamlit as st

from app.regularization import curves, layers, strengths
from app.shared import live
from app.study import page as study_page

TABS = {
    "Strength": strengths.strength,
    "Against none": strengths.against_none,
    "Path": layers.path,
    "Weights": layers.weights,
    "Early stopping": curves.early_stopping,
    "Training mode": curves.training_mode,
    "Factorial": strengths.factorial,
    "Regions": layers.regions,
}

snapshot = live.begin()
study = study_page.opened("regularization")
# The answer stands above what it depends on.
head = st.container()
subject = strengths.subject_of(study)
with head:
    study_page.head(study, subject.answer, pairwise=subject.compares)
tabs = st.tabs(list(TABS), key="look", on_change="rerun", bind="query-params")
for tab, draw in zip(tabs, TABS.values(), strict=True):
    if tab.open:
        with tab:
            draw(subject)
live.follow(snapshot, study.active)
