"""The operations that the writer queues in order, and how it packs them into as few calls as MLflow allows."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracking._calls import Item, NewRun

MAX_ITEMS, MAX_PARAMS, MAX_TAGS = 1000, 100, 100
"""What MLflow allows in one call."""
MAX_CHARACTERS = 400_000
"""In one call: a server refuses requests of more than a million bytes."""


@dataclass
class Op:
    """One thing to be stored, of one run."""

    key: str
    number: int = 0
    done: bool = False


@dataclass
class Start(Op):
    """Create the run."""

    run: NewRun = field(kw_only=True)
    ticket: str = field(default_factory=lambda: secrets.token_hex(8))
    tried: bool = False


@dataclass
class Log(Op):
    """Metric values, params and tags."""

    items: list[Item] = field(kw_only=True)
    barrier: bool = False
    """A sweep's state waits for everything that was queued before it, of every run."""


@dataclass
class File(Op):
    """An artifact: a file, or a text."""

    path: str = field(kw_only=True)
    local: Path | None = None
    text: str = ""
    delete: bool = False


@dataclass
class Dataset(Op):
    """An input of the run."""

    dataset: Mapping[str, Any] = field(kw_only=True)


@dataclass
class Status(Op):
    """MLflow's status of the run."""

    status: str = field(kw_only=True)
    end_time: int | None = None


@dataclass
class Change(Op):
    """Remove a tag, or delete or restore the run."""

    what: str = field(kw_only=True)
    tag: str = ""


def chunks(ops: list[Log]) -> Iterator[tuple[list[Item], list[Log]]]:
    """The items of one call after another, in order, each with the ops that are complete when it has succeeded.

    Within a call a later tag replaces an earlier one.
    """
    items: dict[object, Item] = {}
    complete: list[Log] = []
    counts = {"metric": 0, "param": 0, "tag": 0}
    characters = 0
    for op in ops:
        for item in op.items:
            size = len(item.key) + (len(item.value) if isinstance(item.value, str) else 60)
            full = (
                counts["metric"] + counts["param"] + counts["tag"] >= MAX_ITEMS
                or counts["param"] + (item.kind == "param") > MAX_PARAMS
                or counts["tag"] + (item.kind == "tag") > MAX_TAGS
                or characters + size > MAX_CHARACTERS
            )
            if full:
                yield list(items.values()), complete
                items, complete, counts, characters = {}, [], dict.fromkeys(counts, 0), 0
            name: object = ("tag", item.key) if item.kind == "tag" else item
            items.pop(name, None)
            items[name] = item
            counts[item.kind] += 1
            characters += size
        complete.append(op)
    yield list(items.values()), complete
