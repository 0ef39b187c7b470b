"""Weights as pictures, where two of a parameter's axes lie in the picture that is read.

The rule. The *picture axes* of an input of numbers are two neighbouring axes beside the
batch's (of three, the two that span more elements: a channel axis is left out). Statements
carry them on: where a tensor with picture axes is read and both subscripts hold one index
of the target's axes each, these are the target's picture axes. A parameter is drawn where
two of its indices stand, one each, in the two picture axes of a tensor that is read in the
same statement: `W[j,r,c]*x[b,r,c]` and `K[o,k,l]*x[b,r+k,c+l]`, but not `U[j,k]*h[b,k]`.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from einbatch.ir import (
    Expression,
    IndexValue,
    Number,
    Program,
    Read,
    Tensor,
    free_indices,
    reads,
    statements_of,
)
from einbatch.report.charts import show

Pair = tuple[int, int]
MOST = 64
"""The most pictures of one parameter."""
LARGEST = 128
"""The most pixels of a picture's side; a larger one is made smaller."""
COLOURS = ((33, 102, 172), (247, 247, 247), (178, 24, 43))
"""Negative, zero, positive: the ends and the middle of ColorBrewer's RdBu, blue first."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture as a data URI, and what it shows in words."""

    source: str
    description: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Album:
    """The pictures of a parameter, all on one scale, from −`scale` to `scale`."""

    name: str
    axes: str
    pictures: Sequence[Picture]
    count: int
    scale: str


def picture_axes(program: Program) -> dict[str, Pair]:
    """For each parameter that is drawn, the places of its two picture axes: down, across."""
    spread = {t.name: pair for t in program.of_kind("input") if (pair := _of_input(program, t))}
    found: dict[str, Pair] = {}
    for statement in statements_of(program.statements):
        seen = [*reads(statement.value)]
        for read in seen:
            if read.tensor not in spread:
                continue
            down, across = (free_indices(read.subscripts[k]) for k in spread[read.tensor])
            carried = _places(statement.subscripts, down, across)
            if carried and statement.target not in spread:
                spread[statement.target] = carried
            for name, places in _drawn(program, seen, down, across):
                found.setdefault(name, places)
    return found


def draw_weights(program: Program, params: Mapping[str, NDArray[np.floating]]) -> list[Album]:
    """An album for each parameter that the rule draws and that has such an array."""
    albums: list[Album] = []
    spellings = dict(program.spellings)
    for name, (down, across) in picture_axes(program).items():
        array = params.get(name)
        tensor = program.tensor(name)
        if array is None or array.ndim != len(tensor.axes) or not array.size:
            continue
        moved = np.moveaxis(array.astype(np.float64), (down, across), (-2, -1))
        scale = float(np.max(np.abs(moved), initial=0, where=np.isfinite(moved))) or 1.0
        rest = [range(size) for size in moved.shape[:-2]]
        title = spellings.get(name, name)
        pictures = [
            _picture(moved[place], scale, _element(title, place, (down, across)))
            for place, _ in zip(product(*rest), range(MOST), strict=False)
        ]
        axes = ",".join(spellings.get(axis, axis) for axis in tensor.axes)
        count = int(np.prod(moved.shape[:-2], dtype=np.int64))
        albums.append(Album(title, f"{title}[{axes}]", pictures, count, show(scale)))
    return albums


def _of_input(program: Program, tensor: Tensor) -> Pair | None:
    batch = None if program.batch is None else program.index(program.batch).extent
    own = [k for k, extent in enumerate(tensor.extents) if extent != batch]
    if tensor.integer or tensor.member is not None or len(own) not in (2, 3):
        return None
    pairs = [(a, b) for a, b in pairwise(own) if b == a + 1]
    return max(pairs, key=lambda pair: _span(tensor, pair), default=None)


def _span(tensor: Tensor, pair: Pair) -> int:
    """How many elements two axes span; an axis that only data fixes counts as a long one."""
    sizes = [tensor.extents[k] for k in pair]
    known = [int(size.value) if isinstance(size, Number) else 1000 for size in sizes]
    return known[0] * known[1]


def _places(
    subscripts: Sequence[Expression], down: Sequence[str], across: Sequence[str]
) -> Pair | None:
    """Two places with a bare subscript each, one out of `down` and one out of `across`."""
    bare = [s.index if isinstance(s, IndexValue) else "" for s in subscripts]
    first = [k for k, name in enumerate(bare) if name in down]
    second = [k for k, name in enumerate(bare) if name in across]
    return (first[0], second[0]) if first and second and first[0] != second[0] else None


def _drawn(
    program: Program, seen: Sequence[Read], down: Sequence[str], across: Sequence[str]
) -> Iterator[tuple[str, Pair]]:
    for read in seen:
        if program.tensor(read.tensor).kind == "param":
            places = _places(read.subscripts, down, across)
            if places:
                yield read.tensor, places


def _element(name: str, place: Sequence[int], inner: Pair) -> str:
    """`W[3,·,·]`: which of a parameter's pictures this is."""
    subscripts: list[str] = []
    outer = iter(place)
    for axis in range(len(place) + 2):
        subscripts.append("·" if axis in inner else str(next(outer)))
    return f"{name}[{','.join(subscripts)}]"


def _picture(values: NDArray[np.float64], scale: float, name: str) -> Picture:
    from PIL import Image

    height, width = values.shape
    level = np.clip(np.nan_to_num(values, posinf=scale, neginf=-scale) / scale, -1, 1)[..., None]
    low, middle, high = (np.array(colour, np.float64) for colour in COLOURS)
    mixed = middle + np.where(level < 0, low - middle, high - middle) * np.abs(level)
    image = Image.fromarray(np.rint(mixed).astype(np.uint8))
    if max(width, height) > LARGEST:
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    encoded = base64.b64encode(stream.getvalue()).decode("ascii")
    low_high = f"from {show(float(values.min()))} to {show(float(values.max()))}"
    return Picture(
        f"data:image/png;base64,{encoded}",
        f"{name}, {height} × {width}, {low_high}",
        width,
        height,
    )
