"""Finds the sweep or the run that the user means by an id, the beginning of an id, or a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweeps.cli.terminal import BadInput

if TYPE_CHECKING:
    from sweeps.cli.rows import Row


def find_sweep(uri: str, reference: str) -> Row:
    """The row of the sweep with this id, name, or beginning of an id.

    Raises:
        BadInput: There is none, or more than one.
    """
    from sweeps.cli import rows
    from sweeps.fields import nearest
    from tracking.legible import one_line

    sweeps = rows.sweep_rows(uri)
    for matches in (
        [row for row in sweeps if row["sweep"] == reference],
        [row for row in sweeps if reference in (row["name"], one_line(row["name"]))],
        [row for row in sweeps if reference and row["sweep"].startswith(reference)],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            ids = ", ".join(str(row["sweep"]) for row in matches[:5])
            raise BadInput(f"sweep: {one_line(reference)!r} fits {len(matches)} sweeps; allowed: one of the ids {ids}.")
    names = [str(row["name"]) for row in sweeps]
    allowed = (
        f"an id, its beginning or a name, such as {one_line(names[0])}" if names else "none, as the store is empty"
    )
    raise BadInput(
        f"sweep: {one_line(reference)!r} is not in this store; allowed: {allowed}{nearest(reference, names)}"
    )


def find_run(uri: str, reference: str) -> str:
    """The id of the run with this id or beginning of an id.

    Raises:
        BadInput: There is none, or more than one.
    """
    from sweeps.cli import rows
    from tracking.legible import one_line

    matches = [run_id for run_id in rows.run_ids(uri) if reference and run_id.startswith(reference)]
    if len(matches) == 1:
        return matches[0]
    how_many = f"fits {len(matches)} runs" if matches else "is no run of this store"
    raise BadInput(f"run: {one_line(reference)!r} {how_many}; allowed: a run's id, or a beginning that only it has.")
