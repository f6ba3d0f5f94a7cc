"""Where a sweep stands: which runs are still to be trained, which are being trained, which have ended and how.

No process, no store, no clock: the service tells it what happened and asks what to do next. The same object is built
afresh from the store after a crash, with `Progress.restore`.

The search comes seed by seed, so that every trial has been seen once before any is repeated; where trials are chosen
one by one (a sampler that learns), trial by trial. With a pruner, a trial's other seeds wait for its first, and are
spared unless that ends ok; those of a pruned trial stay spared without it. Confirm runs come last.
"""

from __future__ import annotations

import heapq
import json
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sweeps.search.samplers import TrialRecord
from sweeps.search.trials import CONFIRM_SEEDS, Trial, confirm_runs, enumerate_trials, trial_of
from sweeps.spec import ADAPTIVE, Spec
from tracking import schema
from tracking.schema import Outcome

MAX_ATTEMPTS = 2  # a run whose worker died is trained once more
Place = tuple[int, int]
"""Trial number and seed."""


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
    objective: float | None = None
    """What the run is ranked by, if it has ended ok."""
    curve: dict[int, float] = field(default_factory=dict)
    """Epoch -> the objective's metric, of a trial's first seed: what a pruner judges."""
    pruned_at: int | None = None
    """The epoch at which the pruner ended it."""

    @property
    def place(self) -> Place:
        return self.trial.number, self.seed

    @property
    def confirms(self) -> bool:
        return self.seed >= CONFIRM_SEEDS

    @property
    def judged(self) -> bool:
        """Whether a pruner looks at it: the first seed of a trial."""
        return self.seed == 0


@dataclass(frozen=True)
class StoredRun:
    """A run as the store has it."""

    run_id: str
    start_time: int
    status: str
    tags: Mapping[str, str]
    objective: float | None = None
    curve: Mapping[int, float] = field(default_factory=dict)
    """Epoch -> the objective's metric, of first seeds only."""


