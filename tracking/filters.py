"""Filters of runs: MLflow's search syntax, evaluated over a reader's frame.

    metrics.`val loss` < 0.1 AND params.model = 'mlp' AND tags.note LIKE '%retry%'

Everything that MLflow's own search accepts for metrics, params, tags and attributes means the same here. Beyond it:
params and tags compare with numbers (`params.lr > 0.01`, `params.lr = 1e-2` finds 0.01), OR, NOT and parentheses, IN
for params and tags, times as dates (`start_time > '2026-05-01'`), and a word needs quotes only where it has spaces.
No comparison finds a run without the key, as in MLflow, nor a run whose metric is nan.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

Mask = np.ndarray[Any, np.dtype[np.bool_]]

KINDS: Final = {
    **dict.fromkeys(("metric", "metrics"), "metrics"),
    **dict.fromkeys(("param", "params", "parameter", "parameters"), "params"),
    **dict.fromkeys(("tag", "tags"), "tags"),
    **dict.fromkeys(("attr", "attribute", "attributes", "run"), "attributes"),
}
ATTRIBUTES: Final = {
    **{name: name for name in ("run_id", "status", "start_time", "end_time", "artifact_uri", "experiment_id")},
    **dict.fromkeys(("run_name", "name", "run name", "Run name", "Run Name"), "name"),
    **dict.fromkeys(("created", "Created"), "start_time"),
    "user_id": "tags.mlflow.user",
}
TIMES: Final = ("start_time", "end_time")
NUMERIC: Final = ("=", "!=", "<", "<=", ">", ">=")
WORDS: Final = ("LIKE", "ILIKE", "IN", "NOT IN")
NULLS: Final = ("IS NULL", "IS NOT NULL")
_ALLOWED: Final = {
    "metrics": NUMERIC,
    "times": NUMERIC,
    "attributes": ("=", "!=", *WORDS),
    "params": (*NUMERIC, *WORDS, *NULLS),
    "tags": (*NUMERIC, *WORDS, *NULLS),
}

_QUOTED: Final = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"")
_KEY: Final = re.compile(r"(?:(\w+)\.)?(?:`([^`]+)`|\"([^\"]+)\"|([^\s=!<>~(),'\"`]+))")
_BARE: Final = re.compile(r"[^\s=!<>~(),'\"`]+")
_SIGNS: Final = re.compile(r"[=!<>~]+")
_OPERATOR_WORDS: Final = re.compile(r"(NOT\s+I?LIKE|I?LIKE|NOT\s+IN|IN|IS\s+NOT\s+NULL|IS\s+NULL)\b", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)


class SearchError(ValueError):
    """What is wrong with a filter, in one sentence for the user."""


@dataclass(frozen=True)
class Comparison:
    """`key operator value`. The value is a float where a number stood without quotes, a tuple after IN."""

    kind: str
    key: str
    operator: str
    value: float | str | tuple[str, ...] | None

    @property
    def shown(self) -> str:
        """The key as it may be typed."""
        return f"{self.kind}.{quoted_key(self.key)}"


@dataclass(frozen=True)
class Junction:
    """Parts joined by AND or OR; NOT has one part."""

    word: str
    parts: tuple[Comparison | Junction, ...]


Node = Comparison | Junction


def quoted_key(key: str) -> str:
    """The key, in backticks where it needs them."""
    return key if re.fullmatch(r"[^\s=!<>~(),'\"`]+", key) else f"`{key}`"


def quoted_value(value: str) -> str:
    """The text as a value."""
    return "'" + value.replace("'", "''") + "'"


def _nearest(name: str, names: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, sorted(set(map(str, names))), 1, 0.5)
    return f"; nearest: {nearest[0]}" if nearest else ""


class _Parser:
    """Reads a filter in one pass from left to right, by recursive descent."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()
            self.skip()
        return match

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def word(self, word: str) -> bool:
        return self.take(re.compile(rf"{word}\b", re.IGNORECASE)) is not None

    def sign(self, sign: str) -> bool:
        return self.take(re.compile(re.escape(sign))) is not None

    @property
    def rest(self) -> str:
        rest = self.text[self.at :]
        return repr(rest if len(rest) <= 40 else rest[:39] + "…") if rest else "the end"

    def expression(self) -> Node:
        return self.joined("OR", lambda: self.joined("AND", self.factor))

    def joined(self, word: str, part: Any) -> Node:
        parts: list[Node] = [part()]
        while self.word(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Junction(word, tuple(parts))

    def factor(self) -> Node:
        if self.word("NOT"):
            return Junction("NOT", (self.factor(),))
        if self.sign("("):
            inner = self.expression()
            if not self.sign(")"):
                raise SearchError(f"A parenthesis is open at {self.rest}; allowed: ), AND, OR.")
            return inner
        return self.comparison()

    def comparison(self) -> Comparison:
        match = self.take(_KEY)
        if match is None:
            raise SearchError(f"{self.rest}: a key is missing here; allowed: such as metrics.loss or params.lr.")
        prefix, name = match[1], match[2] or match[3] or match[4]
        kind = "attributes" if prefix is None else KINDS.get(prefix.lower(), "")
        if not kind:
            allowed = "metrics., params., tags., attributes."
            raise SearchError(f"{match[0]}: {prefix} is not allowed; allowed: {allowed}{_nearest(prefix, KINDS)}.")
        if kind == "attributes" and name not in ATTRIBUTES:
            allowed = ", ".join(dict.fromkeys([*list(ATTRIBUTES)[:7]]))
            raise SearchError(
                f"{name}: no attribute of a run has this name; allowed: {allowed}, or metrics., params., tags. and a"
                f" name{_nearest(name, ATTRIBUTES)}."
            )
        key = ATTRIBUTES[name] if kind == "attributes" else name
        shown = f"{kind}.{quoted_key(name)}" if prefix else name
        operator = self.operator(shown, "times" if key in TIMES and kind == "attributes" else kind)
        return Comparison(kind, key, operator, self.value(shown, kind, key, operator))

    def operator(self, shown: str, kind: str) -> str:
        match = self.take(_OPERATOR_WORDS) or self.take(_SIGNS) or self.take(_BARE)
        allowed = _ALLOWED[kind]
        if match is None:
            raise SearchError(f"{shown}: an operator is missing at {self.rest}; allowed: {', '.join(allowed)}.")
        operator = " ".join(match[0].upper().split())
        if operator not in allowed:
            raise SearchError(
                f"{shown}: the operator {operator} is not allowed here; allowed: {', '.join(allowed)}"
                f"{_nearest(operator, allowed)}."
            )
        return operator

    def value(self, shown: str, kind: str, key: str, operator: str) -> float | str | tuple[str, ...] | None:
        if operator in NULLS:
            return None
        if operator.endswith("IN"):
            return self.several(shown, operator)
        text, is_text = self.single(shown, operator)
        number = kind == "metrics" or (kind in ("params", "tags") and operator in ("<", "<=", ">", ">="))
        if kind == "attributes" and key in TIMES:
            return _moment(shown, operator, text)
        if number or (not is_text and kind in ("params", "tags") and operator in ("=", "!=")):
            # What stands in quotes is text to MLflow, too, but never in a metric's comparison.
            if _NUMBER.fullmatch(text):
                return float(text)
            if number:
                raise SearchError(f"{shown} {operator} {text}: allowed after {operator} is a number, such as 0.01.")
        return text

    def single(self, shown: str, operator: str) -> tuple[str, bool]:
        quoted = self.take(_QUOTED)
        if quoted:
            text = quoted[1].replace("''", "'") if quoted[1] is not None else quoted[2].replace('""', '"')
            return text, True
        bare = self.take(_BARE)
        if bare is None:
            raise SearchError(f"{shown} {operator}: a value is missing at {self.rest}; allowed: a number or 'text'.")
        return bare[0], False

    def several(self, shown: str, operator: str) -> tuple[str, ...]:
        if not self.sign("("):
            raise SearchError(f"{shown} {operator} {self.rest}: allowed is a list such as ('a', 'b').")
        values = [self.single(shown, operator)[0]]
        while self.sign(","):
            values.append(self.single(shown, operator)[0])
        if not self.sign(")"):
            raise SearchError(f"{shown} {operator}: the list is open at {self.rest}; allowed: a comma or ).")
        return tuple(values)


def _moment(shown: str, operator: str, text: str) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        return float(pd.Timestamp(text).timestamp() * 1000)
    except ValueError:
        raise SearchError(
            f"{shown} {operator} {text}: allowed are milliseconds since 1970 or a date such as '2026-05-01 14:00'."
        ) from None


def parse(text: str) -> Node | None:
    """The filter as a tree of comparisons; None where there is nothing but space.

    Raises:
        SearchError: names the key, the operator or the value, and what is allowed.
    """
    parser = _Parser(text)
    parser.skip()
    if parser.at == len(text):
        return None
    node = parser.expression()
    if parser.at < len(text):
        raise SearchError(f"{parser.rest} is not understood; allowed here: AND, OR.")
    return node


def _column(node: Comparison, frame: pd.DataFrame) -> pd.Series[Any] | None:
    """The column of values to compare; None where no run has this attribute."""
    name = node.key if node.kind == "attributes" else f"{node.kind}.{node.key}"
    if name in frame:
        return frame[name]
    if node.kind == "attributes":
        return None
    prefix = f"{node.kind}."
    names = [str(column)[len(prefix) :] for column in frame if str(column).startswith(prefix)]
    nearest = difflib.get_close_matches(node.key, names, 1, 0.5) or sorted(names)[:1]
    allowed = f"nearest: {prefix}{quoted_key(nearest[0])}" if nearest else f"none of them has {node.kind}"
    raise SearchError(f"{node.shown}: no run here has this {node.kind[:-1]}; {allowed}.")


def _like(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    parts = (".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in pattern)
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _numbers(values: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return pd.to_numeric(values, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)


def _compared(node: Comparison, values: pd.Series[Any]) -> Mask:
    present = values.notna().to_numpy(dtype=bool)
    if node.operator == "IS NULL":
        return ~present
    if node.operator == "IS NOT NULL":
        return present
    if isinstance(node.value, float):
        numbers = _numbers(values)
        hits = {
            "=": numbers == node.value,
            "!=": numbers != node.value,
            "<": numbers < node.value,
            "<=": numbers <= node.value,
            ">": numbers > node.value,
            ">=": numbers >= node.value,
        }[node.operator]
        # A text differs from a number, but no comparison finds a missing value or nan.
        return np.asarray(hits & present, dtype=bool)
    codes, unique = pd.factorize(values)
    operands = node.value if isinstance(node.value, tuple) else (str(node.value),)
    if node.key == "status":
        operands = tuple(operand.upper() for operand in operands)
    if node.operator.endswith("LIKE"):
        pattern = _like(operands[0], node.operator == "ILIKE")
        matching = [pattern.fullmatch(str(value)) is not None for value in unique]
    else:
        matching = [(str(value) in operands) != (node.operator in ("!=", "NOT IN")) for value in unique]
    return np.array([*matching, False], dtype=bool)[codes]  # the last one is for code -1, a missing value


def _evaluate(node: Node, frame: pd.DataFrame) -> Mask:
    if isinstance(node, Comparison):
        values = _column(node, frame)
        return np.zeros(len(frame), dtype=bool) if values is None else _compared(node, values)
    parts = [_evaluate(part, frame) for part in node.parts]
    if node.word == "NOT":
        return ~parts[0]
    joined = np.logical_and if node.word == "AND" else np.logical_or
    return np.asarray(joined.reduce(parts), dtype=bool)


def matches(text: str, frame: pd.DataFrame) -> Mask:
    """Which rows of a reader's `frame` a filter finds: one truth value per row, all true for an empty filter.

    Args:
        text: The filter.
        frame: Columns as `Reader.frame` names them: the attributes, `params.X`, `metrics.X`, `tags.X`.

    Raises:
        SearchError: names the key, the operator or the value, what is allowed, and the nearest name.
    """
    node = parse(text)
    if node is None or frame.empty:
        return np.ones(len(frame), dtype=bool)
    return _evaluate(node, frame)
