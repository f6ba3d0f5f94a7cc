"""The files by which long runs go on after a kill: one per run under way, in a folder beside the store's lock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


class ResumeFiles:
    """The resume files of one store.

    Args:
        folder: where they lie; made if missing
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def path(self, sweep: str, trial: int, seed: int) -> Path:
        """Where a run leaves what it needs to go on, whether or not it has left anything yet."""
        return self._folder / f"{sweep}-{trial}-{seed}.pt"

    def remove(self, of_sweep: Callable[[str], bool]) -> None:
        """Remove the files of every sweep for whose id the function returns True."""
        for path in self._folder.iterdir():
            if of_sweep(path.name.partition("-")[0]):
                path.unlink(missing_ok=True)
