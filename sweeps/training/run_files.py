"""The files that a run which ended ok leaves behind: its weights, and the arrays that it gathered."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from sweeps.training.recorders import Recorded
from sweeps.training.reports import Report
from tracking import schema


def _save(artifact: str, content: str, write: Callable[[IO[bytes]], None], scratch: Path, report: Report) -> str | None:
    """Write a file and report it; a sentence if that fails, for what was measured is worth keeping."""
    path = None
    try:
        with tempfile.NamedTemporaryFile(dir=scratch, suffix=Path(artifact).suffix, delete=False) as file:
            path = Path(file.name)
            write(file)
    except (OSError, RuntimeError) as error:
        if path is not None:
            path.unlink(missing_ok=True)
        return f"The {content} could not be saved: {error}."
    report("file", {"path": str(path), "artifact": artifact})
    return None


def _write_weights(weights: Mapping[str, Tensor], file: IO[bytes]) -> None:
    torch.save({name: tensor.cpu() for name, tensor in weights.items()}, file)


def save_files(
    weights: Mapping[str, Tensor] | None, files: Iterable[Recorded], scratch: Path, report: Report
) -> list[str]:
    """Write what a run leaves behind and report each file; a sentence for each that could not be written.

    Args:
        weights: Of the best epoch, which are written for any device; None if they are not to be kept.
        files: What the recorders of the run leave.
        scratch: The folder to write to.
        report: Called with "file" (path, artifact).
    """
    problems = []
    if weights is not None:
        problems.append(_save(schema.WEIGHTS_FILE, "weights", partial(_write_weights, weights), scratch, report))
    for artifact, words, arrays in files:
        write = partial(np.savez_compressed, **arrays)  # type: ignore[arg-type]
        problems.append(_save(artifact, words, write, scratch, report))
    return [problem for problem in problems if problem]
