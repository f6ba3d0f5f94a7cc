"""Seconds of the first view of 2,000 runs: our Runs page with all of them, MLflow's own UI with its first 100.

Both servers show one SQLite store (2,000 finished runs of 30 params, 14 metrics of 20 epochs each, and 10 tags) and
have been opened once before the clock starts. A real Chromium opens them in turn, in a fresh browser context each
time, so that nothing is taken from its cache. The clock runs from the request for the page. For ours it stops when the
table holds one row per run, the newest run's name can be read in it, and Streamlit runs no script any more (sparklines,
best, lowest and highest of a metric of every run are there by then); for MLflow's when the newest run's name can be
read in its table and nothing there says that it is loading. MLflow's server reads the store anew in every view; ours
keeps what it read until the store changes, so views right after another process has changed a tag are reported apart.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.measure import REPEATS, empty_store, median, write

ROOT = Path(__file__).resolve().parents[1]
RUNS, PARAMS, METRICS, EPOCHS, TAGS = 2000, 30, 14, 20, 10
NEWEST = f"run {RUNS - 1}"
OURS = f"""() => {{
 const grid = document.querySelector('[data-testid=stDataFrame] table[role=grid]');
 return grid && +grid.getAttribute('aria-rowcount') > {RUNS} && grid.textContent.includes('{NEWEST}') &&
  !document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton], [data-test-script-state=running]')
}}"""
THEIRS = f"""() => {{
 const links = [...document.querySelectorAll('.ag-row a[href*="/runs/"]')];
 return links.some(link => link.innerText.includes('{NEWEST}') && link.getBoundingClientRect().height > 0) &&
  !document.querySelector('[class*=skeleton i], [aria-busy=true]')
}}"""


def fill(uri: str, runs: int = RUNS) -> int:
    """Write the runs into an empty store as MLflow would have; returns the id of their experiment."""
    from tracking.store import sqlite_path

    path = sqlite_path(uri)
    assert path is not None
    start, ids = 1_700_000_000_000, [f"{number:032x}" for number in range(runs)]
    with sqlite3.connect(path) as store:
        store.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) VALUES (1, ?, ?, ?)",
            ("benchmark", f"file://{path.parent}/mlartifacts/1", "active"),
        )
        # Without it MLflow's UI first asks what kind of experiment this is.
        store.execute("INSERT INTO experiment_tags VALUES ('mlflow.experimentKind', 'custom_model_development', 1)")
        store.executemany(
            "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,"
            " end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)"
            " VALUES (?, ?, 'LOCAL', '', '', 'ann', 'FINISHED', ?, ?, '', 'active', '', 1)",
            ((run, f"run {n}", start + 1000 * n, start + 1000 * n + 900) for n, run in enumerate(ids)),
        )
        store.executemany(
            "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
            ((f"section.param{i}", str(n % (i + 2)), run) for n, run in enumerate(ids) for i in range(PARAMS)),
        )
        values = (
            (f"split/metric{i}", 1 / (epoch + n % 7 + i), start + 1000 * n + epoch, epoch, run)
            for n, run in enumerate(ids)
            for i in range(METRICS)
            for epoch in range(1, EPOCHS + 1)
        )
        store.executemany(
            "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, 0, ?)", values
        )
        store.execute(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)"
            " SELECT key, value, timestamp, step, 0, run_uuid FROM metrics WHERE step = ?",
            (EPOCHS,),
        )
        store.executemany(
            "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
            (
                pair
                for n, run in enumerate(ids)
                for pair in [("mlflow.runName", f"run {n}", run)] + [(f"t{i}", f"v{n % 3}", run) for i in range(TAGS)]
            ),
        )
    store.close()
    return 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(arguments: list[str], url: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start a server as `python -m ARGUMENTS`; returns its process once it answers at `url`."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return process
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"{arguments[0]} did not start")


def seconds_to_view(browser: Any, url: str, rows_are_there: str) -> float:
    """Seconds from the request until the rows are there (a JavaScript function), in a fresh browser context."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    start = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_function(rows_are_there, timeout=120_000)
    seconds = time.perf_counter() - start
    context.close()
    return seconds


def change_a_tag(uri: str, value: str) -> None:
    """Change a tag of one run, so that what was read before is out of date."""
    from tracking.store import sqlite_path

    path = sqlite_path(uri)
    assert path is not None
    with sqlite3.connect(path) as store:
        store.execute("UPDATE tags SET value = ? WHERE key = 't0' AND run_uuid = ?", (value, f"{0:032x}"))
    store.close()


def main() -> None:
    from playwright.sync_api import sync_playwright

    sys.path.insert(0, str(ROOT / "tests" / "browser"))
    from install import find

    seconds: dict[str, list[float]] = {"ours": [], "ours_after_a_write": [], "mlflow": []}
    processes: list[subprocess.Popen[bytes]] = []
    with empty_store() as uri, sync_playwright() as playwright:
        experiment, ports = fill(uri), (free_port(), free_port())
        bases = [f"http://127.0.0.1:{port}" for port in ports]
        urls = {"ours": f"{bases[0]}/runs", "mlflow": f"{bases[1]}/#/experiments/{experiment}/runs"}
        local = ["--server.address", "127.0.0.1", "--server.headless", "true", "--browser.gatherUsageStats", "false"]
        dashboard = ["streamlit", "run", str(ROOT / "app"), "--server.port", str(ports[0]), *local]
        mlflow = ["mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(ports[1])]
        try:
            processes.append(serve(dashboard, f"{bases[0]}/_stcore/health"))
            environment = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
            processes.append(serve(mlflow, f"{bases[1]}/health", **environment))
            browser = playwright.chromium.launch(
                executable_path=find(), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            )
            for turn in range(REPEATS + 1):
                view = {"mlflow": seconds_to_view(browser, urls["mlflow"], THEIRS)}
                view["ours"] = seconds_to_view(browser, urls["ours"], OURS)
                change_a_tag(uri, f"turn {turn}")
                view["ours_after_a_write"] = seconds_to_view(browser, urls["ours"], OURS)
                if turn:  # the first only warms the servers
                    for name, value in view.items():
                        seconds[name].append(value)
            browser.close()
        finally:
            for process in processes:
                os.killpg(process.pid, signal.SIGTERM)  # MLflow's server has children
                process.wait()
    medians = {name: median(values) for name, values in seconds.items()}
    write(
        "runs_view",
        {
            "what": "seconds from the request until the rows of the run table are there, fresh browser context, warm"
            " servers, one SQLite store: our Runs page with all rows, MLflow's UI with its first 100",
            "runs": RUNS,
            "medians": medians,
            "ratio": round(medians["ours"] / medians["mlflow"], 2),
            "ratio_after_a_write": round(medians["ours_after_a_write"] / medians["mlflow"], 2),
            "all": {name: [round(value, 2) for value in values] for name, values in seconds.items()},
            "goal_ratio": 1.0,
        },
    )


if __name__ == "__main__":
    main()
