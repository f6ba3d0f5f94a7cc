"""The command line: `sweepboard ...`, the same as `python -m sweeps ...`.

Results go to stdout, progress and faults to stderr; with `--json` stdout holds one JSON document and nothing else.
Exit codes: 0 done; 1 runs crashed, the sweep failed or was stopped, or the command could not be carried out; 2 bad
input. Nothing heavy is imported before a command needs it, so that `--help` answers at once, and no other package of
ours before the current directory is left (`sweeps.interpreter`).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys

from sweeps import interpreter
from sweeps.cli.parser import parser
from sweeps.cli.terminal import BAD_INPUT, DONE, NOT_DONE, answer, say


def _refuse(options: argparse.Namespace, error: BaseException, code: int) -> int:
    text = str(error) or type(error).__name__
    say(text)
    if options.json:
        answer(options, {"error": text}, text)
    return code


def main(arguments: list[str] | None = None) -> int:
    """Carry out a command line.

    Args:
        arguments: Its words; by default those of this process, which then imports nothing from the current directory.

    Returns:
        The exit code.
    """
    if arguments is None:
        interpreter.leave_current_directory()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    options = parser().parse_args(arguments)
    options.json = getattr(options, "json", False)
    try:
        code: int = options.act(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough. Python would complain of it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        return 130
    except ValueError as error:  # SpecError, StoreError and our own: sentences for the user
        return _refuse(options, error, BAD_INPUT)
    except Exception as error:
        if os.environ.get("SWEEPBOARD_DEBUG"):
            raise
        expected = isinstance(error, RuntimeError | OSError)
        named = error if expected else RuntimeError(f"{type(error).__name__}: {error}")
        return _refuse(options, named, NOT_DONE)


if __name__ == "__main__":
    sys.exit(main())
