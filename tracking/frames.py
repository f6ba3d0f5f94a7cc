"""The interface of every reader, and the tidy pandas frames of fixed columns and types that it returns.

Times are whole milliseconds, values are floats (nan where MLflow says so, infinite where it had to store the largest
number instead), everything else is text. The value of a key that names a secret is masked here, so that no reader can
forget it.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from tracking._sqlite import Row
from tracking.schema import mask, secret_like

LARGEST: Final = sys.float_info.max
"""What MLflow stores for infinity, on every store that is a database."""
TEXT = pd.StringDtype(na_value=np.nan)
RUNS: dict[str, Any] = {
    "run_id": TEXT,
    "name": TEXT,
    "experiment_id": TEXT,
    "status": TEXT,
    "start_time": "int64",
    "end_time": "Int64",
    "lifecycle": TEXT,
    "artifact_uri": TEXT,
    "parent": TEXT,
}
EXPERIMENTS: dict[str, Any] = {"experiment_id": TEXT, "name": TEXT, "lifecycle": TEXT}
VALUES: dict[str, Any] = {"run_id": TEXT, "key": TEXT, "value": TEXT}
METRICS: dict[str, Any] = {"run_id": TEXT, "key": TEXT, "value": "float64", "step": "int64", "time": "int64"}
HISTORIES: dict[str, Any] = {"run_id": TEXT, "key": TEXT, "step": "int64", "time": "int64", "value": "float64"}


def table(rows: Iterable[Sequence[Any]], columns: dict[str, Any]) -> pd.DataFrame:
    """A frame of these rows, with these columns: name -> type."""
    rows = list(rows)
    data = {}
    for place, (name, dtype) in enumerate(columns.items()):
        part = [row[place] for row in rows]
        data[name] = pd.array(part, dtype=dtype) if dtype in ("Int64", TEXT) else np.array(part, dtype=dtype)
        if dtype == "float64":
            data[name] = _infinite(data[name])
    return pd.DataFrame(data)


def _infinite(values: np.ndarray) -> np.ndarray:
    return np.where(np.abs(values) >= LARGEST, np.copysign(math.inf, values), values)


def values_table(rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    """The frame of params or tags, [run_id, key, value], masked, sorted by run and key."""
    frame = table(sorted(rows), VALUES)
    suspects = {key for key in frame["key"].unique() if secret_like(key)}
    if suspects:
        rows_of_suspects = frame["key"].isin(suspects)
        pairs = zip(frame.loc[rows_of_suspects, "key"], frame.loc[rows_of_suspects, "value"], strict=True)
        masked = [mask(key, value) for key, value in pairs]
        frame.loc[rows_of_suspects, "value"] = pd.array(masked, dtype=TEXT)
    return frame


@dataclass(frozen=True)
class Selection:
    """Which runs to read: those that meet every condition that is not None."""

    experiment_ids: tuple[str, ...] | None = None
    sweep: str | None = None
    """Children of this parent run."""
    run_ids: tuple[str, ...] | None = None
    tag: tuple[str, str] | None = None
    deleted: bool = False
    """Whether deleted runs are included."""

    @classmethod
    def of(
        cls,
        experiment_ids: Iterable[str] | None = None,
        sweep: str | None = None,
        run_ids: Iterable[str] | None = None,
        deleted: bool = False,
    ) -> Selection:
        """The selection by these conditions; ids may be any iterable."""
        experiments = None if experiment_ids is None else tuple(map(str, experiment_ids))
        ids = None if run_ids is None else tuple(dict.fromkeys(run_ids))
        return cls(experiments, sweep, ids, deleted=deleted)


class Keys(NamedTuple):
    """Which params, tags and metrics to read: None means all of them, () none."""

    params: Sequence[str] | None = None
    tags: Sequence[str] | None = None
    metrics: Sequence[str] | None = None


class Records(NamedTuple):
    """Runs with their params, tags and latest metrics, in long form."""

    runs: pd.DataFrame
    params: pd.DataFrame
    tags: pd.DataFrame
    metrics: pd.DataFrame


def _wide(frame: pd.DataFrame, runs: pd.Index[str], prefix: str) -> dict[str, Any]:
    """Name -> column, one per key; a column has one row per run."""
    if frame.empty:
        return {}
    rows = runs.get_indexer(pd.Index(frame["run_id"]))
    codes, keys = pd.factorize(frame["key"], sort=True)
    values = frame["value"].to_numpy(dtype=float if frame["value"].dtype.kind == "f" else object)
    cells = np.full((len(keys), len(runs)), np.nan, dtype=values.dtype)
    cells[codes, rows] = values
    dtype = "float64" if values.dtype == float else TEXT
    return {f"{prefix}.{key}": pd.array(cells[i], dtype=dtype) for i, key in enumerate(keys)}


def wide(records: Records) -> pd.DataFrame:
    """The records as one row per run: the columns of `runs`, then `params.X`, `metrics.X` (latest) and `tags.X`."""
    index = pd.Index(records.runs["run_id"])
    columns = {name: records.runs[name].array for name in records.runs}
    for prefix, part in (("params", records.params), ("metrics", records.metrics), ("tags", records.tags)):
        columns.update(_wide(part, index, prefix))
    return pd.DataFrame(columns)


@dataclass(frozen=True)
class Look:
    """What a store held when it was looked at, as far as it tells which runs change afterwards."""

    runs: dict[str, Row] = field(default_factory=dict)
    """Run -> its row."""
    tags: dict[str, int] = field(default_factory=dict)
    """Run -> a hash of its tags."""
    marks: dict[str, Row | None] = field(default_factory=dict)
    """Table -> its highest row, rowid first; None while it is empty."""


class ChangedRuns(NamedTuple):
    """The runs of a selection now, and which of them changed since the last look."""

    look: Look | None
    """What to compare with the next time; None where the store cannot be compared."""
    runs: pd.DataFrame
    changed: frozenset[str] | None
    """The ids of the runs to read again; None means all of them."""


class Reader(ABC):
    """Reads one store. The columns and types of the frames are the same for every kind of store.

    Raises:
        StoreError: from every method, when the store cannot be read.
    """

    uri: str

    @abstractmethod
    def version(self) -> str:
        """A text that changes when the store changes; cheap enough to ask every second."""

    @abstractmethod
    def experiments(self) -> pd.DataFrame:
        """[experiment_id, name, lifecycle], deleted ones too, by number."""

    @abstractmethod
    def experiment_tags(self, experiment_id: str) -> dict[str, str]:
        """The tags of an experiment, masked; empty where there is no such experiment."""

    @abstractmethod
    def records(self, selection: Selection, keys: Keys = Keys()) -> Records:  # noqa: B008
        """Runs (by start and id) with their params, tags and latest metrics, in one pass over the store."""

    def changes(self, selection: Selection, last: Look | None) -> ChangedRuns:
        """The runs of a selection now, and which of them changed since the last look.

        For a store that cannot tell, all of them may have changed each time, and the frame of runs is empty.
        """
        return ChangedRuns(None, table((), RUNS), None)

    @abstractmethod
    def histories(self, run_ids: Iterable[str], keys: Sequence[str] | None = None) -> pd.DataFrame:
        """[run_id, key, step, time, value] of all values ever logged, sorted by all of these."""

    @abstractmethod
    def artifacts(self, run_id: str) -> pd.DataFrame:
        """[path, size] of a run's files, by path; sizes in bytes."""

    @abstractmethod
    def artifact(self, run_id: str, path: str) -> bytes:
        """The content of one file.

        Raises:
            FileNotFoundError: there is none.
            StoreError: the path leads out of the run's artifacts.
        """

    def runs(
        self,
        experiment_ids: Iterable[str] | None = None,
        sweep: str | None = None,
        run_ids: Iterable[str] | None = None,
        deleted: bool = False,
    ) -> pd.DataFrame:
        """[run_id, name, experiment_id, status, start_time, end_time, lifecycle, artifact_uri, parent], by start, id.

        Args:
            experiment_ids: Only runs of these experiments.
            sweep: Only children of this parent run.
            run_ids: Only these.
            deleted: Whether deleted runs are included.
        """
        return self.records(Selection.of(experiment_ids, sweep, run_ids, deleted), Keys((), (), ())).runs

    def params(self, run_ids: Iterable[str], keys: Sequence[str] | None = None) -> pd.DataFrame:
        """[run_id, key, value], masked, sorted by run and key."""
        return self.records(Selection.of(run_ids=run_ids, deleted=True), Keys(keys, (), ())).params

    def tags(self, run_ids: Iterable[str], keys: Sequence[str] | None = None) -> pd.DataFrame:
        """[run_id, key, value], masked, sorted by run and key."""
        return self.records(Selection.of(run_ids=run_ids, deleted=True), Keys((), keys, ())).tags

    def metrics(self, run_ids: Iterable[str], keys: Sequence[str] | None = None) -> pd.DataFrame:
        """[run_id, key, value, step, time] of the latest values, sorted by run and key."""
        return self.records(Selection.of(run_ids=run_ids, deleted=True), Keys((), (), keys)).metrics

    def frame(
        self,
        experiment_ids: Iterable[str] | None = None,
        sweep: str | None = None,
        run_ids: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """One row per run: the columns of `runs`, then `params.X`, `metrics.X` (latest) and `tags.X`."""
        return wide(self.records(Selection.of(experiment_ids, sweep, run_ids)))
