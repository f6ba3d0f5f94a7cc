"""Which runs changed since one last looked, so that a reader of many runs reads those alone again.

An SQLite store keeps no journal of changes, but it can be told cheaply and surely, by what each table of MLflow's is:

- runs and tags are edited in place: all of them are looked at each time (runs row by row, tags by a hash a run);
- params and metrics are only ever added to: what was inserted lies above the highest rowid that was there. SQLite gives
  a new row the highest rowid plus one, so this holds while the row at the mark is the one that was there; if it is not
  (`mlflow gc`, VACUUM, another file), everything counts as changed;
- the latest value of a metric changes only together with an insertion into the metrics.

The marks are taken before anything is read: what is written meanwhile is found again the next time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracking._sqlite import Row
from tracking.frames import RUNS, Changes, Look, table

GROWING = {"params": "*", "metrics": "*", "latest_metrics": "run_uuid, key"}
"""Table -> what tells its highest row apart; the values of the latest metrics are written over."""


def statements(runs: tuple[str, list[Any]], tags: tuple[str, list[Any]], last: Look | None) -> list[tuple[str, Any]]:
    """What to ask, the marks first.

    Args:
        runs: The query of the runs and its arguments.
        tags: That of their tags: run, key, value.
        last: What was there the last time.
    """
    asked: list[tuple[str, Any]] = [
        (f"SELECT rowid, {columns} FROM {name} ORDER BY rowid DESC LIMIT 1", ()) for name, columns in GROWING.items()
    ]
    if last is not None:
        for name, columns in GROWING.items():
            mark = last.marks[name]
            place = [0 if mark is None else mark[0]]
            asked.append((f"SELECT rowid, {columns} FROM {name} WHERE rowid = ?", place))
            asked.append((f"SELECT DISTINCT run_uuid FROM {name} WHERE rowid > ?", place))
    return [*asked, runs, tags]


def changes(answers: Sequence[list[Row]], last: Look | None) -> Changes:
    """What the answers to `statements` say."""
    highest, rest = answers[: len(GROWING)], answers[len(GROWING) : -2]
    runs, tags = answers[-2:]
    prints: dict[str, int] = {}
    for run, key, value in tags:
        prints[run] = prints.get(run, 0) ^ hash((key, value))
    rows = {str(row[0]): row for row in runs}
    look = Look(rows, prints, {name: found[0] if found else None for name, found in zip(GROWING, highest, strict=True)})
    frame = table(runs, RUNS)
    if last is None:
        return Changes(look, frame, None)
    again: set[str] = set()
    for place, name in enumerate(GROWING):
        there, inserted = rest[2 * place], rest[2 * place + 1]
        mark = last.marks[name]
        if mark is not None and (not there or there[0] != mark):
            return Changes(look, frame, None)
        again.update(str(run) for (run,) in inserted)
    again.update(run for run, row in rows.items() if last.runs.get(run) != row)
    again.update(run for run in rows if last.tags.get(run) != prints.get(run))
    return Changes(look, frame, frozenset(again & rows.keys()))
