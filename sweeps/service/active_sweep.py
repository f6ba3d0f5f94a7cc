"""The sweep under way: gives its runs to workers, queues what they send for the store, and changes its state."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.search import flatten, group_of, run_name, seeds_for, settings_of
from sweeps.search.progress import MAX_ATTEMPTS, Slot, winners
from sweeps.search.pruning import epochs_of, judge_of
from sweeps.service.alerts import diverging
from sweeps.service.events import add_event, now_ms
from sweeps.service.resume_files import ResumeFiles
from sweeps.service.stored import StoredSweep
from sweeps.service.trial_choice import Choice, TrialChoice
from sweeps.spec import Spec
from sweeps.workers import Job, LocalWorkers, Message
from tracking import schema
from tracking.kill_points import reached
from tracking.schema import Outcome, State
from tracking.writer import NewRun, Writer

MAX_BACKLOG = 20_000  # operations waiting for the store, above which no more runs are begun


@dataclass(frozen=True)
class Resources:
    """What the service lends to the sweep under way."""

    writer: Writer
    workers: LocalWorkers
    wake: Callable[[], None]
    """Called from another thread when the sampler has chosen a trial."""
    owner: str
    """The service's token, which its runs get as a tag."""
    commit: str = ""
    """The git commit of this program, which its runs get as a tag; "" if it is not known."""
    alert: Callable[[dict[str, str]], object] = lambda event: None
    """Called with what the user may want to be alerted to (see `sweeps.service.alerts.Alerts.send`)."""
    resume_files: ResumeFiles | None = None
    """Where long runs leave what they need to go on after a kill; None if they are to leave nothing."""


