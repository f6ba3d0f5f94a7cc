"""Short trainings in separate worker processes: how long they take, what they need, why they cannot run.

A rehearsal is a run like any other (same workers, same `train`), only with few steps an epoch and few epochs, and
nothing of it is stored. As many are under way at one time as the sweep would have, since workers that share the cores
slow each other: one that has nothing left to do repeats what has been done already.
"""

from __future__ import annotations

import itertools
import os
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

from sweeps.workers import Job, LocalWorkers, Message
from tracking import schema
from tracking.schema import Outcome

LOOK_SECONDS: Final = 0.05
LEAST_SECONDS: Final = 0.2
"""Training that is shorter does not tell its share of a core: the system counts in hundredths of a second."""


class AbandonedError(Exception):
    """Nobody waits for the rehearsals any more."""


@dataclass
class Rehearsal:
    """The measurements of one short training."""

    outcome: str = ""
    """An Outcome; `stopped` if it took longer than it was given, empty if its process ended."""
    error: str = ""
    """One sentence: why it crashed."""
    parameters: int = 0
    examples: int = 0
    """Training examples."""
    seconds: float = 0.0
    """The whole run, from building the data to writing the files."""
    epochs: list[tuple[float, float, float]] = field(default_factory=list)
    """For each epoch, counted from the beginning: seconds at its end, seconds spent training, steps."""
    recorders: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By recorder: the seconds that it took once, and those in each epoch."""
    files: int = 0
    """Bytes of what it would leave behind."""
    memory: int | None = None
    """Bytes that its process had for itself at its peak; None where the system does not say."""
    share: float | None = None
    """Share of a core that it got while it trained; None where the system does not say, or it was too short."""


def processor_seconds(pid: int) -> float | None:
    """Seconds that all threads of a process have computed; None where the system does not say."""
    with suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return None


def private_memory(pid: int) -> int | None:
    """Bytes that a process had at its peak and shares with no other; None where the system does not say."""
    with suppress(OSError, ValueError, KeyError, IndexError):
        shares = _kilobytes(Path(f"/proc/{pid}/smaps_rollup"))
        status = _kilobytes(Path(f"/proc/{pid}/status"))
        private = shares["Private_Clean"] + shares["Private_Dirty"]
        return 1024 * (private + max(0, status["VmHWM"] - status["VmRSS"]))
    return None


def _kilobytes(path: Path) -> dict[str, int]:
    lines = (line.split() for line in path.read_text().splitlines() if line.endswith(" kB"))
    return {words[0].rstrip(":"): int(words[1]) for words in lines}


@dataclass
class _Running:
    name: str
    began: float
    rehearsal: Rehearsal = field(default_factory=Rehearsal)
    stopped: bool = False
    trains_since: tuple[float, float] | None = None
    """When it began to train, and how long its process had computed by then (s)."""

    def watch(self, kind: str, pid: int) -> None:
        """Measure its process, when it begins to train and when it is done."""
        now, computed = time.monotonic(), processor_seconds(pid)
        if kind == "info" and computed is not None:
            self.trains_since = now, computed
        elif kind == "result":
            self.rehearsal.memory = private_memory(pid)
            if self.trains_since and computed is not None and now - self.trains_since[0] > LEAST_SECONDS:
                self.rehearsal.share = (computed - self.trains_since[1]) / (now - self.trains_since[0])


class Rehearsals:
    """The processes that rehearse; begun when there is something to rehearse, and kept until `rest`.

    Args:
        scratch: The folder in which they leave files.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._started: LocalWorkers | None = None
        self._closed = False

    @property
    def _workers(self) -> LocalWorkers:
        if self._started is None:
            self._started = LocalWorkers(self._scratch, wake=lambda: None)
        return self._started

    @property
    def busy(self) -> int:
        """How many are being rehearsed now."""
        return self._started.busy if self._started else 0

    def run(
        self,
        configurations: Mapping[str, dict[str, Any]],
        *,
        at_once: int,
        threads: int,
        seconds: float,
        go_on: Callable[[], bool] = lambda: True,
        repeat: bool = False,
    ) -> dict[str, list[Rehearsal]]:
        """Train each configuration and return its rehearsals.

        Args:
            configurations: The configurations by name.
            at_once: How many are trained at one time.
            threads: The torch threads of each.
            seconds: The time after which one is stopped.
            go_on: Called again and again; once it returns False, everything is stopped.
            repeat: Have idle processes repeat what has been begun before, until all are done.

        Returns:
            The rehearsals by name: several of each with `repeat`.

        Raises:
            AbandonedError: `go_on` returned False, or the processes have been ended for good.
        """
        workers = self._workers
        workers.shrink(at_once)
        todo = deque(configurations.items())
        again = itertools.cycle(list(configurations.items())) if repeat else iter(())
        running: dict[str, _Running] = {}
        done: dict[str, list[Rehearsal]] = {}
        try:
            while len(done) < len(configurations):
                if self._closed or not go_on():
                    raise AbandonedError
                workers.grow(at_once)
                while workers.free and len(running) < at_once:
                    chosen = todo.popleft() if todo else next(again, None)
                    if chosen is None:
                        break
                    key = uuid.uuid4().hex
                    if not workers.submit([Job(key, chosen[1], threads, rehearsal=True)]):
                        todo.appendleft(chosen)
                        break
                    running[key] = _Running(chosen[0], time.monotonic())
                self._take(running, done, seconds)
        finally:
            self._end(running)
        return done

    def _take(self, running: dict[str, _Running], done: dict[str, list[Rehearsal]], seconds: float) -> None:
        """Take the messages that arrive within a moment, and stop the rehearsals that took too long."""
        now = time.monotonic()
        for key, current in running.items():
            if now - current.began > seconds and not current.stopped:
                current.stopped = True
                self._workers.stop(key)
        self._workers.enforce()
        pids = dict(zip(self._workers.pipes, self._workers.pids, strict=False))
        for pipe in wait(list(pids), timeout=LOOK_SECONDS):
            assert isinstance(pipe, Connection)
            message = self._workers.receive(pipe)
            key = (message.key if message else None) or ""
            if message is None or key not in running:
                continue
            running[key].watch(message.kind, pids[pipe])
            if not _note(message, running[key]):
                continue
            ended = running.pop(key)
            done.setdefault(ended.name, []).append(ended.rehearsal)

    def _end(self, running: dict[str, _Running]) -> None:
        for key in running:
            self._workers.stop(key)
        while running and self._workers.busy:  # none is after `close`
            self._take(running, {}, seconds=0.0)

    def rest(self) -> None:
        """End the processes; the next rehearsal begins others, whose memory has not grown yet."""
        if self._started:
            self._started.shrink(0)

    def close(self) -> None:
        """End the processes at once and for good."""
        self._closed = True
        if self._started:
            self._started.close()


