"""Models out of files and texts."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from einbatch.diagnostics import fail
from einbatch.model.front import read_program, text_source
from einbatch.model.interpreter import Model
from einbatch.syntax import read_source


def load(
    path: str | os.PathLike[str],
    *,
    set: Mapping[str, int | float] | None = None,  # noqa: A002 - what callers write
    dtype: str | None = None,
    backend: str = "numpy",
    data_root: str | os.PathLike[str] | None = None,
    without: Collection[str] = (),
) -> Model:
    """The model of an `.ein` file. `set` overrides constants, `dtype` the `dtype` line.

    `from` paths stay below the file's folder, or below `data_root` where that is given.
    `without` names passes, see `einbatch.model.passes`, that are left out.
    """
    place = _path(path)
    front = read_program(read_source(place), set)
    return Model(
        front,
        dtype=dtype,
        backend=backend,
        folder=place.parent,
        data_root=data_root,
        without=without,
    )


def parse(
    text: str,
    *,
    set: Mapping[str, int | float] | None = None,  # noqa: A002 - what callers write
    dtype: str | None = None,
    backend: str = "numpy",
    folder: str | os.PathLike[str] | None = None,
    data_root: str | os.PathLike[str] | None = None,
    without: Collection[str] = (),
) -> Model:
    """The model of a text. `from` paths stay below `folder`, the current one by default.

    Or below `data_root`, where that is given. `without` names passes that are left out.
    """
    front = read_program(text_source(text), set)
    place = None if folder is None else _path(folder)
    return Model(
        front, dtype=dtype, backend=backend, folder=place, data_root=data_root, without=without
    )


def _path(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(path)
    except TypeError:
        raise fail(
            "E0104",
            f"a path is a text, and this is a {type(path).__name__}",
            help="give the path of a text file",
        ) from None
