"""Programs of the course, differentiated and run on a backend, draws handed in as arrays."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from einbatch.autodiff import differentiate
from einbatch.diagnostics import Source
from einbatch.elaborate import bind_extents, constant_values
from einbatch.elaborate.binding import literal_shape
from einbatch.ir import Elements, Program, Tensor, evaluate_constant
from einbatch.loops import run as run_loops
from einbatch.model.execution import emit
from einbatch.model.front import read_program

COURSE = Path(__file__).parent.parent.parent / "programs" / "course"
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Lesson:
    """A file of the course, and arrays of the shapes that it declares."""

    name: str

    @cached_property
    def program(self) -> Program:
        """The forward statements and the objective."""
        path = COURSE / f"{self.name}.ein"
        return read_program(Source(path.name, path.read_text("utf-8"))).forward

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """What a derivative is taken by, besides the params."""
        given = (*self.program.of_kind("input"), *self.program.of_kind("draw"))
        return tuple(t.name for t in given if not t.integer and t.extents)

    @cached_property
    def derived(self) -> Program:
        return differentiate(self.program, self.numbers)

    def arrays(self, batch: int, draws: np.random.Generator) -> Arrays:
        """Random inputs of the literals' shapes but for the batch, params and draws to fit."""
        program = self.program
        shapes = {t.name: self.input_shape(t, batch) for t in program.of_kind("input")}
        extents = bind_extents(program, shapes)
        constants = constant_values(program, extents)
        found: Arrays = {}
        for tensor in program.tensors:
            if tensor.kind != "value":
                sizes = [evaluate_constant(e, constants, extents) for e in tensor.extents]
                shape = tuple(map(int, sizes))
                if tensor.member is not None:
                    found[tensor.name] = draws.integers(0, extents[tensor.member], size=shape)
                elif tensor.name == "training":
                    found[tensor.name] = np.ones(())
                else:
                    found[tensor.name] = draws.normal(size=shape)
        return found

    def input_shape(self, tensor: Tensor, batch: int) -> tuple[int, ...]:
        assert isinstance(tensor.initial, Elements)
        shape = literal_shape(tensor.initial)
        pairs = zip(tensor.axes, shape, strict=True)
        return tuple(batch if axis == self.program.batch else size for axis, size in pairs)

    def run(self, arrays: Mapping[str, np.ndarray], names: Collection[str], backend: str) -> Arrays:
        """Tensors of the derived program, in double precision."""
        return run(self.derived, arrays, names, backend)


def run(
    program: Program, arrays: Mapping[str, np.ndarray], names: Collection[str], backend: str
) -> Arrays:
    extents = bind_extents(program, {name: array.shape for name, array in arrays.items()})
    if backend == "loops":
        return dict(run_loops(program, arrays, extents))
    emitted = emit(program, extents, tuple(names), backend, "float64")
    needed = (*emitted.plan.inputs, *emitted.plan.owned)
    given = {
        item.name: np.asarray(arrays[item.name], "int64" if item.integer else "float64", order="C")
        for item in needed
    }
    return dict(emitted.runner.run(given))
