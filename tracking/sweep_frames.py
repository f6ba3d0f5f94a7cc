"""Sweeps as frames: the progress and the best group of each, the runs of one, its events and commands.

Works on the frames of any reader, with a few passes over the store however many sweeps there are.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from tracking import schema
from tracking.configurations import parse_value, values_of
from tracking.frames import TEXT, VALUES, Keys, Reader, Records, Selection, table
from tracking.labels import label
from tracking.legible import legible
from tracking.order import order_key
from tracking.schema import Outcome

RUNNING = "running"
"""The outcome in these frames of a run that has not ended."""
_SEED_IN_NAME = re.compile(r"\s*·\s*seed \S+$")
_OUTCOMES = [outcome.value for outcome in Outcome]
_CHILD_TAGS = (schema.KIND, schema.SUPERSEDED_BY, schema.OUTCOME, schema.GROUP, schema.PHASE)
SWEEPS: dict[str, Any] = {
    "sweep": TEXT,
    "name": TEXT,
    "experiment_id": TEXT,
    "experiment": TEXT,
    "state": TEXT,
    "question": TEXT,
    "created": "int64",
    "trials": "int64",
    "seeds": "int64",
    "planned": "int64",
    "estimated": "float64",
    "metric": TEXT,
    "direction": TEXT,
    "searched": object,
    "owner": TEXT,
    "lease": TEXT,
    **dict.fromkeys(_OUTCOMES, "int64"),
    RUNNING: "int64",
    "done": "int64",
    "best": "float64",
    "best_group": TEXT,
    "best_name": TEXT,
}
_TAGS_OF_SWEEPS = {
    "state": schema.STATE,
    "question": schema.NOTE,
    "trials": schema.TRIALS,
    "seeds": schema.SEEDS,
    "planned": schema.PLANNED,
    "estimated": schema.ESTIMATED,
    "metric": schema.METRIC,
    "direction": schema.DIRECTION,
    "searched": schema.SEARCHED,
    "owner": schema.OWNER,
    "lease": schema.LEASE,
}
EVENTS: dict[str, Any] = {"at": "int64", "text": TEXT, "run": TEXT}


def _tags(records: Records, tag: str, missing: str = "") -> pd.Series[Any]:
    """The value of a tag for each run, in the order of the runs."""
    part = records.tags[records.tags["key"] == tag]
    values = pd.Series(part["value"].array, index=part["run_id"].array, dtype=TEXT)
    return values.reindex(records.runs["run_id"].array).fillna(missing).reset_index(drop=True)


def _objectives(records: Records) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The objective of each run, in the order of the runs; nan while there is none."""
    metrics = records.metrics  # of these records the objective is the only metric
    values = pd.Series(metrics["value"].array, index=metrics["run_id"].array, dtype="float64")
    return values.reindex(records.runs["run_id"].array).to_numpy(dtype="float64")


def _whole(values: pd.Series[Any], missing: int = 0) -> pd.Series[Any]:
    return pd.to_numeric(values, errors="coerce").fillna(missing).astype("int64")


def _names(text: str) -> list[str]:
    """The texts of a JSON list; none where it is no such list."""
    try:
        names = json.loads(text)
    except ValueError:
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def _children(reader: Reader, selection: Selection) -> pd.DataFrame:
    """One row per run of a sweep, in the order of the reader, with the columns that count and rank runs."""
    records = reader.records(selection, Keys((), _CHILD_TAGS, (schema.OBJECTIVE,)))
    frame = records.runs.assign(
        group=_tags(records, schema.GROUP),
        phase=_tags(records, schema.PHASE),
        outcome=_tags(records, schema.OUTCOME).replace("", RUNNING),
        counts=_tags(records, schema.SUPERSEDED_BY) == "",
        objective=_objectives(records),
    )
    return frame[_tags(records, schema.KIND) == schema.RUN_KIND]


