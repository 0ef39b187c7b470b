"""Parameters in files: safetensors, and nothing else (no pickle, no code in a file)."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Protocol, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike
from safetensors import SafetensorError, safe_open
from safetensors import numpy as safetensors_numpy

from einbatch.data.datafile import Array, damaged, resolve_dtype, shown
from einbatch.data.mapping import Lines, bring_in, read_mapping, take_out
from einbatch.data.replace import replacing
from einbatch.diagnostics import EinbatchError, fail

T = TypeVar("T")
DTYPES = {
    "BOOL": "|b1",
    "I8": "|i1",
    "I16": "<i2",
    "I32": "<i4",
    "I64": "<i8",
    "U8": "|u1",
    "U16": "<u2",
    "U32": "<u4",
    "U64": "<u8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}
RESERVED = "__metadata__"
CLASSES = "einbatch.classes"
"""The key of the names of classes in a file's metadata: JSON, a list for each index."""
PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""What the files of `torch.save`, and of `pickle`, begin with."""


def save(
    params: Mapping[str, ArrayLike],
    path: str | os.PathLike[str],
    *,
    map: Lines | None = None,  # noqa: A002 - the word of the interface
    classes: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Writes the parameters to a safetensors file, whole or not at all.

    `map` gives tensors the names and axes that another wants, as in `load_params`.
    `classes` (the names of the classes of an index, `model.classes`) go into the file,
    so that predictions made with it have them.
    """
    arrays: dict[str, Array] = {}
    given = {name: _array(name, value) for name, value in _named(params)}
    for name, array in take_out(given, read_mapping(map)).items():
        resolve_dtype(array.dtype.str, shown(name))
        if name == RESERVED:
            raise fail(
                "E0609",
                f"{shown(os.fspath(path))} cannot be written: safetensors keeps the name"
                f" {shown(RESERVED)} for itself",
                help="give the parameter another name",
            )
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        arrays[name] = np.ascontiguousarray(native).reshape(array.shape)
    try:
        place = Path(path)
    except TypeError:
        raise _no_path(path, "E0609", "written") from None
    with replacing(place) as stream:
        stream.write(safetensors_numpy.save(arrays, _metadata(classes)))


def _metadata(classes: Mapping[str, Sequence[str]] | None) -> dict[str, str] | None:
    if not classes:
        return None
    return {CLASSES: json.dumps({name: list(names) for name, names in classes.items()})}


def load_params(
    path: str | os.PathLike[str],
    *,
    map: Lines | None = None,  # noqa: A002 - the word of the interface
) -> dict[str, Array]:
    """The parameters of a safetensors file, by name.

    `map` renames, transposes and negates: `{"W0": "fc1.weight"}`, or
    `["W0[j,i]=fc1.weight[i,j]", "C0=-fc1.bias"]`; the rest keeps its names. The file's
    header is checked against its length before an array is made. Raises EinbatchError
    where the file is missing (E0601), special (E0603), damaged (E0607), a pickle
    (E0642) or holds other values than numbers (E0606), and where the mapping makes no
    sense (E0641) or names what is not there (E0611).
    """
    lines = read_mapping(map)
    name = _regular(path)
    return bring_in(_whole(name, _read), lines, shown(name))


def load_classes(path: str | os.PathLike[str]) -> dict[str, tuple[str, ...]]:
    """The names of classes that `save` put into a file, by index; errors as `load_params`."""
    name = _regular(path)
    text = _whole(name, _read_metadata).get(CLASSES, "{}")
    try:
        found = cast("dict[str, list[object]]", json.loads(text)).items()
        return {index: tuple(map(_text, names)) for index, names in found}
    except (ValueError, RecursionError, AttributeError, TypeError):
        raise damaged(shown(name), "its names of classes are not readable") from None


def _text(item: object) -> str:
    if isinstance(item, str):
        return item
    raise TypeError(item)


def _regular(path: str | os.PathLike[str]) -> str:
    try:
        name = str(Path(path))
    except TypeError:
        raise _no_path(path, "E0601", "read") from None
    where = shown(name)
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise fail(
            "E0601",
            f"{where} cannot be read: {(reason or 'no file can have this name').lower()}",
            help="name a file that `--save` or `einbatch.save` wrote",
        ) from None
    if not stat.S_ISREG(mode):
        raise fail(
            "E0603",
            f"{where} is not a regular file",
            help="name a file that `--save` or `einbatch.save` wrote",
        )
    return name


def _whole(name: str, read: Callable[[str, str], T]) -> T:
    """What is read of a file; E0607 where it is damaged, E0642 where it is a pickle."""
    where = shown(name)
    try:
        return read(name, where)
    except (SafetensorError, OSError, ValueError) as error:
        if _is_pickle(name):
            raise fail(
                "E0642",
                f"{where} is a pickle, which runs code when it is read",
                help="in PyTorch, write its state dict anew: "
                '`safetensors.torch.save_file(model.state_dict(), "m.safetensors")`',
            ) from None
        reason = str(error).split("\n")[0]
        raise damaged(where, f"as safetensors it is not readable ({reason})") from None


def _is_pickle(name: str) -> bool:
    with suppress(OSError), open(name, "rb") as stream:
        return stream.read(4).startswith(PICKLES)
    return False


def _named(params: object) -> list[tuple[str, ArrayLike]]:
    kind = type(params).__name__
    if isinstance(params, Mapping):
        items = list(cast("Mapping[object, ArrayLike]", params).items())
        named = [(name, value) for name, value in items if isinstance(name, str)]
        if len(named) == len(items):
            return named
    raise fail(
        "E0624",
        f"params are given by name, and this is a {kind}",
        help='give a dict, `{"W": …}`',
    )


def _array(name: str, value: ArrayLike) -> Array:
    try:
        return np.asarray(value)
    except Exception as error:  # whatever a foreign `__array__` raises
        reason = str(error).split("\n")[0].split(". ")[0]
        raise fail(
            "E0616",
            f"{shown(name)} is no array: {reason}",
            help="save arrays of integers, floats or truth values",
        ) from None


def _no_path(path: object, code: str, done: str) -> EinbatchError:
    kind = type(path).__name__
    return fail(
        code,
        f"nothing can be {done}: a path is a text, and this is a {kind}",
        help="name a safetensors file",
    )


class _Slice(Protocol):
    def get_dtype(self) -> str: ...


class _File(Protocol):
    """What is used of an opened safetensors file, whose package does not say."""

    def metadata(self) -> dict[str, str] | None: ...
    def keys(self) -> list[str]: ...
    def get_slice(self, name: str, /) -> _Slice: ...
    def get_tensor(self, name: str, /) -> Array: ...


def _read_metadata(name: str, where: str) -> dict[str, str]:
    del where
    opened = cast(AbstractContextManager[_File], safe_open(name, framework="np"))
    with opened as file:
        return file.metadata() or {}


def _read(name: str, where: str) -> dict[str, Array]:
    opened = cast(AbstractContextManager[_File], safe_open(name, framework="np"))
    with opened as file:
        arrays: dict[str, Array] = {}
        for key in file.keys():  # noqa: SIM118 - not a dict: it cannot be iterated
            descr = file.get_slice(key).get_dtype()
            resolve_dtype(DTYPES.get(descr, descr), f"{shown(key)} in {where}")
            arrays[key] = file.get_tensor(key)
        return arrays
