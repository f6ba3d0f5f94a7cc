"""The runs of an experiment, read once for each state of the store.

They are shared and not copied, which would take longer than reading: nobody may change what these functions return.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.runs.incremental import KeptRuns
from app.runs.table import RunTable, names_of, shape_of, table_of
from app.shared import store
from tracking.frames import Reader


@st.cache_resource(show_spinner=False, max_entries=4)
def _kept_runs(uri: str, experiment_id: str | None, deleted: bool) -> KeptRuns:
    return KeptRuns(experiment_id, deleted)


@store.cached(st.cache_resource, entries=4)
def run_table(reader: Reader, experiment_id: str | None, deleted: bool = False) -> RunTable:
    """Every run of an experiment, or of all of them, with all that was logged; or the deleted runs."""
    names = names_of(reader.experiments()) if experiment_id is None else None
    return table_of(_kept_runs(reader.uri, experiment_id, deleted).read(reader), deleted, names)


@store.cached(st.cache_resource, entries=12)
def metric_shape(reader: Reader, run_ids: tuple[str, ...], metric: str) -> pd.DataFrame:
    """Lowest, highest and a thinned history of one metric, by run id."""
    return shape_of(reader.histories(list(run_ids), [metric]))
