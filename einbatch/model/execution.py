"""Programs run on a backend; plans are kept for the next call of the same extents."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol, cast

import numpy as np

from einbatch.backends import BACKENDS as PLANNED
from einbatch.backends import backend as load_backend
from einbatch.diagnostics import fail
from einbatch.elaborate import erase_statement
from einbatch.ir import Program, Statement
from einbatch.ir.program import Dtype
from einbatch.loops import run as run_loops
from einbatch.model.arrays import Array
from einbatch.model.passes import resolve_passes
from einbatch.model.restrict import restrict
from einbatch.optimize.pipeline import optimize
from einbatch.plan import Plan, plan
from einbatch.syntax import unparse

LOOPS = "loops"
FEW = 256
"""So many numbers are added up in Python sooner than by a call of NumPy."""
MOST_PLANS = 64
"""The plans that one model keeps; the one that was used longest ago goes first."""


class Runner(Protocol):
    """A plan, loaded by a backend."""

    @property
    def plan(self) -> Plan: ...
    def describe(self) -> str: ...
    def run(self, arrays: Mapping[str, Array]) -> dict[str, Array]: ...
    def bind(self, params_and_states: Mapping[str, Array]) -> Callable[..., tuple[object, ...]]: ...


@dataclass(frozen=True, slots=True)
class Emitted:
    """A plan, the module that a backend wrote of it, and that module loaded."""

    plan: Plan
    source: str
    runner: Runner


class Execution:
    """A backend, a precision and the passes left out; and the plans made so far."""

    def __init__(self, backend: str, dtype: Dtype, without: Collection[str] = ()) -> None:
        names = [*PLANNED, LOOPS]
        if not isinstance(backend, str) or backend not in names:  # pyright: ignore[reportUnnecessaryIsInstance] - callers are not typed
            near = get_close_matches(str(backend), names, 1)
            raise fail(
                "E0804",
                f"there is no backend `{backend}`",
                help=f"did you mean `{near[0]}`?" if near else f"there are {', '.join(names)}",
            )
        self.backend = backend
        self.dtype: Dtype = dtype
        self.without = resolve_passes(without)
        self._plans: OrderedDict[object, tuple[Program, Emitted]] = OrderedDict()
        self._parts: dict[tuple[int, tuple[str, ...]], tuple[Program, Program]] = {}

    @property
    def is_planned(self) -> bool:
        """False for the loop nest, which runs programs as they are."""
        return self.backend != LOOPS

    @property
    def made(self) -> tuple[Emitted, ...]:
        """The plans that are kept, the one that was used last at the end."""
        return tuple(emitted for _, emitted in self._plans.values())

    def run(
        self,
        program: Program,
        arrays: Mapping[str, Array],
        extents: Mapping[str, int],
        outputs: Iterable[str],
        *,
        updates: bool = False,
    ) -> dict[str, Array]:
        """The tensors `outputs`, as arrays of the caller's own.

        `arrays` holds converted inputs, params and states. With `updates`, the update
        statements run too, and params and states among the outputs are the new ones.
        """
        names = tuple(dict.fromkeys(outputs))
        if self.is_planned:
            return dict(self.emitted(program, extents, names, updates=updates).runner.run(arrays))
        part = restrict(program, names, updates=updates)
        known = {tensor.name for tensor in part.tensors}
        given = {name: array for name, array in arrays.items() if name in known}
        values = run_loops(part, given, extents, updates=updates, dtype=self.dtype)
        return {name: cast(Array, values[name]) for name in names}

    def part(self, program: Program, outputs: tuple[str, ...]) -> Program:
        """The part of a program that computes `outputs`: for the same ones the same again."""
        key = (id(program), outputs)
        if key not in self._parts:
            self._parts[key] = (program, restrict(program, outputs))  # its id stays its own
        return self._parts[key][1]

    def emitted(
        self,
        program: Program,
        extents: Mapping[str, int],
        outputs: tuple[str, ...],
        *,
        updates: bool = False,
    ) -> Emitted:
        """The plan of a program for these extents, emitted and loaded; kept for the next call."""
        key = (id(program), tuple(extents.items()), outputs, updates)
        if key not in self._plans:
            how = (self.backend, self.dtype)
            made = emit(program, extents, outputs, *how, updates=updates, without=self.without)
            self._plans[key] = (program, made)  # the program too: its id stays its own
            if len(self._plans) > MOST_PLANS:
                self._plans.popitem(last=False)
        self._plans.move_to_end(key)
        return self._plans[key][1]


def emit(
    program: Program,
    extents: Mapping[str, int],
    outputs: tuple[str, ...],
    backend: str,
    dtype: Dtype,
    *,
    updates: bool = False,
    without: frozenset[str] = frozenset(),
) -> Emitted:
    """A program optimized, planned and written as a backend's module, `without` some passes."""
    stable = optimize(program, without=without)

    def describe(statement: Statement) -> str:
        return unparse(erase_statement(stable, statement))

    made = plan(
        stable,
        extents,
        dtype=dtype,
        outputs=outputs,
        updates=updates,
        describe_statement=describe,
        without=without,
    )
    module = load_backend(backend)
    source = cast(str, module.emit(made))
    return Emitted(made, source, cast(Runner, module.load(source, made)))


def mean_of(value: object) -> float:
    """The objective's value: itself, or its mean over the batch."""
    if not isinstance(value, np.ndarray):
        return float(cast(float, value))
    array = cast(Array, value)
    if array.ndim == 0:
        return float(array)
    if array.size <= FEW:
        return math.fsum(array.ravel().tolist()) / array.size
    return float(np.add.reduce(array, axis=None, dtype=np.float64)) / array.size


def resolve_dtype(dtype: str | None, program: Program) -> Dtype:
    """The argument, else the `dtype` line, else float32."""
    if dtype is None:
        return program.dtype or "float32"
    try:
        name = np.dtype(dtype).name
    except (TypeError, ValueError):
        name = str(dtype)
    if name == "float32" or name == "float64":
        return name
    raise fail(
        "E0805",
        f"there is no dtype `{name}`",
        help="a program computes in `float32` or in `float64`",
    )
