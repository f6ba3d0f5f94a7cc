"""What the command line shows: sweeps and the service as plain data and as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sweeps.words import duration, number, table
from tracking import schema
from tracking.legible import one_line
from tracking.order import order_key, replicated
from tracking.schema import Outcome
from tracking.store import scrub, sqlite_path

if TYPE_CHECKING:
    import pandas as pd

    from sweeps.catalogue import Catalogue, Entry
    from sweeps.client import ServiceStatus
    from sweeps.fields import Field
    from sweeps.spec import Spec
    from tracking.reader import Reader

Row = dict[str, Any]

_OUTCOMES: Final = tuple(outcome.value for outcome in Outcome)
_BEST: Final = 10
_EVENTS: Final = 10


def plain(row: Mapping[str, Any]) -> Row:
    """A row as JSON can hold it: NumPy's numbers as Python's, what is missing as None."""
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
    """One row a sweep, newest first; none where there is no store yet."""
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
    found = _rows(frame[frame["sweep"] == sweep])
    if not found:
        raise LookupError(f"The sweep {sweep} is not in the store {scrub(reader.uri)} any more.")
    return found[0]


def promises(spec: Spec | None) -> Row:
    """What a sweep claims, and how it repeats its trials if not by seeds alone, ready for JSON.

    Args:
        spec: The sweep; None where its spec cannot be read, which promises nothing.
    """
    if spec is None:
        return {"replicate": None, "claims": []}
    return {
        "replicate": spec.replicate.model_dump() if spec.replicate else None,
        "claims": [claim.model_dump() for claim in spec.claim],
    }


def promises_text(said: Mapping[str, Any]) -> list[str]:
    """The lines for `promises`: `Claim: Adam wins. (val/loss lower with name adam than with name sgd)`."""
    lines = []
    if own := said["replicate"]:
        runs = own["datasets"] * own["inits"]
        lines.append(f"Every trial: {own['datasets']:,} data sets x {own['inits']:,} initialisations, {runs:,} runs")
    for claim in said["claims"]:
        better, than = (
            ", ".join(f"{key} {one_line(value)}" for key, value in claim[side].items()) for side in ("better", "than")
        )
        word = "lower" if claim["direction"] == schema.MINIMIZE else "higher"
        margin = f"; up to {number(claim['margin'])} is no difference" if claim["margin"] is not None else ""
        judged = f"{claim['metric']} {word} with {better} than with {than}{margin}"
        lines.append(one_line(f"Claim: {claim['text']} ({judged})"))
    return lines


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
    """Configurations with a run that ended, by their share of diverged runs, then by the mean of the finite ones.

    Confirmed ones come first: their runs did not choose them.

    Args:
        runs: Those of one sweep, from `tracking.sweep_frames.sweep_runs`.
        row: The sweep: direction and searched.
    """
    from tracking.labels import labels

    counting = runs[runs["counts"] & runs["outcome"].isin(_OUTCOMES)]
    keys = list(row["searched"])
    first = counting.drop_duplicates("group")
    configurations = zip(first["group"], _rows(first[keys]), strict=True)
    names = labels({str(group): params for group, params in configurations}, keys)
    groups: list[Row] = []
    for group, own in counting.groupby("group", sort=False):
        finite = own.loc[(own["outcome"] == Outcome.OK.value) & own["objective"].notna(), "objective"]
        diverged = int((own["outcome"] == Outcome.DIVERGED.value).sum())
        phase = str(own["phase"].iloc[0])
        groups.append(
            {
                "group": str(group), "phase": phase, "name": one_line(names[str(group)]),
                "mean": float(finite.mean()) if len(finite) else math.nan, "finite": len(finite),
                "diverged": diverged, "runs": len(own),
            }
        )  # fmt: skip
    sign = -1 if row["direction"] == schema.MAXIMIZE else 1

    counts = {group["group"]: (group["finite"], group["finite"] + group["diverged"]) for group in groups}
    several = replicated(counts.values())

    def rank(group: Row) -> tuple[Any, ...]:
        searched = group["phase"] != schema.CONFIRM_PHASE
        return searched, *order_key(*counts[group["group"]], sign * group["mean"], several)

    return sorted(groups, key=rank)


def verdict_lines(verdicts: Iterable[Row]) -> list[str]:
    """`Adam wins. [supported] adam is better than sgd: ...`; without a claim the sentence alone."""
    return [
        f"{one['claim']} [{one['status']}] {one['sentence']}" if one["claim"] else one["sentence"] for one in verdicts
    ]


def _when(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000):%Y-%m-%d %H:%M}"


def _counts(row: Row) -> str:
    words = [f"{row[name]:,} {name}" for name in (*_OUTCOMES, "running") if row[name]]
    return ", ".join(words)


def sweeps_table(rows: Sequence[Row]) -> str:
    """The answer of `list`."""
    if not rows:
        return "There is no sweep yet. To launch one: sweepboard run labs/optimizers-on-digits.yaml"
    ids = [str(row["sweep"]) for row in rows]
    length = next(n for n in range(8, 65) if len({own[:n] for own in ids}) == len(ids) or n == 64)
    cells = [
        [
            row["sweep"][:length], row["name"], row["state"], f"{row['done']:,} of {row['planned']:,}",
            str(row["crashed"] or "–"), number(row["best"]), row["metric"], row["best_name"] or "–",
            _when(row["created"]),
        ]
        for row in rows
    ]  # fmt: skip
    return table(["id", "name", "state", "runs", "crashed", "best", "metric", "of", "launched"], cells, right=(3, 4, 5))


def detail_text(detail: Row) -> str:
    """The answer of `show`."""
    done = f"{detail['done']:,} of {detail['planned']:,} runs"
    counts = _counts(detail)
    parts = [f"{one_line(detail['name'])}  {detail['state']}, {done}{f' ({counts})' if counts else ''}"]
    if detail["question"]:
        parts.append(one_line(detail["question"]))
    parts += promises_text(detail)
    experiment = one_line(detail["experiment"])
    parts.append(f"id {detail['sweep']}, launched {_when(detail['created'])}, experiment {experiment}")
    if detail["groups"]:
        cells = [
            [
                group["name"] + " · confirmed" * (group["phase"] == schema.CONFIRM_PHASE),
                number(group["mean"]),
                f"{group['finite']} of {group['runs']}",
            ]
            for group in detail["groups"][:_BEST]
        ]
        more = len(detail["groups"]) - _BEST
        listed = table(["configuration", f"mean {detail['metric']}", "finite runs"], cells, right=(1, 2))
        parts.append(f"\n{listed}" + (f"\n... and {more:,} more (--json lists all)" if more > 0 else ""))
    if detail["verdicts"]:
        parts.append("\n" + "\n".join(one_line(line) for line in verdict_lines(detail["verdicts"])))
    running = [run for run in detail["runs"] if run["counts"] and run["outcome"] == "running"]
    if running:
        lines = [f"{run['run_id'][:8]}  {one_line(run['name'])}" for run in running]
        parts.append("\nTraining now:\n" + "\n".join(lines))
    crashed = [run for run in detail["runs"] if run["counts"] and run["outcome"] == Outcome.CRASHED.value]
    if crashed:
        lines = [
            f"{run['run_id'][:8]}  {one_line(run['name'])}: {one_line(run['error'] or 'no reason is known')}"
            for run in crashed
        ]
        parts.append("\nCrashed:\n" + "\n".join(lines[:_EVENTS]))
        if len(lines) > _EVENTS:
            parts.append(f"... and {len(lines) - _EVENTS:,} more")
    if detail["events"]:
        lines = [f"{_when(event['at'])}  {one_line(event['text'])}" for event in detail["events"][:_EVENTS]]
        parts.append("\nLatest events:\n" + "\n".join(lines))
    return "\n".join(parts)


def progress_line(row: Row, seconds_left: float | None, bar: bool) -> str:
    """How far a sweep is, on one line."""
    planned = max(row["planned"], 1)
    filled = round(20 * min(row["done"] / planned, 1))
    parts = [f"[{'#' * filled}{'.' * (20 - filled)}]"] if bar else [f"{one_line(row['name'])}:"]
    said = [f"{row['done']:,} of {row['planned']:,} runs", str(row["state"])]
    said += [f"{row[name]:,} {name}" for name in ("running", *_OUTCOMES) if row[name] and name != Outcome.OK.value]
    if seconds_left is not None and row["done"] < planned:
        said.append(f"{duration(seconds_left)} left")
    if row["best_name"]:
        said.append(f"best {row['metric']} {number(row['best'])} ({one_line(row['best_name'])})")
    return " ".join([*parts, ", ".join(said)])


def ending(row: Row) -> str:
    """What became of a sweep, in a sentence or two."""
    counts = _counts(row) or "none trained"
    how = _ENDED.get(row["state"], f"is {row['state']}")
    text = f"{one_line(row['name'])} {how}: {row['planned']:,} runs, {counts}."
    if row["best_name"]:
        text += f" Best: {one_line(row['best_name'])}, {row['metric']} {number(row['best'])}."
    if row["crashed"]:
        text += f" Why runs crashed: sweepboard show {row['sweep']}"
    return text


_ENDED: Final = {"finished": "finished", "stopped": "was stopped", "failed": "failed"}


def service_text(status: ServiceStatus) -> str:
    """The answer of `service`."""
    if not status.alive:
        text = "The service is starting." if status.starting else "The service does not run."
    else:
        since = f" since {_when(int(status.started * 1000))}" if status.started else ""
        busy = (
            f"{len(status.active)} sweep{'' if len(status.active) == 1 else 's'} under way" if status.active else "idle"
        )
        text = f"The service runs{since} as process {status.pid}: {busy}, {status.workers} workers."
    return f"{text} {one_line(status.problem)}" if status.problem else text


def catalogue_text(catalogue: Catalogue) -> str:
    """The answer of `catalogue`."""
    parts = []
    titles = ("Models", "Data sets", "Optimizers", "Schedules")
    for title, (section, entries) in zip(titles, catalogue.named.items(), strict=True):
        parts.append(f"{title} ({section}.name)")
        parts.extend(_entry_text(entry) for entry in entries.values())
    for section, fields in catalogue.sections.items():
        parts.append(section.capitalize())
        parts.append(_fields_text(fields))
    return "\n\n".join(parts)


def _entry_text(entry: Entry) -> str:
    tasks = ", ".join(entry.tasks) or entry.task
    head = f"  {entry.name}{f' ({tasks})' if tasks else ''}: {entry.summary}"
    return "\n".join(part for part in (head, _fields_text(entry.fields)) if part)


def _fields_text(fields: Mapping[str, Field]) -> str:
    from sweeps.fields import show

    width = max((len(name) for name in fields), default=0)
    return "\n".join(
        f"    {name.ljust(width)}  {show(field.default)}  ({field.allowed})" for name, field in fields.items()
    )
