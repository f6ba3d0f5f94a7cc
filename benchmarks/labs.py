"""Every lab, run as a user would: how many runs, how long they take, and what they say of its claims.

With names of labs as arguments only those are run, and nothing is written.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import each_lab, finished, write


def judged(uri: str, sweep: str, text: str) -> list[dict[str, str]]:
    """What the runs of a sweep in this store say of its claims."""
    from analysis.runs.claims import compared
    from analysis.runs.comparison import comparison
    from sweeps.spec import parse
    from tracking.frames import Selection
    from tracking.reader import open_reader, sweeps

    spec, reader = parse(text), open_reader(uri)
    found = reader.records(Selection(sweep=sweep))
    made = comparison(found.runs, found.params, found.tags, found.metrics, sweeps(reader))
    objective, keys = spec.objective.metric, list(spec.search)
    infos = compared(made, sweep, spec.claim, keys, objective=objective)
    return [{"text": info.text, "status": str(info.status), "sentence": info.sentence} for info in infos]


def row(uri: str, lab: Path) -> dict[str, Any]:
    """One lab: its runs, the seconds from launch to end, its claims."""
    from tracking.reader import open_reader, sweep_runs, sweeps

    text = lab.read_text(encoding="utf-8")
    seconds = finished(uri, text)
    reader = open_reader(uri)
    sweep = str(sweeps(reader).iloc[0]["sweep"])
    outcomes = sweep_runs(reader, sweep)["outcome"].value_counts().to_dict()
    return {
        "runs": sum(outcomes.values()),
        "outcomes": outcomes,
        "seconds": round(seconds, 1),
        "claims": judged(uri, sweep, text),
    }


def main(wanted: list[str]) -> None:
    rows = each_lab(wanted, row)
    if not wanted:
        slowest = max(own["seconds"] for own in rows.values())
        write("labs", {"what": "each lab from launch to its end", "labs": rows, "slowest": slowest, "goal": 300})


if __name__ == "__main__":
    main(sys.argv[1:])
