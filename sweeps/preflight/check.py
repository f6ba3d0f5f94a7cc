"""Checks a sweep before it starts: what is wrong with it, how long it will take, what it needs; all by trying it out.

Every architecture of the sweep is built and trained for two steps, which finds what no look at the spec can (a training
set that is too small, a broken file, a model that refuses its input, a device that is not there); then each is timed.
There is one check at a time; a caller waits as long as it likes and may ask again. A check that nobody asks for any
more is dropped, so that a form may ask at every change.
"""

from __future__ import annotations

import logging
import os
import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sweeps.catalogue import load
from sweeps.fields import SpecError
from sweeps.preflight import estimate
from sweeps.preflight.cost_points import CostPlan, cost_plan
from sweeps.preflight.estimate import Timing, recording, size, summary
from sweeps.preflight.parameters import parameter_counts, parameters_sentence
from sweeps.preflight.rehearsal import AbandonedError, Rehearsal, Rehearsals
from sweeps.search import count
from sweeps.spec import Spec, parse, to_yaml
from sweeps.words import duration, number, table
from tracking.schema import Outcome

PATIENCE_SECONDS: Final = 5.0
"""A check that nobody has asked for in this time is dropped."""
LATE_SECONDS: Final = 60.0
"""The time that one rehearsal may take."""
CHANGING_SECONDS: Final = 10.0
"""How long an answer holds that user files or a busy machine may change."""
MOST_ANSWERS: Final = 32

Answer = dict[str, Any]
log = logging.getLogger("sweepboard.service")


@dataclass
class _Check:
    spec: Spec
    wanted_until: float
    done: threading.Event = field(default_factory=threading.Event)
    answer: Answer | None = None
    holds_until: float = float("inf")


def may_change(spec: Spec) -> bool:
    """Whether the sweep takes user files or modules, which may have changed the next time."""
    catalogue = load()
    models = [catalogue.models[name] for name in spec.names("model") if name in catalogue.models]
    datasets = [catalogue.datasets[name] for name in spec.names("data") if name in catalogue.datasets]
    texts = any(field.type == "str" for entry in datasets for field in entry.fields.values())  # paths and columns
    return texts or any(entry.source for entry in models)


def needs_building(spec: Spec) -> bool:
    """Whether only building the sweep can tell what is wrong with it.

    That is so if it takes user files or modules, a `train_size`, or training sets that are cut from the data.
    """
    sized = "train_size" in spec.data or spec.tries("data.train_size")
    return may_change(spec) or sized or spec.replicate is not None


