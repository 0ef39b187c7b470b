"""An emitted module's step, run once without computing: what each line would do, noted.

The module is executed with a stand-in for NumPy. While `bind` runs, the stand-in is
NumPy; while `step` is recorded, a call like `np.add(a, b, c)` notes the inner loop of
`np.add` on the memory of the three arrays. `replay.c` runs what was noted, so that
what runs is the module that `einbatch export` saves, line by line, without Python.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from einbatch.backends.numpy import native
from einbatch.backends.numpy.instructions import (
    Check,
    Instruction,
    Loop,
    Operand,
    Product,
    Shape,
)
from einbatch.backends.numpy.products import lay_out
from einbatch.diagnostics import InternalError
from einbatch.plan.graph import contiguous
from einbatch.plan.operations import ACCUMULATE, FLOPS, IDENTITY

# Any: an array is of floats, integers or conditions.
Array: TypeAlias = NDArray[Any]
START = {name: IDENTITY[operator] for operator, name in ACCUMULATE.items()}
"""What a ufunc's reduction starts from."""
SLOW = 8
"""The weight of functions like exp."""
FAR = 4
"""The weight of an element that is read from anywhere in memory."""


class Recorder:
    """What a step does, noted line by line."""

    def __init__(self) -> None:
        self.is_recording = False
        self.instructions: list[Instruction] = []
        self.kept: list[Array] = []
        """Memory of the recorder's own: numbers, what products lay out anew."""
        self.checked: list[tuple[int, Array, int]] = []
        """The checks, as the module wrote them."""
        self._numbers: dict[tuple[float, str], Array] = {}

    def __enter__(self) -> Recorder:
        self.is_recording = True
        return self

    def __exit__(self, *_: object) -> None:
        self.is_recording = False

    def pointwise(self, name: str, *sources: Array, out: Array | None = None) -> None:
        """A ufunc of the arguments but the last, into the last, or into `out`."""
        if out is None:
            sources, out = sources[:-1], sources[-1]
        types = "".join(array.dtype.char for array in (*sources, out))
        weight = SLOW if name in FLOPS else 1
        self._each(loop_of(name, types), sources, out, weight, f"{name}_{out.dtype.char}")

    def named(self, name: str, *arguments: Array) -> None:
        """A loop of `replay_loops.h` of the arguments but the last, into the last."""
        weight = SLOW if name.startswith("erf") else 1
        self._each((_named(name), 0), arguments[:-1], arguments[-1], weight, name)

    def erf(self, x: Array, out: Array) -> None:
        """The error function."""
        self.named(f"erf_{out.dtype.char}", x, out)

    def copyto(
        self, out: Array, source: Array | float, casting: str = "", where: Array | None = None
    ) -> None:
        """`np.copyto`."""
        self.copy(out, source, where)

    def copy(self, out: Array, source: Array | float, mask: Array | None = None) -> None:
        """A copy, cast where the types differ; only where the mask is."""
        if not isinstance(source, np.ndarray):
            source = self._number(source, out)
        if mask is not None:
            if source.dtype != out.dtype:
                raise InternalError(f"a masked copy from {source.dtype} to {out.dtype}")
            self.named(f"where_{_code(out)}", source, mask, out)
        elif source.dtype == out.dtype:
            self.named(f"copy_{_code(out)}", source, out)
        else:
            self.named(f"cast_{_code(source)}{_code(out)}", source, out)

    def reduce(
        self, name: str, source: Array, axis: int | tuple[int, ...], dtype: None, out: Array
    ) -> None:
        """A ufunc's reduction over some axes."""
        axes = {a % source.ndim for a in ((axis,) if isinstance(axis, int) else axis)}
        start = START[name]
        if out.dtype.kind == "i" and np.isinf(start):
            limits = np.iinfo(out.dtype)
            start = limits.min if name == "maximum" else limits.max
        self.copy(out, start)
        strides = iter(out.strides)
        wide = tuple(0 if k in axes else next(strides) for k in range(source.ndim))
        result = Operand(native.address(out), wide, out.itemsize, is_written=True)
        function, data = loop_of(name, out.dtype.char * 3)
        operands = (result, _operand(source, source.shape), result)
        self._loop(function, data, source.shape, operands, by=1)

    def position(self, name: str, source: Array, axis: int, out: Array) -> None:
        """`np.argmax` or `np.argmin`."""
        others = [k for k in range(source.ndim) if k != axis]
        turned = source.transpose(*others, axis)
        result = Operand(native.address(out), (*out.strides, 0), 8, is_written=True)
        operands = (_operand(turned, turned.shape), result)
        if source.shape[axis] > 1:
            # Its own axis is the inner loop: no other may be made one with it.
            function = _named(f"{name}_{_code(source)}")
            self._loop(function, 0, turned.shape, operands, by=None)
        else:
            self.copy(out, 0)

    def take(self, source: Array, places: Array, axis: int, out: Array, mode: str) -> None:
        """`np.take(source, places, axis, out, "clip")`."""
        if mode != "clip" or not source.flags.c_contiguous or not out.flags.c_contiguous:
            raise InternalError("a gather from or to a view")
        outer, inner = prod(source.shape[:axis]), prod(source.shape[axis + 1 :])
        piece, extent = inner * source.itemsize, source.shape[axis]
        pieces = np.array([piece, extent], np.int64)
        self.kept.append(pieces)
        count = places.size
        if not outer * count * inner:
            return
        along = tuple(step * piece for step in contiguous(places.shape))
        operands = (
            Operand(native.address(places), (0, *places.strides), 8),
            Operand(native.address(source), (extent * piece, *(0,) * places.ndim), source.nbytes),
            Operand(native.address(out), (count * piece, *along), piece, is_written=True),
        )
        weight = max(1, FAR * inner)
        function, data = _named("take"), native.address(pieces)
        self._loop(function, data, (outer, *places.shape), operands, weight, by=None)

    def scatter(
        self, name: str, flat: Array, places: Array, items: Array, mask: Array | None = None
    ) -> None:
        """Items put or accumulated at places of a flat array, where the mask is."""
        if items.ndim == 2 == flat.ndim:
            return self._scatter_rows(name, flat, places, items)
        given = [places, items, *([] if mask is None else [mask])]
        shape = np.broadcast_shapes(*(a.shape for a in given))
        operands = [_operand(a, shape) for a in given]
        operands.insert(2, _scattered(flat, len(shape)))
        masked = "" if mask is None else "masked_"
        function = _named(f"{masked}{name}_{_code(flat)}")
        return self._loop(function, 0, shape, tuple(operands), by=None)

    def _scatter_rows(self, name: str, flat: Array, places: Array, items: Array) -> None:
        width = np.array([items.shape[1]], np.int64)
        self.kept.append(width)
        row = Operand(native.address(items), (items.strides[0],), items.strides[0])
        operands = (_operand(places, places.shape), row, _scattered(flat, 1))
        function = _named(f"{name}_rows_{_code(flat)}")
        weight = items.shape[1]
        self._loop(function, native.address(width), places.shape, operands, weight, by=None)

    def check(self, number: int, source: Array, extent: int) -> None:
        """That integers are inside an axis."""
        if not source.flags.c_contiguous:
            own = self.own(source.shape, source)
            self.copy(own, source)
            source = own
        if source.size:
            place = len(self.checked)
            self.checked.append((number, source, extent))
            self.instructions.append(Check(native.address(source), source.size, extent, place))

    def matmul(self, left: Array, right: Array, out: Array) -> None:
        """`np.matmul`."""
        self.accumulate(out, left, right, 1.0, 0.0)

    def accumulate(
        self, out: Array, left: Array, right: Array, alpha: float, beta: float = 1.0
    ) -> None:
        """`out = beta*out + alpha*(left @ right)`."""
        if not out.size:
            return
        if not left.size:
            if beta == 0:
                self.copy(out, 0)
            return
        lay_out(self, left, right, out, alpha, beta)

    def dot(self, left: Array, right: Array, out: Array) -> None:
        """Adds to each element of `out` the products of the last axes of left and right."""
        operands = (_operand(left, left.shape), _operand(right, left.shape))
        result = Operand(native.address(out), (*out.strides, 0), out.itemsize, is_written=True)
        function = _named(f"dot_{out.dtype.char}")
        self._loop(function, 0, left.shape, (*operands, result), by=None)

    def scale(self, out: Array, factor: float) -> None:
        """Multiplies an array by a number."""
        self.pointwise("multiply", out, self._number(factor, out), out)

    def product(self, product: Product) -> None:
        """Notes a product that `lay_out` has found the words of."""
        self.instructions.append(product)

    def own(self, shape: Shape, like: Array) -> Array:
        """Memory of the recorder's own."""
        array = np.empty(shape, like.dtype)
        self.kept.append(array)
        return array

    def _number(self, value: float, like: Array) -> Array:
        key = (float(value), like.dtype.char)
        if key not in self._numbers:
            self._numbers[key] = np.array(value, like.dtype)
            self.kept.append(self._numbers[key])
        return self._numbers[key]

    def _each(
        self, loop: tuple[int, int], sources: tuple[Array, ...], out: Array, weight: int, like: str
    ) -> None:
        """Notes a function with its data, of each element of the sources into that of `out`."""
        operands = [_operand(source, out.shape) for source in sources]
        written = _operand(out, out.shape, is_written=True)
        self._loop(*loop, out.shape, (*operands, written), weight, like=like)

    def _loop(
        self,
        function: int,
        data: int,
        shape: Shape,
        operands: tuple[Operand, ...],
        weight: int = 1,
        *,
        by: int | None = -1,
        like: str = "",
    ) -> None:
        """Notes a loop, its axes in the order of an operand's memory (None: as they are)."""
        if 0 in shape:
            return
        rows = native.named_loops().get(f"rows_{like}", 0)
        loop = Loop(function, data, shape or (1,), _one_axis(operands, shape), weight, rows)
        self.instructions.append(_sorted(loop, by))


