"""Estimates how long a sweep will take and what it needs, from short trainings of what differs in cost: numbers only.

`timing` reads the rehearsals of an architecture, `complete` fills in the architectures that were not timed,
and `estimate` plays the sweep through: its runs in their order on its workers.
"""

from __future__ import annotations

import heapq
import itertools
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
    """The cost of one architecture."""

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
    """Half of the range of the repetitions of `epoch`, as a share of their median."""
    crowded: bool = False
    """Other programs took the cores from it."""
    recorders: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By recorder: the seconds of `overhead` and of `epoch` that it took."""


@dataclass(frozen=True)
class Estimate:
    """The cost of a sweep."""

    seconds: float
    """From the start of the first run to the end of the last."""
    low: float
    high: float
    at_most: bool
    """Runs may end early, by a pruner or by early stopping, so that it may well take less."""
    disk: int
    memory: int
    recorders: Mapping[str, float] = field(default_factory=dict)
    """By recorder: the seconds that it takes of a run, on average over the runs that were timed."""


# Rehearsals, and what they measure


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
    measured = [rehearsal for rehearsal in rehearsals if len(rehearsal.epochs) >= 2]
    if not measured:
        return None
    epochs, overheads = zip(*(_epoch_and_overhead(configuration, rehearsal) for rehearsal in measured), strict=True)
    complete_ones = [rehearsal for rehearsal in measured if rehearsal.outcome != Outcome.STOPPED] or measured
    typical = statistics.median(epochs)
    return Timing(
        parameters=complete_ones[0].parameters,
        epoch=typical,
        overhead=statistics.median(overheads),
        files=max(rehearsal.files for rehearsal in complete_ones),
        memory=max(rehearsal.memory or 0 for rehearsal in complete_ones),
        spread=(max(epochs) - min(epochs)) / 2 / typical if typical else 0.0,
        crowded=any(rehearsal.share is not None and rehearsal.share < CROWDED for rehearsal in complete_ones),
        recorders=_typical_costs([rehearsal.recorders for rehearsal in complete_ones]),
    )


def _typical_costs(rehearsed: Sequence[Mapping[str, tuple[float, float]]]) -> dict[str, tuple[float, float]]:
    """By recorder: the medians of its seconds over the rehearsals that it took part in."""
    costs: dict[str, tuple[float, float]] = {}
    for name in dict.fromkeys(itertools.chain.from_iterable(rehearsed)):
        once, epoch = zip(*(recorders[name] for recorders in rehearsed if name in recorders), strict=True)
        costs[name] = statistics.median(once), statistics.median(epoch)
    return costs


def _epoch_and_overhead(configuration: Mapping[str, Any], rehearsal: Rehearsal) -> tuple[float, float]:
    """(seconds of a whole epoch, seconds of the run beside its epochs) from the first to the last epoch measured."""
    first_end, first_trained, first_steps = rehearsal.epochs[0]
    last_end, last_trained, last_steps = rehearsal.epochs[-1]
    count = len(rehearsal.epochs) - 1
    step = (last_trained - first_trained) / max(1.0, last_steps - first_steps)
    measuring = max(0.0, (last_end - first_end) - (last_trained - first_trained)) / count
    rehearsed_steps = (last_steps - first_steps) / count
    epoch = steps_per_epoch(rehearsal.examples, configuration["data"].get("batch_size")) * step + measuring
    overhead = max(0.0, rehearsal.seconds - len(rehearsal.epochs) * (rehearsed_steps * step + measuring))
    return epoch, overhead


def complete(architectures: Mapping[str, Mapping[str, Any]], timings: Mapping[str, Timing]) -> dict[str, Timing]:
    """A timing for every architecture; those that were not timed lie on a line through the others, in logarithms.

    Raises:
        ValueError: None has been timed.
    """
    timed = [key for key in architectures if key in timings]
    if not timed:
        raise ValueError("none of the architectures has been timed")
    if len(timed) == len(architectures):
        return {key: timings[key] for key in timed}
    places = {key: place for place, key in enumerate(architectures)}
    points = features([architecture(configuration) for configuration in architectures.values()])
    x = points[[places[key] for key in timed]]
    y = np.log([[timings[key].epoch + 1e-6, timings[key].overhead + 1e-6, timings[key].files + 1.0] for key in timed])
    center, level = x.mean(axis=0), y.mean(axis=0)
    # Ridge regression with a weak penalty, so that directions in which nothing was timed count for nothing.
    gram = (x - center).T @ (x - center) + 0.01 * np.eye(x.shape[1])
    slopes = np.linalg.solve(gram, (x - center).T @ (y - level))
    lines = np.exp(np.clip((points - center) @ slopes + level, y.min(axis=0) - np.log(3), y.max(axis=0) + np.log(3)))
    memory = max(timings[key].memory for key in timed)
    spread = max(timings[key].spread for key in timed)
    inferred = {
        key: Timing(0, float(epoch), float(overhead), int(files), memory, spread)
        for key, (epoch, overhead, files) in zip(architectures, lines, strict=True)
    }
    return {**inferred, **{key: timings[key] for key in timed}}


# The sweep as a whole


def makespan(durations: Iterable[float], workers: int) -> float:
    """Seconds until the last run has ended, if each run in turn is taken by the first free worker."""
    free = [0.0] * workers
    for seconds in durations:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def estimate(plan: CostPlan, timings: Mapping[str, Timing], cores: int) -> Estimate:
    """The time, disk and memory that a sweep will take.

    Args:
        plan: The plan of the sweep.
        timings: Timings of architectures, measured while as many were trained at one time as there are workers, or
            cores if that is less.
        cores: The cores of this machine.

    Raises:
        ValueError: None of its architectures has been timed.
    """
    spec = plan.spec
    complete_timings = complete(plan.architectures, timings)
    confirmed = confirm_runs(spec, plan.trials)

    def duration_with(trained: Callable[[int], int], seeds: int) -> float:
        """Seconds, if a run of n epochs trains `trained(n)` of them, and a trial has so many seeds."""
        work = [
            complete_timings[key].overhead + trained(epochs) * complete_timings[key].epoch for key, epochs in plan.work
        ]
        mean = max(statistics.fmean(work), 1e-6)
        mean_epochs = statistics.fmean(trained(epochs) for _, epochs in plan.work)
        service = SERVICE_RUN_SECONDS + SERVICE_EPOCH_SECONDS * mean_epochs
        slower = max(1.0, spec.workers * (1 + service / mean) / cores)  # the workers and the service share the cores
        search = list(itertools.islice(itertools.cycle(work), plan.trials)) * seeds
        return slower * (makespan(search, spec.workers) + makespan([mean] * confirmed, spec.workers))

    patience = int(spec.regularization.get("early_stopping_patience", 0) or 0)
    seconds = low = duration_with(lambda epochs: epochs, spec.seeds)
    if spec.pruner != "none":
        low = duration_with(lambda epochs: 1, 1)
    elif patience:
        low = duration_with(lambda epochs: min(epochs, patience + 1), spec.seeds)
    untimed = 1 - len(timings.keys() & complete_timings.keys()) / len(complete_timings)
    margin = MARGIN + max(timing.spread for timing in complete_timings.values()) + MARGIN * untimed
    run_bytes = statistics.fmean(
        RUN_BYTES + epochs * EPOCH_BYTES + complete_timings[key].files for key, epochs in plan.work
    )
    return Estimate(
        seconds=seconds,
        low=low / (1 + margin),
        high=seconds * (1 + margin),
        at_most=spec.pruner != "none" or bool(patience),
        disk=round(run_bytes * plan.runs),
        memory=spec.workers * max(timing.memory for timing in complete_timings.values()),
        recorders=_recorder_seconds(plan, timings),
    )


def _recorder_seconds(plan: CostPlan, timings: Mapping[str, Timing]) -> dict[str, float]:
    """By recorder: its mean seconds in a run, over those runs whose architecture was timed."""
    timed = [(timings[key].recorders, epochs) for key, epochs in plan.work if key in timings]
    names = dict.fromkeys(itertools.chain.from_iterable(recorders for recorders, _ in timed))
    nothing = 0.0, 0.0
    return {
        name: statistics.fmean(
            recorders.get(name, nothing)[0] + epochs * recorders.get(name, nothing)[1] for recorders, epochs in timed
        )
        for name in names
    }


def size(count: float) -> str:
    """Bytes in words: `3.2 MB`, in powers of 1000 as disks are sold."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.2g} {unit}"


