"""Which host trains a sweep, on a store that services of several hosts share.

The lock of `lease.py` holds on one machine. Between machines there is only the store: a service writes its token and a
time into a sweep's tags, and until that time the others leave the sweep alone.
"""

from __future__ import annotations

import time

from sweeps.service.events import now_ms
from tracking import schema
from tracking.store import sqlite_path
from tracking.writer import Writer

SWEEP_LEASE_SECONDS = 60.0  # how long a service of another host is believed alive after it was last heard of


class SweepLease:
    """The lease that this service has on the sweep that it trains.

    Args:
        uri: the store
        token: this service's name, which begins with its host
        writer: the service's
    """

    def __init__(self, uri: str, token: str, writer: Writer) -> None:
        self._shared = sqlite_path(uri) is None
        self._token = token
        self._writer = writer
        self._next_renewal = 0.0

    def claim(self, sweep: str, tags: dict[str, str]) -> bool:
        """Whether this service may begin a queued sweep: on a shared store, only once its own claim is stored there."""
        if not self._shared:
            return True
        if int(tags.get(schema.LEASE, "0")) > now_ms():
            return tags.get(schema.OWNER) == self._token
        self.write(sweep)
        return False  # at the next look, the service that wrote last has it

    def renew(self, sweep: str) -> None:
        """Write the lease once more if a third of its time is over."""
        if time.monotonic() > self._next_renewal:
            self.write(sweep)

    def write(self, sweep: str) -> None:
        """Write into a sweep's tags that this service trains it, and until when that holds."""
        self._next_renewal = time.monotonic() + SWEEP_LEASE_SECONDS / 3
        until = now_ms() + int(SWEEP_LEASE_SECONDS * 1000)
        self._writer.set_tags(sweep, {schema.OWNER: self._token, schema.LEASE: str(until)})

    def held_elsewhere(self, tags: dict[str, str]) -> bool:
        """Whether a service of another host is alive and has the sweep with these tags."""
        here = _host(tags.get(schema.OWNER, "")) == _host(self._token)
        return not here and int(tags.get(schema.LEASE, "0")) > now_ms()


def _host(token: str) -> str:
    return token.split(":", 1)[0]