class Progress:
    """The slots of a sweep.

    Args:
        spec: The sweep.
        trials: Those that are known from the start; none for a sampler that learns.
    """

    def __init__(self, spec: Spec, trials: Sequence[Trial] = ()) -> None:
        self.spec = spec
        self.trials: dict[int, Trial] = {}
        self.slots: dict[Place, Slot] = {}
        self.winners: list[int] | None = None
        self._todo: list[tuple[tuple[int, int, int], Place]] = []
        self._by_key: dict[str, Slot] = {}
        self._running: dict[str, Slot] = {}
        for trial in trials:
            self._add_trial(trial)
        self._plan()

    # What is to be done

    @property
    def running(self) -> list[Slot]:
        return list(self._running.values())

    @property
    def waiting(self) -> int:
        """Runs that could be begun now."""
        return len(self._todo)

    @property
    def next_number(self) -> int | None:
        """The number of the trial that the sampler is to choose next; None if it has chosen all, or need not."""
        if self.spec.sampler not in ADAPTIVE:
            return None
        return next((number for number in range(self.spec.trials or 0) if number not in self.trials), None)

    @property
    def search_done(self) -> bool:
        """Whether nothing of the search is left to be chosen, begun or ended."""
        return not self._running and not self._todo and self.next_number is None

    @property
    def complete(self) -> bool:
        """Whether nothing is left at all."""
        return self.search_done and (self.spec.confirm is None or self.winners is not None)

    @property
    def planned(self) -> int:
        """How many runs the sweep will have, as far as is known, without those that the pruner has spared."""
        unconfirmed = self.winners is None  # runs that confirmed earlier winners are counted with those to come
        planned = sum(not self._spared(slot) and not (unconfirmed and slot.confirms) for slot in self.slots.values())
        to_choose = 0
        if self.spec.sampler in ADAPTIVE:
            chosen = sum(number < (self.spec.trials or 0) for number in self.trials)
            to_choose = (self.spec.trials or 0) - chosen
        confirms = 0
        if self.winners is None:
            confirms = confirm_runs(self.spec, len(self.trials) + to_choose)
        return planned + to_choose * self.spec.seeds + confirms

    def take(self) -> Slot | None:
        """The next run to be trained, marked as running; None if there is none."""
        if not self._todo:
            return None
        slot = self.slots[heapq.heappop(self._todo)[1]]
        slot.key, slot.run_id, slot.outcome = uuid.uuid4().hex, None, None
        slot.objective, slot.curve, slot.pruned_at = None, {}, None
        self._by_key[slot.key] = self._running[slot.key] = slot
        return slot

    def put_back(self, slot: Slot) -> None:
        """Undo `take`."""
        del self._by_key[slot.key], self._running[slot.key]
        self._push(slot)

    # What happened

    def find(self, key: str) -> Slot | None:
        """The slot of a run by its key or its run id."""
        return self._by_key.get(key) or next((s for s in self.slots.values() if s.run_id == key), None)

    def find_running(self, key: str) -> Slot | None:
        return self._running.get(key)

    def end(self, slot: Slot, outcome: Outcome, objective: float | None = None) -> None:
        del self._running[slot.key]
        slot.outcome, slot.objective = outcome, objective
        if slot.judged and self.spec.pruner != "none" and outcome is Outcome.OK:
            for seed in range(1, self.spec.seeds):
                other = self.slots[slot.trial.number, seed]
                if other.outcome is None and other.key not in self._running:
                    self._push(other)

    def again(self, slot: Slot, *, attempt: int) -> None:
        """Have an ended run trained once more; its present run will be superseded."""
        slot.replaces.append(slot.key)
        slot.outcome, slot.attempt = None, attempt
        if self._may_begin(slot):
            self._push(slot)

    def count(self, outcome: Outcome) -> int:
        return sum(slot.outcome is outcome for slot in self.slots.values())

    # How it grows

    def add(self, number: int, params: dict[str, object]) -> None:
        """The sampler has chosen a trial."""
        self._add_trial(trial_of(self.spec, number, params))
        self._plan()

    def confirm(self, winners: Sequence[int]) -> None:
        """Plan the confirm runs of these trials."""
        assert self.spec.confirm is not None
        self.winners = list(winners)
        for number in winners:
            for k in range(self.spec.confirm.seeds):
                self._slot(self.trials[number], CONFIRM_SEEDS + k)
        self._plan()

    def change(self, spec: Spec) -> None:
        """Go on with another spec: more trials or seeds, another pruner or number of workers."""
        grown = (spec.trials, spec.seeds) != (self.spec.trials, self.spec.seeds)
        self.spec = spec
        if grown:
            self.choose_again()
            for trial in enumerate_trials(spec) or list(self.trials.values()):
                self._add_trial(self.trials.get(trial.number, trial))
        self._plan()

    def choose_again(self) -> None:
        """Go on with the search: its winners are chosen anew when it is done.

        Runs that confirm the old winners are kept, but no more of them are begun.
        """
        self.winners = None
        self.slots = {place: slot for place, slot in self.slots.items() if not slot.confirms or slot.key}
        self._plan()

    def records(self) -> list[TrialRecord]:
        """What the sampler may know about every trial so far."""
        return [self._record(trial) for trial in self.trials.values()]

    def results(self, number: int) -> tuple[list[float], int]:
        """(finite objectives of the search, how many of its runs diverged) of a trial, in the order of the seeds."""
        slots = [self.slots[number, seed] for seed in range(self.spec.seeds)]
        finite = [slot.objective for slot in slots if slot.objective is not None and math.isfinite(slot.objective)]
        return finite, sum(slot.outcome is Outcome.DIVERGED for slot in slots)

    # From the store

    def restore(self, runs: Iterable[StoredRun], winners: Sequence[int] | None = None) -> list[tuple[str, str]]:
        """Take over the runs that the store holds of this sweep; every one must have ended.

        Args:
            runs: All runs of the sweep.
            winners: The trials that were chosen to be confirmed, if they have been.

        Returns:
            (old run id, the run id that supersedes it) for runs of one slot that both still count
        """
        counting = [run for run in runs if schema.SUPERSEDED_BY not in run.tags]
        superseded = []
        for run in sorted(counting, key=lambda run: (run.start_time, run.run_id)):
            slot = self._stored_slot(int(run.tags[schema.TRIAL]), int(run.tags[schema.SEED]), run.tags)
            if slot is None:
                continue
            if slot.run_id:
                superseded.append((slot.run_id, run.run_id))
            slot.key = slot.run_id = run.run_id
            self._by_key[slot.key] = slot
            slot.outcome = Outcome(run.tags.get(schema.OUTCOME, Outcome.CRASHED))
            slot.objective = run.objective if slot.outcome is Outcome.OK else None
            slot.attempt = int(run.tags.get(schema.ATTEMPT, "1"))
            slot.curve = dict(run.curve)
            slot.pruned_at = int(run.tags[schema.PRUNED_AT]) if schema.PRUNED_AT in run.tags else None
            slot.replaces = [run.run_id] if run.tags.get(schema.RERUN) == schema.YES else []
            if slot.replaces:
                slot.outcome = None
        if winners is not None and self.spec.confirm is not None:
            self.confirm([number for number in winners if number in self.trials])
        self._plan()
        return superseded

    def _stored_slot(self, number: int, seed: int, tags: Mapping[str, str]) -> Slot | None:
        """The slot of a stored run, made if its trial was chosen by a sampler or it confirms one; None if unknown."""
        if number not in self.trials and self.spec.sampler in ADAPTIVE and schema.PARAMS in tags:
            self._add_trial(trial_of(self.spec, number, json.loads(tags[schema.PARAMS])))
        if number in self.trials and seed >= CONFIRM_SEEDS:
            return self._slot(self.trials[number], seed)
        return self.slots.get((number, seed))

    def _add_trial(self, trial: Trial) -> None:
        self.trials[trial.number] = trial
        for seed in range(self.spec.seeds):
            self._slot(trial, seed)

    def _slot(self, trial: Trial, seed: int) -> Slot:
        return self.slots.setdefault((trial.number, seed), Slot(trial, seed))

    def _plan(self) -> None:
        """Order afresh what is to be done."""
        self._todo = []
        for slot in self.slots.values():
            if slot.outcome is None and slot.key not in self._running and self._may_begin(slot):
                self._push(slot)

    def _push(self, slot: Slot) -> None:
        number, seed = slot.place
        by_trial = self.spec.sampler in ADAPTIVE and not slot.confirms
        order = (slot.confirms, number, seed) if by_trial else (slot.confirms, seed, number)
        heapq.heappush(self._todo, (order, slot.place))

    def _may_begin(self, slot: Slot) -> bool:
        if slot.judged or slot.confirms:
            return True
        first = self.slots[slot.trial.number, 0].outcome
        return first is Outcome.OK or (self.spec.pruner == "none" and first is not Outcome.PRUNED)

    def _spared(self, slot: Slot) -> bool:
        """Whether it will not be trained, because its trial's first seed did not survive."""
        return (
            slot.outcome is None
            and slot.key not in self._running
            and not self._may_begin(slot)
            and self.slots[slot.trial.number, 0].outcome is not None
        )

    def _record(self, trial: Trial) -> TrialRecord:
        slots = [self.slots[trial.number, seed] for seed in range(self.spec.seeds)]
        first = slots[0]
        if first.outcome is Outcome.PRUNED and first.pruned_at is not None:
            value = first.curve.get(first.pruned_at)
            return TrialRecord(trial.number, trial.params, Outcome.PRUNED, value, first.pruned_at)
        if any(slot.outcome is None and not self._spared(slot) for slot in slots):
            return TrialRecord(trial.number, trial.params)
        finite, diverged = self.results(trial.number)
        if diverged:
            return TrialRecord(trial.number, trial.params, Outcome.DIVERGED)
        if not finite:
            return TrialRecord(trial.number, trial.params, Outcome.CRASHED)
        return TrialRecord(trial.number, trial.params, Outcome.OK, sum(finite) / len(finite))


def winners(progress: Progress) -> list[int]:
    """The trials to confirm: the best of the search, overall or for each value of a key.

    They rank by their share of diverged runs, then by the mean of the finite ones; a trial without a finite result, or
    one that was pruned, is no winner.
    """
    spec = progress.spec
    assert spec.confirm is not None
    sign = 1 if spec.objective.direction == schema.MINIMIZE else -1
    ranked = []
    for record in progress.records():
        finite, diverged = progress.results(record.number)
        if finite and record.outcome is not Outcome.PRUNED:
            share = diverged / (diverged + len(finite))
            ranked.append((share, sign * sum(finite) / len(finite), record.number))
    by_value: dict[str, list[int]] = {}
    for _, _, number in sorted(ranked):
        value = progress.trials[number].params.get(spec.confirm.per) if spec.confirm.per else None
        best = by_value.setdefault(json.dumps(value), [])
        if len(best) < spec.confirm.top:
            best.append(number)
    return sorted(number for best in by_value.values() for number in best)
