"""Any runs as one frame that can be compared: the group, the seed and the result of each, and what differs.

Runs of Sweepboard carry their group, seed and outcome as tags. Runs of other programs do not: they are grouped by all
params but the seed (`tracking.configurations`), a param that names a seed is the seed, and MLflow's status stands for
the outcome.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.runs.metric_slots import SLOTS, TRUTH
from analysis.runs.ranking import RUNNING, Group, ranking
from analysis.statistics.samples import outcomes_by
from tracking import labels, schema
from tracking.configurations import group_names, identities, is_missing, is_seed, summaries, values_of
from tracking.schema import Outcome

COLUMNS: Final = (
    "run_id", "name", "experiment_id", "parent", "trial", "seed", "seed_data", "seed_init", "group", "phase", "outcome",
    "counts", "start_time", "end_time", "objective",
)  # fmt: skip
"""The columns of `Comparison.runs`."""
TAKEN: Final = frozenset({*COLUMNS, "label", "side", "level", "place", *SLOTS, *TRUTH})
"""The names of columns that pages and figures add beside the params; no param may have one of them."""
_STATUS: Final = {"FINISHED": Outcome.OK.value, "FAILED": Outcome.CRASHED.value, "KILLED": Outcome.STOPPED.value}


@dataclass(frozen=True)
class Comparison:
    """Runs to compare, one row each in all three frames, in the same order."""

    runs: pd.DataFrame
    """run_id, name, experiment_id, parent, trial, seed, seed_data and seed_init (-1: unknown), group, phase, outcome,
    counts, start_time, end_time, objective (nan where there is none)."""
    params: pd.DataFrame
    """One column per dotted key: Python values (see `tracking.configurations`), None where a run has no such param.

    A param whose name is one of TAKEN has `param ` before its key.
    """
    metrics: pd.DataFrame
    """One column per metric: its last values."""
    objective: str
    """The metric that the runs' sweeps rank by; empty if they have none, or different ones."""
    direction: str
    """What is better of the objective: "minimize" or "maximize"."""
    searched: list[str]
    """The keys that the runs' sweeps search, where they differ among these runs."""
    logged: frozenset[tuple[str, str]] = frozenset()
    """(run, metric) of all that was logged, values that are not finite included."""
    commit: str = ""
    """The commit of the code that trained all the runs; empty if it is unknown or not one."""
    left_out: int = 0
    """How many runs are not compared, since they only sum up their child runs."""

    @property
    def goals(self) -> list[tuple[str, str]]:
        """The metric and the direction by which the runs' sweeps rank, if it is one for all: see `metric_roles`."""
        return [(self.objective, self.direction)] if self.objective else []

    @cached_property
    def differing(self) -> list[str]:
        """The params in which the runs differ, seeds apart."""
        return [key for key in map(str, self.params) if _differs(key, self.params)]

    @cached_property
    def configurations(self) -> dict[str, dict[str, Any]]:
        """For each group, the values of the params that differ."""
        first = ~self.runs["group"].duplicated().to_numpy(dtype=bool)
        rows = self.params.loc[first, self.differing].to_dict("records")
        return dict(zip(self.runs.loc[first, "group"], rows, strict=True))

    @cached_property
    def named_by(self) -> list[str]:
        """The params that labels hold: what the sweeps search, else the fewest that tell the groups apart."""
        rows = list(self.configurations.values())
        searched = all(any(not is_missing(row.get(key)) for key in self.searched) for row in rows)
        return self.searched if self.searched and searched else labels.telling(rows)

    @property
    def meant(self) -> list[str]:
        """The params that the groups were meant to differ in: what the sweeps search, else what makes a grid."""
        return self.searched or labels.meant(list(self.configurations.values()))

    def values(self, metric: str) -> pd.Series[Any]:
        """The results by a metric: the objective itself if it is that of the sweeps, else the metric's last value."""
        if metric == self.objective:
            return self.runs["objective"].fillna(self.last(metric))
        return self.last(metric)

    def last(self, metric: str) -> pd.Series[Any]:
        """A metric's last values, nan where a run has none."""
        if metric not in self.metrics:
            return pd.Series(math.nan, index=self.runs.index, dtype=float)
        return self.metrics[metric].astype(float)

    def judged_by(self, metric: str) -> pd.DataFrame:
        """The runs with `objective` holding the values of that metric, and a column for each param that differs."""
        values = self.values(metric)
        logged = ((run, metric) in self.logged for run in self.runs["run_id"])
        outcome = outcomes_by(values, self.runs["outcome"], logged)
        frame = self.runs.assign(objective=values, outcome=outcome)
        return pd.concat([frame, self.params[self.differing].set_axis(frame.index)], axis=1)

    def only(self, run_ids: Sequence[str]) -> Comparison:
        """The comparison of these runs alone."""
        keep = self.runs["run_id"].isin(list(run_ids)).to_numpy()
        runs, params = self.runs[keep].reset_index(drop=True), self.params[keep].reset_index(drop=True)
        part = replace(self, runs=runs, params=params, metrics=self.metrics[keep].reset_index(drop=True))
        return replace(part, searched=[key for key in self.searched if key in part.differing])


