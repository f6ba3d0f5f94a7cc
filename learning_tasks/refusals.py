"""The sentences that refuse an argument: its name, its value and what is allowed."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


def require(name: str, value: object, holds: bool, allowed: str) -> None:
    """Refuse the value of an argument unless a condition holds.

    Args:
        name: The argument.
        value: Its value, which the sentence shows as it prints.
        holds: Whether the value is allowed.
        allowed: What is allowed, in words.

    Raises:
        ValueError: The value is not allowed.
    """
    if not holds:
        raise ValueError(f"{name}: {value} is not allowed; allowed: {allowed}")


def one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    """Refuse the value of an argument unless it is one of those allowed; the sentence shows it in quotes."""
    allowed = list(allowed)
    require(name, repr(value), value in allowed, ", ".join(allowed))


def require_name(key: str, value: object, names: Iterable[str]) -> None:
    """Refuse a value that is not one of these names; the sentence tells the nearest one there is."""
    names = list(names)
    near = [] if str(value) in names else difflib.get_close_matches(str(value), names, n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    require(key, value, str(value) in names, f"{', '.join(names)}{hint}")


def lookup(key: str, name: str, registry: Mapping[str, T]) -> T:
    """The entry of a registry; an unknown name is refused, with the nearest one there is."""
    require_name(key, name, registry)
    return registry[name]
