"""Bias and variance: what the runs suffer from and what helps, and what their error is made of."""

from __future__ import annotations

import streamlit as st

from app.bias_variance.decomposition import decomposition, fits
from app.bias_variance.diagnosis import aim_inputs, diagnosis, label_note, reference_note
from app.bias_variance.learning_curve import learning
from app.shared import live
from app.study import page as study_page

snapshot = live.begin()
study = study_page.opened("bias_variance")
top = st.container()
aim = aim_inputs(study)
tabs = st.tabs(
    ["Diagnosis", "Learning curve", "Decomposition", "Fits"], key="look", on_change="rerun", bind="query-params"
)
with tabs[0]:
    answer = diagnosis(study, aim, bool(tabs[0].open))
with tabs[1]:
    learning(study, aim, bool(tabs[1].open))
with tabs[2]:
    decomposition(study, aim, bool(tabs[2].open))
with tabs[3]:
    fits(study, bool(tabs[3].open))
with top:
    study_page.head(study, answer, label_note(study), reference_note(study, aim), pairwise=False)
live.follow(snapshot, study.active)
