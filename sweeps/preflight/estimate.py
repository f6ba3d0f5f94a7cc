"""How long a sweep will take and what it needs, from short trainings of what differs in cost. Numbers only.

`timing` reads what the rehearsals of an architecture told, `complete` fills in the architectures that were not timed,
and `estimate` plays the sweep through: its runs in their order on its workers.
"""

from __future__ import annotations

import heapq
import itertools
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from sweeps.preflight.cost_points import CostPlan, architecture, features
from sweeps.preflight.rehearsal import Rehearsal
from sweeps.search import confirm_runs
from sweeps.spec import SEED_KINDS
from sweeps.words import duration
from tracking.schema import Outcome

REHEARSED_SECONDS: Final = 0.6
"""How long the rehearsal that times an architecture should take."""
RUN_BYTES: Final = 13_500
EPOCH_BYTES: Final = 3_100
"""What the store grows by: sweeps of 48, 132 and 36 runs of 2, 20 and 60 epochs (digits, MLP, SQLite) took 19.5, 71.7
and 197.1 kB a run (of the second some runs ended early)."""
SERVICE_RUN_SECONDS: Final = 0.035
SERVICE_EPOCH_SECONDS: Final = 0.0015
"""What the service itself takes of a core to write a run down: 60 runs of 1 epoch took it 2.25 s of processor time, 16
runs of 80 epochs 2.48 s (SQLite, 2 cores of 2026). Where workers take all cores, they wait for it."""
CROWDED: Final = 0.75
"""A training that gets less of a core has to share it: 0.86 to 0.97 were seen without others, 0.2 among many."""
MARGIN: Final = 0.2
"""Share by which an estimate may be off even where every epoch took the same."""


@dataclass(frozen=True)
class Timing:
    """What one architecture costs."""

    parameters: int
    epoch: float
    """Seconds to train an epoch and to measure it."""
    overhead: float
    """Seconds of a run beside its epochs: building data and model, the test part, writing files."""
    files: int
    """Bytes of weights and predictions."""
    memory: int
    """Bytes that its process has for itself; 0 where that is not known."""
    spread: float = 0.0
    """Of the repetitions of `epoch`: half of their range as a share of their median."""
    crowded: bool = False
    """Other programs took the cores from it."""


@dataclass(frozen=True)
class Estimate:
    """What a sweep will take."""

    seconds: float
    """From the start of the first run to the end of the last."""
    low: float
    high: float
    at_most: bool
    """Runs may end early, by a pruner or by early stopping, so that it may well take less."""
    disk: int
    memory: int


# Rehearsals, and what they tell


def rehearsal_of(configuration: Mapping[str, Any], epochs: int, steps: int | None) -> dict[str, Any]:
    """The configuration with few epochs of few steps (None: all), that no learning rate of the search ends early."""
    return {
        **configuration,
        "optimizer": {name: value for name, value in configuration["optimizer"].items() if name != "lr"},
        "regularization": {**configuration.get("regularization", {}), "early_stopping_patience": 0},
        "trainer": {**configuration.get("trainer", {}), "max_epochs": epochs, "limit_train_batches": steps},
        "seeds": dict.fromkeys(SEED_KINDS, 0),
    }


