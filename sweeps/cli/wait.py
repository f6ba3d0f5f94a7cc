"""Waits until a sweep ends: one line that is kept up to date on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final, TextIO

from sweeps.cli import output, rows
from tracking.schema import State

if TYPE_CHECKING:
    from sweeps.client import Client

ENDED: Final = frozenset({State.FINISHED.value, State.STOPPED.value, State.FAILED.value})
LOOK_SECONDS: Final = 1.0
SAY_SECONDS: Final = 10.0
CHECK_SECONDS: Final = 5.0


class Progress:
    """Writes how far a sweep is.

    Args:
        stream: Where to write; on a terminal each line overwrites the last one.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._in_place = stream.isatty()
        self._began: tuple[float, int] | None = None
        self._last = -SAY_SECONDS

    def show(self, row: rows.Row, now: float) -> None:
        """Write the state of the sweep, if it is time.

        Args:
            row: The sweep's row.
            now: Seconds of a clock that never goes back.
        """
        if self._began is None and row["state"] != State.QUEUED.value:
            self._began = (now, row["done"])
        if not self._in_place and now - self._last < SAY_SECONDS:
            return
        self._last = now
        line = output.progress_line(row, self._seconds_left(row, now), bar=self._in_place)
        if self._in_place:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[2K{line[:width]}")
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave the line as it is, and go to the next one."""
        if self._in_place and self._last >= 0:
            self._stream.write("\n")
            self._stream.flush()

    def _seconds_left(self, row: rows.Row, now: float) -> float | None:
        if self._began is None or row["state"] != State.RUNNING.value:
            return None
        seconds, done = now - self._began[0], row["done"] - self._began[1]
        return seconds / done * (row["planned"] - row["done"]) if done > 0 else None


def wait(client: Client, sweep: str, say: Callable[[str], None]) -> rows.Row:
    """Return the sweep's row once it has ended. A service that ends in the meantime is started again.

    Args:
        client: The client of its store.
        sweep: Its id.
        say: Called with a sentence when something keeps the sweep from going on.
    """
    progress = Progress(sys.stderr)
    reader = rows.open_store(client.uri)
    last_problem, checked, version, row = "", monotonic(), None, None
    try:
        while True:
            now = monotonic()
            if row is None or (latest := reader.version()) != version:
                version, row = reader.version() if row is None else latest, rows.sweep_row(reader, sweep)
            progress.show(row, now)
            if row["state"] in ENDED:
                return row
            if now - checked > CHECK_SECONDS:
                checked = now
                status = client.status()
                if not status.alive:
                    client.start_service()
                if status.problem and status.problem != last_problem:
                    progress.close()
                    say(status.problem)
                last_problem = status.problem or ""
            sleep(LOOK_SECONDS)
    finally:
        progress.close()