def shown(value: Any) -> str:
    """The text of a param's value in a table's cell or at a tick."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _wide(long: pd.DataFrame, run_ids: Sequence[str]) -> pd.DataFrame:
    """One column per key, one row per run, in the order of `run_ids`."""
    if not len(long):
        return pd.DataFrame(index=range(len(run_ids)))
    cells = long.drop_duplicates(["run_id", "key"], keep="last").pivot(index="run_id", columns="key", values="value")
    return cells.reindex(list(run_ids)).reset_index(drop=True).rename_axis(columns=None)


def _seeds(tags: pd.DataFrame, params: pd.DataFrame) -> list[int]:
    """The seed of each run by its tag, or by its first param that names a seed; -1 where it has none."""
    named = [key for key in map(str, params) if is_seed(key)] if schema.SEED not in tags else []
    column = (
        tags[schema.SEED] if schema.SEED in tags else params[named[0]] if named else pd.Series([None] * len(params))
    )
    return [int(value) for value in pd.to_numeric(column, errors="coerce").fillna(-1)]


def _values(texts: pd.DataFrame, ours: Sequence[bool]) -> pd.DataFrame:
    """The params as the values that their texts stand for; those that are named like a column get another name."""
    keys = [str(key) for key in texts]
    names = dict(zip(keys, _free_names(keys), strict=True))
    columns = {names[key]: pd.Series(values_of(key, texts[key].tolist(), ours), dtype=object) for key in keys}
    return pd.DataFrame(columns, index=range(len(texts)))


def _free_names(keys: Sequence[str]) -> list[str]:
    """Names of params that no column of the runs has: XGBoost's `objective` becomes `param objective`."""
    taken = {*keys} | TAKEN
    names = []
    for key in keys:
        name = key
        while name in TAKEN or (name != key and name in taken):
            name = f"param {name}"
        names.append(name)
    return names


def _differs(key: str, params: pd.DataFrame) -> bool:
    """Whether runs with these params differ in one that is no seed."""
    return not is_seed(key) and len(set(identities(params[key].tolist()))) > 1


def _only_value(values: Sequence[str]) -> str:
    """The one value that occurs; empty if there are several or none."""
    different = {value for value in values if value}
    return different.pop() if len(different) == 1 else ""


class _Tags:
    """The tags of runs, one row per run."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def text(self, name: str, missing: str = "") -> pd.Series[Any]:
        if name in self.frame:
            return self.frame[name].fillna(missing).astype(str)
        return pd.Series([missing] * len(self.frame), dtype=str)

    def whole(self, name: str) -> pd.Series[Any]:
        """A whole number; -1 where there is none."""
        return pd.to_numeric(self.text(name, "-1"), errors="coerce").fillna(-1).astype(int)


def _outcomes(runs: pd.DataFrame, tags: _Tags) -> pd.Series[Any]:
    """What became of each run: by its tag; else MLflow's status, but a run of Sweepboard without one still runs."""
    status = runs["status"].map(_STATUS).fillna(RUNNING).astype(str)
    untagged = status.where(tags.text(schema.KIND) != schema.RUN_KIND, RUNNING)
    return tags.text(schema.OUTCOME).where(tags.text(schema.OUTCOME) != "", untagged)


def _trials(tags: _Tags, parents: pd.Series[Any], groups: pd.Series[Any]) -> list[int]:
    """The number of each run's trial; that of its group where some have no trial, or trials are of several sweeps."""
    trials = tags.whole(schema.TRIAL).tolist()
    if min(trials, default=0) < 0 or parents.nunique() > 1:
        return [int(place) for place in pd.factorize(groups)[0]]
    return [int(trial) for trial in trials]


def _goal(sweeps: Sequence[Mapping[Any, Any]], parents: set[str]) -> tuple[str, str]:
    """The metric and the direction by which all these sweeps rank; no metric if they differ or one is unknown."""
    goals = {(row["metric"], row["direction"]) for row in sweeps}
    if len(goals) == 1 and parents <= {row["sweep"] for row in sweeps}:
        return goals.pop()
    return "", schema.MINIMIZE


def _searched(sweeps: Sequence[Mapping[Any, Any]], params: pd.DataFrame) -> list[str]:
    """The keys that these sweeps search and in which the runs differ."""
    searched = dict.fromkeys(key for row in sweeps for key in row["searched"])
    differing = [key for key in searched if key in params and _differs(key, params)]
    # The name of a choice leads: "adam, lr 0.01".
    return sorted(differing, key=lambda key: not key.endswith(".name"))


