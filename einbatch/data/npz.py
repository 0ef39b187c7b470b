"""NumPy's `.npz`: a zip of named arrays. Never unpickles; read member by member."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from einbatch.data.datafile import Array, DataFile, Stored, damaged, resolve_dtype, shown
from einbatch.data.npy import read_header
from einbatch.data.replace import replacing
from einbatch.data.stored import place_array

COLUMNS: bool = False
SUFFIX = ".npy"
LOCAL_HEADER = 30
"""Bytes of what stands before a member's name (PKWARE's APPNOTE, 4.3.7)."""

TROUBLE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a compression that zipfile does not know
    RuntimeError,  # an encrypted member
    ValueError,
    OverflowError,
    OSError,  # a seek to before the file's start
)


def names(file: DataFile) -> tuple[str, ...]:
    """The arrays in the archive, in its order."""
    with _opened(file) as archive:
        members = dict.fromkeys(archive.namelist())
    return tuple(name.removesuffix(SUFFIX) for name in members if name.endswith(SUFFIX))


def read(file: DataFile, names: Sequence[str]) -> dict[str, Array | Stored]:
    """The arrays of these names; those that are read stay within the file's limit together."""
    arrays: dict[str, Array | Stored] = {}
    left = file.limit
    with _opened(file) as archive:
        for name in names:
            where = f"{shown(name)} in {shown(file.name)}"
            with _told(where):
                array = _read_member(file, archive, name + SUFFIX, where, left)
            arrays[name] = array
            left -= array.nbytes if isinstance(array, np.ndarray) else 0
    return arrays


def _read_member(
    file: DataFile, archive: zipfile.ZipFile, name: str, where: str, left: int
) -> Array | Stored:
    member = archive.getinfo(name)
    with archive.open(member) as stream:
        layout, length = read_header(stream, where)
        start = _start(file, member) if member.compress_type == zipfile.ZIP_STORED else None
        offset = None if start is None else start + length
        present = member.file_size - length
        if offset is not None and offset + present > file.size:
            raise damaged(where, "it ends behind the end of its file")
        array = place_array(file, stream, layout, where, present=present, offset=offset, limit=left)
        # Reaching the end is also what checks the checksum, of an array that was read.
        more = stream.read(1) if isinstance(array, np.ndarray) else present > layout.nbytes
        if more:
            raise damaged(where, "more bytes follow than its array has")
    return array


def _start(file: DataFile, member: zipfile.ZipInfo) -> int:
    """Where a member's bytes begin: behind its local header, which has two lengths of its own."""
    place = file.stream.tell()
    file.stream.seek(member.header_offset)
    header = file.stream.read(LOCAL_HEADER)
    file.stream.seek(place)
    name, extra = (int.from_bytes(header[k : k + 2], "little") for k in (26, 28))
    return member.header_offset + LOCAL_HEADER + name + extra


def save_npz(path: Path, arrays: Mapping[str, ArrayLike], *, texts: bool = False) -> None:
    """Writes the arrays under their names, whole or not at all.

    Any name will do, `W.grad` and `h̃` too. Raises EinbatchError where an array is
    not of numbers (nor, with `texts`, of text) or the file cannot be written.
    """
    with replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, value in arrays.items():
            array = np.asarray(value)
            if not texts or array.dtype.kind != "U":
                resolve_dtype(array.dtype.str, shown(name))
            with archive.open(zipfile.ZipInfo(name + SUFFIX), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


@contextmanager
def _opened(file: DataFile) -> Generator[zipfile.ZipFile]:
    file.stream.seek(0)
    with _told(shown(file.name)):
        archive = zipfile.ZipFile(file.stream)
    with archive:
        yield archive


@contextmanager
def _told(where: str) -> Generator[None]:
    """Turns what a broken zip raises into an error with the file's name."""
    try:
        yield
    except TROUBLE as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise damaged(where, f"as a zip archive it is not readable ({reason})") from None
