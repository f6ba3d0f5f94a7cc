"""MLflow's client, imported late and kept quiet: it warns, prints, reports usage and retries unless told not to."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

from tracking import kill_points

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # The writer retries by itself, and says so; a page that waits for eight silent retries looks dead.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_LOUD = {
    "mlflow": logging.ERROR,
    "mlflow.store.db.utils": logging.CRITICAL,
    "alembic": logging.ERROR,
    "urllib3.connectionpool": logging.ERROR,
}
_lock = threading.Lock()


@lru_cache(maxsize=1)
def _prepare() -> None:
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
        import sqlalchemy.orm

        # Mappers are otherwise configured at the first query, with deprecation warnings of their own.
        sqlalchemy.orm.configure_mappers()
    for logger, level in _LOUD.items():
        logging.getLogger(logger).setLevel(level)


def prepare() -> None:
    """Import mlflow (seconds, the first time) with its warnings, log lines and usage reports off."""
    with _lock:
        _prepare()


@lru_cache(maxsize=8)
def client(uri: str) -> Any:
    """The MlflowClient of a tracking URI. Leaves the process's own tracking URI alone."""
    prepare()
    from mlflow import MlflowClient

    mlflow_client = MlflowClient(tracking_uri=uri)
    if kill_points.FOLDER is not None:
        _die_inside_a_transaction(mlflow_client)
    return mlflow_client


def _engine(mlflow_client: Any) -> Any:
    """SQLAlchemy's engine of a client whose store is a database, None for any other."""
    return getattr(getattr(getattr(mlflow_client, "_tracking_client", None), "store", None), "engine", None)


def _die_inside_a_transaction(mlflow_client: Any) -> None:
    """Let a test kill this process between the first change of an SQLite file and its commit."""
    from sqlalchemy import event

    engine = _engine(mlflow_client)
    if engine is not None and engine.url.database:
        journal = Path(f"{engine.url.database}-journal")

        def before_commit(_: Any) -> None:
            if journal.exists():  # something was changed
                kill_points.reached("inside a transaction")

        event.listen(engine, "commit", before_commit)


def forget_connections(uri: str) -> None:
    """Close the pooled connections of a database store: one opened while the file was read-only stays read-only."""
    engine = _engine(client(uri))
    if engine is not None:
        engine.dispose()
