"""The private folders of the user in which the service and the pages keep their state."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


class StateFolderError(RuntimeError):
    """The folder for the lock and the socket cannot be used; the message says why."""


def state_folder(uri: str) -> Path:
    """The folder of a store's lock, lease, socket and log: made if missing, and closed to other users.

    Raises:
        StateFolderError: it belongs to another user or lets others in
    """
    return private_folder(hashlib.sha256(uri.encode()).hexdigest()[:12])


def private_folder(name: str) -> Path:
    """A folder in which this program keeps state on this machine: made if missing, and closed to other users.

    Raises:
        StateFolderError: it belongs to another user or lets others in
    """
    base = os.environ.get("SWEEPBOARD_STATE")
    root = Path(base) if base else Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "sweepboard"
    folder = root / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    info = folder.stat()
    if info.st_uid != os.getuid() or info.st_mode & 0o077:
        raise StateFolderError(
            f"{folder} must belong to you alone (owner you, mode 700); it has mode {info.st_mode & 0o777:o}"
        )
    return folder
