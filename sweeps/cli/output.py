"""What the command line shows: sweeps, the service and the catalogue as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sweeps.words import duration, number, table
from tracking import schema
from tracking.legible import one_line
from tracking.schema import Outcome

if TYPE_CHECKING:
    from sweeps.catalogue import Catalogue, Entry
    from sweeps.cli.rows import Row
    from sweeps.client import ServiceStatus
    from sweeps.fields import Field

_OUTCOMES: Final = tuple(outcome.value for outcome in Outcome)
_BEST: Final = 10
_EVENTS: Final = 10
_ENDED: Final = {"finished": "finished", "stopped": "was stopped", "failed": "failed"}


def promises_text(promises: Mapping[str, Any]) -> list[str]:
    """The lines for `rows.promises`: `Claim: Adam wins. (val/loss lower with name adam than with name sgd)`."""
    lines = []
    if replicate := promises["replicate"]:
        datasets, inits = replicate["datasets"], replicate["inits"]
        lines.append(f"Every trial: {datasets:,} data sets x {inits:,} initialisations, {datasets * inits:,} runs")
    for claim in promises["claims"]:
        better, than = (
            ", ".join(f"{key} {one_line(value)}" for key, value in claim[side].items()) for side in ("better", "than")
        )
        word = "lower" if claim["direction"] == schema.MINIMIZE else "higher"
        margin = f"; up to {number(claim['margin'])} is no difference" if claim["margin"] is not None else ""
        judged = f"{claim['metric']} {word} with {better} than with {than}{margin}"
        lines.append(one_line(f"Claim: {claim['text']} ({judged})"))
    return lines


def verdict_lines(verdicts: Iterable[Row]) -> list[str]:
    """One line per verdict: `Adam wins. [supported] adam is better ...`, without a claim the sentence alone."""
    return [
        f"{verdict['claim']} [{verdict['status']}] {verdict['sentence']}" if verdict["claim"] else verdict["sentence"]
        for verdict in verdicts
    ]


def _when(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000):%Y-%m-%d %H:%M}"


def _counts(row: Row) -> str:
    """How many runs ended in which way: `3 ok, 1 crashed`."""
    return ", ".join(f"{row[name]:,} {name}" for name in (*_OUTCOMES, "running") if row[name])


def sweeps_table(rows: Sequence[Row]) -> str:
    """The table that `list` prints: one line per sweep."""
    if not rows:
        return "There is no sweep yet. To launch one: sweepboard run labs/optimizers-on-digits.yaml"
    ids = [str(row["sweep"]) for row in rows]
    # The shortest beginning that tells all ids apart.
    length = next(n for n in range(8, 65) if len({sweep[:n] for sweep in ids}) == len(ids) or n == 64)
    cells = [
        [
            row["sweep"][:length],
            row["name"],
            row["state"],
            f"{row['done']:,} of {row['planned']:,}",
            str(row["crashed"] or "–"),
            number(row["best"]),
            row["metric"],
            row["best_name"] or "–",
            _when(row["created"]),
        ]
        for row in rows
    ]
    return table(["id", "name", "state", "runs", "crashed", "best", "metric", "of", "launched"], cells, right=(3, 4, 5))


def detail_text(detail: Row) -> str:
    """The text that `show` prints for what `rows.detail` returns."""
    done = f"{detail['done']:,} of {detail['planned']:,} runs"
    counts = _counts(detail)
    parts = [f"{one_line(detail['name'])}  {detail['state']}, {done}{f' ({counts})' if counts else ''}"]
    if detail["question"]:
        parts.append(one_line(detail["question"]))
    parts += promises_text(detail)
    experiment = one_line(detail["experiment"])
    parts.append(f"id {detail['sweep']}, launched {_when(detail['created'])}, experiment {experiment}")
    if detail["groups"]:
        parts.append("\n" + _groups_text(detail["groups"], detail["metric"]))
    if detail["verdicts"]:
        parts.append("\n" + "\n".join(one_line(line) for line in verdict_lines(detail["verdicts"])))
    parts += _runs_text([run for run in detail["runs"] if run["counts"]])
    if detail["events"]:
        lines = [f"{_when(event['at'])}  {one_line(event['text'])}" for event in detail["events"][:_EVENTS]]
        parts.append("\nLatest events:\n" + "\n".join(lines))
    return "\n".join(parts)


def _groups_text(groups: Sequence[Row], metric: str) -> str:
    cells = [
        [
            group["name"] + " · confirmed" * (group["phase"] == schema.CONFIRM_PHASE),
            number(group["mean"]),
            f"{group['finite']} of {group['runs']}",
        ]
        for group in groups[:_BEST]
    ]
    more = len(groups) - _BEST
    listing = table(["configuration", f"mean {metric}", "finite runs"], cells, right=(1, 2))
    return listing + (f"\n... and {more:,} more (--json lists all)" if more > 0 else "")


def _runs_text(runs: Sequence[Row]) -> list[str]:
    """The runs that train now, and those that crashed, with the reason."""
    parts = []
    training = [f"{run['run_id'][:8]}  {one_line(run['name'])}" for run in runs if run["outcome"] == "running"]
    if training:
        parts.append("\nTraining now:\n" + "\n".join(training))
    crashed = [
        f"{run['run_id'][:8]}  {one_line(run['name'])}: {one_line(run['error'] or 'no reason is known')}"
        for run in runs
        if run["outcome"] == Outcome.CRASHED.value
    ]
    if crashed:
        parts.append("\nCrashed:\n" + "\n".join(crashed[:_EVENTS]))
        if len(crashed) > _EVENTS:
            parts.append(f"... and {len(crashed) - _EVENTS:,} more")
    return parts


def progress_line(row: Row, seconds_left: float | None, bar: bool) -> str:
    """How far a sweep is, on one line.

    Args:
        row: The sweep's row.
        seconds_left: How long it will still take; None where that is not known.
        bar: Begin with a bar instead of the sweep's name.
    """
    planned = max(row["planned"], 1)
    filled = round(20 * min(row["done"] / planned, 1))
    head = f"[{'#' * filled}{'.' * (20 - filled)}]" if bar else f"{one_line(row['name'])}:"
    parts = [f"{row['done']:,} of {row['planned']:,} runs", str(row["state"])]
    parts += [f"{row[name]:,} {name}" for name in ("running", *_OUTCOMES) if row[name] and name != Outcome.OK.value]
    if seconds_left is not None and row["done"] < planned:
        parts.append(f"{duration(seconds_left)} left")
    if row["best_name"]:
        parts.append(f"best {row['metric']} {number(row['best'])} ({one_line(row['best_name'])})")
    return f"{head} {', '.join(parts)}"


def ending(row: Row) -> str:
    """How a sweep ended, in a sentence or two."""
    counts = _counts(row) or "none trained"
    verb = _ENDED.get(row["state"], f"is {row['state']}")
    text = f"{one_line(row['name'])} {verb}: {row['planned']:,} runs, {counts}."
    if row["best_name"]:
        text += f" Best: {one_line(row['best_name'])}, {row['metric']} {number(row['best'])}."
    if row["crashed"]:
        text += f" Why runs crashed: sweepboard show {row['sweep']}"
    return text


def service_text(status: ServiceStatus) -> str:
    """The sentence that `service` prints: whether it runs, since when, and what it does."""
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
    """The listing that `catalogue` prints: all entries with their fields."""
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
