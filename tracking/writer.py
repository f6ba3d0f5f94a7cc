"""Writing sweeps and runs to MLflow: one thread, in batches, in order, through a full disk or an absent server.

Callers only queue and never wait for the store. A failure that may pass (full disk, lock, read-only file, absent
server) holds the queue, is reported by `Writer.problem` and tried again; a value that the store will never take is
reported to `on_refused`, and nothing else is lost with it. Every step may be repeated without doubling anything: MLflow
identifies a metric by its key, step, time and value, and a run is created with a ticket, by which a creation whose
answer was lost is found again.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tracking import _calls, _mlflow, schema
from tracking._calls import Item, NewRun, create_sweep, cut, set_experiment_tags, set_tags
from tracking._ops import Change, Dataset, File, Log, Op, Start, Status, chunks
from tracking.kill_points import reached
from tracking.schema import OUTCOME_TO_STATUS, STATE_TO_STATUS, Outcome, State
from tracking.store import StoreError, ensure_store, explain, sqlite_path

__all__ = ["NewRun", "Writer", "create_sweep", "set_experiment_tags", "set_tags"]

MAX_PARAM = 6000
"""Characters of a param's value, as MLflow allows."""
_BACK_OFF = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
_SLOW = 3.0
_ENDED = {"FINISHED", "FAILED", "KILLED"}
_log = logging.getLogger(__name__)


class _RefusedError(Exception):
    """The store will never take this."""


class _GoneError(_RefusedError):
    """The store will never take anything of this run: it was deleted, or never created."""


class _BlockedError(Exception):
    """The store takes nothing now."""


