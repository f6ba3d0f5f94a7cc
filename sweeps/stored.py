"""What the store says of sweeps, read as the service needs it."""

from __future__ import annotations

import pandas as pd

from sweeps.progress import Progress, StoredRun
from sweeps.search import trials_from_json
from sweeps.spec import Spec, parse
from tracking import schema
from tracking.frames import Keys, Reader, Selection

Tags = dict[str, str]


class Refused(ValueError):
    """A command that cannot be obeyed; the message says why."""


class Stored:
    """The sweeps of one store.

    Args:
        reader: of the store
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def version(self) -> str:
        return self._reader.version()

    def sweeps(self) -> dict[str, Tags]:
        """The tags of every sweep, by its id, the oldest first."""
        found = self._reader.records(Selection(tag=(schema.KIND, schema.SWEEP_KIND)), Keys((), None, ()))
        tags = _nested(found.tags)
        return {run_id: tags.get(run_id, {}) for run_id in found.runs["run_id"]}

    def tags(self, sweep: str) -> Tags:
        """The tags of one sweep.

        Raises:
            Refused: there is no such sweep
        """
        tags = _nested(self._reader.tags([sweep])).get(sweep, {})
        if tags.get(schema.KIND) != schema.SWEEP_KIND:
            raise Refused(f"there is no sweep {sweep!r} in this store")
        return tags

    def runs(self, sweep: str) -> list[StoredRun]:
        """The runs of a sweep, those that do not count too."""
        runs = self._reader.runs(sweep=sweep)
        tags = _nested(self._reader.tags(list(runs["run_id"])))
        return [
            StoredRun(run_id, start_time, status, tags[run_id])
            for run_id, start_time, status in zip(runs["run_id"], runs["start_time"], runs["status"], strict=True)
            if schema.TRIAL in tags.get(run_id, {})
        ]

    def load(self, sweep: str) -> tuple[str, Spec, Progress, list[tuple[str, str]]]:
        """A sweep as it stands: experiment id, spec, progress, and what `Progress.restore` found to be superseded.

        Raises:
            ValueError, OSError: its spec or its trials are missing or cannot be read
        """
        spec = parse(self._reader.artifact(sweep, schema.SPEC_FILE).decode())
        progress = Progress(trials_from_json(self._reader.artifact(sweep, schema.TRIALS_FILE).decode()), spec.seeds)
        (experiment_id,) = self._reader.runs(run_ids=[sweep])["experiment_id"]
        return experiment_id, spec, progress, progress.restore(self.runs(sweep))


def _nested(tags: pd.DataFrame) -> dict[str, Tags]:
    nested: dict[str, Tags] = {}
    for run_id, key, value in zip(tags["run_id"], tags["key"], tags["value"], strict=True):
        nested.setdefault(run_id, {})[key] = value
    return nested
