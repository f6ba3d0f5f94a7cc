"""Any runs as one frame that can be compared: who belongs to which group, what differs, what the result is.

Our runs carry their group, seed and outcome as tags. A stranger's do not: its runs are grouped by everything but the
seed (`tracking.configurations`), a param that names a seed is its seed, and MLflow's status stands for the outcome.
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
"""What pages and figures call columns of their own beside the params; no param may be called so."""
_STATUS: Final = {"FINISHED": Outcome.OK.value, "FAILED": Outcome.CRASHED.value, "KILLED": Outcome.STOPPED.value}


@dataclass(frozen=True)
class Comparison:
    """Runs to compare, one row each in all three frames, in the same order."""

    runs: pd.DataFrame
    """run_id, name, experiment_id, parent, trial, seed, seed_data and seed_init (-1: unknown), group, phase, outcome,
    counts, start_time, end_time, objective (nan where there is none)."""
    params: pd.DataFrame
    """Dotted key -> Python value (see `tracking.configurations`), None where a run has no such param.

    A param that is called like one of TAKEN has `param ` before its key.
    """
    metrics: pd.DataFrame
    """Metric -> its last value."""
    objective: str
    """The metric that the runs' sweeps rank by; nothing if they have none, or different ones."""
    direction: str
    searched: list[str]
    """The keys that the runs' sweeps search, where they differ among these runs."""
    logged: frozenset[tuple[str, str]] = frozenset()
    """(run, metric) of all that was logged, values that are not finite included."""
    commit: str = ""
    """Of the code that trained them all; nothing if it is unknown or not one."""
    left_out: int = 0
    """Runs that are not compared, since they only sum up their child runs."""

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
        """Group -> what its runs have of the params that differ."""
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
        """What the runs are judged by: the objective itself if `metric` is that of the sweeps, else its last value."""
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
        """The same of these runs alone."""
        keep = self.runs["run_id"].isin(list(run_ids)).to_numpy()
        runs, params = self.runs[keep].reset_index(drop=True), self.params[keep].reset_index(drop=True)
        found = replace(self, runs=runs, params=params, metrics=self.metrics[keep].reset_index(drop=True))
        return replace(found, searched=[key for key in self.searched if key in found.differing])


def shown(value: Any) -> str:
    """A value of a param, as a cell or a tick shows it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _wide(long: pd.DataFrame, run_ids: Sequence[str]) -> pd.DataFrame:
    """One column a key, one row a run, in their order."""
    if not len(long):
        return pd.DataFrame(index=range(len(run_ids)))
    cells = long.drop_duplicates(["run_id", "key"], keep="last").pivot(index="run_id", columns="key", values="value")
    return cells.reindex(list(run_ids)).reset_index(drop=True).rename_axis(columns=None)


def _seeds(tags: pd.DataFrame, params: pd.DataFrame) -> list[int]:
    named = [key for key in map(str, params) if is_seed(key)] if schema.SEED not in tags else []
    column = (
        tags[schema.SEED] if schema.SEED in tags else params[named[0]] if named else pd.Series([None] * len(params))
    )
    return [int(value) for value in pd.to_numeric(column, errors="coerce").fillna(-1)]


def _values(texts: pd.DataFrame, ours: Sequence[bool]) -> pd.DataFrame:
    """The params as what their texts stand for; one that is called like a column of the runs gets another name."""
    keys = [str(key) for key in texts]
    names = dict(zip(keys, _free_names(keys), strict=True))
    columns = {
        names[key]: pd.Series(values_of(key, texts[key].tolist(), ours), dtype=object) for key in keys
    }  # fmt: skip
    return pd.DataFrame(columns, index=range(len(texts)))


def _free_names(keys: Sequence[str]) -> list[str]:
    """The names of params beside the columns of runs: XGBoost's `objective` is `param objective`."""
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


def _one(values: Sequence[str]) -> str:
    known = sorted({value for value in values if value})
    return known[0] if len(known) == 1 else ""


