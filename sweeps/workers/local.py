"""The workers: warm processes on this machine that train, each with a separate pipe to the service.

A worker is started once, by a fork server that has already imported torch and Lightning, and does one job after the
other: it trains a run, or computes the loss landscape of one. It talks to the service over one duplex pipe only: jobs
and requests to end a run come down, records go up. No lock, queue or semaphore is shared between workers, so that one
that is killed at any moment harms only the run that it trains.
(`pebble.ProcessPool` was tried: `kill -9` of an idle worker breaks the whole pool, 6 times of 6, because its workers
read from one channel under one lock.)

A worker ends itself when its pipe closes, so that none outlives the service.
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

STOP_PATIENCE = 1.5  # seconds in which a worker can end a stopped or pruned run by itself, before it is killed


def _context() -> Any:
    if sys.platform != "linux":
        return mp.get_context("spawn")
    # Without this, a look for CUDA devices initialises CUDA, and a forked process cannot use it afterwards.
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
    requested: dict[str, Outcome] = {}  # key of a run -> how it is to end

    def listen() -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                request, content = pipe.recv()
                if request == "job":
                    jobs.put(content)
                else:
                    requested[content] = request
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
        result = JOB_KINDS[job.kind](job, folder, report, partial(requested.get, job.key))
        requested.clear()
        if not job.rehearsal:
            reached("worker: result")
        report("result", result)


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    job: Job | None = None
    """What it does now; None while it is free."""
    kill_at: float | None = None
    """The time of `time.monotonic` at which it is killed, if it was asked to end its run."""


class LocalWorkers:
    """The workers of this machine.

    The service gives a job to a free worker, waits on `pipes` together with its other sources, and reads messages with
    `receive`. A cluster would take the place of this class behind the same methods.

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
        self._ordered = 0  # being started or waiting to be started, not yet among the workers
        self._counting = threading.Lock()
        self._closed = False
        threading.Thread(target=self._start_processes, daemon=True, name="worker-starter").start()

    @property
    def pipes(self) -> list[Connection]:
        """The pipe of every worker, to wait on."""
        return [worker.pipe for worker in list(self._workers)]

    @property
    def jobs(self) -> list[Job]:
        """The jobs that are being done now."""
        return [worker.job for worker in list(self._workers) if worker.job is not None]

    @property
    def busy(self) -> int:
        """How many workers have a job."""
        return len(self.jobs)

    @property
    def free(self) -> int:
        """How many workers have no job."""
        return len(self._without_job())

    @property
    def pids(self) -> list[int]:
        """The process id of every worker."""
        return [worker.process.pid for worker in list(self._workers)]

    @property
    def ordered(self) -> int:
        """How many workers are to be started and are not there yet."""
        with self._counting:
            return self._ordered

    def grow(self, count: int) -> None:
        """Start workers until there are at least this many, those on their way included. Returns at once."""
        with self._counting:
            missing = count - len(self._workers) - self._ordered
            self._ordered += max(0, missing)
        for _ in range(missing):
            self._orders.put(None)

    def shrink(self, count: int) -> None:
        """End the free workers beyond this many: each holds a few hundred megabytes."""
        for worker in self._without_job()[: max(0, len(self._workers) - count)]:
            self._remove(worker)

    def submit(self, jobs: list[Job]) -> bool:
        """Hand a list of jobs to one free worker (a list of one until runs are packed); False if none could take it."""
        (job,) = jobs
        for worker in self._without_job():
            placed_job = replace(job, place=free_place({job.place for job in self.jobs}))
            try:
                worker.pipe.send(("job", placed_job))
            except OSError:  # it has died; `receive` will find that out
                continue
            worker.job = placed_job
            return True
        return False

    def stop(self, key: str) -> None:
        """End a run as stopped: its worker is asked to, and is killed if it has not within STOP_PATIENCE seconds."""
        self._ask(key, Outcome.STOPPED)

    def prune(self, key: str) -> None:
        """End a run as pruned, in the same way; a run that is being stopped already ends as stopped."""
        self._ask(key, Outcome.PRUNED)

    def _ask(self, key: str, outcome: Outcome) -> None:
        for worker in self._workers:
            if worker.job and worker.job.key == key and worker.kill_at is None:
                worker.kill_at = time.monotonic() + STOP_PATIENCE
                with contextlib.suppress(OSError):
                    worker.pipe.send((outcome, key))

    def enforce(self) -> None:
        """Kill the workers that were asked to end their run and did not.

        The death of any worker can then be read as a message, even while a process that a user module has forked holds
        the worker's end of the pipe open.
        """
        for worker in list(self._workers):
            if worker.kill_at is not None and time.monotonic() > worker.kill_at:
                worker.process.kill()
            if not worker.process.is_alive():
                with contextlib.suppress(OSError), socket.socket(fileno=os.dup(worker.pipe.fileno())) as pipe:
                    pipe.shutdown(socket.SHUT_RDWR)

    def receive(self, pipe: Connection) -> Message | None:
        """Read one message from a pipe that has one; None if the worker has been removed meanwhile."""
        worker = next((worker for worker in self._workers if worker.pipe is pipe), None)
        if worker is None:
            return None
        try:
            message: Message = pipe.recv()
        except Exception:  # closed, or cut off in the middle of a message by a kill
            self._remove(worker)
            return Message("died", worker.job.key if worker.job else None, {"exitcode": worker.process.exitcode})
        if message.kind == "result":
            worker.job, worker.kill_at = None, None
        return message

    def close(self) -> None:
        """End every worker at once."""
        self._closed = True
        for worker in list(self._workers):
            self._remove(worker)

    def _without_job(self) -> list[_Worker]:
        return [worker for worker in list(self._workers) if worker.job is None]

    def _start_processes(self) -> None:
        # In a separate thread: the first start waits about ten seconds for the imports of the fork server.
        while True:
            self._orders.get()
            service_end, worker_end = self._context.Pipe(duplex=True)
            process = self._context.Process(target=_work, args=(worker_end, str(self._scratch)), daemon=True)
            process.start()
            worker_end.close()  # else the pipe would not close when the worker dies
            if self._closed:
                process.kill()
                return
            with self._counting:
                self._workers.append(_Worker(process, service_end))
                self._ordered -= 1
            self._wake()

    def _remove(self, worker: _Worker) -> None:
        with contextlib.suppress(ValueError):  # `close`, in another thread, was first
            self._workers.remove(worker)
        worker.pipe.close()
        worker.process.kill()
        worker.process.join(5)
