"""The dashboard. `streamlit run app` starts here: who may look, the service, the pages."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import streamlit as st

if not sys.flags.safe_path:  # `python -m streamlit` looks for data, app, ... in the current directory first
    root = str(Path(__file__).resolve().parents[1])
    sys.path[:] = [root, *(folder for folder in sys.path if folder not in ("", os.getcwd(), root))]

from app.shared import access, ui
from sweeps.catalogue import user_models
from tracking.store import StoreError

# An icon by name would be fetched from the network.
ICON = str(Path(__file__).with_name("icon.svg"))

st.set_page_config(page_title="Sweepboard", page_icon=ICON, layout="wide")
user_models.background = True  # a module that is being edited keeps nobody waiting
ui.style()
access.require()

page = st.navigation(
    [
        st.Page(
            "views/overview.py", title="Overview", icon=":material/list_alt:", default=True,
            help="Every sweep with its state, its progress and its best configuration so far.",
        ),
        st.Page(
            "views/launch.py", title="Launch", icon=":material/add_circle:", url_path="launch",
            help="Choose a network, data and the values to try, and launch.",
        ),
        st.Page(
            "views/sweep.py", title="Sweep", icon=":material/monitoring:", url_path="sweep",
            help="One sweep live: its answer so far, curves, ranking, runs and events.",
        ),
        st.Page(
            "views/runs.py", title="Runs", icon=":material/table_rows:", url_path="runs",
            help="Every run of any experiment: filtered, sorted, grouped over seeds, edited.",
        ),
        st.Page(
            "views/compare.py", title="Compare", icon=":material/compare_arrows:", url_path="compare",
            help="Sweeps, groups or runs side by side: curves, differences, a verdict.",
        ),
        st.Page(
            "views/bias_variance.py", title="Bias and variance", icon=":material/balance:", url_path="bias_variance",
            help="Too simple, or learnt by heart? Training and validation error taken apart, with what to do about it.",
        ),
        st.Page(
            "views/optimizers.py", title="Optimizers", icon=":material/trending_down:", url_path="optimizers",
            help="SGD, momentum, RMSprop, Adam against each other at equal cost; surfaces, landscapes, gradients.",
        ),
        st.Page(
            "views/regularization.py", title="Regularization", icon=":material/compress:", url_path="regularization",
            help="What L1, L2, dropout, augmentation and the others do, at which strength, against none.",
        ),
        st.Page(
            "views/quality.py", title="Quality", icon=":material/grid_on:", url_path="quality",
            help="How well a classification run or group answers: which classes it confuses, at which threshold.",
        ),
        st.Page(
            "views/run.py", title="Run", icon=":material/description:", url_path="run", visibility="hidden",
            help="One run: its curves, params, files, machine and weights.",
        ),
    ]
)  # fmt: skip
st.logo(str(Path(__file__).with_name("logo.svg")), size="medium", icon_image=ICON)
notices = st.container()
try:
    page.run()
except StoreError as error:
    st.error(ui.text(error))

# After the page: asking the service may take a moment, and what it needs is imported by then.
from app.shared import service_line  # noqa: E402

service_line.line(notices)