class Checker:
    """Checks sweeps, one after the other, in separate processes.

    Args:
        scratch: The folder in which those leave files for a moment.
        busy: Returns whether a sweep is being trained, which makes every time too long.
        disk: Where the sweep's files will lie; None where that is another machine.
    """

    def __init__(self, scratch: Path, busy: Callable[[], bool] = lambda: False, disk: Path | None = None) -> None:
        self._busy = busy
        self._disk = disk
        self._rehearsals = Rehearsals(scratch)
        self._one_at_a_time = threading.Lock()
        self._firsts: dict[tuple[object, ...], Rehearsal] = {}
        self._timings: dict[tuple[object, ...], Timing] = {}
        self._checks: dict[str, _Check] = {}
        self._changing = threading.Lock()
        self._queue: queue.SimpleQueue[_Check] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def check(self, text: str, wait: float, *, accepted_with: Sequence[str] | None = None) -> Answer:
        """The answer about a sweep, as far as it is known after at most `wait` seconds.

        Args:
            text: The spec in YAML.
            wait: 0 to ask without waiting.
            accepted_with: See `sweeps.spec.checks.parse`.

        Returns:
            trials, runs; seconds (from the first run's start to the last one's end), low and high, at_most, or None;
            disk_bytes and memory_bytes, or None; workers; architectures: what, parameters, seconds_per_epoch;
            parameters: what, fewest, most (see `sweeps.preflight.parameters`); recorders: the seconds of a run that
            each takes; problems and warnings, in sentences; pending: ask again
        """
        try:
            spec = parse(text, accepted_with=accepted_with)
        except SpecError as error:
            return _answer(problems=error.problems)
        check = self._find_check(spec, wait)
        check.done.wait(wait)
        if check.answer is not None:
            return check.answer
        trials, runs = count(spec)
        return _answer(trials=trials, runs=runs, workers=spec.workers, pending=True)

    def refuse_broken(self, spec: Spec) -> None:
        """Where only building a sweep can tell what is wrong with it, build it.

        Raises:
            SpecError: It cannot be trained; one sentence for each reason.
        """
        if needs_building(spec) and (problems := self.problems(spec)):
            raise SpecError(*problems)

    def problems(self, spec: Spec) -> tuple[str, ...]:
        """The sentences about what is wrong with a sweep, found by building it; quick, as nothing is timed."""
        plan = cost_plan(spec)
        with self._alone():
            return _problems(plan, self._build(plan, lambda: True))

    def known_seconds(self, spec: Spec) -> float | None:
        """Seconds that a sweep will take: from a check's answer, or from earlier timings; None without them."""
        check = self._checks.get(to_yaml(spec))
        if check and check.answer and check.answer["seconds"] is not None:
            return float(check.answer["seconds"])
        plan = cost_plan(spec)
        timings = self._earlier_timings(plan)
        return estimate.estimate(plan, timings, cores()).seconds if len(timings) == len(plan.timed) else None

    def close(self) -> None:
        """End the processes."""
        self._rehearsals.close()

    def _find_check(self, spec: Spec, wait: float) -> _Check:
        """The check of this sweep: the one that is known or under way, else a new one."""
        name, now = to_yaml(spec), time.monotonic()
        with self._changing:
            check = self._checks.get(name)
            if check is None or now > check.holds_until:
                self._checks.pop(name, None)
                check = self._checks[name] = _Check(spec, now)
                self._queue.put(check)
            check.wanted_until = max(check.wanted_until, now + wait + PATIENCE_SECONDS)
            for old in list(self._checks)[:-MOST_ANSWERS]:
                del self._checks[old]
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True, name="checker")
                self._thread.start()
        return check

    def _work(self) -> None:
        while True:
            check = self._queue.get()
            try:
                check.answer = self._try_out(check)
            except AbandonedError:
                with self._changing:
                    self._checks = {name: other for name, other in self._checks.items() if other is not check}
            except Exception as error:  # whatever it is, who asks must not wait for ever
                log.exception("a check failed")
                check.answer = _answer(problems=[f"It could not be checked: {type(error).__name__}: {error}."])
                check.holds_until = time.monotonic()
            check.done.set()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._one_at_a_time:
            try:
                yield
            finally:
                self._rehearsals.rest()

    def _try_out(self, check: _Check) -> Answer:
        def wanted() -> bool:
            return time.monotonic() < check.wanted_until

        plan = cost_plan(check.spec)
        with self._alone():
            built = self._build(plan, wanted)
            problems = _problems(plan, built)
            timings = {} if problems else self._time(plan, built, wanted)
        rough = self._rough(timings)
        if rough or may_change(check.spec):
            check.holds_until = time.monotonic() + CHANGING_SECONDS
        common = {
            "trials": plan.trials,
            "runs": plan.runs,
            "workers": plan.spec.workers,
            "problems": problems,
            "parameters": parameter_counts(plan, {key: first.parameters for key, first in built.items()}),
        }
        if not timings:
            late = f"Two steps took more than {LATE_SECONDS:.0f} s, so nothing is known of its time."
            return _answer(**common, warnings=[] if problems else [late])
        cost = estimate.estimate(plan, timings, cores())
        return _answer(
            **common,
            seconds=cost.seconds,
            low=cost.low,
            high=cost.high,
            at_most=cost.at_most,
            disk_bytes=cost.disk,
            memory_bytes=cost.memory or None,
            recorders=dict(cost.recorders),
            architectures=[
                {"what": plan.names[key], "parameters": timing.parameters, "seconds_per_epoch": timing.epoch}
                for key in plan.architectures
                if (timing := timings.get(key)) is not None
            ],
            warnings=[*rough, *self._warnings(plan, cost), *_untimed(plan, timings)],
        )

    def _build(self, plan: CostPlan, go_on: Callable[[], bool]) -> dict[str, Rehearsal]:
        """The rehearsal of two steps of each architecture; done again if it failed or if files may have changed."""
        if may_change(plan.spec):
            for key in plan.built:
                self._firsts.pop(_place(plan.spec, key), None)
                self._timings.pop(_place(plan.spec, key), None)
        earlier = {key: first for key in plan.built if (first := self._firsts.get(_place(plan.spec, key)))}
        missing = {key: estimate.first_rehearsal(plan.architectures[key]) for key in plan.built if key not in earlier}
        new = {key: firsts[0] for key, firsts in self._rehearse(plan, missing, go_on, repeat=False).items()}
        self._firsts |= {_place(plan.spec, key): first for key, first in new.items() if first.outcome == Outcome.OK}
        return earlier | new

    def _time(self, plan: CostPlan, built: Mapping[str, Rehearsal], go_on: Callable[[], bool]) -> dict[str, Timing]:
        missing = {
            key: second
            for key in plan.timed
            if _place(plan.spec, key) not in self._timings
            and (second := estimate.second_rehearsal(plan.architectures[key], built[key])) is not None
        }
        new: dict[str, Timing] = {}
        for key, rehearsals in self._rehearse(plan, missing, go_on, repeat=True).items():
            configuration = plan.architectures[key]
            timing = estimate.timing(configuration, rehearsals) or estimate.timing(configuration, [built[key]])
            if timing:
                new[key] = timing
        if not self._rough(new):
            self._timings |= {_place(plan.spec, key): timing for key, timing in new.items()}
        return {**self._earlier_timings(plan), **new}

    def _earlier_timings(self, plan: CostPlan) -> dict[str, Timing]:
        return {key: self._timings[place] for key in plan.timed if (place := _place(plan.spec, key)) in self._timings}

    def _rehearse(
        self, plan: CostPlan, configurations: Mapping[str, dict[str, Any]], go_on: Callable[[], bool], *, repeat: bool
    ) -> dict[str, list[Rehearsal]]:
        if not configurations:
            return {}
        at_once, threads = _together(plan.spec)
        return self._rehearsals.run(
            configurations, at_once=at_once, threads=threads, seconds=LATE_SECONDS, go_on=go_on, repeat=repeat
        )

    def _rough(self, timings: Mapping[str, Timing]) -> list[str]:
        """Why these times are not reliable, in a sentence; empty if they are."""
        if self._busy():
            return ["A sweep is being trained now, so that these times are longer than they will be."]
        if any(timing.crowded for timing in timings.values()):
            return ["Other programs keep this machine busy, so that these times are rough."]
        return []

    def _warnings(self, plan: CostPlan, cost: estimate.Estimate) -> list[str]:
        warnings = []
        if self._disk is not None and (free := shutil.disk_usage(self._disk).free) < cost.disk:
            warnings.append(f"It needs {size(cost.disk)} on the disk, and {size(free)} are free.")
        if (available := available_memory()) < cost.memory:
            warnings.append(f"It needs {size(cost.memory)} of memory, and {size(available)} are available.")
        if plan.spec.workers > cores():
            warnings.append(f"{plan.spec.workers} workers share {cores()} cores, where {cores()} would be as fast.")
        return warnings


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory() -> int:
    """Bytes of memory that programs may still take; the whole memory where the system does not say."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def check_here(text: str) -> Answer:
    """The answer of `Checker.check` without a service: in processes that end with it, and nothing is stored."""
    with tempfile.TemporaryDirectory(prefix="sweepboard-check-") as scratch:
        checker = Checker(Path(scratch), disk=Path.cwd())
        try:
            return checker.check(text, wait=3600.0)
        finally:
            checker.close()


def as_text(answer: Answer) -> str:
    """The text that `sweepboard check` prints for an answer."""
    parts = [f"{answer['trials']:,} trials, {answer['runs']:,} runs"]
    if answer["seconds"] is not None:
        parts[0] += f": {summary(answer)}"
        early = ", as runs may end early" if answer["at_most"] else ""
        between = f"From {duration(answer['low'])} to {duration(answer['high'])}{early}"
        parts.append(f"{between}, judged by how long these took:\n")
        rows = [
            [architecture["what"], f"{architecture['parameters']:,}", number(architecture["seconds_per_epoch"])]
            for architecture in answer["architectures"]
        ]
        parts.append(table(["architecture", "parameters", "seconds an epoch"], rows, right=(1, 2)))
        parts += [f"\n{sentence}"] if (sentence := recording(answer)) else []
    if sentence := parameters_sentence(answer.get("parameters", ())):
        parts.append(f"\n{sentence}")
    return "\n".join([*parts, *(f"\nNote: {warning}" for warning in answer["warnings"])])


def _together(spec: Spec) -> tuple[int, int]:
    """(processes at one time, torch threads of each): as when the sweep is trained."""
    return min(spec.workers, cores()), max(1, (os.cpu_count() or 1) // spec.workers)


def _place(spec: Spec, key: str) -> tuple[object, ...]:
    """The key of an architecture's timing: what it depends on beside the architecture is part of it."""
    return (key, spec.keep, *_together(spec))