def summary(answer: Mapping[str, Any]) -> str:
    """The answer of a check in one line: `about 2 min on 2 workers · 12 MB on disk · 90 MB of memory`.

    Args:
        answer: What `sweeps.preflight.check.Checker.check` returns.
    """
    if answer["seconds"] is None:
        return ""
    workers = f"{answer['workers']} worker{'' if answer['workers'] == 1 else 's'}"
    parts = [f"{'at most' if answer['at_most'] else 'about'} {duration(answer['seconds'])} on {workers}"]
    parts.append(f"{size(answer['disk_bytes'])} on disk")
    if answer["memory_bytes"]:
        parts.append(f"{size(answer['memory_bytes'])} of memory")
    return " · ".join(parts)


def recording(answer: Mapping[str, Any]) -> str:
    """The recorders' cost in one sentence: `Recorders take about 0.31 s of each run: layers 0.3 s, regions 0.01 s.`

    Args:
        answer: See `summary`.
    """
    seconds: Mapping[str, float] = answer.get("recorders", {})
    if not seconds:
        return ""
    dearest = sorted(seconds, key=lambda name: -seconds[name])
    parts = ", ".join(f"{name} {seconds[name]:.1g} s" for name in dearest)
    return f"Recorders take about {sum(seconds.values()):.2g} s of each run: {parts}."
