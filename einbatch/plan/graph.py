"""Array values as a graph: each computed once, each with its shape and kind.

A value is an operation on earlier values. Equal values are one (value numbering),
so what two statements both need is computed once. A view is a value without
memory: the shape, strides and offset (in elements) in which a root's memory is
read; a view of a view is a view of the root.

Loops: a value lives in the innermost loop whose round has a part in it, and is
computed there, so what is the same in all rounds is computed once, before. Memory
that outlives a round is carried: `start` makes it, `carry` is what it holds when
a round begins, `update`s of that write it in place, `exit` is what it holds after
the last round. A view may move with the rounds (`steps`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal, cast

Kind = Literal["float", "int", "bool"]
Shape = tuple[int, ...]
Attribute = int | float | str | Shape | tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """An array: an operation, what it works on, and what comes out.

    `operation` is a pointwise one (see `operations.POINTWISE`) or one of:

    - `input` (tensor), `constant` (number), `range` (the integers below its length)
    - `view` (strides, offset, steps, guards): of one root; `steps` are pairs of a loop
      and the elements that its round moves the view by. A guard (constant, extent,
      loop, coefficient, …) says in which rounds there is such a view: where the sum
      of the constant and the coefficients times rounds is one of 0 … extent - 1
    - `pick`: the first argument, a guarded view, in the rounds that have one, else the second
    - `pad` (fill, before): the argument, with so many numbers before it on each axis,
      and as many after it as the shape takes
    - `cast`, `copy`: the argument in another kind, or laid out anew
    - `matmul` (shape, strides, alpha): alpha times the products of two stacks of
      matrices, written to the value's memory as that view of it
    - `accumulate` (shape, strides, alpha, beta): beta times the first argument, and alpha
      times such products of the others
    - `reduce` (operation, axes), `argmax` and `argmin` (axis)
    - `take` (axis): along one axis of the first argument, at the second's integers
    - `update` (operator, shape, strides, offset, steps, guards): the first argument with
      the second put or accumulated into a view of it
    - `scatter` (operator): the first argument with the third put or accumulated at
      the second's flat positions; `scatter_distinct` where no position occurs twice.
      Positions are those of rows where the third argument has rows. A fourth argument
      says at which of them
    - `check` (number, extent): the argument, integers proved to be inside an axis
    - `start` (a number of its own): the argument in memory that loops may write; without
      one, that memory with whatever is there
    - `carry` and `exit` (loop): that memory as a round begins, and after the last
    - `loop` (loop, extent, down) and `end`: where the rounds of a loop stand
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
    steps: Shape = ()


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop's own number, how many rounds it has, and the loop around it (0: none)."""

    number: int
    index: str
    extent: int
    down: bool
    parent: int


class Graph:
    """The values made so far; adding an equal one gives the number it already has.

    `scopes` has for each value the loop that it is computed in, `blocks` for each
    loop what is computed in it, in order. `backs` leads from what a round begins
    with to what it leaves to the next. Without `numbers_values` equal values are added anew.
    """

    def __init__(self, *, numbers_values: bool = True) -> None:
        self.numbers_values = numbers_values
        self.values: list[Value] = []
        self.origins: list[int] = []
        self.origin = 0
        self.scopes: list[int] = []
        self.loops: list[Loop] = [Loop(0, "", 1, False, 0)]
        self.blocks: dict[int, list[int]] = {0: []}
        self.backs: dict[int, int] = {}
        self._numbers: dict[Value, int] = {}

    def __getitem__(self, number: int) -> Value:
        return self.values[number]

    def find(self, value: Value) -> int | None:
        """The number of an equal value, None where there is none yet."""
        return self._numbers.get(value)

    def add(self, value: Value, scope: int | None = None) -> int:
        """The number of the value; a new one where no equal one exists."""
        number = self._numbers.get(value)
        if number is None:
            number = len(self.values)
            scope = self._scope_of(value) if scope is None else scope
            if self.numbers_values:
                self._numbers[value] = number
            self.values.append(value)
            self.origins.append(self.origin)
            self.scopes.append(scope)
            self.blocks[scope].append(number)
        return number

    def _scope_of(self, value: Value) -> int:
        """The innermost loop whose round has a part in a value: of nested ones, the latest."""
        scopes = [self.scopes[argument] for argument in value.arguments]
        if value.operation == "view":
            scopes += pairs_of(value, 2)
        elif value.operation == "update":
            scopes += pairs_of(value, 4)
        return max(scopes, default=0)

    def open_loop(self, index: str, extent: int, down: bool, parent: int) -> int:
        """A new loop inside another one."""
        number = len(self.loops)
        self.loops.append(Loop(number, index, extent, down, parent))
        self.blocks[number] = []
        return number

    def close_loop(self, number: int) -> None:
        """The loop takes its place in the one around it: after all that is there by now."""
        loop = self.loops[number]
        value = Value("loop", (), (number, loop.extent, int(loop.down)), (), "int")
        self.add(value, loop.parent)
        self.add(Value("end", (), (number,), (), "int"), number)

    def in_order(self, scope: int = 0) -> Iterator[int]:
        """Every value in the order in which they are computed."""
        for number in self.blocks[scope]:
            yield number
            if self.values[number].operation == "loop":
                inner = self.values[number].attributes[0]
                assert isinstance(inner, int)
                yield from self.in_order(inner)

    def layout(self, number: int) -> Layout:
        """Where a value's elements lie."""
        value = self.values[number]
        if value.operation == "view":
            strides, offset, steps, _ = view_attributes(value)
            return Layout(value.arguments[0], strides, offset, steps)
        return Layout(number, contiguous(value.shape), 0)

    def view(
        self,
        number: int,
        shape: Shape,
        strides: Shape,
        offset: int = 0,
        steps: Shape | None = None,
        guards: tuple[Shape, ...] = (),
    ) -> int:
        """A view of a value's root; `strides` and `offset` count the root's elements.

        `steps` are the value's own where they are not given.
        """
        layout = self.layout(number)
        root, steps = layout.root, layout.steps if steps is None else steps
        strides = tuple(0 if n == 1 else s for n, s in zip(shape, strides, strict=True))
        whole = offset == 0 and shape == self[root].shape and strides == contiguous(shape)
        if whole and not steps and not guards:
            return root
        attributes = (strides, offset, steps, guards)
        return self.add(Value("view", (root,), attributes, shape, self[root].kind))

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


def view_attributes(value: Value, first: int = 0) -> tuple[Shape, int, Shape, tuple[Shape, ...]]:
    """Strides, offset, steps and guards, from their place among the attributes."""
    strides, offset, steps, guards = value.attributes[first:]
    assert isinstance(strides, tuple)
    assert isinstance(offset, int)
    assert isinstance(steps, tuple)
    assert isinstance(guards, tuple)
    return cast(Shape, strides), offset, cast(Shape, steps), cast(tuple[Shape, ...], guards)


def pairs_of(value: Value, place: int) -> list[int]:
    """The loops whose rounds move a view, or decide whether there is one."""
    steps = cast(Shape, value.attributes[place])
    guards = cast(tuple[Shape, ...], value.attributes[place + 1])
    return [*steps[::2], *(loop for guard in guards for loop in guard[2::2])]


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