class Writer:
    """The one writer of a service. Its methods queue and return at once; a thread stores what is queued.

    A `key` is the name that the caller gave to a run in `start_run`, or the id of a run that exists.

    Args:
        uri: The tracking URI.
        on_created: Called with key and run id as soon as a run exists (in the writer's thread).
        on_refused: Called with key and a sentence when the store will never take something (in the writer's thread).
        interval: Seconds between two batches.
    """

    def __init__(
        self,
        uri: str,
        on_created: Callable[[str, str], None],
        on_refused: Callable[[str, str], None],
        interval: float = 0.5,
    ) -> None:
        self._uri = uri
        self._on_created = on_created
        self._on_refused = on_refused
        self._interval = interval
        self._changed = threading.Condition()
        self._queue: deque[Op] = deque()
        self._number = 0
        self._hurry = False
        self._closing = False
        self._abandoned = threading.Event()
        self._problem: str | None = None
        self._call_start: float | None = None
        self._ids: dict[str, str] = {}
        self._artifact_uris: dict[str, str] = {}
        self._ready = False
        self._was_ready = False
        self._dead: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)

    # What callers use, from any thread

    def start(self) -> None:
        """Start the thread that stores."""
        self._thread.start()

    def close(self, timeout: float) -> bool:
        """Store what is queued, then end the thread; False if something is still queued after `timeout` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        self._abandoned.set()
        return self.backlog == 0

    @property
    def problem(self) -> str | None:
        """Why nothing can be stored now, None while all is well."""
        start = self._call_start
        if self._problem is None and start is not None and time.monotonic() - start > _SLOW:
            return explain(TimeoutError(f"it has not answered for {time.monotonic() - start:.0f} s"), self._uri)
        return self._problem

    @property
    def backlog(self) -> int:
        """How many operations wait to be stored."""
        with self._changed:
            return sum(not op.done for op in self._queue)

    def flush(self, timeout: float) -> bool:
        """Wait until all that is queued now is stored or refused; False if `timeout` seconds pass first."""
        with self._changed:
            last = self._number
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._queue or self._queue[0].number > last, timeout)

    def start_run(self, key: str, run: NewRun) -> None:
        """Create a run with its params and status RUNNING; params too long for MLflow are stored as files."""
        params, files = [], []
        for name, value in run.params.items():
            if len(value) > MAX_PARAM:
                path = f"params/{name.replace('/', '_')}.txt"
                files.append(File(key, path=path, text=value))
                value = f"({len(value)} characters, whole in {path})"
            params.append(Item("param", name, value))
        self._put(Start(key, run=run), Log(key, items=params), *files)

    def log_metrics(self, key: str, metrics: Mapping[str, float], step: int, time_ms: int) -> None:
        """Store values of one step (epoch), without those that are not finite: MLflow would rank -inf first."""
        items = [
            Item("metric", name, float(value), time_ms, step) for name, value in metrics.items() if math.isfinite(value)
        ]
        if items:
            self._put(Log(key, items=items))

    def set_tags(self, key: str, tags: Mapping[str, str]) -> None:
        """Set or replace tags."""
        if tags:
            self._put(Log(key, items=[Item("tag", name, cut(value)) for name, value in tags.items()]))

    def log_file(self, key: str, local: Path, artifact_path: str, delete: bool = False) -> None:
        """Store a copy of a file as an artifact; `delete` the file afterwards."""
        self._put(File(key, path=artifact_path, local=local, delete=delete))

    def log_text(self, key: str, text: str, artifact_path: str) -> None:
        """Store a text as an artifact, replacing one that is there."""
        self._put(File(key, path=artifact_path, text=text))

    def log_dataset(self, key: str, dataset: Mapping[str, Any]) -> None:
        """Store what data the run used: name, digest, source, profile (a dict), context (such as "training")."""
        self._put(Dataset(key, dataset=dataset))

    def remove_tag(self, key: str, tag: str) -> None:
        """Remove a tag, if the run has it."""
        self._put(Change(key, what="untag", tag=tag))

    def delete(self, run_id: str) -> None:
        """Delete a run as MLflow does: it is hidden, and can be restored."""
        self._put(Change(run_id, what="delete"))

    def restore(self, run_id: str) -> None:
        """Restore a deleted run."""
        self._dead.discard(run_id)
        self._put(Change(run_id, what="restore"))

    def end(self, key: str, outcome: Outcome, tags: Mapping[str, str], end_time: int) -> None:
        """End a run; its tags and all that was queued before are stored before its status changes."""
        self.set_tags(key, {**tags, schema.OUTCOME: outcome.value})
        self._put(Status(key, status=OUTCOME_TO_STATUS[outcome], end_time=end_time))

    def set_state(self, run_id: str, state: State) -> None:
        """Set a sweep's state as soon as everything queued before is stored."""
        status = STATE_TO_STATUS[state]
        end_time = time.time_ns() // 1_000_000 if status in _ENDED else None
        tag = Item("tag", schema.STATE, state.value)
        self._put(Log(run_id, items=[tag], barrier=True), Status(run_id, status=status, end_time=end_time))

    def _put(self, *ops: Op) -> None:
        with self._changed:
            assert not self._closing, "the writer is closed"
            for op in ops:
                self._number += 1
                op.number = self._number
                self._queue.append(op)
            self._changed.notify_all()

    # What only the thread does

    def _work(self) -> None:
        failures = 0
        last = 0.0
        with suppress(Exception):  # importing mlflow takes seconds: better now than when the first run is written
            _mlflow.client(self._uri)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._queue) or self._closing)
                if not self._queue:
                    return
                self._changed.wait_for(
                    lambda: self._hurry or self._closing, max(0.0, last + self._interval - time.monotonic())
                )
                self._hurry = False
                ops = list(self._queue)
            last = time.monotonic()
            try:
                self._store(ops)
                failures = 0
            except _BlockedError as blocked:
                self._problem = str(blocked)
                delay = _BACK_OFF[min(failures, len(_BACK_OFF) - 1)]
                failures += 1
                if self._abandoned.wait(delay):
                    return
            except Exception as error:
                _log.exception("The writer failed")
                self._problem = f"The writer has a fault of its own: {type(error).__name__}: {error}"
                if self._abandoned.wait(_BACK_OFF[-1]):
                    return
            finally:
                with self._changed:
                    self._queue = deque(op for op in self._queue if not op.done)
                    self._changed.notify_all()
            if self._abandoned.is_set():
                return

    def _store(self, ops: list[Op]) -> None:
        part: list[Op] = []
        for op in ops:
            if isinstance(op, Log) and op.barrier:
                self._store_runs(part)
                part = []
            part.append(op)
        self._store_runs(part)

    def _store_runs(self, ops: list[Op]) -> None:
        runs: dict[str, list[Op]] = {}
        for op in ops:
            runs.setdefault(op.key, []).append(op)
        for key, run_ops in runs.items():
            self._store_run(key, run_ops)

    def _store_run(self, key: str, ops: list[Op]) -> None:
        logs: list[Log] = []
        try:
            for op in ops:
                if key in self._dead:
                    break
                if isinstance(op, Log):
                    logs.append(op)
                    continue
                self._log(key, logs)
                logs = []
                self._one(key, op)
                op.done = True
            self._log(key, logs)
        except _GoneError as gone:
            self._dead.add(key)
            self._report(self._on_refused, key, str(gone))
        if key in self._dead:
            for op in ops:
                op.done = True

    def _one(self, key: str, op: Op) -> None:
        try:
            match op:
                case Start():
                    self._create(op)
                case File():
                    self._file(key, op)
                case Dataset():
                    self._call(_calls.log_dataset, self._ids.get(key, key), op.dataset)
                case Change():
                    self._call(_calls.change, self._ids.get(key, key), op.what, op.tag)
                case Status():
                    reached("before a status")
                    self._call(_calls.set_status, self._ids.get(key, key), op.status, op.end_time)
        except _GoneError:
            raise
        except _RefusedError as refused:
            if isinstance(op, Start):
                raise _GoneError(str(refused)) from refused
            self._raise_if_gone(key)
            self._report(self._on_refused, key, str(refused))

    def _create(self, op: Start) -> None:
        run = self._call(_calls.find_run, op.run.experiment_id, op.ticket) if op.tried else None
        op.tried = True
        if run is None:
            run = self._call(_calls.create_run, op.run, op.ticket)
            reached("run created")
        self._ids[op.key] = run.info.run_id
        self._artifact_uris[op.key] = run.info.artifact_uri
        self._report(self._on_created, op.key, run.info.run_id)

    def _log(self, key: str, ops: list[Log]) -> None:
        for items, complete in chunks(ops):
            if items:
                self._log_items(key, items)
            for op in complete:
                op.done = True

    def _log_items(self, key: str, items: list[Item], checked: bool = False) -> None:
        """Store items in one call, or in as many as it takes to find the item that the store refuses."""
        try:
            self._call(_calls.log_batch, self._ids.get(key, key), items)
        except _RefusedError as refused:
            if not checked:
                self._raise_if_gone(key)
            if len(items) == 1:
                self._report(self._on_refused, key, f"{items[0].kind} {items[0].key}: {refused}")
                return
            middle = len(items) // 2
            self._log_items(key, items[:middle], checked=True)
            self._log_items(key, items[middle:], checked=True)

    def _file(self, key: str, op: File) -> None:
        if op.local is not None and not (op.local.is_file() and os.access(op.local, os.R_OK)):
            raise _RefusedError(f"the file {op.local} does not exist, or may not be read.")
        run_id = self._ids.get(key, key)
        if key not in self._artifact_uris:
            run = self._call(lambda client: client.get_run(run_id))
            self._artifact_uris[key] = run.info.artifact_uri
        source = op.text if op.local is None else op.local
        self._call(_calls.put_file, run_id, self._artifact_uris[key], op.path, source)
        if op.delete and op.local is not None:
            try:
                op.local.unlink(missing_ok=True)
            except OSError:
                _log.warning("%s cannot be deleted", op.local)

    def _raise_if_gone(self, key: str) -> None:
        run_id = self._ids.get(key, key)
        try:
            run = self._call(lambda client, name: client.get_run(name), run_id)
        except _RefusedError as refused:
            raise _GoneError(f"the run {run_id} does not exist.") from refused
        if run.info.lifecycle_stage != "active":
            raise _GoneError(f"the run {run_id} was deleted.")

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self._abandoned.is_set():
            raise _BlockedError("The writer was closed.")
        self._call_start = time.monotonic()
        try:
            self._open()
            result = function(_mlflow.client(self._uri), *arguments)
        except _BlockedError:
            raise
        except Exception as error:
            if _calls.is_permanent(error):
                raise _RefusedError(_calls.refusal(error)) from error
            self._ready = False
            if sqlite_path(self._uri) is not None:
                _mlflow.forget_connections(self._uri)
            raise _BlockedError(explain(error, self._uri)) from error
        finally:
            self._call_start = None
        self._problem = None
        return result

    def _open(self) -> None:
        if self._ready:
            return
        path = sqlite_path(self._uri)
        if path is not None and self._was_ready and not path.exists():
            raise _BlockedError(f"The store {path} is no longer there: put it back.")
        try:
            # MLflow itself would try for minutes to open a file that it cannot.
            ensure_store(self._uri)
        except StoreError as error:
            raise _BlockedError(str(error)) from error
        self._ready = self._was_ready = True

    def _report(self, listener: Callable[[str, str], None], key: str, text: str) -> None:
        try:
            listener(key, text)
        except Exception:
            _log.exception("A listener of the writer failed")
