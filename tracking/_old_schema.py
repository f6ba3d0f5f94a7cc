"""Reading what an older MLflow wrote: the tables and columns that a store lacks are stood in for, never added."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from tracking._sqlite import query, query_all

_LATEST = """(SELECT run_uuid, key, value, timestamp, step, is_nan FROM (
    SELECT run_uuid, key, value, timestamp, step, is_nan, row_number() OVER (
        PARTITION BY run_uuid, key ORDER BY step DESC, timestamp DESC, value DESC) AS place
    FROM {metrics}) WHERE place = 1)"""


@dataclass(frozen=True)
class Sources:
    """What to name in a FROM clause for the tables as they are today."""

    runs: str = "runs"
    metrics: str = "metrics"
    latest: str = "latest_metrics"
    experiment_tags: str = "experiment_tags"


def _with(name: str, there: set[str], missing: dict[str, str]) -> str:
    lacks = {column: value for column, value in missing.items() if column not in there}
    if not lacks:
        return name
    more = ", ".join(f"{value} AS {column}" for column, value in lacks.items())
    return f"(SELECT *, {more} FROM {name})"


def sources(path: Path) -> Sources:
    """What to read instead of tables that this store has not got, or not whole.

    MLflow added runs.lifecycle_stage, metrics.step, metrics.is_nan, latest_metrics and experiment_tags one by one.
    """
    tables = {str(name) for (name,) in query(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"runs", "metrics"} <= tables:
        return Sources()
    runs, metrics, latest = (
        {str(row[1]) for row in rows}
        for rows in query_all(
            path, [(f"PRAGMA table_info({name})", ()) for name in ("runs", "metrics", "latest_metrics")]
        )
    )
    metrics_source = _with("metrics", metrics, {"step": "0", "is_nan": "0"})
    return Sources(
        runs=_with("runs", runs, {"lifecycle_stage": "'active'", "name": "''", "artifact_uri": "''"}),
        metrics=metrics_source,
        latest=_with("latest_metrics", latest, {"step": "0", "is_nan": "0"})
        if "latest_metrics" in tables
        else _LATEST.format(metrics=metrics_source),
        experiment_tags="experiment_tags"
        if "experiment_tags" in tables
        else "(SELECT NULL AS experiment_id, NULL AS key, NULL AS value WHERE 0)",
    )


def lacks_something(error: sqlite3.Error) -> bool:
    """Whether a query failed for a table or a column that the store has not got."""
    return "no such table" in str(error) or "no such column" in str(error)
