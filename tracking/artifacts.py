"""The artifacts of runs: stored, listed, read and deleted, and how much of the disk those of a sweep take.

Where they lie in a folder of this machine, they are plain files: every path must resolve, symbolic links included,
to a place in the folder of the run.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pandas as pd

from tracking.frames import TEXT, Reader, table
from tracking.kill_points import reached
from tracking.store import StoreError, explain

OUTSIDE = "The artifact path {!r} leads out of the run's artifacts; allowed: a path inside them."
_FILES: dict[str, Any] = {"path": TEXT, "size": "int64"}
_FILES_OF_RUNS: dict[str, Any] = {"run_id": TEXT, **_FILES}


# Files in a folder of this machine


def local_root(artifact_uri: str) -> Path | None:
    """The folder of a run's artifacts, None if they are not on this machine."""
    parts = urlsplit(artifact_uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    return Path(artifact_uri) if artifact_uri.startswith("/") else None


def resolve(root: Path, path: str) -> Path:
    """The file of an artifact in a run's folder. Raises StoreError if the path leads out of the folder."""
    folder = root.resolve()
    file = (folder / path).resolve()
    if not path or not file.is_relative_to(folder) or file == folder:
        raise StoreError(OUTSIDE.format(path))
    return file


def put(root: Path, path: str, source: Path) -> None:
    """Store a copy of a file as an artifact, whole or not at all."""
    file = resolve(root, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".part-", dir=file.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as target, source.open("rb") as reader:
            shutil.copyfileobj(reader, target)
        part.chmod(0o644)
        reached("inside a rename")
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _files(folder: Path) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif not entry.name.startswith(".part-"):
            yield Path(entry.path)


def listing(root: Path) -> list[tuple[str, int]]:
    """The relative path and size of each file, sorted; what leads out of the folder is left out."""
    if not root.is_dir():
        return []
    folder = root.resolve()
    rows = []
    for file in _files(root):
        real = file.resolve()
        if real.is_relative_to(folder) and real.is_file():
            rows.append((file.relative_to(root).as_posix(), real.stat().st_size))
    return sorted(rows)


def read(root: Path, path: str) -> bytes:
    """The content of an artifact. Raises FileNotFoundError or StoreError."""
    file = resolve(root, path)
    if not file.is_file():
        raise FileNotFoundError(f"The run has no artifact {path!r}.")
    return file.read_bytes()


# Files of a store, wherever they lie


def files_table(rows: Iterable[tuple[str, int]]) -> pd.DataFrame:
    """The frame [path, size (bytes)] of these artifacts of one run."""
    return table(rows, _FILES)


def usage(reader: Reader, sweep: str) -> pd.DataFrame | None:
    """The files of a sweep and of its runs, superseded ones included, deleted ones left out.

    Returns:
        [run_id, path, size (bytes)], the sweep's own files first; None if one of these runs keeps its files elsewhere
        (a server, a cloud store), where listing them would take a request for each folder of each run.

    Raises:
        StoreError: the store cannot be read.
    """
    rows: list[tuple[str, str, int]] = []
    for runs in (reader.runs(run_ids=[sweep]), reader.runs(sweep=sweep)):
        for run_id, uri in zip(runs["run_id"], runs["artifact_uri"], strict=True):
            root = local_root(str(uri))
            if root is None:
                return None
            rows += [(str(run_id), path, size) for path, size in listing(root)]
    return table(rows, _FILES_OF_RUNS)


def remove_artifacts(reader: Reader, run_ids: Iterable[str], artifact: str) -> int:
    """Delete one artifact of each of these runs, or all their artifacts if `artifact` is empty.

    Returns:
        How many bytes that freed.

    Raises:
        StoreError: the store, or where its artifacts lie, cannot be reached.
    """
    uris = reader.runs(run_ids=run_ids, deleted=True).set_index("run_id")["artifact_uri"]
    return sum(_remove(reader, str(run_id), str(uri), artifact) for run_id, uri in uris.items())


def _remove(reader: Reader, run_id: str, artifact_uri: str, artifact: str) -> int:
    files = reader.artifacts(run_id)
    files = files[(files["path"] == artifact) | (artifact == "")]
    if files.empty:
        return 0
    root = local_root(artifact_uri)
    try:
        if root is None:
            _remove_remote(reader.uri, artifact_uri, list(files["path"]))
        elif artifact:
            resolve(root, artifact).unlink(missing_ok=True)
        else:
            shutil.rmtree(root)
    except Exception as error:
        raise StoreError(f"The files of run {run_id} cannot be deleted: {explain(error, reader.uri)}") from error
    return int(files["size"].sum())


def _remove_remote(uri: str, artifact_uri: str, paths: list[str]) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(artifact_uri, tracking_uri=uri)
    for path in paths:
        repository.delete_artifacts(path)  # type: ignore[no-untyped-call]
