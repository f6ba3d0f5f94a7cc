"""A value that the user may set: its type, its limits, and the sentence that refuses what does not fit.

Everything that enters a sweep from outside passes through `Field.check`, so that every refusal reads the same: the
dotted key, the value, what is allowed, and the nearest name where a name was not known.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Literal

from tracking import schema
from tracking.legible import one_line

FieldType = Literal["int", "float", "bool", "str", "choice", "int_list", "float_list"]

LONGEST_TEXT = 10_000
LARGEST_INT = 2**53
"""Every whole number up to here survives JSON and double precision."""
SHOWN_PROBLEMS = 5

_NUMBER = re.compile(
    r"[-+]?(\d[\d_]*(\.[\d_]*)?|\.\d[\d_]*)(e[-+]?\d+)?|[-+]?\.?(inf|infinity)|\.?nan", re.IGNORECASE | re.ASCII
)
_PLACE = re.compile(r"\d{1,3}", re.ASCII)


class SpecError(ValueError):
    """A sweep that cannot be run as written.

    Args:
        problems: One sentence for each fault; `str()` joins the first few by newlines.
    """

    def __init__(self, *problems: str) -> None:
        self.problems: tuple[str, ...] = problems
        shown = [*problems[:SHOWN_PROBLEMS]]
        if len(problems) > SHOWN_PROBLEMS:
            shown.append(f"... and {len(problems) - SHOWN_PROBLEMS} more.")
        super().__init__("\n".join(shown))


@contextmanager
def collect(problems: list[str]) -> Iterator[None]:
    """Add the sentences of a SpecError raised inside to `problems`, and go on."""
    try:
        yield
    except SpecError as error:
        problems.extend(problem for problem in error.problems if problem not in problems)


def show(value: Any) -> str:
    """The value as it is written in YAML, on one line and cut to 60 characters."""
    if isinstance(value, float):
        text = repr(value) if math.isfinite(value) else {"nan": "NaN", "inf": "inf", "-inf": "-inf"}[repr(value)]
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(show(item) for item in value[:20])}{', ...' if len(value) > 20 else ''}]"
    elif isinstance(value, dict):
        text = f"{{{', '.join(f'{key}: {show(inner)}' for key, inner in list(value.items())[:20])}}}"
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    text = one_line(text)
    return text if len(text) <= 60 else f"{text[:57]}..."


def key_text(key: Any) -> str:
    """A key as text: YAML allows numbers, dates and null as keys."""
    return key if isinstance(key, str) else show(key)


def nearest(name: Any, names: Iterable[str]) -> str:
    """'; did you mean x?' for the nearest of the names, '.' if none is near."""
    folded = {candidate.lower(): candidate for candidate in names}
    matches = difflib.get_close_matches(str(name).lower(), folded, n=1, cutoff=0.55)
    return f"; did you mean {folded[matches[0]]}?" if matches else "."


def refusal(key: str, value: Any, allowed: str, end: str = ".") -> SpecError:
    """The error for a value that is not allowed."""
    return SpecError(f"{key}: {show(value)} is not allowed; allowed: {allowed}{end}")


def missing(key: str, allowed: str) -> SpecError:
    """The error for a key that should be there."""
    return SpecError(f"{key}: missing; allowed: {allowed}.")


def unknown(key: str, value: Any, names: Iterable[str], where: str) -> SpecError:
    """The error for a key that does not exist, with the nearest one that does.

    Args:
        key: The dotted key as the user wrote it.
        value: The value that the user gave it.
        names: The keys that exist in its place, perhaps dotted themselves.
        where: The words that say where that place is.
    """
    names = list(names)
    dots = max((name.count(".") for name in names), default=0)
    last_parts = ".".join(key.split(".")[-dots - 1 :])
    allowed = ", ".join(names) if names else "none"
    masked = schema.mask(key, show(value))
    return SpecError(f"{key}: unknown key, given {masked}; allowed {where}: {allowed}{nearest(last_parts, names)}")


def as_number(value: Any) -> Any:
    """The number that a text spells (YAML 1.1 reads `1e-3` as text); any other value as it is."""
    if not isinstance(value, str) or len(value) > 100 or not _NUMBER.fullmatch(value.strip()):
        return value
    text = value.strip()
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(re.sub(r"^([-+]?)\.(?=[a-zA-Z])", r"\1", text))
    except ValueError:
        return value  # underscores where none may stand


@dataclass(frozen=True)
class Field:
    """A named value with its type, default and limits."""

    name: str
    type: FieldType
    default: Any
    choices: tuple[Any, ...] = ()
    """The values of a "choice"; for another type, words that are allowed beside its values, such as "full"."""
    numbered: tuple[str, ...] = ()
    """Choices that a colon and a number from 0 may follow: with "cuda" also "cuda:1"."""
    minimum: float | None = None
    """Limit of the number, or of every number of a list."""
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    min_length: int | None = None
    """Length of a list, or of a text."""
    max_length: int | None = None
    optional: bool = False
    """None (`null` in YAML) is allowed."""
    required: bool = False
    """There is no default: the user must set it."""
    help: str = ""

    @property
    def numeric(self) -> bool:
        """Whether the value is one number, so that a range from low to high makes sense."""
        return self.type in ("int", "float")

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        words = []
        for choice in self.choices:
            words += [str(choice), f"{choice}:N"] if choice in self.numbered else [str(choice)]
        text = ", ".join(words) if self.type == "choice" else " or ".join([*words, self._range()])
        return f"{text} or null" if self.optional else text

    def check(self, key: str, value: Any) -> Any:
        """The value in its own type: numbers written as text are read, whole floats become ints where ints are due.

        Args:
            key: The dotted key under which the user wrote the value.
            value: The value as it was written.

        Raises:
            SpecError: The value is not allowed.
        """
        if value is None and self.optional:
            return None
        if self.choices:
            for choice in self.choices:
                # 32 and "32" are the same choice, True and 1 are not.
                if not isinstance(value, bool | list | dict | None) and str(choice) == str(value):
                    return choice
            if numbered := self._numbered(value):
                return numbered
            if self.type == "choice":
                raise refusal(key, value, self.allowed, nearest(value, [str(choice) for choice in self.choices]))
        if self.type == "bool":
            if isinstance(value, bool):
                return value
        elif self.type == "str":
            if isinstance(value, str) and (self.min_length or 0) <= len(value.strip()) and len(value) <= LONGEST_TEXT:
                return value
        elif self.type in ("int_list", "float_list"):
            if isinstance(value, list | tuple) and self._length_fits(len(value)):
                numbers = [self._number(item) for item in value]
                if None not in numbers:
                    return numbers
        else:
            number = self._number(value)
            if number is not None:
                return number
        raise refusal(key, value, self.allowed)

    def offered(self, *values: Any) -> list[Any]:
        """The choices, and after them those of the values that have a number, such as "cuda:1"."""
        return list(dict.fromkeys([*self.choices, *filter(None, map(self._numbered, values))]))

    def as_json(self) -> dict[str, Any]:
        """The attributes that differ from their defaults, for the catalogue's file."""
        always = ("name", "type", "default")
        return {
            field.name: list(value) if isinstance(value := getattr(self, field.name), tuple) else value
            for field in fields(self)
            if field.name in always or getattr(self, field.name) != field.default
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Field:
        """The field that `as_json` was made from."""
        return cls(**stored | {name: tuple(stored.get(name, ())) for name in ("choices", "numbered")})

    def _numbered(self, value: Any) -> str | None:
        name, _, number = value.partition(":") if isinstance(value, str) else ("", "", "")
        if name not in self.numbered or not _PLACE.fullmatch(number):
            return None
        return f"{name}:{int(number)}"  # equal values have one spelling

    def _number(self, value: Any) -> float | int | None:
        value = as_number(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if isinstance(value, int) and abs(value) > LARGEST_INT:
            return None
        if not math.isfinite(value):
            return None
        if self.minimum is not None and (value < self.minimum or (self.exclusive_minimum and value == self.minimum)):
            return None
        if self.maximum is not None and (value > self.maximum or (self.exclusive_maximum and value == self.maximum)):
            return None
        if self.type in ("float", "float_list"):
            return float(value) + 0.0  # -0.0 becomes 0.0: equal values have one spelling, and so one hash
        return int(value) if value == int(value) else None

    def _length_fits(self, length: int) -> bool:
        longest = 1000 if self.max_length is None else self.max_length
        return (self.min_length or 0) <= length <= longest

    def _range(self) -> str:
        """The values beside the choices, in words."""
        if self.type == "bool":
            return "true or false"
        if self.type == "str":
            return f"text{' that is not empty' if self.min_length else ''} (in quotes if it looks like a number)"
        whole, limits = self.type in ("int", "int_list"), self._limits()
        if self.numeric:
            kind = "a whole number" if whole else "a number"
            return f"{kind} {limits}".strip() if limits else kind if whole else "a finite number"
        kind = "whole numbers" if whole else "numbers"
        count = ""
        if self.min_length is not None and self.min_length == self.max_length:
            count = f"{self.min_length} "
        elif self.min_length:
            count = f"at least {self.min_length} "
        each = f", each {limits}" if limits else ""
        example = self.default if isinstance(self.default, list | tuple) and self.default else [64] if whole else [0.5]
        return f"a list of {count}{kind}{each}, such as {show(list(example))}"

    def _limits(self) -> str:
        """The limits of the number, or of each number of a list, in words; empty without any."""
        low, high = (
            None if limit is None else f"{limit:,.0f}" if limit == int(limit) else f"{limit:g}"
            for limit in (self.minimum, self.maximum)
        )
        if low is not None and high is not None and not self.exclusive_minimum and not self.exclusive_maximum:
            return f"from {low} to {high}"
        parts = []
        if low is not None:
            parts.append(f"above {low}" if self.exclusive_minimum else f"{'of ' * self.numeric}{low} or more")
        if high is not None:
            parts.append(f"below {high}" if self.exclusive_maximum else f"at most {high}")
        return " and ".join(parts)
