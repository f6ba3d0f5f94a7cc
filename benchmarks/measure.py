"""The parts that benchmarks share: an empty store with a service, timed launches, and how results are written."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
LABS = Path(__file__).parents[1] / "labs"
REPEATS = 5
PACKAGES = ("torch", "pytorch-lightning", "mlflow", "optuna", "streamlit")
"""Those whose versions stand in a result."""


def median(values: list[float]) -> float:
    """The median to four decimals."""
    return round(statistics.median(values), 4)


def write(name: str, result: dict[str, Any]) -> None:
    """Write benchmarks/results/NAME.json: the result with its date, commit, machine and versions; print the result."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=RESULTS.parent)
    document = {
        "measured": time.strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip(),
        "machine": f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {package: version(package) for package in PACKAGES},
        **result,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps({name: result}, indent=1), flush=True)


@contextmanager
def empty_store() -> Iterator[str]:
    """The URI of an empty store in a temporary folder that also holds its state folder; its service ends with it."""
    from sweeps.client import Client
    from tracking.store import ensure_store

    with tempfile.TemporaryDirectory(prefix="sweepboard-bench-") as folder:
        uri = f"sqlite:///{folder}/mlflow.db"
        os.environ |= {"SWEEPBOARD_STATE": f"{folder}/state", "MLFLOW_TRACKING_URI": uri}
        ensure_store(uri)
        client = Client(uri)
        try:
            yield uri
        finally:
            client.shutdown()
            end = time.monotonic() + 15
            while client.status().alive and time.monotonic() < end:
                time.sleep(0.1)


def seconds_to_finish(uri: str, spec: str, then: Callable[[str], Any] = lambda sweep: None) -> float:
    """Launch a sweep and call `then` with its id.

    Returns:
        The seconds from the launch until the sweep is finished and its last metric stored.
    """
    from sweeps.client import Client
    from tracking.reader import open_reader

    client, reader = Client(uri), open_reader(uri)
    start = time.perf_counter()
    sweep = client.launch(spec)
    then(sweep)
    while reader.tags([sweep], ["state"])["value"].item() != "finished":
        time.sleep(0.02)
    return time.perf_counter() - start


def measure_labs(names: list[str], measure: Callable[[str, Path], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Name of a lab -> the result of `measure(uri, path)`, one lab after another in one store whose workers are warm.

    Args:
        names: The labs to measure; all of them where the list is empty.
        measure: Runs one lab.
    """
    from sweeps.client import Client

    labs = [path for path in sorted(LABS.glob("*.yaml")) if not names or path.stem in names]
    rows = {}
    with empty_store() as uri:
        client = Client(uri)
        client.start_service(wait=120)
        while client.status().workers < 2:
            time.sleep(0.1)
        for lab in labs:
            rows[lab.stem] = measure(uri, lab)
            print(json.dumps({lab.stem: rows[lab.stem]}), flush=True)
    return rows
