"""The calls to MLflow that write, one by one: each may be repeated after a failure without doubling anything."""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tracking import _mlflow, artifacts, schema
from tracking.schema import STATE_TO_STATUS, State
from tracking.store import StoreError, artifact_root, causes, ensure_store, explain

T = TypeVar("T")
MAX_TAG = 8000
"""Characters of a tag's value, as MLflow allows."""
_TRIES = 4


def cut(value: str, limit: int = MAX_TAG) -> str:
    """The value, cut with an ellipsis to the length that MLflow allows."""
    return value if len(value) <= limit else value[: limit - 1] + "…"


@dataclass(frozen=True)
class NewRun:
    """A run to be created."""

    experiment_id: str
    name: str
    tags: dict[str, str]
    params: dict[str, str]
    start_time: int
    """In milliseconds."""
    parent: str | None
    """Run id of its sweep."""

    def all_tags(self, ticket: str) -> dict[str, str]:
        """The tags to create the run with: they say from its first moment on whose run it is."""
        tags = {**self.tags, schema.RUN_NAME: self.name, schema.TICKET: ticket}
        if self.parent is not None:
            tags[schema.PARENT] = self.parent
        return {key: cut(value) for key, value in tags.items()}


@dataclass(frozen=True)
class Item:
    """One metric value, param or tag."""

    kind: str
    key: str
    value: Any
    time: int = 0
    step: int = 0


# The value is at fault, not the store.
_REFUSALS = {
    "INVALID_PARAMETER_VALUE",
    "RESOURCE_DOES_NOT_EXIST",
    "RESOURCE_ALREADY_EXISTS",
    "INVALID_STATE",
    "MALFORMED_REQUEST",
    "BAD_REQUEST",
}
_WRONG_VALUE = (TypeError, ValueError, OverflowError, AttributeError, KeyError)
_WRONG_PATH = (NotADirectoryError, IsADirectoryError, FileExistsError)


def is_permanent(error: Exception) -> bool:
    """Whether trying again is useless."""
    chain = list(causes(error))
    databases = [cause for cause in chain if isinstance(cause, sqlite3.Error)]
    if databases:
        # A damaged file is a plain DatabaseError: the store's fault, as an OperationalError is.
        return not any(type(cause) in (sqlite3.OperationalError, sqlite3.DatabaseError) for cause in databases)
    code = getattr(error, "error_code", None)
    if code in _REFUSALS:
        return True
    if isinstance(error, OSError):
        return isinstance(error, _WRONG_PATH)
    if code is None or (code == "INTERNAL_ERROR" and not hasattr(error, "json")):
        # An SQL store wraps what Python refused (a text that is no Unicode, a step beyond 64 bits); a server's own
        # error (a RestException, which has `json`) may pass.
        return isinstance(error.__cause__ or error, _WRONG_VALUE)
    return False


def find_run(client: Any, experiment_id: str, ticket: str) -> Any:
    """The run that was created with this ticket, None if there is none."""
    runs = client.search_runs([experiment_id], f"tags.{schema.TICKET} = '{ticket}'", max_results=1)
    return runs[0] if runs else None


def create_run(client: Any, run: NewRun, ticket: str) -> Any:
    """Create a run with status RUNNING, and with a ticket by which `find_run` finds it."""
    return client.create_run(run.experiment_id, start_time=run.start_time, tags=run.all_tags(ticket), run_name=run.name)


def log_batch(client: Any, run_id: str, items: list[Item]) -> None:
    """Store metric values, params and tags of one run."""
    from mlflow.entities import Metric, Param, RunTag

    client.log_batch(
        run_id,
        metrics=[Metric(item.key, item.value, item.time, item.step) for item in items if item.kind == "metric"],
        params=[Param(item.key, item.value) for item in items if item.kind == "param"],
        tags=[RunTag(item.key, item.value) for item in items if item.kind == "tag"],
    )


def change(client: Any, run_id: str, what: str, tag: str) -> None:
    """Remove a tag (`what` is "untag"), or "delete" or "restore" the run; MLflow can restore what it deletes."""
    run = client.get_run(run_id)
    if what == "untag":
        if tag in run.data.tags:
            client.delete_tag(run_id, tag)
    elif what == "delete" and run.info.lifecycle_stage == "active":
        client.delete_run(run_id)
    elif what == "restore" and run.info.lifecycle_stage != "active":
        client.restore_run(run_id)


def log_dataset(client: Any, run_id: str, dataset: Mapping[str, Any]) -> None:
    """Add a data set to the inputs of a run."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    entity = Dataset(
        name=str(dataset["name"]),
        digest=str(dataset["digest"])[:36],
        source_type="external",
        source=json.dumps({"uri": str(dataset.get("source", ""))}, ensure_ascii=False),
        profile=json.dumps(dataset.get("profile") or {}, ensure_ascii=False),
    )
    context = InputTag("mlflow.data.context", str(dataset.get("context") or "training"))
    client.log_inputs(run_id, [DatasetInput(entity, [context])])


def set_status(client: Any, run_id: str, status: str, end_time: int | None) -> None:
    """Set a run's status; an end time goes with those that are final."""
    if end_time is None:
        client.update_run(run_id, status=status)
    else:
        client.set_terminated(run_id, status=status, end_time=end_time)


