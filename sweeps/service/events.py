"""The events of a sweep: sentences, each with its time, that are stored as tags and shown on the sweep's page."""

from __future__ import annotations

import json
import time

from tracking import schema
from tracking.writer import Writer


def now_ms() -> int:
    """The time in milliseconds since the epoch, as MLflow stores it."""
    return time.time_ns() // 1_000_000


def add_event(writer: Writer, sweep: str, text: str, run: str | None = None) -> None:
    """Queue one sentence for a sweep's events.

    Args:
        writer: of the sweep's store
        sweep: its run id
        text: the sentence
        run: the run that it is about, if it is about one
    """
    content = json.dumps({"at": now_ms(), "text": text, "run": run}, ensure_ascii=False)
    writer.set_tags(sweep, {f"{schema.EVENT}{time.time_ns()}": content})
