"""The kinds of job that a worker can do, by the names that `Job.kind` gives them.

Each reports while it works, and returns how it ended whatever happens: the worker goes on with its next job.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from sweeps.training.crashes import why_crashed
from sweeps.training.landscape import EndedError, landscape
from sweeps.training.overfit import overfit
from sweeps.training.overfit_attempt import AbandonedError
from sweeps.training.reports import Report
from sweeps.training.train import train
from sweeps.workers.jobs import LANDSCAPE, OVERFIT, TRAIN, Job
from tracking import schema
from tracking.schema import Outcome

PROGRESS_SECONDS: Final = 0.3
"""The seconds between two messages about how far a job is."""

ShouldEnd = Callable[[], Outcome | None]
JobKind = Callable[[Job, Path, Report, ShouldEnd], dict[str, Any]]
"""(job, folder for its files, function that takes its records, whether and how to end now) -> payload of its result."""


def _train(job: Job, folder: Path, report: Report, should_end: ShouldEnd) -> dict[str, Any]:
    result = train(
        job.configuration,
        report=report,
        should_end=should_end,
        scratch=folder,
        resume=Path(job.resume) if job.resume else None,
        save_seconds=job.save_seconds,
    )
    if result.traceback:
        path = folder / "traceback.txt"
        path.write_text(result.traceback)
        report("file", {"path": str(path), "artifact": schema.TRACEBACK_FILE})
    return {
        "outcome": str(result.outcome),
        "objective": result.objective,
        "epochs": result.epochs,
        "seconds": result.seconds,
        "error": result.error,
        "recorders": {name: list(cost) for name, cost in result.recorders.items()},
    }


def _progress(report: Report) -> Callable[[str, float], None]:
    """Reports what is being done and the share of it that is done, not too often."""
    next_report = 0.0

    def progress(doing: str, share: float) -> None:
        nonlocal next_report
        if time.monotonic() >= next_report:
            next_report = time.monotonic() + PROGRESS_SECONDS
            report("progress", {"doing": doing, "share": share})

    return progress


def _landscape(job: Job, folder: Path, report: Report, should_end: ShouldEnd) -> dict[str, Any]:
    path = folder / schema.LANDSCAPE_FILE
    try:
        arrays = landscape(job.configuration, job.recorded, should_end=should_end, progress=_progress(report))
        np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    except EndedError:
        return {"outcome": str(Outcome.STOPPED), "error": None}
    except Exception as error:  # a full disk, too little memory, whatever a user module does
        return {"outcome": str(Outcome.CRASHED), "error": why_crashed(job.configuration, error)}
    report("file", {"path": str(path), "artifact": schema.LANDSCAPE_FILE})
    return {"outcome": str(Outcome.OK), "error": None}


def _overfit(job: Job, folder: Path, report: Report, should_end: ShouldEnd) -> dict[str, Any]:
    try:
        result = overfit(job.configuration, lambda: should_end() is not None, _progress(report))
    except AbandonedError:
        return {"outcome": str(Outcome.STOPPED), "error": None}
    except Exception as error:  # data or model cannot be built
        return {"outcome": str(Outcome.CRASHED), "error": why_crashed(job.configuration, error)}
    return {"outcome": str(Outcome.OK), "error": None, "overfit": result.as_json()}


JOB_KINDS: Final[dict[str, JobKind]] = {TRAIN: _train, LANDSCAPE: _landscape, OVERFIT: _overfit}
