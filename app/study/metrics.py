"""Which metric stands in which slot, on the pages about errors: guessed, asked for, kept for the experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import streamlit as st

from analysis.runs import metric_roles, metric_slots
from analysis.runs.comparison import Comparison
from analysis.runs.metric_roles import Role
from analysis.runs.metric_slots import DEV, SLOTS, TRAIN, TRAIN_DEV, TRAINING, Slots
from app.shared import store, ui
from sweeps.client import CommandError
from tracking import schema

SLOTS_TAG: Final = "sweepboard.slots"
"""The tag of an experiment that holds which metric stands where."""
NONE: Final = "none"
CHOSEN: Final = {
    TRAIN: ("Training error", SLOTS[TRAIN]),
    TRAIN_DEV: ("Train-dev error", SLOTS[TRAIN_DEV]),
    TRAINING: ("Loss in training mode", SLOTS[TRAINING]),
}
"""Slot -> the label of its choice, and what it holds."""


@dataclass(frozen=True)
class Metrics:
    """The metrics of the runs: their roles, their last values, and the slots that were set for them."""

    roles: Mapping[str, Role]
    last: Mapping[str, pd.Series[Any]]
    setting: str
    """The text of the experiment's tag: which metric stands where."""
    experiments: list[str]
    ours: bool

    @classmethod
    def of(cls, comparison: Comparison) -> Metrics:
        # Runs that all diverged before they logged anything still have what they were to be judged by.
        logged = [*map(str, comparison.metrics), *filter(None, [comparison.objective])]
        names = [name for name in dict.fromkeys(logged) if name != schema.OBJECTIVE]
        experiments = list(dict.fromkeys(comparison.runs["experiment_id"]))
        setting = next(
            filter(None, (store.experiment_tags(experiment).get(SLOTS_TAG, "") for experiment in experiments)), ""
        )
        last = {name: comparison.last(name) for name in names}
        return cls(
            store.roles(names, experiments, comparison.goals), last, setting, experiments, bool(comparison.objective)
        )

    def slots(self, dev: str, setting: str | None = None) -> Slots:
        return metric_slots.slots_of(
            self.roles, self.last, setting=self.setting if setting is None else setting, dev=dev
        )

    @property
    def judges(self) -> list[str]:
        """The metrics that runs may be judged by: any where others logged them, the likely ones first."""
        likely = metric_roles.judges(self.roles)
        return likely if self.ours else list(dict.fromkeys([*likely, *metric_roles.ordered(self.roles)]))


def first(metrics: Metrics) -> Slots:
    """The metric in each slot, as the address asks for, else as it was set, else as `metric_roles.judges` chooses."""
    requested = str(st.session_state.get("dev") or st.query_params.get("dev") or "")
    return metrics.slots(requested if requested in metrics.roles else "")


def choose(metrics: Metrics, slots: Slots) -> Slots:
    """Draw the choice of the metric in each slot, kept with the experiment; returns the slots as they are chosen."""
    names = {DEV: slots.dev}
    for slot, (label, about) in CHOSEN.items():
        options = [NONE, *metrics.roles]
        name = st.selectbox(
            label, options, options.index(slots[slot] or NONE), key=f"slot-{slot}-{slots.dev}", help=about
        )
        names[slot] = "" if name == NONE else str(name)
    changed = metrics.slots(slots.dev, metric_slots.remembered(Slots(**names)))
    if st.button(
        "Keep", key="keep-slots", type="primary", disabled=store.read_only() is not None,
        help="For everybody who looks at this experiment, with the error that is chosen now.",
    ):  # fmt: skip
        try:
            for experiment in metrics.experiments:
                store.client().edit_experiment(experiment, {SLOTS_TAG: metric_slots.remembered(changed)})
            st.caption("Kept with the experiment.")
        except (CommandError, ValueError, OSError) as error:
            st.error(ui.text(error))
    elif metrics.setting:
        st.caption("As it was said for this experiment, unless you change it.")
    return changed
