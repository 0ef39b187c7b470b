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

from einbatch.data.datafile import Array, DataFile, damaged, resolve_dtype, shown
from einbatch.data.npy import read_array
from einbatch.data.replace import replacing

COLUMNS: bool = False
SUFFIX = ".npy"

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


def read(file: DataFile, names: Sequence[str]) -> dict[str, Array]:
    """The arrays of these names; together they stay within the file's limit."""
    arrays: dict[str, Array] = {}
    left = file.limit
    with _opened(file) as archive:
        for name in names:
            where = f"{shown(name)} in {shown(file.name)}"
            member = archive.getinfo(name + SUFFIX)
            with _told(where), archive.open(member) as stream:
                arrays[name] = read_array(stream, member.file_size, where, left)
                if stream.read(1):  # reaching the end is also what checks the checksum
                    raise damaged(where, "more bytes follow than its array has")
            left -= arrays[name].nbytes
    return arrays


def save_npz(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """Writes the arrays under their names, whole or not at all.

    Any name will do, `W.grad` and `h̃` too. Raises EinbatchError where an array
    is not of numbers or the file cannot be written.
    """
    with replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, value in arrays.items():
            array = np.asarray(value)
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
