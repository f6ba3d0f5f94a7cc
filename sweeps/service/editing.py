"""What a person may change of any run in the store, ours or a stranger's: its name, note and tags; delete and restore.

The tags by which the service knows its sweeps and runs, and MLflow's own, are not a person's to change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.service.stored import Refused
from tracking import schema
from tracking.writer import Writer

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
"""What can be cleaned of a sweep's runs, and the artifact that it is; all of them if empty."""


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
