"""Who owns a store on this machine: one service at a time, by a lock file and a lease.

The lock is a `flock` that the kernel drops when the holder dies. The lease says who holds it and until when: a holder
that was stopped (SIGSTOP, a debugger) keeps its lock while its lease runs out; the next process that wants the store
kills it first. All of this lies in a private folder of the user, one per store.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

DURATION = 10.0  # seconds that a lease lasts
RENEWAL = 2.0  # seconds between renewals
PROBLEM_FILE = "problem"  # why the last service could not start, in a sentence


@dataclass(frozen=True)
class Lease:
    """What the holder of a store reports of itself. `started` and `expires` are in seconds since the epoch."""

    pid: int
    born: str
    token: str
    address: str
    started: float
    expires: float

    @property
    def stale(self) -> bool:
        """Whether it has run out."""
        return time.time() > self.expires


def born(pid: int) -> str:
    """When a process was started, in the system's notation; "" if it is gone. With its pid it names one process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return ""
    return subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()


def read_lease(folder: Path) -> Lease | None:
    """The lease in a state folder; None if there is none."""
    try:
        return Lease(**json.loads((folder / "lease.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def evict(folder: Path) -> bool:
    """Kill the holder if its lease has run out; True if it was killed."""
    lease = read_lease(folder)
    if lease is None or not lease.stale or not lease.born or born(lease.pid) != lease.born:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(lease.pid, signal.SIGKILL)
    return True


class Hold:
    """The lock of a store, held for as long as this process lives, with a lease that a thread renews.

    Raises:
        BlockingIOError: another process holds it
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = open(folder / "lock", "a")  # noqa: SIM115 - closing it would drop the lock
        for attempt in range(20):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:  # perhaps only for a moment, by `locked`
                if attempt == 19:
                    self._file.close()
                    raise
                time.sleep(0.05)
        self.token = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(6)}"
        self._started = time.time()
        self._ending = threading.Event()
        self.address = str(folder / "socket")
        if len(self.address.encode()) > 100:  # the system's limit for a socket's path is 104 to 108
            self.address = str(Path(tempfile.mkdtemp(prefix="sweepboard-")) / "socket")
        Path(self.address).unlink(missing_ok=True)
        self.authkey = secrets.token_bytes(32)
        self._write("authkey", self.authkey)
        self._renew()
        threading.Thread(target=self._keep, daemon=True, name="lease").start()

    def release(self) -> None:
        """Give up the lock and the lease."""
        self._ending.set()
        Path(self.address).unlink(missing_ok=True)
        (self.folder / "lease.json").unlink(missing_ok=True)
        self._file.close()

    def _keep(self) -> None:
        while not self._ending.wait(RENEWAL):
            with contextlib.suppress(OSError):  # a full disk must not end the service
                self._renew()

    def _renew(self) -> None:
        now = time.time()
        lease = Lease(os.getpid(), born(os.getpid()), self.token, self.address, self._started, now + DURATION)
        self._write("lease.json", json.dumps(asdict(lease)).encode())

    def _write(self, name: str, content: bytes) -> None:
        path = self.folder / f"{name}.{os.getpid()}"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        path.replace(self.folder / name)


def locked(folder: Path) -> bool:
    """Whether a process holds the lock of a state folder."""
    with open(folder / "lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
