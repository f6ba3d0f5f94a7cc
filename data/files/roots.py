"""User files: where they may lie, how large they may be, and the sentences that refuse them.

They are read only below the data folder, which the environment variable `SWEEPBOARD_DATA` names: paths are written as
seen from there, and none leads out of it, neither by `..` nor by a link.
"""

import difflib
import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

ROOT = "SWEEPBOARD_DATA"
MOST_VALUES = 100_000_000
"""The most examples x inputs of a data set."""
MOST_LISTED = 5000
"""The most names of a folder among which the nearest one is looked for."""

Stamp = tuple[str, int, int]
"""Path, time of the last change in ns, and size: equal stamps mean that a file need not be read again."""


def quoted(value: object) -> str:
    """The value in quotes, on one line and short."""
    in_quotes = json.dumps(value, ensure_ascii=False, default=str)
    printable = "".join(character if character.isprintable() else " " for character in in_quotes)
    return printable if len(printable) <= 60 else f"{printable[:57]}..."


def listed(names: Iterable[str], most: int = 8) -> str:
    """The names divided by commas; only the first `most` of them if there are more."""
    texts = [" ".join(name.split()) if name.isprintable() else quoted(name) for name in names]
    return ", ".join([*texts[:most], *(["..."] if len(texts) > most else [])])


def refused(key: str, value: object, allowed: str, names: Iterable[str] = ()) -> ValueError:
    """The error that refuses an argument, with the nearest of the possible names."""
    folded = {name.lower(): name for name in names}
    near = difflib.get_close_matches(str(value).lower(), folded, n=1, cutoff=0.55)
    end = f"; did you mean {folded[near[0]]}?" if near else "."
    return ValueError(f"{key}: {quoted(value)} is not allowed; allowed: {allowed}{end}")


def root(key: str) -> Path:
    """The data folder, its links resolved.

    Args:
        key: The argument that needs it, for the sentence.

    Raises:
        ValueError: None is set, or it is no folder.
    """
    written = os.environ.get(ROOT, "")
    if not written:
        raise ValueError(
            f"{key}: no data folder is set; set {ROOT}, or data in the settings file, to the folder that holds your "
            "files, then start the service again."
        )
    try:
        folder = Path(written).expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        folder = None
    if folder is None or not folder.is_dir():
        raise ValueError(f"{key}: the data folder {quoted(written)} that {ROOT} names is no folder on this machine.")
    return folder


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry, _ in zip(entries, range(MOST_LISTED), strict=False))
    except OSError:
        return []


def _resolved(path: Path) -> Path | None:
    """The path with its links resolved; None where the system cannot follow it."""
    try:
        resolved = path.resolve()
        resolved.exists()
    except (OSError, RuntimeError, ValueError):  # too long, a loop of links, a null character
        return None
    return resolved


def find(key: str, written: str, *, folder: bool = False) -> Path:
    """The file (or folder) that an argument names, its links resolved.

    Raises:
        ValueError: The path is empty, absolute, leads out of the data folder, or is none of the wanted kind.
    """
    base, kind = root(key), "folder" if folder else "file"
    if not written.strip():
        raise ValueError(f"{key}: missing; allowed: the path of a {kind} in the data folder.")
    inside = f"a {kind} in the data folder, its path as seen from there"
    if Path(written).is_absolute() or written.startswith("~"):
        raise refused(key, written, inside)
    path = _resolved(base / written)
    if path is None:
        raise refused(key, written, inside)
    if not path.is_relative_to(base):
        raise refused(key, written, f"{inside}, that leads out of it neither by .. nor by a link")
    if not path.exists():
        above = path.parent if path.parent.is_dir() else base
        names = [name for name in _names(above) if not name.startswith(".")]
        where = "the data folder" if above == base else above.relative_to(base).as_posix()
        paths = [(above / name).relative_to(base).as_posix() for name in names]
        raise refused(key, written, f"what is in {where} ({listed(names) or 'nothing'})", paths)
    if folder and not path.is_dir():
        raise refused(key, written, "a folder, which this is not")
    if not folder and not path.is_file():
        raise refused(key, written, "a file, and this is a folder" if path.is_dir() else "a plain file")
    return path


def relative_name(path: Path) -> str:
    """The path of what lies in the data folder, as seen from there."""
    return path.relative_to(root("path")).as_posix()


def within(link: Path) -> Path:
    """The target of a link that lies somewhere in the data folder.

    Raises:
        ValueError: It leads out of the data folder, or nowhere.
    """
    target = _resolved(link)
    if target is None or not target.is_relative_to(root("path")):
        raise ValueError(f"{relative_name(link)}: it is a link that leads out of the data folder, or nowhere.")
    return target


def stamp(path: Path) -> Stamp:
    """The stamp of a file, which changes when the file does."""
    status = path.stat()
    return str(path), status.st_mtime_ns, status.st_size


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, which is unpacked if it is a gzip file, whatever its name.

    Raises:
        ValueError: It cannot be read, here or while it is used.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not packed:
                yield file
                return
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield cast(IO[bytes], unpacked)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path.name}: the gzip file is damaged: {str(error).rstrip('.')}.") from None
    except OSError as error:
        raise ValueError(f"{path.name}: it cannot be read: {error.strerror or error}.") from None


def read(path: Path, most: int) -> bytes:
    """The content of a file, unpacked, of at most so many bytes.

    Raises:
        ValueError: It holds more, or cannot be read.
    """
    pieces, size = [], 0
    with opened(path) as file:
        while piece := file.read(1 << 20):
            size += len(piece)
            if size > most:
                raise ValueError(
                    f"{path.name}: it holds more than {most >> 20:,} MiB, unpacked; allowed: at most that."
                )
            pieces.append(piece)
    return b"".join(pieces)
