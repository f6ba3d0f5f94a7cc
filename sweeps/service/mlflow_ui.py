"""MLflow's own UI, started on loopback at the first request for it, and ended with the service."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import urllib.request
from pathlib import Path
from typing import Any

from sweeps import interpreter
from sweeps.service.lease import born


class MlflowUI:
    """One `mlflow server` for a store. Its process is noted in the state folder, so that none is left behind.

    Args:
        uri: the store it shows
        folder: the store's state folder
    """

    def __init__(self, uri: str, folder: Path) -> None:
        self._uri = uri
        self._note = folder / "mlflow-ui.json"
        self._log = folder / "mlflow-ui.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._lock = threading.Lock()
        self._end_stale()

    def open(self) -> dict[str, Any]:
        """Start the UI if it does not run; it takes some seconds until it is ready.

        Returns:
            url, and ready: whether it answers yet
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
        url = f"http://127.0.0.1:{self._port}"
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=2) as response:
            return {"url": url, "ready": response.status == 200}
        return {"url": url, "ready": False}

    def close(self) -> None:
        """End the UI if it runs."""
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(3)
        self._note.unlink(missing_ok=True)

    def _start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                interpreter.command(
                    "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(self._port)
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._log.parent,  # the processes that it starts import from their current directory
                start_new_session=True,
                # In the environment and not among the arguments, where every user of the machine could read it.
                env={
                    **os.environ,
                    "MLFLOW_BACKEND_STORE_URI": self._uri,
                    "MLFLOW_TRACKING_URI": self._uri,
                    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                },
            )
        self._note.write_text(json.dumps({"pid": self._process.pid, "born": born(self._process.pid)}))

    def _end_stale(self) -> None:
        """End the UI that a killed service left behind."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            note = json.loads(self._note.read_text())
            if note["born"] and born(note["pid"]) == note["born"]:
                os.killpg(note["pid"], signal.SIGTERM)
        self._note.unlink(missing_ok=True)
