"""Which trials are ended early: Optuna's median and Hyperband pruners, each trial judged by its first seed.

Every epoch of a first seed is reported to the judge, which says when a trial is not worth going on with. The same
reports in the same order give the same answers, so that after a crash the judge is rebuilt from the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweeps.search.progress import Progress
from sweeps.search.trials import Trial
from sweeps.spec import Spec, configuration
from tracking.schema import Outcome

if TYPE_CHECKING:
    import optuna

STARTUP_TRIALS: Final = 5
"""The median of fewer trials prunes nothing."""
WARM_UP: Final = 5
"""Before a fifth of the epochs the median prunes nothing: the first epochs say little."""


def longest(spec: Spec) -> int:
    """The most epochs that a trial of the sweep can have."""
    axis = spec.search.get("trainer.max_epochs")
    if axis is not None:
        return int(max(axis.points) if axis.points is not None else axis.high or 1)
    coupled = spec.setter("trainer.max_epochs")
    choices = [{coupled: setting} for setting in spec.settings[coupled]] if coupled else [{}]
    return max(int(configuration(spec, choice)["trainer"]["max_epochs"]) for choice in choices)


class Judge:
    """Ends trials early.

    Args:
        spec: A sweep with a pruner.
    """

    def __init__(self, spec: Spec) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        epochs = longest(spec)
        pruner: optuna.pruners.BasePruner
        if spec.pruner == "median":
            pruner = optuna.pruners.MedianPruner(STARTUP_TRIALS, n_warmup_steps=epochs // WARM_UP)
        else:
            pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs)
        # The name is part of what Hyperband sorts trials into brackets by.
        self._study = optuna.create_study(pruner=pruner, direction=spec.objective.direction, study_name="sweepboard")
        self._trials: dict[int, optuna.Trial] = {}
        self._last_epoch: dict[int, int] = {}
        self._reported: dict[int, int] = {}
        self._open: set[int] = set()

    def begin(self, number: int, epochs: int) -> None:
        """Note that a trial's first seed begins; to begin it again changes nothing.

        Args:
            number: The number of the trial.
            epochs: How many it trains if it is not ended: at the last one nothing is left to save.
        """
        if number not in self._trials:
            self._trials[number] = self._study.ask()
            self._last_epoch[number], self._reported[number] = epochs, 0
            self._open.add(number)

    def prunes(self, number: int, epoch: int, value: float) -> bool:
        """Whether the trial is to be ended, now that its objective after this epoch is known."""
        if number not in self._open or epoch <= self._reported[number]:
            return False  # a run that is trained again repeats what it said
        self._reported[number] = epoch
        self._trials[number].report(value, epoch)
        return epoch < self._last_epoch[number] and self._trials[number].should_prune()

    def end(self, number: int, outcome: Outcome, value: float | None) -> None:
        """Note that the first seed has ended; `value` is its objective if it ended ok."""
        if number not in self._open:
            return
        from optuna.trial import TrialState

        self._open.remove(number)
        if outcome is Outcome.OK and value is not None:
            self._study.tell(self._trials[number], value)
        else:
            self._study.tell(
                self._trials[number], state=TrialState.PRUNED if outcome is Outcome.PRUNED else TrialState.FAIL
            )


def epochs_of(trial: Trial) -> int:
    """How many epochs a trial trains if nothing ends it."""
    return int(trial.configuration["trainer"]["max_epochs"])


def judge_of(progress: Progress) -> Judge | None:
    """A judge that knows every first seed so far; None without a pruner."""
    if progress.spec.pruner == "none":
        return None
    judge = Judge(progress.spec)
    for number in sorted(progress.trials):
        slot = progress.slots[number, 0]
        if slot.outcome is None and progress.find_running(slot.key) is None:
            continue
        judge.begin(number, epochs_of(slot.trial))
        for epoch in sorted(slot.curve):
            if slot.pruned_at is None or epoch <= slot.pruned_at:
                judge.prunes(number, epoch, slot.curve[epoch])
        if slot.outcome is not None:
            judge.end(number, slot.outcome, slot.objective)
    return judge
