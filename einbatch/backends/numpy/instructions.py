"""What a recorded step is made of, and the words in which `replay.c` reads it."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

GROUP, LOOP, GEMM, GEMV, CHECK, BAND = 1, 2, 3, 4, 5, 6
Shape = tuple[int, ...]


class Pointer(int):
    """A word that is an address; it moves with the input in whose memory it lies."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Operand:
    """Where an operand of a loop lies: its first element, and bytes from one to the next.

    `reach` are the bytes of one element; of memory that is reached at computed places,
    all of it, and `is_scattered` says that those are written.
    """

    pointer: Pointer
    strides: Shape
    reach: int
    is_written: bool = False
    is_scattered: bool = False


@dataclass(frozen=True, slots=True)
class Loop:
    """An inner loop over a shape; `weight` is about what an element takes, an addition being 1.

    `rows` does the same for a whole matrix, where there is such a function (else 0).
    """

    function: int
    data: int
    shape: Shape
    operands: tuple[Operand, ...]
    weight: int = 1
    rows: int = 0

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def work(self) -> int:
        """About how many additions it takes as long as."""
        return self.size * self.weight


@dataclass(frozen=True, slots=True)
class Product:
    """A product of matrices or of a matrix and a vector, over stacks of them.

    `numbers` are the instruction's own words between the precision and the scales,
    `operands` the three (pointer, strides of the matrix, strides of the stack).
    """

    is_vector: bool
    is_double: bool
    numbers: Shape
    alpha: float
    beta: float
    operands: tuple[tuple[Pointer, Shape, Shape], ...]
    stack: Shape

    @property
    def item(self) -> int:
        """The bytes of a number."""
        return 8 if self.is_double else 4

    @property
    def work(self) -> int:
        """Its multiplications."""
        extents = self.numbers[1:] if self.is_vector else self.numbers[2:]
        return prod(extents) * prod(self.stack)


@dataclass(frozen=True, slots=True)
class Check:
    """That every integer of an array is inside an extent."""

    pointer: Pointer
    count: int
    extent: int
    number: int


Instruction = Loop | Product | Check


def words_of_group(rows: int, block: int, parallel: bool, body: Sequence[int]) -> list[int]:
    """The words of a group, those of its loops included."""
    return [GROUP, len(body) + 5, rows, block, int(parallel), *body]


def words_of_loop(loop: Loop, rows: int) -> list[int]:
    """The words of a loop in a group of so many rows."""
    leading = _leading(loop.shape, rows)
    axes = [(rows, _row_strides(loop, leading)), *_merged(loop, leading, len(loop.shape))]
    merges = len(axes) == 2 and all(
        outer == inner * axes[1][0] for outer, inner in zip(axes[0][1], axes[1][1], strict=True)
    )
    return _words_of_axes(loop, axes, merges, 0)


def words_of_cut_loop(loop: Loop, place: int) -> list[int]:
    """The words of a loop that is cut along an axis of its own."""
    before = _merged(loop, 0, place)
    after = _merged(loop, place + 1, len(loop.shape))
    cut = (loop.shape[place], [operand.strides[place] for operand in loop.operands])
    return _words_of_axes(loop, [*before, cut, *after], False, len(before))


def _words_of_axes(
    loop: Loop, axes: Sequence[tuple[int, Sequence[int]]], merges: bool, cut: int
) -> list[int]:
    strides = [axis[1][k] for k in range(len(loop.operands)) for axis in axes]
    words = [
        *(loop.function, loop.data, len(loop.operands), len(axes), int(merges), loop.rows, cut),
        *(extent for extent, _ in axes),
        *(operand.pointer for operand in loop.operands),
        *strides,
    ]
    return [LOOP, len(words) + 2, *words]


def words_of_product(product: Product) -> list[int]:
    """The words of GEMM or GEMV."""
    places = [word for pointer, own, _ in product.operands for word in (pointer, *own)]
    words = [
        int(product.is_double),
        *product.numbers,
        _bits(product.alpha),
        _bits(product.beta),
        *places,
        len(product.stack),
        *product.stack,
        *(stride for _, _, strides in product.operands for stride in strides),
    ]
    return [GEMV if product.is_vector else GEMM, len(words) + 2, *words]


def words_of_check(check: Check) -> list[int]:
    """The words of CHECK."""
    return [CHECK, 6, check.pointer, check.count, check.extent, check.number]


def packed(words: Iterable[int]) -> bytes:
    """Words as the 64 bits each that C reads."""
    return array("q", words).tobytes()


def can_merge(loop: Loop, axis: int) -> bool:
    """True where an axis and the next are one for every operand."""
    extent = loop.shape[axis + 1]
    return all(o.strides[axis] == o.strides[axis + 1] * extent for o in loop.operands)


def _bits(value: float) -> int:
    (word,) = struct.unpack("q", struct.pack("d", value))
    return int(word)


def _leading(shape: Shape, rows: int) -> int:
    """How many axes make the rows."""
    count, product = 0, 1
    while product != rows or count == 0:
        product *= shape[count]
        count += 1
    return count


def _row_strides(loop: Loop, leading: int) -> Sequence[int]:
    return [operand.strides[leading - 1] for operand in loop.operands]


def _merged(loop: Loop, first: int, end: int) -> list[tuple[int, Sequence[int]]]:
    """The axes from `first` on and before `end`, those that can be one made one."""
    axes: list[tuple[int, Sequence[int]]] = []
    for axis in range(end - 1, first - 1, -1):
        strides = [operand.strides[axis] for operand in loop.operands]
        if axes and can_merge(loop, axis):
            axes[0] = (axes[0][0] * loop.shape[axis], axes[0][1])
        else:
            axes.insert(0, (loop.shape[axis], strides))
    return axes
