"""What the user may change in any run of the store, whoever logged it: name, note and tags; delete, restore, clean.

The tags by which the service knows its sweeps and runs, and those of MLflow, are not the user's to change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.service.calls import Reply, refusal
from sweeps.service.resume_files import ResumeFiles
from sweeps.service.stored import Refused, StoredSweeps
from tracking import schema
from tracking.writer import Writer, set_experiment_tags

if TYPE_CHECKING:  # the app reads RESERVED, and needs no workers for that
    from sweeps.service.active_sweep import ActiveSweep

EDITABLE_OF_MLFLOW = (schema.RUN_NAME, schema.NOTE)
RESERVED = frozenset(
    {
        schema.KIND, schema.SWEEP, schema.TRIAL, schema.GROUP, schema.PHASE, schema.SEED, schema.SEED_DATA,
        schema.SEED_INIT, schema.SEED_ORDER, schema.OUTCOME, schema.OWNER, schema.LEASE, schema.SUPERSEDED_BY,
        schema.RERUN, schema.ATTEMPT, schema.QUEUED_AT, schema.STATE, schema.PLANNED, schema.TRIALS, schema.SEEDS,
        schema.METRIC, schema.DIRECTION, schema.SEARCHED, schema.PARAMS, schema.WINNERS, schema.ALARMED,
        schema.PRUNED_AT, schema.ESTIMATED, schema.ERROR, schema.DATA_HASH, schema.TICKET,
    }
)  # fmt: skip
LONGEST = 5000
CHANGES = ("delete", "restore")
CLEANED = {"weights": schema.WEIGHTS_FILE, "artifacts": ""}
"""What can be deleted of a sweep's runs, and the artifact that it is; "" for all artifacts."""


def check(tags: Mapping[str, Any], removed: Sequence[str], change: str | None) -> None:
    """Refuse what may not be changed.

    Args:
        tags: tag -> its new value
        removed: tags to be removed
        change: "delete", "restore" or None

    Raises:
        Refused: names the tag and what is allowed
    """
    if change is not None and change not in CHANGES:
        raise Refused(f"change: {change!r} is not allowed; allowed: {', '.join(CHANGES)}")
    for key in (*tags, *removed):
        reserved = key in RESERVED or key.startswith((schema.COMMAND, schema.EVENT))
        if reserved or (key.startswith("mlflow.") and key not in EDITABLE_OF_MLFLOW):
            raise Refused(f"tag {key}: it belongs to the program and cannot be changed; any other name is allowed")
        if not key.strip() or len(key) > 250 or not key.isprintable():
            raise Refused(f"tag {key[:40]!r}: a name has 1 to 250 printable characters")
    for key, value in tags.items():
        if not isinstance(value, str) or len(value) > LONGEST:
            raise Refused(f"tag {key}: a value is text of at most {LONGEST:,} characters")


def apply(
    writer: Writer, runs: Sequence[str], tags: Mapping[str, str], removed: Sequence[str], change: str | None
) -> None:
    """Queue a checked edit of these runs."""
    for run_id in runs:
        if change == "restore":
            writer.restore(run_id)
        writer.set_tags(run_id, tags)
        for key in removed:
            writer.remove_tag(run_id, key)
        if change == "delete":
            writer.delete(run_id)


class Edits:
    """Answers requests to edit runs and to delete their files, each in the thread of its client.

    Args:
        uri: the MLflow store
        stored, writer, resume_files: the service's
        active: the sweep being trained, if any
        in_loop: has the service's loop call a function, and waits; the reply says why if it was refused
    """

    def __init__(
        self,
        uri: str,
        stored: StoredSweeps,
        writer: Writer,
        resume_files: ResumeFiles,
        active: Callable[[], ActiveSweep | None],
        in_loop: Callable[[Callable[[], None]], Reply],
    ) -> None:
        self._uri = uri
        self._stored = stored
        self._writer = writer
        self._resume_files = resume_files
        self._active = active
        self._in_loop = in_loop

    def edit(self, runs: Sequence[str], tags: Mapping[str, Any], removed: Sequence[str], change: str | None) -> Reply:
        """Queue an edit of runs; sweeps among them are deleted and restored with their runs.

        Args:
            runs: their ids
            tags, removed, change: as in `check`
        """
        if change in CHANGES:
            runs = self._stored.with_runs(runs)

        def edit() -> None:
            check(tags, removed, change)
            active = self._active()
            if change == "delete" and active and any(active.trains(run) for run in runs):
                raise Refused("delete: one of these runs is being trained; stop it first")
            apply(self._writer, runs, tags, removed, change)
            if change == "delete":
                self._resume_files.remove(lambda sweep: sweep in runs)

        return self._in_loop(edit)

    def edit_experiment(self, experiment: str, tags: Mapping[str, Any]) -> Reply:
        """Set tags of an experiment."""
        try:
            check(tags, (), None)
        except Refused as refused:
            return refusal(str(refused))
        set_experiment_tags(self._uri, experiment, tags)
        return {}

    def clean(self, sweep: str, what: str) -> Reply:
        """Delete the weights, or all artifacts, of a sweep's runs; its spec and its trials stay.

        Args:
            sweep: its id
            what: a key of CLEANED

        Returns:
            freed: how many bytes
        """
        try:
            self._stored.tags(sweep)
            if what not in CLEANED:
                raise Refused(f"clean: {what!r} is not allowed; allowed: {', '.join(CLEANED)}")
            active = self._active()
            if active and active.sweep == sweep:
                raise Refused("clean: the sweep is being trained; pause or stop it first")
            self._writer.flush(5.0)  # of a sweep that has just ended, files may still be on their way
            return {"freed": self._stored.clean(sweep, CLEANED[what])}
        except Refused as refused:
            return refusal(str(refused))