def comparison(
    runs: pd.DataFrame, params: pd.DataFrame, tags: pd.DataFrame, metrics: pd.DataFrame, sweeps: pd.DataFrame
) -> Comparison:
    """Runs of any store, ready to be compared, without those that only hold others: sweeps and what sums up children.

    Args:
        runs: run_id, name, experiment_id, status, start_time, end_time, parent.
        params: Long: run_id, key, value.
        tags: The same.
        metrics: The same, of the last values.
        sweeps: One row a sweep: sweep, name, metric, direction, searched.
    """
    ids = list(runs["run_id"])
    own = _wide(tags, ids)
    kind = own[schema.KIND] if schema.KIND in own else pd.Series([None] * len(ids))
    keep = (kind != schema.SWEEP_KIND).to_numpy(dtype=bool)
    runs, own = runs[keep].reset_index(drop=True), own[keep].reset_index(drop=True)
    ids, parents = list(runs["run_id"]), runs["parent"].fillna("").astype(str).tolist()
    ours = (own[schema.KIND] == schema.RUN_KIND if schema.KIND in own else pd.Series(False, index=own.index)).tolist()
    values, last = _values(_wide(params[params["run_id"].isin(ids)], ids), ours), _wide(metrics, ids)
    sums = np.array(summaries(ids, parents, values, last), dtype=bool)
    runs, own, values, last = (frame[~sums].reset_index(drop=True) for frame in (runs, own, values, last))
    ids = list(runs["run_id"])

    def tag(name: str, missing: str = "") -> pd.Series[Any]:
        return own[name].fillna(missing).astype(str) if name in own else pd.Series([missing] * len(ids), dtype=str)

    def whole(name: str) -> pd.Series[Any]:
        return pd.to_numeric(tag(name, "-1"), errors="coerce").fillna(-1).astype(int)

    status = runs["status"].map(_STATUS).fillna(RUNNING).astype(str)
    outcome = tag(schema.OUTCOME).where(
        tag(schema.OUTCOME) != "", status.where(tag(schema.KIND) != schema.RUN_KIND, RUNNING)
    )
    parent = runs["parent"].fillna("").astype(str) if len(runs) else pd.Series([], dtype=str)
    group = pd.Series(group_names(values, tag(schema.GROUP).tolist(), parent.tolist()), dtype=str)
    trials = [int(value) for value in pd.to_numeric(tag(schema.TRIAL, "-1"), errors="coerce").fillna(-1)]
    if min(trials, default=0) < 0 or parent.nunique() > 1:
        trials = [int(place) for place in pd.factorize(group)[0]]
    missing = [math.nan] * len(ids)
    logged = frozenset(zip(metrics["run_id"], metrics["key"], strict=True))
    objective = last[schema.OBJECTIVE].tolist() if schema.OBJECTIVE in last else missing
    frame = pd.DataFrame(
        {
            "run_id": runs["run_id"].astype(str), "name": runs["name"].fillna("").astype(str),
            "experiment_id": runs["experiment_id"].astype(str), "parent": parent, "trial": trials,
            "seed": pd.Series(_seeds(own, values), dtype=int), "seed_data": whole(schema.SEED_DATA),
            "seed_init": whole(schema.SEED_INIT), "group": group, "phase": tag(schema.PHASE),
            "outcome": outcome, "counts": tag(schema.SUPERSEDED_BY) == "", "start_time": runs["start_time"],
            "end_time": runs["end_time"], "objective": pd.Series(objective, dtype=float),
        }
    )  # fmt: skip
    about = sweeps[sweeps["sweep"].isin(set(parent))] if len(sweeps) else pd.DataFrame()
    goals = {(row["metric"], row["direction"]) for row in about.to_dict("records")}
    known = len(goals) == 1 and set(parent) <= set(about["sweep"])
    metric, direction = next(iter(goals)) if known else ("", schema.MINIMIZE)
    commit, left_out = _one(tag(schema.COMMIT).tolist()), int(sums.sum())
    searched = dict.fromkeys(key for row in about.to_dict("records") for key in row["searched"])
    differing = [key for key in searched if key in values and _differs(key, values)]
    # What a choice is called leads: "adam, lr 0.01".
    ordered = sorted(differing, key=lambda key: not key.endswith(".name"))
    return Comparison(frame, values, last, metric, direction, ordered, logged, commit, left_out)


def _distinct(groups: Sequence[Group], names: Mapping[str, str]) -> list[Group]:
    """The groups with labels that differ, since they are chosen by their labels."""
    seen: dict[str, int] = {}
    found = []
    for group in groups:
        label = names[group.group]
        seen[label] = seen.get(label, 0) + 1
        found.append(replace(group, label=label if seen[label] == 1 else f"{label} ({seen[label]})"))
    return found


def groups_of(
    found: Comparison, metric: str, direction: str, *, single: bool = False, sweeps: Mapping[str, str] | None = None
) -> tuple[list[Group], pd.DataFrame]:
    """The groups, best first, with labels that tell them apart; and the runs, with the metric as their objective.

    Args:
        found: What is compared.
        metric: What they are judged by.
        direction: "minimize" or "maximize".
        single: Each run is a group of its own.
        sweeps: What the sweeps are called, for groups that nothing else tells apart.
    """
    runs = found.judged_by(metric)
    keys, named = found.named_by, dict(sweeps or {})
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
