"""A reader for pages and commands that show text: names, keys, values and paths are legible (`tracking.legible`).

Callers name keys and paths as they were shown; the store is asked for the exact ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import pandas as pd

from tracking.frames import TEXT, ChangedRuns, Keys, Look, Reader, Records, Selection
from tracking.legible import exact, spelled_out

_TEXTS: Final = ("name", "key", "value", "path")
"""The columns that hold text of users. Ids and the place of the artifacts stay exact: the store is asked for them."""


def _legible_column(column: pd.Series[Any]) -> pd.Series[Any]:
    """The column with legible text; the same object where all of it is legible, or where it holds no text."""
    if column.dtype != TEXT:
        return column
    # Mostly nothing has to change: to check all texts at once is ten times faster than one by one.
    whole = " ".join(column.to_numpy(dtype=object, na_value=""))
    return column if spelled_out(whole) == whole else column.map(spelled_out, na_action="ignore").astype(TEXT)


def _legible_frame(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{name: _legible_column(frame[name]) for name in _TEXTS if name in frame})


def _exact_keys(keys: Sequence[str] | None) -> Sequence[str] | None:
    return keys if keys is None else [exact(key) for key in keys]


class LegibleReader(Reader):
    """Reads what another reader reads, as legible text.

    Args:
        reader: The reader of the store.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.uri = reader.uri

    def version(self) -> str:
        return self._reader.version()

    def experiments(self) -> pd.DataFrame:
        return _legible_frame(self._reader.experiments())

    def experiment_tags(self, experiment_id: str) -> dict[str, str]:
        tags = self._reader.experiment_tags(experiment_id)
        return {spelled_out(key): spelled_out(value) for key, value in tags.items()}

    def records(self, selection: Selection, keys: Keys = Keys()) -> Records:  # noqa: B008
        records = self._reader.records(selection, Keys(*map(_exact_keys, keys)))
        return Records(*map(_legible_frame, records))

    def changes(self, selection: Selection, last: Look | None) -> ChangedRuns:
        changed = self._reader.changes(selection, last)
        return changed._replace(runs=_legible_frame(changed.runs))

    def histories(self, run_ids: Iterable[str], keys: Sequence[str] | None = None) -> pd.DataFrame:
        return _legible_frame(self._reader.histories(run_ids, _exact_keys(keys)))

    def artifacts(self, run_id: str) -> pd.DataFrame:
        return _legible_frame(self._reader.artifacts(run_id))

    def artifact(self, run_id: str, path: str) -> bytes:
        return self._reader.artifact(run_id, exact(path))
