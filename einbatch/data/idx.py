"""MNIST's idx files, as they are or as `.gz`: one array without a name.

Two zero bytes, one for the type, one for the number of axes, the extents as 32-bit
integers, then the elements; all big-endian (http://yann.lecun.com/exdb/mnist/).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import IO, cast

import numpy as np

from einbatch.data.datafile import Array, DataFile, Stored, damaged, shown
from einbatch.data.stored import Layout, place_array

COLUMNS: bool = False

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
DENSEST = 1032
"""The most bytes that one byte of a gzip file can stand for (https://zlib.net/zlib_tech.html)."""


def names(file: DataFile) -> tuple[str, ...]:
    """The one array, which has no name."""
    return ("",)


def read(file: DataFile, names: Sequence[str]) -> dict[str, Array | Stored]:
    """The array, as `{"": array}`."""
    where = shown(file.name)
    packed = file.name.lower().endswith(".gz")
    with _unpacked(file, packed) as stream:
        layout, length = _header(stream, where)
        present = file.size * DENSEST if packed else file.size - length
        offset = None if packed else length
        array = place_array(file, stream, layout, where, present=present, offset=offset)
        more = stream.read(1) if isinstance(array, np.ndarray) else present > layout.nbytes
        if more:
            raise damaged(where, "more bytes follow than its array has")
    return dict.fromkeys(names, array)


def _header(stream: IO[bytes], where: str) -> tuple[Layout, int]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise damaged(where, "it does not begin as an idx file does")
    if magic[2] not in TYPES:
        raise damaged(where, f"its type {magic[2]:#04x} is none of idx")
    length = 4 * magic[3]
    extents = stream.read(length)
    if len(extents) < length:
        raise damaged(where, "it ends inside its header")
    shape = tuple(int(extent) for extent in np.frombuffer(extents, ">u4"))
    return Layout(np.dtype(TYPES[magic[2]]), shape), 4 + length


@contextmanager
def _unpacked(file: DataFile, packed: bool) -> Generator[IO[bytes]]:
    file.stream.seek(0)
    if not packed:
        yield file.stream
        return
    try:
        with gzip.GzipFile(fileobj=file.stream) as stream:
            yield cast("IO[bytes]", stream)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        reason = str(error).split("\n")[0]
        where = shown(file.name)
        raise damaged(where, f"as a gzip file it is not readable ({reason})") from None
