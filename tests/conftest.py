"""What every test shares: CPU only, no network, a store of its own and a service that does not outlive the test."""

import json
import os
import shutil
import signal
import time
from contextlib import suppress

import pytest

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture(scope="session")
def store_template(tmp_path_factory):
    """An empty store, made once: making one takes seconds."""
    from tracking.store import ensure_store

    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    ensure_store(f"sqlite:///{path}")
    return path


@pytest.fixture
def uri(store_template, tmp_path, monkeypatch):
    """The URI of an empty store, with a state folder of its own; a service started on it is killed afterwards."""
    from sweeps import lease

    state = tmp_path / "state"
    monkeypatch.setenv("SWEEPBOARD_STATE", str(state))
    path = tmp_path / "mlflow.db"
    shutil.copy(store_template, path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    yield f"sqlite:///{path}"
    for note in state.glob("*/mlflow-ui.json"):
        with suppress(ProcessLookupError):
            os.killpg(json.loads(note.read_text())["pid"], signal.SIGKILL)
    for folder in state.glob("*"):
        held = lease.read_lease(folder)
        if held and lease.born(held.pid) == held.born:
            os.kill(held.pid, signal.SIGKILL)
            end = time.monotonic() + 5
            while lease.born(held.pid) and time.monotonic() < end:
                time.sleep(0.02)
