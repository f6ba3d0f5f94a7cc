"""Seconds for a frame of 2,000 runs: ours against `mlflow.search_runs`, on one store, in turn.

    python -m benchmarks.reader [--runs 2000] [--repeats 5]

The runs are made through MLflow itself, each with 30 params, 14 metrics and 14 tags. Both sides return one pandas frame
with one row per run and one column for every param, latest metric and tag; that their values agree is checked before
anything is timed.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from tracking import _mlflow, schema
from tracking.reader import open_reader, sweeps
from tracking.store import ensure_store, sqlite_uri

RESULT = Path(__file__).parent / "results" / "reader.json"


def fill(uri: str, runs: int) -> str:
    """Make sweeps of 50 runs; the id of their experiment."""
    from mlflow.entities import Metric, Param, RunTag

    client = _mlflow.client(uri)
    experiment = str(client.create_experiment("benchmark"))
    parent = ""
    for number in range(runs):
        if number % 50 == 0:
            tags = {schema.KIND: schema.SWEEP_KIND, schema.STATE: "finished", schema.DIRECTION: schema.MINIMIZE}
            parent = client.create_run(experiment, tags=tags).info.run_id
        tags = {schema.KIND: schema.RUN_KIND, schema.SWEEP: parent, schema.PARENT: parent, schema.OUTCOME: "ok"}
        tags |= {schema.TRIAL: str(number), schema.GROUP: f"g{number % 50 // 3}", schema.SEED: str(number % 3)}
        tags |= {f"tag{i}": f"value {i}" for i in range(5)}
        run = client.create_run(experiment, start_time=1_700_000_000_000 + number, tags=tags)
        client.log_batch(
            run.info.run_id,
            [Metric(f"split/{i}", i + number / 7, 0, 1) for i in range(13)] + [Metric(schema.OBJECTIVE, number, 0, 1)],
            [Param(f"section.param{i}", str(i * number)) for i in range(30)],
            [RunTag("after", "x")],
        )
    return experiment


def seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def assert_equal(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Check that both frames hold the same runs and values."""
    ours, theirs = ours.set_index("run_id"), theirs.set_index("run_id")
    prefixes = ("params.", "metrics.", "tags.")
    columns = [column for column in ours if column.startswith(prefixes)]
    assert sorted(columns) == sorted(column for column in theirs if column.startswith(prefixes))
    theirs = theirs.loc[ours.index]
    for column in columns:
        a, b = ours[column], theirs[column]
        assert ((a == b) | (a.isna() & b.isna())).all(), column


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        uri = sqlite_uri(Path(folder) / "mlflow.db")
        ensure_store(uri)
        experiment = fill(uri, options.runs)
        import mlflow

        mlflow.set_tracking_uri(uri)
        reader = open_reader(uri)
        ours: list[float] = []
        theirs: list[float] = []
        seconds_of_sweeps: list[float] = []

        def frame() -> pd.DataFrame:
            return reader.frame(experiment_ids=[experiment])

        def search() -> pd.DataFrame:
            return mlflow.search_runs(experiment_ids=[experiment], max_results=50_000)

        assert_equal(frame(), search())
        for _ in range(options.repeats):
            theirs.append(seconds(search))
            ours.append(seconds(frame))
            seconds_of_sweeps.append(seconds(lambda: sweeps(reader)))
    result = {
        "runs": options.runs,
        "repeats": options.repeats,
        "mlflow": mlflow.__version__,
        "pandas": pd.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "search_runs_s": round(statistics.median(theirs), 4),
        "frame_s": round(statistics.median(ours), 4),
        "sweeps_s": round(statistics.median(seconds_of_sweeps), 4),
        "ratio": round(statistics.median(theirs) / statistics.median(ours), 1),
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
