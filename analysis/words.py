"""Lists and counts in the words of a sentence."""

from __future__ import annotations

from collections.abc import Sequence


def _separator(words: Sequence[str]) -> str:
    return "; " if any(", " in word for word in words) else ", "


def listed(words: Sequence[str]) -> str:
    """`a, b, c`; `a, lr 1; b` where a member holds a comma itself; empty without members."""
    return _separator(words).join(words)


def joined(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`; `a, lr 1; and b` where a member holds a comma itself; empty without members."""
    if len(words) < 2:
        return "".join(words)
    separator = _separator(words)
    last = " and " if separator == ", " else "; and "
    return f"{separator.join(words[:-1])}{last}{words[-1]}"


def some(words: Sequence[str], most: int, more: str = "{} more") -> str:
    """`a, b, c and 3 more`: the first few words, joined, with the others counted.

    Args:
        words: What is listed.
        most: How many are named.
        more: What the others are called, with {} for their number.
    """
    return joined([*words[:most], more.format(len(words) - most)] if len(words) > most else words)


def chained(words: Sequence[str]) -> str:
    """`10-10` for the members of a list; `8 × 32` where more than three are all the same; empty without members."""
    return f"{len(words)} × {words[0]}" if len(words) > 3 and len(set(words)) == 1 else "-".join(words)


def share(many: int, total: int, one: str) -> str:
    """`1 of 2 groups`, `both groups`, `all 3 groups`.

    Args:
        many: How many it is said of.
        total: How many there are.
        one: What one of them is called.
    """
    if many < total or total < 2:
        return f"{many:,} of {counted(total, one)}"
    return f"both {one}s" if total == 2 else f"all {counted(total, one)}"


def counted(number: int, one: str) -> str:
    """`1 seed`, `1,200 seeds`."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"
