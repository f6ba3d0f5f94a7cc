"""Reading a store of an older MLflow: subqueries stand in for the tables and columns that it lacks."""

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
    """What to name in a FROM clause to read the tables as MLflow has them today."""

    runs: str = "runs"
    metrics: str = "metrics"
    latest: str = "latest_metrics"
    experiment_tags: str = "experiment_tags"


def _completed(table: str, columns: set[str], defaults: dict[str, str]) -> str:
    """What to read instead of a table that has only these columns: those of `defaults` that it lacks are added."""
    added = ", ".join(f"{value} AS {column}" for column, value in defaults.items() if column not in columns)
    return f"(SELECT *, {added} FROM {table})" if added else table


def sources(path: Path) -> Sources:
    """What to read instead of the tables that this store lacks, or whose columns are not all there.

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
    metrics_source = _completed("metrics", metrics, {"step": "0", "is_nan": "0"})
    return Sources(
        runs=_completed("runs", runs, {"lifecycle_stage": "'active'", "name": "''", "artifact_uri": "''"}),
        metrics=metrics_source,
        latest=_completed("latest_metrics", latest, {"step": "0", "is_nan": "0"})
        if "latest_metrics" in tables
        else _LATEST.format(metrics=metrics_source),
        experiment_tags="experiment_tags"
        if "experiment_tags" in tables
        else "(SELECT NULL AS experiment_id, NULL AS key, NULL AS value WHERE 0)",
    )


def lacks_something(error: sqlite3.Error) -> bool:
    """Whether a query failed because the store lacks a table or a column."""
    return "no such table" in str(error) or "no such column" in str(error)