def _problems(plan: CostPlan, built: Mapping[str, Rehearsal]) -> tuple[str, ...]:
    """A sentence for each different failure, with what it concerns if that is not everything."""
    failed: dict[str, list[str]] = {}
    for key, rehearsal in built.items():
        if rehearsal.outcome == Outcome.CRASHED:
            failed.setdefault(rehearsal.error.rstrip("."), []).append(plan.names[key])
    sentences = []
    for error, names in failed.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        sentences.append(f"{error}." if len(names) == len(plan.built) else f"{error} (with {names[0]}{more}).")
    return tuple(sentences)


def _untimed(plan: CostPlan, timings: Mapping[str, Timing]) -> list[str]:
    if len(timings) == len(plan.architectures):
        return []
    return [f"{len(timings)} of its {len(plan.architectures):,} architectures were timed; the others are inferred."]


def _answer(**parts: Any) -> Answer:
    """An answer in plain data; what is left out is not known yet."""
    unknown: Answer = {
        "trials": 0,
        "runs": 0,
        "workers": 0,
        "seconds": None,
        "low": None,
        "high": None,
        "at_most": False,
        "disk_bytes": None,
        "memory_bytes": None,
        "recorders": {},
        "architectures": [],
        "parameters": [],
        "problems": [],
        "warnings": [],
        "pending": False,
    }
    return unknown | {name: list(value) if isinstance(value, tuple) else value for name, value in parts.items()}
