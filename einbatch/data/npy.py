"""NumPy's `.npy`: one array without a name. Never unpickles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import IO

from einbatch.data.datafile import Array, DataFile, Stored, damaged, resolve_dtype, shown
from einbatch.data.stored import Layout, place_array

COLUMNS: bool = False

MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 10_000

# A header is the text of a Python dict. These read what a header of plain
# numbers can hold, and evaluate nothing.
DESCR = re.compile(r"""(['"])descr\1\s*:\s*(?:(['"])([^'"]*)\2|(\[))""")
ORDER = re.compile(r"""(['"])fortran_order\1\s*:\s*(True|False)\b""")
SHAPE = re.compile(r"""(['"])shape\1\s*:\s*\(((?:\s*[0-9]{1,19}L?\s*(?:,|(?=\)))){0,64})\s*\)""")


def names(file: DataFile) -> tuple[str, ...]:
    """The one array, which has no name."""
    return ("",)


def read(file: DataFile, names: Sequence[str]) -> dict[str, Array | Stored]:
    """The array, as `{"": array}`."""
    file.stream.seek(0)
    where = shown(file.name)
    layout, length = read_header(file.stream, where)
    array = place_array(file, file.stream, layout, where, present=file.size - length, offset=length)
    return dict.fromkeys(names, array)


def read_header(stream: IO[bytes], where: str) -> tuple[Layout, int]:
    """The header at the stream's position, and its length; the stream then stands at the data."""
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
    return Layout(dtype, extents, order[0][2] == "True"), 8 + width + length
