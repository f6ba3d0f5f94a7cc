"""Before a sweep starts: what is wrong with it, how long it will take, what it needs. All of it tried, nothing guessed.

Every architecture of the sweep is built and trained for two steps, which finds what no look at the spec can (a training
set that is too small, a broken file, a model that refuses its input, a device that is not there); then each is timed.
One check at a time; who asks waits as long as they want to and may ask again. A check that nobody asks for any more is
dropped, so that a form may ask at every change.
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
from sweeps.preflight.estimate import Timing, size, summary
from sweeps.preflight.rehearsal import AbandonedError, Rehearsal, Rehearsals
from sweeps.search import count
from sweeps.spec import Spec, parse, to_yaml
from sweeps.words import duration, number, table
from tracking.schema import Outcome

PATIENCE_SECONDS: Final = 5.0
"""A check that nobody has asked for so long is dropped."""
LATE_SECONDS: Final = 60.0
"""What one rehearsal may take."""
CHANGING_SECONDS: Final = 10.0
"""How long an answer holds that files of the user's own or a busy machine may change."""
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
    """Whether it takes files or modules of the user's own, which may be others the next time."""
    catalogue = load()
    models = [catalogue.models[name] for name in spec.names("model") if name in catalogue.models]
    datasets = [catalogue.datasets[name] for name in spec.names("data") if name in catalogue.datasets]
    texts = any(own.type == "str" for entry in datasets for own in entry.fields.values())  # paths and columns
    return texts or any(entry.source for entry in models)


def needs_building(spec: Spec) -> bool:
    """Whether only building can tell what is wrong: it takes files or modules of the user's own, a `train_size`, or
    training sets that are cut from the data."""
    sized = "train_size" in spec.data or "data.train_size" in spec.search
    return may_change(spec) or sized or spec.replicate is not None


class Checker:
    """Checks sweeps, one after the other, in processes of its own.

    Args:
        scratch: folder in which those leave files for a moment
        busy: whether a sweep is being trained, which makes every time too long
        disk: where the sweep's files will lie; None where that is another machine
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
        """What is known of a sweep after at most `wait` seconds.

        Args:
            text: the spec in YAML
            wait: 0 to ask only
            accepted_with: as of `sweeps.spec.checks.parse`

        Returns:
            trials, runs; seconds (from the first run's start to the last one's end), low and high, at_most, or None;
            disk_bytes and memory_bytes, or None; workers; architectures: what, parameters, seconds_per_epoch;
            problems and warnings, in sentences; pending: ask again
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
            SpecError: it cannot be trained, one sentence for each reason
        """
        if needs_building(spec) and (problems := self.problems(spec)):
            raise SpecError(*problems)

    def problems(self, spec: Spec) -> tuple[str, ...]:
        """What is wrong with a sweep, in sentences, found by building it; quick, as nothing is timed."""
        plan = cost_plan(spec)
        with self._alone():
            return _problems(plan, self._build(plan, lambda: True))

    def known(self, spec: Spec) -> float | None:
        """Seconds that a sweep will take: as a check has answered, or from times that are known; None without them."""
        asked = self._checks.get(to_yaml(spec))
        if asked and asked.answer and asked.answer["seconds"] is not None:
            return float(asked.answer["seconds"])
        plan = cost_plan(spec)
        timings = {key: self._timings[place] for key in plan.timed if (place := _place(spec, key)) in self._timings}
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
                check.answer = self._answered(check)
            except AbandonedError:
                with self._changing:
                    self._checks = {name: one for name, one in self._checks.items() if one is not check}
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

    def _answered(self, check: _Check) -> Answer:
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
        common = {"trials": plan.trials, "runs": plan.runs, "workers": plan.spec.workers, "problems": problems}
        if not timings:
            late = f"Two steps took more than {LATE_SECONDS:.0f} s, so nothing is known of its time."
            return _answer(**common, warnings=[] if problems else [late])
        found = estimate.estimate(plan, timings, cores())
        return _answer(
            **common,
            seconds=found.seconds,
            low=found.low,
            high=found.high,
            at_most=found.at_most,
            disk_bytes=found.disk,
            memory_bytes=found.memory or None,
            architectures=[
                {"what": plan.names[key], "parameters": own.parameters, "seconds_per_epoch": own.epoch}
                for key in plan.architectures
                if (own := timings.get(key)) is not None
            ],
            warnings=[*rough, *self._warnings(plan, found), *_untimed(plan, timings)],
        )

    def _build(self, plan: CostPlan, go_on: Callable[[], bool]) -> dict[str, Rehearsal]:
        """What two steps of each architecture told; tried anew if that failed, or may have changed since."""
        if may_change(plan.spec):
            for key in plan.built:
                self._firsts.pop(_place(plan.spec, key), None)
                self._timings.pop(_place(plan.spec, key), None)
        known = {key: one for key in plan.built if (one := self._firsts.get(_place(plan.spec, key)))}
        firsts = {key: estimate.first_rehearsal(plan.architectures[key]) for key in plan.built if key not in known}
        told = {key: told[0] for key, told in self._rehearse(plan, firsts, go_on, repeat=False).items()}
        self._firsts |= {_place(plan.spec, key): one for key, one in told.items() if one.outcome == Outcome.OK}
        return known | told

    def _time(self, plan: CostPlan, built: Mapping[str, Rehearsal], go_on: Callable[[], bool]) -> dict[str, Timing]:
        seconds = {
            key: second
            for key in plan.timed
            if _place(plan.spec, key) not in self._timings
            and (second := estimate.second_rehearsal(plan.architectures[key], built[key])) is not None
        }
        found: dict[str, Timing] = {}
        for key, told in self._rehearse(plan, seconds, go_on, repeat=True).items():
            of = plan.architectures[key]
            own = estimate.timing(of, told) or estimate.timing(of, [built[key]])
            found |= {key: own} if own else {}
        if not self._rough(found):
            self._timings |= {_place(plan.spec, key): own for key, own in found.items()}
        known = {key: self._timings[place] for key in plan.timed if (place := _place(plan.spec, key)) in self._timings}
        return {**known, **found}

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
        """Why these times are not to be relied on, in a sentence, if they are not."""
        if self._busy():
            return ["A sweep is being trained now, so that these times are longer than they will be."]
        if any(own.crowded for own in timings.values()):
            return ["Other programs keep this machine busy, so that these times are rough."]
        return []

    def _warnings(self, plan: CostPlan, found: estimate.Estimate) -> list[str]:
        said = []
        if self._disk is not None and (free := shutil.disk_usage(self._disk).free) < found.disk:
            said.append(f"It needs {size(found.disk)} on the disk, and {size(free)} are free.")
        if (available := available_memory()) < found.memory:
            said.append(f"It needs {size(found.memory)} of memory, and {size(available)} are available.")
        if plan.spec.workers > cores():
            said.append(f"{plan.spec.workers} workers share {cores()} cores, where {cores()} would be as fast.")
        return said


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory() -> int:
    """Bytes of memory that programs may still take; all there is where the system does not say."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def check_here(text: str) -> Answer:
    """`Checker.check` without a service: in processes that end with it, and nothing is stored."""
    with tempfile.TemporaryDirectory(prefix="sweepboard-check-") as scratch:
        checker = Checker(Path(scratch), disk=Path.cwd())
        try:
            return checker.check(text, wait=3600.0)
        finally:
            checker.close()


