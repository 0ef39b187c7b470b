"""Named arrays out of files: `digits.npz`, `f.npz:key`, `table.csv:a,b,c`."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from einbatch.data import csv, npy, npz
from einbatch.data.datafile import Array, DataFile, Reader, check_size, shown
from einbatch.diagnostics import EinbatchError, Label, Span, fail

FORMATS: dict[str, Reader] = {
    ".npz": npz,
    ".npy": npy,
    ".csv": csv,
}


def load_source(
    reference: str,
    folder: Path | None,
    default_key: str,
    span: Span | None = None,
    *,
    limit_bytes: int,
) -> Array:
    """The array that `reference` names: a path, or a path, a colon and a key.

    Without a key it is the array called `default_key` (an `.npy` has just one).
    With a `folder` the path is the program's: relative to it, and below it after
    symbolic links are resolved. Without one it is the user's own. Raises
    EinbatchError, at `span` if there is one; nothing larger than `limit_bytes`
    is allocated.
    """
    with _labelled(span):
        name, key = split_reference(reference)
        reader = _reader_of(name)
        path = Path(name) if folder is None else resolve_below(folder, name)
        with _opened(path, name, limit_bytes) as file:
            names = reader.names(file)
            if names == ("",):
                if key is not None:
                    raise _nameless(name, key)
                return reader.read(file, names)[""]
            wanted = default_key if key is None else key
            if reader.COLUMNS and "," in wanted and _find_name(wanted, names) is None:
                return _side_by_side(reader, file, wanted, names)
            found = _resolve_name(wanted, names, file, reader)
            return reader.read(file, [found])[found]


def load_all(path: Path, limit_bytes: int, only: Collection[str] | None = None) -> dict[str, Array]:
    """Every array of a file that the user named, keyed by the NFKC form of its name.

    An `.npy` gives one array, under the key `""`; a table gives its columns. With
    `only`, arrays of other names are not read at all, whatever they hold.
    """
    name = str(path)
    reader = _reader_of(name)
    with _opened(path, name, limit_bytes) as file:
        names = reader.names(file)
        if only is not None and names != ("",):
            folded = {_folded(item) for item in only}
            names = tuple(item for item in names if _folded(item) in folded)
        arrays: dict[str, Array] = {}
        for found, array in reader.read(file, names).items():
            if _folded(found) in arrays:
                raise fail(
                    "E0611",
                    f"{shown(name)} has two arrays that are both named {shown(_folded(found))}",
                    help="names are compared in their NFKC form: give one of them another name",
                )
            arrays[_folded(found)] = array
        return arrays


def split_reference(reference: str) -> tuple[str, str | None]:
    """The path and the key; the key follows the last colon that ends a known suffix."""
    end = len(reference)
    while (end := reference.rfind(":", 0, end)) >= 0:
        if Path(reference[:end]).suffix.lower() in FORMATS:
            return reference[:end], reference[end + 1 :]
    return reference, None


def resolve_below(folder: Path, name: str) -> Path:
    """The file that a program means by `name`; E0602 where it is not below `folder`."""
    if os.path.isabs(name):
        raise _outside(name, "is an absolute path")
    if os.path.normpath(name).split(os.sep)[0] == os.pardir:
        raise _outside(name, "leads out of the program's folder by `..`")
    try:
        root = Path(os.path.realpath(folder))
        path = Path(os.path.realpath(root / name))
    except (OSError, ValueError):
        raise _unreadable(name, "its name is not one that a file can have") from None
    if not path.is_relative_to(root):
        raise _outside(name, "leads out of the program's folder by a symbolic link")
    return path


@contextmanager
def _labelled(span: Span | None) -> Generator[None]:
    """Puts the place in the program on errors that have none."""
    try:
        yield
    except EinbatchError as error:
        if span is None:
            raise
        labels = (Label(span),)
        raise EinbatchError(
            item if item.labels else replace(item, labels=labels) for item in error.diagnostics
        ) from None


@contextmanager
def _opened(path: Path, name: str, limit: int) -> Generator[DataFile]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _not_a_file(name, status.st_mode)
        stream = path.open("rb")
    except OSError as error:
        raise _unreadable(name, (error.strerror or str(error)).lower()) from None
    except ValueError:
        raise _unreadable(name, "its name is not one that a file can have") from None
    with stream:
        try:
            yield DataFile(stream, name, status.st_size, limit)
        except OSError as error:
            raise _unreadable(name, (error.strerror or str(error)).lower()) from None


def _reader_of(name: str) -> Reader:
    suffix = Path(name).suffix.lower()
    if suffix in FORMATS:
        return FORMATS[suffix]
    known = ", ".join(FORMATS)
    what = f"ends in {shown(suffix)}" if suffix else "has no suffix"
    raise fail(
        "E0604",
        f"{shown(name)} {what}, which is no data format that can be read",
        help=f"the formats are {known}; a key is written behind the name, as in `f.npz:key`",
    )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name)


def _find_name(wanted: str, names: tuple[str, ...]) -> str | None:
    """The name that is `wanted`, else the only one with its NFKC form."""
    if wanted in names:
        return wanted
    alike = [name for name in names if _folded(name) == _folded(wanted)]
    return alike[0] if len(alike) == 1 else None


def _resolve_name(wanted: str, names: tuple[str, ...], file: DataFile, reader: Reader) -> str:
    found = _find_name(wanted, names)
    if found is not None:
        return found
    what = "column" if reader.COLUMNS else "array"
    listed = ", ".join(shown(name, 40) for name in names[:12]) or "none"
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    near = get_close_matches(wanted, names, 1)
    raise fail(
        "E0611",
        f"{shown(file.name)} has no {what} {shown(wanted, 40)}; it has {listed}{more}",
        help=f"did you mean {shown(near[0], 40)}?"
        if near
        else f"name one of them behind a colon: `{file.name}:{names[0] if names else 'key'}`",
    )


def _side_by_side(reader: Reader, file: DataFile, wanted: str, names: tuple[str, ...]) -> Array:
    """The columns `a,b,c` as one array, [n, 3], float64."""
    found = [_resolve_name(key.strip(), names, file, reader) for key in wanted.split(",")]
    columns = reader.read(file, tuple(dict.fromkeys(found)))
    extent = len(next(iter(columns.values())))
    check_size((extent, len(found)), 8, shown(file.name), file.limit)
    return np.stack([columns[name].astype(np.float64) for name in found], axis=-1)


def _nameless(name: str, key: str) -> EinbatchError:
    return fail(
        "E0611",
        f"{shown(name)} holds one array without a name, so there is no {shown(key, 40)} in it",
        help=f"write just {shown(name)}",
    )


def _outside(name: str, reason: str) -> EinbatchError:
    return fail(
        "E0602",
        f"{shown(name)} {reason}; a program reads only below its own folder",
        help="put the data beside the program, or bind it yourself with `--data NAME=FILE`",
    )


def _unreadable(name: str, reason: str) -> EinbatchError:
    return fail(
        "E0601",
        f"{shown(name)} cannot be read: {reason}",
        help="a path in a program starts at the program's folder, one in a command at yours",
    )


def _not_a_file(name: str, mode: int) -> EinbatchError:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    what = kinds.get(stat.S_IFMT(mode), "a special file")
    return fail(
        "E0603",
        f"{shown(name)} is {what}, not a file of data",
        help="data is read from regular files only",
    )
