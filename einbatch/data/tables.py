"""Columns of Parquet and Arrow files, which pyarrow reads batch by batch."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from math import prod
from typing import Any

import numpy as np

from einbatch.data.datafile import (
    RAISE_ALLOWANCE,
    Array,
    DataFile,
    Labels,
    Stored,
    damaged,
    no_labels,
    no_numbers,
    shown,
)
from einbatch.data.labels import label
from einbatch.data.spool import Spool
from einbatch.diagnostics import EinbatchError, fail

BATCH_BYTES = 4 << 20
"""Bytes of a batch, or one row."""
OF_A_TEXT = 200

Pyarrow = Any  # Any: pyarrow brings no types.


def pyarrow(file: DataFile, module: str = "") -> Pyarrow:
    """The package, or a module of it; E0610 where it is not installed."""
    return load_pyarrow(file.name, "read", module)


def load_pyarrow(name: str, done: str, module: str = "") -> Pyarrow:
    """What reads or writes (`done`) the file `name`; E0610 where it is not installed."""
    try:
        return import_module(f"pyarrow{module}")
    except ImportError:
        raise fail(
            "E0610",
            f"{shown(name)} is {done} by pyarrow, which is not installed",
            help="install it: `pip install 'einbatch[data]'`",
        ) from None


@contextmanager
def told(file: DataFile) -> Generator[None]:
    """Turns what pyarrow raises into an error with the file's name."""
    trouble = (pyarrow(file).ArrowException, OSError, ValueError, TypeError, KeyError)
    trouble = (*trouble, OverflowError, NotImplementedError, IndexError, MemoryError)
    try:
        yield
    except EinbatchError:
        raise
    except trouble as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise damaged(shown(file.name), f"pyarrow cannot read it ({reason})") from None


@dataclass(slots=True)
class _Texts:
    """A column's texts, each a number in order of first occurrence."""

    codes: list[Array] = field(default_factory=list[Array])
    known: dict[str, int] = field(default_factory=dict[str, int])
    size: int = 0

    def add(self, column: Pyarrow) -> None:
        encoded = column.dictionary_encode()
        texts: list[str] = encoded.dictionary.to_pylist()
        for text in texts:
            if text not in self.known:
                self.known[text] = len(self.known)
                self.size += len(text) * 4 + OF_A_TEXT
        table = np.array([self.known[text] for text in texts], np.int64)
        self.codes.append(table[encoded.indices.to_numpy(zero_copy_only=False)])
        self.size += 8 * len(column)

    def finish(self) -> Labels:
        return label(np.concatenate([np.zeros(0, np.int64), *self.codes]), self.known)


def row_bytes(schema: Pyarrow, names: Sequence[str], file: DataFile) -> int:
    """The bytes that a row of some columns takes; E0606 where one is not of numbers."""
    return max(1, sum(_bytes_of(schema.field(name).type, name, file) for name in names))


def read_columns(
    file: DataFile, names: Sequence[str], schema: Pyarrow, batches: Iterable[Pyarrow]
) -> dict[str, Array | Stored | Labels]:
    """The columns of these names out of record batches that have them all."""
    types = {name: schema.field(name).type for name in names}
    texts = {name: _Texts() for name in names if _is_text(types[name], file)}
    if texts and not file.texts:
        raise no_labels(f"{shown(next(iter(texts)))} in {shown(file.name)}")
    numbers = [name for name in names if name not in texts]
    fields = {name: _numeric(types[name], name, file) for name in numbers}
    # Not under the columns' own names, which need not be those of fields.
    keys = {name: f"f{number}" for number, name in enumerate(numbers)}
    record = np.dtype([(keys[name], *fields[name]) for name in numbers])
    row = 0
    with closing(Spool(file, record)) as spool:
        for batch in batches:
            batch.validate(full=True)
            columns = {name: _decoded(batch.column(name)) for name in names}
            for name, column in columns.items():
                _check_nulls(column, name, row, file)
            records = np.empty(batch.num_rows, record)
            for name in numbers:
                records[keys[name]] = _to_numpy(columns[name], fields[name][1])
            spool.add(records)
            for name, column in texts.items():
                column.add(columns[name])
            _check_texts(texts, file)
            row += batch.num_rows
        found = spool.finish()
    return {name: texts[name].finish() if name in texts else found[keys[name]] for name in names}


def check_distinct(names: Sequence[str], file: DataFile) -> tuple[str, ...]:
    """The columns' names; E0607 where two are the same."""
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise damaged(shown(file.name), f"two of its columns are named {shown(twice)}")
    return tuple(names)


def _is_text(kind: Pyarrow, file: DataFile) -> bool:
    types = pyarrow(file).types
    if types.is_dictionary(kind):
        return _is_text(kind.value_type, file)
    return bool(types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view")


def _numeric(kind: Pyarrow, name: str, file: DataFile) -> tuple[str, tuple[int, ...]]:
    """The dtype of a column's elements, and a row's shape; E0606 where they are not numbers."""
    types = pyarrow(file).types
    if types.is_dictionary(kind):
        return _numeric(kind.value_type, name, file)
    if types.is_fixed_size_list(kind):
        dtype, shape = _numeric(kind.value_type, name, file)
        return dtype, (int(kind.list_size), *shape)
    if types.is_boolean(kind):
        return "?", ()
    if types.is_integer(kind) or types.is_floating(kind):
        return np.dtype(kind.to_pandas_dtype()).str, ()
    where = f"{shown(name)} in {shown(file.name)}"
    listed = types.is_list(kind) or types.is_large_list(kind)
    what = "lists of no fixed size" if listed else f"values of type {shown(str(kind), 60)}"
    raise no_numbers(where, what)


def _bytes_of(kind: Pyarrow, name: str, file: DataFile) -> int:
    if _is_text(kind, file):
        return 16
    dtype, shape = _numeric(kind, name, file)
    return np.dtype(dtype).itemsize * prod(shape)


def _decoded(column: Pyarrow) -> Pyarrow:
    return column.dictionary_decode() if hasattr(column, "dictionary_decode") else column


def _to_numpy(column: Pyarrow, shape: tuple[int, ...]) -> Array:
    rows = len(column)
    for _ in shape:
        column = column.flatten()
    numbers: Array = column.to_numpy(zero_copy_only=False)
    return numbers.reshape(rows, *shape)


def _check_nulls(column: Pyarrow, name: str, row: int, file: DataFile) -> None:
    """E0608 where a value of a column, or in its lists, is missing."""
    of_a_row = 1
    while not column.null_count:
        if not hasattr(column.type, "list_size"):
            return
        of_a_row *= int(column.type.list_size)
        column = column.flatten()
    nulls: Array = column.is_null().to_numpy(zero_copy_only=False)
    first = row + int(np.argmax(nulls)) // of_a_row + 1
    what = "the value is missing" if of_a_row == 1 else "a value of its list is missing"
    raise fail(
        "E0608",
        f"{shown(file.name)}, row {first:,}, column {shown(name)}: {what}",
        help="a column has a value in every row: fill the missing ones, or leave their rows out",
    )


def _check_texts(texts: Mapping[str, _Texts], file: DataFile) -> None:
    size = sum(column.size for column in texts.values())
    if size > file.limit:
        raise fail(
            "E0710",
            f"the labels in {shown(file.name)} take more than {size:,} bytes;"
            f" the memory allowance leaves {file.limit:,}",
            help=RAISE_ALLOWANCE,
        )
