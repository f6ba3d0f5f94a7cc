"""Every lab: how long the pre-flight says that it will take, and how long it takes then.

The truth is the time from the start of its first run to the end of its last, as the store has it. With names of labs as
arguments only those are tried, and nothing is written.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import each_lab, finished, median, write


def compared(uri: str, lab: Path) -> dict[str, Any]:
    """One lab's estimate beside its truth, in seconds."""
    from sweeps.client import Client
    from tracking.reader import open_reader, sweep_runs, sweeps

    text = lab.read_text(encoding="utf-8")
    begun = time.perf_counter()
    found = Client(uri).check(text)
    checking = time.perf_counter() - begun
    finished(uri, text)
    reader = open_reader(uri)
    row = sweeps(reader).iloc[0]
    runs = sweep_runs(reader, str(row["sweep"]))
    truth = float(runs["end_time"].max() - runs["start_time"].min()) / 1000
    return {
        "lab": lab.stem,
        "runs": len(runs),
        "seconds_estimated": round(float(row["estimated"]), 2),
        "low": round(found["low"], 2),
        "high": round(found["high"], 2),
        "seconds_true": round(truth, 2),
        "off_by": round(abs(float(row["estimated"]) / truth - 1), 3),
        "seconds_to_estimate": round(checking, 2),
    }


def main(wanted: list[str]) -> None:
    rows = list(each_lab(wanted, compared).values())
    if not wanted:
        off = median([row["off_by"] for row in rows])
        write("estimates", {"what": "|estimate / truth - 1| of each lab", "labs": rows, "median": off, "goal": 0.3})


if __name__ == "__main__":
    main(sys.argv[1:])