def put_file(client: Any, run_id: str, artifact_uri: str, path: str, source: Path | str) -> None:
    """Store a file, or a text, as an artifact."""
    root = artifacts.local_root(artifact_uri)
    if root is not None and isinstance(source, Path):
        artifacts.put(root, path, source)
        return
    with tempfile.TemporaryDirectory() as folder:
        # MLflow keeps the local name, so the file must bear the artifact's.
        local = Path(folder, Path(path).name)
        if isinstance(source, str):
            local.write_text(source, "utf-8")
        else:
            local.symlink_to(source.absolute())
        if root is None:
            client.log_artifact(run_id, str(local), str(Path(path).parent).removeprefix(".") or None)
        else:
            artifacts.put(root, path, local)


def refusal(error: Exception) -> str:
    """What MLflow says against a call, on one line."""
    return " ".join(str(getattr(error, "message", None) or error).split())[:500]


def _experiment(client: Any, uri: str, name: str) -> str:
    """The id of an experiment; it is created if there is none, by the first process that asks."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        root = artifact_root(uri)
        if root is not None:
            words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "experiment"
            root = f"{root}/{words}-{secrets.token_hex(3)}"
        try:
            return str(client.create_experiment(name, root, {schema.EXPERIMENT_KIND: schema.MODEL_TRAINING}))
        except Exception as error:
            if getattr(error, "error_code", None) != "RESOURCE_ALREADY_EXISTS":
                raise
        experiment = client.get_experiment_by_name(name)
    if experiment is None or experiment.lifecycle_stage != "active":
        raise StoreError(f"The experiment {name!r} was deleted: choose another name, or restore it in MLflow.")
    return str(experiment.experiment_id)


def _patiently(call: Callable[[], T], uri: str) -> T:
    """The result of a call, repeated while another process holds the store; other failures become a StoreError."""
    for attempt in range(_TRIES):
        try:
            return call()
        except StoreError:
            raise
        except Exception as error:
            locked = any(
                isinstance(cause, sqlite3.OperationalError) and "locked" in str(cause) for cause in causes(error)
            )
            if locked and attempt + 1 < _TRIES:
                time.sleep(0.2 * 2**attempt)
                continue
            raise StoreError(refusal(error) if is_permanent(error) else explain(error, uri)) from error
    raise AssertionError("unreachable")


def set_tags(uri: str, run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of a run at once, without a `Writer`: for commands to a service that has no socket.

    Raises:
        StoreError: the store cannot be written, or there is no such run.
    """
    ensure_store(uri)
    client = _patiently(lambda: _mlflow.client(uri), uri)
    items = [Item("tag", key, cut(value)) for key, value in tags.items()]
    _patiently(lambda: log_batch(client, run_id, items), uri)


def set_experiment_tags(uri: str, experiment_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of an experiment at once.

    Raises:
        StoreError: the store cannot be written, or there is no such experiment.
    """
    ensure_store(uri)
    client = _patiently(lambda: _mlflow.client(uri), uri)
    for key, value in tags.items():
        _patiently(partial(client.set_experiment_tag, experiment_id, key, cut(value)), uri)


def create_sweep(
    uri: str, *, experiment: str, name: str, note: str, tags: dict[str, str], files: dict[str, str]
) -> str:
    """Write a sweep into the store: first as a draft, then, when all of it is there, as queued.

    Args:
        uri: The tracking URI; an SQLite store is made if there is none.
        experiment: Name of the experiment, created if there is none.
        name: Name of the sweep.
        note: Its question.
        tags: Further tags.
        files: Artifacts, path -> text.

    Returns:
        The run id of the parent run, which is the sweep's.

    Raises:
        StoreError: the store cannot be written. Nothing queued is left behind.
    """
    ensure_store(uri)
    client = _patiently(lambda: _mlflow.client(uri), uri)
    experiment_id = _patiently(lambda: _experiment(client, uri, experiment), uri)
    draft = {**tags, schema.KIND: schema.SWEEP_KIND, schema.STATE: State.DRAFT.value, schema.NOTE: note}
    new = NewRun(experiment_id, name, draft, {}, time.time_ns() // 1_000_000, None)
    run = _patiently(lambda: create_run(client, new, secrets.token_hex(8)), uri)
    run_id = str(run.info.run_id)
    try:
        _patiently(lambda: set_status(client, run_id, STATE_TO_STATUS[State.DRAFT], None), uri)
        for path, text in files.items():
            _patiently(partial(put_file, client, run_id, run.info.artifact_uri, path, text), uri)
        queued = [Item("tag", schema.SWEEP, run_id), Item("tag", schema.STATE, State.QUEUED.value)]
        _patiently(lambda: log_batch(client, run_id, queued), uri)
    except StoreError:
        with suppress(Exception):
            client.delete_run(run_id)
        raise
    return run_id
