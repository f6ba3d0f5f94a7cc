"""What the store says of sweeps, read as the service needs it."""

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
    """A command that cannot be obeyed; the message says why."""


@dataclass(frozen=True)
class Trained:
    """A run that ended ok, and what it takes to train it once more."""

    configuration: dict[str, Any]
    """The whole of it, seeds included."""
    workers: int
    """Of its sweep: by them a run's threads are counted."""
    metrics: dict[str, float]
    """The last value of each."""
    tags: Tags


@dataclass(frozen=True)
class StoredSweep:
    """A sweep as it stands in the store."""

    sweep: str
    """Its run id in MLflow."""
    experiment_id: str
    progress: Progress
    """What it is, which runs have ended and which are to be trained."""
    alarmed: bool = False
    """Whether it has been reported that the sweep diverges."""
    superseded: Sequence[tuple[str, str]] = ()
    """The runs that the store must call superseded yet, each with the run that supersedes it (`Progress.restore`)."""


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

    def name(self, sweep: str) -> str:
        """What a sweep is called."""
        return str(self._reader.runs(run_ids=[sweep], deleted=True)["name"].iloc[0])

    def runs(self, sweep: str, *, deleted: bool = False) -> list[StoredRun]:
        """The runs of a sweep, those that do not count too, without what they measured."""
        runs = self._reader.runs(sweep=sweep, deleted=deleted)
        tags = _nested(self._reader.tags(list(runs["run_id"])))
        return [
            StoredRun(run_id, start_time, status, tags[run_id])
            for run_id, start_time, status in zip(runs["run_id"], runs["start_time"], runs["status"], strict=True)
            if schema.TRIAL in tags.get(run_id, {})
        ]

    def with_runs(self, runs: Sequence[str]) -> list[str]:
        """These runs, and after each sweep among them all its runs, deleted ones too."""
        sweeps = set(self._reader.records(Selection(tag=(schema.KIND, schema.SWEEP_KIND), deleted=True)).runs["run_id"])
        found = dict.fromkeys(runs)
        for run in runs:
            if run in sweeps:
                found |= dict.fromkeys(self._reader.runs(sweep=run, deleted=True)["run_id"])
        return list(found)

    def clean(self, sweep: str, artifact: str) -> int:
        """Delete an artifact of each of a sweep's runs, deleted ones too; all of them if it is empty.

        Returns:
            how many bytes that freed
        """
        return remove_artifacts(self._reader, self._reader.runs(sweep=sweep, deleted=True)["run_id"], artifact)

    def spec(self, sweep: str) -> Spec:
        """What the sweep is.

        Raises:
            ValueError, OSError: its spec is missing or cannot be read
        """
        text = self._reader.artifact(sweep, schema.SPEC_FILE).decode()
        return parse(text, accepted_with=user_models.paths())  # with which modules it was launched is not stored

    def trials(self, sweep: str) -> list[Trial]:
        """The sweep's trials, as far as they were enumerated.

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
            Refused: it is no such run, or its configuration cannot be rebuilt, in a sentence
        """
        found = self._reader.records(Selection.of(run_ids=[run_id], deleted=True))
        if found.runs.empty:
            raise Refused(f"there is no run {run_id!r} in this store")
        tags = dict(zip(found.tags["key"], found.tags["value"], strict=True))
        if tags.get(schema.KIND) != schema.RUN_KIND or schema.TRIAL not in tags or schema.SWEEP not in tags:
            raise Refused("no sweep of this program trained this run, so that it cannot be trained once more")
        if found.runs["lifecycle"].iloc[0] == "deleted":
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
        params = dict(zip(found.params["key"], found.params["value"], strict=True))
        if other := _differing(flatten(configuration), params):
            raise Refused(f"its configuration cannot be rebuilt exactly: {', '.join(other)} is another by now")
        metrics = dict(zip(found.metrics["key"], found.metrics["value"].astype(float), strict=True))
        return Trained(configuration, spec.workers, metrics, tags)

    def _trial(self, spec: Spec, tags: Tags) -> Trial:
        number = int(tags[schema.TRIAL])
        for trial in self.trials(tags[schema.SWEEP]):
            if trial.number == number:
                return trial
        return trial_of(spec, number, json.loads(tags[schema.PARAMS]))  # a sampler chose it

    def curves(self, runs: Sequence[str], metric: str) -> dict[str, dict[int, float]]:
        """What these runs measured after each epoch, by run and epoch."""
        curves: dict[str, dict[int, float]] = {}
        history = self._reader.histories(runs, [metric])
        for run_id, step, value in zip(history["run_id"], history["step"], history["value"], strict=True):
            curves.setdefault(run_id, {})[int(step)] = float(value)
        return curves

    def _measured(self, runs: list[StoredRun], spec: Spec) -> list[StoredRun]:
        """The runs with their objectives, and the curves of first seeds if a pruner judges them."""
        found = self._reader.metrics([run.run_id for run in runs], [schema.OBJECTIVE])
        objectives = {run_id: float(value) for run_id, value in zip(found["run_id"], found["value"], strict=True)}
        judged = [
            run.run_id
            for run in runs
            if run.tags[schema.SEED] == "0" and (spec.pruner != "none" or schema.PRUNED_AT in run.tags)
        ]
        curves = self.curves(judged, spec.objective.metric)
        return [replace(run, objective=objectives.get(run.run_id), curve=curves.get(run.run_id, {})) for run in runs]


def _differing(rebuilt: Mapping[str, str], params: Mapping[str, str]) -> list[str]:
    """The keys in which a rebuilt configuration is not the one that was stored, where that can be told."""
    told = {key: mask(key, value) for key, value in rebuilt.items() if len(value) <= MAX_PARAM}
    return sorted(key for key, value in told.items() if params.get(key) != value)


def _nested(tags: pd.DataFrame) -> dict[str, Tags]:
    nested: dict[str, Tags] = {}
    for run_id, key, value in zip(tags["run_id"], tags["key"], tags["value"], strict=True):
        nested.setdefault(run_id, {})[key] = value
    return nested
