"""How the processes of this program are started: none of them imports from the current directory.

A user's project may well have a folder `data`, `app` or `tests`, and so has this program. `python -m ...` and
`python -c ...` search the current directory first, and so does each process that multiprocessing starts from there.
With `-P` they do not, and multiprocessing hands that on. Imports nothing but the standard library.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
"""The folder that the packages of this program lie in."""


def command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module in a new process."""
    return [sys.executable, "-P", "-m", module, *arguments]


def leave_current_directory() -> None:
    """Start this process again with `-P`, unless it has that or the current directory is this program's root."""
    if not sys.flags.safe_path and not _at_root():
        os.execv(sys.executable, [sys.executable, "-P", *sys.orig_argv[1:]])


def _at_root() -> bool:
    try:
        return Path.cwd() == ROOT
    except OSError:  # the folder has been deleted
        return False
