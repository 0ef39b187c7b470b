"""The derived gradients, checked on random data by dual numbers and by differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from einbatch.autodiff import differentiate, split_objectives
from einbatch.data import generator
from einbatch.diagnostics import Diagnostic, EinbatchError, diagnostic, fail
from einbatch.dual import directional_derivative
from einbatch.elaborate import bind_extents, constant_values
from einbatch.ir import Extent, Number, Program, Tensor, evaluate_constant, walk
from einbatch.loops import run
from einbatch.model.arrays import Array
from einbatch.model.draws import Moment, drawn
from einbatch.model.execution import mean_of
from einbatch.model.front import Front

BATCH, OTHERS = 3, (4, 2, 5)
"""The extents that data would fix: the batch's, and the others' in turn."""
FACTORS = (1, 2, 4, 8)
"""What the others are multiplied by, where subscripts reach further."""
DUAL_TOLERANCE, DIFFERENCE_TOLERANCE = 1e-9, 1e-5
DIFFERENCE = 1e-5
RANGES = ((-1.0, 1.0), (0.1, 1.0))
"""Where random values lie; the second where the first leads out of a function's domain."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A checked cotangent under an objective: right where there is no diagnostic."""

    cotangent: str
    objective: str
    diagnostic: Diagnostic | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """Random arrays for a program's inputs and params, float64 and int64."""

    arrays: dict[str, Array]
    extents: dict[str, int]

    def extents_of(self, derived: Program) -> dict[str, int]:
        """The extents of a program made of this one, which may have further indices."""
        return bind_extents(derived, {name: array.shape for name, array in self.arrays.items()})


def check_derived(front: Front, seed: int = 0) -> list[Finding]:
    """The derived cotangent of each param and input against dual numbers and differences.

    Both go along one random direction through the loop nest, in float64.
    """
    return [finding for part in split_objectives(front.forward) for finding in _checked(part, seed)]


def _checked(program: Program, seed: int) -> list[Finding]:
    """What `check_derived` finds of one objective."""
    inputs = [t.name for t in program.of_kind("input") if not t.integer]
    derived = differentiate(program, inputs)
    example = find_example(program, seed)
    values = run(derived, example.arrays, example.extents_of(derived))
    names, suffix = (*program.trained, *inputs), program.cotangent
    return [_derived_finding(program, name, suffix, values, example, seed) for name in names]


def find_example(program: Program, seed: int) -> Example:
    """Random data on which the objective is finite; E0807 where none is found."""
    assert program.objective is not None
    for low, high in RANGES:
        example, value = _fitting(program, seed, low, high)
        if np.isfinite(value).all():
            return example
    raise fail(
        "E0807",
        f"`{program.objective.tensor}` is not finite on random data",
        (program.objective.span, "to be checked"),
        help="a logarithm, root or quotient leaves its domain; run the file on its own data",
    )


def _fitting(program: Program, seed: int, low: float, high: float) -> tuple[Example, Array]:
    """Random data and the objective's values: of the least extents in which it has some.

    Subscripts may reach further than the first extents do, which are arbitrary.
    """
    assert program.objective is not None
    forward = replace(program, updates=(), reports=())
    for factor in FACTORS:
        try:
            example = _draw(program, seed, low, high, factor)
            values = run(forward, example.arrays, example.extents)
        except EinbatchError:
            if factor == FACTORS[-1]:
                raise
        else:
            return example, np.asarray(values[program.objective.tensor])
    raise AssertionError


def _draw(program: Program, seed: int, low: float, high: float, factor: int) -> Example:
    given = (*program.of_kind("input"), *program.of_kind("param"), *program.of_kind("state"))
    symbols = _choose_extents(program, factor)
    constants = constant_values(program, symbols)
    shapes = {
        tensor.name: tuple(int(evaluate_constant(e, constants, symbols)) for e in tensor.extents)
        for tensor in given
    }
    extents = bind_extents(program, shapes)
    arrays: dict[str, Array] = {}
    for tensor in given:
        numbers = generator(seed, f"check {tensor.name}")
        if tensor.integer:
            most = extents[tensor.member] if tensor.member else 2
            arrays[tensor.name] = numbers.integers(0, most, shapes[tensor.name])
        else:
            arrays[tensor.name] = numbers.uniform(low, high, shapes[tensor.name])
    arrays |= drawn(program, extents, "float64", Moment(seed))
    return Example(arrays, extents)


def _choose_extents(program: Program, factor: int) -> dict[str, int]:
    """An extent for every symbol that only data fix: the batch's is 3, others grow by a factor."""
    symbols: dict[str, int] = {}
    batch = program.index(program.batch).extent if program.batch else None
    for tensor in program.of_kind("input"):
        for extent in tensor.extents:
            for node in walk(extent):
                if isinstance(node, Extent) and node.name not in symbols:
                    others = factor * OTHERS[len(symbols) % len(OTHERS)]
                    symbols[node.name] = BATCH if node == batch else others
    return symbols


def _derived_finding(
    program: Program,
    name: str,
    suffix: str,
    values: Mapping[str, Array],
    example: Example,
    seed: int,
) -> Finding:
    tensor = program.tensor(name)
    objective = program.objectives[0].tensor
    direction = generator(seed, f"direction {name}").uniform(-1, 1, np.shape(example.arrays[name]))
    slope = float(np.sum(values[name + suffix] * direction)) / _scale(program, tensor, example)
    exact = directional_derivative(program, example.arrays, example.extents, {name: direction})
    rough = _difference(program, name, direction, example)
    size = max(1.0, abs(exact))
    off, far = abs(slope - exact) / size, abs(slope - rough) / size
    note = f"dual numbers {off:.0e}, central differences {far:.0e}"
    if off <= DUAL_TOLERANCE and (far <= DIFFERENCE_TOLERANCE or np.isnan(far)):
        return Finding(name + suffix, objective, None, note)
    if off <= DUAL_TOLERANCE:
        return Finding(name + suffix, objective, None, f"{note}: a kink is near")
    item = diagnostic(
        "E0810",
        f"along a random direction, `{name + suffix}` gives {slope:.9g}; dual numbers give "
        f"{exact:.9g}, central differences {rough:.9g}",
        (tensor.span, "derived with respect to this"),
        help="this is a fault of einbatch's own; please report it with the program",
    )
    return Finding(name + suffix, objective, item, note)


def _scale(program: Program, tensor: Tensor, example: Example) -> int:
    """What the batch convention multiplies the derivative of a batched tensor by."""
    if program.batch is None:
        return 1
    symbol = program.index(program.batch).extent
    batched = any(node == symbol for extent in tensor.extents for node in walk(extent))
    is_symbol = not isinstance(symbol, Number)
    return example.extents[program.batch] if batched and is_symbol else 1


def _difference(program: Program, name: str, direction: Array, example: Example) -> float:
    assert program.objective is not None
    forward = replace(program, reports=())
    sides: list[float] = []
    for sign in (1, -1):
        moved = example.arrays[name] + sign * DIFFERENCE * direction
        values = run(forward, {**example.arrays, name: moved}, example.extents)
        sides.append(mean_of(values[program.objective.tensor]))
    return (sides[0] - sides[1]) / (2 * DIFFERENCE)
