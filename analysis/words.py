"""Lists and counts in the words of a sentence."""

from __future__ import annotations

from collections.abc import Sequence


def joined(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`; nothing of none."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def some(words: Sequence[str], most: int, more: str = "{} more") -> str:
    """The same of the first few, with the others counted: `a, b, c and 3 more`.

    Args:
        words: What is listed.
        most: So many are named.
        more: What the others are called.
    """
    return joined([*words[:most], more.format(len(words) - most)] if len(words) > most else words)


def chained(words: Sequence[str]) -> str:
    """`10-10` of the members of a list; `8 × 32` where more than three are all the same; nothing of none."""
    return f"{len(words)} × {words[0]}" if len(words) > 3 and len(set(words)) == 1 else "-".join(words)


def counted(number: int, one: str) -> str:
    """`1 seed`, `1,200 seeds`."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"
