"""Has the models of a sweep learn ten examples by heart, in a worker process, before the sweep is launched.

Of a sweep over several models or data sets, each pair is tested by the first of its combinations that is tried, and of
more than a few pairs the first ones. Nothing is stored. There is one test at a time; a caller asks again and again, and
a test that nobody asks for any more is dropped with its process.
"""

from __future__ import annotations

import logging
import os
import queue
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

from sweeps.fields import SpecError
from sweeps.preflight.cost_points import MOST_LISTED
from sweeps.search import count, enumerate_trials
from sweeps.spec import ADAPTIVE, Spec, parse, to_yaml
from sweeps.workers import OVERFIT, Job, LocalWorkers, Message

MOST_PAIRS: Final = 6
"""Pairs of a model and a data set that are tested."""
PATIENCE_SECONDS: Final = 5.0
"""A test that nobody has asked for in this time is dropped."""
LATE_SECONDS: Final = 60.0
"""The longest time for one pair, building the data included."""
LOOK_SECONDS: Final = 0.05
MOST_ANSWERS: Final = 16
ASK, AGAIN, STOP = "ask", "again", "stop"
ACTS: Final = (ASK, AGAIN, STOP)

Answer = dict[str, Any]
log = logging.getLogger("sweepboard.service")


class AbandonedError(Exception):
    """Nobody waits for the test any more."""


@dataclass
class _Test:
    pairs: list[tuple[str, dict[str, Any]]]
    """What is tested, in words, and its configuration."""
    left_out: int
    wanted_until: float
    done: threading.Event = field(default_factory=threading.Event)
    results: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    doing: str = "waiting for a process"
    share: float = 0.0

    @property
    def answer(self) -> Answer:
        """What is known by now."""
        share = (len(self.results) + self.share) / len(self.pairs)
        left_out = f"{self.left_out} more pairs of a model and a data set were not tested." if self.left_out else ""
        return _answer(self.problems, list(self.results), left_out, self.doing, share, not self.done.is_set())


def pairs_of(spec: Spec) -> tuple[list[tuple[str, dict[str, Any]]], int]:
    """What of a sweep is tested, in words and as configurations; and how many pairs are left out."""
    trials, _ = count(spec)
    listed = spec
    if trials > MOST_LISTED or spec.sampler in ADAPTIVE:
        listed = replace(spec, sampler="random", trials=min(trials, MOST_LISTED))
    pairs: dict[str, dict[str, Any]] = {}
    for trial in enumerate_trials(listed):
        sections = trial.configuration
        pairs.setdefault(f"{sections['model']['name']} on {sections['data']['name']}", sections)
    return list(pairs.items())[:MOST_PAIRS], max(len(pairs) - MOST_PAIRS, 0)


