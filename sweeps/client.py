"""What the app and the CLI call to launch a sweep, to give it commands and to ask for the state of the service.

Requests go to the service over its socket; it is started when it does not run. Where there is no socket (a machine
without Unix sockets, a folder that cannot be used) launches and commands go through the store itself, and the service
that owns the store obeys them within a second or two. Imports neither torch nor mlflow.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps import interpreter, state_folder
from sweeps.catalogue import user_models
from sweeps.service import lease
from sweeps.service.channel import NoAnswer, NoService, request
from sweeps.settings import environment
from sweeps.spec import SpecError, parse
from tracking import schema
from tracking.store import default_uri

_spawned: list[subprocess.Popen[bytes]] = []  # kept: ended ones are reaped, and running ones cause no warning

START_SECONDS = 120.0  # a cold start takes about ten seconds on two cores, much longer on a busy machine


class CommandError(RuntimeError):
    """A command was refused or could not be given; the message is a sentence for the user."""


@dataclass(frozen=True)
class ServiceStatus:
    """The state of the service of a store."""

    alive: bool
    starting: bool = False
    pid: int | None = None
    started: float | None = None
    """Seconds since the epoch."""
    problem: str | None = None
    """What keeps the service from its work, in a sentence."""
    active: tuple[str, ...] = ()
    """The ids of the sweeps that are being trained."""
    workers: int = 0


class Client:
    """Talks to the service of one store.

    Args:
        uri: an MLflow tracking URI; by default `MLFLOW_TRACKING_URI`, else mlflow.db at the repository root
    """

    def __init__(self, uri: str | None = None) -> None:
        self.uri = uri or default_uri()

    def status(self) -> ServiceStatus:
        """The state of the service. Returns within about a second, whatever that state is."""
        try:
            folder = state_folder.state_folder(self.uri)
            reply = request(folder, {"action": "status"}, timeout=1.0)
        except NoService:
            return ServiceStatus(alive=False, starting=lease.locked(folder), problem=_start_problem(folder))
        except (OSError, state_folder.StateFolderError) as error:
            return ServiceStatus(alive=False, problem=str(error))
        return ServiceStatus(
            alive=True,
            pid=reply["pid"],
            started=reply["started"],
            problem=reply["problem"],
            active=tuple(reply["active"]),
            workers=reply["workers"],
        )

    def start_service(self, wait: float = 0.0) -> bool:
        """Start the service if it does not run, and kill one that hangs; True if it answers within `wait` seconds."""
        try:
            folder = state_folder.state_folder(self.uri)
        except (OSError, state_folder.StateFolderError):
            return False
        end = time.monotonic() + wait
        process = None
        while True:
            try:
                request(folder, {"action": "status"}, timeout=1.0)
                return True
            except NoService:
                pass
            if lease.locked(folder):
                lease.evict(folder)
            elif process is None:
                process = self._spawn(folder)
            elif process.poll() is not None:
                return False  # it ended by itself: its log says why
            if time.monotonic() >= end:
                return False
            time.sleep(0.1)

    def launch(self, text: str) -> str:
        """Store a sweep, queued.

        Args:
            text: the spec in YAML

        Returns:
            the sweep's id

        Raises:
            SpecError: the spec is refused
            CommandError: the store cannot be written, or it is not known whether the sweep was stored
        """
        spec = parse(text)
        try:
            content = {"action": "launch", "spec": text, "modules": user_models.paths()}
            return str(self._request(content, timeout=120.0)["sweep"])
        except NoAnswer as error:  # if it were stored here too, it would be trained twice
            raise CommandError(f"launch: {error}; the sweep is launched once it stands among the sweeps") from error
        except NoService:
            from sweeps.service.launching import store_sweep

            return store_sweep(self.uri, spec)

    def check(self, text: str, wait: float | None = None) -> dict[str, Any]:
        """What is wrong with a sweep, how long it will take and what it needs.

        Args:
            text: the spec in YAML
            wait: seconds after which a running service replies with what it knows; by default, the service is started
                and the complete reply awaited

        Returns:
            the answer of `sweeps.preflight.check.Checker.check`

        Raises:
            NoService: no service runs
        """
        content = {"action": "check", "spec": text, "modules": _accepted_with(text)}
        if wait is not None:
            return request(state_folder.state_folder(self.uri), {**content, "wait": wait}, timeout=wait + 0.2)
        while (reply := self._request({**content, "wait": 20.0}))["pending"]:
            continue
        return reply

    def overfit(self, text: str, act: str = "ask", wait: float = 0.0) -> dict[str, Any]:
        """Whether the models of a sweep can learn ten examples by heart, as far as a running service knows by now.

        Args:
            text: the spec in YAML
            act: ask, to begin unless it is known or under way; again, to begin anew; stop, to give it up
            wait: seconds after which the service replies with what it knows

        Returns:
            the answer of `sweeps.preflight.overfit_ten.OverfitTests.answer`

        Raises:
            NoService: no service runs
        """
        content = {"action": "overfit", "spec": text, "modules": _accepted_with(text), "act": act, "wait": wait}
        return _accepted(request(state_folder.state_folder(self.uri), content, timeout=2 * wait + 0.2))

    def pause(self, sweep: str) -> str | None:
        """Let the running runs finish, and start no others. Returns a warning or None, as every command does.

        Raises:
            CommandError: the sweep is not in a state for it
        """
        return self._command("pause", sweep)

    def resume(self, sweep: str) -> str | None:
        """Go on with a paused or stopped sweep; runs that stopping ended are trained again."""
        return self._command("resume", sweep)

    def stop(self, sweep: str) -> str | None:
        """End the running runs now and start no others; what they measured is kept."""
        return self._command("stop", sweep)

    def retry(self, sweep: str) -> str | None:
        """Train the crashed runs again."""
        return self._command("retry", sweep)

    def extend(self, sweep: str, trials: int = 0, seeds: int = 0) -> str | None:
        """Add trials, or seeds to each trial; a finished sweep is queued again. Winners are chosen anew."""
        return self._command("extend", sweep, {"trials": trials, "seeds": seeds})

    def change(self, sweep: str, workers: int | None = None, pruner: str | None = None) -> str | None:
        """Give the sweep another number of workers, or another pruner."""
        return self._command("change", sweep, {"workers": workers, "pruner": pruner})

    def stop_run(self, run_id: str) -> str | None:
        """End one run now; the sweep goes on, and does not train that run again."""
        return self._command("stop_run", run_id)

    def edit(
        self, runs: Sequence[str], tags: Mapping[str, str] | None = None, removed: Sequence[str] = ()
    ) -> str | None:
        """Set and remove tags of any runs of the store; `mlflow.runName` and `mlflow.note.content` are name and note.

        Raises:
            CommandError: a tag is not the user's to change
        """
        return self._edit({"runs": list(runs), "tags": dict(tags or {}), "removed": list(removed)})

    def edit_experiment(self, experiment: str, tags: Mapping[str, str]) -> str | None:
        """Set tags of an experiment.

        Raises:
            CommandError: a tag is not the user's to change, or there is no such experiment
        """
        return self._edit({"runs": [], "experiment": experiment, "tags": dict(tags)})

    def delete(self, runs: Sequence[str]) -> str | None:
        """Hide runs, and sweeps with their runs, as deleted runs of MLflow; `restore` brings them back."""
        return self._edit({"runs": list(runs), "change": "delete"})

    def restore(self, runs: Sequence[str]) -> str | None:
        """Bring deleted runs back, and sweeps with their runs."""
        return self._edit({"runs": list(runs), "change": "restore"})

    def clean(self, sweep: str, what: str) -> int:
        """Delete files of a sweep's runs for good, deleted runs included; their metrics stay.

        Args:
            sweep: one that is not being trained
            what: "weights", or "artifacts" for all files

        Returns:
            how many bytes that freed

        Raises:
            CommandError: the sweep is being trained, or the service does not answer
        """
        try:
            return int(self._request({"action": "clean", "sweep": sweep, "what": what}, timeout=300.0)["freed"])
        except NoService as error:
            raise CommandError(f"the service deletes files, and {error}") from error

    def landscape(self, run: str, act: str = "ask", wait: float | None = None) -> dict[str, Any]:
        """How far the loss landscape of a run is, which a worker computes. Call it again until it is cached or failed.

        Args:
            run: its id
            act: ask, to have it computed unless it is stored or has failed; look, to begin nothing; again, to have it
                computed anew; stop, to give it up
            wait: seconds in which a running service must reply; by default, the service is started

        Returns:
            state: none, queued, computing, storing, cached (stored with the run) or failed; doing, share: what is being
            done and the share of it that is done; problem: why it failed, in a sentence

        Raises:
            CommandError: the run has no landscape, or the service does not answer
            NoService: with `wait`, no service runs
        """
        content = {"action": "landscape", "run": run, "act": act}
        if wait is not None:
            return _accepted(request(state_folder.state_folder(self.uri), content, timeout=wait))
        try:
            return self._request(content)
        except NoService as error:
            raise CommandError(f"landscape: a worker of the service computes it, and {error}") from error

    def mlflow_ui(self) -> tuple[str, bool]:
        """Start MLflow's own UI if need be.

        Returns:
            (its URL, whether it answers yet)
        """
        try:
            reply = self._request({"action": "mlflow_ui"})
        except NoService as error:
            raise CommandError(f"MLflow's UI is started by the service, and {error}") from error
        return str(reply["url"]), bool(reply["ready"])

    def shutdown(self) -> None:
        """End the service; its running runs are trained again when it is back."""
        try:
            request(state_folder.state_folder(self.uri), {"action": "shutdown"})
        except NoService:
            return

    def _command(self, action: str, target: str, arguments: Mapping[str, Any] | None = None) -> str | None:
        extra = {"arguments": dict(arguments)} if arguments else {}
        try:
            reply = self._request({"action": action, "target": target, "id": uuid.uuid4().hex, **extra})
        except NoService as error:
            if action == "extend" and isinstance(error, NoAnswer):  # obeyed twice, it would add twice as much
                raise CommandError(f"extend: {error}; its events say whether the sweep was extended") from error
            self._leave_command(action, target, extra)
            return "the service does not answer; the command waits in the store until one does"
        return reply.get("warning")

    def _edit(self, content: dict[str, Any]) -> str | None:
        try:
            return self._request({"action": "edit", **content}).get("warning")
        except NoService as error:
            raise CommandError(f"the service writes what is edited, and {error}") from error

    def _request(self, content: dict[str, Any], timeout: float = 30.0) -> dict[str, Any]:
        try:
            folder = state_folder.state_folder(self.uri)
        except (OSError, state_folder.StateFolderError) as error:
            raise NoService(str(error)) from error
        if not self.start_service(wait=START_SECONDS):
            raise NoService(_start_problem(folder) or "the service did not start")
        return _accepted(request(folder, content, timeout))

    def _leave_command(self, action: str, target: str, extra: Mapping[str, Any]) -> None:
        """Write a command into the store, for the service that owns it."""
        from tracking.reader import open_reader
        from tracking.writer import Writer

        sweep, command = target, {"action": action, "at": int(time.time() * 1000), **extra}
        if action == "stop_run":
            tags = open_reader(self.uri).tags([target])
            sweeps = tags.loc[tags["key"] == schema.SWEEP, "value"]
            if sweeps.empty:
                raise CommandError(f"there is no run {target!r} in this store")
            sweep, command["run"] = str(sweeps.iloc[0]), target
        writer = Writer(self.uri, lambda *_: None, lambda *_: None)
        writer.start()
        writer.set_tags(sweep, {f"{schema.COMMAND}{uuid.uuid4().hex}": json.dumps(command)})
        if not writer.close(20):
            raise CommandError(f"{action}: {writer.problem or 'the store did not answer'}")

    def _spawn(self, folder: Path) -> subprocess.Popen[bytes]:
        _spawned[:] = [process for process in _spawned if process.poll() is None]
        path = folder / "service.log"
        if path.exists() and path.stat().st_size > 5_000_000:
            path.replace(folder / "service.log.1")
        with open(path, "ab") as log:
            process = subprocess.Popen(
                interpreter.command("sweeps", "service", "--foreground"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
                # In the environment and not among the arguments, where every user of the machine could read it.
                env={
                    **os.environ,
                    **environment(),
                    "MLFLOW_TRACKING_URI": self.uri,
                    "SWEEPBOARD_STATE": str(folder.parent.absolute()),
                },
            )
        _spawned.append(process)
        return process


def _accepted_with(text: str) -> list[str] | None:
    """The paths of the user modules that this process reads, if it accepts a sweep with them."""
    try:
        parse(text)
    except SpecError:
        return None
    return user_models.paths()


def _accepted(reply: dict[str, Any]) -> dict[str, Any]:
    """The service's reply; raises if it is a refusal."""
    if "error" in reply:
        raise SpecError(reply["error"]) if reply["kind"] == "bad input" else CommandError(reply["error"])
    return reply


def _start_problem(folder: Path) -> str | None:
    """Why the service could not start, if it left a sentence that says so."""
    try:
        return (folder / lease.PROBLEM_FILE).read_text() or None
    except FileNotFoundError:
        return None
