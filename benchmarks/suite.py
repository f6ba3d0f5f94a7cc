"""Minutes that `make test` and `make test-faults` take on a fresh clone: alone, and beside two busy loops.

    python -m benchmarks.suite --alone 3 --loaded 3 --faults 3

Clones the last commit into a temporary folder, makes its environment, runs the suites one after the other and writes
benchmarks/results/tests.json: minutes, processor minutes of the whole machine (without those of the busy loops), the
numbers of tests, the ten slowest, and the seconds of each room. What is not measured again, such as "before", is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import RESULTS, median, write

SUITES = {"loaded": ("test", 2), "faults": ("test-faults", 0), "alone": ("test", 0)}
"""Name in the result -> target of the Makefile, number of busy loops beside it."""
SLOWEST = 10


def processor_seconds() -> float:
    """The seconds for which this machine's cores have worked since it started."""
    user, nice, system, _idle, _wait, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split()[1:11])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def used_by(process: subprocess.Popen[bytes]) -> float:
    """The processor seconds of one process."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def busy_loops(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The given number of processes that compute without end, killed afterwards."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield loops
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def cases(report: Path) -> tuple[dict[str, int], Counter[str], Counter[str]]:
    """The content of pytest's XML report: the number of tests by outcome, seconds by test, seconds by room."""
    counts, tests, rooms = Counter[str](), Counter[str](), Counter[str]()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        counts[kinds[0] if kinds else "passed"] += 1
        place = case.get("classname", "").split(".")
        tests[f"{'/'.join(place)}.py::{case.get('name')}"] += float(case.get("time", 0))
        rooms[place[1] if len(place) > 1 else ""] += float(case.get("time", 0))
    return dict(counts), tests, rooms


def one_run(clone: Path, target: str, loops: int) -> dict[str, Any]:
    """Run one target of the Makefile; returns what it took and how its tests ended."""
    report = clone / "report.xml"
    environment = {**os.environ, "PYTEST_ADDOPTS": f"--junitxml={report}"}
    with busy_loops(loops) as busy:
        start, processor_start = time.monotonic(), processor_seconds()
        make = subprocess.run(["make", target], cwd=clone, env=environment, check=False, capture_output=True, text=True)
        minutes = (time.monotonic() - start) / 60
        processor = processor_seconds() - processor_start - sum(used_by(loop) for loop in busy)
    counts, tests, rooms = cases(report)
    if make.returncode:
        print(make.stdout[-20_000:], flush=True)
    return {
        "green": make.returncode == 0,
        "minutes": round(minutes, 2),
        "processor_minutes": round(processor / 60, 2),
        "tests": counts,
        "slowest": {name: round(seconds, 1) for name, seconds in tests.most_common(SLOWEST)},
        "seconds_by_room": {room: round(seconds, 1) for room, seconds in rooms.most_common()},
    }


def summary(runs: list[dict[str, Any]], commit: str) -> dict[str, Any]:
    """Several runs of one suite in one result: the minutes of each, the medians, and the details of the last."""
    return {
        "commit": commit,
        "green": [run["green"] for run in runs],
        "minutes": [run["minutes"] for run in runs],
        "median_minutes": median([run["minutes"] for run in runs]),
        "processor_minutes": [run["processor_minutes"] for run in runs],
        **{key: runs[-1][key] for key in ("tests", "slowest", "seconds_by_room")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, (target, loops) in SUITES.items():
        what = f"make {target}" + (f" beside {loops} busy loops" if loops else "")
        parser.add_argument(f"--{name}", type=int, default=3, metavar="N", help=f"how often: {what}")
    times = parser.parse_args()
    root = RESULTS.parents[1]
    file = RESULTS / "tests.json"
    earlier = json.loads(file.read_text()) if file.exists() else {}
    result = {part: earlier[part] for part in ("before", *SUITES) if part in earlier}
    with tempfile.TemporaryDirectory(prefix="sweepboard-suite-") as folder:
        clone = Path(folder, "clone")
        subprocess.run(["git", "clone", "--quiet", str(root), str(clone)], check=True)
        head = ["git", "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(head, cwd=clone, check=True, capture_output=True, text=True).stdout.strip()
        start = time.monotonic()
        subprocess.run(["make", ".venv/.browser"], cwd=clone, check=True, capture_output=True)
        result["installing_minutes"] = round((time.monotonic() - start) / 60, 2)
        for name, (target, loops) in SUITES.items():
            runs = []
            for _ in range(getattr(times, name)):
                runs.append(one_run(clone, target, loops))
                print(name, {key: runs[-1][key] for key in ("green", "minutes", "tests")}, flush=True)
                result[name] = summary(runs, commit)
                write("tests", result)


if __name__ == "__main__":
    main()
