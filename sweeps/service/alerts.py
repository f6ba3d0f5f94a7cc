"""Tells the world outside of a sweep that has finished, failed or begun to diverge.

A command gets the event as JSON on its standard input, and as `SWEEPBOARD_ALERT_EVENT`, `SWEEPBOARD_ALERT_SWEEP`, ...
in its environment; a webhook gets the same JSON by POST. Both are named in the settings file and nowhere else. They run
in threads of their own: a slow or failing one keeps nobody waiting, and its failure is one sentence.
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


def diverging(diverged: int, ended: int) -> bool:
    """Whether a sweep is worth an alarm: three runs or more have diverged, and they are half of those that ended."""
    return diverged >= FEWEST_DIVERGED and 2 * diverged >= ended


class Alerts:
    """Whom to tell.

    Args:
        alerts: A command, a webhook, both or none, and of what they are told; or a function that says so now.
        on_failure: Gets one sentence if one of them could not be told; called from another thread.
    """

    def __init__(
        self,
        alerts: AlertSettings | Callable[[], AlertSettings],
        on_failure: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._alerts = alerts
        self._on_failure = on_failure

    def tell(self, event: Mapping[str, Any]) -> list[threading.Thread]:
        """Tell of an event, if the settings ask for it. Returns at once.

        Args:
            event: What JSON can hold. `event` is finished, failed or diverging; `sweep`, `name` and `text` say of what.

        Returns:
            The threads that do it.
        """
        alerts = self._alerts() if callable(self._alerts) else self._alerts
        if event["event"] not in alerts.on:
            return []
        told = dict(event)
        started = []
        for how, there in ((_call, bool(alerts.command)), (_post, alerts.webhook is not None)):
            if there:
                started.append(threading.Thread(target=self._try, args=(how, alerts, told), daemon=True, name="alert"))
                started[-1].start()
        return started

    def _try(self, how: Callable[[AlertSettings, dict[str, Any]], str], *about: Any) -> None:
        problem = how(*about)
        if problem:
            self._on_failure(problem)


def _call(alerts: AlertSettings, event: dict[str, Any]) -> str:
    """Run the command; what went wrong, or ""."""
    program = alerts.command[0]
    words = {f"SWEEPBOARD_ALERT_{key.upper()}": str(value).replace("\0", "") for key, value in event.items()}
    try:
        done = subprocess.run(
            alerts.command,
            input=as_json(event).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **words},
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"The alert's command {program} took longer than {COMMAND_SECONDS:.0f} seconds and was ended."
    except OSError as error:
        return f"The alert's command {program} could not be started: {error.strerror}."
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())[:200]
        return f"The alert's command {program} failed with exit code {done.returncode}{f': {said}' if said else '.'}"
    return ""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What the settings name is told, and nobody whom its answer names."""

    def redirect_request(self, *args: Any) -> None:
        return None


def _post(alerts: AlertSettings, event: dict[str, Any]) -> str:
    """Send it to the webhook; what went wrong, or ""."""
    assert alerts.webhook is not None
    request = urllib.request.Request(
        alerts.webhook,
        data=as_json(event).encode(),
        headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "sweepboard"},
        method="POST",
    )
    shown = re.match(r"\w+://[^/?#]*", scrub(alerts.webhook))  # what follows the host is often a secret
    where = f"The alert's webhook at {shown[0] if shown else 'its address'}"
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=WEBHOOK_SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        return f"{where} answered {error.code} {error.reason}."
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        return f"{where} could not be told: {reason}."
