"""Numbers as they are written in text files: what divides their decimals, and what divides their thousands.

A text such as 1,012 can be read both ways and is never guessed: `auto` takes as thousands only what can be nothing
else, as in 1,234,567 and 1,234.5, and refuses the rest with advice.
"""

import re
from dataclasses import dataclass

DECIMALS = {"point": ".", "comma": ","}
"""What divides the decimals of a number."""
SEPARATORS = {"comma": ",", "point": ".", "space": " \u00a0\u2009\u202f", "apostrophe": "'\u2019"}
"""What may divide thousands, and the characters that are written for it."""
THOUSANDS = ("auto", *SEPARATORS)


def plain_number(text: str) -> float | None:
    """The number that a text is; None for anything else, also for NaN and for what only Python takes as a number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return None if "_" in text or number != number else number


@dataclass(frozen=True)
class Grouped:
    """A text read as a number whose thousands are divided."""

    number: float
    separator: str
    """A key of `SEPARATORS`."""
    sure: bool
    """Whether it can be nothing else: neither a number whose decimals the separator divides, nor a text."""

    @property
    def reading(self) -> str:
        """The number and what it assumes, in words."""
        return f"is {self.number:.12g} if the {self.separator} divides thousands"


@dataclass(frozen=True)
class Notation:
    """How the numbers of a file are written."""

    decimal: str = "point"
    """A key of `DECIMALS`."""
    thousands: str = "auto"
    """One of `THOUSANDS`, and not what divides the decimals."""

    def number(self, text: str) -> float | None:
        """The number that a text is in this notation; None for anything else."""
        number = self._ungrouped(text)
        grouped = self._grouped(text) if number is None else None
        if grouped and (self.thousands == grouped.separator or (self.thousands == "auto" and grouped.sure)):
            return grouped.number
        return number

    def advice(self, text: str) -> str:
        """How a text that is no number in this notation can be read, and what to set for it; empty if in no way."""
        other = Notation("comma" if self.decimal == "point" else "point")
        ungrouped, grouped, grouped_otherwise = other._ungrouped(text), self._grouped(text), other._grouped(text)
        if grouped and ungrouped is not None:
            both = f"{grouped.reading} and {ungrouped:.12g} if it divides decimals"
            return f"{both}; set thousands: {grouped.separator}, or decimal: {other.decimal}"
        if grouped:
            return f"{grouped.reading}; set thousands: {grouped.separator}"
        if grouped_otherwise and DECIMALS[other.decimal] not in text:
            separator = grouped_otherwise.separator
            return f"{grouped_otherwise.reading}; set decimal: {other.decimal} and thousands: {separator}"
        if grouped_otherwise or ungrouped is not None:
            return f"has a decimal {other.decimal}; set decimal: {other.decimal}"
        return ""

    def _ungrouped(self, text: str) -> float | None:
        if self.decimal == "comma":
            text = text.replace(".", "_").replace(",", ".")
        return plain_number(text)

    def _grouped(self, text: str) -> Grouped | None:
        """The number that a text is if one separator divides its whole part by threes."""
        decimal = re.escape(DECIMALS[self.decimal])
        for separator, characters in SEPARATORS.items():
            whole_part = f"([+-]?[1-9][0-9]{{0,2}}(?:[{characters}][0-9]{{3}})+)"
            match = re.fullmatch(rf"{whole_part}({decimal}[0-9]*)?([eE][+-]?[0-9]+)?", text.strip())
            if match and separator != self.decimal:
                whole, decimals, exponent = match.groups(default="")
                groups = re.split(f"[{characters}]", whole)
                number = float("".join([*groups, decimals.replace(",", "."), exponent]))
                return Grouped(number, separator, separator in DECIMALS and (len(groups) > 2 or decimals != ""))
        return None


DECIMAL_POINT = Notation()
