"""Named arrays out of files: `digits.npz`, `f.npz:key`, `table.csv:a,b,c`."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from einbatch.data import arrow, csv, idx, npy, npz, parquet, safetensors
from einbatch.data.datafile import Array, DataFile, Labels, Reader, Stored, check_size, shown
from einbatch.data.labels import Vocabulary
from einbatch.data.paths import opened, resolve_below
from einbatch.data.stored import SideBySide
from einbatch.diagnostics import EinbatchError, Label, Span, fail

FORMATS: dict[str, Reader] = {
    ".npz": npz,
    ".npy": npy,
    ".csv": csv,
    ".tsv": csv,
    ".safetensors": safetensors,
    ".parquet": parquet,
    ".arrow": arrow,
    ".feather": arrow,
    ".idx": idx,
    ".idx.gz": idx,
    "-ubyte": idx,
    "-ubyte.gz": idx,
}
"""How a name ends, in small letters, and the module that reads such a file."""


def load_source(
    reference: str,
    folder: Path | None,
    default_key: str,
    span: Span | None = None,
    *,
    limit_bytes: int,
    keep_from: int = sys.maxsize,
    classes: Vocabulary | None = None,
    root: Path | None = None,
) -> Array | Stored:
    """The array that `reference` names: a path, or a path, a colon and a key.

    Without a key it is the array called `default_key` (an `.npy` has just one).
    With a `folder` the path is the program's: relative to it, and below it or below
    `root` after symbolic links are resolved. Without one it is the user's own. Raises
    EinbatchError, at `span` if there is one; nothing larger than `limit_bytes`
    is allocated. Arrays of more than `keep_from` bytes stay in the file where its
    format allows that. A column of text is read where `classes` are given, as their
    numbers, int64.
    """
    with _labelled(span):
        name, key = split_reference(reference)
        reader = _reader_of(name)
        path = Path(name) if folder is None else resolve_below(folder, name, root)
        with opened(path, name) as (stream, size):
            file = DataFile(stream, name, size, limit_bytes, keep_from, classes is not None)
            names = reader.names(file)
            if names == ("",):
                if key is not None:
                    raise _nameless(name, key)
                return _coded(reader, file, names, {"": classes})[""]
            wanted = default_key if key is None else key
            if reader.COLUMNS and "," in wanted and _find_name(wanted, names) is None:
                return _side_by_side(reader, file, wanted, names)
            found = _resolve_name(wanted, names, file, reader)
            return _coded(reader, file, [found], {found: classes})[found]


def load_all(
    path: Path,
    limit_bytes: int,
    only: Collection[str] | None = None,
    *,
    keep_from: int = sys.maxsize,
    classes: Mapping[str, Vocabulary] | None = None,
) -> dict[str, Array | Stored]:
    """Every array of a file that the user named, keyed by the NFKC form of its name.

    An `.npy` gives one array, under the key `""`; a table gives its columns. With
    `only`, arrays of other names are not read at all, whatever they hold. Those that
    `classes` names may be text. See `load_source` for the rest.
    """
    name = str(path)
    reader = _reader_of(name)
    with opened(path, name) as (stream, size):
        file = DataFile(stream, name, size, limit_bytes, keep_from)
        names = reader.names(file)
        if only is not None and names != ("",):
            folded = {_folded(item) for item in only}
            names = tuple(item for item in names if _folded(item) in folded)
        vocabularies = {item: (classes or {}).get(_folded(item)) for item in names}
        texts = [item for item in names if vocabularies[item] is not None]
        numbers = [item for item in names if vocabularies[item] is None]
        found = _coded(reader, file, numbers, vocabularies) if numbers else {}
        if texts:
            found |= _coded(reader, replace(file, texts=True), texts, vocabularies)
        arrays: dict[str, Array | Stored] = {}
        for item in names:
            if _folded(item) in arrays:
                raise fail(
                    "E0611",
                    f"{shown(name)} has two arrays that are both named {shown(_folded(item))}",
                    help="names are compared in their NFKC form: give one of them another name",
                )
            arrays[_folded(item)] = found[item]
        return arrays


def classes(source: str, *, limit_bytes: int) -> tuple[str, ...]:
    """The names of the classes in a column of text, sorted: class k is the name k.

    `source` is a path with a column behind a colon, `iris.csv:species`; there are no
    names, `()`, where the column is of numbers. Raises EinbatchError as `load_source`.
    """
    vocabulary = Vocabulary()
    load_source(source, None, "", limit_bytes=limit_bytes, classes=vocabulary)
    return vocabulary.names


def _coded(
    reader: Reader,
    file: DataFile,
    names: Sequence[str],
    vocabularies: Mapping[str, Vocabulary | None],
) -> dict[str, Array | Stored]:
    """The arrays of these names; texts as the numbers of their classes."""
    found: dict[str, Array | Stored] = {}
    for name, array in reader.read(file, names).items():
        if isinstance(array, Labels):
            vocabulary = vocabularies[name] or Vocabulary()
            where = f"{shown(name)} in {shown(file.name)}"
            found[name] = vocabulary.code(array, where)
        else:
            found[name] = array
    return found


def split_reference(reference: str) -> tuple[str, str | None]:
    """The path and the key; the key follows the last colon that a known ending stands before."""
    end = len(reference)
    while (end := reference.rfind(":", 0, end)) >= 0:
        if _ending_of(reference[:end]) is not None:
            return reference[:end], reference[end + 1 :]
    return reference, None


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


def _ending_of(name: str) -> str | None:
    """How a name ends, of what `FORMATS` lists."""
    return next((ending for ending in FORMATS if name.lower().endswith(ending)), None)


def _reader_of(name: str) -> Reader:
    ending = _ending_of(name)
    if ending is not None:
        return FORMATS[ending]
    suffix = Path(name).suffix.lower()
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


def _side_by_side(
    reader: Reader, file: DataFile, wanted: str, names: tuple[str, ...]
) -> Array | Stored:
    """The columns `a,b,c` as one array, [n, 3], float64."""
    found = [_resolve_name(key.strip(), names, file, reader) for key in wanted.split(",")]
    distinct = tuple(dict.fromkeys(found))
    columns = _coded(reader, replace(file, texts=False), distinct, {})
    where = shown(file.name)
    read = {name: array for name, array in columns.items() if isinstance(array, np.ndarray)}
    if len(read) < len(columns):
        return SideBySide([columns[name] for name in found], where, file.limit)
    check_size((len(read[found[0]]), len(found)), 8, where, file.limit)
    return np.stack([read[name].astype(np.float64) for name in found], axis=-1)


def _nameless(name: str, key: str) -> EinbatchError:
    return fail(
        "E0611",
        f"{shown(name)} holds one array without a name, so there is no {shown(key, 40)} in it",
        help=f"write just {shown(name)}",
    )