@cache
def loop_of(name: str, types: str) -> tuple[int, int]:
    """The inner loop of a ufunc for operands of these types."""
    found = native.loop_of(getattr(np, name), types)
    if found is None:
        raise InternalError(f"np.{name} has no inner loop for {types}")
    return found


def _named(name: str) -> int:
    try:
        return native.named_loops()[name]
    except KeyError:
        raise InternalError(f"there is no loop {name}") from None


def _code(array: Array) -> str:
    return "b" if array.dtype.kind == "b" else "l" if array.dtype.kind == "i" else array.dtype.char


def _operand(array: Array, shape: Shape, *, is_written: bool = False) -> Operand:
    """An array as it is read over a shape that it broadcasts to."""
    steps = tuple(0 if n == 1 else s for n, s in zip(array.shape, array.strides, strict=True))
    # A copy may have fewer axes than its source, where those have the extent 1.
    strides = (*(0,) * (len(shape) - array.ndim), *steps[max(0, array.ndim - len(shape)) :])
    return Operand(native.address(array), strides, array.itemsize, is_written)


def _scattered(flat: Array, axes: int) -> Operand:
    """All of an array, written at computed places."""
    pointer = native.address(flat)
    return Operand(pointer, (0,) * axes, flat.nbytes, is_written=True, is_scattered=True)


def _one_axis(operands: tuple[Operand, ...], shape: Shape) -> tuple[Operand, ...]:
    if shape:
        return operands
    return tuple(Operand(o.pointer, (0,), o.reach, o.is_written, o.is_scattered) for o in operands)


def _sorted(loop: Loop, by: int | None) -> Loop:
    """The loop with its axes in the order in which an operand lies; extents of 1 gone."""
    count = len(loop.shape)
    axes = [k for k, extent in enumerate(loop.shape) if extent > 1 or k == count - 1]
    if by is not None:
        order = [loop.operands[by], *reversed(loop.operands)]
        keys = [[o.strides[k] for o in order] for k in range(count)]
        axes = [k for k in axes if loop.shape[k] > 1] or axes
        axes.sort(key=lambda k: keys[k], reverse=True)
    if axes == list(range(count)):
        return loop
    operands = tuple(
        Operand(o.pointer, tuple(o.strides[k] for k in axes), o.reach, o.is_written, o.is_scattered)
        for o in loop.operands
    )
    shape = tuple(loop.shape[k] for k in axes)
    return replace(loop, shape=shape, operands=operands)
