"""Tables of comma-separated values (RFC 4180), UTF-8, with a header row of column names.

In an `.tsv` tabs separate them.
"""

from __future__ import annotations

import csv
import io
import math
import re
from array import array
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from einbatch.data.datafile import RAISE_ALLOWANCE, Array, DataFile, Labels, Stored, shown
from einbatch.data.labels import label
from einbatch.diagnostics import EinbatchError, fail

COLUMNS: bool = True

LONGEST_LINE = 1 << 20
INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
SPECIAL = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)


OF_A_TEXT = 100
"""Bytes that a text takes beside its letters."""


class Column:
    """A column's numbers: int64 for as long as all are integers, float64 from then on."""

    __slots__ = ("floats", "integers")

    def __init__(self) -> None:
        self.integers: array[int] = array("q")
        self.floats: array[float] | None = None

    def append(self, cell: str) -> int:
        """Adds a cell's number: the bytes it takes. ValueError where it is not a number."""
        if self.floats is None:
            if INTEGER.fullmatch(cell) and -(2**63) <= int(cell) < 2**63:
                self.integers.append(int(cell))
                return 8
            number = _number(cell)
            self.floats = array("d", self.integers)
            self.floats.append(number)
        else:
            self.floats.append(_number(cell))
        return 8

    def finish(self) -> Array:
        """The numbers, [n]."""
        if self.floats is None:
            return np.array(self.integers, np.int64)
        return np.array(self.floats, np.float64)


class Texts:
    """A column's texts, each a number in order of first occurrence."""

    __slots__ = ("codes", "known")

    def __init__(self) -> None:
        self.codes: array[int] = array("q")
        self.known: dict[str, int] = {}

    def append(self, cell: str) -> int:
        """Adds a cell: the bytes it takes. ValueError where it is empty, or a number."""
        number = self.known.get(cell)
        if number is not None:
            self.codes.append(number)
            return 8
        if not cell:
            raise ValueError("the cell is empty")
        if _is_number(cell):
            raise ValueError(f"{shown(cell, 40)} is a number, and the cells above are class names")
        self.codes.append(len(self.known))
        self.known[cell] = len(self.known)
        return 8 + 4 * len(cell) + OF_A_TEXT

    def finish(self) -> Labels:
        """The texts as classes."""
        return label(np.array(self.codes, np.int64), self.known)


def names(file: DataFile) -> tuple[str, ...]:
    """The columns that the header names."""
    with _rows(file) as rows:
        return _header(rows, file)


def read(file: DataFile, names: Sequence[str]) -> dict[str, Array | Stored | Labels]:
    """The columns of these names, [n] each; one that begins with a text is of labels."""
    with _rows(file) as rows:
        header = _header(rows, file)
        places = [(_place(header, name, file), name) for name in names]
        columns: list[tuple[int, str, Column | Texts]] = []
        count = size = 0
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise _bad(
                    file,
                    f"line {rows.line_num}",
                    f"the header names {len(header)} columns, this row has {len(row)}",
                )
            count += 1
            columns = columns or [(k, name, _column(row[k], file)) for k, name in places]
            for place, name, column in columns:
                try:
                    size += column.append(row[place].strip())
                except ValueError as error:
                    at = f"line {rows.line_num}, column {shown(name)}"
                    raise _bad(file, at, str(error)) from None
            if size > file.limit:
                raise _too_large(file, count)
    empty = {name: Column().finish() for name in names}
    return {**empty, **{name: column.finish() for _, name, column in columns}}


def _column(cell: str, file: DataFile) -> Column | Texts:
    """What a column is of, by its first cell."""
    text = cell.strip()
    is_text = file.texts and bool(text) and not _is_number(text)
    return Texts() if is_text else Column()


class _Rows(Iterator[list[str]]):
    """The rows of a table; what the csv module raises becomes an error with the line."""

    def __init__(self, text: io.TextIOBase, file: DataFile) -> None:
        self._file = file
        delimiter = "\t" if file.name.lower().endswith(".tsv") else ","
        self._reader = csv.reader(self._lines(text), strict=True, delimiter=delimiter)

    @property
    def line_num(self) -> int:
        return self._reader.line_num

    def __next__(self) -> list[str]:
        try:
            return next(self._reader)
        except csv.Error as error:
            raise _bad(self._file, f"line {self.line_num}", str(error)) from None
        except UnicodeDecodeError:
            at = f"after line {self.line_num}"
            raise _bad(self._file, at, "the bytes are not UTF-8 text") from None

    def _lines(self, text: io.TextIOBase) -> Iterator[str]:
        number = 0
        while line := text.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise _bad(
                    self._file, f"line {number}", f"it is longer than {LONGEST_LINE:,} characters"
                )
            yield line


@contextmanager
def _rows(file: DataFile) -> Generator[_Rows]:
    file.stream.seek(0)
    text = io.TextIOWrapper(file.stream, encoding="utf-8-sig", newline="")
    try:
        yield _Rows(text, file)
    finally:
        text.detach()  # else it would close the stream, which is the caller's


def _header(rows: _Rows, file: DataFile) -> tuple[str, ...]:
    header = tuple(name.strip() for name in next(rows, ()))
    if not any(header):
        raise _bad(file, "line 1", "there is no header row that names the columns")
    if all(NUMBER.fullmatch(name) for name in header):
        raise _bad(file, "line 1", "it holds numbers where the columns' names should be")
    return header


def _place(header: tuple[str, ...], name: str, file: DataFile) -> int:
    if header.count(name) > 1:
        raise _bad(file, "line 1", f"{header.count(name)} columns are named {shown(name)}")
    return header.index(name)


def _is_number(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell) or SPECIAL.fullmatch(cell))


def _number(cell: str) -> float:
    if NUMBER.fullmatch(cell):
        number = float(cell)
        if math.isinf(number):
            raise ValueError(f"{shown(cell, 40)} is too large for a float64")
        return number
    if SPECIAL.fullmatch(cell):
        return float(cell)
    raise ValueError(f"{shown(cell, 40)} is not a number" if cell else "the cell is empty")


def _bad(file: DataFile, at: str, reason: str) -> EinbatchError:
    return fail(
        "E0608",
        f"{shown(file.name)}, {at}: {reason}",
        help="a table is a row of column names, then one number per column in every row",
    )


def _too_large(file: DataFile, count: int) -> EinbatchError:
    return fail(
        "E0710",
        f"{shown(file.name)} takes more than {file.limit:,} bytes from row {count:,} on,"
        " which is what the memory allowance leaves",
        help=RAISE_ALLOWANCE,
    )
