"""The local socket between the service and its clients: one JSON request, one JSON reply.

The socket lies in a folder that only its user can enter, and both sides prove that they know a key from that folder.
Messages are JSON, never pickle.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener, answer_challenge, deliver_challenge
from pathlib import Path
from typing import Any

from sweeps.service.lease import Hold, read_lease
from tracking.store import StoreError

MAX_BYTES = 16 * 1024 * 1024


class NoService(ConnectionError):
    """No service answers on the socket."""


class NoAnswer(NoService):
    """The service has taken a request and has not answered: it may have done it, or do it later."""


class Server:
    """Answers requests, each in a separate thread, until closed.

    Args:
        hold: of the store, with the address of the socket and its key
        handle: request -> reply, called from several threads at once
    """

    def __init__(self, hold: Hold, handle: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._hold = hold
        self._handle = handle
        self._listener = Listener(hold.address, family="AF_UNIX", backlog=64)
        Path(hold.address).chmod(0o600)
        threading.Thread(target=self._accept, daemon=True, name="socket").start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True, name="client").start()

    def _serve(self, connection: Connection) -> None:
        with connection, contextlib.suppress(EOFError, OSError, AuthenticationError):
            # Here and not in accept(): a client that never answers the challenge must not keep the others waiting.
            deliver_challenge(connection, self._hold.authkey)
            answer_challenge(connection, self._hold.authkey)
            try:
                request = json.loads(connection.recv_bytes(MAX_BYTES))
                reply = self._handle(request)
            except StoreError as error:
                reply = {"error": str(error), "kind": "refused"}
            except ValueError as error:
                reply = {"error": str(error), "kind": "bad input"}
            connection.send_bytes(json.dumps(reply).encode())


def request(folder: Path, content: dict[str, Any], timeout: float = 30.0) -> dict[str, Any]:
    """Send one request to the service of a state folder and return its reply.

    Raises:
        NoAnswer: the service took the request, and has not answered it within `timeout` seconds
        NoService: no service answers there
    """
    sent = False
    lease = read_lease(folder)
    if lease is None or lease.stale:
        raise NoService("no service runs")
    try:
        authkey = (folder / "authkey").read_bytes()
        with Client(lease.address, family="AF_UNIX") as connection:
            if not connection.poll(timeout):
                raise NoService("the service does not answer")
            answer_challenge(connection, authkey)
            deliver_challenge(connection, authkey)
            connection.send_bytes(json.dumps(content).encode())
            sent = True
            if not connection.poll(timeout):
                raise NoAnswer("the service does not answer")
            reply: dict[str, Any] = json.loads(connection.recv_bytes(MAX_BYTES))
            return reply
    except NoService:
        raise
    except (OSError, EOFError, AuthenticationError) as error:
        if sent:
            raise NoAnswer("the service broke off before it answered") from error
        raise NoService(f"the service cannot be reached: {error}") from error
