"""Text from anywhere made safe to show: invisible characters that steer the text are spelled out, as in `[U+202E]`.

Such characters are the controls, line and paragraph separators, the bidirectional marks, overrides and isolates, the
zero-width characters, lone surrogates and tag characters. They turn a line around, hide in a name, or break a file.
They are spelled out and not dropped, so that two names that differ stay two, and the reader sees why. Text from right
to left stays as it is, and so do emoji and words that a zero-width joiner holds together.

Frames that act on the store (the service's) keep the exact text: a path or a key has to be the one that was stored.
What shows text reads it through `tracking.legible_reader`, or calls `legible` itself.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_MARKS: Final = (
    r"\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f"
)
_JOINERS: Final = r"\u200c\u200d"
# Emoji, Persian and the scripts of India need joiners: between two of their letters these stay.
_JOINED: Final = rf"[^\x00-\x9f{_MARKS}{_JOINERS}]"
_STEERING: Final = re.compile(
    rf"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_MARKS}]|(?<!{_JOINED})[{_JOINERS}]|[{_JOINERS}](?!{_JOINED})"
)
_SPELLED: Final = re.compile(r"\[U\+([0-9A-F]{4,6})\]")
_BREAKING: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")


def _spelling(character: re.Match[str]) -> str:
    return f"[U+{ord(character[0]):04X}]"


def legible(text: str) -> str:
    """The text with every steering character spelled out, but tabs and ends of lines; idempotent."""
    # Most texts are printable, and to check that is ten times faster.
    return text if text.isprintable() else _STEERING.sub(_spelling, text)


def spelled_out(text: str) -> str:
    """The text as `legible` shows it, but different for every different text: for keys that group or look up.

    Where the text itself looks like a spelling, its bracket is spelled out as well.
    """
    if "[U+" in text:
        text = _SPELLED.sub(lambda spelling: f"[U+005B]{spelling[0][1:]}", text)
    return legible(text)


def exact(text: str) -> str:
    """The text that `spelled_out` has made this from: the key or path to look up in the store."""
    return _SPELLED.sub(_character, text) if "[U+" in text else text


def _character(spelling: re.Match[str]) -> str:
    """The character that was spelled out; a spelling that `spelled_out` never writes stays."""
    code = int(spelling[1], 16)
    character = chr(code) if code <= 0x10FFFF else ""
    return character if character == "[" or _STEERING.fullmatch(character) else spelling[0]


def legible_value(value: Any) -> Any:
    """A value from JSON with all text in it legible: JSON's escapes hide steering characters until it is read."""
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, list):
        return [legible_value(item) for item in value]
    if isinstance(value, dict):
        return {legible(key): legible_value(item) for key, item in value.items()}
    return value


def one_line(text: object) -> str:
    """Anything as legible text on one line: controls and ends of lines become spaces."""
    return legible(_BREAKING.sub(" ", str(text)))


def as_json(document: object, indent: int | None = None) -> str:
    """A document as JSON that reads back exactly: steering characters are written as JSON's escapes."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    return _STEERING.sub(lambda character: json.dumps(character[0])[1:-1], text)


def as_yaml_escapes(text: str) -> str:
    """YAML that reads back exactly: steering characters in its double-quoted text become YAML's escapes."""
    return _STEERING.sub(_yaml_escape, text)


def _yaml_escape(character: re.Match[str]) -> str:
    code = ord(character[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
