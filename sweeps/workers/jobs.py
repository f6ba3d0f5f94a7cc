"""What is sent to a worker, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TRAIN, LANDSCAPE = "train", "landscape"


@dataclass(frozen=True)
class Job:
    """Something to be done with one run."""

    key: str
    configuration: dict[str, Any]
    threads: int
    kind: str = TRAIN
    """TRAIN or LANDSCAPE: a key of `sweeps.workers.job_kinds.JOB_KINDS`."""
    recorded: Mapping[str, Any] = field(default_factory=dict)
    """Of a landscape: what the store holds of the run (see `sweeps.training.landscape.landscape`)."""
    resume: str | None = None
    """The file by which it goes on after a kill (see `sweeps.training.train.train`)."""
    save_seconds: float = 60.0
    """How often it is saved there."""
    rehearsal: bool = False
    """A run that only tells what others will cost (see `sweeps.preflight.rehearsal`); no kill point is meant for it."""
    place: int = 0
    """Among the runs that train at the same time, by which they are spread over GPUs; `submit` decides it."""


@dataclass(frozen=True)
class Message:
    """What a worker sends up. kind: "ready", "info", "metrics", "progress", "file", "result", or "died" when its pipe
    closed."""

    kind: str
    key: str | None
    payload: dict[str, Any]
