"""For every lab: how long the pre-flight says that it will take, and how long it really takes.

The truth is the time from the start of its first run to the end of its last one, by the store. With names of labs as
arguments only those are measured, and no result is written.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import measure_labs, median, seconds_to_finish, write


def estimate_and_truth(uri: str, lab: Path) -> dict[str, Any]:
    """The estimate of one lab beside its truth, in seconds."""
    from sweeps.client import Client
    from tracking.reader import open_reader, sweep_runs, sweeps

    text = lab.read_text(encoding="utf-8")
    start = time.perf_counter()
    estimate = Client(uri).check(text)
    seconds_to_estimate = time.perf_counter() - start
    seconds_to_finish(uri, text)
    reader = open_reader(uri)
    row = sweeps(reader).iloc[0]
    runs = sweep_runs(reader, str(row["sweep"]))
    truth = float(runs["end_time"].max() - runs["start_time"].min()) / 1000
    return {
        "lab": lab.stem,
        "runs": len(runs),
        "seconds_estimated": round(float(row["estimated"]), 2),
        "low": round(estimate["low"], 2),
        "high": round(estimate["high"], 2),
        "seconds_true": round(truth, 2),
        "off_by": round(abs(float(row["estimated"]) / truth - 1), 3),
        "seconds_to_estimate": round(seconds_to_estimate, 2),
    }


def main(names: list[str]) -> None:
    rows = list(measure_labs(names, estimate_and_truth).values())
    if not names:
        off = median([row["off_by"] for row in rows])
        write("estimates", {"what": "|estimate / truth - 1| of each lab", "labs": rows, "median": off, "goal": 0.3})


if __name__ == "__main__":
    main(sys.argv[1:])