class ActiveSweep:
    """One sweep under way.

    Args:
        stored: the sweep, as the store has it
        resources: the service's
    """

    def __init__(self, stored: StoredSweep, resources: Resources) -> None:
        self.sweep = stored.sweep
        self.progress = stored.progress
        self.state = State.RUNNING
        self._experiment_id = stored.experiment_id
        self._alarmed = stored.alarmed
        self._resources = resources
        self._writer = resources.writer
        self._workers = resources.workers
        self._planned: int | None = None
        """How many runs the sweep will have, as the store was given it last."""
        self._failure = ""
        """Why the sweep cannot go on; it fails when the runs under way have ended."""
        self._choice = TrialChoice(resources.wake)
        self._judge = judge_of(self.progress)
        self._stopped_by_user: set[str] = set()
        """The keys of running runs that the user ended one by one."""
        self._uncreated: set[str] = set()
        """The keys of runs that were begun and that the store has not given an id yet."""
        self._handlers: dict[str, Callable[[Slot, dict[str, Any]], None]] = {
            "info": self._on_info,
            "metrics": self._on_metrics,
            "file": self._on_file,
            "result": self._on_result,
            "died": self._on_died,
        }

    @property
    def spec(self) -> Spec:
        return self.progress.spec

    def begin(self) -> None:
        """Start the sweep, or go on from where `progress` stands."""
        left = self.progress.planned - sum(slot.outcome is not None for slot in self.progress.slots.values())
        self._enter(State.RUNNING, f"Training: {'up to ' * (self.spec.pruner != 'none')}{left} runs to go.")
        self._store_planned()
        self.dispatch()

    def dispatch(self) -> None:
        """Give runs to free workers, at most as many at a time as the sweep has workers."""
        blocked = self._writer.problem or self._writer.backlog > MAX_BACKLOG or self._failure
        if self.state is not State.RUNNING or blocked:
            return
        self._plan_next()
        wanted = min(self.spec.workers, len(self.progress.running) + max(1, self.progress.waiting))
        self._workers.grow(wanted)
        threads = max(1, (os.cpu_count() or 1) // self.spec.workers)
        while self._workers.free and len(self.progress.running) < self.spec.workers:
            slot = self.progress.take()
            if slot is None:
                self._plan_next()
                return
            configuration = {**slot.trial.configuration, "seeds": seeds_for(self.spec, slot.seed)}
            if not self._workers.submit([Job(slot.key, configuration, threads, resume=self._resume_file(slot))]):
                self.progress.put_back(slot)
                return
            reached("run given out")
            self._start_run(slot, configuration)

    def handle(self, message: Message) -> bool:
        """Take one message of a worker; False if it concerns no running run of this sweep."""
        slot = self.progress.find_running(message.key or "")
        if slot is None:
            return False
        self._handlers[message.kind](slot, message.payload)
        return True

    def created(self, key: str, run_id: str) -> None:
        """Take note that the store has given a run its id."""
        self._uncreated.discard(key)
        slot = self.progress.find(key)
        if slot is None or slot.key != key:  # it has died meanwhile, and another run has taken its place
            return
        slot.run_id = run_id
        for replaced in slot.replaces:
            self._writer.set_tags(replaced, {schema.SUPERSEDED_BY: run_id})
        slot.replaces.clear()

    def refused(self, key: str) -> None:
        """Take note that the store refuses something of a run, and wait no more for the run's id."""
        self._uncreated.discard(key)

    def change(self, spec: Spec) -> None:
        """Go on with more trials or seeds, another number of workers or another pruner."""
        other_pruner = spec.pruner != self.spec.pruner
        self.progress.change(spec)
        if other_pruner:
            self._judge = judge_of(self.progress)
        self._store_planned()

    def pause(self) -> None:
        """Let the running runs finish, and begin no others."""
        self._enter(State.PAUSING, "Pausing: the running runs finish, no others start.")

    def resume(self) -> None:
        """Begin runs again after `pause`."""
        self._enter(State.RUNNING, "Going on.")

    def stop(self) -> None:
        """End the running runs now, and begin no others."""
        self._enter(State.STOPPING, "Stopping: the running runs are ended now.")
        for slot in self.progress.running:
            self._workers.stop(slot.key)

    def trains(self, run_id: str) -> bool:
        """Whether a run is being trained now, or is the sweep itself."""
        slot = self.progress.find(run_id)
        return run_id == self.sweep or (slot is not None and self.progress.find_running(slot.key) is not None)

    def stop_run(self, run_id: str) -> bool:
        """End one run; False if it is not being trained."""
        slot = self.progress.find(run_id)
        if slot is None or not self.trains(run_id):
            return False
        self._stopped_by_user.add(slot.key)
        self._workers.stop(slot.key)
        return True

    def retry(self) -> int:
        """Have the crashed runs trained again, and return how many there are."""
        crashed = [slot for slot in self.progress.slots.values() if slot.outcome is Outcome.CRASHED]
        for slot in crashed:
            self._writer.set_tags(slot.key, {schema.RERUN: schema.YES})
            self.progress.again(slot, attempt=1)
        self._judge = judge_of(self.progress)  # a first seed that crashed is judged anew
        if any(not slot.confirms for slot in crashed):
            self.progress.choose_again()
            self._writer.remove_tag(self.sweep, schema.WINNERS)
        return len(crashed)

    def interrupt(self, reason: str) -> None:
        """End the running runs because the service ends; they are trained again when the sweep goes on."""
        for slot in self.progress.running:
            if slot.pruned_at is not None:
                self._end_pruned(slot)
            else:
                self._end(slot, Outcome.CRASHED, {schema.ERROR: reason, schema.RERUN: schema.YES})

    def settle(self) -> bool:
        """Enter the state that follows once no run is running; True if the sweep is no longer active."""
        if self.progress.running or self._uncreated:
            return False
        if self.state is State.STOPPING:
            self._enter(State.STOPPED, "Stopped.")
        elif self._failure:
            self._enter(State.FAILED, self._failure)
            self._alert("failed", self._failure)
        elif self.state in (State.RUNNING, State.PAUSING) and self.progress.complete:
            counts = [(self.progress.count(outcome), outcome) for outcome in Outcome]
            reached("all runs ended")
            text = f"Finished: {', '.join(f'{count} {outcome}' for count, outcome in counts if count)}."
            self._enter(State.FINISHED, text)
            self._alert("finished", text)
            if self._resources.resume_files:  # runs that crashed or were ended one by one have left theirs
                self._resources.resume_files.remove(lambda sweep: sweep == self.sweep)
        elif self.state is State.PAUSING:
            self._enter(State.PAUSED, "Paused.")
        else:
            return False
        return True

    def event(self, text: str, run: str | None = None) -> None:
        """Add a sentence to the sweep's events."""
        add_event(self._writer, self.sweep, text, run)

    def _alert(self, event: str, text: str) -> None:
        self._resources.alert({"event": event, "sweep": self.sweep, "name": self.spec.name, "text": text})

    def _enter(self, state: State, text: str) -> None:
        self.state = state
        self._writer.set_state(self.sweep, state)
        self.event(text)

    # What comes next

    def _plan_next(self) -> None:
        """Have the sampler choose the next trial; when the search is done, plan the runs that confirm its winners."""
        if chosen := self._choice.take():
            self._add_trial(*chosen)
        if self._failure or self.progress.waiting:
            return
        number = self.progress.next_number
        if number is not None:
            if not self._choice.busy:
                self._choice.begin(self.spec, number, self.progress.records())
        elif self.spec.confirm and self.progress.winners is None and self.progress.search_done:
            self._confirm(self.spec.confirm.seeds)

    def _add_trial(self, number: int, choice: Choice) -> None:
        try:
            if isinstance(choice, Exception):
                raise choice
            self.progress.add(number, choice)
        except Exception as error:  # such as a user module that is gone
            self._failure = f"The sampler {self.spec.sampler} could not choose trial {number}: {error}"

    def _confirm(self, seeds: int) -> None:
        confirmed = winners(self.progress)
        self.progress.confirm(confirmed)
        self._writer.set_tags(self.sweep, {schema.WINNERS: json.dumps(confirmed)})
        text = f"The search is done; retrained with {seeds} fresh seeds: {len(confirmed)} of its trials."
        self.event(text if confirmed else "The search is done; it has no winner to confirm.")
        self._store_planned()

    def _store_planned(self) -> None:
        """Store how many runs the sweep will have, if that has changed."""
        planned = self.progress.planned
        if planned != self._planned:
            self._planned = planned
            self._writer.set_tags(self.sweep, {schema.PLANNED: str(planned)})

    # Pruning

    def _judge_epoch(self, slot: Slot, epoch: int) -> None:
        """Have the judge look at a first seed after an epoch, and end the run if it prunes it."""
        if self._judge and self._judge.prunes(slot.trial.number, epoch, slot.curve[epoch]):
            slot.pruned_at = epoch
            self._workers.prune(slot.key)

    # Runs

    def _resume_file(self, slot: Slot) -> str | None:
        """The file by which a run goes on after a kill."""
        if self._resources.resume_files is None:
            return None
        return str(self._resources.resume_files.path(self.sweep, slot.trial.number, slot.seed))

    def _start_run(self, slot: Slot, configuration: dict[str, Any]) -> None:
        if self._judge and slot.judged:
            self._judge.begin(slot.trial.number, epochs_of(slot.trial))
        self._uncreated.add(slot.key)
        self._writer.start_run(
            slot.key,
            NewRun(
                experiment_id=self._experiment_id,
                name=run_name(slot.trial, slot.seed),
                tags=self._tags(slot, configuration["seeds"]),
                params={**flatten(configuration), **settings_of(self.spec, slot.trial.params)},
                start_time=now_ms(),
                parent=self.sweep,
            ),
        )

    def _tags(self, slot: Slot, seeds: dict[str, int]) -> dict[str, str]:
        """The tags that a run begins with."""
        phase = schema.CONFIRM_PHASE if slot.confirms else schema.SEARCH_PHASE
        tags = {
            schema.KIND: schema.RUN_KIND,
            schema.SWEEP: self.sweep,
            schema.TRIAL: str(slot.trial.number),
            schema.GROUP: group_of(slot.trial.configuration, phase) if slot.confirms else slot.trial.group,
            schema.PHASE: phase,
            schema.PARAMS: json.dumps(slot.trial.params, ensure_ascii=False),
            schema.SEED: str(slot.seed),
            schema.SEED_DATA: str(seeds["data"]),
            schema.SEED_INIT: str(seeds["init"]),
            schema.SEED_ORDER: str(seeds["order"]),
            schema.OWNER: self._resources.owner,
            schema.ATTEMPT: str(slot.attempt),
            "mlflow.source.name": "sweepboard",
            "mlflow.source.type": "LOCAL",
        }
        if self._resources.commit:
            tags[schema.COMMIT] = self._resources.commit
        return tags

    def _on_info(self, slot: Slot, payload: dict[str, Any]) -> None:
        self._writer.log_dataset(slot.key, payload["dataset"])
        self._writer.set_tags(slot.key, {**payload["tags"], "parameters": str(payload["parameters"])})

    def _on_metrics(self, slot: Slot, payload: dict[str, Any]) -> None:
        if slot.pruned_at is not None:
            return  # what a run still measures between the verdict and its end differs from time to time
        reached("metrics taken")
        epoch, metrics = payload["step"], payload["metrics"]
        self._writer.log_metrics(slot.key, metrics, epoch, payload["time"])
        value = metrics.get(self.spec.objective.metric)
        if slot.judged and value is not None:
            slot.curve[epoch] = value
            self._judge_epoch(slot, epoch)

    def _on_file(self, slot: Slot, payload: dict[str, Any]) -> None:
        self._writer.log_file(slot.key, Path(payload["path"]), payload["artifact"], delete=True)

    def _on_result(self, slot: Slot, payload: dict[str, Any]) -> None:
        outcome, objective = Outcome(payload["outcome"]), payload["objective"]
        if slot.pruned_at is not None:
            self._end_pruned(slot)
            return
        tags = {schema.ERROR: payload["error"]} if payload["error"] else {}
        if objective is not None:
            self._writer.log_metrics(slot.key, {schema.OBJECTIVE: objective}, payload["epochs"], now_ms())
        if outcome is Outcome.STOPPED and slot.key not in self._stopped_by_user:
            tags[schema.RERUN] = schema.YES  # the sweep was stopped, not this run: resuming trains it again
        self._end(slot, outcome, tags, objective)

    def _end_pruned(self, slot: Slot) -> None:
        self._end(slot, Outcome.PRUNED, {schema.PRUNED_AT: str(slot.pruned_at)})

    def _on_died(self, slot: Slot, payload: dict[str, Any]) -> None:
        if slot.pruned_at is not None:
            self._end_pruned(slot)
        elif slot.key in self._stopped_by_user:
            self._end(slot, Outcome.STOPPED, {})
        elif self.state is State.STOPPING:
            self._end(slot, Outcome.STOPPED, {schema.RERUN: schema.YES})
        else:
            error = f"its worker ended unexpectedly (exit code {payload['exitcode']})"
            retry = slot.attempt < MAX_ATTEMPTS
            self._end(slot, Outcome.CRASHED, {schema.ERROR: error, **({schema.RERUN: schema.YES} if retry else {})})
            if retry:
                self.progress.again(slot, attempt=slot.attempt + 1)

    def _end(self, slot: Slot, outcome: Outcome, tags: dict[str, str], objective: float | None = None) -> None:
        self._writer.end(slot.key, outcome, tags, now_ms())
        self._stopped_by_user.discard(slot.key)
        self.progress.end(slot, outcome, objective if outcome is Outcome.OK else None)
        if self._judge and slot.judged and schema.RERUN not in tags:
            self._judge.end(slot.trial.number, outcome, slot.objective)
            self._store_planned()
        if outcome in (Outcome.CRASHED, Outcome.DIVERGED):
            error = f": {tags[schema.ERROR]}" if schema.ERROR in tags else ""
            self.event(f"{run_name(slot.trial, slot.seed)} {outcome}{error}", slot.run_id)
        if outcome is Outcome.DIVERGED and not self._alarmed:
            self._alert_if_diverging()

    def _alert_if_diverging(self) -> None:
        """Report, once, that so many runs diverge."""
        ended = sum(slot.outcome is not None for slot in self.progress.slots.values())
        diverged = self.progress.count(Outcome.DIVERGED)
        if diverging(diverged, ended):
            self._alarmed = True
            self._writer.set_tags(self.sweep, {schema.ALARMED: schema.YES})
            text = f"{diverged} of the {ended} runs that have ended diverged."
            self.event(text)
            self._alert("diverging", text)
