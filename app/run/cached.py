"""One run of the store, read once for each state of it."""

from __future__ import annotations

import pandas as pd

from app.run.data import OneRun, read_run
from app.shared import store
from tracking.frames import Reader


@store.cached(without_store=lambda: None)
def one_run(reader: Reader, run_id: str) -> OneRun | None:
    """A run, deleted ones too, with its params, tags, metrics and files; nothing where there is none of that id."""
    return read_run(reader, run_id)


@store.cached()
def run_histories(reader: Reader, run_id: str, keys: tuple[str, ...]) -> pd.DataFrame:
    """Every logged value of these metrics of one run."""
    return reader.histories([run_id], list(keys))
