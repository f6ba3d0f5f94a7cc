"""Alerts the user, by a command or a webhook, to a sweep that has finished, failed or begun to diverge.

A command gets the event as JSON on its standard input, and as `SWEEPBOARD_ALERT_EVENT`, `SWEEPBOARD_ALERT_SWEEP`, ...
in its environment; a webhook gets the same JSON by POST. Both are named in the settings file and nowhere else. Each
runs in a separate thread: a slow or failing one delays nothing, and its failure is one sentence.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final

from sweeps.settings import AlertSettings
from tracking.legible import as_json
from tracking.store import scrub

COMMAND_SECONDS: Final = 60.0
WEBHOOK_SECONDS: Final = 10.0
FEWEST_DIVERGED: Final = 3
"""Fewer diverged runs than this may be chance."""


_Sender = Callable[[AlertSettings, dict[str, Any]], str]
"""(settings, event) -> what went wrong, in a sentence, or ""."""


def diverging(diverged: int, ended: int) -> bool:
    """Whether so many runs diverged that the user is alerted: at least three, and at least half of those that ended."""
    return diverged >= FEWEST_DIVERGED and 2 * diverged >= ended


class Alerts:
    """Sends events to the user's command and webhook.

    Args:
        alerts: the command, the webhook and the events that they are sent; or a function that returns them
        on_failure: called from another thread with one sentence if an event could not be sent
    """

    def __init__(
        self,
        alerts: AlertSettings | Callable[[], AlertSettings],
        on_failure: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._alerts = alerts
        self._on_failure = on_failure

    def send(self, event: Mapping[str, Any]) -> list[threading.Thread]:
        """Send an event, if the settings ask for it. Returns at once.

        Args:
            event: values that JSON can hold: `event` is finished, failed or diverging; `sweep` and `name` are those of
                the sweep, `text` is a sentence

        Returns:
            the threads that send it
        """
        alerts = self._alerts() if callable(self._alerts) else self._alerts
        if event["event"] not in alerts.on:
            return []
        senders: list[_Sender] = []
        if alerts.command:
            senders.append(_call)
        if alerts.webhook is not None:
            senders.append(_post)
        threads = [
            threading.Thread(target=self._send_with, args=(sender, alerts, dict(event)), daemon=True, name="alert")
            for sender in senders
        ]
        for thread in threads:
            thread.start()
        return threads

    def _send_with(self, sender: _Sender, alerts: AlertSettings, event: dict[str, Any]) -> None:
        problem = sender(alerts, event)
        if problem:
            self._on_failure(problem)


def _call(alerts: AlertSettings, event: dict[str, Any]) -> str:
    """Run the command with the event."""
    program = alerts.command[0]
    variables = {f"SWEEPBOARD_ALERT_{key.upper()}": str(value).replace("\0", "") for key, value in event.items()}
    try:
        process = subprocess.run(
            alerts.command,
            input=as_json(event).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **variables},
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"The alert's command {program} took longer than {COMMAND_SECONDS:.0f} seconds and was ended."
    except OSError as error:
        return f"The alert's command {program} could not be started: {error.strerror}."
    if process.returncode:
        message = " ".join(process.stderr.decode(errors="replace").split())[:200]
        ending = f": {message}" if message else "."
        return f"The alert's command {program} failed with exit code {process.returncode}{ending}"
    return ""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: events go to the address in the settings and to no other."""

    def redirect_request(self, *args: Any) -> None:
        return None


def _post(alerts: AlertSettings, event: dict[str, Any]) -> str:
    """Post the event to the webhook."""
    assert alerts.webhook is not None
    request = urllib.request.Request(
        alerts.webhook,
        data=as_json(event).encode(),
        headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "sweepboard"},
        method="POST",
    )
    host = re.match(r"\w+://[^/?#]*", scrub(alerts.webhook))  # what follows the host is often a secret
    where = f"The alert's webhook at {host[0] if host else 'its address'}"
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=WEBHOOK_SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        return f"{where} answered {error.code} {error.reason}."
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        return f"{where} could not be told: {reason}."
