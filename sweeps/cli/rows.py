"""What the command line knows of a store: its sweeps, and one sweep in detail, as plain data ready for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from tracking import schema
from tracking.legible import one_line
from tracking.order import order_key, replicated
from tracking.schema import Outcome
from tracking.store import scrub, sqlite_path

if TYPE_CHECKING:
    import pandas as pd

    from sweeps.spec import Spec
    from tracking.reader import Reader

Row = dict[str, Any]

_OUTCOMES: Final = tuple(outcome.value for outcome in Outcome)


def plain(row: Mapping[str, Any]) -> Row:
    """The row as JSON can hold it: NumPy's numbers as Python's, what is missing as None."""
    return {key: _plain(value) for key, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    value = value.item() if hasattr(value, "item") else value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if repr(value) in ("<NA>", "NaT") else str(value)


def _rows(frame: pd.DataFrame) -> list[Row]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def open_store(uri: str) -> Reader:
    """The reader of a store."""
    from tracking.reader import open_reader

    return open_reader(uri)


def sweep_rows(uri: str) -> list[Row]:
    """One row per sweep, newest first; none where there is no store yet."""
    path = sqlite_path(uri)
    if path is not None and not path.exists():
        return []
    from tracking.reader import sweeps

    return _rows(sweeps(open_store(uri)))


def run_ids(uri: str) -> list[str]:
    """The ids of all runs of sweeps; none where there is no store yet."""
    path = sqlite_path(uri)
    if path is not None and not path.exists():
        return []
    runs = open_store(uri).runs()
    return [str(run_id) for run_id in runs.loc[runs["parent"].notna(), "run_id"]]


def sweep_row(reader: Reader, sweep: str) -> Row:
    """The row of one sweep.

    Raises:
        LookupError: The store does not hold it, or no more.
    """
    from tracking.reader import sweeps

    frame = sweeps(reader)
    rows = _rows(frame[frame["sweep"] == sweep])
    if not rows:
        raise LookupError(f"The sweep {sweep} is not in the store {scrub(reader.uri)} any more.")
    return rows[0]


def promises(spec: Spec | None) -> Row:
    """What a sweep claims, and how it repeats its trials if not by seeds alone, ready for JSON.

    Args:
        spec: The sweep; None where its spec cannot be read, which promises nothing.
    """
    if spec is None:
        return {"replicate": None, "claims": []}
    return {
        "replicate": asdict(spec.replicate) if spec.replicate else None,
        "claims": [asdict(claim) for claim in spec.claim],
    }


def _spec(reader: Reader, sweep: str) -> Spec | None:
    """The spec of a stored sweep; None where it cannot be read."""
    from sweeps.spec import parse

    try:
        return parse(reader.artifact(sweep, schema.SPEC_FILE).decode())
    except (ValueError, OSError):
        return None


def detail(uri: str, sweep: str) -> Row:
    """One sweep with its verdicts, its configurations, best first, its runs and its events, ready for JSON."""
    from sweeps.cli.verdicts import verdicts
    from tracking.reader import events, sweep_runs

    reader = open_store(uri)
    row, spec = sweep_row(reader, sweep), _spec(reader, sweep)
    runs = sweep_runs(reader, sweep)
    return {
        **plain(row),
        **plain(promises(spec)),
        "verdicts": verdicts(reader, row, runs, spec),
        "groups": [plain(group) for group in group_rows(runs, row)],
        "runs": [plain(run) for run in _rows(runs)],
        "events": [plain(event) for event in _rows(events(reader, sweep))],
    }


def group_rows(runs: pd.DataFrame, row: Row) -> list[Row]:
    """One row per configuration with a run that ended, by share of diverged runs, then by the mean of the finite ones.

    Confirmed configurations come first: their runs did not choose them.

    Args:
        runs: Those of one sweep, from `tracking.sweep_frames.sweep_runs`.
        row: The sweep's row: `direction` and `searched`.
    """
    from tracking.labels import labels

    counting = runs[runs["counts"] & runs["outcome"].isin(_OUTCOMES)]
    keys = list(row["searched"])
    first = counting.drop_duplicates("group")
    configurations = zip(first["group"], _rows(first[keys]), strict=True)
    names = labels({str(group): params for group, params in configurations}, keys)
    groups: list[Row] = []
    for group, members in counting.groupby("group", sort=False):
        finite = members.loc[(members["outcome"] == Outcome.OK.value) & members["objective"].notna(), "objective"]
        groups.append(
            {
                "group": str(group),
                "phase": str(members["phase"].iloc[0]),
                "name": one_line(names[str(group)]),
                "mean": float(finite.mean()) if len(finite) else math.nan,
                "finite": len(finite),
                "diverged": int((members["outcome"] == Outcome.DIVERGED.value).sum()),
                "runs": len(members),
            }
        )
    sign = -1 if row["direction"] == schema.MAXIMIZE else 1
    counts = {group["group"]: (group["finite"], group["finite"] + group["diverged"]) for group in groups}
    several = replicated(counts.values())

    def rank(group: Row) -> tuple[Any, ...]:
        searched = group["phase"] != schema.CONFIRM_PHASE
        return searched, *order_key(*counts[group["group"]], sign * group["mean"], several)

    return sorted(groups, key=rank)
