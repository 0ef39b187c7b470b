"""A program on all of its data at once: how large its tensors are, before any is made."""

from __future__ import annotations

from collections.abc import Mapping

from numpy.typing import ArrayLike

from einbatch.elaborate import bind_extents, constant_values
from einbatch.ir import Program, evaluate_constant
from einbatch.model.binding import Load
from einbatch.model.trainer import input_shapes


def whole_extents(
    program: Program, inputs: Mapping[str, ArrayLike], load: Load | None
) -> dict[str, int]:
    """Every extent, from the shapes of the inputs; what stays in a file is not read."""
    return bind_extents(program, input_shapes(program, inputs, load))


def tensor_shapes(program: Program, extents: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor by name."""
    constants = constant_values(program, extents)
    return {
        tensor.name: tuple(
            int(evaluate_constant(extent, constants, extents)) for extent in tensor.extents
        )
        for tensor in program.tensors
    }
