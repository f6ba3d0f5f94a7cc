"""The jobs that workers are sent, and the messages that they send back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TRAIN, LANDSCAPE, OVERFIT = "train", "landscape", "overfit"


@dataclass(frozen=True)
class Job:
    """Something that a worker is to do with one run."""

    key: str
    """Names the job in the messages about it."""
    configuration: dict[str, Any]
    threads: int
    """How many threads torch may use."""
    kind: str = TRAIN
    """TRAIN, LANDSCAPE or OVERFIT: a key of `sweeps.workers.job_kinds.JOB_KINDS`."""
    recorded: Mapping[str, Any] = field(default_factory=dict)
    """For a landscape: what the store holds of the run (see `sweeps.training.landscape.landscape`)."""
    resume: str | None = None
    """The file by which the run goes on after a kill (see `sweeps.training.train.train`)."""
    save_seconds: float = 60.0
    """The seconds between two saves to that file."""
    rehearsal: bool = False
    """Whether nothing of it is stored, as of the short runs of `sweeps.preflight`; it reaches no kill point."""
    place: int = 0
    """The number of the run among those that train at the same time (see `sweeps.devices`); `submit` sets it."""


@dataclass(frozen=True)
class Message:
    """What a worker sends."""

    kind: str
    """ready, info, metrics, progress, file or result; `LocalWorkers.receive` adds died, when the pipe has closed."""
    key: str | None
    """Of the job that it is about; None if it is about none."""
    payload: dict[str, Any]
