"""What a sweep's files take up on the disk, where they lie in folders of this machine."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tracking import _artifacts
from tracking.frames import TEXT, Reader, table

USAGE: dict[str, Any] = {"run_id": TEXT, "path": TEXT, "size": "int64"}


def usage(reader: Reader, sweep: str) -> pd.DataFrame | None:
    """The files of a sweep and of its runs, those that do not count too; without deleted runs.

    Returns:
        [run_id, path, size (bytes)], by run and path; None if one of them keeps its files elsewhere (a server, a cloud
        store), where listing them would take a request for each folder of each run.

    Raises:
        StoreError: the store cannot be read.
    """
    own, runs = reader.runs(run_ids=[sweep]), reader.runs(sweep=sweep)
    rows: list[tuple[str, str, int]] = []
    for found in (own, runs):
        for run_id, uri in zip(found["run_id"], found["artifact_uri"], strict=True):
            root = _artifacts.local_root(str(uri))
            if root is None:
                return None
            rows += [(str(run_id), path, size) for path, size in _artifacts.listing(root)]
    return table(rows, USAGE)
