"""What all commands share: exit codes, the store and its client, reading input, printing answers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sweeps.client import Client

DONE: Final = 0
NOT_DONE: Final = 1
BAD_INPUT: Final = 2


class BadInput(ValueError):
    """What was asked for does not exist or cannot be read; the message is a sentence for the user."""


def store_uri(options: argparse.Namespace) -> str:
    """The address of the store that the command line names, else the default one."""
    from tracking.store import default_uri

    return str(getattr(options, "tracking_uri", None) or default_uri())


def store_client(options: argparse.Namespace) -> Client:
    """The client of the service of that store."""
    from sweeps.client import Client

    return Client(store_uri(options))


def answer(options: argparse.Namespace, document: Any, text: str) -> None:
    """Print the result of a command on stdout: the document with `--json`, else the text."""
    from tracking.legible import as_json, legible

    print(as_json(document, indent=1) if options.json else legible(text))


def say(text: str) -> None:
    """Print a remark on stderr at once."""
    from tracking.legible import legible

    print(legible(text), file=sys.stderr, flush=True)


def read_text(path: str) -> str:
    """The text of a file, or of stdin for `-`.

    Raises:
        BadInput: It cannot be read, or is not UTF-8.
    """
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path}: it is not text in UTF-8.") from None
    except OSError as error:
        raise BadInput(f"{path}: it cannot be read ({error.strerror}); allowed: a YAML file, or - for stdin.") from None
