"""Where training happens: warm processes on this machine, each with a pipe of its own.

A worker is started once, by a fork server that has torch and Lightning imported already, and does one job after the
other: it trains a run, or computes the loss landscape of one. Everything between it and the service goes over one
duplex pipe: jobs and how a run is to end come down, records go up. No lock, queue or semaphore is shared between
workers, so that one that is killed at any moment harms only its own run.
(`pebble.ProcessPool` was tried: `kill -9` of an idle worker breaks the whole pool, 6 times of 6, because its workers
read from one channel under one lock.)

A worker whose pipe closes ends itself, so none outlives the service by more than the time to notice.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import os
import queue
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sweeps.devices import free_place, placed
from sweeps.workers.jobs import Job, Message
from tracking.kill_points import reached
from tracking.schema import Outcome

STOP_PATIENCE = 1.5  # seconds that a worker gets to end a stopped or pruned run by itself before it is killed


def _context() -> Any:
    if sys.platform != "linux":
        return mp.get_context("spawn")
    # Without this, looking for a CUDA device initialises CUDA, and a forked process cannot use it then.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    context = mp.get_context("forkserver")
    context.set_forkserver_preload(["sweeps.workers.preloaded"])
    return context


def _report(pipe: Connection, job: Job, kind: str, payload: dict[str, Any]) -> None:
    pipe.send(Message(kind, job.key, payload))
    if not job.rehearsal:
        reached(f"worker: {kind} sent")


def _work(pipe: Connection, scratch: str) -> None:
    """The worker process: read jobs from the pipe, do them, send records, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the service to handle
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a user's module prints would fill the service's log
    jobs: queue.Queue[Job] = queue.Queue()
    asked: dict[str, Outcome] = {}  # by the key of a run: how it is to end

    def listen() -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                what, content = pipe.recv()
                if what == "job":
                    jobs.put(content)
                else:
                    asked[content] = what
        os._exit(0)  # the service is gone

    threading.Thread(target=listen, daemon=True).start()
    import torch

    from sweeps.catalogue import user_models
    from sweeps.workers.job_kinds import JOB_KINDS

    user_models.background = True  # a module that is being edited keeps nobody waiting
    warnings.simplefilter("ignore")  # nobody reads them here, and each epoch may repeat them

    pipe.send(Message("ready", None, {}))
    while True:
        job = jobs.get()
        torch.set_num_threads(job.threads)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=scratch))
        report = partial(_report, pipe, job)
        job = replace(job, configuration=placed(job.configuration, job.place, torch.cuda.device_count()))
        result = JOB_KINDS[job.kind](job, folder, report, partial(asked.get, job.key))
        asked.clear()
        if not job.rehearsal:
            reached("worker: result")
        report("result", result)


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    job: Job | None = None
    kill_at: float | None = None


