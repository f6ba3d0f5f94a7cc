"""The place of a store: its tracking URI, how an SQLite store is made, and what is wrong with a store.

A store is never migrated here: that can take long and cannot be undone, so its owner does it with `mlflow db upgrade`.
"""

from __future__ import annotations

import errno
import fcntl
import importlib.util
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tracking import _mlflow
from tracking._sqlite import query
from tracking.schema import MASK, secret_like

ROOT = Path(__file__).resolve().parent.parent
_SQLITE = re.compile(r"sqlite(\+\w+)?://(?P<rest>.*)", re.DOTALL)


class StoreError(ValueError):
    """What is wrong with the store, in one sentence for the user."""


def scrub(uri: str) -> str:
    """The URI as it may be shown: without user and password, passwords in its query masked."""
    if "://" not in uri:
        return uri
    scheme, _, rest = uri.partition("://")
    end = re.search(r"[/?#]", rest)
    authority, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    # A password may hold a slash that was never percent-encoded: what stands before the last @ is hidden anyway.
    if "@" in rest and not scheme.startswith(("sqlite", "file")):
        authority, tail = "", rest.rpartition("@")[2]
    shown = re.sub(r"([?&])([^=&#]+)=([^&#]*)", lambda m: f"{m[1]}{m[2]}={MASK if secret_like(m[2]) else m[3]}", tail)
    return f"{scheme}://{authority}{shown}"


def sqlite_uri(path: Path) -> str:
    """The tracking URI of an SQLite file."""
    return "sqlite:///" + str(path.absolute()).replace("%", "%25").replace("?", "%3F")


def sqlite_path(uri: str) -> Path | None:
    """The absolute path of an SQLite store's file; None for every other store."""
    match = _SQLITE.fullmatch(uri)
    if not match:
        return None
    name = unquote(match["rest"].partition("?")[0])[1:]
    return Path(name).absolute() if name not in ("", ":memory:") else None


