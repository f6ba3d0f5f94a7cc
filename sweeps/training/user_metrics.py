"""What a user module logs, as Lightning hands it to any logger, and the names under which it is stored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from pytorch_lightning.loggers.logger import DummyLogger

from sweeps.training.ledger import broken_loss
from sweeps.training.objective import RESERVED

LOSSES: Final = {
    split: tuple(name for word in words for name in (f"{word}_loss", f"{word}/loss", f"{word}.loss", f"loss/{word}"))
    for split, words in {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}.items()
}
"""Other names for the loss of a part: the first that is logged is also stored as `val/loss` and so on."""


def stored_name(name: str) -> str:
    """The name under which MLflow can store a metric."""
    parts = [part for part in re.sub(r"[^/\w.\- :]", "_", name).split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[:250] or "_"


class MetricLogger(DummyLogger):
    """Collects what a module logs: the mean of each metric over the calls since `take`, weighted by examples."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = 1
        """Examples in the batch at hand."""
        self._sums: dict[str, tuple[float, int]] = {}

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        for name, value in metrics.items():
            total, weight = self._sums.get(name, (0.0, 0))
            self._sums[name] = total + float(value) * self.weight, weight + self.weight

    def broken(self) -> tuple[str, float] | None:
        """The first logged loss that is not finite, with its value; None if there is none."""
        return broken_loss({name: total for name, (total, _) in self._sums.items()})

    def take(self) -> dict[str, float]:
        """The means since the last call, by the names that Lightning gives them."""
        means = {name: total / weight for name, (total, weight) in self._sums.items()}
        self._sums = {}
        return means


def unforked(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics by the names that the module gave: Lightning makes x_step and x_epoch of x; the latter becomes x."""
    values = {name: value for name, value in metrics.items() if name != "epoch"}  # Lightning's own
    for name in metrics:
        base = name.removesuffix("_epoch")
        if base != name and f"{base}_step" in metrics:
            values[base] = values.pop(name)
            del values[f"{base}_step"]
    return values


def stored(logged: Mapping[str, float], remark: Callable[[str], None]) -> dict[str, float]:
    """What a module logged, by the names under which it is stored; `remark` gets a sentence for what is left out."""
    values: dict[str, float] = {}
    for logged_name, value in logged.items():
        name = stored_name(logged_name)
        if name in RESERVED:
            remark(f"It logs {logged_name}, which Sweepboard measures itself; its own value is left out.")
        elif name in values:
            remark(f"It logs two metrics that can only be stored as {name}; {logged_name} is left out.")
        else:
            values[name] = value
    for split, names in LOSSES.items():
        other = next((name for name in names if name in values), None)
        if other is not None:
            values.setdefault(f"{split}/loss", values[other])
    return values
