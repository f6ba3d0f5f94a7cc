"""The runs of an experiment, read once for each state of the store."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.runs.kept import KeptRuns
from app.runs.table import RunTable, names_of, shape_of, table_of
from app.shared.store import _reader, _version, uri


# Shared and not copied, which would take longer than reading: nobody may change what these answer with.
@st.cache_resource(show_spinner=False, max_entries=4)
def _kept_runs(uri: str, experiment_id: str | None, deleted: bool) -> KeptRuns:
    return KeptRuns(experiment_id, deleted)


@st.cache_resource(show_spinner=False, max_entries=4)
def _run_table(uri: str, version: str, experiment_id: str | None, deleted: bool) -> RunTable:
    found = _reader(uri)
    names = names_of(found.experiments()) if experiment_id is None else None
    return table_of(_kept_runs(uri, experiment_id, deleted).read(found), deleted, names)


def run_table(experiment_id: str | None, deleted: bool = False) -> RunTable:
    """Every run of an experiment, or of all of them, with all that was logged; or the deleted runs."""
    return _run_table(uri(), _version(uri()), experiment_id, deleted)


@st.cache_resource(show_spinner=False, max_entries=12)
def _metric_shape(uri: str, version: str, run_ids: tuple[str, ...], metric: str) -> pd.DataFrame:
    return shape_of(_reader(uri).histories(list(run_ids), [metric]))


def metric_shape(run_ids: tuple[str, ...], metric: str) -> pd.DataFrame:
    """Lowest, highest and a thinned history of one metric, by run id."""
    return _metric_shape(uri(), _version(uri()), run_ids, metric)
