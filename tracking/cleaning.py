"""Files of runs are deleted for good: their weights, or all their artifacts."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from tracking import _artifacts
from tracking.frames import Reader
from tracking.store import StoreError, explain


def remove_artifacts(reader: Reader, run_ids: Iterable[str], artifact: str) -> int:
    """Delete an artifact of each of these runs, or all their artifacts if it is empty.

    Returns:
        how many bytes that freed

    Raises:
        StoreError: the store, or where its artifacts lie, cannot be reached
    """
    uris = reader.runs(run_ids=run_ids, deleted=True).set_index("run_id")["artifact_uri"]
    return sum(_remove(reader, str(run_id), str(uri), artifact) for run_id, uri in uris.items())


def _remove(reader: Reader, run_id: str, artifact_uri: str, artifact: str) -> int:
    found = reader.artifacts(run_id)
    found = found[(found["path"] == artifact) | (artifact == "")]
    if found.empty:
        return 0
    root = _artifacts.local_root(artifact_uri)
    try:
        if root is None:
            _remove_remote(reader.uri, artifact_uri, list(found["path"]))
        elif artifact:
            _artifacts.resolve(root, artifact).unlink(missing_ok=True)
        else:
            shutil.rmtree(root)
    except Exception as error:
        raise StoreError(f"The files of run {run_id} cannot be deleted: {explain(error, reader.uri)}") from error
    return int(found["size"].sum())


def _remove_remote(uri: str, artifact_uri: str, paths: list[str]) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(artifact_uri, tracking_uri=uri)
    for path in paths:
        repository.delete_artifacts(path)  # type: ignore[no-untyped-call]
