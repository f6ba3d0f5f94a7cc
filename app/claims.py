"""What a sweep claims, with the verdict of its runs: a line a claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from analysis.claims import ClaimInfo, Status, compared, judged
from analysis.comparison import Comparison
from app import store, sweep_actions, ui
from sweeps.spec import Spec

_BADGES: Final = {
    Status.SUPPORTED: ("green", "Supported"),
    Status.REFUTED: ("red", "Refuted"),
    Status.UNDECIDED: ("gray", "Undecided"),
    Status.TOO_FEW: ("gray", "Too few {}"),
    Status.NOT_YET: ("gray", "Not yet"),
}


def _lines(found: Sequence[ClaimInfo], over: bool) -> None:
    for info in found:
        colour, word = _BADGES[info.status]
        word = word.format(info.better.sample.units)
        so_far = "" if over or info.status is Status.NOT_YET else " so far"
        with st.container(gap=None):
            st.markdown(f":{colour}-badge[{word}{so_far}] The claim: {ui.text(info.text)}")
            st.caption(ui.text(info.sentence))


def claims(found: Comparison, sweep: str, spec: Spec) -> None:
    """The claims of one of the sweeps that are compared, each with its verdict and why.

    Args:
        found: Runs of this sweep and of others, search and confirm runs alike.
        sweep: Its id.
        spec: What it is.
    """
    if not spec.claim:
        return
    row = store.sweep(sweep)
    infos = compared(found, sweep, spec.claim, list(spec.search), objective=spec.objective.metric)
    _lines(infos, row is None or row["state"] not in ui.ACTIVE)


def of_sweep(row: Any, runs: pd.DataFrame, over: bool) -> None:
    """The same on the sweep's own page; nothing where it claims nothing, or its specification cannot be read.

    Args:
        row: The sweep.
        runs: All its runs, a column a searched key, with its objective.
        over: Whether no more runs will come.
    """
    spec = sweep_actions.spec_of(row["sweep"])
    if spec is None or not spec.claim:
        return
    keys = list(spec.search)
    _lines(judged(runs, spec.claim, keys, objective=row["metric"], histories=store.histories), over)