class OverfitTests:
    """Tests sweeps, one after the other, in a separate process.

    Args:
        scratch: The folder in which it leaves files for a moment.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._workers: LocalWorkers | None = None
        self._closed = False
        self._tests: dict[str, _Test] = {}
        self._changing = threading.Lock()
        self._queue: queue.SimpleQueue[_Test] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def answer(self, text: str, act: str, wait: float, *, accepted_with: Sequence[str] | None = None) -> Answer:
        """What is known about a sweep after at most `wait` seconds.

        Args:
            text: The spec in YAML.
            act: ASK, to begin unless it is known or under way; AGAIN, to begin anew; STOP, to give it up.
            wait: 0 to ask without waiting.
            accepted_with: See `sweeps.spec.checks.parse`.

        Returns:
            problems: sentences about what is wrong with the spec, or about what cannot be built; results: what, and
            the fields of `sweeps.training.overfit_result.OverfitResult`, of each pair that is done; left_out: a
            sentence about pairs that are not tested; doing, share: what is being done, and the share of everything that
            is done; pending: ask again

        Raises:
            ValueError: There is no such act.
        """
        if act not in ACTS:
            raise ValueError(f"act: {act!r} is not allowed; allowed: {', '.join(ACTS)}")
        try:
            spec = parse(text, accepted_with=accepted_with)
        except SpecError as error:
            return _answer(list(error.problems))
        if act == STOP:
            self._give_up(to_yaml(spec))
            return _answer([])
        test = self._find_test(spec, act, wait)
        test.done.wait(wait)
        return test.answer

    def close(self) -> None:
        """End the process at once and for good."""
        self._closed = True
        if self._workers:
            self._workers.close()

    def _give_up(self, name: str) -> None:
        with self._changing:
            test = self._tests.pop(name, None)
        if test:
            test.wanted_until = 0.0

    def _find_test(self, spec: Spec, act: str, wait: float) -> _Test:
        name, until = to_yaml(spec), time.monotonic() + wait + PATIENCE_SECONDS
        with self._changing:
            test = self._tests.get(name)
            if test is None or (act == AGAIN and test.done.is_set()):
                self._tests.pop(name, None)
                test = self._tests[name] = _Test(*pairs_of(spec), wanted_until=until)
                self._queue.put(test)
            test.wanted_until = max(test.wanted_until, until)
            for old in list(self._tests)[:-MOST_ANSWERS]:
                del self._tests[old]
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True, name="overfit")
                self._thread.start()
        return test

    # In the thread

    def _work(self) -> None:
        while True:
            test = self._queue.get()
            try:
                self._do(test)
            except AbandonedError:
                with self._changing:
                    self._tests = {name: other for name, other in self._tests.items() if other is not test}
            except Exception as error:  # whatever it is, who asks must not wait for ever
                log.exception("a test with ten examples failed")
                test.problems.append(f"It could not be tested: {type(error).__name__}: {error}.")
            test.done.set()

    def _do(self, test: _Test) -> None:
        def wanted() -> bool:
            return not self._closed and time.monotonic() < test.wanted_until

        if self._workers is None:
            self._workers = LocalWorkers(self._scratch, wake=lambda: None)
        try:
            for what, configuration in test.pairs:
                payload = self._run(self._workers, test, what, configuration, wanted)
                if payload.get("overfit"):
                    test.results.append({"what": what, **payload["overfit"]})
                else:
                    where = f" (with {what})" if len(test.pairs) > 1 else ""
                    test.problems.append(f"{str(payload['error']).rstrip('.')}{where}.")
                test.share = 0.0
        finally:
            if not self._closed:
                self._workers.shrink(0)

    def _run(
        self, workers: LocalWorkers, test: _Test, what: str, configuration: dict[str, Any], wanted: Callable[[], bool]
    ) -> dict[str, Any]:
        """Test one pair; the payload of its job's result, or what stands for it."""
        job = Job(uuid.uuid4().hex, configuration, max(1, (os.cpu_count() or 1) // 2), kind=OVERFIT, rehearsal=True)
        test.doing = f"{what}: starting"
        workers.grow(1)
        while not workers.submit([job]):
            if not wanted():
                raise AbandonedError
            time.sleep(LOOK_SECONDS)
        late = time.monotonic() + LATE_SECONDS
        try:
            while time.monotonic() < late:
                if not wanted():
                    raise AbandonedError
                message = _message(workers, job.key)
                if message is None:
                    continue
                if message.kind == "progress":
                    test.doing, test.share = f"{what}: {message.payload['doing']}", float(message.payload["share"])
                elif message.kind == "result":
                    return message.payload
                elif message.kind == "died":
                    exitcode = message.payload["exitcode"]
                    return {"error": f"its process ended unexpectedly (exit code {exitcode})"}
        finally:
            self._end(workers, job.key)
        return {"error": f"its training took more than {LATE_SECONDS:.0f} s"}

    def _end(self, workers: LocalWorkers, key: str) -> None:
        if workers.busy:
            workers.stop(key)
        while workers.busy and not self._closed:
            _message(workers, key)


def _message(workers: LocalWorkers, key: str) -> Message | None:
    """The next message about a job, if one arrives within a moment."""
    workers.enforce()
    for pipe in wait(workers.pipes, timeout=LOOK_SECONDS):
        assert isinstance(pipe, Connection)
        message = workers.receive(pipe)
        if message is not None and message.key == key:
            return message
    return None


def overfit_here(text: str, progress: Callable[[str], None] = lambda doing: None) -> Answer:
    """The answer of `OverfitTests.answer` without a service: in a process that ends with it, and nothing is stored.

    Args:
        text: The spec in YAML.
        progress: Called with what is being done, about once a second.
    """
    with tempfile.TemporaryDirectory(prefix="sweepboard-overfit-") as scratch:
        tests = OverfitTests(Path(scratch))
        try:
            while (answer := tests.answer(text, ASK, 1.0))["pending"]:
                progress(answer["doing"])
            return answer
        finally:
            tests.close()


def as_text(answer: Answer) -> str:
    """The text that `sweepboard overfit` prints for an answer."""
    lines = []
    for result in answer["results"]:
        what = f"{result['what']}: " if len(answer["results"]) > 1 else ""
        lines += [f"{what}{result['sentence']}", *(f"  Note: {remark}" for remark in result["remarks"])]
    return "\n".join([*lines, *filter(None, [answer["left_out"]])])


def _answer(
    problems: list[str],
    results: Sequence[dict[str, Any]] = (),
    left_out: str = "",
    doing: str = "",
    share: float = 0.0,
    pending: bool = False,
) -> Answer:
    return {
        "problems": problems,
        "results": list(results),
        "left_out": left_out,
        "doing": doing,
        "share": min(share, 1.0),
        "pending": pending,
    }
