"""Short trainings in worker processes of their own: what they took, what they weigh, why they cannot run.

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
"""Of training, from which the share of a core can be told: the system counts in hundredths of a second."""


class AbandonedError(Exception):
    """Nobody waits for the rehearsals any more."""


@dataclass
class Rehearsal:
    """What one short training told."""

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
    files: int = 0
    """Bytes of what it would leave behind."""
    memory: int | None = None
    """Bytes that its process had for itself at its peak; None where the system does not say."""
    share: float | None = None
    """Of a core, that it got while it trained; None where the system does not say, or it was too short to tell."""


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
        own = shares["Private_Clean"] + shares["Private_Dirty"]
        return 1024 * (own + max(0, status["VmHWM"] - status["VmRSS"]))
    return None


def _kilobytes(path: Path) -> dict[str, int]:
    lines = (line.split() for line in path.read_text().splitlines() if line.endswith(" kB"))
    return {words[0].rstrip(":"): int(words[1]) for words in lines}


@dataclass
class _Running:
    name: str
    began: float
    told: Rehearsal = field(default_factory=Rehearsal)
    stopped: bool = False
    trains_since: tuple[float, float] | None = None
    """When it began to train, and how long its process had computed by then (s)."""

    def watch(self, kind: str, pid: int) -> None:
        """Look at its process, when it begins to train and when it is done."""
        now, computed = time.monotonic(), processor_seconds(pid)
        if kind == "info" and computed is not None:
            self.trains_since = now, computed
        elif kind == "result":
            self.told.memory = private_memory(pid)
            if self.trains_since and computed is not None and now - self.trains_since[0] > LEAST_SECONDS:
                self.told.share = (computed - self.trains_since[1]) / (now - self.trains_since[0])


class Rehearsals:
    """The processes that rehearse; begun when there is something to rehearse, and kept until `rest`.

    Args:
        scratch: folder in which they leave files
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._made: LocalWorkers | None = None
        self._closed = False

    @property
    def _workers(self) -> LocalWorkers:
        if self._made is None:
            self._made = LocalWorkers(self._scratch, wake=lambda: None)
        return self._made

    @property
    def busy(self) -> int:
        """How many are being rehearsed now."""
        return self._made.busy if self._made else 0

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
        """Train each configuration.

        Args:
            configurations: by name
            at_once: how many at one time
            threads: of torch, each
            seconds: after which one is stopped
            go_on: asked again and again; once it says no, everything is stopped
            repeat: have idle processes repeat what has been begun before, until all are done

        Returns:
            by name, what was told: several times with `repeat`

        Raises:
            AbandonedError: `go_on` said no, or the processes have been ended for good
        """
        workers = self._workers
        workers.shrink(at_once)
        todo = deque(configurations.items())
        again = itertools.cycle(list(configurations.items())) if repeat else iter(())
        running: dict[str, _Running] = {}
        told: dict[str, list[Rehearsal]] = {}
        try:
            while len(told) < len(configurations):
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
                self._take(running, told, seconds)
        finally:
            self._end(running)
        return told

    def _take(self, running: dict[str, _Running], told: dict[str, list[Rehearsal]], seconds: float) -> None:
        """What the processes say within a moment; those that took too long are stopped."""
        now = time.monotonic()
        for key, one in running.items():
            if now - one.began > seconds and not one.stopped:
                one.stopped = True
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
            told.setdefault(ended.name, []).append(ended.told)

    def _end(self, running: dict[str, _Running]) -> None:
        for key in running:
            self._workers.stop(key)
        while running and self._workers.busy:  # none is after `close`
            self._take(running, {}, seconds=0.0)

    def rest(self) -> None:
        """End the processes; the next rehearsal begins others, whose memory has not grown yet."""
        if self._made:
            self._made.shrink(0)

    def close(self) -> None:
        """End the processes at once and for good."""
        self._closed = True
        if self._made:
            self._made.close()


def _note(message: Message, one: _Running) -> bool:
    """Writes down what a message tells; True if it was the last of its rehearsal."""
    told, payload = one.told, message.payload
    if message.kind == "info":
        told.parameters = int(payload["parameters"])
        told.examples = int(payload["dataset"]["profile"]["train"])
    elif message.kind == "metrics":
        measured = payload["metrics"]
        if len(told.epochs) == payload["step"]:
            told.epochs.pop()  # it is reported anew, with more
        told.epochs.append((payload["time"] / 1000, measured[schema.TRAIN_SECONDS], measured[schema.STEPS]))
    elif message.kind == "file":
        path = Path(payload["path"])
        with suppress(OSError):
            told.files += path.stat().st_size if payload["artifact"] != schema.TRACEBACK_FILE else 0
            path.unlink()
    elif message.kind == "result":
        told.outcome, told.error = str(payload["outcome"]), payload["error"] or ""
        told.seconds = float(payload["seconds"])
        return True
    elif message.kind == "died":
        told.outcome = str(Outcome.STOPPED) if one.stopped else str(Outcome.CRASHED)
        told.error = f"its process ended unexpectedly (exit code {payload['exitcode']})"
        return True
    return False
