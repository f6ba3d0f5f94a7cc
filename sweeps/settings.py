"""What the user sets for the whole program: where their modules and data lie, and whom to alert.

It stands in a TOML file: the one that `SWEEPBOARD_SETTINGS` names, else `sweepboard.toml` at the repository's root if
there is one. None of it is ever typed into a page. Paths in the file are relative to the file.

    modules = ["my_models"]            # files, packages, or folders of them
    data = "my_data"                   # the only folder that data files are read from
    [alerts]
    command = ["notify-send", "Sweepboard"]
    webhook = "https://chat.example/hooks/sweeps"
    on = ["finished", "failed", "diverging"]

`SWEEPBOARD_MODULES` (paths divided by the system's path separator) and `SWEEPBOARD_DATA` win over the file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sweeps.fields import SpecError, collect, refusal, unknown

FILE: Final = Path(__file__).resolve().parent.parent / "sweepboard.toml"
SETTINGS: Final = "SWEEPBOARD_SETTINGS"
MODULES: Final = "SWEEPBOARD_MODULES"
DATA: Final = "SWEEPBOARD_DATA"
MOMENTS: Final = ("finished", "failed", "diverging")
"""What can happen to a sweep that the user may want to be alerted of."""


@dataclass(frozen=True)
class AlertSettings:
    """Whom to alert of which moments of a sweep."""

    command: tuple[str, ...] = ()
    """A program and its arguments; none if empty."""
    webhook: str | None = None
    """An address that takes JSON by POST."""
    on: tuple[str, ...] = MOMENTS


@dataclass(frozen=True)
class Settings:
    """All settings, with absolute paths."""

    modules: tuple[Path, ...] = ()
    data: Path | None = None
    alerts: AlertSettings = field(default_factory=AlertSettings)
    problems: tuple[str, ...] = ()
    """One sentence for each fault of the file; the setting concerned is left at its default."""


def settings() -> Settings:
    """The settings as they are now; never raises."""
    named = os.environ.get(SETTINGS)
    file = FILE if named is None else Path(named).expanduser() if named else None
    return _read(file, _stamp(file), named is not None, os.environ.get(MODULES), os.environ.get(DATA))


def environment() -> dict[str, str]:
    """The environment variables with which a process that starts in another folder has the same settings."""
    current = settings()
    variables = {DATA: str(current.data)} if current.data is not None else {}
    if os.environ.get(MODULES) is not None:
        variables[MODULES] = os.pathsep.join(map(str, current.modules))
    if os.environ.get(SETTINGS):
        variables[SETTINGS] = str(_absolute(Path(), os.environ[SETTINGS]))
    return variables


def _stamp(file: Path | None) -> tuple[int, int] | None:
    """(time of the last change, size) of the file; None if it is not there."""
    if file is None:
        return None
    try:
        info = os.stat(file)
    except OSError:
        return None
    return info.st_mtime_ns, info.st_size


def _absolute(folder: Path, text: str) -> Path:
    return Path(os.path.abspath(folder / Path(text).expanduser()))


@lru_cache(maxsize=8)
def _read(
    file: Path | None, stamp: tuple[int, int] | None, must_exist: bool, modules: str | None, data: str | None
) -> Settings:
    problems: list[str] = []
    written: dict[str, Any] = {}
    if stamp is not None:
        assert file is not None
        try:
            written = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            problems.append(f"{file}: it cannot be read as TOML: {' '.join(str(error).split())}.")
    elif must_exist and file is not None:
        problems.append(f"{SETTINGS}: {file} is not there; allowed: the path of a TOML file.")
    faults: list[str] = []
    reader = _Reader(written, faults)
    folder = file.parent if file is not None else Path()
    texts = reader.take("modules", _are_texts, "a list of paths in quotes", ())
    paths = tuple(_absolute(folder, text) for text in texts)
    root = reader.take("data", _is_text, "the path of a folder, in quotes", None)
    alerts = _alerts(reader, faults, folder)
    reader.refuse_the_rest("at the top")
    if modules is not None:
        paths = tuple(_absolute(Path(), text) for text in modules.split(os.pathsep) if text.strip())
    root = data or root
    return Settings(
        modules=paths,
        data=None if not root else _absolute(Path() if data else folder, root),
        alerts=alerts,
        problems=(*problems, *(f"{file}: {fault}" for fault in faults)),
    )


def _alerts(whole: _Reader, faults: list[str], folder: Path) -> AlertSettings:
    table = whole.take("alerts", lambda value: isinstance(value, dict), "a table: [alerts]", {})
    reader = _Reader(table, faults, "alerts.")
    command = list(reader.take("command", _are_texts, "a list of a program and its arguments, each in quotes", ()))
    if command and os.sep in command[0]:  # a path, and not the name of a program
        command[0] = str(_absolute(folder, command[0]))
    alerts = AlertSettings(
        command=tuple(command),
        webhook=reader.take("webhook", _is_address, "an address that begins with http:// or https://", None),
        on=tuple(reader.take("on", _are_moments, f"a list of {', '.join(MOMENTS)}", MOMENTS)),
    )
    reader.refuse_the_rest("under alerts")
    return alerts


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(_is_text(item) for item in value)


def _is_address(value: Any) -> bool:
    try:
        return isinstance(value, str) and urlsplit(value).scheme in ("http", "https") and bool(urlsplit(value).hostname)
    except ValueError:
        return False


def _are_moments(value: Any) -> bool:
    return isinstance(value, list) and all(item in MOMENTS for item in value)


class _Reader:
    """Takes the known keys out of a table, and gathers a sentence for each fault."""

    def __init__(self, table: Mapping[str, Any], faults: list[str], prefix: str = "") -> None:
        self._table, self._faults, self._prefix = table, faults, prefix
        self._known: list[str] = []

    def take(self, key: str, fits: Callable[[Any], bool], allowed: str, default: Any) -> Any:
        """The value of a key; the default if it is not there or does not fit."""
        self._known.append(key)
        value = self._table.get(key, default)
        if value is default or fits(value):
            return value
        self._add(refusal(f"{self._prefix}{key}", value, allowed))
        return default

    def refuse_the_rest(self, where: str) -> None:
        """Gather a sentence for each key that was never taken."""
        for key in self._table:
            if key not in self._known:
                names = [f"{self._prefix}{name}" for name in self._known]
                self._add(unknown(f"{self._prefix}{key}", self._table[key], names, where))

    def _add(self, error: SpecError) -> None:
        with collect(self._faults):
            raise error
