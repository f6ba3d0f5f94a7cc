"""Artifacts that lie in a folder of this machine: written, listed and read as plain files.

Every path must resolve, symbolic links included, under the run's own folder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd

from tracking.frames import TEXT, table
from tracking.kill_points import reached
from tracking.store import StoreError

OUTSIDE = "The artifact path {!r} leads out of the run's artifacts; allowed: a path inside them."
_COLUMNS = {"path": TEXT, "size": "int64"}


def local_root(artifact_uri: str) -> Path | None:
    """The folder of a run's artifacts, None if they are not on this machine."""
    parts = urlsplit(artifact_uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    return Path(artifact_uri) if artifact_uri.startswith("/") else None


def resolve(root: Path, path: str) -> Path:
    """The file of an artifact. Raises StoreError if the path leads out of the folder."""
    folder = root.resolve()
    file = (folder / path).resolve()
    if not path or not file.is_relative_to(folder) or file == folder:
        raise StoreError(OUTSIDE.format(path))
    return file


def put(root: Path, path: str, source: Path) -> None:
    """Store a copy of a file, whole or not at all."""
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
    found = []
    for file in _files(root):
        real = file.resolve()
        if real.is_relative_to(folder) and real.is_file():
            found.append((file.relative_to(root).as_posix(), real.stat().st_size))
    return sorted(found)


def table_from(rows: list[tuple[str, int]]) -> pd.DataFrame:
    """[path, size]"""
    return table(rows, _COLUMNS)


def table_of(root: Path) -> pd.DataFrame:
    """[path, size] of a folder."""
    return table_from(listing(root))


def read(root: Path, path: str) -> bytes:
    """The content of an artifact. Raises FileNotFoundError or StoreError."""
    file = resolve(root, path)
    if not file.is_file():
        raise FileNotFoundError(f"The run has no artifact {path!r}.")
    return file.read_bytes()
