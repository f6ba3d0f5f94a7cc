"""What a run reports while it trains: a function that it calls with a kind of record and the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Report = Callable[[str, dict[str, Any]], None]
"""Called with "info", "metrics" or "file", and a record that JSON can hold: see `sweeps.training.train.train`."""
