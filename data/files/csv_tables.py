"""User tables in text files (CSV, TSV): one data set for a number to predict, one for classes.

Columns of numbers become one input each, columns of categories one input for each category, 1 where the example has it
and 0 elsewhere. The test part is a share of the rows, chosen once and the same in every run, or a separate file, whose
columns are read as those of the first file; a category that occurs in that file alone is 0 throughout.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Interval, MinLen
from numpy.typing import NDArray

from data.files.common import (
    CACHE_SIZE,
    FileClassification,
    Loaded,
    divided,
    numbered,
    require_enough,
    require_limit,
    require_two_classes,
)
from data.files.delimited import DELIMITERS, MOST_CLASSES, Column, Layout, Source, Table
from data.files.numerals import DECIMALS, THOUSANDS, Notation
from data.files.roots import Stamp, find, listed, quoted, refused, stamp
from data.parts import Examples
from data.tabular import Tabular
from learning_tasks.refusals import require

TO_CATEGORIES = "; list the column in categories if its values are kinds of something"
TO_REGRESSION = "; for a number to predict use data csv_regression"


@dataclass(frozen=True)
class Reading:
    """How a file becomes a data set."""

    target: str
    classification: bool
    layout: Layout
    leave_out: tuple[str, ...]
    categories: tuple[str, ...]
    missing: str
    test_fraction: float


def _listed_columns(key: str, text: str) -> tuple[str, ...]:
    """The names of columns in a text that divides them by commas; a name that holds a comma is in quotes."""
    try:
        names = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error:
        raise refused(key, text, 'names of columns divided by commas, such as id, "name, first"') from None
    return tuple(name.strip() for name in names if name.strip())


def _columns(source: Source, reading: Reading) -> dict[str, Column]:
    """The columns to be read from the file, still empty; refuses names that it does not have."""
    allowed = f"a column of {source.file} ({listed(source.names)})"
    if reading.target not in source.names:
        raise refused("target", reading.target, allowed, source.names)
    for key, names in (("leave_out", reading.leave_out), ("categories", reading.categories)):
        for name in names:
            if name not in source.names:
                raise refused(key, name, allowed, source.names)
    if reading.target in reading.leave_out:
        raise refused("leave_out", reading.target, "columns other than the target")
    for name in source.unnamed:
        if name not in (*reading.leave_out, reading.target):
            expected = f'a name, or leave_out: "{name}"'
            raise ValueError(f"{source.file}: column {name} has no name; expected: {expected}.")
    columns = {}
    for name in source.names:
        if name in reading.leave_out:
            continue
        column = Column(
            source.file, name, "auto", reading.layout.notation, otherwise=TO_CATEGORIES, too_many="; leave it out"
        )
        if name in reading.categories:
            column.kind = "category"
        if name == reading.target:
            column.kind = "category" if reading.classification else "number"
            column.most = MOST_CLASSES
            column.otherwise = "; for classes use data csv_classification"
            column.too_many = TO_REGRESSION
        columns[name] = column
    if len(columns) < 2:
        raise ValueError(
            f"leave_out: no input is left of {source.file}; expected: at least one column beside the target."
        )
    return columns


def _columns_like(source: Source, first: Table) -> dict[str, Column]:
    """The columns of the file with the test part, to be read as those of the first one."""
    for name in first.columns:
        if name not in source.names:
            names = listed(source.names)
            raise ValueError(f"{source.file}: it has no column {quoted(name)}, as {first.file} has; it has: {names}.")
    return {
        name: Column(source.file, name, column.kind, column.notation, column.most)
        for name, column in first.columns.items()
    }


def _complete(table: Table, reading: Reading) -> NDArray[np.bool_]:
    """Which rows stay (rows,); refuses missing values unless the user chose what is done about them."""
    gaps = {name: np.isnan(column.values) for name, column in table.columns.items()}
    rows: NDArray[np.bool_] = np.logical_or.reduce(list(gaps.values()))
    if reading.missing == "drop":
        return ~rows
    if reading.missing == "mean":
        rows = gaps[reading.target]
    if rows.any():
        row = int(rows.argmax())
        name = reading.target if reading.missing == "mean" else next(name for name, gap in gaps.items() if gap[row])
        helps = "missing: drop" if name == reading.target else "missing: drop, or missing: mean"
        raise table.columns[name].error(int(table.lines[row]), f"the value is missing; expected: a value, or {helps}")
    return ~rows


def _one_hot(column: Column, categories: list[str]) -> NDArray[np.float64]:
    """(rows, categories): 1 where the row has the category; NaN where its value is missing."""
    numbers = {name: number for number, name in enumerate(categories)}
    places = np.array([numbers.get(name, -1) for name in column.codes], dtype=np.int64)  # of each code
    present = ~np.isnan(column.values)
    inputs = np.zeros((len(present), len(categories)))
    inputs[~present] = np.nan
    rows, positions = np.flatnonzero(present), places[column.values[present].astype(np.int64)]
    inputs[rows[positions >= 0], positions[positions >= 0]] = 1.0
    return inputs


def _inputs(table: Table, first: Table, target: str, keep: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The inputs (rows, inputs) of a table, laid out as those of the first file."""
    blocks = []
    categories = {name: sorted(first.columns[name].codes) for name in first.columns}
    width = sum(len(categories[name]) or 1 for name in first.columns if name != target)
    require_limit(table.file, len(table), width)
    for name, column in table.columns.items():
        if name == target:
            continue
        values = _one_hot(column, categories[name]) if column.kind == "category" else column.values[:, None]
        blocks.append(values[keep])
    return np.concatenate(blocks, axis=1)


