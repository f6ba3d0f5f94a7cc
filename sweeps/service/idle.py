"""When a service has been of no use for so long that it ends."""

from __future__ import annotations

import time
from collections.abc import Callable


class Idle:
    """Counts the time since a client was last heard of, or there was last something to do, whichever came later."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since = clock()

    def used(self) -> None:
        """A client was heard of."""
        self._since = self._clock()

    def over(self, busy: bool) -> bool:
        """Whether it has lasted too long.

        Args:
            busy: Whether there is something to do now. A sweep may train for hours while no client asks: what waits
                behind it in the queue is begun before the time is up.
        """
        if busy:
            self._since = self._clock()
        return self._clock() - self._since > self._seconds
