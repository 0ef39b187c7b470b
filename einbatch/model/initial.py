"""What params, states and literal inputs start from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from einbatch.data import generator
from einbatch.diagnostics import EinbatchError, fail
from einbatch.elaborate import constant_values
from einbatch.ir import (
    Draw,
    Elements,
    IndexValue,
    Program,
    Statement,
    Tensor,
    Value,
    as_float,
    evaluate_constant,
    free_indices,
    reads,
    statements_of,
    walk,
)
from einbatch.ir.program import Dtype
from einbatch.loops import run
from einbatch.model.arrays import Array, convert


def initial_array(
    program: Program,
    tensor: Tensor,
    extents: Mapping[str, int],
    seed: int,
    dtype: Dtype,
    step: int = 0,
) -> Array:
    """The initial value of a param or state, an input's literal, or a random draw.

    Computed in double precision and cast. Draws depend on `seed`, `step` and the
    tensor's name alone; fan-in and fan-out are those of the first statement of `program`
    that reads the tensor.
    """
    constants = constant_values(program, extents)
    shape = tuple(int(evaluate_constant(e, constants, extents)) for e in tensor.extents)
    match tensor.initial:
        case Draw():
            numbers = generator(seed, tensor.name, step)
            values = _draw(program, tensor, tensor.initial, shape, constants, extents, numbers)
        case Elements():
            values = np.array(
                [as_float(v) for v in _flat(tensor.initial, constants, extents)]
            ).reshape(shape)
        case None:
            raise KeyError(tensor.name)
        case expression if not free_indices(expression):
            value = as_float(evaluate_constant(expression, constants, extents))
            values = np.full(shape, value)
        case expression:
            subscripts = tuple(map(IndexValue, tensor.axes))
            fill = Statement(tensor.name, subscripts, "=", expression, tensor.axes, tensor.span)
            alone = replace(program, tensors=(tensor,), statements=(fill,), reports=(), updates=())
            values = run(alone, {}, extents)[tensor.name]
    return np.ascontiguousarray(convert(tensor, values, dtype)).reshape(shape)


def _flat(
    elements: Elements, constants: Mapping[str, Value], extents: Mapping[str, int]
) -> list[Value]:
    values: list[Value] = []
    for item in elements.items:
        if isinstance(item, Elements):
            values += _flat(item, constants, extents)
        else:
            values.append(evaluate_constant(item, constants, extents))
    return values


def _draw(
    program: Program,
    tensor: Tensor,
    draw: Draw,
    shape: tuple[int, ...],
    constants: Mapping[str, Value],
    extents: Mapping[str, int],
    numbers: np.random.Generator,
) -> Array:
    values = [as_float(evaluate_constant(e, constants, extents)) for e in draw.arguments]
    fan_in, fan_out = _fans(program, tensor, shape)
    match draw.distribution, values:
        case "normal", (mean, deviation):
            if not deviation >= 0:
                raise _bad_draw(draw, f"a standard deviation of {deviation:g} is negative")
            return mean + deviation * numbers.standard_normal(shape)
        case "uniform", (low, high):
            if not low <= high:
                raise _bad_draw(draw, f"{low:g} … {high:g} is empty")
            return low + (high - low) * numbers.random(shape)
        case "bernoulli", (probability,):
            if not 0 <= probability <= 1:
                raise _bad_draw(draw, f"{probability:g} is no probability")
            return (numbers.random(shape) < probability).astype(np.float64)
        case "glorot", _:
            # Glorot and Bengio, "Understanding the difficulty of training deep
            # feedforward neural networks", 2010, equation 16.
            limit = math.sqrt(6 / (fan_in + fan_out))
            return limit * (2 * numbers.random(shape) - 1)
        case _:
            # He et al., "Delving deep into rectifiers", 2015, equation 10.
            return math.sqrt(2 / fan_in) * numbers.standard_normal(shape)


def _bad_draw(draw: Draw, reason: str) -> EinbatchError:
    return fail(
        "E0619",
        reason,
        (draw.span, "drawn from here"),
        help="`normal(mean, standard deviation)`, `uniform(low, high)`, `bernoulli(probability)`",
    )


def _fans(program: Program, tensor: Tensor, shape: tuple[int, ...]) -> tuple[int, int]:
    """The extents of the axes that the first statement reading a tensor binds, and of the rest."""
    for statement in statements_of(program.statements):
        for read in reads(statement.value):
            if read.tensor == tensor.name:
                kept = free_indices(*statement.subscripts)
                bound = [
                    any(isinstance(n, IndexValue) and n.index not in kept for n in walk(subscript))
                    for subscript in read.subscripts
                ]
                inward = math.prod(e for e, is_in in zip(shape, bound, strict=True) if is_in)
                outward = math.prod(e for e, is_in in zip(shape, bound, strict=True) if not is_in)
                return inward, outward
    return 1, math.prod(shape)
