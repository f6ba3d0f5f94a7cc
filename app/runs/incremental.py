"""The runs of an experiment, or of all of them, kept in memory and brought up to date: only what changed is read again.

Frames in, frames out; no Streamlit.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import numpy as np
import pandas as pd

from tracking import schema
from tracking.frames import Look, Records, Selection, wide

NAN: Final = "nan:"
"""Before the name of a metric: the column that says in which runs it was logged as nan, and does not lack."""
HEARD: Final = "heard"
"""The column of the time at which a run logged its latest metric; nan where it logged none."""
_HIDDEN: Final = (schema.EVENT, schema.COMMAND)
_PREFIXES: Final = ("params.", "metrics.", "tags.", NAN)


def _nans(records: Records, runs: pd.Series[Any]) -> dict[str, Any]:
    lost = records.metrics[records.metrics["value"].isna()]
    return {f"{NAN}metrics.{key}": runs.isin(rows["run_id"]).to_numpy() for key, rows in lost.groupby("key")}


def logged(records: Records) -> pd.DataFrame:
    """One row per run: its columns, when it was last heard of, `params.X`, `metrics.X`, `tags.X`, `nan:metrics.X`."""
    records = records._replace(tags=records.tags[~records.tags["key"].str.startswith(_HIDDEN)])
    frame = wide(records)
    latest = records.metrics.groupby("run_id")["time"].max() if len(records.metrics) else pd.Series(dtype="float64")
    heard = frame["run_id"].map(latest).to_numpy(dtype="float64", na_value=np.nan)
    return pd.concat(
        [frame, pd.DataFrame({HEARD: heard, **_nans(records, frame["run_id"])}, index=frame.index)], axis=1
    )


def _missing(values: pd.Series[Any], rows: int) -> pd.Series[Any]:
    """What a column of this type holds where nothing was logged."""
    if values.dtype == bool:
        return pd.Series(np.zeros(rows, dtype=bool))
    return pd.Series(pd.array([np.nan] * rows, dtype=values.dtype))


def _place(column: str) -> tuple[int, str]:
    """Where a column stands: as `logged` would have it."""
    kind = next((place for place, prefix in enumerate(_PREFIXES, 1) if column.startswith(prefix)), 0)
    return (4, "") if column == HEARD else (kind + (kind == 4), column if kind else "")


def joined(old: pd.DataFrame, new: pd.DataFrame, runs: pd.Series[Any]) -> pd.DataFrame:
    """The rows of these runs, in their order: those that were read again, and else those that are known."""
    unchanged = old[~old["run_id"].isin(new["run_id"])]
    ids = pd.Index(pd.concat([unchanged["run_id"], new["run_id"]]))
    order = ids.get_indexer(pd.Index(runs))
    order = order[order >= 0]
    columns: dict[str, Any] = {}
    for column in sorted(dict.fromkeys([*map(str, old), *map(str, new)]), key=_place):
        some = old[column] if column in old else new[column]
        parts = [part[column] if column in part else _missing(some, len(part)) for part in (unchanged, new)]
        columns[column] = pd.concat(parts, ignore_index=True).array.take(order)
    return without_empty(pd.DataFrame(columns))


def without_empty(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame without the columns that no run is left to fill."""
    dropped = []
    for column in map(str, frame):
        if column.startswith(NAN):
            empty = not frame[column].any()
        elif column.startswith(_PREFIXES):
            lost = f"{NAN}{column}"
            empty = not frame[column].notna().any() and not (lost in frame and bool(frame[lost].any()))
        else:
            continue
        dropped += [column] if empty else []
    return frame.drop(columns=dropped)


class KeptRuns:
    """The runs of an experiment with all that was logged, as of its last `read`. For several threads.

    Args:
        experiment_id: Whose runs; None for those of all experiments.
        deleted: The deleted ones as well.
    """

    def __init__(self, experiment_id: str | None, deleted: bool = False) -> None:
        self.selection = Selection.of(None if experiment_id is None else [experiment_id], deleted=deleted)
        self._lock = threading.Lock()
        self._look: Look | None = None
        self._frame: pd.DataFrame | None = None

    def read(self, reader: Any) -> pd.DataFrame:
        """One row a run, by start and id, as `logged` has them. Nobody may change the frame.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._lock:
            # The look comes first: what is written while the rest is read is seen by the next one.
            look, runs, changed = reader.changes(self.selection, self._look)
            if self._frame is None or changed is None:
                self._frame = logged(reader.records(self.selection))
            elif changed or len(runs) != len(self._frame):
                records = reader.records(Selection.of(run_ids=sorted(changed), deleted=True))
                self._frame = joined(self._frame, logged(records), runs["run_id"])
            self._look = look
            return self._frame
