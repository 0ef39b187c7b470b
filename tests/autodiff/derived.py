"""Short ways to derive a program in a test, and to hold it to dual numbers."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent

import numpy as np
from numpy.typing import ArrayLike

from einbatch import loops
from einbatch.autodiff import differentiate
from einbatch.diagnostics import Source
from einbatch.dual import directional_derivative
from einbatch.elaborate import bind_extents, elaborate, erase
from einbatch.ir import Program, evaluate_constant, verify, walk
from einbatch.syntax import parse, unparse

Arrays = dict[str, np.ndarray]
SIZES = {"B": 3, "b": 3}


def program(text: str) -> Program:
    """The checked program of a text."""
    return elaborate(parse(Source("test.ein", dedent(text))))


def shown(found: Program) -> str:
    """A program in canonical form."""
    return unparse(erase(found))


def statements(found: Program) -> list[str]:
    """Its statements, a line each: everything after the declarations."""
    declarations = ("let ", "batch ", "index ", "input ", "param ", "state ", "dtype ")
    return [line for line in shown(found).splitlines() if not line.startswith(declarations)]


def backward(text: str, *wrt: str, raw: bool = False) -> list[str]:
    """The statements of the derived program that write cotangents, the seed left out."""
    lines = statements(differentiate(program(text), wrt=wrt, simplify=not raw))
    first = next(k for k, line in enumerate(lines) if ".grad" in line.split("=")[0])
    return lines[first + 1 :]


def forward(text: str, *wrt: str) -> list[str]:
    """The statements before the seed."""
    lines = statements(differentiate(program(text), wrt=wrt))
    return [line for line in lines if ".grad" not in line.split("=")[0]]


def arrays_for(found: Program, given: Mapping[str, object] | None = None, seed: int = 0) -> Arrays:
    """Random inputs and params; `given` by name; three where only data would fix an extent."""
    draws = np.random.default_rng(seed)
    arrays: Arrays = {}
    for tensor in found.tensors:
        if tensor.kind == "value":
            continue
        shape = tuple(_size(found, extent) for extent in tensor.extents)
        if given and tensor.name in given:
            arrays[tensor.name] = np.asarray(given[tensor.name])
        elif tensor.member is not None:
            below = _size(found, found.index(tensor.member).extent)
            arrays[tensor.name] = draws.integers(0, below, size=shape)
        else:
            arrays[tensor.name] = draws.uniform(-1.5, 1.5, size=shape)
    return arrays


def _size(found: Program, extent: object) -> int:
    symbols = {node.name: 3 for node in walk(extent) if hasattr(node, "name")}
    return int(evaluate_constant(extent, {}, {**symbols, **SIZES}))


def run(found: Program, arrays: Mapping[str, ArrayLike], *, updates: bool = False) -> Arrays:
    """A program on the loop nest, by the arrays that it knows."""
    known = {name: np.asarray(a) for name, a in arrays.items() if found.find_tensor(name)}
    extents = bind_extents(found, {name: array.shape for name, array in known.items()})
    return loops.run(found, known, extents, updates=updates)


def numbers_of(found: Program) -> tuple[str, ...]:
    """The inputs that hold numbers."""
    return tuple(tensor.name for tensor in found.of_kind("input") if not tensor.integer)


def share_of(found: Program, name: str, extents: Mapping[str, int]) -> int:
    """What `T.grad` is of the derivative of the objective: B where T is batched, else 1."""
    if found.batch is None:
        return 1
    symbol = found.index(found.batch).extent
    axes = found.tensor(name).extents
    is_batched = any(node == symbol for extent in axes for node in walk(extent))
    return extents[found.batch] if is_batched else 1


def derivative(found: Program, arrays: Arrays, name: str) -> np.ndarray:
    """`T.grad` by dual numbers, one element after the other."""
    extents = bind_extents(found, {key: array.shape for key, array in arrays.items()})
    result = np.zeros(arrays[name].shape)
    for element in np.ndindex(result.shape):
        direction = np.zeros(result.shape)
        direction[element] = 1.0
        result[element] = directional_derivative(found, arrays, extents, {name: direction})
    return share_of(found, name, extents) * result


def holds(
    text: str, given: Mapping[str, object] | None = None, wrt: tuple[str, ...] | None = None
) -> None:
    """The derived program is a program in the language, and its gradients are exact.

    That is with and without simplification, for every param and, where `wrt` names
    no others, for every input.
    """
    found = program(text)
    inputs = numbers_of(found) if wrt is None else wrt
    arrays = arrays_for(found, given)
    for simplify in (True, False):
        derived = differentiate(found, wrt=inputs, simplify=simplify)
        assert verify(derived) == []
        assert program(shown(derived)) == derived
        values = run(derived, arrays)
        for name in (*inputs, *(tensor.name for tensor in found.of_kind("param"))):
            expected = derivative(found, arrays, name)
            scale = 1 + np.max(np.abs(expected))
            np.testing.assert_allclose(
                values[name + found.cotangent],
                expected,
                rtol=0,
                atol=1e-11 * scale,
                err_msg=f"{name}{found.cotangent} of\n{shown(derived)}",
            )