class LocalWorkers:
    """The processes of this machine that train, and compute what takes long.

    The service gives a job to a free worker, waits on `pipes` together with whatever else it waits for, and reads
    messages with `receive`. A cluster would take this class's place behind the same methods.

    Args:
        scratch: folder in which workers leave files for the service to fetch
        wake: called from another thread when a worker has been started
    """

    def __init__(self, scratch: Path, wake: Callable[[], None]) -> None:
        self._scratch = scratch
        self._wake = wake
        self._context = _context()
        self._workers: list[_Worker] = []
        self._orders: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._ordered = 0  # begun or waiting to be begun, but not yet among the workers
        self._counting = threading.Lock()
        self._closed = False
        threading.Thread(target=self._start_processes, daemon=True, name="worker-starter").start()

    @property
    def pipes(self) -> list[Connection]:
        return [worker.pipe for worker in list(self._workers)]

    @property
    def jobs(self) -> list[Job]:
        """What is being done now."""
        return [worker.job for worker in list(self._workers) if worker.job is not None]

    @property
    def busy(self) -> int:
        return len(self.jobs)

    @property
    def free(self) -> int:
        return sum(worker.job is None for worker in list(self._workers))

    @property
    def pids(self) -> list[int]:
        return [worker.process.pid for worker in list(self._workers)]

    @property
    def ordered(self) -> int:
        """How many are on their way: to be started, but not there yet."""
        with self._counting:
            return self._ordered

    def grow(self, count: int) -> None:
        """See that at least this many workers are there or on their way. Returns at once."""
        with self._counting:
            missing = count - len(self._workers) - self._ordered
            self._ordered += max(0, missing)
        for _ in range(missing):
            self._orders.put(None)

    def shrink(self, count: int) -> None:
        """End the free workers beyond this many: each holds a few hundred megabytes."""
        for worker in [w for w in list(self._workers) if w.job is None][: max(0, len(self._workers) - count)]:
            self._remove(worker)

    def submit(self, jobs: list[Job]) -> bool:
        """Hand a list of jobs to one free worker (a list of one until runs are packed); False if none could take it."""
        (job,) = jobs
        for worker in [w for w in list(self._workers) if w.job is None]:
            placed_job = replace(job, place=free_place({job.place for job in self.jobs}))
            try:
                worker.pipe.send(("job", placed_job))
            except OSError:  # it has died; `receive` will find that out
                continue
            worker.job = placed_job
            return True
        return False

    def stop(self, key: str) -> None:
        """End a run as stopped: ask its worker, and kill it if it has not ended the run after STOP_PATIENCE seconds."""
        self._ask(key, Outcome.STOPPED)

    def prune(self, key: str) -> None:
        """End a run as pruned, in the same way; one that was asked to stop before ends as stopped."""
        self._ask(key, Outcome.PRUNED)

    def _ask(self, key: str, outcome: Outcome) -> None:
        for worker in self._workers:
            if worker.job and worker.job.key == key and worker.kill_at is None:
                worker.kill_at = time.monotonic() + STOP_PATIENCE
                with contextlib.suppress(OSError):
                    worker.pipe.send((outcome, key))

    def enforce(self) -> None:
        """Kill the workers that were asked to end their run and did not. Any worker's death is then read as a message,
        though a process that a user's module has forked may hold its end of the pipe open."""
        for worker in list(self._workers):
            if worker.kill_at is not None and time.monotonic() > worker.kill_at:
                worker.process.kill()
            if not worker.process.is_alive():
                with contextlib.suppress(OSError), socket.socket(fileno=os.dup(worker.pipe.fileno())) as ours:
                    ours.shutdown(socket.SHUT_RDWR)

    def receive(self, pipe: Connection) -> Message | None:
        """Read one message from a pipe that has one; None if the worker has been removed meanwhile."""
        worker = next((w for w in self._workers if w.pipe is pipe), None)
        if worker is None:
            return None
        try:
            message: Message = pipe.recv()
        except Exception:  # closed, or cut off in the middle of a message by a kill
            self._remove(worker)
            how = worker.process.exitcode
            return Message("died", worker.job.key if worker.job else None, {"exitcode": how})
        if message.kind == "result":
            worker.job, worker.kill_at = None, None
        return message

    def close(self) -> None:
        """End every worker at once."""
        self._closed = True
        for worker in list(self._workers):
            self._remove(worker)

    def _start_processes(self) -> None:
        # In a thread of its own: the first start waits about ten seconds for the fork server's imports.
        while True:
            self._orders.get()
            ours, theirs = self._context.Pipe(duplex=True)
            process = self._context.Process(target=_work, args=(theirs, str(self._scratch)), daemon=True)
            process.start()
            theirs.close()  # else the pipe would not close when the worker dies
            if self._closed:
                process.kill()
                return
            with self._counting:
                self._workers.append(_Worker(process, ours))
                self._ordered -= 1
            self._wake()

    def _remove(self, worker: _Worker) -> None:
        with contextlib.suppress(ValueError):  # `close`, in another thread, was first
            self._workers.remove(worker)
        worker.pipe.close()
        worker.process.kill()
        worker.process.join(5)
