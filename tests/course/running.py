"""Files of `programs/`, differentiated and run on a backend, draws handed in as arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from einbatch.autodiff import differentiate
from einbatch.diagnostics import Source
from einbatch.elaborate import bind_extents, constant_values
from einbatch.elaborate.binding import literal_shape
from einbatch.ir import Elements, IndexValue, Program, Tensor, evaluate_constant, statements_of
from einbatch.loops import run as run_loops
from einbatch.model.execution import emit
from einbatch.model.front import read_program

PROGRAMS = Path(__file__).parent.parent.parent / "programs"
COURSE = PROGRAMS / "course"
FILES = {
    path.relative_to(PROGRAMS).with_suffix("").as_posix(): path
    for path in sorted(PROGRAMS.rglob("*.ein"))
}
"""Every file, by its path: `digits`, `course/mlp`, `puzzles/diag`."""
SMALLER = {
    "course/cnn": {"F": 2, "G": 2},
    "course/characters": {"T": 4, "D": 8, "H": 2, "L": 2},
}
"""The constants that make a file small enough for the loop nest."""
LOOSE = {"n": 20}
"""Extents that only data fix."""
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Lesson:
    """A file, and arrays of the shapes that it declares."""

    name: str

    @cached_property
    def program(self) -> Program:
        """The forward statements and the objective; without one, the last tensor weighted."""
        text = FILES[self.name].read_text("utf-8")
        program = self.read(text)
        if program.objective is not None:
            return program
        *_, last = statements_of(program.statements)
        bare = [item.index for item in last.subscripts if isinstance(item, IndexValue)]
        whole = len(bare) == len(last.subscripts)
        indices = bare if whole else [f"axis{k}" for k in range(len(last.subscripts))]
        terms = [f"{k + 1}*{index}" for k, index in enumerate(indices)]
        element = f"{last.target}[{','.join(indices)}]" if indices else last.target
        weighed = f"dot += sin({' + '.join(['1', *terms])})*{element}\nminimize dot\n"
        return self.read(text + weighed)

    def read(self, text: str) -> Program:
        return read_program(Source(f"{self.name}.ein", text), SMALLER.get(self.name)).forward

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """What a derivative is taken by, besides the params."""
        given = (*self.program.of_kind("input"), *self.program.of_kind("draw"))
        return tuple(t.name for t in given if not t.integer and t.name != "training")

    @cached_property
    def derived(self) -> Program:
        return differentiate(self.program, self.numbers)

    def arrays(self, batch: int, draws: np.random.Generator) -> Arrays:
        """Random inputs, params and draws; of the literals' shapes but for the batch."""
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
                else:  # weights small enough for the loop nest's own exp
                    scale = 0.4 if tensor.kind == "param" else 1
                    found[tensor.name] = scale * draws.normal(size=shape)
        return found

    def input_shape(self, tensor: Tensor, batch: int) -> tuple[int, ...]:
        """A literal's shape, else what the file declares; with a batch of one's own."""
        if isinstance(tensor.initial, Elements):
            shape = literal_shape(tensor.initial)
        else:
            constants = constant_values(self.program, {})
            declared = {
                axis: self.program.index(axis).extent
                for axis in tensor.axes
                if axis != self.program.batch
            }
            shape = tuple(
                int(evaluate_constant(declared[axis], constants, LOOSE))
                if axis in declared
                else batch
                for axis in tensor.axes
            )
        pairs = zip(tensor.axes, shape, strict=True)
        return tuple(batch if axis == self.program.batch else size for axis, size in pairs)

    def is_batched(self, name: str) -> bool:
        return self.program.batch in self.program.tensor(name).axes

    def run(self, arrays: Mapping[str, np.ndarray], names: Collection[str], backend: str) -> Arrays:
        """Tensors of the derived program, in double precision."""
        return run(self.derived, arrays, names, backend)


LESSONS = {name: Lesson(name) for name in FILES}


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


def weights(shape: Iterable[int]) -> np.ndarray:
    """What a file without an objective has its last tensor multiplied by, and summed."""
    places = np.indices(tuple(shape))
    return np.sin(1 + sum((k + 1) * place for k, place in enumerate(places)))
