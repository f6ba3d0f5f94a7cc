"""Text files of rows and columns (CSV, TSV), read strictly: what does not fit is refused with its line and column.

A column is of numbers if its first value is one; a text further down is then an error and not a reason to take the
whole column for something else. A column whose first value is no number holds categories. Empty fields and the words of
`MISSING` are missing values; they are kept as NaN, for the reader of the table to decide about.
"""

import csv
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.files.numerals import DECIMAL_POINT, Notation
from data.files.roots import listed, quoted, read

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
MISSING = frozenset({"", "?", "na", "n/a", "nan", "null"})
"""What stands for a missing value, in lower case."""
MOST_BYTES = 256 << 20
MOST_COLUMNS = 20_000
MOST_CATEGORIES = 100
MOST_CLASSES = 1000
LARGEST = 1e30
"""The largest number allowed; well within what 32 bits can hold."""
CHUNK = 200_000
"""The number of fields that are turned into numbers at one time."""


@dataclass(frozen=True)
class Layout:
    """How a file is written, and what its columns are read as."""

    delimiter: str = "auto"
    """comma, semicolon, tab, or auto: whichever divides the first lines."""
    header: bool = True
    """The first line holds the names; else the columns are called 1, 2, ..."""
    notation: Notation = DECIMAL_POINT
    """How its numbers are written."""


@dataclass
class Column:
    """One column of a table, to which rows are added until it is complete."""

    file: str
    name: str
    kind: str
    """auto (until its first value has been seen), number or category."""
    notation: Notation = DECIMAL_POINT
    most: int = MOST_CATEGORIES
    """The most different values that a column of categories may have."""
    otherwise: str = ""
    """The advice in the refusal of a text in a column of numbers."""
    too_many: str = ""
    """The advice in the refusal of too many categories."""
    codes: dict[str, int] = field(default_factory=dict)
    """Each category and its code, in the order of their appearance."""
    pieces: list[NDArray[np.float64]] = field(default_factory=list)

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """Numbers, or codes of categories, (rows,); NaN where the value is missing."""
        return np.concatenate(self.pieces)

    def add(self, texts: Sequence[str], lines: Sequence[int]) -> None:
        """Add the fields of some more rows, given the lines of the file that they stand in."""
        if self.kind == "auto":
            self._decide(texts, lines)
        if self.kind == "auto":
            self.pieces.append(np.full(len(texts), np.nan))
        elif self.kind == "number":
            self.pieces.append(self._numbers(texts, lines))
        else:
            codes = (self._code(text.strip(), line) for text, line in zip(texts, lines, strict=True))
            self.pieces.append(np.fromiter(codes, np.float64, len(texts)))

    def _decide(self, texts: Sequence[str], lines: Sequence[int]) -> None:
        for text, line in zip(texts, lines, strict=True):
            if text.strip().lower() in MISSING:
                continue
            if self.notation.number(text) is not None:
                self.kind = "number"
            elif self.notation.advice(text):
                raise self._no_number(text, line)
            else:
                self.kind = "category"
            return

    def _numbers(self, texts: Sequence[str], lines: Sequence[int]) -> NDArray[np.float64]:
        if self.notation.decimal == "point":
            try:  # all at once, which is right where all are plain numbers
                numbers = np.array(texts, dtype=np.float64)
            except ValueError:
                pass
            else:
                if (np.abs(numbers) <= LARGEST).all() and not any("_" in text for text in texts):
                    return numbers
        numbers = np.empty(len(texts))
        for row, (text, line) in enumerate(zip(texts, lines, strict=True)):
            number = np.nan if text.strip().lower() in MISSING else self.notation.number(text)
            if number is None:
                raise self._no_number(text, line)
            if abs(number) > LARGEST:
                raise self.error(line, f"{quoted(text)} is too large; allowed: numbers up to {LARGEST:g}")
            numbers[row] = number
        return numbers

    def _no_number(self, text: str, line: int) -> ValueError:
        problem = self.notation.advice(text) or "is no number, which was expected"
        return self.error(line, f"{quoted(text)} {problem}{self.otherwise}")

    def _code(self, text: str, line: int) -> float:
        if text.lower() in MISSING:
            return np.nan
        code = self.codes.setdefault(text, len(self.codes))
        if code >= self.most:
            problem = f"{quoted(text)} is one more than {self.most:,} different texts"
            raise self.error(
                line, f"{problem}; allowed in a column of categories: at most {self.most:,}{self.too_many}"
            )
        return code

    def error(self, line: int, problem: str) -> ValueError:
        """The error that names the file, the line and this column before the problem."""
        return ValueError(f"{self.file}, line {line}, column {quoted(self.name)}: {problem}.")


@dataclass(frozen=True)
class Table:
    """The columns that were read, by their names."""

    file: str
    columns: dict[str, Column]
    lines: NDArray[np.int64]
    """The line of the file that each row begins in, (rows,), counted from 1."""

    def __len__(self) -> int:
        return len(self.lines)


