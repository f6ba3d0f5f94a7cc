"""Named moments at which a process kills itself, so that a test hits a moment that lasts a millisecond.

The environment variable SWEEPBOARD_KILL_POINTS names a folder. While a file in it has the name of a moment, the process
that reaches this moment removes the file and dies by SIGKILL, as if the machine had failed. The file's text holds a
number for the file itself, the count at which the moment acts, the signal, and for how many processes it is: "metrics
taken" with the text `0 3 KILL 1` lets two records through, `1 1 STOP 1` stops the process until it gets SIGCONT. A file
with another number starts its count at zero. Without the variable no file is looked for. Only tests set it.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Final

KILL_POINTS: Final = {
    "run given out": "the service has given a run to a worker, and has written nothing of it",
    "run created": "the store has the run, and the service has not heard its id",
    "metrics taken": "the service has a record of metrics, and has not written it",
    "inside a transaction": "the service has changed the store's file, and has not committed it",
    "inside a rename": "the service has copied an artifact, and it does not have its name yet",
    "before a status": "the outcome of a run or the state of a sweep is stored, and MLflow's own status is not",
    "all runs ended": "the last run of a sweep has ended, and the sweep's state does not say so",
    "worker: metrics sent": "a worker has sent a record of metrics",
    "worker: progress sent": "a worker has said how far it is with a landscape",
    "worker: resume file": "a worker has saved what a run needs to go on, and the file does not have its name yet",
    "worker: result": "a worker has done its job, and has not sent the result",
}
"""Moment -> what has happened by then, and what has not."""

FOLDER: Final = os.environ.get("SWEEPBOARD_KILL_POINTS")
_reached: Counter[str] = Counter()


def reached(moment: str) -> None:
    """Die or stop here, if a test wants this process to."""
    if FOLDER is None:
        return
    file = Path(FOLDER, moment)
    try:
        number, count, name, processes = file.read_text().split()
        _reached[number] += 1
        if _reached[number] < int(count):
            return
        if processes == "1":
            file.unlink()
        else:
            file.write_text(f"{number} {count} {name} {int(processes) - 1}")
    except FileNotFoundError:  # nobody is to die here, or another process has just died for it
        return
    _reached[number] = 0
    os.kill(os.getpid(), signal.Signals[f"SIG{name}"])