def _best(runs: pd.DataFrame, maximize: pd.Series[Any]) -> pd.DataFrame:
    """The best group of each sweep, one row per sweep, by the order of `tracking.order`.

    A sweep with confirm runs is judged by these alone: its search runs chose them.
    """
    confirms = (runs["phase"] == schema.CONFIRM_PHASE) & (runs["outcome"] == Outcome.OK.value)
    confirmed = runs["parent"].isin(runs.loc[confirms, "parent"])
    runs = runs[~confirmed | (runs["phase"] == schema.CONFIRM_PHASE)]
    ended = runs[runs["outcome"].isin([Outcome.OK.value, Outcome.DIVERGED.value]) & (runs["group"] != "")]
    good = (ended["outcome"] == Outcome.OK.value) & np.isfinite(ended["objective"])
    results = pd.DataFrame(
        {
            "parent": ended["parent"],
            "group": ended["group"],
            "finite": good.astype("int64"),
            "judged": 1,
            "objective": ended["objective"].where(good),
            "name": ended["name"].where(good),
            "run": ended["run_id"].where(good),
        }
    )
    groups = results.groupby(["parent", "group"], sort=False, as_index=False).agg(
        {"finite": "sum", "judged": "sum", "objective": "mean", "name": "first", "run": "first"}
    )
    groups = groups[groups["objective"].notna()]
    sign = groups["parent"].map(maximize).fillna(False).map({True: -1.0, False: 1.0}).astype("float64")
    several = groups["parent"].map((groups["judged"] > 1).groupby(groups["parent"]).any()).astype(bool)
    columns = (groups["finite"], groups["judged"], groups["objective"] * sign, several)
    keys = [(*order_key(*row), group) for *row, group in zip(*columns, groups["group"], strict=True)]
    groups = groups.iloc[sorted(range(len(groups)), key=keys.__getitem__)]
    return groups.drop_duplicates("parent").set_index("parent")


def _best_names(reader: Reader, best: pd.DataFrame, searched: Iterable[list[str]]) -> list[str]:
    """The labels of the best groups, by the keys that their sweeps search; empty for a sweep without such a group.

    Args:
        reader: The store.
        best: From `_best`, one row per sweep.
        searched: The keys that each of these sweeps searches.
    """
    keys_of_sweeps = list(searched)
    all_keys = sorted({key for keys in keys_of_sweeps for key in keys})
    params = reader.params(best["run"].dropna(), all_keys) if all_keys else table((), VALUES)
    texts = {(run, key): value for run, key, value in params.itertuples(index=False)}
    names = []
    for run, name, keys in zip(best["run"], best["name"].fillna(""), keys_of_sweeps, strict=True):
        values = {key: values_of(key, [texts.get((run, key))], [True])[0] for key in keys}
        names.append(label(values) if name and keys else _SEED_IN_NAME.sub("", name))
    return names


def sweeps(reader: Reader) -> pd.DataFrame:
    """One row per sweep, newest first.

    Columns: sweep (its id), name, experiment_id, experiment, state, question, created (ms), trials, seeds, planned
    (runs), estimated (seconds from the first run's start to the last one's end, nan if unknown), metric, direction,
    searched (list of dotted keys), owner, lease; how many runs that count are ok, diverged, pruned, stopped, crashed,
    running, and done (all but running); best (the mean objective of the best group's ok runs, or nan), best_group,
    best_name. Groups rank by their share of diverged runs, then by that mean.
    """
    parents = reader.records(
        Selection(tag=(schema.KIND, schema.SWEEP_KIND)), Keys((), tuple(_TAGS_OF_SWEEPS.values()), ())
    )
    if parents.runs.empty:
        return table((), SWEEPS)
    frame = parents.runs.rename(columns={"run_id": "sweep", "start_time": "created"})
    frame = frame.assign(**{column: _tags(parents, tag) for column, tag in _TAGS_OF_SWEEPS.items()})
    for column in ("trials", "seeds", "planned"):
        frame[column] = _whole(frame[column])
    frame["estimated"] = pd.to_numeric(frame["estimated"], errors="coerce")
    experiments = reader.experiments().set_index("experiment_id")["name"]
    frame["experiment"] = frame["experiment_id"].map(experiments).astype(TEXT)
    frame["searched"] = pd.Series([_names(text) for text in frame["searched"]], dtype=object)

    runs = _children(reader, Selection(tag=(schema.KIND, schema.RUN_KIND)))
    runs = runs[runs["counts"] & runs["parent"].isin(frame["sweep"])]
    counts = pd.crosstab(runs["parent"], runs["outcome"]).reindex(
        index=frame["sweep"].array, columns=[*_OUTCOMES, RUNNING], fill_value=0
    )
    for column in (*_OUTCOMES, RUNNING):
        frame[column] = counts[column].to_numpy(dtype="int64")
    frame["done"] = frame[_OUTCOMES].sum(axis=1)
    maximize = pd.Series((frame["direction"] == schema.MAXIMIZE).to_numpy(), index=frame["sweep"].array)
    best = _best(runs, maximize).reindex(frame["sweep"].array)
    frame["best"] = best["objective"].to_numpy(dtype="float64")
    frame["best_group"] = best["group"].fillna("").array
    frame["best_name"] = _best_names(reader, best, frame["searched"])
    frame = frame.sort_values(["created", "sweep"], ascending=[False, True], ignore_index=True)
    return frame[list(SWEEPS)].astype(SWEEPS)


