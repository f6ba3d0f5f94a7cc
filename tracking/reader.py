"""Reading sweeps and runs: `open_reader(uri)` gives the reader of a store, and its methods return frames.

An SQLite store is read with SQL, without importing mlflow (seconds) and many times faster than through its API; every
other store through MlflowClient. Both readers return identical frames.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd

from tracking import artifacts
from tracking._changed_runs import changed_runs, statements
from tracking._old_schema import Sources, lacks_something, sources
from tracking._sqlite import Row, query_all
from tracking.client_reader import ClientReader
from tracking.frames import (
    EXPERIMENTS,
    HISTORIES,
    METRICS,
    RUNS,
    ChangedRuns,
    Keys,
    Look,
    Reader,
    Records,
    Selection,
    table,
    values_table,
)
from tracking.schema import PARENT, RUN_NAME, mask
from tracking.store import StoreError, explain, sqlite_path, sqlite_uri
from tracking.sweep_frames import commands, events, sweep_runs, sweeps

__all__ = [
    "ClientReader",
    "Reader",
    "SqliteReader",
    "commands",
    "events",
    "open_reader",
    "sweep_runs",
    "sweeps",
]

_TAG = "(SELECT value FROM tags WHERE key = '{}' AND run_uuid = r.run_uuid)"
_RUNS = f"""
SELECT r.run_uuid, coalesce(nullif(r.name, ''), {_TAG.format(RUN_NAME)}), CAST(r.experiment_id AS TEXT), r.status,
       coalesce(r.start_time, 0), r.end_time, r.lifecycle_stage, coalesce(r.artifact_uri, ''), {_TAG.format(PARENT)}