def _classes(table: Table, target: str, keep: NDArray[np.bool_]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The names of the classes that occur in these rows, and the class of each row."""
    column = table.columns[target]
    codes, inverse = np.unique(column.values[keep].astype(np.int64), return_inverse=True)
    names = list(column.codes)
    classes, of_code = numbered([names[code] for code in codes])
    targets = of_code[inverse]
    where = f"{table.file}, column {quoted(target)}"
    require_two_classes(where, classes)
    counts = np.bincount(targets)
    if counts.min() < 2:
        rare = int(counts.argmin())
        line = int(table.lines[keep][targets == rare][0])
        advice = TO_REGRESSION if len(classes) > len(targets) // 2 else ""
        raise column.error(line, f"class {quoted(classes[rare])} has only this row; expected: two or more{advice}")
    return classes, targets


def _classes_like(table: Table, target: str, keep: NDArray[np.bool_], classes: tuple[str, ...]) -> NDArray[np.int64]:
    """The class of each row of the file with the test part; refuses one that the first file does not have."""
    column = table.columns[target]
    values, of_code = column.values[keep].astype(np.int64), np.zeros(len(column.codes), dtype=np.int64)
    for name, code in column.codes.items():
        with_name, numbers = numbered([*classes, name])
        if len(with_name) == len(classes):
            of_code[code] = numbers[-1]
        elif (values == code).any():
            line = int(table.lines[keep][values == code][0])
            expected = f"one of its classes ({listed(classes)})"
            raise column.error(line, f"{quoted(name)} is no class of the first file; expected: {expected}")
    return of_code[values]


@lru_cache(maxsize=CACHE_SIZE)
def _load(file: Stamp, test_file: Stamp | None, reading: Reading) -> Loaded:
    source = Source(Path(file[0]), reading.layout)
    table = source.table(_columns(source, reading))
    keep = _complete(table, reading)
    require_enough(table.file, int(keep.sum()), "rows" if keep.all() else "rows without a missing value")
    inputs = _inputs(table, table, reading.target, keep)
    classes: tuple[str, ...] = ()
    targets: NDArray[Any] = table.columns[reading.target].values[keep]
    if reading.classification:
        classes, targets = _classes(table, reading.target, keep)
    elif (targets == targets[0]).all():
        where = f"{table.file}, column {quoted(reading.target)}"
        raise ValueError(f"{where}: the target is {targets[0]:g} in every row; expected: different numbers.")
    if test_file is None:
        return Loaded(*divided(inputs, targets, reading.test_fraction, len(classes)), classes)
    source = Source(Path(test_file[0]), reading.layout)
    test_table = source.table(_columns_like(source, table))
    keep = _complete(test_table, reading)
    if not keep.any():
        raise ValueError(f"{test_table.file}: every row has a missing value; expected: at least one without.")
    test_targets: NDArray[Any] = test_table.columns[reading.target].values[keep]
    if reading.classification:
        test_targets = _classes_like(test_table, reading.target, keep, classes)
    test_inputs = _inputs(test_table, table, reading.target, keep)
    return Loaded(Examples(inputs, targets), Examples(test_inputs, test_targets), classes)


class CsvTable(Tabular):
    """A table in a text file: rows are examples, a column is the target, the others are inputs.

    Args:
        path: The file with the table, its path as seen from the data folder; it may be packed with gzip.
        target: The column to predict.
        delimiter: What divides the columns; auto finds out.
        header: The first line holds the names of the columns; without one they are called 1, 2, ...
        decimal: What divides the decimals of a number.
        thousands: What divides the thousands of a number; auto takes a comma or point for it where that can mean
            nothing else (1,234,567 or 1,234.5), and asks where it is not sure.
        leave_out: Columns that are no inputs, divided by commas.
        categories: Columns of numbers that stand for kinds of something, divided by commas; columns of text need not
            be listed.
        missing: What is done about missing values: refuse them, drop their rows, or fill in the mean of the training
            part.
        test_path: A file of its own with the test part; if left empty, the test part is a share of the rows.
        test_fraction: The share of the rows that becomes the test part, the same rows in every run.
    """

    classification: ClassVar[bool]

    def __init__(
        self,
        *,
        path: Annotated[str, MinLen(1)] = "",
        target: Annotated[str, MinLen(1)] = "",
        delimiter: Literal["auto", "comma", "semicolon", "tab"] = "auto",
        header: bool = True,
        decimal: Literal["point", "comma"] = "point",
        thousands: Literal["auto", "comma", "point", "space", "apostrophe"] = "auto",
        leave_out: str = "",
        categories: str = "",
        missing: Literal["refuse", "drop", "mean"] = "refuse",
        test_path: str = "",
        test_fraction: Annotated[float, Interval(gt=0, lt=1)] = 0.2,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        choices: Mapping[str, tuple[str, tuple[str, ...]]] = {
            "delimiter": (delimiter, ("auto", *DELIMITERS)),
            "decimal": (decimal, tuple(DECIMALS)),
            "thousands": (thousands, tuple(name for name in THOUSANDS if name != decimal)),
            "missing": (missing, ("refuse", "drop", "mean")),
        }
        for key, (value, allowed) in choices.items():
            if value not in allowed:
                raise refused(key, value, ", ".join(allowed), allowed)
        require("test_fraction", test_fraction, 0 < test_fraction < 1, "between 0 and 1")
        file = find("path", path)
        test_file = find("test_path", test_path) if test_path else None
        reading = Reading(
            target.strip(),
            self.classification,
            Layout(delimiter, header, Notation(decimal, thousands)),
            _listed_columns("leave_out", leave_out),
            _listed_columns("categories", categories),
            missing,
            test_fraction,
        )
        self.loaded = _load(stamp(file), stamp(test_file) if test_file else None, reading)
        files = [file.name, *([test_file.name] if test_file else [])]
        self.source = f"{' and '.join(files)}, target {target.strip()}"


class Scaled(Tabular):
    """A regression whose target may be of any size.

    Args:
        scale_target: Count the target from its mean in steps of its standard deviation, both of all rows outside the
            test part and so the same in every run; an error of 1 is then that of always answering the mean.
    """

    def __init__(self, *, scale_target: bool = True, **common: Any) -> None:
        super().__init__(**common)
        self.scale_target = scale_target


class CsvRegression(CsvTable, Scaled):
    """A number to predict from the columns of a CSV or TSV file of your own."""

    task = "regression"
    classification = False

    def __init__(self, **common: Any) -> None:
        super().__init__(**common)
        targets = self.loaded.pool.targets
        self.origin, self.unit = (
            (float(targets.mean()), float(targets.std()) or 1.0) if self.scale_target else (0.0, 1.0)
        )
        if self.scale_target:
            self.source += f", counted from {self.origin:.6g} in steps of {self.unit:.6g}"

    def examples(self) -> tuple[Examples, Examples]:
        return self._in_units(self.loaded.pool), self._in_units(self.loaded.test)

    def _in_units(self, examples: Examples) -> Examples:
        return Examples(examples.inputs, (examples.targets - self.origin) / self.unit)


class CsvClassification(CsvTable, FileClassification):
    """Classes to predict from the columns of a CSV or TSV file of your own."""

    classification = True

    def __init__(self, **common: Any) -> None:
        super().__init__(**common)
        self.use(self.loaded, self.source)