def comparison(
    runs: pd.DataFrame, params: pd.DataFrame, tags: pd.DataFrame, metrics: pd.DataFrame, sweeps: pd.DataFrame
) -> Comparison:
    """Runs of any store, ready to be compared, without those that only hold others: sweeps and what sums up children.

    Args:
        runs: run_id, name, experiment_id, status, start_time, end_time, parent.
        params: In long form: run_id, key, value.
        tags: In long form: run_id, key, value.
        metrics: The last values in long form: run_id, key, value.
        sweeps: One row per sweep: sweep, name, metric, direction, searched.
    """
    ids = list(runs["run_id"])
    wide_tags = _wide(tags, ids)
    kind = wide_tags[schema.KIND] if schema.KIND in wide_tags else pd.Series([None] * len(ids))
    keep = (kind != schema.SWEEP_KIND).to_numpy(dtype=bool)
    runs, wide_tags = runs[keep].reset_index(drop=True), wide_tags[keep].reset_index(drop=True)
    ids, parents = list(runs["run_id"]), runs["parent"].fillna("").astype(str).tolist()
    ours = (_Tags(wide_tags).text(schema.KIND) == schema.RUN_KIND).tolist()
    values, last = _values(_wide(params[params["run_id"].isin(ids)], ids), ours), _wide(metrics, ids)
    sums = np.array(summaries(ids, parents, values, last), dtype=bool)
    runs, wide_tags, values, last = (frame[~sums].reset_index(drop=True) for frame in (runs, wide_tags, values, last))

    tagged = _Tags(wide_tags)
    parent = runs["parent"].fillna("").astype(str) if len(runs) else pd.Series([], dtype=str)
    group = pd.Series(group_names(values, tagged.text(schema.GROUP).tolist(), parent.tolist()), dtype=str)
    objective = last[schema.OBJECTIVE].tolist() if schema.OBJECTIVE in last else [math.nan] * len(runs)
    frame = pd.DataFrame(
        {
            "run_id": runs["run_id"].astype(str),
            "name": runs["name"].fillna("").astype(str),
            "experiment_id": runs["experiment_id"].astype(str),
            "parent": parent,
            "trial": _trials(tagged, parent, group),
            "seed": pd.Series(_seeds(wide_tags, values), dtype=int),
            "seed_data": tagged.whole(schema.SEED_DATA),
            "seed_init": tagged.whole(schema.SEED_INIT),
            "group": group,
            "phase": tagged.text(schema.PHASE),
            "outcome": _outcomes(runs, tagged),
            "counts": tagged.text(schema.SUPERSEDED_BY) == "",
            "start_time": runs["start_time"],
            "end_time": runs["end_time"],
            "objective": pd.Series(objective, dtype=float),
        }
    )
    rows = sweeps[sweeps["sweep"].isin(set(parent))].to_dict("records") if len(sweeps) else []
    metric, direction = _goal(rows, set(parent))
    return Comparison(
        frame,
        values,
        last,
        objective=metric,
        direction=direction,
        searched=_searched(rows, values),
        logged=frozenset(zip(metrics["run_id"], metrics["key"], strict=True)),
        commit=_only_value(tagged.text(schema.COMMIT).tolist()),
        left_out=int(sums.sum()),
    )


def _distinct(groups: Sequence[Group], names: Mapping[str, str]) -> list[Group]:
    """The groups with labels that differ, since the user chooses groups by their labels."""
    counts: Counter[str] = Counter()
    labelled = []
    for group in groups:
        label = names[group.group]
        counts[label] += 1
        labelled.append(replace(group, label=label if counts[label] == 1 else f"{label} ({counts[label]})"))
    return labelled


def groups_of(
    comparison: Comparison,
    metric: str,
    direction: str,
    *,
    single: bool = False,
    sweeps: Mapping[str, str] | None = None,
) -> tuple[list[Group], pd.DataFrame]:
    """The groups, best first, with labels that tell them apart; and the runs, with the metric as their objective.

    Args:
        comparison: The runs that are compared.
        metric: The metric that they are judged by.
        direction: "minimize" or "maximize".
        single: Whether each run is a separate group.
        sweeps: The name of each sweep, for groups that nothing else tells apart.
    """
    runs = comparison.judged_by(metric)
    keys, named = comparison.named_by, dict(sweeps or {})
    if single:
        runs = runs.assign(group=runs["run_id"], trial=range(len(runs)))
    first = runs.drop_duplicates("group").set_index("group")
    fresh = first["phase"].eq(schema.CONFIRM_PHASE) if "phase" in first else pd.Series(False, index=first.index)
    groups = ranking(runs, keys, direction)
    alike = Counter((group.label, fresh[group.group]) for group in groups)
    names: dict[str, str] = {}
    for group in groups:
        row: dict[Any, Any] = first.loc[group.group].to_dict()
        label, sweep = group.label, named.get(row["parent"], "")
        if single:
            # Runs of one configuration are known by their names, others by what they vary.
            seed = f", seed {row['seed']}" if row["seed"] >= 0 else ""
            label = f"{label}{seed}" if keys else str(row["name"]) or group.group[:8]
        elif sweep and len(groups) > 1 and label == labels.ONLY:
            label = sweep
        elif sweep and alike[label, fresh[group.group]] > 1:
            label = f"{label}, {sweep}"
        names[group.group] = f"{label} (confirmed)" if fresh[group.group] else label
    return _distinct(sorted(groups, key=lambda group: (group.rank is None, group.rank or 0)), names), runs