FROM {{}} r WHERE {{}} ORDER BY 5, 1"""
# One bound text instead of a list of any length: SQLite admits only so many variables.
_AMONG = "IN (SELECT value FROM json_each(?))"
_FRESH_NS = 50_000_000


def _condition(selection: Selection) -> tuple[str, list[Any]]:
    terms, arguments = ["1"], []
    if not selection.deleted:
        terms.append("r.lifecycle_stage = 'active'")
    if selection.experiment_ids is not None:
        terms.append(f"CAST(r.experiment_id AS TEXT) {_AMONG}")
        arguments.append(json.dumps(selection.experiment_ids))
    if selection.run_ids is not None:
        terms.append(f"r.run_uuid {_AMONG}")
        arguments.append(json.dumps(selection.run_ids))
    tagged = [] if selection.tag is None else [selection.tag]
    tagged += [] if selection.sweep is None else [(PARENT, selection.sweep)]
    for key, value in tagged:
        terms.append("r.run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)")
        arguments += [key, value]
    return " AND ".join(terms), arguments


class SqliteReader(Reader):
    """Reads MLflow's tables in an SQLite file, read-only.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.uri = sqlite_uri(path)
        self._sources = Sources()

    def version(self) -> str:
        # The file itself must not be opened here: closing it would drop the locks that SQLite holds in this process.
        parts = []
        for suffix in ("", "-journal", "-wal"):
            try:
                status = Path(f"{self.path}{suffix}").stat()
            except OSError:
                continue
            # File times tick every few ms: a file that was just written may be written again within the same tick.
            fresh = "~" if time.time_ns() - status.st_mtime_ns < _FRESH_NS else ""
            parts.append(f"{suffix}{status.st_mtime_ns}:{status.st_size}{fresh}")
        return " ".join(parts)

    def experiments(self) -> pd.DataFrame:
        sql = "SELECT CAST(experiment_id AS TEXT), name, lifecycle_stage FROM experiments ORDER BY experiment_id"
        return table(self._query(lambda: [(sql, ())])[0], EXPERIMENTS)

    def experiment_tags(self, experiment_id: str) -> dict[str, str]:
        def statements() -> list[tuple[str, Sequence[Any]]]:
            source = self._sources.experiment_tags
            sql = f"SELECT key, coalesce(value, '') FROM {source} WHERE CAST(experiment_id AS TEXT) = ?"
            return [(sql, [experiment_id])]

        return {str(key): mask(str(key), str(value)) for key, value in self._query(statements)[0]}

    def records(self, selection: Selection, keys: Keys = Keys()) -> Records:  # noqa: B008
        condition, arguments = _condition(selection)

        def part(columns: str, source: str, some_keys: Sequence[str] | None) -> tuple[str, list[Any]]:
            among = f"run_uuid IN (SELECT r.run_uuid FROM {self._sources.runs} r WHERE {condition})"
            sql = f"SELECT run_uuid, key, {columns} FROM {source} WHERE {among}"
            if some_keys is None:
                return sql, arguments
            return f"{sql} AND key {_AMONG}", [*arguments, json.dumps(list(some_keys))]

        runs, params, tags, metrics = self._query(
            lambda: [
                (_RUNS.format(self._sources.runs, condition), arguments),
                part("value", "params", keys.params),
                part("coalesce(value, '')", "tags", keys.tags),
                part("CASE WHEN is_nan THEN NULL ELSE value END, step, timestamp", self._sources.latest, keys.metrics),
            ]
        )
        # The store may have grown between two statements.
        run_ids = {row[0] for row in runs}
        return Records(
            table(runs, RUNS),
            values_table(row for row in params if row[0] in run_ids),
            values_table(row for row in tags if row[0] in run_ids),
            table(sorted((row for row in metrics if row[0] in run_ids), key=itemgetter(0, 1)), METRICS),
        )

    def changes(self, selection: Selection, last: Look | None) -> ChangedRuns:
        condition, arguments = _condition(selection)
        runs = _RUNS.format("runs", condition), arguments
        among = f"SELECT r.run_uuid FROM runs r WHERE {condition}"
        tags = f"SELECT run_uuid, key, coalesce(value, '') FROM tags WHERE run_uuid IN ({among})", arguments
        # A store of an older MLflow lacks some of these tables or columns.
        answers = self._query(lambda: statements(runs, tags, last) if self._sources == Sources() else [])
        return changed_runs(answers, last) if answers else super().changes(selection, None)

    def histories(self, run_ids: Iterable[str], keys: Sequence[str] | None = None) -> pd.DataFrame:
        arguments = [json.dumps(list(run_ids))] + ([] if keys is None else [json.dumps(list(keys))])

        def statements() -> list[tuple[str, Sequence[Any]]]:
            sql = f"""SELECT run_uuid, key, step, timestamp, CASE WHEN is_nan THEN NULL ELSE value END
                      FROM {self._sources.metrics}
                      WHERE run_uuid {_AMONG} {"" if keys is None else f"AND key {_AMONG}"}
                      ORDER BY run_uuid, key, step, timestamp, is_nan, value"""
            return [(sql, arguments)]

        return table(self._query(statements)[0], HISTORIES)

    def artifacts(self, run_id: str) -> pd.DataFrame:
        root = artifacts.local_root(self._artifact_uri(run_id))
        if root is None:
            return ClientReader(self.uri).artifacts(run_id)
        return artifacts.files_table(artifacts.listing(root))

    def artifact(self, run_id: str, path: str) -> bytes:
        root = artifacts.local_root(self._artifact_uri(run_id))
        if root is None:
            return ClientReader(self.uri).artifact(run_id, path)
        return artifacts.read(root, path)

    def _artifact_uri(self, run_id: str) -> str:
        sql = "SELECT coalesce(artifact_uri, '') FROM runs WHERE run_uuid = ?"
        rows = self._query(lambda: [(sql, [run_id])])[0]
        if not rows:
            raise StoreError(f"There is no run {run_id} in the store {self.uri}.")
        return str(rows[0][0])

    def _query(self, statements: Callable[[], Sequence[tuple[str, Sequence[Any]]]]) -> list[list[Row]]:
        if not self.path.exists():
            raise StoreError(f"There is no store at {self.path} yet: it is made with the first sweep.")
        try:
            try:
                return query_all(self.path, statements())
            except sqlite3.OperationalError as error:
                # The schema is read only after a failure, so that a store of today does not pay for it.
                if not lacks_something(error) or (present := sources(self.path)) == self._sources:
                    raise
                self._sources = present
                return query_all(self.path, statements())
        except sqlite3.Error as error:
            raise StoreError(explain(error, self.uri)) from error


def open_reader(uri: str) -> Reader:
    """The fastest reader for a tracking URI; nothing is read yet."""
    path = sqlite_path(uri)
    return ClientReader(uri) if path is None else SqliteReader(path)
