"""Which runs of an SQLite store changed since the last look, so that a reader of many runs reads only those again.

SQLite keeps no journal of changes, but they can be found cheaply and surely, by how MLflow writes each table:

- runs and tags are edited in place: all of them are looked at each time (runs row by row, tags by one hash per run);
- params and metrics are only ever added to: what was inserted lies above the highest rowid of the last look. SQLite
  gives a new row the highest rowid plus one, so this holds while the row at the mark is the same as then; if it is not
  (`mlflow gc`, VACUUM, another file), everything counts as changed;
- the latest value of a metric changes only together with an insertion into the metrics.

The marks are taken before anything is read: what is written meanwhile is found by the next look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracking._sqlite import Row
from tracking.frames import RUNS, ChangedRuns, Look, table

GROWING = {"params": "*", "metrics": "*", "latest_metrics": "run_uuid, key"}
"""Table -> the columns that tell its highest row apart; the values of the latest metrics are written over."""


def statements(runs: tuple[str, list[Any]], tags: tuple[str, list[Any]], last: Look | None) -> list[tuple[str, Any]]:
    """The SQL statements whose answers `changed_runs` compares with the last look, each with its arguments.

    Args:
        runs: The query of the runs and its arguments.
        tags: The query of their tags (run, key, value) and its arguments.
        last: What the store held at the last look; None at the first one.
    """
    highest: list[tuple[str, Any]] = [
        (f"SELECT rowid, {columns} FROM {name} ORDER BY rowid DESC LIMIT 1", ()) for name, columns in GROWING.items()
    ]
    since: list[tuple[str, Any]] = []
    if last is not None:
        for name, columns in GROWING.items():
            mark = last.marks[name]
            rowid = [0 if mark is None else mark[0]]
            since.append((f"SELECT rowid, {columns} FROM {name} WHERE rowid = ?", rowid))
            since.append((f"SELECT DISTINCT run_uuid FROM {name} WHERE rowid > ?", rowid))
    return [*highest, *since, runs, tags]


def changed_runs(answers: Sequence[list[Row]], last: Look | None) -> ChangedRuns:
    """The runs now, and which of them changed since the last look, by the answers to `statements`."""
    *growing, runs, tags = answers
    highest, since = growing[: len(GROWING)], growing[len(GROWING) :]
    hashes: dict[str, int] = {}
    for run, key, value in tags:
        hashes[run] = hashes.get(run, 0) ^ hash((key, value))
    rows = {str(row[0]): row for row in runs}
    marks = {name: answer[0] if answer else None for name, answer in zip(GROWING, highest, strict=True)}
    look, frame = Look(rows, hashes, marks), table(runs, RUNS)
    if last is None:
        return ChangedRuns(look, frame, None)
    changed: set[str] = set()
    for place, name in enumerate(GROWING):
        at_mark, inserted = since[2 * place], since[2 * place + 1]
        mark = last.marks[name]
        if mark is not None and (not at_mark or at_mark[0] != mark):
            return ChangedRuns(look, frame, None)
        changed.update(str(run) for (run,) in inserted)
    changed.update(run for run, row in rows.items() if last.runs.get(run) != row)
    changed.update(run for run in rows if last.tags.get(run) != hashes.get(run))
    return ChangedRuns(look, frame, frozenset(changed & rows.keys()))
