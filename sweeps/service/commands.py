"""The commands that the user can give to a sweep: pause, resume, stop, retry, extend, change; and stop for one run.

Commands come over the socket, or as tags that a client without one left in the store. Each is recorded on the sweep as
a tag `cmd.<uuid>`, together with the state that follows from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sweeps.search import count, enumerate_trials, trials_to_json
from sweeps.service.active_sweep import ActiveSweep
from sweeps.service.events import add_event, now_ms
from sweeps.service.stored import Refused, StoredSweeps
from sweeps.spec import to_yaml
from sweeps.spec.changes import CHANGING, change_sentence
from tracking import schema
from tracking.schema import COMMANDS, Outcome, State
from tracking.writer import Writer

UNDER_WAY = (State.RUNNING, State.PAUSING, State.STOPPING)

STOP_RUN = "stop_run"
NOTHING_CRASHED = "retry: none of the sweep's runs has crashed"


class NotOurs(Refused):
    """Another service trains this sweep, and obeys its commands."""


class Commands:
    """Obeys commands. Called in the service's loop only.

    Args:
        stored, writer: the service's
        active: the sweep being trained, if any
    """

    def __init__(self, stored: StoredSweeps, writer: Writer, active: Callable[[], ActiveSweep | None]) -> None:
        self._stored = stored
        self._writer = writer
        self._active = active
        self._obey = {"pause": self._pause, "resume": self._resume, "stop": self._stop, "retry": self._retry}

    def obey(
        self, action: str, target: str, command_id: str, at: int, arguments: Mapping[str, Any] | None = None
    ) -> None:
        """Obey one command and record it in the sweep's tags.

        Args:
            action: a key of COMMANDS, with a sweep's id as target, or STOP_RUN, with a run's
            at: when it was given, in milliseconds
            arguments: of extend (trials, seeds: how many more) and change (workers, pruner)

        Raises:
            Refused: it cannot be obeyed; nothing has changed
        """
        command = {"action": action, "at": at, "handled": now_ms()}
        if action == STOP_RUN:
            command["run"] = target
            target = self._stop_run(target)
        elif action in CHANGING:
            values = arguments or {}
            if not isinstance(values, Mapping):
                raise Refused(f"{action}: {values!r} is not allowed; allowed: names and their values")
            command["arguments"] = dict(values)
            self._change(action, target, self._checked(action, target), values)
        elif action in COMMANDS:
            self._obey[action](target, self._checked(action, target))
        else:
            raise Refused(f"{action} is not a command; there are: {', '.join(COMMANDS)}, {STOP_RUN}")
        self._writer.set_tags(target, {f"{schema.COMMAND}{command_id}": json.dumps(command)})

    def obey_left(self) -> None:
        """Obey the commands that wait in the store."""
        for sweep, tags in self._stored.sweeps().items():
            for key, value in tags.items():
                command = _waiting(key, value)
                if command is None:
                    continue
                try:
                    target = str(command.get("run") or sweep)
                    command_id, arguments = key.removeprefix(schema.COMMAND), command.get("arguments")
                    self.obey(str(command["action"]), target, command_id, command["at"], arguments)
                except NotOurs:
                    continue
                except Refused as error:
                    record = {**command, "handled": now_ms(), "refused": str(error)}
                    self._writer.set_tags(sweep, {key: json.dumps(record)})

    def set_state(self, sweep: str, state: State, text: str) -> None:
        """Change the state of a sweep that is not being trained, and add a sentence to its events."""
        self._writer.set_state(sweep, state)
        add_event(self._writer, sweep, text)

    def _checked(self, action: str, sweep: str) -> ActiveSweep | None:
        """The active sweep if this is the one, else None; refuses an action that the sweep's state does not allow."""
        active = self._active()
        if active is None or active.sweep != sweep:
            active = None
            self._writer.flush(1.0)  # its state in the store may be about to change
        tags = self._stored.tags(sweep)
        state = active.state if active else State(tags[schema.STATE])
        if state not in COMMANDS[action]:
            allowed = ", ".join(COMMANDS[action])
            raise Refused(f"{action}: the sweep is {state}; it can be given to a sweep that is {allowed}")
        if not active and state in UNDER_WAY:
            raise NotOurs(f"{action}: the sweep is trained by another service, {tags.get(schema.OWNER, 'unknown')}")
        return active

    def _pause(self, sweep: str, active: ActiveSweep | None) -> None:
        if active:
            active.pause()
        else:
            self.set_state(sweep, State.PAUSED, "Paused before it began.")

    def _resume(self, sweep: str, active: ActiveSweep | None) -> None:
        if active:
            active.resume()
        else:
            self._enqueue(sweep, "Queued again.")

    def _stop(self, sweep: str, active: ActiveSweep | None) -> None:
        if active:
            active.stop()
        else:
            self.set_state(sweep, State.STOPPED, "Stopped.")

    def _retry(self, sweep: str, active: ActiveSweep | None) -> None:
        if active:
            if not active.retry():
                raise Refused(NOTHING_CRASHED)
            return
        crashed = [
            run
            for run in self._stored.runs(sweep)
            if run.tags.get(schema.OUTCOME) == Outcome.CRASHED and schema.SUPERSEDED_BY not in run.tags
        ]
        if not crashed:
            raise Refused(NOTHING_CRASHED)
        for run in crashed:
            self._writer.set_tags(run.run_id, {schema.RERUN: schema.YES, schema.ATTEMPT: "1"})
        if any(run.tags.get(schema.PHASE) == schema.SEARCH_PHASE for run in crashed):
            self._writer.remove_tag(sweep, schema.WINNERS)  # the search may have other winners when it is done again
        self._enqueue(sweep, f"{len(crashed)} crashed runs are trained again.")

    def _change(self, action: str, sweep: str, active: ActiveSweep | None, arguments: Mapping[str, Any]) -> None:
        if not active and not self._writer.flush(0.0):
            raise Refused(f"{action}: the store has not taken yet what was changed before; try again")
        try:
            spec = active.spec if active else self._stored.spec(sweep)
            changed = CHANGING[action](spec, arguments)
            trials = self._stored.trials(sweep)  # kept as they are: the defaults of fields may have changed since
        except (ValueError, OSError) as error:
            raise Refused(str(error)) from error
        text = change_sentence(spec, changed)
        # The trials first: a service that is killed before the spec is stored finds more trials than that, never fewer.
        trials += enumerate_trials(changed)[len(trials) :]
        self._writer.log_text(sweep, trials_to_json(trials), schema.TRIALS_FILE)
        self._writer.log_text(sweep, to_yaml(changed), schema.SPEC_FILE)
        self._writer.set_tags(sweep, {schema.TRIALS: str(count(changed)[0]), schema.SEEDS: str(changed.seeds)})
        self._writer.remove_tag(sweep, schema.ESTIMATED)  # it was for the sweep as it was launched
        grown = (changed.trials, changed.seeds) != (spec.trials, spec.seeds)
        if grown:
            self._writer.remove_tag(sweep, schema.WINNERS)
        if active:
            if changed.pruner != spec.pruner:
                self._read_curves(active)
            active.change(changed)
            active.event(text)
        elif grown and self._stored.tags(sweep)[schema.STATE] == State.FINISHED:
            self._enqueue(sweep, text)
        else:
            add_event(self._writer, sweep, text)

    def _read_curves(self, active: ActiveSweep) -> None:
        """Read from the store what first seeds measured before this service began: without a pruner it was not read."""
        slots = active.progress.slots.values()
        without_curve = {slot.run_id: slot for slot in slots if slot.judged and slot.run_id and not slot.curve}
        for run_id, curve in self._stored.curves(list(without_curve), active.spec.objective.metric).items():
            without_curve[run_id].curve = curve

    def _stop_run(self, run_id: str) -> str:
        active = self._active()
        if active is None or not active.stop_run(run_id):
            raise Refused("stop: this run is not being trained now")
        active.event("One run was stopped.", run_id)
        return active.sweep

    def _enqueue(self, sweep: str, text: str) -> None:
        self._writer.set_tags(sweep, {schema.QUEUED_AT: str(now_ms())})
        self.set_state(sweep, State.QUEUED, text)


def _waiting(key: str, value: str) -> dict[str, Any] | None:
    """The command in a tag, if it is one that has not been handled yet."""
    if not key.startswith(schema.COMMAND):
        return None
    try:
        command = json.loads(value)
        return None if command.get("handled") or not {"action", "at"} <= set(command) else command
    except (ValueError, AttributeError):
        return None
