"""Arrays by name in safetensors files, read one by one.

Eight bytes with the length of a header, the header in JSON (name → dtype, shape,
place), then the elements (https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from einbatch.data.datafile import Array, DataFile, Stored, damaged, resolve_dtype, shown
from einbatch.data.parameters import DTYPES, RESERVED
from einbatch.data.stored import Layout, place_array

COLUMNS: bool = False

LONGEST_HEADER = 4 << 20
"""Bytes; what is made of it takes some ten times as many."""


def names(file: DataFile) -> tuple[str, ...]:
    """The arrays in the file, in the order of its header."""
    return tuple(name for name in _header(file)[0] if name != RESERVED)


def read(file: DataFile, names: Sequence[str]) -> dict[str, Array | Stored]:
    """The arrays of these names; those that are read stay within the file's limit together."""
    header, start = _header(file)
    arrays: dict[str, Array | Stored] = {}
    left = file.limit
    for name in names:
        where = f"{shown(name)} in {shown(file.name)}"
        layout, begin, end = _entry(header[name], where)
        if end - begin != layout.nbytes:
            raise damaged(
                where, f"its shape takes {layout.nbytes:,} bytes, its place {end - begin:,}"
            )
        offset = start + begin
        file.stream.seek(min(offset, file.size))
        present = file.size - offset
        array = place_array(
            file, file.stream, layout, where, present=present, offset=offset, limit=left
        )
        arrays[name] = array
        left -= array.nbytes if isinstance(array, np.ndarray) else 0
    return arrays


def _header(file: DataFile) -> tuple[Mapping[str, object], int]:
    """The header, and where the elements begin."""
    where = shown(file.name)
    file.stream.seek(0)
    length = int.from_bytes(file.stream.read(8), "little")
    if file.size < 8 or length > file.size - 8:
        raise damaged(where, "it does not begin as a safetensors file does")
    if length > LONGEST_HEADER:
        raise damaged(where, f"its header claims to be {length:,} bytes long")
    try:
        header: object = json.loads(file.stream.read(length), object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        reason = str(error).split("\n")[0]
        raise damaged(where, f"its header is no JSON ({reason})") from None
    if not isinstance(header, dict):
        raise damaged(where, "its header is no JSON object")
    return cast("dict[str, object]", header), 8 + length


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _entry(entry: object, where: str) -> tuple[Layout, int, int]:
    """Dtype and shape of an array, and where its bytes begin and end behind the header."""
    found = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
    descr, shape, place = (found.get(key) for key in ("dtype", "shape", "data_offsets"))
    extents, ends = _naturals(shape), _naturals(place)
    if not isinstance(descr, str) or extents is None or ends is None or len(ends) != 2:
        raise damaged(where, "its header does not give a dtype, a shape and a place")
    return Layout(resolve_dtype(DTYPES.get(descr, descr), where), extents), ends[0], ends[1]


def _naturals(value: object) -> tuple[int, ...] | None:
    """A JSON list of integers from 0 to 2^63−1."""
    items = cast("list[object]", value) if isinstance(value, list) else [None]
    fit = all(type(item) is int and 0 <= item < 2**63 for item in items)
    return tuple(cast("list[int]", items)) if fit else None
