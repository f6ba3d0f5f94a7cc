"""The queue of the loss landscapes that clients want: each is computed once by a worker and stored with its run.

The queue stands beside that of the sweeps. One is computed at a time; while a sweep is being trained the two
take turns at the workers that become free, so that neither keeps the other waiting for more than one job. The queue is
in memory only: a service that is killed forgets it, and a client that still wants its landscape asks once more.
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
from sweeps.service.calls import Reply, refusal
from sweeps.service.stored import Refused, StoredSweeps
from sweeps.workers import LANDSCAPE, Job, LocalWorkers, Message
from tracking import schema
from tracking.schema import Outcome
from tracking.writer import Writer

NONE: Final = "none"
"""Neither stored nor asked for."""
CACHED: Final = "cached"
"""It is stored with the run."""
QUEUED: Final = "queued"
COMPUTING: Final = "computing"
STORING: Final = "storing"
FAILED: Final = "failed"
"""It could not be computed or stored; `problem` says why."""
STORE_SECONDS: Final = 5.0
"""Between two looks at whether a store that is blocked has taken a landscape."""
ASK, LOOK, AGAIN, STOP = "ask", "look", "again", "stop"
ACTS: Final = (ASK, LOOK, AGAIN, STOP)


@dataclass(frozen=True)
class _Request:
    """A landscape that a client wants."""

    run: str
    job: Job
    state: str = QUEUED
    doing: str = ""
    share: float = 0.0
    problem: str = ""
    attempt: int = 1
    given_up: bool = False

    @property
    def reply(self) -> Reply:
        return _reply(self.state, self.doing, self.share, self.problem)


def _reply(state: str, doing: str = "", share: float = 0.0, problem: str = "") -> Reply:
    return {"state": state, "doing": doing, "share": share, "problem": problem}


class LandscapeQueue:
    """The queue of one service.

    Args:
        stored, writer, workers: the service's
        in_loop: has the service's loop call a function, and waits; the reply says why if it was refused
    """

    def __init__(
        self,
        stored: StoredSweeps,
        writer: Writer,
        workers: LocalWorkers,
        in_loop: Callable[[Callable[[], None]], Reply],
    ) -> None:
        self._stored = stored
        self._writer = writer
        self._workers = workers
        self._in_loop = in_loop
        self._requests: dict[str, _Request] = {}
        """By run id, in the order of the requests. Changed in the loop only."""
        self._had_last_turn = False
        """Whether the last free worker was given a landscape, not a run of the sweep."""

    # In other threads: a client's, and one that waits for the store

    def answer(self, run: str, act: str) -> Reply:
        """How far a run's landscape is, after what the client asks for has been done.

        Args:
            run: its id
            act: ASK, to have it computed unless it is stored, asked for or failed; LOOK, to begin nothing; AGAIN, to
                have it computed whether it is stored or has failed; STOP, to give it up

        Returns:
            state: one of those above; doing, share: what is being done, and the share of it that is done; problem: why
            it failed. Or a refusal

        Raises:
            ValueError: there is no such act
        """
        if act not in ACTS:
            raise ValueError(f"act: {act!r} is not allowed; allowed: {', '.join(ACTS)}")
        try:
            reply = self._in_loop(lambda: self._give_up(run)) if act == STOP else self._want_if_needed(run, act)
        except Refused as refused:
            return refusal(f"landscape: {refused}")
        if "error" in reply:
            return reply
        request = self._requests.get(run)
        return request.reply if request else _reply(CACHED if self._is_stored(run) else NONE)

    def _want_if_needed(self, run: str, act: str) -> Reply:
        request = self._requests.get(run)
        if act == AGAIN:
            needed = request is None or request.state == FAILED
        else:
            needed = act == ASK and request is None and not self._is_stored(run)
        if not needed:
            return {}
        job = self._job(run)
        return self._in_loop(lambda: self._want(run, job))

    def _await_stored(self, run: str) -> None:
        while not self._writer.flush(STORE_SECONDS):
            continue
        # A refusal of the store is called into the loop before this, and leaves no landscape in the state STORING.
        while self._in_loop(lambda: self._forget(run, only=STORING)):
            continue

    def _is_stored(self, run: str) -> bool:
        return self._stored.has(run, schema.LANDSCAPE_FILE)

    def _job(self, run: str) -> Job:
        trained = self._stored.trained(run)
        recorded = {"metrics": trained.metrics, "tags": trained.tags}
        threads = max(1, (os.cpu_count() or 1) // trained.workers)
        return Job(_key(), trained.configuration, threads, kind=LANDSCAPE, recorded=recorded)

    # In the loop

    @property
    def busy(self) -> bool:
        """Whether a landscape is waiting or being computed."""
        return any(request.state in (QUEUED, COMPUTING) for request in self._requests.values())

    def dispatch(self, dispatch_sweep: Callable[[], None] | None) -> None:
        """Give free workers to the landscapes and to the sweep that is being trained, in turns.

        Args:
            dispatch_sweep: gives runs of the sweep to free workers; None while none is being trained
        """
        if dispatch_sweep and self._had_last_turn:
            busy = self._workers.busy
            dispatch_sweep()
            self._had_last_turn = self._workers.busy <= busy
        self._dispatch()
        if dispatch_sweep:
            dispatch_sweep()

    def _dispatch(self) -> None:
        requests = list(self._requests.values())
        first = next((landscape for landscape in requests if landscape.state == QUEUED), None)
        if first is None or any(landscape.state == COMPUTING for landscape in requests):
            return
        self._workers.grow(1)
        if self._workers.submit([first.job]):
            self._set(first.run, state=COMPUTING)
            self._had_last_turn = True

    def handle(self, message: Message) -> None:
        """Take one message of a worker, if it concerns a landscape."""
        computing = (request for request in self._requests.values() if request.state == COMPUTING)
        request = next((request for request in computing if request.job.key == message.key), None)
        if request is None:
            return
        payload = message.payload
        if message.kind == "progress":
            self._set(request.run, doing=payload["doing"], share=payload["share"])
        elif message.kind == "file":
            self._writer.log_file(request.run, Path(payload["path"]), payload["artifact"], delete=True)
        elif message.kind == "result":
            self._ended(request, Outcome(payload["outcome"]), str(payload["error"] or ""))
        elif message.kind == "died":
            self._died(request, payload["exitcode"])

    def refused(self, run: str, sentence: str) -> None:
        """Take note that the store refuses something of a run."""
        self._set(run, only=STORING, state=FAILED, problem=f"The store refused it: {sentence}")

    def _ended(self, request: _Request, outcome: Outcome, error: str) -> None:
        if outcome is Outcome.OK:
            self._set(request.run, state=STORING, doing="storing it", share=1.0)
            threading.Thread(target=self._await_stored, args=(request.run,), daemon=True, name="landscape").start()
        elif outcome is Outcome.STOPPED:
            self._forget(request.run)
        else:
            self._set(request.run, state=FAILED, problem=error)

    def _died(self, request: _Request, exitcode: object) -> None:
        if request.given_up:
            self._forget(request.run)
        elif request.attempt < MAX_ATTEMPTS:
            job = replace(request.job, key=_key())
            self._set(request.run, state=QUEUED, attempt=request.attempt + 1, job=job, doing="", share=0.0)
        else:
            problem = f"Its worker ended unexpectedly {request.attempt} times (exit code {exitcode})."
            self._set(request.run, state=FAILED, problem=problem)

    def _want(self, run: str, job: Job) -> None:
        request = self._requests.get(run)
        if request is None or request.state == FAILED:
            self._forget(run)
            self._requests[run] = _Request(run, job)

    def _give_up(self, run: str) -> None:
        request = self._requests.get(run)
        if request is not None and request.state == COMPUTING:
            self._set(run, given_up=True, doing="stopping")
            self._workers.stop(request.job.key)
        elif request is not None and request.state != STORING:
            self._forget(run)

    def _set(self, run: str, only: str | None = None, **changes: Any) -> None:
        request = self._requests.get(run)
        if request is not None and only in (None, request.state):
            self._requests[run] = replace(request, **changes)

    def _forget(self, run: str, only: str | None = None) -> None:
        request = self._requests.get(run)
        if request is not None and only in (None, request.state):
            del self._requests[run]


def _key() -> str:
    return f"landscape-{uuid.uuid4().hex}"
