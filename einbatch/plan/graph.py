"""Array values as a graph: each computed once, each with its shape and kind.

A value is an operation on earlier values. Equal values are one (value numbering),
so what two statements both need is computed once. A view is a value without
memory: the shape, strides and offset (in elements) in which a root's memory is
read; a view of a view is a view of the root.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

Kind = Literal["float", "int", "bool"]
Shape = tuple[int, ...]
Attribute = int | float | str | Shape


@dataclass(frozen=True, slots=True)
class Value:
    """An array: an operation, what it works on, and what comes out.

    `operation` is a pointwise one (see `operations.POINTWISE`) or one of:

    - `input` (tensor), `constant` (number), `range` (the integers below its length)
    - `view` (strides, offset): of one root
    - `cast`, `copy`: the argument in another kind, or laid out anew
    - `matmul` (shape, strides): the products of two stacks of matrices, written
      to the value's memory as that view of it
    - `reduce` (operation, axes), `argmax` and `argmin` (axis)
    - `take` (axis): along one axis of the first argument, at the second's integers
    - `update` (operator, shape, strides, offset): the first argument with the second
      put or accumulated into a view of it
    - `scatter` (operator): the first argument with the third put or accumulated at
      the second's flat positions; `scatter_distinct` where no position occurs twice
    - `check` (number, extent): the argument, integers proved to be inside an axis
    """

    operation: str
    arguments: tuple[int, ...]
    attributes: tuple[Attribute, ...]
    shape: Shape
    kind: Kind

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a value lies in its root's memory: strides and offset in elements."""

    root: int
    strides: Shape
    offset: int


class Graph:
    """The values made so far; adding an equal one gives the number it already has."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.origins: list[int] = []
        self.origin = 0
        self._numbers: dict[Value, int] = {}

    def __getitem__(self, number: int) -> Value:
        return self.values[number]

    def find(self, value: Value) -> int | None:
        """The number of an equal value, None where there is none yet."""
        return self._numbers.get(value)

    def add(self, value: Value) -> int:
        """The number of the value; a new one where no equal one exists."""
        number = self._numbers.get(value)
        if number is None:
            number = len(self.values)
            self._numbers[value] = number
            self.values.append(value)
            self.origins.append(self.origin)
        return number

    def layout(self, number: int) -> Layout:
        """Where a value's elements lie."""
        value = self.values[number]
        if value.operation == "view":
            strides, offset = value.attributes
            assert isinstance(strides, tuple)
            assert isinstance(offset, int)
            return Layout(value.arguments[0], strides, offset)
        return Layout(number, contiguous(value.shape), 0)

    def view(self, number: int, shape: Shape, strides: Shape, offset: int = 0) -> int:
        """A view of a value's root; `strides` and `offset` count the root's elements."""
        root = self.layout(number).root
        strides = tuple(0 if n == 1 else s for n, s in zip(shape, strides, strict=True))
        if offset == 0 and shape == self[root].shape and strides == contiguous(shape):
            return root
        return self.add(Value("view", (root,), (strides, offset), shape, self[root].kind))

    def permuted(self, number: int, axes: Shape) -> int:
        """The value with its axes in another order."""
        layout, shape = self.layout(number), self[number].shape
        return self.view(
            number,
            tuple(shape[axis] for axis in axes),
            tuple(layout.strides[axis] for axis in axes),
            layout.offset,
        )

    def merged(self, number: int, groups: tuple[Shape, ...]) -> int | None:
        """The value with each group of axes as one axis; None where that is no view."""
        layout, shape = self.layout(number), self[number].shape
        merged_shape: list[int] = []
        merged_strides: list[int] = []
        for group in groups:
            stride = merged_stride([(shape[axis], layout.strides[axis]) for axis in group])
            if stride is None:
                return None
            merged_shape.append(prod(shape[axis] for axis in group))
            merged_strides.append(stride)
        return self.view(number, tuple(merged_shape), tuple(merged_strides), layout.offset)

    def is_contiguous(self, number: int) -> bool:
        """True where the elements lie one after the other."""
        value = self[number]
        return self.layout(number).strides == contiguous(value.shape)


def contiguous(shape: Shape) -> Shape:
    """The strides of elements that lie one after the other, 0 where an extent is 1."""
    strides: list[int] = []
    step = 1
    for extent in reversed(shape):
        strides.append(0 if extent == 1 else step)
        step *= extent
    return tuple(reversed(strides))


def merged_stride(axes: list[tuple[int, int]]) -> int | None:
    """The stride of one axis in place of several (extent, stride); None where none does."""
    stride: int | None = None
    inner = 1
    for extent, own in reversed(axes):
        if extent == 1:
            continue
        if stride is None:
            stride = own
        elif own != stride * inner:
            return None
        inner *= extent
    return stride or 0
