"""What the benchmarks share: the machine they ran on, medians, and where results are written."""

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


def median(values: list[float]) -> float:
    return round(statistics.median(values), 4)


def write(name: str, result: dict[str, Any]) -> None:
    """Write benchmarks/results/NAME.json with what was measured, on what and when, and print it."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=RESULTS.parent)
    whole = {
        "measured": time.strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip(),
        "machine": f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("torch", "pytorch-lightning", "mlflow", "optuna", "streamlit")},
        **result,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n")
    print(json.dumps({name: result}, indent=1), flush=True)


@contextmanager
def own_store() -> Iterator[str]:
    """The URI of an empty store in a temporary folder, with a state folder of its own; its service ends with it."""
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


def finished(uri: str, spec: str, then: Callable[[str], Any] = lambda sweep: None) -> float:
    """Launch a sweep, do `then` with its id; the seconds until it is finished, its last metric stored."""
    from sweeps.client import Client
    from tracking.reader import open_reader

    client, reader = Client(uri), open_reader(uri)
    begun = time.perf_counter()
    sweep = client.launch(spec)
    then(sweep)
    while reader.tags([sweep], ["state"])["value"].item() != "finished":
        time.sleep(0.02)
    return time.perf_counter() - begun


def each_lab(wanted: list[str], measured: Callable[[str, Path], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Name -> what `measured(uri, path)` says of that lab, one after another in one store whose workers are ready.

    Args:
        wanted: names of labs; none of them: all
    """
    from sweeps.client import Client

    labs = [path for path in sorted(LABS.glob("*.yaml")) if not wanted or path.stem in wanted]
    rows = {}
    with own_store() as uri:
        client = Client(uri)
        client.start_service(wait=120)
        while client.status().workers < 2:
            time.sleep(0.1)
        for lab in labs:
            rows[lab.stem] = measured(uri, lab)
            print(json.dumps({lab.stem: rows[lab.stem]}), flush=True)
    return rows
