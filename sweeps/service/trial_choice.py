"""The choice of a sweep's next trial by its sampler, in a separate thread: a sampler may take seconds."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from sweeps.search.samplers import TrialRecord, propose
from sweeps.spec import Spec

Choice = dict[str, Any] | Exception
"""The searched keys of a trial with their values, or why the sampler could not choose them."""


class TrialChoice:
    """Has one trial at a time chosen. Called in the service's loop only.

    Args:
        wake: called from another thread when the sampler has chosen
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._busy = False
        self._chosen: queue.SimpleQueue[tuple[int, Choice]] = queue.SimpleQueue()

    @property
    def busy(self) -> bool:
        """Whether a trial is being chosen, or has been chosen and not taken yet."""
        return self._busy

    def begin(self, spec: Spec, number: int, trials: Sequence[TrialRecord]) -> None:
        """Have a trial chosen; only while none is.

        Args:
            spec: the sweep
            number: of the trial
            trials: what the sampler may know of the trials so far
        """
        assert not self._busy
        self._busy = True
        threading.Thread(target=self._choose, args=(spec, number, trials), daemon=True, name="sampler").start()

    def take(self) -> tuple[int, Choice] | None:
        """The number of the trial that has been chosen, and the choice; None if there is none by now."""
        if self._chosen.empty():
            return None
        self._busy = False
        return self._chosen.get()

    def _choose(self, spec: Spec, number: int, trials: Sequence[TrialRecord]) -> None:
        try:
            choice: Choice = propose(spec, number, trials)
        except Exception as error:
            choice = error
        self._chosen.put((number, choice))
        self._wake()
