"""Bias and variance: what the runs suffer from and what helps, and what their error is made of."""

from __future__ import annotations

import streamlit as st

from app import bias_variance_parts, bias_variance_replicates, live, study

seen = live.begin()
found = study.opened("bias_variance")
top = st.container()
tabs = st.tabs(
    ["Diagnosis", "Learning curve", "Decomposition", "Fits"], key="look", on_change="rerun", bind="query-params"
)
with tabs[0]:
    answer = bias_variance_parts.diagnosis(found, bool(tabs[0].open))
looks = (bias_variance_parts.learning, bias_variance_replicates.decomposition, bias_variance_replicates.fits)
for tab, draw in zip(tabs[1:], looks, strict=True):
    with tab:
        draw(found, bool(tab.open))
with top:
    study.head(found, answer, bias_variance_parts.spoiled(found), pairwise=False)
live.follow(seen, found.active)
