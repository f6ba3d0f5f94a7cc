"""The sweeps and runs of a store, read as the service needs them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from sweeps.catalogue import user_models
from sweeps.search import Trial, flatten, trial_of, trials_from_json
from sweeps.search.progress import Progress, StoredRun
from sweeps.spec import Spec, parse
from tracking import schema
from tracking.artifacts import remove_artifacts
from tracking.frames import Keys, Reader, Selection
from tracking.schema import Outcome, mask
from tracking.writer import MAX_PARAM

Tags = dict[str, str]
SEEDS = {"data": schema.SEED_DATA, "init": schema.SEED_INIT, "order": schema.SEED_ORDER}


class Refused(ValueError):
    """A request that cannot be done; the message says why."""


@dataclass(frozen=True)
class Trained:
    """A run that ended ok, with what is needed to train it once more."""

    configuration: dict[str, Any]
    """The whole configuration, seeds included."""
    workers: int
    """How many workers its sweep has, on which the threads of its runs depend."""
    metrics: dict[str, float]
    """The last value of each metric."""
    tags: Tags


@dataclass(frozen=True)
class StoredSweep:
    """A sweep as it stands in the store."""

    sweep: str
    """Its run id in MLflow."""
    experiment_id: str
    progress: Progress
    """Its spec, the runs that have ended and those that are still to be trained."""
    alarmed: bool = False
    """Whether it has been reported that the sweep diverges."""
    superseded: Sequence[tuple[str, str]] = ()
    """(run id, the run id that supersedes it) for runs that the store does not call superseded yet."""


class StoredSweeps:
    """The sweeps of one store.

    Args:
        reader: the store's
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def version(self) -> str:
        """A text that changes whenever the store does."""
        return self._reader.version()

    def sweeps(self) -> dict[str, Tags]:
        """The tags of every sweep, by its id, the oldest first."""
        records = self._reader.records(Selection(tag=(schema.KIND, schema.SWEEP_KIND)), Keys((), None, ()))
        tags = _by_run(records.tags)
        return {run_id: tags.get(run_id, {}) for run_id in records.runs["run_id"]}

    def tags(self, sweep: str) -> Tags:
        """The tags of one sweep.

        Raises:
            Refused: there is no such sweep
        """
        tags = _by_run(self._reader.tags([sweep])).get(sweep, {})
        if tags.get(schema.KIND) != schema.SWEEP_KIND:
            raise Refused(f"there is no sweep {sweep!r} in this store")
        return tags

    def name(self, sweep: str) -> str:
        """The name of a sweep."""
        return str(self._reader.runs(run_ids=[sweep], deleted=True)["name"].iloc[0])

    def runs(self, sweep: str, *, deleted: bool = False) -> list[StoredRun]:
        """All runs of a sweep, also those that do not count, without their objectives and curves."""
        runs = self._reader.runs(sweep=sweep, deleted=deleted)
        tags = _by_run(self._reader.tags(list(runs["run_id"])))
        return [
            StoredRun(run_id, start_time, status, tags[run_id])
            for run_id, start_time, status in zip(runs["run_id"], runs["start_time"], runs["status"], strict=True)
            if schema.TRIAL in tags.get(run_id, {})
        ]

    def with_runs(self, runs: Sequence[str]) -> list[str]:
        """These runs together with the runs of the sweeps among them, deleted ones too."""
        sweeps = set(self._reader.records(Selection(tag=(schema.KIND, schema.SWEEP_KIND), deleted=True)).runs["run_id"])
        with_runs = dict.fromkeys(runs)  # a set that keeps its order
        for run in runs:
            if run in sweeps:
                with_runs |= dict.fromkeys(self._reader.runs(sweep=run, deleted=True)["run_id"])
        return list(with_runs)

    def clean(self, sweep: str, artifact: str) -> int:
        """Delete an artifact of each of a sweep's runs, deleted ones too; all artifacts if its name is "".

        Returns:
            how many bytes that freed
        """
        return remove_artifacts(self._reader, self._reader.runs(sweep=sweep, deleted=True)["run_id"], artifact)

    def spec(self, sweep: str) -> Spec:
        """The spec of a sweep.

        Raises:
            ValueError, OSError: its spec is missing or cannot be read
        """
        text = self._reader.artifact(sweep, schema.SPEC_FILE).decode()
        return parse(text, accepted_with=user_models.paths())  # the modules that it was launched with are not stored

    def trials(self, sweep: str) -> list[Trial]:
        """The trials of a sweep that were enumerated when it was launched or extended.

        Raises:
            ValueError, OSError: they are missing or cannot be read
        """
        return trials_from_json(self._reader.artifact(sweep, schema.TRIALS_FILE).decode())

    def load(self, sweep: str) -> StoredSweep:
        """A sweep as it stands, with its progress restored.

        Raises:
            ValueError, OSError: its spec or its trials are missing or cannot be read
        """
        spec = self.spec(sweep)
        progress = Progress(spec, self.trials(sweep)[: spec.trials])
        (experiment_id,) = self._reader.runs(run_ids=[sweep])["experiment_id"]
        tags = self.tags(sweep)
        winners = json.loads(tags[schema.WINNERS]) if schema.WINNERS in tags else None
        superseded = progress.restore(self._measured(self.runs(sweep), spec), winners)
        return StoredSweep(sweep, experiment_id, progress, schema.ALARMED in tags, superseded)

    def has(self, run_id: str, artifact: str) -> bool:
        """Whether a run has an artifact."""
        return artifact in set(self._reader.artifacts(run_id)["path"])

    def trained(self, run_id: str) -> Trained:
        """A run that ended ok, with its configuration rebuilt from its sweep.

        Raises:
            Refused: there is no such run, or its configuration cannot be rebuilt; the message says why
        """
        records = self._reader.records(Selection.of(run_ids=[run_id], deleted=True))
        if records.runs.empty:
            raise Refused(f"there is no run {run_id!r} in this store")
        tags = dict(zip(records.tags["key"], records.tags["value"], strict=True))
        if tags.get(schema.KIND) != schema.RUN_KIND or schema.TRIAL not in tags or schema.SWEEP not in tags:
            raise Refused("no sweep of this program trained this run, so that it cannot be trained once more")
        if records.runs["lifecycle"].iloc[0] == "deleted":
            raise Refused("the run is deleted; restore it first")
        if tags.get(schema.OUTCOME) != Outcome.OK:
            how = f"ended as {tags[schema.OUTCOME]}" if schema.OUTCOME in tags else "has not ended"
            raise Refused(f"the run {how}; allowed: a run that ended ok")
        try:
            spec = self.spec(tags[schema.SWEEP])
            trial = self._trial(spec, tags)
        except (ValueError, OSError) as error:
            raise Refused(f"its sweep's files cannot be read, and with them its configuration: {error}") from error
        seeds = {kind: int(tags[tag]) for kind, tag in SEEDS.items() if tag in tags}
        configuration = {**trial.configuration, "seeds": seeds}
        params = dict(zip(records.params["key"], records.params["value"], strict=True))
        if changed := _differing(flatten(configuration), params):
            raise Refused(f"its configuration cannot be rebuilt exactly: {', '.join(changed)} is another by now")
        metrics = dict(zip(records.metrics["key"], records.metrics["value"].astype(float), strict=True))
        return Trained(configuration, spec.workers, metrics, tags)

    def _trial(self, spec: Spec, tags: Tags) -> Trial:
        number = int(tags[schema.TRIAL])
        for trial in self.trials(tags[schema.SWEEP]):
            if trial.number == number:
                return trial
        return trial_of(spec, number, json.loads(tags[schema.PARAMS]))  # a sampler chose it

    def curves(self, runs: Sequence[str], metric: str) -> dict[str, dict[int, float]]:
        """The values of a metric after each epoch of these runs: run id -> epoch -> value."""
        curves: dict[str, dict[int, float]] = {}
        history = self._reader.histories(runs, [metric])
        for run_id, step, value in zip(history["run_id"], history["step"], history["value"], strict=True):
            curves.setdefault(run_id, {})[int(step)] = float(value)
        return curves

    def _measured(self, runs: list[StoredRun], spec: Spec) -> list[StoredRun]:
        """The runs with their objectives, and the curves of first seeds if a pruner judges them."""
        frame = self._reader.metrics([run.run_id for run in runs], [schema.OBJECTIVE])
        objectives = {run_id: float(value) for run_id, value in zip(frame["run_id"], frame["value"], strict=True)}
        judged = [
            run.run_id
            for run in runs
            if run.tags[schema.SEED] == "0" and (spec.pruner != "none" or schema.PRUNED_AT in run.tags)
        ]
        curves = self.curves(judged, spec.objective.metric)
        return [replace(run, objective=objectives.get(run.run_id), curve=curves.get(run.run_id, {})) for run in runs]


def _differing(rebuilt: Mapping[str, str], params: Mapping[str, str]) -> list[str]:
    """The keys in which a rebuilt configuration differs from the stored params, apart from values too long to store."""
    expected = {key: mask(key, value) for key, value in rebuilt.items() if len(value) <= MAX_PARAM}
    return sorted(key for key, value in expected.items() if params.get(key) != value)


def _by_run(tags: pd.DataFrame) -> dict[str, Tags]:
    by_run: dict[str, Tags] = {}
    for run_id, key, value in zip(tags["run_id"], tags["key"], tags["value"], strict=True):
        by_run.setdefault(run_id, {})[key] = value
    return by_run
