"""What a BLAS takes beside the arrays of a plan: it packs its operands, a part at a time."""

from __future__ import annotations

from collections.abc import Sequence

from einbatch.plan.graph import Value

DEPTH = 768
"""The most of the summed axis that is packed at once, about."""
WIDTH = 8192
"""The most rows of the left operand, and columns of the right one, that are."""

SMALL = 100**3
"""The most multiplications of a product that OpenBLAS does without packing."""


def estimate_workspace(values: Sequence[Value], item: int) -> int:
    """About how many bytes the largest product of two matrices packs; vectors are read in place.

    Between what OpenBLAS and MKL were measured to take on two cores. Products of one size
    may take either of them half as much or twice, which is a few hundredths of all memory.
    """
    return max((_packed(values, value) * item for value in values), default=0)


def _packed(values: Sequence[Value], value: Value) -> int:
    if value.operation not in ("matmul", "accumulate"):
        return 0
    left, right = (values[argument].shape for argument in value.arguments[-2:])
    rows, depth, columns = left[-2], left[-1], right[-1]
    if rows == 1 or columns == 1 or rows * depth * columns <= SMALL:
        return 0
    return min(depth, DEPTH) * (min(rows, WIDTH) + min(columns, WIDTH))
