"""Numbers, durations and tables as text, for terminals and pages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from tracking.legible import one_line


def number(value: float | None) -> str:
    """A measurement with four digits; a dash for None and NaN."""
    return "–" if value is None or math.isnan(value) else f"{value:.4g}"


def duration(seconds: float) -> str:
    """A time in words: `12 s`, `5 min`, `1.5 h`."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    """The rows as aligned columns of text.

    Args:
        head: The titles of the columns.
        rows: The cells of each row.
        right: The numbers of the columns that are aligned to the right.
    """
    lines = [list(head), *[[one_line(cell) for cell in row] for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    right = set(right)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
