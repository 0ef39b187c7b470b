"""NumPy's `.npy`: one array without a name. Never unpickles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from einbatch.data.datafile import Array, DataFile, check_size, damaged, resolve_dtype, shown

COLUMNS: bool = False

MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 10_000
LARGEST_EXTENT = 2**48
MOST_AXES = 32
CHUNK = 1 << 20

# A header is the text of a Python dict. These read what a header of plain
# numbers can hold, and evaluate nothing.
DESCR = re.compile(r"""(['"])descr\1\s*:\s*(?:(['"])([^'"]*)\2|(\[))""")
ORDER = re.compile(r"""(['"])fortran_order\1\s*:\s*(True|False)\b""")
SHAPE = re.compile(r"""(['"])shape\1\s*:\s*\(((?:\s*[0-9]{1,19}L?\s*(?:,|(?=\)))){0,64})\s*\)""")


@dataclass(frozen=True, slots=True)
class Header:
    """What an `.npy` says of its array before the array's bytes begin."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran_order: bool
    length: int
    """Bytes before the data."""


def names(file: DataFile) -> tuple[str, ...]:
    """The one array, which has no name."""
    return ("",)


def read(file: DataFile, names: Sequence[str]) -> dict[str, Array]:
    """The array, as `{"": array}`."""
    file.stream.seek(0)
    where = shown(file.name)
    return {name: read_array(file.stream, file.size, where, file.limit) for name in names}


def read_array(stream: IO[bytes], size: int, where: str, limit: int) -> Array:
    """The array of an `.npy` of `size` bytes; nothing is allocated before the header is checked."""
    header = read_header(stream, where)
    needed = check_size(header.shape, header.dtype.itemsize, where, limit)
    present = size - header.length
    if present < needed:
        raise damaged(where, f"its header announces {needed:,} bytes, and {present:,} follow")
    buffer = np.empty(needed, np.uint8)
    _fill(buffer.data, stream, where)
    if header.dtype.kind == "b":
        buffer = (buffer != 0).view(np.uint8)
    flat = buffer.view(header.dtype)
    try:
        array = flat.reshape(header.shape, order="F" if header.fortran_order else "C")
    except ValueError:
        raise damaged(where, "its shape is not one that an array can have") from None
    return array.astype(header.dtype.newbyteorder("="), copy=False)


def read_header(stream: IO[bytes], where: str) -> Header:
    """The header at the stream's position, checked; the stream then stands at the data."""
    start = stream.read(8)
    if len(start) < 8 or start[:6] != MAGIC:
        raise damaged(where, "it does not begin as an .npy file does")
    major = start[6]
    if major not in (1, 2, 3):
        raise damaged(where, f"its .npy version {major}.{start[7]} is unknown")
    width = 2 if major == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    if length > LONGEST_HEADER:
        raise damaged(where, f"its header claims to be {length:,} bytes long")
    text = stream.read(length).decode("latin-1")
    if len(text) < length:
        raise damaged(where, "it ends inside its header")
    descr, order, shape = (list(form.finditer(text)) for form in (DESCR, ORDER, SHAPE))
    if not len(descr) == len(order) == len(shape) == 1:
        raise damaged(where, "its header does not give one dtype, one order and one shape")
    dtype = resolve_dtype("V" if descr[0][4] else descr[0][3], where)
    extents = tuple(int(digits) for digits in re.findall("[0-9]+", shape[0][2]))
    if len(extents) > MOST_AXES or any(extent > LARGEST_EXTENT for extent in extents):
        raise damaged(where, "its shape is not one that an array can have")
    return Header(dtype, extents, order[0][2] == "True", 8 + width + length)


def _fill(view: memoryview, stream: IO[bytes], where: str) -> None:
    done = 0
    while done < len(view):
        piece = stream.read(min(CHUNK, len(view) - done))
        if not piece:
            raise damaged(where, f"it ends after {done:,} of its array's {len(view):,} bytes")
        view[done : done + len(piece)] = piece
        done += len(piece)
