"""Arrow's own files (IPC files and streams, Feather), read batch by batch. Needs pyarrow."""

from __future__ import annotations

import mmap
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

from einbatch.data.datafile import Array, DataFile, Labels, Stored, damaged, shown
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

MAGIC = b"ARROW1"


def names(file: DataFile) -> tuple[str, ...]:
    """The columns."""
    with _opened(file) as reader:
        return check_distinct(reader.schema.names, file)


def read(file: DataFile, names: Sequence[str]) -> dict[str, Array | Stored | Labels]:
    """The columns of these names, [n] each, or [n, k] where they hold lists of k numbers."""
    with _opened(file) as reader:
        fields = sorted(reader.schema.get_field_index(name) for name in names)
    with _opened(file, fields) as reader:
        size = max(1, BATCH_BYTES // row_bytes(reader.schema, names, file))
        return read_columns(file, names, reader.schema, _batches(reader, size))


def _batches(reader: Pyarrow, size: int) -> Iterator[Pyarrow]:
    """The batches, those of many rows in parts."""
    is_file = hasattr(reader, "get_batch")
    whole = map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader
    for batch in whole:
        for start in range(0, batch.num_rows, size):
            yield batch.slice(start, size)


@contextmanager
def _opened(file: DataFile, fields: list[int] | None = None) -> Generator[Pyarrow]:
    arrow, ipc = pyarrow(file), pyarrow(file, ".ipc")
    if file.size < len(MAGIC):
        raise damaged(shown(file.name), "it does not begin as an Arrow file does")
    memory = mmap.mmap(file.stream.fileno(), 0, access=mmap.ACCESS_READ)
    options = ipc.IpcReadOptions(included_fields=fields, use_threads=False)
    open_it = ipc.open_file if memory[: len(MAGIC)] == MAGIC else ipc.open_stream
    with told(file):
        yield open_it(arrow.BufferReader(arrow.py_buffer(memory)), options=options)
