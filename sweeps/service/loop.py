"""The background process that owns the sweeps of a store: it has the queued ones trained, and stores their results.

One loop in one thread waits for workers, clients and the clock, and everything that changes a sweep happens in it.
Slow work happens beside it: the writer runs in a thread, and each client is answered in one. MLflow is the only
state: whatever kills this process, the next one finds in the store what to do.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from sweeps.catalogue import user_models
from sweeps.interpreter import ROOT
from sweeps.preflight.check import Checker
from sweeps.preflight.overfit_ten import OverfitTests
from sweeps.service.active_sweep import ActiveSweep, Resources
from sweeps.service.alerts import Alerts
from sweeps.service.calls import Calls, Reply
from sweeps.service.channel import Server
from sweeps.service.commands import STOP_RUN, Commands
from sweeps.service.editing import Edits
from sweeps.service.events import now_ms
from sweeps.service.idle import Idle
from sweeps.service.landscape_queue import LandscapeQueue
from sweeps.service.launching import store_sweep
from sweeps.service.lease import PROBLEM_FILE, Hold
from sweeps.service.mlflow_ui import MlflowUI
from sweeps.service.recovery import Recovery
from sweeps.service.resume_files import ResumeFiles
from sweeps.service.stored import StoredSweeps
from sweeps.service.sweep_lease import SweepLease
from sweeps.settings import settings
from sweeps.spec import parse
from sweeps.state_folder import state_folder
from sweeps.workers import LocalWorkers
from tracking import schema
from tracking.reader import open_reader
from tracking.schema import COMMANDS, State
from tracking.store import StoreError, ensure_store, sqlite_path
from tracking.writer import Writer

WARM_WORKERS = min(2, os.cpu_count() or 1)  # kept while nothing is trained
IDLE_SECONDS = 600.0  # the service ends when it has had nothing to do, and no client, for so long
POLL_SECONDS = 1.0  # between looks at the store for queued sweeps and commands

log = logging.getLogger("sweepboard.service")

Request = dict[str, Any]
"""What a client sends: `action`, and what that action takes."""


class Service:
    """The service of one store.

    Args:
        uri: the MLflow store
        hold: the lock and lease on it
    """

    def __init__(self, uri: str, hold: Hold) -> None:
        self.uri = uri
        self._hold = hold
        self._scratch = Path(tempfile.mkdtemp(prefix="scratch-", dir=hold.folder))
        self._resume_files = ResumeFiles(hold.folder / "resumable")
        self._calls = Calls()
        self._workers = LocalWorkers(self._scratch, self._calls.wake)
        self._workers.grow(WARM_WORKERS)  # before the first sweep asks for one
        ensure_store(uri)
        self._stored = StoredSweeps(open_reader(uri))
        self._writer = Writer(uri, self._on_created, self._on_refused)
        self._commands = Commands(self._stored, self._writer, lambda: self._active)
        self._lease = SweepLease(uri, hold.token, self._writer)
        self._recovery = Recovery(self._stored, self._writer, self._commands, self._resume_files, self._lease)
        self._edits = Edits(uri, self._stored, self._writer, self._resume_files, lambda: self._active, self._ask)
        self._landscapes = LandscapeQueue(self._stored, self._writer, self._workers, self._ask)
        self._ui = MlflowUI(uri, hold.folder)
        path = sqlite_path(uri)
        self._checker = Checker(self._scratch, lambda: self._active is not None, path.parent if path else None)
        self._overfit_tests = OverfitTests(self._scratch)
        self._alerts = Alerts(lambda: settings().alerts, log.warning)
        self._active: ActiveSweep | None = None
        self._started = time.time()
        self._idle = Idle(IDLE_SECONDS)
        self._next_poll = 0.0
        self._seen_version = ""
        self._unreadable: str | None = None
        self._ending = False
        self._resources = Resources(
            writer=self._writer,
            workers=self._workers,
            wake=self._calls.wake,
            owner=hold.token,
            commit=_git_commit(),
            alert=self._alerts.send,
            resume_files=self._resume_files,
        )

    def run(self) -> None:
        """Serve until asked to end, or until there has been nothing to do for IDLE_SECONDS."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self._calls.call(self._end))
        self._writer.start()
        server = Server(self._hold, self._handle_request)
        log.info("serving as %s", self._hold.token)
        try:
            while not self._ending:
                self._turn()
        finally:
            server.close()
            if self._active:
                self._active.interrupt("the service was ended while it trained")
            self._workers.close()
            self._checker.close()
            self._overfit_tests.close()
            self._ui.close()
            self._writer.close(10)
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._hold.release()
            log.info("ended")

    # One turn of the loop

    def _turn(self) -> None:
        for source in wait([self._calls.woken, *self._workers.pipes], timeout=0.2):
            if isinstance(source, Connection):
                message = self._workers.receive(source)
                if message and not (self._active and self._active.handle(message)):
                    self._landscapes.handle(message)
        self._calls.make()
        self._workers.enforce()
        if time.monotonic() >= self._next_poll:
            self._poll()
        if self._active:
            if self._active.settle():
                self._active = None
                self._workers.shrink(WARM_WORKERS)
                self._next_poll = 0.0
            else:
                self._lease.renew(self._active.sweep)
        if self._idle.over(busy=bool(self._active) or self._landscapes.busy or bool(self._writer.problem)):
            log.info("nothing to do")
            self._ending = True
        self._landscapes.dispatch(self._active.dispatch if self._active else None)

    def _ask(self, function: Callable[[], None]) -> Reply:
        """Have the loop call what changes a sweep, and wait for it; the reply says why if it was refused."""

        def recovered() -> None:
            self._recovery.once()
            function()

        return self._calls.ask(recovered)

    def _end(self) -> None:
        self._ending = True

    # From the writer's thread

    def _on_created(self, key: str, run_id: str) -> None:
        def created() -> None:
            if self._active:
                self._active.created(key, run_id)

        self._calls.call(created)

    def _on_refused(self, key: str, sentence: str) -> None:
        log.warning("the store refused a write of %s: %s", key, sentence)

        def refused() -> None:
            if self._active:
                self._active.refused(key)
            self._landscapes.refused(key, sentence)

        self._calls.call(refused)

    # Requests of clients, each in a separate thread

    def _handle_request(self, request: Request) -> Reply:
        self._idle.used()
        action = request.get("action")
        if action == "status":
            return self._status()
        if action == "launch":
            spec = parse(str(request["spec"]), accepted_with=request.get("modules"))
            self._checker.refuse_broken(spec)
            sweep = store_sweep(self.uri, spec, self._checker.known_seconds(spec))
            self._calls.call(self._poll)
            return {"sweep": sweep}
        if action == "check":
            wait = float(request.get("wait", 0.0))
            return self._checker.check(str(request["spec"]), wait, accepted_with=request.get("modules"))
        if action == "overfit":
            wait, act = float(request.get("wait", 0.0)), str(request.get("act", "ask"))
            return self._overfit_tests.answer(str(request["spec"]), act, wait, accepted_with=request.get("modules"))
        if action in COMMANDS or action == STOP_RUN:
            target, command_id = str(request["target"]), str(request["id"])
            arguments = dict(request.get("arguments") or {})
            reply = self._ask(lambda: self._commands.obey(action, target, command_id, now_ms(), arguments))
            self._calls.call(self._poll)
            return self._once_stored(reply)
        if action == "edit":
            return self._edit(request)
        if action == "clean":
            return self._edits.clean(str(request["sweep"]), str(request["what"]))
        if action == "landscape":
            return self._landscapes.answer(str(request["run"]), str(request.get("act", "ask")))
        if action == "mlflow_ui":
            return self._ui.open()
        if action == "shutdown":
            self._calls.call(self._end)
            return {}
        raise ValueError(
            f"action: {action!r} is not known; allowed: status, launch, check, overfit, {', '.join(COMMANDS)}, "
            f"{STOP_RUN}, edit, clean, landscape, mlflow_ui, shutdown"
        )

    def _edit(self, request: Request) -> Reply:
        tags = dict(request.get("tags") or {})
        if request.get("experiment"):
            return self._edits.edit_experiment(str(request["experiment"]), tags)
        runs = [str(run) for run in request["runs"]]
        return self._once_stored(
            self._edits.edit(runs, tags, list(request.get("removed") or ()), request.get("change"))
        )

    def _once_stored(self, reply: Reply) -> Reply:
        """The reply to a request that was queued for the store, with a warning if it is not stored soon."""
        if "error" in reply or self._writer.flush(5.0):
            return reply
        return {"warning": self._writer.problem or "the store is slow; what you did is kept until it can be written"}

    def _status(self) -> Reply:
        active = self._active
        return {
            "pid": os.getpid(),
            "started": self._started,
            "problem": self._writer.problem or self._unreadable,
            "active": [active.sweep] if active else [],
            "workers": len(self._workers.pids),
            "worker_pids": self._workers.pids,
            "backlog": self._writer.backlog,
        }

    # Looking at the store, in the loop

    def _poll(self) -> None:
        """Obey the commands that clients without a socket left in the store, and begin the next queued sweep."""
        self._next_poll = time.monotonic() + POLL_SECONDS
        try:
            self._recovery.once()
            version = self._stored.version()
            if version == self._seen_version:
                return
            self._commands.obey_left()
            if self._active is None:
                self._begin_next()
            self._seen_version = version
            self._unreadable = None
        except Exception as error:
            expected = isinstance(error, StoreError)
            problem = str(error) if expected else f"the store cannot be read: {error}"
            if problem != self._unreadable:
                log.error("%s", problem, exc_info=not expected)
            self._unreadable = problem

    def _begin_next(self) -> None:
        if self._writer.problem or not self._writer.flush(0.0):
            return  # what is still unwritten may change the queue
        queued = [
            (int(tags.get(schema.QUEUED_AT, "0")), place, sweep)
            for place, (sweep, tags) in enumerate(self._stored.sweeps().items())
            if tags.get(schema.STATE) == State.QUEUED and self._lease.claim(sweep, tags)
        ]
        if queued:
            self._begin(min(queued)[2])

    def _begin(self, sweep: str) -> None:
        """Make a sweep of the store the active one and continue it from what the store holds."""
        try:
            stored = self._stored.load(sweep)
        except StoreError:
            raise
        except (ValueError, OSError) as error:
            log.exception("cannot begin %s", sweep)
            text = f"It cannot be begun: {error}"
            self._commands.set_state(sweep, State.FAILED, text)
            self._alerts.send({"event": "failed", "sweep": sweep, "name": self._stored.name(sweep), "text": text})
            return
        for old, new in stored.superseded:
            self._writer.set_tags(old, {schema.SUPERSEDED_BY: new})
        self._active = ActiveSweep(stored, self._resources)
        self._lease.write(sweep)
        self._active.begin()


def _git_commit() -> str:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, timeout=5)
        return git.stdout.strip() if git.returncode == 0 else ""
    return ""


def serve(uri: str) -> int:
    """Serve a store until the service ends.

    Returns:
        an exit code: 0, also when another process is the service already; 2 when the store cannot be used
    """
    folder = state_folder(uri)
    try:
        hold = Hold(folder)
    except BlockingIOError:
        return 0
    user_models.background = True  # a module that is being edited keeps nobody waiting
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    problem = folder / PROBLEM_FILE
    problem.unlink(missing_ok=True)
    for scratch in folder.glob("scratch-*"):  # of services that were killed
        shutil.rmtree(scratch, ignore_errors=True)
    try:
        Service(uri, hold).run()
    except StoreError as error:
        problem.write_text(str(error))
        log.error("%s", error)
        hold.release()
        return 2
    return 0
