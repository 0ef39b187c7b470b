"""Products of matrices, laid out as BLAS takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from einbatch.backends.numpy import native
from einbatch.backends.numpy.instructions import Pointer, Product, Shape
from einbatch.diagnostics import InternalError

# Any: an array is of either precision.
Array: TypeAlias = NDArray[Any]


class Notes(Protocol):
    """What is noted of a step: copies and products, and memory for what is laid out anew."""

    def copy(self, out: Array, source: Array | float) -> None: ...
    def dot(self, left: Array, right: Array, out: Array) -> None: ...
    def scale(self, out: Array, factor: float) -> None: ...
    def own(self, shape: Shape, like: Array) -> Array: ...
    def product(self, product: Product) -> None: ...


@dataclass(frozen=True, slots=True)
class _Matrix:
    """A stack of matrices in memory: element strides inside, byte strides of the stack."""

    pointer: Pointer
    rows: int
    columns: int
    down: int
    right: int
    stack: Shape

    @property
    def is_plain(self) -> bool:
        """True where each row lies in one piece, one row after the other."""
        inside = self.columns == 1 or self.right == 1
        return inside and (self.rows == 1 or self.down >= max(self.columns, 1))

    @property
    def is_vector(self) -> bool:
        """True for one row or column, with some stride."""
        return self.rows == 1 or self.columns == 1

    @property
    def leading(self) -> int:
        """Elements from one row to the next."""
        return self.down if self.rows > 1 else max(self.columns, 1)

    @property
    def stride(self) -> int:
        """A vector's elements from one to the next."""
        return max(self.down if self.columns == 1 and self.rows > 1 else self.right, 1)

    @property
    def transposed(self) -> _Matrix:
        return _Matrix(self.pointer, self.columns, self.rows, self.right, self.down, self.stack)


def lay_out(notes: Notes, left: Array, right: Array, out: Array, alpha: float, beta: float) -> None:
    """Notes `out = beta*out + alpha*(left @ right)`; what BLAS cannot read is copied first."""
    if out.dtype.kind != "f" or not left.dtype == right.dtype == out.dtype:
        raise InternalError(f"a product of {left.dtype} and {right.dtype} into {out.dtype}")
    stack = out.shape[:-2]
    in_rows = left.strides[-1] == left.itemsize or left.shape[-1] == 1
    if out.shape[-1] == 1 and in_rows and (beta == 0 or (beta == 1 and alpha == 1)):
        # Row by row, with what makes and what takes them; BLAS would go over memory again.
        if beta == 0:
            notes.copy(out, 0)
        shape = (*stack, *left.shape[-2:])
        vector = np.broadcast_to(right[..., None, :, 0], shape)
        notes.dot(np.broadcast_to(left, shape), vector, out[..., 0])
        if alpha != 1:
            notes.scale(out, alpha)
        return
    target = _matrix(out, stack)
    if target.is_plain or target.transposed.is_plain:
        a = _readable(notes, left, stack)
        b = _readable(notes, right, stack)
        notes.product(_product(a, b, target, stack, out.dtype.char == "d", alpha, beta))
        return
    own = notes.own(out.shape, out)
    if beta:
        notes.copy(own, out)
    lay_out(notes, left, right, own, alpha, beta)
    notes.copy(out, own)


def _product(
    a: _Matrix, b: _Matrix, c: _Matrix, stack: Shape, double: bool, alpha: float, beta: float
) -> Product:
    if c.columns == 1:
        return _vector_product(a, b, c, stack, double, alpha, beta)
    if c.rows == 1:
        return _vector_product(b.transposed, a.transposed, c.transposed, stack, double, alpha, beta)
    if not c.is_plain:
        a, b, c = b.transposed, a.transposed, c.transposed
    stored = [m if m.is_plain else m.transposed for m in (a, b)]
    numbers = (int(not a.is_plain), int(not b.is_plain), c.rows, c.columns, a.columns)
    operands = tuple((m.pointer, (m.leading,), m.stack) for m in (*stored, c))
    return Product(False, double, numbers, alpha, beta, operands, stack)


def _vector_product(
    a: _Matrix, x: _Matrix, y: _Matrix, stack: Shape, double: bool, alpha: float, beta: float
) -> Product:
    stored = a if a.is_plain else a.transposed
    numbers = (int(not a.is_plain), stored.rows, stored.columns)
    operands = (
        (stored.pointer, (stored.leading,), stored.stack),
        (x.pointer, (x.stride,), x.stack),
        (y.pointer, (y.stride,), y.stack),
    )
    return Product(True, double, numbers, alpha, beta, operands, stack)


def _readable(notes: Notes, array: Array, stack: Shape) -> _Matrix:
    matrix = _matrix(array, stack)
    if matrix.is_plain or matrix.transposed.is_plain:
        return matrix
    own = notes.own(array.shape, array)
    notes.copy(own, array)
    return _matrix(own, stack)


def _matrix(array: Array, stack: Shape) -> _Matrix:
    *outer, rows, columns = array.shape
    *strides, down, right = array.strides
    missing = len(stack) - len(outer)
    wide = [0] * missing + [0 if n == 1 else s for n, s in zip(outer, strides, strict=True)]
    item = array.itemsize
    inside = (down // item if rows > 1 else columns, right // item if columns > 1 else 1)
    return _Matrix(native.address(array), rows, columns, *inside, tuple(wide))
