"""What a run knows of its epochs, and what follows from it: which is the best, whether it goes on, how it ended.

No torch and no Lightning: a callback measures an epoch and hands over plain numbers. One ledger belongs to one run.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sweeps.training.objective import RESERVED, Best, Criterion
from tracking import schema
from tracking.schema import Outcome

EXPLODED: Final = 10.0
"""A run has diverged if its training loss ends at more than so many times its first value and that of the best
constant answer."""
VALIDATION: Final = "val/"
"""How the names of metrics of the validation part begin."""


def broken_loss(metrics: Mapping[str, float]) -> tuple[str, float] | None:
    """The first loss that is not finite, by its name, with its value; None if there is none."""
    for name, value in metrics.items():
        if "loss" in name.lower() and not math.isfinite(value):
            return name, value
    return None


@dataclass(eq=False)
class Ledger:
    """The epochs of one run: their metrics, the best of them, patience, and how the run ended."""

    criterion: Criterion
    """What the run is ranked by. It also selects the checkpoint, from the first time that it was measured on the
    validation part; before that, or if it never is, val/loss does; the last epoch where there is none of these."""
    patience: int
    """After so many measurements in a row of the watched metric without a better one the run ends; 0: never."""
    max_epochs: int
    watched: Criterion = field(default_factory=Criterion)
    """What patience looks at. An epoch in which it was not measured neither improves nor counts."""
    logs: bool = False
    """Whether the module logs its metrics itself: then those that the run needs have to be there after one epoch."""
    meant_to_explode: bool = False
    """Whether this is a learning-rate range test, whose rate grows until the loss does."""
    constant: float | None = None
    """The training loss of the best constant answer; None where it is not known, and no loss counts as exploded."""
    outcome: Outcome = Outcome.OK
    error: str | None = None
    """One sentence: why the run diverged or crashed."""
    metrics: dict[str, float] = field(default_factory=dict)
    """The last finite value of each metric."""
    latest: dict[str, float] = field(default_factory=dict)
    """What was measured in the last epoch and is finite."""
    epochs: int = 0
    first_loss: float = 0.0
    """On the training data, in evaluation mode, after the first epoch."""
    improved: bool = False
    """Whether the last epoch is that of the checkpoint now: its weights are to be kept."""

    def __post_init__(self) -> None:
        self._ranked = Best(self.criterion)
        self._selected = Best(Criterion())
        self._watched = Best(self.watched)
        self._waited = 0
        """Measurements of the watched metric since the best one."""

    @property
    def objective(self) -> float | None:
        """The value that the run is ranked by; None unless the run is ok."""
        if self.outcome is not Outcome.OK:
            return None
        return self._ranked.value if self.criterion.at == "best" else self.metrics.get(self.criterion.metric)

    @property
    def best_epoch(self) -> int:
        """The epoch of the checkpoint, counted from 1; 0 before the first epoch."""
        return self._selected.epoch

    @property
    def chosen(self) -> bool:
        """Whether a metric of the validation part chose the checkpoint; otherwise it is that of the last epoch."""
        return self._selected.value is not None

    def epoch(self, measured: Mapping[str, float], validation: Collection[str] | None = None) -> Outcome | None:
        """Take what was measured in an epoch, and decide.

        Args:
            measured: By metric, perhaps not finite; a metric that was not measured in this epoch is left out.
            validation: The names of those measured on the validation part; None: those that begin with `val/`.

        Returns:
            None if the run goes on; ok if this was its last epoch; else how it ended, which `error` explains
        """
        self.epochs += 1
        self.improved = False
        self.latest = self.add(measured)
        if self.epochs == 1:
            self.first_loss = measured.get(schema.TRAIN_EVAL_LOSS, 0.0)
        if validation is None:
            validation = [name for name in measured if name.startswith(VALIDATION)]
        if broken := self._broken(measured):
            return self.end(Outcome.DIVERGED, f"{broken[0]} was {broken[1]} after epoch {self.epochs}.")
        if self.logs and (missing := self._missing(validation)):
            return self.end(Outcome.CRASHED, missing)
        self._judge(validation)
        if self.epochs < self.max_epochs and not (self.patience and self._waited >= self.patience):
            return None
        if missing := self._missing(validation):
            return self.end(Outcome.CRASHED, missing)
        if exploded := self._exploded():
            return self.end(Outcome.DIVERGED, exploded)
        return Outcome.OK

    def add(self, measured: Mapping[str, float]) -> dict[str, float]:
        """Take metrics without judging them, such as those of the test part; those of them that are finite."""
        finite = {name: value for name, value in measured.items() if math.isfinite(value)}
        self.metrics.update(finite)
        return finite

    def end(self, outcome: Outcome, error: str | None = None) -> Outcome:
        """Note how the run ended, and why; the outcome."""
        self.outcome, self.error = outcome, error
        return outcome

    def _broken(self, measured: Mapping[str, float]) -> tuple[str, float] | None:
        """A loss that is not finite, or the objective: nothing could be ranked by it."""
        objective = measured.get(self.criterion.metric, 0.0)
        return broken_loss(measured) or (None if math.isfinite(objective) else (self.criterion.metric, objective))

    def _missing(self, validation: Collection[str]) -> str:
        """What the configuration needs and no epoch measured, in one sentence; empty if nothing is missing."""
        verb = "logged" if self.logs else "measured"
        none = "" if validation else ", and none of the validation data"
        names = ", ".join(name for name in self.metrics if name not in RESERVED) or "none"
        for key, metric in (
            ("objective.metric", self.criterion.metric),
            ("regularization.early_stopping_patience", self.watched.metric if self.patience else None),
        ):
            if metric is not None and metric not in self.metrics:
                return f"{key}: no metric {metric} was {verb}{none}; there are: {names}."
        return ""

    def _judge(self, validation: Collection[str]) -> None:
        """Compare the last epoch with those before it, by each metric that it measured."""
        latest = self.latest
        if self.criterion.metric in latest:
            self._ranked.offer(latest[self.criterion.metric], self.epochs)
        if self.watched.metric in latest:
            better = self._watched.offer(latest[self.watched.metric], self.epochs)
            self._waited = 0 if better else self._waited + 1
        validated = latest.keys() & set(validation)
        if self.criterion.metric in validated and self._selected.criterion != self.criterion:
            self._selected = Best(self.criterion)
        metric = self._selected.criterion.metric
        if metric in validated:
            self.improved = self._selected.offer(latest[metric], self.epochs)
        elif not self.chosen:
            self._selected.epoch, self.improved = self.epochs, True

    def _exploded(self) -> str:
        """Why the run diverged although its last loss is a number; an empty text if it did not.

        The loss on the training data decides: that on validation data is rightly several times as high as the loss of
        a constant answer where a network has memorised wrong labels.
        """
        loss = self.metrics.get(schema.TRAIN_EVAL_LOSS)
        if self.meant_to_explode or self.constant is None or loss is None:
            return ""
        if loss <= EXPLODED * max(self.first_loss, self.constant):
            return ""
        return (
            f"{schema.TRAIN_EVAL_LOSS} ended at {loss:.4g}: more than {EXPLODED:g} times its first value"
            f" ({self.first_loss:.4g}) and that of the best constant answer ({self.constant:.4g})."
        )

    def state_dict(self) -> dict[str, Any]:
        """What a run must know of its epochs so far to go on after a kill: plain values."""
        return {
            "metrics": dict(self.metrics),
            "epochs": self.epochs,
            "first_loss": self.first_loss,
            "bests": [(best.value, best.epoch) for best in (self._ranked, self._selected, self._watched)],
            "waited": self._waited,
            "selected_by_objective": self._selected.criterion == self.criterion,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from such a state; earlier versions saved no first_loss, waited and selected_by_objective."""
        self.metrics, self.epochs = dict(state["metrics"]), state["epochs"]
        self.first_loss = state.get("first_loss", self.first_loss)
        ranked, selected, watched = (tuple(best) for best in state["bests"])
        by_objective = state.get("selected_by_objective", selected == ranked)  # as both took the same values
        self._ranked = Best(self.criterion, *ranked)
        self._selected = Best(self.criterion if by_objective else Criterion(), *selected)
        self._watched = Best(self.watched, *watched)
        self._waited = state.get("waited", self.epochs - self._watched.epoch)
