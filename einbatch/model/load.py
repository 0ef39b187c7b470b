"""Models out of files and texts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from einbatch.diagnostics import Source
from einbatch.model.front import read_program
from einbatch.model.interpreter import Model
from einbatch.syntax import read_source


def load(
    path: str | os.PathLike[str],
    *,
    set: Mapping[str, int | float] | None = None,  # noqa: A002 - what callers write
    dtype: str | None = None,
    backend: str = "numpy",
) -> Model:
    """The model of an `.ein` file. `set` overrides constants, `dtype` the `dtype` line."""
    place = Path(path)
    front = read_program(read_source(place), set)
    return Model(front, dtype=dtype, backend=backend, folder=place.parent)


def parse(
    text: str,
    *,
    set: Mapping[str, int | float] | None = None,  # noqa: A002 - what callers write
    dtype: str | None = None,
    backend: str = "numpy",
    folder: str | os.PathLike[str] | None = None,
) -> Model:
    """The model of a text. `from` paths stay below `folder`, the current one by default."""
    front = read_program(Source("<text>", text), set)
    place = None if folder is None else Path(folder)
    return Model(front, dtype=dtype, backend=backend, folder=place)
