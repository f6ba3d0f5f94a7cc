"""The models of the user modules, as the catalogue has them, without importing a line of them.

A separate process reads the modules (`sweeps.catalogue.read_user_models`). Its answers are kept in the state folder
under the hash of the sources, so that each state of them is read once. The files' times tell whether something changed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sweeps import interpreter
from sweeps.catalogue import entries as catalogue
from sweeps.catalogue import user_files as modules
from sweeps.catalogue.entries import Entry
from sweeps.fields import show
from sweeps.settings import DATA, MODULES, SETTINGS, settings
from sweeps.state_folder import StateFolderError, private_folder

PATIENCE: Final = 120.0
"""Seconds that the reading process gets from one module to the next; the first one waits for torch's import too."""
LOOK_AGAIN: Final = 0.5
"""Seconds between looks at the files' times."""
KEPT: Final = 20
"""Files of earlier states that are kept in the state folder."""
_READERS: Final = (
    "fields.py",
    "catalogue/entries.py",
    "catalogue/user_files.py",
    "catalogue/read_user_models.py",
    "catalogue/user_models.py",
)


@dataclass(frozen=True, eq=False)
class UserModels:
    """The models of the user modules."""

    entries: dict[str, Entry] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    """One sentence for each module or class that cannot be used."""


@dataclass
class _Latest:
    """The last look: at which settings, when, at which state of the files, and the models then."""

    variables: tuple[str | None, ...] = ()
    named: tuple[Path, ...] = ()
    at: float = -math.inf
    stamp: tuple[object, ...] = ()
    models: UserModels = field(default_factory=UserModels)


_latest = _Latest()
_reading = threading.Lock()
background = False
"""Set in a process that must not wait: a change is then read in the background, and the earlier models hold."""


def current() -> UserModels:
    """The models as they are now; waits for a change to be read, with `background` only the first time."""
    variables = os.environ.get(SETTINGS), os.environ.get(MODULES)
    if variables == _latest.variables and time.monotonic() - _latest.at < LOOK_AGAIN:
        return _latest.models
    if background and _latest.variables:
        if not _reading.locked():
            if _known():
                _look(variables)
            else:
                threading.Thread(target=_look, args=(variables,), daemon=True, name="modules").start()
        return _latest.models
    _look(variables)
    return _latest.models


def _look(variables: tuple[str | None, ...]) -> None:
    with _reading:
        named = settings().modules
        stamp = modules.stamp(named) if named else ()
        if named != _latest.named or stamp != _latest.stamp:
            _latest.models = _read(named) if named else UserModels()
        _latest.variables, _latest.named, _latest.stamp, _latest.at = variables, named, stamp, time.monotonic()


def _known() -> bool:
    """Whether a look takes no time: nothing has changed, or some process has read the change."""
    named = settings().modules
    if not pending():
        return True
    try:
        return (private_folder("modules") / f"{_key(modules.find(named)[0])}.json").exists()
    except (OSError, StateFolderError):
        return True


def pending() -> bool:
    """Whether `current` would have to wait: the modules have changed since they were last read."""
    named = settings().modules
    return bool(named) and (named != _latest.named or modules.stamp(named) != _latest.stamp)


def paths() -> list[str]:
    """The files and folders that user modules are read from, in their order."""
    return [str(path) for path in settings().modules]


def not_here(key: str, name: str) -> str:
    """The sentence that refuses a model which the launching process reads, but the service does not.

    Args:
        key: The dotted key that names the model.
        name: The model.
    """
    started = f"with the modules {', '.join(paths())}" if paths() else "without modules"
    return (
        f"{key}: {show(name)} is of modules that the service does not read, as it was started {started} ({MODULES}); "
        "end it with sweepboard service --stop, and what you do next starts it with yours."
    )


def problems() -> tuple[str, ...]:
    """One sentence for each fault of the settings file and of the user modules."""
    return (*settings().problems, *current().problems)


def _read(named: tuple[Path, ...]) -> UserModels:
    sources, missing = modules.find(named)
    try:
        folder = private_folder("modules")
        file = folder / f"{_key(sources)}.json"
        if not file.exists():
            _keep(file, _read_all(sources, folder))
        answers = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, StateFolderError, ValueError) as error:
        return UserModels(problems=(*missing, f"The modules could not be read: {error}."))
    entries, faults = _merged(answers)
    return UserModels(entries, (*missing, *faults))


def _key(sources: Iterable[modules.Source]) -> str:
    """The state of the modules, of what is installed, and of what reads them."""
    here = Path(__file__).parents[1]
    parts: list[Any] = [sys.version, modules.stamp(())]
    parts += [(here / name).read_text(encoding="utf-8") for name in _READERS]
    digests: dict[Path, str] = {}
    for source in sources:
        if source.named not in digests:
            digests[source.named] = modules.digest(source.named)
        parts.append((str(source.path), digests[source.named]))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _keep(file: Path, answers: list[dict[str, Any]]) -> None:
    part = file.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(answers, ensure_ascii=False), encoding="utf-8")
    part.replace(file)
    for old in sorted(file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)


def _merged(answers: Iterable[dict[str, Any]]) -> tuple[dict[str, Entry], list[str]]:
    """The entries of all modules by name, and a sentence for each fault; of two with one name the first stays."""
    entries: dict[str, Entry] = {}
    faults: list[str] = []
    for answer in answers:
        faults += answer["problems"]
        for name, stored in answer["entries"].items():
            entry = Entry.from_json(name, stored)
            if name in catalogue.ours().models:
                taken = "which is a model of Sweepboard's"
            elif name in entries:
                taken = f"which {entries[name].class_name} of {entries[name].source} has already"
            else:
                entries[name] = entry
                continue
            faults.append(f"{entry.source}: {entry.class_name} would be called {name}, {taken}; rename the class.")
    return entries, faults


def _read_all(sources: list[modules.Source], folder: Path) -> list[dict[str, Any]]:
    """The answer of the reading process for each module; it is started again after one that ends it or never ends."""
    answers: list[dict[str, Any]] = []
    while len(answers) < len(sources):
        rest = sources[len(answers) :]
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            file = Path(scratch) / "answers"
            file.touch()
            why = _run(rest, file)
            whole_lines, _, _ = file.read_text(encoding="utf-8").rpartition("\n")
            answers += [json.loads(line) for line in whole_lines.split("\n") if line]
        if why and len(answers) < len(sources):
            source = sources[len(answers)]
            answers.append({"entries": {}, "problems": [f"{source.path}: importing it {why}."]})
    return answers


def _run(sources: list[modules.Source], answers: Path) -> str:
    """Let a process read the modules, and return how it ended."""
    paths = [str(path) for source in sources for path in (source.path, source.named)]
    process = subprocess.Popen(
        interpreter.command("sweeps.catalogue.read_user_models", str(answers), *paths),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=answers.parent,
        env={**os.environ, SETTINGS: "", MODULES: "", DATA: str(settings().data or "")},
    )
    try:
        done, since = 0, time.monotonic()
        while process.poll() is None:
            time.sleep(0.02)
            size = answers.stat().st_size
            if size != done:
                done, since = size, time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                return f"took longer than {PATIENCE:.0f} seconds"
        code = process.returncode
        return f"ended its process (exit code {code})"
    finally:
        process.kill()
        process.wait()
