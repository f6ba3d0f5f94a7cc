"""What other threads have the service's loop do: it makes the calls in its own thread, one after the other."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

from sweeps.service.stored import Refused
from tracking.store import StoreError

PATIENCE_SECONDS = 20.0

log = logging.getLogger("sweepboard.service")
_Answer = queue.SimpleQueue[dict[str, Any]]


class Calls:
    """The calls that wait for the loop.

    The loop waits on `woken`, together with whatever else it waits for, and makes the calls by `make`. Everything else
    may be used from any thread.
    """

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[Callable[[], None], _Answer | None]] = queue.SimpleQueue()
        self.woken, self._wake_in = os.pipe()
        """A file that can be read once the loop was woken, until it has made the calls."""
        os.set_blocking(self.woken, False)

    def wake(self) -> None:
        """Have the loop look around now."""
        with contextlib.suppress(OSError):
            os.write(self._wake_in, b".")

    def call(self, function: Callable[[], None], answer: _Answer | None = None) -> None:
        """Have the loop call a function, and put the reply into `answer`."""
        self._waiting.put((function, answer))
        self.wake()

    def ask(self, function: Callable[[], None], timeout: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Have the loop call a function and wait until it has.

        Args:
            function: raises `Refused` if it cannot be done
            timeout: seconds after which the call is taken back if it has not begun

        Returns:
            nothing, or error and kind: why it was refused
        """
        answer: _Answer = queue.SimpleQueue()
        turn = threading.Lock()  # whoever has it, the loop that begins or the client that gives up, has it for good

        def begin() -> None:
            if turn.acquire(blocking=False):
                function()

        self.call(begin, answer)
        with contextlib.suppress(queue.Empty):
            return answer.get(timeout=timeout)
        if turn.acquire(blocking=False):
            return _refusal("the service is busy; try again")
        return answer.get()

    def make(self) -> None:
        """Make all calls that wait; only the loop does."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.woken, 65536)
        while not self._waiting.empty():
            function, answer = self._waiting.get()
            reply: dict[str, Any] = {}
            try:
                function()
            except (Refused, StoreError) as refused:
                reply = _refusal(str(refused))
            except Exception:
                log.exception("a call failed")
                reply = _refusal("the service could not do it; its log says why")
            if answer:
                answer.put(reply)


def _refusal(sentence: str) -> dict[str, Any]:
    return {"error": sentence, "kind": "refused"}
