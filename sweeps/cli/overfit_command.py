"""The command `overfit`: have the models of a sweep learn ten examples by heart, and say what came of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from sweeps.cli.terminal import BAD_INPUT, DONE, NOT_DONE, answer, read_text, say, store_client

if TYPE_CHECKING:
    from sweeps.client import Client

WAIT_SECONDS: Final = 2.0
"""Between two remarks about how far it is."""


def overfit(options: argparse.Namespace) -> int:
    """Say of each model of a YAML file whether it can learn ten examples by heart, or what is broken."""
    from sweeps.preflight import overfit_ten

    text, client = read_text(options.spec), store_client(options)
    report = _ask(client, text) if client.status().alive else overfit_ten.overfit_here(text, _remark())
    for problem in report["problems"]:
        say(problem)
    if report["problems"]:
        if options.json:
            answer(options, report, "")
        return BAD_INPUT
    answer(options, report, overfit_ten.as_text(report))
    return DONE if all(result["reached"] for result in report["results"]) else NOT_DONE


def _ask(client: Client, text: str) -> dict[str, Any]:
    remark, act = _remark(), "again"
    try:
        while (report := client.overfit(text, act, wait=WAIT_SECONDS))["pending"]:
            act = "ask"
            remark(report["doing"])
    except KeyboardInterrupt:
        client.overfit(text, "stop", wait=WAIT_SECONDS)
        raise
    return report


def _remark() -> Any:
    """Prints what is being done, once where it does not change."""
    last = ""

    def remark(doing: str) -> None:
        nonlocal last
        if doing != last:
            say(f"  {doing}")
        last = doing

    return remark
