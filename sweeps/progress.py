"""Where a sweep stands: which runs are still to be trained, which are being trained, which have ended and how.

No process, no store, no clock: the service tells it what happened and asks what to do next. The same object is built
afresh from the store after a crash, with `Progress.restore`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sweeps.search import Trial
from tracking import schema
from tracking.schema import Outcome

MAX_ATTEMPTS = 2  # a run whose worker died is trained once more


@dataclass
class Slot:
    """One trial with one seed. It ends with exactly one run that counts."""

    trial: Trial
    seed: int
    key: str = ""
    """Names its latest run before the store has given that an id, and after."""
    run_id: str | None = None
    outcome: Outcome | None = None
    attempt: int = 1
    replaces: list[str] = field(default_factory=list)
    """Keys of runs of this slot that are superseded as soon as its next run is created."""


@dataclass(frozen=True)
class StoredRun:
    """A run as the store has it."""

    run_id: str
    start_time: int
    status: str
    tags: Mapping[str, str]


class Progress:
    """The slots of a sweep, seed by seed, so that every trial has been seen once before any is repeated.

    Args:
        trials: all configurations
        seeds: runs a trial
    """

    def __init__(self, trials: Sequence[Trial], seeds: int) -> None:
        self.slots = {(trial.number, seed): Slot(trial, seed) for seed in range(seeds) for trial in trials}
        self._todo = list(reversed(self.slots))  # popped from its end
        self._by_key: dict[str, Slot] = {}
        self._running: dict[str, Slot] = {}

    @property
    def running(self) -> list[Slot]:
        return list(self._running.values())

    @property
    def waiting(self) -> int:
        """Runs still to be begun."""
        return len(self._todo)

    def restore(self, runs: Iterable[StoredRun]) -> list[tuple[str, str]]:
        """Take over what the store holds of this sweep; every run in it must have ended.

        Returns:
            (old run id, the run id that supersedes it) for runs of one slot that both still count
        """
        superseded = []
        for run in sorted(runs, key=lambda run: (run.start_time, run.run_id)):
            slot = self.slots.get((int(run.tags[schema.TRIAL]), int(run.tags[schema.SEED])))
            if slot is None or schema.SUPERSEDED_BY in run.tags:
                continue
            if slot.run_id:
                superseded.append((slot.run_id, run.run_id))
            slot.key = slot.run_id = run.run_id
            self._by_key[slot.key] = slot
            slot.outcome = Outcome(run.tags.get(schema.OUTCOME, Outcome.CRASHED))
            slot.attempt = int(run.tags.get(schema.ATTEMPT, "1"))
            slot.replaces = [run.run_id] if run.tags.get(schema.RERUN) == schema.YES else []
            if slot.replaces:
                slot.outcome = None
        self._todo = [place for place in reversed(self.slots) if self.slots[place].outcome is None]
        return superseded

    def take(self) -> Slot | None:
        """The next run to be trained, marked as running; None if there is none."""
        if not self._todo:
            return None
        slot = self.slots[self._todo.pop()]
        slot.key, slot.run_id, slot.outcome = uuid.uuid4().hex, None, None
        self._by_key[slot.key] = self._running[slot.key] = slot
        return slot

    def put_back(self, slot: Slot) -> None:
        """Undo `take`."""
        del self._by_key[slot.key], self._running[slot.key]
        self._todo.append((slot.trial.number, slot.seed))

    def find(self, key: str) -> Slot | None:
        """The slot of a run by its key or its run id."""
        return self._by_key.get(key) or next((s for s in self.slots.values() if s.run_id == key), None)

    def find_running(self, key: str) -> Slot | None:
        return self._running.get(key)

    def end(self, slot: Slot, outcome: Outcome) -> None:
        del self._running[slot.key]
        slot.outcome = outcome

    def again(self, slot: Slot, *, attempt: int) -> None:
        """Have an ended run trained once more; its present run will be superseded."""
        slot.replaces.append(slot.key)
        slot.outcome, slot.attempt = None, attempt
        self._todo.append((slot.trial.number, slot.seed))

    def count(self, outcome: Outcome) -> int:
        return sum(slot.outcome is outcome for slot in self.slots.values())
