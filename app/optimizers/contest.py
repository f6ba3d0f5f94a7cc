"""What the Optimizers page compares: which param is the method, and every method at its own best configuration."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import pandas as pd
import streamlit as st

from analysis.figures.curves import CurvesInfo, curves_info
from analysis.optimizers.learning_rates import LR
from analysis.runs.comparison import shown
from analysis.runs.methods import Method, groups_of, in_words, judged_runs, methods_of, names_of, verdict_of
from analysis.runs.metric_slots import SLOTS
from analysis.runs.ranking import Group
from analysis.runs.steps_and_times import SINCE_START, foreign_steps_sentence, since_start
from analysis.statistics import plus_minus
from analysis.statistics.standings import Standings
from app.shared.selection import trained_elsewhere
from app.study.page import Study
from sweeps.spec import Axis
from tracking import schema
from tracking.configurations import identities
from tracking.labels import is_name

SCHEDULE: Final = "schedule.name"
RANGE_TEST: Final = "range_test"
LIKELY: Final = (
    "optimizer.name", SCHEDULE, "data.batch_size", "model.initialization", "model.activation", "data.standardize",
)  # fmt: skip
"""The params that are asked about most, the first that differs is the method."""
MOST_METHODS: Final = 12
ALL: Final = "all runs"
UPDATES, EPOCHS, SECONDS = "updates", "epochs", "seconds"
_RATE: Final = re.compile(r"(^|[._/ -])(lr|learning_?rate|eta)$", re.IGNORECASE)


@dataclass(frozen=True)
class Contest:
    """Methods of a study, compared."""

    study: Study
    key: str
    """The param whose values are the methods."""
    keys: tuple[str, ...]
    """The params that tell trials apart."""
    runs: pd.DataFrame
    """`study.runs` without range tests, `objective` being the error that they are judged by."""
    tests: pd.DataFrame
    """The range tests among the runs: their last errors compare nothing."""

    @property
    def metric(self) -> str:
        """What the methods are judged by."""
        return self.study.slots.label("dev")

    @cached_property
    def methods(self) -> list[Method]:
        """The methods, in their order."""
        return methods_of(self.runs, self.key, self.keys, self.study.comparison.named_by)

    @cached_property
    def groups(self) -> list[Group]:
        """What each method is judged by, best first."""
        return groups_of(self.methods, self.runs)

    @cached_property
    def judged(self) -> pd.DataFrame:
        """The runs of these groups."""
        return judged_runs(self.methods, self.runs)

    @cached_property
    def standings(self) -> Standings:
        """The methods with their verdicts."""
        return verdict_of(self.methods, metric=self.metric)

    @property
    def sentence(self) -> str:
        """The verdict on the methods, in plain text; what the best configuration reaches where there is one method."""
        if self.key != ALL:
            return self.standings.sentence
        results = self.methods[0].sample
        if not results.n:
            return "No run has a result yet."
        if not results.values:
            return "No param tells methods apart, and all runs of the best configuration diverged."
        mean = results.interval
        basis = mean.kind if mean.shown else f"n={mean.n}"
        return (
            "No param tells methods apart: the runs of the best configuration reach"
            f" {self.metric} {plus_minus(mean)} ({basis})."
        )

    @cached_property
    def rate(self) -> str:
        """The param that is the learning rate; nothing where there is none."""
        if LR in self.runs.columns:
            return LR
        return next((key for key in self.study.numeric_axes if _RATE.search(key)), "")

    def curves(self, metric: str, by: str) -> CurvesInfo:
        """The curves of the judged runs.

        Args:
            metric: A metric, or a slot: its values are then errors.
            by: UPDATES, EPOCHS or SECONDS.
        """
        label = self.study.slots.label(metric) if metric in SLOTS else metric
        histories = self.study.histories(metric, self.judged["run_id"])
        histories, along, axis, caveat = _along(self, histories.assign(key=label) if len(histories) else histories, by)
        runs = self.judged.assign(counts=True)
        return curves_info(histories, runs, self.groups, label, along=along, axis=axis, caveat=caveat)

    @cached_property
    def declared(self) -> dict[str, dict[str, str]]:
        """Method -> searched key -> its space, where all sweeps that the method's runs belong to state the same."""
        if not len(self.runs):
            return {}
        stated = {
            sweep: {key: _space(axis) for key, axis in spec.search.items()} for sweep, spec in self.study.specs.items()
        }
        spaces = {}
        for name, sweeps in self.runs["parent"].groupby(names_of(self.runs[self.key], self.key)):
            first, *rest = [stated.get(sweep, {}) for sweep in sweeps.unique()]
            spaces[str(name)] = {
                key: space for key, space in first.items() if all(other.get(key) == space for other in rest)
            }
        return spaces

    @property
    def search(self) -> str:
        """How the sweeps searched, in words; nothing where it is not known."""
        words = []
        for spec in self.study.specs.values():
            trials = f", {spec.trials} trials" if spec.trials else ""
            pruner = f", pruner {spec.pruner}" if spec.pruner != "none" else ""
            per = f" for each {spec.confirm.per}" if spec.confirm and spec.confirm.per else ""
            again = (
                f", the best {spec.confirm.top}{per} again with {spec.confirm.seeds} fresh seeds"
                if spec.confirm
                else ""
            )
            words.append(f"{spec.sampler} search{trials}, {spec.seeds} seeds a trial{pruner}{again}")
        return "; ".join(dict.fromkeys(words))


