"""Reading every store that is not an SQLite file, through MlflowClient."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from tracking import _mlflow, artifacts
from tracking.frames import EXPERIMENTS, HISTORIES, METRICS, RUNS, Keys, Reader, Records, Selection, table, values_table
from tracking.schema import PARENT, mask
from tracking.store import StoreError, explain, scrub

T = TypeVar("T")
_PAGE = 5000
_IDS = 200
"""Run ids in one search."""
_THREADS = 8
_BUCKET_SECONDS = 2


def _quoted(text: str) -> str:
    # MLflow's search has no escape for both kinds of quotes; ids and our own tag values hold neither.
    quote = '"' if "'" in text else "'"
    return f"{quote}{text}{quote}"


def _filters(selection: Selection) -> Iterator[str]:
    """The conditions of MLflow's search, one text per search: ids are asked for in parts."""
    tagged = [] if selection.tag is None else [selection.tag]
    tagged += [] if selection.sweep is None else [(PARENT, selection.sweep)]
    terms = [f"tags.`{key}` = {_quoted(value)}" for key, value in tagged]
    if selection.run_ids is None:
        yield " AND ".join(terms)
        return
    for start in range(0, len(selection.run_ids), _IDS):
        ids = ", ".join(_quoted(run_id) for run_id in selection.run_ids[start : start + _IDS])
        yield " AND ".join([*terms, f"attributes.run_id IN ({ids})"])


def _among(key: str, keys: Sequence[str] | None) -> bool:
    return keys is None or key in keys


class ClientReader(Reader):
    """Reads a store through MLflow's own client.

    Args:
        uri: The tracking URI.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def version(self) -> str:
        return str(int(time.time()) // _BUCKET_SECONDS)

    def experiments(self) -> pd.DataFrame:
        rows = [
            (experiment.experiment_id, experiment.name, experiment.lifecycle_stage)
            for experiment in self._experiments()
        ]
        return table(sorted(rows, key=lambda row: (len(row[0]), row[0])), EXPERIMENTS)

    def experiment_tags(self, experiment_id: str) -> dict[str, str]:
        for experiment in self._experiments():
            if str(experiment.experiment_id) == experiment_id:
                return {str(key): mask(str(key), str(value)) for key, value in experiment.tags.items()}
        return {}

    def records(self, selection: Selection, keys: Keys = Keys()) -> Records:  # noqa: B008
        runs, params, tags, metrics = [], [], [], []
        for run in self._search(selection):
            info, data = run.info, run.data
            runs.append(
                (
                    info.run_id,
                    info.run_name,
                    str(info.experiment_id),
                    info.status,
                    info.start_time or 0,
                    info.end_time or None,
                    info.lifecycle_stage,
                    info.artifact_uri or "",
                    data.tags.get(PARENT),
                )
            )
            params += [(info.run_id, key, value) for key, value in data.params.items() if _among(key, keys.params)]
            tags += [(info.run_id, key, value or "") for key, value in data.tags.items() if _among(key, keys.tags)]
            metrics += [
                (info.run_id, metric.key, metric.value, metric.step, metric.timestamp)
                for metric in data._metric_objs  # the only place that has the steps and times
                if _among(metric.key, keys.metrics)
            ]
        runs.sort(key=lambda row: (row[4], row[0]))
        metrics.sort(key=lambda row: row[:2])
        return Records(table(runs, RUNS), values_table(params), values_table(tags), table(metrics, METRICS))

    def histories(self, run_ids: Iterable[str], keys: Sequence[str] | None = None) -> pd.DataFrame:
        selection = Selection.of(run_ids=run_ids, deleted=True)
        pairs = [
            (run.info.run_id, key) for run in self._search(selection) for key in run.data.metrics if _among(key, keys)
        ]

        def history(pair: tuple[str, str]) -> list[tuple[str, str, int, int, float]]:
            metrics = self._ask(lambda client: client.get_metric_history(*pair))
            return [(*pair, metric.step, metric.timestamp, metric.value) for metric in metrics]

        # Each history takes a request.
        with ThreadPoolExecutor(_THREADS) as pool:
            rows = [row for part in pool.map(history, pairs) for row in part]
        rows.sort(key=lambda row: (*row[:4], math.isnan(row[4]), 0.0 if math.isnan(row[4]) else row[4]))
        return table(rows, HISTORIES)

    def artifacts(self, run_id: str) -> pd.DataFrame:
        root = self._local_root(run_id)
        if root is not None:
            return artifacts.files_table(artifacts.listing(root))

        def walk(client: Any, folder: str | None) -> Iterator[tuple[str, int]]:
            for entry in client.list_artifacts(run_id, folder):
                if entry.is_dir:
                    yield from walk(client, entry.path)
                else:
                    yield entry.path, int(entry.file_size or 0)

        return artifacts.files_table(self._ask(lambda client: sorted(walk(client, None))))

    def artifact(self, run_id: str, path: str) -> bytes:
        root = self._local_root(run_id)
        if root is not None:
            return artifacts.read(root, path)
        if not path or Path(path).is_absolute() or ".." in Path(path).parts:
            raise StoreError(artifacts.OUTSIDE.format(path))
        if path not in set(self.artifacts(run_id)["path"]):
            raise FileNotFoundError(path)
        with tempfile.TemporaryDirectory() as folder:
            local = self._ask(lambda client: client.download_artifacts(run_id, path, folder))
            return Path(local).read_bytes()

    def _local_root(self, run_id: str) -> Path | None:
        return artifacts.local_root(self._ask(lambda client: client.get_run(run_id)).info.artifact_uri or "")

    def _experiments(self) -> list[Any]:
        from mlflow.entities import ViewType

        return self._pages(lambda client, token: client.search_experiments(ViewType.ALL, 1000, page_token=token))

    def _search(self, selection: Selection) -> list[Any]:
        _mlflow.prepare()
        from mlflow.entities import ViewType

        ids = list(selection.experiment_ids or ())
        if selection.experiment_ids is None:
            ids = [experiment.experiment_id for experiment in self._experiments()]
        if not ids:
            return []
        view = ViewType.ALL if selection.deleted else ViewType.ACTIVE_ONLY
        runs = []
        for condition in _filters(selection):
            runs += self._pages(
                lambda client, token, text=condition: client.search_runs(ids, text, view, _PAGE, None, token)
            )
        return runs

    def _pages(self, page: Callable[..., Any]) -> list[Any]:
        entities: list[Any] = []
        token = None
        while True:
            part = self._ask(lambda client, token=token: page(client, token))
            entities += part
            token = part.token
            if not token:
                return entities

    def _ask(self, question: Callable[..., T]) -> T:
        try:
            return question(_mlflow.client(self.uri))
        except Exception as error:
            if getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST":
                raise StoreError(f"Not found in the store {scrub(self.uri)}: {str(error)[:200]}") from error
            raise StoreError(explain(error, self.uri)) from error
