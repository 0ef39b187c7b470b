"""Predictions to files: `.csv` and `.tsv`, `.npz`, and `.parquet` by pyarrow (`einbatch[data]`)."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from einbatch.data.datafile import shown
from einbatch.data.npz import save_npz
from einbatch.data.replace import replacing
from einbatch.data.tables import load_pyarrow
from einbatch.diagnostics import fail

# Any: predictions are of floats, of integers or of text.
Array: TypeAlias = NDArray[Any]
ROWS = 4096
"""The rows that are turned into text at once."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A tensor, the examples on its first axis where it is `batched`.

    `classes` are the names along its last axis, where that runs over classes with names.
    """

    array: Array
    batched: bool
    classes: tuple[str, ...] = ()


Predictions = Mapping[str, Prediction]


def write_table(stream: TextIO, predictions: Predictions, delimiter: str = ",") -> None:
    """One row for each example, one column for each element: `y`, `P_0`, `P_1` or `P_cat`."""
    _check_batched(predictions)
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    columns = [title for name, item in predictions.items() for title in _titles(name, item)]
    writer.writerow(columns)
    flat = [item.array.reshape(len(item.array), -1) for item in predictions.values()]
    count = len(flat[0]) if flat else 0
    for start in range(0, count, ROWS):
        # as NumPy writes a number: the shortest text that its own precision tells apart
        pieces = [array[start : start + ROWS].astype(np.str_) for array in flat]
        writer.writerows(np.concatenate(pieces, axis=1).tolist())


def save_predictions(path: Path, predictions: Predictions) -> None:
    """Writes predictions in the format of the file's suffix, whole or not at all.

    Raises EinbatchError: E0604 for another suffix, E0844 where a table is asked for and
    a tensor has no examples, E0610 without pyarrow, E0609 where the file cannot be written.
    """
    writer_for(path)(path, predictions)


def writer_for(path: Path) -> Callable[[Path, Predictions], None]:
    """What writes a file of this suffix; E0604 where nothing does."""
    found = WRITERS.get(path.suffix.lower())
    if found is None:
        raise fail(
            "E0604",
            f"predictions cannot be written to {shown(str(path))}",
            help=f"name a file that ends in {', '.join(WRITERS)}",
        )
    return found


def _titles(name: str, item: Prediction) -> list[str]:
    shape = item.array.shape[1:]
    if not shape:
        return [name]
    *outer, last = [[str(k) for k in range(extent)] for extent in shape]
    parts = itertools.product(*outer, item.classes or last)
    return ["_".join((name, *part)) for part in parts]


def _check_batched(predictions: Predictions) -> None:
    for name, item in predictions.items():
        if not item.batched:
            raise fail(
                "E0844",
                f"`{name}` has no examples, and a table has a row for each",
                help="write it to an `.npz`, or leave it out",
            )


def _save_csv(path: Path, predictions: Predictions) -> None:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with replacing(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
        write_table(text, predictions, delimiter)
        text.detach()


def _save_npz(path: Path, predictions: Predictions) -> None:
    save_npz(path, {name: item.array for name, item in predictions.items()}, texts=True)


def _save_parquet(path: Path, predictions: Predictions) -> None:
    _check_batched(predictions)
    arrow = load_pyarrow(str(path), "written")
    parquet = load_pyarrow(str(path), "written", ".parquet")
    columns: dict[str, object] = {}
    for name, item in predictions.items():
        column = arrow.array(item.array.reshape(-1))
        for extent in reversed(item.array.shape[1:]):
            column = arrow.FixedSizeListArray.from_arrays(column, extent)
        columns[name] = column
    with replacing(path) as stream:
        parquet.write_table(arrow.table(columns), stream)


WRITERS: dict[str, Callable[[Path, Predictions], None]] = {
    ".csv": _save_csv,
    ".tsv": _save_csv,
    ".npz": _save_npz,
    ".parquet": _save_parquet,
}