def _records(raw: bytes, file: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The line that each record begins in and its fields; empty records are left out."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(raw), "utf-8-sig", newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for record in reader:
            if any(map(str.strip, record)):
                yield line, record
            line = reader.line_num + 1
    except csv.Error:
        raise ValueError(
            f"{file}, line {line}: the quotes do not fit; expected: a quoted field that ends in a quote, a delimiter "
            "after it, and quotes within it doubled."
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"{file}, line {undecodable_line(raw)}: it is not UTF-8; save the file as UTF-8.") from None


def undecodable_line(raw: bytes) -> int:
    """The first line that is not UTF-8."""
    for number, line in enumerate(raw.split(b"\n"), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            return number
    return 1


def _empty(file: str) -> ValueError:
    expected = "a line of column names and one line an example"
    return ValueError(f"{file}: the file is empty; expected: {expected}.")


def _delimiter(raw: bytes, file: str) -> str:
    """The delimiter that divides the first records into equally many fields, the more the better."""
    scores: dict[str, tuple[bool, int]] = {}
    problem = None
    for candidate in DELIMITERS.values():
        counts: list[int] = []
        try:
            for _, fields in itertools.islice(_records(raw, file, candidate), 20):
                counts.append(len(fields))
        except ValueError as error:
            problem = error
        if counts:
            scores[candidate] = (len(set(counts)) == 1 and counts[0] > 1, counts[0])
    if not scores:
        raise problem or _empty(file)
    return max(scores, key=lambda candidate: scores[candidate])


class Source:
    """A file of columns whose first line has been read.

    Raises:
        ValueError: It is no such file; the sentence names the file and, where there is one, the line.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.file, self.layout = path.name, layout
        self._raw = read(path, MOST_BYTES)
        if not self._raw.strip():
            raise _empty(self.file)
        if b"\0" in self._raw[:4096]:
            expected = "columns divided by comma, semicolon or tab, in UTF-8"
            raise ValueError(f"{self.file}: this is no text file; expected: {expected}.")
        detect = layout.delimiter == "auto"
        self._delimiter = _delimiter(self._raw, self.file) if detect else DELIMITERS[layout.delimiter]
        line, first = next(_records(self._raw, self.file, self._delimiter), (0, []))
        if not first:
            raise _empty(self.file)
        where = f"{self.file}, line {line}"
        if len(first) > MOST_COLUMNS:
            raise ValueError(f"{where}: {len(first):,} columns; allowed: at most {MOST_COLUMNS:,}.")
        if len(first) < 2:
            by = "comma, semicolon or tab" if detect else layout.delimiter
            expected = f"a target and at least one input, divided by {by}"
            raise ValueError(f"{where}: only one column was found; expected: {expected}.")
        self.unnamed = [str(number) for number, name in enumerate(first, 1) if layout.header and not name.strip()]
        """The numbers, counted from 1, of columns without a name."""
        self.names = self._column_names(where, first)
        """What the columns are called; those without a name by their number."""

    def _column_names(self, where: str, first: list[str]) -> list[str]:
        if not self.layout.header:
            return [str(number) for number in range(1, len(first) + 1)]
        if all(self.layout.notation.number(name) is not None for name in first):
            raise ValueError(
                f"{where}: it holds only numbers, where the names of the columns were expected; add them, or set "
                "header: false, which calls the columns 1, 2, ..."
            )
        names = [name.strip() or str(number) for number, name in enumerate(first, 1)]
        places: dict[str, int] = {}
        for number, name in enumerate(names, 1):
            if name in places:
                both = f"columns {places[name]} and {number} are both called {quoted(name)}"
                raise ValueError(f"{where}: {both}; expected: a name of its own for each column.")
            places[name] = number
        return names

    def table(self, columns: Mapping[str, Column]) -> Table:
        """The rows of the file, read into these columns; its other columns are ignored.

        Args:
            columns: Empty columns by their names, all of which the file has.

        Raises:
            ValueError: A row or a field does not fit; the sentence names file, line and column.
        """
        records = _records(self._raw, self.file, self._delimiter)
        if self.layout.header:
            next(records)
        places = [(self.names.index(name), column) for name, column in columns.items()]
        rows_at_once = max(CHUNK // len(self.names), 1)
        all_lines: list[NDArray[np.int64]] = []
        while chunk := list(itertools.islice(records, rows_at_once)):
            for line, fields in chunk:
                if len(fields) != len(self.names):
                    expected = f"{len(self.names):,}, one a column"
                    raise ValueError(f"{self.file}, line {line}: it has {len(fields):,} fields; expected: {expected}.")
            lines = [line for line, _ in chunk]
            by_column = list(zip(*(fields for _, fields in chunk), strict=True))
            for place, column in places:
                column.add(by_column[place], lines)
            all_lines.append(np.array(lines))
        if not all_lines:
            expected = "one line an example"
            raise ValueError(f"{self.file}: it holds no rows beside the names of its columns; expected: {expected}.")
        empty = [name for name, column in columns.items() if column.kind == "auto"]
        if empty:
            raise ValueError(f"{self.file}: no row has a value in column {listed(map(quoted, empty))}; leave it out.")
        return Table(self.file, dict(columns), np.concatenate(all_lines))
