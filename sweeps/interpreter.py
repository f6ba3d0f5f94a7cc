"""How processes of ours are started: none of them imports from the current directory.

A user's project may well have a folder `data`, `app` or `tests`, and these are names of ours. `python -m ...` and
`python -c ...` look into the current directory first, and so does each process that multiprocessing starts from there.
With `-P` they do not, and multiprocessing hands that on. Imports nothing but the standard library.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
"""The folder that our packages lie in."""


def command(module: str, *arguments: str) -> list[str]:
    """The command line of a process of its own that runs a module."""
    return [sys.executable, "-P", "-m", module, *arguments]


def leave_current_directory() -> None:
    """Start this process again, with `-P`, unless what the current directory holds is ours anyway."""
    if not sys.flags.safe_path and not _at_root():
        os.execv(sys.executable, [sys.executable, "-P", *sys.orig_argv[1:]])


def _at_root() -> bool:
    try:
        return Path.cwd() == ROOT
    except OSError:  # the folder has been deleted
        return False
