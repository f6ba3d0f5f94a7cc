"""What a service does first: runs that a dead service left as RUNNING are closed, and its sweeps go on."""

from __future__ import annotations

import logging

from sweeps.service.commands import UNDER_WAY, Commands
from sweeps.service.events import now_ms
from sweeps.service.resume_files import ResumeFiles
from sweeps.service.stored import StoredSweeps
from sweeps.service.sweep_lease import SweepLease
from tracking import schema
from tracking.schema import Outcome, State
from tracking.writer import Writer

log = logging.getLogger("sweepboard.service")


class Recovery:
    """The recovery of one store, done once in the life of a service. Called in the service's loop only.

    Args:
        stored, writer, commands, resume_files, lease: the service's
    """

    def __init__(
        self, stored: StoredSweeps, writer: Writer, commands: Commands, resume_files: ResumeFiles, lease: SweepLease
    ) -> None:
        self._stored = stored
        self._writer = writer
        self._commands = commands
        self._resume_files = resume_files
        self._lease = lease
        self._done = False

    def once(self) -> None:
        """Recover the store unless that has been done; it raises what the store raises, and is then tried again."""
        if self._done:
            return
        sweeps = self._stored.sweeps()
        self._resume_files.remove(lambda sweep: sweep not in sweeps)
        for sweep, tags in sweeps.items():
            state = tags.get(schema.STATE)
            if state in UNDER_WAY and not self._lease.held_elsewhere(tags):
                log.info("recovering %s, which was %s", sweep, state)
                self._recover(sweep, State(state))
        self._writer.flush(10)
        self._done = True

    def _recover(self, sweep: str, state: State) -> None:
        interrupted = self._end_interrupted(sweep)
        if state is State.STOPPING:
            self._commands.set_state(sweep, State.STOPPED, "Stopped.")
        elif state is State.PAUSING:
            self._commands.set_state(sweep, State.PAUSED, "Paused; the service ended before the running runs had.")
        else:
            self._writer.set_tags(sweep, {schema.QUEUED_AT: "0"})  # it was ahead of all that waits
            what = f"{interrupted} runs were interrupted and are trained again" if interrupted else "nothing is lost"
            self._commands.set_state(sweep, State.QUEUED, f"The service had ended and is back: {what}.")

    def _end_interrupted(self, sweep: str) -> int:
        """End the runs of a sweep that nobody trains any more, and return how many there were."""
        count = 0
        for run in self._stored.runs(sweep):
            if run.status != "RUNNING":
                continue
            if schema.OUTCOME in run.tags:  # it had ended; only its status was not written any more
                self._writer.end(run.run_id, Outcome(run.tags[schema.OUTCOME]), {}, now_ms())
                continue
            tags = {schema.ERROR: "the service ended while it trained", schema.RERUN: schema.YES}
            self._writer.end(run.run_id, Outcome.CRASHED, tags, now_ms())
            count += 1
        return count
