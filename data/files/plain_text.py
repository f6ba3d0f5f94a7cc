"""Text files of the user: their characters, whatever the lines mean."""

from pathlib import Path
from typing import Final, Literal

from data.files.delimited import undecodable_line
from data.files.roots import read
from learning_tasks.refusals import one_of

Encoding = Literal["utf-8", "latin-1"]
ENCODINGS: Final = ("utf-8", "latin-1")
MOST_BYTES: Final = 20 << 20


def read_text(path: Path, encoding: str) -> str:
    """The characters of a file, each line ended by one line feed, without a byte-order mark.

    Args:
        path: The file, which may be packed with gzip.
        encoding: One of `ENCODINGS`.

    Raises:
        ValueError: It is empty, no text file, too large, or not in this encoding.
    """
    one_of("encoding", encoding, ENCODINGS)
    raw = read(path, MOST_BYTES)
    if not raw.strip():
        raise ValueError(f"{path.name}: the file is empty; expected: a text.")
    if b"\0" in raw:
        raise ValueError(f"{path.name}: this is no text file; expected: a text in {encoding}.")
    try:
        text = raw.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError:
        advice = "save the file as UTF-8, or set encoding: latin-1"
        raise ValueError(f"{path.name}, line {undecodable_line(raw)}: it is not UTF-8; {advice}.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
