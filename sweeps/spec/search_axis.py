"""A searched key: the values to try, written as a list, as a range, or as coupled settings (`sweeps.spec.coupled`)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from sweeps.fields import Field, SpecError, missing, refusal, show, unknown

KEYS: Final = ("values", "low", "high", "log", "steps", "integer")
STEPS: Final = Field("steps", "int", None, minimum=2, maximum=1000)
_FORM: Final = "{values: [...]} or {low: ..., high: ..., log: true or false, steps: ...}"
_FLAG: Final = Field("flag", "bool", False)
_NUMBER: Final = Field("number", "float", None)


@dataclass(frozen=True)
class Axis:
    """The values to try for one key: a list, or a range."""

    values: tuple[Any, ...] | None = None
    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    steps: int | None = None
    integer: bool = False
    """Whole numbers only."""
    whole_type: bool = False
    """The field is an int, so its values are Python ints."""
    settings: Mapping[str, Mapping[str, Any]] | None = None
    """Of a coupled key, by each of its values: the dotted keys that it sets, and their values."""

    @cached_property
    def points(self) -> list[Any] | None:
        """The values to try in order, without repetition; None for a range without steps."""
        if self.values is not None:
            return list(self.values)
        if self.low is None or self.high is None or self.steps is None:
            return None
        points: dict[Any, None] = {self.cast(self.low): None}
        for step in range(1, self.steps - 1):
            share = step / (self.steps - 1)
            if self.log:
                value = math.exp(math.log(self.low) * (1 - share) + math.log(self.high) * share)
            else:
                value = self.low * (1 - share) + self.high * share
            points[self.cast(float(f"{value:.12g}"))] = None  # 0.001, not 0.0010000000000000002
        points[self.cast(self.high)] = None
        return list(points)

    @cached_property
    def size(self) -> int | None:
        """How many different values there are; None for infinitely many."""
        if self.points is not None:
            return len(self.points)
        if self.integer and self.low is not None and self.high is not None:
            return int(self.high) - int(self.low) + 1
        return None

    def cast(self, value: float) -> float | int:
        """The number in the type of the axis."""
        if not self.integer:
            return float(value)
        return round(value) if self.whole_type else float(round(value))

    def find(self, value: Any) -> Any:
        """The value among those to try that the user means by this one.

        Raises:
            LookupError: It is not among them.
        """
        if self.points is not None:
            for point in self.points:
                if _same(point, value):
                    return point
            raise LookupError(value)
        assert self.low is not None and self.high is not None
        number = _number(value)
        if number is None or not self.low <= number <= self.high or (self.integer and not number.is_integer()):
            raise LookupError(value)
        return self.cast(number)

    def written(self) -> dict[str, Any]:
        """The axis as the user writes it: the inverse of `read`."""
        if self.settings is not None:
            return {"settings": {name: dict(setting) for name, setting in self.settings.items()}}
        if self.values is not None:
            return {"values": list(self.values)}
        written: dict[str, Any] = {"low": self.low, "high": self.high}
        if self.log:
            written["log"] = True
        if self.steps is not None:
            written["steps"] = self.steps
        if self.integer and not self.whole_type:
            written["integer"] = True
        return written


def _number(value: Any) -> float | None:
    with suppress(SpecError):
        return float(_NUMBER.check("number", value))
    return None


def _same(point: Any, value: Any) -> bool:
    """Whether the user means this point by their value: numbers may be written as text, and with twelve digits."""
    if point is None or isinstance(point, bool):
        return point is value
    if isinstance(point, list):
        fits = isinstance(value, list | tuple) and len(value) == len(point)
        return fits and all(map(_same, point, value))
    if isinstance(point, str):
        return isinstance(value, str) and value == point
    number = _number(value)
    return number is not None and math.isclose(point, number, rel_tol=1e-9)


def _values(key: str, raw: Any, fields: Sequence[Field]) -> tuple[Any, ...]:
    if not isinstance(raw, list | tuple) or not raw:
        raise refusal(key, raw, f"a list of at least one value, each {fields[0].allowed}")
    values: dict[str, Any] = {}
    for item in raw:
        value, *_ = [field.check(key, item) for field in fields]
        spelling = json.dumps(value)
        if spelling in values:
            raise refusal(key, item, "every value once")
        values[spelling] = value
    return tuple(values.values())


def read(key: str, raw: Any, fields: Sequence[Field]) -> Axis:
    """The axis that the user wrote under a searched key.

    Args:
        key: Where it is written, such as `search.optimizer.lr`.
        raw: What is written there.
        fields: The key's field in every model (data set, optimizer ...) that is tried and has it.

    Raises:
        SpecError: It is not allowed for one of the fields.
    """
    if not isinstance(raw, Mapping) or not raw:
        raise refusal(key, raw, _FORM)
    for name in raw:
        if name not in KEYS:
            raise unknown(f"{key}.{name!s}", raw[name], KEYS, "for a searched key")
    if "values" in raw:
        if len(raw) > 1:
            other = next(name for name in raw if name != "values")
            raise refusal(f"{key}.{other}", raw[other], "nothing beside values")
        return Axis(values=_values(f"{key}.values", raw["values"], fields))
    if not all(field.numeric for field in fields):
        raise refusal(key, raw, f"{{values: [...]}}, each {fields[0].allowed}")
    return _range(key, raw, fields)


def _range(key: str, raw: Mapping[Any, Any], fields: Sequence[Field]) -> Axis:
    whole_type = all(field.type == "int" for field in fields)
    integer = whole_type or _FLAG.check(f"{key}.integer", raw.get("integer", False))
    if whole_type and raw.get("integer", True) is not True:
        raise refusal(f"{key}.integer", raw["integer"], "true, as it takes whole numbers")
    bounds = {}
    for bound in ("low", "high"):
        for field in fields:
            number = replace(field, choices=(), optional=False, type="int" if integer else "float")
            if bound not in raw:
                raise missing(f"{key}.{bound}", number.allowed)
            bounds[bound] = number.check(f"{key}.{bound}", raw[bound])
    low, high = bounds["low"], bounds["high"]
    log = _FLAG.check(f"{key}.log", raw.get("log", False))
    # In a narrower range the twelve digits that are drawn would not tell enough numbers apart.
    if low >= high - 1e-6 * max(abs(low), abs(high)):
        raise refusal(f"{key}.low", low, f"a number below high, which is {show(high)}, by more than a millionth")
    if log and low <= 0:
        raise refusal(f"{key}.low", low, "a number above 0, as log is true")
    steps = None if raw.get("steps") is None else STEPS.check(f"{key}.steps", raw["steps"])
    return Axis(low=low, high=high, log=log, steps=steps, integer=integer, whole_type=whole_type)