def first_rehearsal(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The shortest: two steps, after each of which everything is measured."""
    return rehearsal_of(configuration, epochs=2, steps=1)


def second_rehearsal(configuration: Mapping[str, Any], first: Rehearsal) -> dict[str, Any] | None:
    """The one that times: whole epochs, or parts of them where they take long. None if the first did not tell how."""
    rough = timing(configuration, [first])
    if rough is None:
        return None
    epochs = REHEARSED_SECONDS / max(rough.epoch, 1e-6)
    if epochs >= 3:
        return rehearsal_of(configuration, min(200, int(epochs)), None)
    steps = steps_per_epoch(first.examples, configuration["data"].get("batch_size"))
    return rehearsal_of(configuration, 3, max(1, int(steps * epochs / 3)))


def steps_per_epoch(examples: int, batch_size: Any) -> int:
    """Batches in an epoch; a last one of a single example joins the one before it."""
    if batch_size == "full" or not isinstance(batch_size, int) or batch_size >= examples:
        return 1
    whole, rest = divmod(examples, batch_size)
    return whole + (rest > 1 or (rest == 1 and batch_size == 1))


def timing(configuration: Mapping[str, Any], rehearsals: Iterable[Rehearsal]) -> Timing | None:
    """The cost of an architecture; None if none of its rehearsals measured two epochs.

    The first epoch counts as overhead where it took longer. An epoch that was cut short is continued by its steps.
    """
    found = []
    for one in rehearsals:
        if len(one.epochs) < 2:
            continue
        (began, trained, steps), (ended, trained_too, steps_too) = one.epochs[0], one.epochs[-1]
        counted = len(one.epochs) - 1
        step = (trained_too - trained) / max(1.0, steps_too - steps)
        measuring = max(0.0, (ended - began) - (trained_too - trained)) / counted
        own = (steps_too - steps) / counted
        epoch = steps_per_epoch(one.examples, configuration["data"].get("batch_size")) * step + measuring
        found.append((epoch, max(0.0, one.seconds - len(one.epochs) * (own * step + measuring)), one))
    if not found:
        return None
    epochs = [epoch for epoch, _, _ in found]
    whole = [one for _, _, one in found if one.outcome != Outcome.STOPPED] or [one for _, _, one in found]
    typical = statistics.median(epochs)
    return Timing(
        parameters=whole[0].parameters,
        epoch=typical,
        overhead=statistics.median(overhead for _, overhead, _ in found),
        files=max(one.files for one in whole),
        memory=max(one.memory or 0 for one in whole),
        spread=(max(epochs) - min(epochs)) / 2 / typical if typical else 0.0,
        crowded=any(one.share is not None and one.share < CROWDED for one in whole),
    )


def complete(architectures: Mapping[str, Mapping[str, Any]], timings: Mapping[str, Timing]) -> dict[str, Timing]:
    """A timing for every architecture: those not timed by a line through the others, in logarithms.

    Raises:
        ValueError: none has been timed
    """
    known = [key for key in architectures if key in timings]
    if not known:
        raise ValueError("none of the architectures has been timed")
    if len(known) == len(architectures):
        return {key: timings[key] for key in known}
    places = {key: place for place, key in enumerate(architectures)}
    points = features([architecture(each) for each in architectures.values()])
    x = points[[places[key] for key in known]]
    y = np.log([[timings[key].epoch + 1e-6, timings[key].overhead + 1e-6, timings[key].files + 1.0] for key in known])
    center, level = x.mean(axis=0), y.mean(axis=0)
    # Ridge regression with a weak penalty, so that directions in which nothing was timed count for nothing.
    gram = (x - center).T @ (x - center) + 0.01 * np.eye(x.shape[1])
    slopes = np.linalg.solve(gram, (x - center).T @ (y - level))
    lines = np.exp(np.clip((points - center) @ slopes + level, y.min(axis=0) - np.log(3), y.max(axis=0) + np.log(3)))
    memory = max(timings[key].memory for key in known)
    spread = max(timings[key].spread for key in known)
    guessed = {
        key: Timing(0, float(epoch), float(overhead), int(files), memory, spread)
        for key, (epoch, overhead, files) in zip(architectures, lines, strict=True)
    }
    return {**guessed, **{key: timings[key] for key in known}}


# The sweep as a whole


def makespan(durations: Iterable[float], workers: int) -> float:
    """Seconds until the last of these runs has ended, if each is taken in turn by the first worker that is free."""
    free = [0.0] * workers
    for seconds in durations:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def estimate(plan: CostPlan, timings: Mapping[str, Timing], cores: int) -> Estimate:
    """What the sweep will take.

    Args:
        plan: the sweep's
        timings: of architectures, measured while as many were trained at one time as there are workers, or cores if
            that is less
        cores: of this machine

    Raises:
        ValueError: none of its architectures has been timed
    """
    spec = plan.spec
    each = complete(plan.architectures, timings)
    confirmed = confirm_runs(spec, plan.trials)

    def lasts(fewest: Callable[[int], int], seeds: int) -> float:
        """If a run of so many epochs lasts `fewest` of them, and a trial so many seeds."""
        work = [(each[key].overhead + fewest(epochs) * each[key].epoch) for key, epochs in plan.work]
        mean = max(statistics.fmean(work), 1e-6)
        written = SERVICE_RUN_SECONDS + SERVICE_EPOCH_SECONDS * statistics.fmean(fewest(own) for _, own in plan.work)
        slower = max(1.0, spec.workers * (1 + written / mean) / cores)  # the workers and the service share the cores
        search = list(itertools.islice(itertools.cycle(work), plan.trials)) * seeds
        return slower * (makespan(search, spec.workers) + makespan([mean] * confirmed, spec.workers))

    patience = int(spec.regularization.get("early_stopping_patience", 0) or 0)
    seconds = low = lasts(lambda epochs: epochs, spec.seeds)
    if spec.pruner != "none":
        low = lasts(lambda epochs: 1, 1)
    elif patience:
        low = lasts(lambda epochs: min(epochs, patience + 1), spec.seeds)
    untimed = 1 - len(timings.keys() & each.keys()) / len(each)
    margin = MARGIN + max(one.spread for one in each.values()) + MARGIN * untimed
    a_run = statistics.fmean(RUN_BYTES + epochs * EPOCH_BYTES + each[key].files for key, epochs in plan.work)
    return Estimate(
        seconds=seconds,
        low=low / (1 + margin),
        high=seconds * (1 + margin),
        at_most=spec.pruner != "none" or bool(patience),
        disk=round(a_run * plan.runs),
        memory=spec.workers * max(one.memory for one in each.values()),
    )


def size(count: float) -> str:
    """Bytes in words: `3.2 MB`, in powers of 1000 as disks are sold."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.2g} {unit}"


def summary(found: Mapping[str, Any]) -> str:
    """What a check found in one line: `about 2 min on 2 workers · 12 MB on disk · 90 MB of memory`.

    Args:
        found: the answer of `sweeps.preflight.check.Checker.check`
    """
    if found["seconds"] is None:
        return ""
    workers = f"{found['workers']} worker{'' if found['workers'] == 1 else 's'}"
    parts = [f"{'at most' if found['at_most'] else 'about'} {duration(found['seconds'])} on {workers}"]
    parts.append(f"{size(found['disk_bytes'])} on disk")
    if found["memory_bytes"]:
        parts.append(f"{size(found['memory_bytes'])} of memory")
    return " · ".join(parts)
