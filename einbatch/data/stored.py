"""Arrays that stay in their file: mapped into memory, a part of it at a time.

What has been read of a mapped file counts as the process's own memory until it is
given back, so that is done soon. The system keeps those pages for as long as it has
room, and a second look costs no disk. Where the parts do not lie one behind the
other, along an axis that is not the first, more is mapped: as much as the system
has room for.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from einbatch.data.datafile import (
    Array,
    DataFile,
    Order,
    Stored,
    check_size,
    damaged,
)

CHUNK = 1 << 20
LARGEST_EXTENT = 2**48
MOST_AXES = 32
PIECES = 16
"""Parts that are read before their pages are given back: Linux may map 2 MiB around each."""
BLOCK = 16 << 20
"""Bytes of an array that is read whole, before their pages are given back."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the bytes of an array lie, as a file's header says."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran_order: bool = False

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return math.prod(self.shape) * self.dtype.itemsize

    def over(self, buffer: memoryview | mmap.mmap | Array, offset: int, where: str) -> Array:
        """An array of this layout over some bytes, its truth values as they are stored."""
        order = "F" if self.fortran_order else "C"
        dtype = np.dtype(np.uint8) if self.dtype.kind == "b" else self.dtype
        try:
            return np.ndarray(self.shape, dtype, buffer, offset, order=order)
        except (ValueError, TypeError):
            raise damaged(where, "its shape is not one that an array can have") from None


class Mapped(Stored):
    """An array whose bytes lie in a file as they are in memory."""

    def __init__(
        self,
        view: Array,
        memory: mmap.mmap,
        where: str,
        *,
        limit: int,
        dtype: np.dtype[Any] | None = None,
        shared: bool = True,
    ) -> None:
        """`view` lies over `memory`; `dtype` is bool where bytes stand for truth values.

        `shared` is False where the mapping holds changes of its own.
        """
        self._view = view
        self._memory = memory
        self._where = where
        self._limit = limit
        self._is_truth = dtype is not None and dtype.kind == "b"
        self._length = memory.size()
        self._gives_back = shared and hasattr(mmap, "MADV_DONTNEED")
        self.shape = view.shape
        self.dtype = np.dtype(bool) if self._is_truth else view.dtype.newbyteorder("=")

    @classmethod
    def of(cls, array: Array, where: str, limit: int) -> Mapped | None:
        """An array of the caller's that lies in a mapped file; None for any other."""
        base: Any = array  # Any: whatever holds the memory
        shared = False
        while isinstance(base, np.ndarray):
            shared = shared or (isinstance(base, np.memmap) and base.mode != "c")
            base = base.base
        if not isinstance(base, mmap.mmap):
            return None
        return cls(array, base, where, limit=limit, dtype=array.dtype, shared=shared)

    def take(self, order: Order, axis: int) -> Array:
        """The parts of these numbers along an axis, as an array of the caller's own."""
        shape = (*self.shape[:axis], len(order), *self.shape[axis + 1 :])
        taken = np.empty(shape, self.dtype)
        before = [slice(None)] * axis
        for start in range(0, len(order), PIECES):
            piece = slice(start, start + PIECES)
            # Not `np.take`, which copies an array whole where it is not aligned or native.
            self._read((*before, order[piece]), taken[(*before, piece)])
        return taken

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All of it; E0710 where it is larger than the memory allowance."""
        size = check_size(self.shape, self.dtype.itemsize, self._where, self._limit)
        whole = np.empty(self.shape, self.dtype)
        rows = self.shape[0] if self.shape else 1
        step = max(1, BLOCK * rows // max(size, 1))
        for start in range(0, rows, step):
            part = slice(start, start + step) if self.shape else ...
            self._read(part, whole[part])
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def _read(self, index: Any, into: Array) -> None:  # Any: what NumPy takes as an index
        if self._memory.size() < self._length:  # reading on would end the process
            raise damaged(self._where, "it has become shorter while it was read")
        part = self._view[index]
        into[...] = part != 0 if self._is_truth else part
        if self._gives_back:
            self._memory.madvise(mmap.MADV_DONTNEED)


class SideBySide(Stored):
    """Columns as one array, [n, columns], float64; each is read when it is asked for."""

    def __init__(self, columns: Sequence[Array | Stored], where: str, limit: int) -> None:
        self._columns = columns
        self._where = where
        self._limit = limit
        self.shape = (columns[0].shape[0], len(columns))
        self.dtype = np.dtype(np.float64)

    def take(self, order: Order, axis: int) -> Array:
        """The rows of these numbers, or the columns."""
        if axis == 1:
            return self.__array__()[:, order]
        parts: list[Array] = [column.take(order, 0) for column in self._columns]
        return np.stack([part.astype(np.float64) for part in parts], axis=-1)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All of it; E0710 where it is larger than the memory allowance."""
        check_size(self.shape, 8, self._where, self._limit)
        whole: Array = np.stack([np.asarray(c, np.float64) for c in self._columns], axis=-1)
        return whole if dtype is None else whole.astype(dtype, copy=False)


def place_array(
    file: DataFile,
    stream: IO[bytes],
    layout: Layout,
    where: str,
    *,
    present: int,
    offset: int | None = None,
    limit: int | None = None,
) -> Array | Stored:
    """The array whose bytes come next in `stream`, of which there are `present` at the most.

    Where they begin at `offset` in the file, as they are, a large array stays there.
    Else at most `limit` bytes are read, the file's own limit by default: E0710 where
    it takes more, E0607 where the bytes are not there, before anything is allocated.
    """
    left = file.limit if limit is None else limit
    if len(layout.shape) > MOST_AXES or any(n > LARGEST_EXTENT for n in layout.shape):
        raise damaged(where, "its shape is not one that an array can have")
    if offset is not None and file.keep_from < layout.nbytes <= present:
        memory = mmap.mmap(file.stream.fileno(), 0, access=mmap.ACCESS_READ)
        view = layout.over(memory, offset, where)
        return Mapped(view, memory, where, limit=left, dtype=layout.dtype)
    check_size(layout.shape, layout.dtype.itemsize, where, left)
    if present < layout.nbytes:
        reason = f"its header announces {layout.nbytes:,} bytes, and {present:,} follow"
        raise damaged(where, reason)
    buffer = np.empty(layout.nbytes, np.uint8)
    _fill(buffer.data, stream, where)
    array = layout.over(buffer, 0, where)
    if layout.dtype.kind == "b":
        return array != 0
    return array.astype(layout.dtype.newbyteorder("="), copy=False)


def _fill(view: memoryview, stream: IO[bytes], where: str) -> None:
    done = 0
    while done < len(view):
        piece = stream.read(min(CHUNK, len(view) - done))
        if not piece:
            raise damaged(where, f"it ends after {done:,} of its array's {len(view):,} bytes")
        view[done : done + len(piece)] = piece
        done += len(piece)
