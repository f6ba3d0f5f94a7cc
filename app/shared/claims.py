"""What a sweep claims, with the verdict of its runs: the head of every page that shows the sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import streamlit as st

from analysis.runs.claims import ClaimInfo, Status, compared, sweep_claims
from analysis.runs.comparison import Comparison
from analysis.words import joined
from app.shared import store, ui
from sweeps.spec import Spec

_BADGES: Final = {
    Status.SUPPORTED: ("green", "Supported"),
    Status.REFUTED: ("red", "Refuted"),
    Status.UNDECIDED: ("gray", "Undecided"),
    Status.TOO_FEW: ("gray", "Too few {}"),
    Status.NOT_YET: ("gray", "Not yet"),
}
_COUNTED: Final = {Status.TOO_FEW: "with too few {}", Status.NOT_YET: "without a result"}
"""The words for claims in a sentence that counts them, where these are not their badge's."""


@dataclass(frozen=True)
class Judged:
    """A claim with what the runs say of it."""

    info: ClaimInfo
    over: bool
    """Whether no more runs will come."""

    @property
    def counted(self) -> str:
        """The status in a sentence that counts claims: `supported`, `with too few seeds`."""
        words = _COUNTED.get(self.info.status, _BADGES[self.info.status][1].lower())
        return words.format(self.info.better.sample.units)

    @property
    def badge(self) -> str:
        """The verdict in its colour."""
        so_far = "" if self.over or self.info.status is Status.NOT_YET else " so far"
        colour, word = _BADGES[self.info.status]
        return f":{colour}-badge[{word.format(self.info.better.sample.units)}{so_far}]"


def headline(judged: Sequence[Judged]) -> bool:
    """Draw the claims as the head of a page, each with its verdict and why; returns whether there is any.

    A claim was written down before its runs were made, so it asks for no correction beyond that for the sweep's other
    claims. Every page that shows the sweep therefore puts it before what the page itself found in the runs.
    """
    if len(judged) > 1:
        counts = Counter(claim.counted for claim in judged)
        so_far = "" if all(claim.over for claim in judged) else " so far"
        listed = joined([f"{count if len(counts) > 1 else 'all'} {words}" for words, count in counts.items()])
        st.markdown(f"## {len(judged)} claims{so_far}: {listed}.")
    for claim in judged:
        with st.container(gap=None):
            size = "" if len(judged) > 1 else "## "
            st.markdown(f"{size}{claim.badge} {ui.text(claim.info.text)}")
            st.caption(ui.text(claim.info.sentence))
    return bool(judged)


def of_comparison(comparison: Comparison, specs: Mapping[str, Spec]) -> list[Judged]:
    """The claims of the sweeps that are compared.

    Args:
        comparison: Their runs, search and confirm runs alike.
        specs: What the sweeps are, by id.
    """
    judged = []
    for sweep, spec in specs.items():
        row = store.sweep(sweep)
        over = row is None or row["state"] not in ui.ACTIVE
        infos = compared(comparison, sweep, spec.claim, list(spec.search), objective=spec.objective.metric)
        judged += [Judged(info, over) for info in infos]
    return judged


def of_sweep(row: Any, runs: pd.DataFrame, over: bool) -> list[Judged]:
    """The claims on the sweep's own page; none where its specification cannot be read.

    Args:
        row: The sweep.
        runs: All its runs, a column per searched key, with its objective.
        over: Whether no more runs will come.
    """
    spec = store.spec_of(row["sweep"])
    if spec is None or not spec.claim:
        return []
    keys = list(spec.search)
    infos = sweep_claims(runs, spec.claim, keys, objective=row["metric"], histories=store.histories)
    return [Judged(info, over) for info in infos]
