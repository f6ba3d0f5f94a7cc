"""Every lab, run as a user would: how many runs it has, how long they take, and their verdicts on its claims.

With names of labs as arguments only those are run, and no result is written.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import measure_labs, seconds_to_finish, write


def verdicts(uri: str, sweep: str, text: str) -> list[dict[str, str]]:
    """The verdicts of a sweep's runs on the claims in its specification."""
    from analysis.runs.claims import compared
    from analysis.runs.comparison import comparison
    from sweeps.spec import parse
    from tracking.frames import Selection
    from tracking.reader import open_reader, sweeps

    spec, reader = parse(text), open_reader(uri)
    records = reader.records(Selection(sweep=sweep))
    runs = comparison(records.runs, records.params, records.tags, records.metrics, sweeps(reader))
    infos = compared(runs, sweep, spec.claim, list(spec.search), objective=spec.objective.metric)
    return [{"text": info.text, "status": str(info.status), "sentence": info.sentence} for info in infos]


def outcome(uri: str, lab: Path) -> dict[str, Any]:
    """How one lab ended: its runs, the seconds from launch to end, the verdicts on its claims."""
    from tracking.reader import open_reader, sweep_runs, sweeps

    text = lab.read_text(encoding="utf-8")
    seconds = seconds_to_finish(uri, text)
    reader = open_reader(uri)
    sweep = str(sweeps(reader).iloc[0]["sweep"])
    outcomes = sweep_runs(reader, sweep)["outcome"].value_counts().to_dict()
    return {
        "runs": sum(outcomes.values()),
        "outcomes": outcomes,
        "seconds": round(seconds, 1),
        "claims": verdicts(uri, sweep, text),
    }


def main(names: list[str]) -> None:
    rows = measure_labs(names, outcome)
    if not names:
        slowest = max(row["seconds"] for row in rows.values())
        write("labs", {"what": "each lab from launch to its end", "labs": rows, "slowest": slowest, "goal": 300})


if __name__ == "__main__":
    main(sys.argv[1:])
