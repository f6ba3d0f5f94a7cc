"""Reads YAML that people write: `yaml.safe_load` with bounds and without its surprises; and writes it.

Bounded are the length of the text and its depth; aliases are refused, since a few lines of them can stand for
gigabytes. A key written twice is refused instead of the last one winning. `1e-3` is a number, `010` is ten, and
`2026-01-01` and `1:30` are text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from typing import Any, Final

import yaml

from sweeps.fields import SpecError, show
from tracking.legible import as_yaml_escapes, legible

LONGEST: Final = 256 * 1024
DEEPEST: Final = 20

_INT: Final = re.compile(r"[-+]?[0-9][0-9_]{0,29}$")
_FLOAT: Final = re.compile(
    r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?$|[-+]?[0-9][0-9_]*([eE][-+]?[0-9]+)$"
    r"|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
)
_TAG: Final = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """SafeLoader for one small document without aliases."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise SpecError(f"line {line}: the alias *{event.anchor} is not allowed; allowed: the value itself.")
        self.depth += 1
        if self.depth > DEEPEST:
            raise SpecError(f"line {line}: nested too deeply; allowed: at most {DEEPEST} levels.")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value if key_node.tag == f"{_TAG}merge" else self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise SpecError(f"line {line}: {show(key)} is not allowed as a key; allowed: text.")
            if key in mapping:
                raise SpecError(f"line {line}: the key {show(key)} is written twice; allowed: once.")
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(node.value)


def _construct_float(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = node.value.lower()
    if text.endswith("nan"):
        return math.nan
    return float(text.replace(".inf", "inf"))


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.removeprefix(_TAG) not in ("int", "float", "timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}int", _INT, list("-+0123456789"))
_Loader.add_constructor(f"{_TAG}int", _construct_int)
_Loader.add_constructor(f"{_TAG}float", _construct_float)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that quotes text that is not legible, or that our reader or YAML 1.1 would take for a number."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None if legible(text) == text else '"'
    return dumper.represent_scalar(f"{_TAG}str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))
_Dumper.add_implicit_resolver(f"{_TAG}int", _INT, list("-+0123456789"))


def write(value: Any) -> str:
    """The value as YAML: in its own order, short lists and mappings on one line, illegible characters as escapes."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    return as_yaml_escapes(text)


def read(text: str) -> Any:
    """The value of the YAML document.

    Raises:
        SpecError: The text is too long, is not YAML, or uses what is refused here; the sentence names the line.
    """
    if len(text.encode("utf-8", "replace")) > LONGEST:
        raise SpecError(f"sweep: {len(text):,} characters are not allowed; allowed: at most {LONGEST // 1024} KiB.")
    try:
        return _Loader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        lines = text.splitlines()
        if mark and mark.line < len(lines) and "\t" in lines[mark.line][: mark.column + 1]:
            raise SpecError(f"{where}a tab is not allowed; allowed: spaces to indent.") from None
        problem = error.problem or error.context
        raise SpecError(f"{where}not YAML ({problem}); allowed: lines such as 'seeds: 3'.") from None
    except yaml.YAMLError:
        raise SpecError("sweep: it holds a character that YAML does not know; allowed: plain text.") from None
    except (ValueError, RecursionError, OverflowError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError("sweep: it holds a value that cannot be read; allowed: text, numbers, lists.") from None
