"""One run of the store, read once for each state of it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from app.run.data import OneRun, read_run
from app.shared.store import _cached, _reader, _version, uri


@_cached
def _one_run(uri: str, version: str, run_id: str) -> Any:
    found = _reader(uri)
    return None if found is None else read_run(found, run_id)


def one_run(run_id: str) -> OneRun | None:
    """A run, deleted ones too, with its params, tags, metrics and files; nothing where there is none of that id."""
    return _one_run(uri(), _version(uri()), run_id)


@_cached
def _all_histories(uri: str, version: str, run_id: str, keys: tuple[str, ...]) -> pd.DataFrame:
    return _reader(uri).histories([run_id], list(keys))


def run_histories(run_id: str, keys: tuple[str, ...]) -> pd.DataFrame:
    """Every logged value of these metrics of one run."""
    return _all_histories(uri(), _version(uri()), run_id, keys)