def as_text(found: Answer) -> str:
    """The answer of `sweepboard check`."""
    parts = [f"{found['trials']:,} trials, {found['runs']:,} runs"]
    if found["seconds"] is not None:
        parts[0] += f": {summary(found)}"
        early = ", as runs may end early" if found["at_most"] else ""
        between = f"From {duration(found['low'])} to {duration(found['high'])}{early}"
        parts.append(f"{between}, judged by how long these took:\n")
        rows = [
            [one["what"], f"{one['parameters']:,}", number(one["seconds_per_epoch"])] for one in found["architectures"]
        ]
        parts.append(table(["architecture", "parameters", "seconds an epoch"], rows, right=(1, 2)))
    return "\n".join([*parts, *(f"\nNote: {warning}" for warning in found["warnings"])])


def _together(spec: Spec) -> tuple[int, int]:
    """(processes at one time, torch threads of each): as when the sweep is trained."""
    return min(spec.workers, cores()), max(1, (os.cpu_count() or 1) // spec.workers)


def _place(spec: Spec, key: str) -> tuple[object, ...]:
    """Under what an architecture's timing is kept."""
    return (key, spec.keep, *_together(spec))


def _problems(plan: CostPlan, built: Mapping[str, Rehearsal]) -> tuple[str, ...]:
    """A sentence for each different failure, with what it concerns if that is not everything."""
    failed: dict[str, list[str]] = {}
    for key, one in built.items():
        if one.outcome == Outcome.CRASHED:
            failed.setdefault(one.error.rstrip("."), []).append(plan.names[key])
    said = []
    for error, names in failed.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        said.append(f"{error}." if len(names) == len(plan.built) else f"{error} (with {names[0]}{more}).")
    return tuple(said)


def _untimed(plan: CostPlan, timings: Mapping[str, Timing]) -> list[str]:
    if len(timings) == len(plan.architectures):
        return []
    return [f"{len(timings)} of its {len(plan.architectures):,} architectures were timed; the others are inferred."]


def _answer(**known: Any) -> Answer:
    """A reply in plain data, with everything that is not known yet."""
    nothing: Answer = {
        "trials": 0, "runs": 0, "workers": 0, "seconds": None, "low": None, "high": None, "at_most": False,
        "disk_bytes": None, "memory_bytes": None, "architectures": [], "problems": [], "warnings": [], "pending": False,
    }  # fmt: skip
    return nothing | {name: list(value) if isinstance(value, tuple) else value for name, value in known.items()}
