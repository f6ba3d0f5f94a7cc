"""The loss landscape of one run: computed when it is asked for, by a worker of the service, then drawn.

The service is only asked what it knows by now: a page never waits for it.
"""

from __future__ import annotations

import io
import math
import zipfile
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from analysis.optimizers.landscape import PCA, RANDOM, LandscapeInfo, landscape_info, plot_landscape
from app.shared import store, ui
from app.study import page as study_page
from sweeps.client import CommandError
from tracking import schema
from tracking.schema import Outcome
from tracking.store import StoreError

LOOK_S: Final = 1.0
"""Seconds between two questions to the service while it computes."""
WAIT_S: Final = 0.5
"""How long a page waits for an answer."""
UNDER_WAY: Final = ("queued", "computing", "storing")
VIEWS: Final = {"Random directions": RANDOM, "Principal components": PCA}
WAITS: Final = {"queued": "waiting for a free worker", "storing": "storing it"}
_ASKED: Final = "_landscapes"
"""The runs whose landscape this visitor asked for: it is asked for again if the service ended meanwhile."""
_REFUSAL: Final = "_landscape_said"


def _arrays(run_id: str) -> dict[str, np.ndarray] | None:
    """The arrays of a run's landscape; None where it has none, or one that cannot be read."""
    try:
        with np.load(io.BytesIO(store.artifact(run_id, schema.LANDSCAPE_FILE)), allow_pickle=False) as content:
            return {name: content[name] for name in content.files}
    except (OSError, ValueError, EOFError, StoreError, zipfile.BadZipFile):
        return None


def _asked() -> set[str]:
    return st.session_state.setdefault(_ASKED, set())


def _status_of(run_id: str) -> dict[str, Any] | None:
    """How far the computation of the landscape is; None where no service answers."""
    act = "ask" if run_id in _asked() else "look"
    try:
        return store.client().landscape(run_id, act, wait=WAIT_S)
    except (CommandError, OSError, ValueError):
        return None


def _command(run_id: str, act: str) -> None:
    """Have the landscape computed, or give it up; what the service refuses is kept for the page."""
    _asked().discard(run_id)
    try:
        store.client().landscape(run_id, act)
    except (CommandError, OSError, ValueError) as error:
        st.session_state[_REFUSAL] = str(error)
        return
    if act != "stop":
        _asked().add(run_id)


def _progress(run_id: str) -> None:
    """Draw how far the computation is, live, until it has ended or failed."""

    @st.fragment(run_every=LOOK_S)
    def watch() -> None:
        status = _status_of(run_id)
        if status is None:
            st.caption(":material/hourglass_empty: The service does not answer; it is asked again.")
            return
        if status["state"] not in UNDER_WAY:
            ui.rerun()
        st.progress(float(status["share"]), text=ui.text(status["doing"] or WAITS.get(status["state"], "beginning")))
        st.button("Give up", key="landscape-stop", on_click=_command, args=(run_id, "stop"), type="tertiary")

    with st.container(border=True):
        watch()


def _compute(run: Any, failed: bool) -> None:
    """Draw the offer to compute the landscape of a run that has none."""
    run_id = str(run["run_id"])
    took = (float(run["end_time"]) - float(run["start_time"])) / 1000
    long = f" (it took {ui.duration(took)})" if math.isfinite(took) else ""
    with st.container(border=True, horizontal_alignment="center", vertical_alignment="center", height=220):
        st.caption(
            f"A worker trains this run once more, exactly as it was{long}, and keeps its weights along the way; then "
            "it computes the loss at some thousand points about the weights it ends at.",
            text_alignment="center",
        )
        st.button(
            "Try again" if failed else "Compute the landscape", key="landscape-compute", type="primary",
            icon=":material/landscape:", on_click=_command, args=(run_id, "again" if failed else "ask"),
        )  # fmt: skip


def _draw(study: study_page.Study, label: str, run_id: str, info: LandscapeInfo) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        views = [name for name, view in VIEWS.items() if view in info.planes]
        chosen = st.segmented_control(
            "Plane", views, default=views[0], required=True, key="plane", bind="query-params",
            help="Two random directions scaled to the weights, or those along which the run moved most.",
        )  # fmt: skip
        st.button(
            "Compute again", key="landscape-again", on_click=_command, args=(run_id, "again"), type="tertiary",
            icon=":material/refresh:",
        )  # fmt: skip
    if info.warning:
        st.warning(ui.text(info.warning))
    view = VIEWS.get(str(chosen), RANDOM)
    study_page.chart(
        study, f"landscape-{view}", lambda dark: plot_landscape(info, view, dark=dark), info.frame(view),
        shows=f"{info.loss_of} about the weights that {label} ended at, {str(chosen).lower()}, with the way trained",
        n="1 run", interval="", reading=info.sentence(view),
    )  # fmt: skip
    if PCA not in info.planes:
        st.caption(ui.text(info.sentence(PCA)))


def _runs(study: study_page.Study) -> dict[str, pd.Series]:
    """Label -> run, of the runs that can be trained once more, those of the best groups first."""
    ended = study.judged[study.judged["outcome"] == Outcome.OK]
    ours = ended[ended["parent"].isin(list(study.sweeps))]
    order = {group.group: place for place, group in enumerate(study.view.groups)}
    ours = ours.assign(place=ours["group"].map(order)).sort_values(["place", "seed"], kind="stable")
    named: dict[str, pd.Series] = {}
    for _, run in ours.iterrows():
        label = f"{run['label']}, seed {run['seed']}"
        named[label if label not in named else f"{label} ({run['run_id'][:8]})"] = run
    return named


def landscape(study: study_page.Study) -> None:
    """Draw the tab Landscape: which run, its landscape, or the offer to compute it.

    Args:
        study: The runs.
    """
    named = _runs(study)
    if not named:
        study_page.empty(
            "Only a run that a sweep trained to its end has a loss landscape: for it the run is trained once more, "
            "from its configuration and its seeds. There is none among these."
        )
        return
    label = str(st.selectbox("Run", list(named), key="landscape-run", bind="query-params", width=420))
    if refusal := st.session_state.pop(_REFUSAL, ""):
        st.error(ui.text(refusal))
    run = named.get(label, next(iter(named.values())))
    run_id = str(run["run_id"])
    status = _status_of(run_id)
    if status is not None and status["state"] not in UNDER_WAY:
        _asked().discard(run_id)
    if run_id in _asked() or (status is not None and status["state"] in UNDER_WAY):
        _progress(run_id)
        return
    failed = status is not None and status["state"] == "failed"
    if failed:
        st.error(ui.text(status["problem"]))
    info = landscape_info(_arrays(run_id))
    if info.empty:
        _compute(run, failed)
    else:
        _draw(study, label, run_id, info)