def _note(message: Message, running: _Running) -> bool:
    """Add what a message reports to its rehearsal; True if it was the last message."""
    rehearsal, payload = running.rehearsal, message.payload
    if message.kind == "info":
        rehearsal.parameters = int(payload["parameters"])
        rehearsal.examples = int(payload["dataset"]["profile"]["train"])
    elif message.kind == "metrics":
        metrics = payload["metrics"]
        if len(rehearsal.epochs) == payload["step"]:
            rehearsal.epochs.pop()  # it is reported anew, with more
        rehearsal.epochs.append((payload["time"] / 1000, metrics[schema.TRAIN_SECONDS], metrics[schema.STEPS]))
    elif message.kind == "file":
        path = Path(payload["path"])
        with suppress(OSError):
            rehearsal.files += path.stat().st_size if payload["artifact"] != schema.TRACEBACK_FILE else 0
            path.unlink()
    elif message.kind == "result":
        rehearsal.outcome, rehearsal.error = str(payload["outcome"]), payload["error"] or ""
        rehearsal.seconds = float(payload["seconds"])
        rehearsal.recorders = {name: (once, epoch) for name, (once, epoch) in payload.get("recorders", {}).items()}
        return True
    elif message.kind == "died":
        rehearsal.outcome = str(Outcome.STOPPED) if running.stopped else str(Outcome.CRASHED)
        rehearsal.error = f"its process ended unexpectedly (exit code {payload['exitcode']})"
        return True
    return False