def _space(axis: Axis) -> str:
    if axis.values is not None:
        return ", ".join(in_words(value) for value in axis.values)
    log = ", logarithmic" if axis.log else ""
    return f"{shown(axis.low)} to {shown(axis.high)}{log}" + (f", {axis.steps} steps" if axis.steps else "")


def _along(contest: Contest, histories: pd.DataFrame, by: str) -> tuple[pd.DataFrame, str | None, str, str]:
    """Histories with what the horizontal axis shows, its metric, its name, and what misleads on it.

    A stranger's runs have steps and a clock.
    """
    study, ids = contest.study, tuple(contest.judged["run_id"])
    ours = schema.STEPS in study.comparison.metrics
    if by == UPDATES and ours:
        return (
            pd.concat([histories, study.histories(schema.STEPS, ids)], ignore_index=True),
            schema.STEPS,
            "updates",
            "",
        )
    if by != SECONDS:
        elsewhere = trained_elsewhere(contest.judged, study.sweeps) if ours else {}
        return histories, None, "epoch" if ours else "step", foreign_steps_sentence(list(elsewhere.values()))
    if schema.TRAIN_SECONDS in study.comparison.metrics:
        more = study.histories(schema.TRAIN_SECONDS, ids)
        return pd.concat([histories, more], ignore_index=True), schema.TRAIN_SECONDS, "seconds of training", ""
    seconds, caveat = since_start(histories, contest.judged)
    return pd.concat([histories, seconds], ignore_index=True), SINCE_START, SINCE_START, caveat


def _runs(study: Study) -> pd.DataFrame:
    """The runs with the error that they are judged by as `objective`."""
    runs, metric = study.runs, study.slots.dev
    values = runs["dev"]
    if metric == study.comparison.objective:
        # The objective may be that of the best epoch.
        values = study.slots.error(metric, runs["objective"]).fillna(values)
    return runs.assign(objective=values)


def _options(runs: pd.DataFrame, axes: Iterable[str], coupled: Collection[str]) -> list[str]:
    """The params that can be the method: those that differ, in not too many values.

    Args:
        runs: One row per run, one column per param.
        axes: The params in which the runs differ.
        coupled: The coupled keys among them, of which the others may follow: they come behind the optimizer alone.
    """
    counts = {key: len(set(identities(runs[key].tolist()))) for key in axes if key in runs.columns}
    several = [key for key, count in counts.items() if 1 < count <= MOST_METHODS]

    def order(key: str) -> tuple[int, bool, bool, bool]:
        words = any(isinstance(value, str) for value in runs[key])
        place = 0 if key in coupled else LIKELY.index(key) if key in LIKELY else len(LIKELY)
        return (place, not is_name(key), not words, bool(_RATE.search(key)))

    return sorted(several, key=order)


def _pairs(runs: pd.DataFrame, options: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Two params of words taken together, such as every activation with every initialisation."""
    words = [key for key in options if all(isinstance(value, str) for value in runs[key])]
    if len(words) != 2 or runs.groupby(words).ngroups > MOST_METHODS:
        return {}
    return {" × ".join(words): (words[0], words[1])}


def contest_of(study: Study) -> Contest:
    """The contest of a study, with a picker of the method where there is a choice."""
    runs = _runs(study)
    ranged = runs[SCHEDULE] == RANGE_TEST if SCHEDULE in runs.columns else pd.Series(False, index=runs.index)
    compared, tests = runs[~ranged].reset_index(drop=True), runs[ranged].reset_index(drop=True)
    coupled = [name for name in study.comparison.searched if "." not in name]
    options = _options(compared if len(compared) else tests, study.axes, coupled)
    pairs = _pairs(compared if len(compared) else tests, options)
    if len(options) > 1:
        key = st.selectbox(
            "Methods", [*options, *pairs], key="method", bind="query-params", width=240,
            help="The param whose values are compared, each at its own best configuration.",
        )  # fmt: skip
    else:
        likely = [name for name in LIKELY if name in runs.columns]
        key = options[0] if options else likely[0] if likely else ALL
    if key == ALL:
        compared, tests = compared.assign(**{ALL: ALL}), tests.assign(**{ALL: ALL})
    one, other = pairs.get(str(key), ("", ""))
    if one:
        compared, tests = (part.assign(**{str(key): part[one] + ", " + part[other]}) for part in (compared, tests))
    keys = [param for param in study.comparison.searched or study.comparison.differing if param not in (one, other)]
    return Contest(study, str(key), tuple(dict.fromkeys([str(key), *keys])), compared, tests)