def _parsed(values: pd.Series[Any]) -> pd.Series[Any]:
    parsed = [None if isinstance(value, float) and math.isnan(value) else parse_value(value) for value in values]
    kinds = {type(value) for value in parsed}
    if kinds and kinds <= {int, float}:
        return pd.Series(parsed, index=values.index, dtype="int64" if kinds == {int} else "float64")
    return pd.Series(parsed, index=values.index, dtype=object)


def sweep_runs(reader: Reader, sweep: str) -> pd.DataFrame:
    """One row per run of a sweep, superseded ones included, by start.

    Columns: run_id, name, status, trial, seed and seed_data (-1 if unknown), group, phase, outcome ("running" while
    there is none), counts, start_time, end_time (ms), objective (nan while there is none), error, and one column for
    each searched key, named like it, that holds the Python values (None where a run has no such param).
    """
    parent = reader.tags([sweep], keys=[schema.SEARCHED])
    searched = _names(str(parent["value"].iloc[0])) if len(parent) else []
    tags = (schema.TRIAL, schema.SEED, schema.SEED_DATA, schema.ERROR, *_CHILD_TAGS)
    records = reader.records(Selection(sweep=sweep), Keys(searched, tags, (schema.OBJECTIVE,)))
    runs = records.runs
    frame = pd.DataFrame(
        {
            "run_id": runs["run_id"],
            "name": runs["name"],
            "status": runs["status"],
            "trial": _whole(_tags(records, schema.TRIAL), -1),
            "seed": _whole(_tags(records, schema.SEED), -1),
            "seed_data": _whole(_tags(records, schema.SEED_DATA), -1),
            "group": _tags(records, schema.GROUP),
            "phase": _tags(records, schema.PHASE),
            "outcome": _tags(records, schema.OUTCOME).replace("", RUNNING),
            "counts": _tags(records, schema.SUPERSEDED_BY) == "",
            "start_time": runs["start_time"],
            "end_time": runs["end_time"],
            "objective": _objectives(records),
            "error": _tags(records, schema.ERROR),
        }
    )
    frame = frame[_tags(records, schema.KIND) == schema.RUN_KIND].reset_index(drop=True)
    for key in searched:
        part = records.params[records.params["key"] == key]
        values = pd.Series(part["value"].array, index=part["run_id"].array, dtype=TEXT)
        frame[key] = _parsed(values.reindex(frame["run_id"].array).reset_index(drop=True))
    return frame


def _with_prefix(reader: Reader, sweep: str, prefix: str) -> list[tuple[str, dict[str, Any]]]:
    """The tags with this prefix whose values are JSON objects: (key without prefix, object), by key."""
    tags = reader.tags([sweep])
    pairs = []
    for key, value in zip(tags["key"], tags["value"], strict=True):
        if key.startswith(prefix):
            try:
                content = json.loads(value)
            except ValueError:
                continue
            if isinstance(content, dict):
                pairs.append((key.removeprefix(prefix), content))
    return pairs


def events(reader: Reader, sweep: str) -> pd.DataFrame:
    """The events of a sweep, [at (ms), text, run (missing if it is about none)], newest first."""
    rows = []
    for _, event in _with_prefix(reader, sweep, schema.EVENT):
        at = event.get("at")
        if isinstance(at, (int, float)) and not isinstance(at, bool):
            rows.append((int(at), legible(str(event.get("text", ""))), event.get("run")))
    return table(sorted(reversed(rows), key=lambda row: -row[0]), EVENTS)


def commands(reader: Reader, sweep: str) -> dict[str, dict[str, Any]]:
    """The commands recorded with a sweep: uuid -> command."""
    return dict(_with_prefix(reader, sweep, schema.COMMAND))