def default_uri() -> str:
    """MLFLOW_TRACKING_URI, or the SQLite file `mlflow.db` at the repository's root."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    if not uri:
        return sqlite_uri(ROOT / "mlflow.db")
    path = sqlite_path(uri)
    # The service runs in another directory: a relative path would mean another file there.
    return uri if path is None or "?" in uri else sqlite_uri(path)


def artifact_root(uri: str) -> str | None:
    """Where a store's artifacts lie, as a file URI: `mlartifacts/` beside an SQLite file. None: the server decides."""
    path = sqlite_path(uri)
    return None if path is None else (path.parent / "mlartifacts").as_uri()


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, then what caused it, and so on to the first cause."""
    visited: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in visited:
        visited.add(id(current))
        yield current
        original = getattr(current, "orig", None)
        current = original if isinstance(original, BaseException) else current.__cause__ or current.__context__


_TEXTS = (
    ("database or disk is full", "the disk is full, or the store has reached its size limit"),
    (
        "disk i/o error",
        "the disk does not take the data (full, over a quota or a limit for a file's size, or broken)",
    ),
    ("readonly database", "it is read-only"),
    ("locked", "another process keeps it locked"),
    ("no such table", "it has no MLflow tables"),
    ("unable to open database file", "the file cannot be opened"),
    ("malformed", "the file is damaged; restore a copy"),
    ("not a database", "the file is no SQLite database"),
)
_ERRNOS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a limit for the size of a file is reached",
    errno.EROFS: "it is read-only",
    errno.EACCES: "it may not be written",
    errno.EPERM: "it may not be written",
}


def explain(error: BaseException, uri: str) -> str:
    """What is wrong with a store that does not answer or cannot be written, and what to do where that is known."""
    if sqlite_path(uri) is None and (why := _unsuitable(uri)):
        return why
    where = f"The store {scrub(uri)} cannot be used now: "
    chain = list(causes(error))
    text = " ".join(str(cause) for cause in chain if isinstance(cause, sqlite3.Error)).lower()
    for piece, sentence in _TEXTS:
        if piece in text:
            return f"{where}{sentence}."
    for cause in chain:
        if type(cause).__module__.startswith(("requests", "urllib3")):
            return f"{where}the server does not answer."
        if isinstance(cause, OSError) and cause.errno in _ERRNOS:
            return f"{where}{_ERRNOS[cause.errno]}."
    status = getattr(error, "get_http_status_code", lambda: None)()
    first = " ".join(str(error).replace(uri, scrub(uri)).split())[:300] or type(error).__name__
    if sqlite_path(uri) is None and isinstance(status, int):
        return f"{where}the server answers with error {status} ({first.rstrip('.')})."
    return f"{where}{first.rstrip('.')}."


@lru_cache(maxsize=1)
def revisions() -> tuple[frozenset[str], str]:
    """Every schema revision that the installed MLflow knows, and the one that it works with, without importing it."""
    spec = importlib.util.find_spec("mlflow")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0], "store", "db_migrations", "versions")
    all_revisions: set[str] = set()
    replaced: set[str] = set()
    for file in folder.glob("*.py"):
        for down, value in re.findall(r"^(down_)?revision\b[^=\n]*=\s*(.+)$", file.read_text("utf-8"), re.MULTILINE):
            (replaced if down else all_revisions).update(re.findall(r"[\"']([^\"']+)[\"']", value))
    (head,) = all_revisions - replaced
    return frozenset(all_revisions), head


def _check(path: Path, uri: str) -> bool:
    """Whether the file is a store; raises StoreError if the installed MLflow may not write to it."""
    if not path.exists() or path.stat().st_size == 0:
        return False
    try:
        tables = {name for (name,) in query(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return False
        versions = query(path, "SELECT version_num FROM alembic_version") if "alembic_version" in tables else []
    except sqlite3.Error as error:
        raise StoreError(explain(error, uri)) from error
    if not {"alembic_version", "experiments", "runs"} <= tables or not versions:
        raise StoreError(f"The file {path} is a database, but no MLflow store: name another one.")
    all_revisions, head = revisions()
    schema = str(versions[0][0])
    if schema == head:
        return True
    text = f"The store {scrub(uri)} was written by another version of MLflow (schema {schema}, this one knows {head}): "
    if schema in all_revisions:
        raise StoreError(f"{text}it is older; back it up, then run `mlflow db upgrade {scrub(uri)}`.")
    raise StoreError(f"{text}it is newer; update MLflow, or name another store.")


def read_only_because(uri: str) -> str | None:
    """Why a store of another version of MLflow can only be read, and what its owner can do about it.

    None for a store of the installed version, for one that is not there yet, and for those of a server.
    """
    path = sqlite_path(uri)
    try:
        if path is not None:
            _check(path, uri)
    except StoreError as error:
        return str(error)
    return None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time make the store. The lock's file is removed: who still waits for it finds the store."""
    lock = path.with_name(f".{path.name}.lock")
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        lock.unlink(missing_ok=True)


def _create(path: Path, uri: str) -> None:
    root = artifact_root(uri)
    assert root is not None
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        _mlflow.prepare()
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        make: Callable[[str, str], Any] = SqlAlchemyStore
        store = make(sqlite_uri(new), root)
        store.engine.dispose()
        os.replace(new, path)
    finally:
        for rest in (new, Path(f"{new}-journal")):
            with suppress(OSError):
                rest.unlink(missing_ok=True)


def ensure_store(uri: str) -> None:
    """Make the SQLite store if there is none (seconds; the first of several processes does it, the others wait).

    Other stores are made by their servers.

    Raises:
        StoreError: the file is no store, was written by another version of MLflow, or cannot be made.
    """
    path = sqlite_path(uri)
    if path is None:
        if why := _unsuitable(uri):
            raise StoreError(why)
        return
    if _check(path, uri):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            if not _check(path, uri):
                _create(path, uri)
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(explain(error, uri)) from error


def _unsuitable(uri: str) -> str:
    """Why no store can be at this address, in one sentence; empty where one can."""
    if _SQLITE.fullmatch(uri):
        return f"The store {uri} lives in one process's memory: name a file, such as sqlite:///mlflow.db."
    scheme = urlsplit(uri).scheme
    allowed = os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1")
    if scheme in ("", "file") and not allowed:
        return (
            f"The store {uri} is a folder, which MLflow no longer writes to: name sqlite:///FILE or a server. Its runs"
            " are copied into a database by: mlflow migrate-filestore --source FOLDER --target sqlite:///FILE, where"
            " FOLDER is the one that holds mlruns."
        )
    if scheme.startswith("http") and not urlsplit(uri).hostname:
        return f"The tracking URI {scrub(uri)} names no server: write it like http://127.0.0.1:5000."
    return ""
