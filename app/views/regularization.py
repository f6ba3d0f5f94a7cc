"""Regularization: strengths on a path, regularizers against none, what they do to weights, curves and answers."""

from __future__ import annotations

import streamlit as st

from app.regularization import curves as regularization_curves
from app.regularization import layers as regularization_layers
from app.regularization import strengths as parts
from app.shared import live
from app.study import page as study

TABS = {
    "Strength": parts.strength,
    "Against none": parts.against_none,
    "Path": regularization_layers.path,
    "Weights": regularization_layers.weights,
    "Early stopping": regularization_curves.early_stopping,
    "Training mode": regularization_curves.training_mode,
    "Factorial": parts.factorial,
    "Regions": regularization_layers.regions,
}

seen = live.begin()
found = study.opened("regularization")
# The answer stands above what it depends on.
head = st.container()
at = parts.look(found)
with head:
    study.head(found, at.answer, pairwise=at.compares)
tabs = st.tabs(list(TABS), key="look", on_change="rerun", bind="query-params")
for tab, draw in zip(tabs, TABS.values(), strict=True):
    if tab.open:
        with tab:
            draw(at)
live.follow(seen, found.active)
