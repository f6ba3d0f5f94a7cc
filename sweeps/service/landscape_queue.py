"""The loss landscapes that were asked for: each is computed by a worker and stored with its run, once.

They stand in a queue of their own beside the sweeps. One is computed at a time; while a sweep is being trained the two
take turns at the workers that become free, so that neither keeps the other waiting for more than one job. The queue is
in memory alone: a service that is killed forgets it, and who still wants a landscape asks again and is put at its end.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sweeps.search.progress import MAX_ATTEMPTS
from sweeps.service.stored import Refused, Stored
from sweeps.workers import LANDSCAPE, Job, LocalWorkers, Message
from tracking import schema
from tracking.schema import Outcome
from tracking.writer import Writer

NONE: Final = "none"
"""Neither stored nor wanted."""
CACHED: Final = "cached"
"""It lies with the run."""
QUEUED: Final = "queued"
COMPUTING: Final = "computing"
STORING: Final = "storing"
FAILED: Final = "failed"
"""`problem` says why."""
STORE_SECONDS: Final = 5.0
"""Between two looks at whether a store that is blocked has taken a landscape."""
ASK, LOOK, AGAIN, STOP = "ask", "look", "again", "stop"
ACTS: Final = (ASK, LOOK, AGAIN, STOP)

Answer = dict[str, Any]


@dataclass(frozen=True)
class _Wanted:
    """A landscape that somebody wants."""

    run: str
    job: Job
    state: str = QUEUED
    doing: str = ""
    share: float = 0.0
    problem: str = ""
    attempt: int = 1
    unwanted: bool = False

    @property
    def told(self) -> Answer:
        return _told(self.state, self.doing, self.share, self.problem)


def _told(state: str, doing: str = "", share: float = 0.0, problem: str = "") -> Answer:
    return {"state": state, "doing": doing, "share": share, "problem": problem}


class Landscapes:
    """The landscapes of one service.

    Args:
        stored, writer, workers: the service's
        in_loop: has the service's loop call a function, and waits; the reply says why if it was refused
    """

    def __init__(
        self,
        stored: Stored,
        writer: Writer,
        workers: LocalWorkers,
        in_loop: Callable[[Callable[[], None]], Answer],
    ) -> None:
        self._stored = stored
        self._writer = writer
        self._workers = workers
        self._in_loop = in_loop
        self._wanted: dict[str, _Wanted] = {}
        """By run, the one that has waited longest first. Changed in the loop only."""
        self._had_last_turn = False
        """Whether the last worker that became free went to a landscape."""

    # In other threads: a client's, and one that waits for the store

    def answer(self, run: str, act: str) -> Answer:
        """What has become of a run's landscape.

        Args:
            run: its id
            act: ASK, to have it computed unless it is stored, wanted or has failed; LOOK, to begin nothing; AGAIN, to
                have it computed whether it is stored or has failed; STOP, to give it up

        Returns:
            state: one of those above; doing, share: what is being done, and how much of it is; problem: a sentence

        Raises:
            ValueError: there is no such act
        """
        if act not in ACTS:
            raise ValueError(f"act: {act!r} is not allowed; allowed: {', '.join(ACTS)}")
        try:
            refused = self._in_loop(lambda: self._give_up(run)) if act == STOP else self._asked(run, act)
        except Refused as refusal:
            return {"error": f"landscape: {refusal}", "kind": "refused"}
        if refused:
            return refused
        known = self._wanted.get(run)
        return known.told if known else _told(CACHED if self._lies_there(run) else NONE)

    def _asked(self, run: str, act: str) -> Answer:
        """Have done what follows from an act; why not, if it is refused."""
        known = self._wanted.get(run)
        fails = known is not None and known.state == FAILED
        if (act == AGAIN and (known is None or fails)) or (act == ASK and known is None and not self._lies_there(run)):
            job = self._job(run)
            return self._in_loop(lambda: self._want(run, job))
        return {}

    def _await_stored(self, run: str) -> None:
        while not self._writer.flush(STORE_SECONDS):
            continue
        # Unless the store has refused it by now: what it refuses is called into the loop before this.
        while self._in_loop(lambda: self._forget(run, only=STORING)):
            continue

    def _lies_there(self, run: str) -> bool:
        return self._stored.has(run, schema.LANDSCAPE_FILE)

    def _job(self, run: str) -> Job:
        trained = self._stored.trained(run)
        recorded = {"metrics": trained.metrics, "tags": trained.tags}
        threads = max(1, (os.cpu_count() or 1) // trained.workers)
        return Job(_key(), trained.configuration, threads, kind=LANDSCAPE, recorded=recorded)

    # In the loop

    @property
    def busy(self) -> bool:
        """Whether one is waiting or being computed."""
        return any(wanted.state in (QUEUED, COMPUTING) for wanted in self._wanted.values())

    def dispatch(self, sweep: Callable[[], None] | None) -> None:
        """Give free workers to the landscapes and to the sweep that is being trained, in turns.

        Args:
            sweep: has the sweep give its runs to free workers; None while none is being trained
        """
        if sweep and self._had_last_turn:
            busy = self._workers.busy
            sweep()
            self._had_last_turn = self._workers.busy <= busy
        self._dispatch()
        if sweep:
            sweep()

    def _dispatch(self) -> None:
        wanted = list(self._wanted.values())
        first = next((one for one in wanted if one.state == QUEUED), None)
        if first is None or any(one.state == COMPUTING for one in wanted):
            return
        self._workers.grow(1)
        if self._workers.submit([first.job]):
            self._set(first.run, state=COMPUTING)
            self._had_last_turn = True

    def handle(self, message: Message) -> None:
        """Take one message of a worker, if it concerns a landscape."""
        found = (one for one in self._wanted.values() if one.job.key == message.key and one.state == COMPUTING)
        wanted = next(found, None)
        if wanted is None:
            return
        payload = message.payload
        if message.kind == "progress":
            self._set(wanted.run, doing=payload["doing"], share=payload["share"])
        elif message.kind == "file":
            self._writer.log_file(wanted.run, Path(payload["path"]), payload["artifact"], delete=True)
        elif message.kind == "result":
            self._ended(wanted, Outcome(payload["outcome"]), str(payload["error"] or ""))
        elif message.kind == "died":
            self._died(wanted, payload["exitcode"])

    def refused(self, run: str, sentence: str) -> None:
        """The store will not have something of a run."""
        self._set(run, only=STORING, state=FAILED, problem=f"The store refused it: {sentence}")

    def _ended(self, wanted: _Wanted, outcome: Outcome, error: str) -> None:
        if outcome is Outcome.OK:
            self._set(wanted.run, state=STORING, doing="storing it", share=1.0)
            threading.Thread(target=self._await_stored, args=(wanted.run,), daemon=True, name="landscape").start()
        elif outcome is Outcome.STOPPED:
            self._forget(wanted.run)
        else:
            self._set(wanted.run, state=FAILED, problem=error)

    def _died(self, wanted: _Wanted, exitcode: object) -> None:
        if wanted.unwanted:
            self._forget(wanted.run)
        elif wanted.attempt < MAX_ATTEMPTS:
            job = replace(wanted.job, key=_key())
            self._set(wanted.run, state=QUEUED, attempt=wanted.attempt + 1, job=job, doing="", share=0.0)
        else:
            problem = f"Its worker ended unexpectedly {wanted.attempt} times (exit code {exitcode})."
            self._set(wanted.run, state=FAILED, problem=problem)

    def _want(self, run: str, job: Job) -> None:
        known = self._wanted.get(run)
        if known is None or known.state == FAILED:
            self._forget(run)
            self._wanted[run] = _Wanted(run, job)

    def _give_up(self, run: str) -> None:
        wanted = self._wanted.get(run)
        if wanted is not None and wanted.state == COMPUTING:
            self._set(run, unwanted=True, doing="stopping")
            self._workers.stop(wanted.job.key)
        elif wanted is not None and wanted.state != STORING:
            self._forget(run)

    def _set(self, run: str, only: str | None = None, **changed: Any) -> None:
        wanted = self._wanted.get(run)
        if wanted is not None and only in (None, wanted.state):
            self._wanted[run] = replace(wanted, **changed)

    def _forget(self, run: str, only: str | None = None) -> None:
        wanted = self._wanted.get(run)
        if wanted is not None and only in (None, wanted.state):
            del self._wanted[run]


def _key() -> str:
    return f"landscape-{uuid.uuid4().hex}"
