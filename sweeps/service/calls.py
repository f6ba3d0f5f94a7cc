"""Calls that other threads ask the service's loop to make: it makes them in its own thread, one after the other."""

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

Reply = dict[str, Any]
"""What a client gets: what it asked for, or `error` and `kind` as `refusal` makes them."""


def refusal(sentence: str) -> Reply:
    """The reply to what cannot be done."""
    return {"error": sentence, "kind": "refused"}


_ReplyQueue = queue.SimpleQueue[Reply]


class Calls:
    """The calls that wait for the loop.

    The loop waits on `woken`, together with its other sources, and makes the calls with `make`. All other methods may
    be used from any thread.
    """

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[Callable[[], None], _ReplyQueue | None]] = queue.SimpleQueue()
        self.woken, self._wake_in = os.pipe()
        """A file descriptor that can be read from the moment the loop is woken until it has made the calls."""
        os.set_blocking(self.woken, False)

    def wake(self) -> None:
        """Have the loop begin its next turn now."""
        with contextlib.suppress(OSError):
            os.write(self._wake_in, b".")

    def call(self, function: Callable[[], None], replies: _ReplyQueue | None = None) -> None:
        """Have the loop call a function, and put the reply into `replies`."""
        self._waiting.put((function, replies))
        self.wake()

    def ask(self, function: Callable[[], None], timeout: float = PATIENCE_SECONDS) -> Reply:
        """Have the loop call a function and wait until it has.

        Args:
            function: raises `Refused` if it cannot be done
            timeout: seconds after which the call is taken back if it has not begun

        Returns:
            an empty reply, or the refusal
        """
        replies: _ReplyQueue = queue.SimpleQueue()
        turn = threading.Lock()  # taken once: by the loop when it begins the call, or by the client when it gives up

        def begin() -> None:
            if turn.acquire(blocking=False):
                function()

        self.call(begin, replies)
        with contextlib.suppress(queue.Empty):
            return replies.get(timeout=timeout)
        if turn.acquire(blocking=False):
            return refusal("the service is busy; try again")
        return replies.get()

    def make(self) -> None:
        """Make all calls that wait. Called in the loop only."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.woken, 65536)
        while not self._waiting.empty():
            function, replies = self._waiting.get()
            reply: Reply = {}
            try:
                function()
            except (Refused, StoreError) as refused:
                reply = refusal(str(refused))
            except Exception:
                log.exception("a call failed")
                reply = refusal("the service could not do it; its log says why")
            if replies:
                replies.put(reply)
