"""Reading an SQLite file: read-only, everything fetched, closed at once, so that no open cursor blocks the writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

Row = tuple[Any, ...]
TIMEOUT = 10.0
"""Seconds to wait for a lock."""


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=TIMEOUT)


def _fetch(path: Path, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[list[Row]]:
    with closing(_connect(path, "ro")) as connection:
        return [connection.execute(sql, arguments).fetchall() for sql, arguments in statements]


def _recover(path: Path) -> None:
    """Let SQLite roll back the half-written transaction of a killed writer: a read-only connection cannot."""
    with closing(_connect(path, "rw")) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()


def query_all(path: Path, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[list[Row]]:
    """The rows of each statement, by one connection. Raises sqlite3.Error."""
    try:
        return _fetch(path, statements)
    except sqlite3.OperationalError:
        if not Path(f"{path}-journal").exists():
            raise
        _recover(path)
        return _fetch(path, statements)


def query(path: Path, sql: str, arguments: Sequence[Any] = ()) -> list[Row]:
    """The rows of one statement. Raises sqlite3.Error."""
    return query_all(path, [(sql, arguments)])[0]
