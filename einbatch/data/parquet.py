"""Parquet files, read a part of a row group at a time. Needs pyarrow (`einbatch[data]`)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from einbatch.data.datafile import Array, DataFile, Labels, Stored
from einbatch.data.tables import (
    BATCH_BYTES,
    Pyarrow,
    check_distinct,
    pyarrow,
    read_columns,
    row_bytes,
    told,
)

COLUMNS: bool = True

LONGEST_TEXT = 4 << 20
MOST_PARTS = 1 << 18
"""Limits of what a footer may hold."""


def names(file: DataFile) -> tuple[str, ...]:
    """The columns."""
    with _opened(file) as table:
        return check_distinct(table.schema_arrow.names, file)


def read(file: DataFile, names: Sequence[str]) -> dict[str, Array | Stored | Labels]:
    """The columns of these names, [n] each, or [n, k] where they hold lists of k numbers."""
    with _opened(file) as table:
        size = max(1, BATCH_BYTES // row_bytes(table.schema_arrow, names, file))
        batches = table.iter_batches(batch_size=size, columns=list(names), use_threads=False)
        return read_columns(file, names, table.schema_arrow, batches)


@contextmanager
def _opened(file: DataFile) -> Generator[Pyarrow]:
    parquet = pyarrow(file, ".parquet")
    file.stream.seek(0)
    with told(file):
        yield parquet.ParquetFile(
            file.stream,
            pre_buffer=False,
            buffer_size=1 << 20,
            thrift_string_size_limit=LONGEST_TEXT,
            thrift_container_size_limit=MOST_PARTS,
        )
