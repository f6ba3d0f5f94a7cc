"""When a service ends by itself: after a time without clients and without work."""

from __future__ import annotations

import time
from collections.abc import Callable


class Idle:
    """Measures the time since the last client or the last work, whichever was later.

    Args:
        seconds: how long it may last
        clock: the time in seconds
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since = clock()

    def used(self) -> None:
        """Begin anew, because a client has made a request."""
        self._since = self._clock()

    def over(self, busy: bool) -> bool:
        """Whether the service has been idle for too long.

        Args:
            busy: whether there is work now. After a sweep that trained for hours without a client, the time begins
                anew, and the next sweep of the queue begins before it is over.
        """
        if busy:
            self._since = self._clock()
        return self._clock() - self._since > self._seconds
