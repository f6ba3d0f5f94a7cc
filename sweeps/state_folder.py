"""Folders of the user that hold what the service and the pages keep: the user's alone."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


class StateFolderError(RuntimeError):
    """The folder for the lock and the socket cannot be used; the message says why."""


def state_folder(uri: str) -> Path:
    """The folder of a store's lock, lease, socket and log: made if missing, and the user's alone.

    Raises:
        StateFolderError: it belongs to somebody else or lets others in
    """
    return own_folder(hashlib.sha256(uri.encode()).hexdigest()[:12])


def own_folder(name: str) -> Path:
    """A folder of the program's on this machine: made if missing, and the user's alone.

    Raises:
        StateFolderError: it belongs to somebody else or lets others in
    """
    base = os.environ.get("SWEEPBOARD_STATE")
    root = Path(base) if base else Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "sweepboard"
    folder = root / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seen = folder.stat()
    if seen.st_uid != os.getuid() or seen.st_mode & 0o077:
        raise StateFolderError(
            f"{folder} must belong to you alone (owner you, mode 700); it has mode {seen.st_mode & 0o777:o}"
        )
    return folder
