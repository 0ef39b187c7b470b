"""What params, states and literal inputs start from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from einbatch.data import generator
from einbatch.diagnostics import EinbatchError, fail
from einbatch.elaborate import constant_values
from einbatch.ir import (
    Draw,
    Elements,
    Expression,
    IndexValue,
    Program,
    Read,
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


class Initial:
    """What the tensors of a program start from: params and states, literals, random draws.

    Computed in double precision and cast. Draws depend on `seed`, `step` and the
    tensor's name alone; fan-in and fan-out are those of the first statement of `program`
    that reads the tensor.
    """

    def __init__(
        self, program: Program, extents: Mapping[str, int], seed: int, dtype: Dtype, step: int = 0
    ) -> None:
        self.program = program
        self.extents = extents
        self.seed = seed
        self.dtype: Dtype = dtype
        self.step = step

    @cached_property
    def _constants(self) -> dict[str, Value]:
        return constant_values(self.program, self.extents)

    def _number(self, expression: Expression) -> Value:
        return evaluate_constant(expression, self._constants, self.extents)

    def array(self, tensor: Tensor) -> Array:
        """The initial value of a param or state, an input's literal, or a random draw."""
        shape = tuple(int(self._number(extent)) for extent in tensor.extents)
        match tensor.initial:
            case Draw():
                values = self._draw(tensor, tensor.initial, shape)
            case Elements():
                values = np.array([as_float(v) for v in self._flat(tensor.initial)]).reshape(shape)
            case None:
                raise KeyError(tensor.name)
            case expression if not free_indices(expression):
                values = np.full(shape, as_float(self._number(expression)))
            case expression:
                subscripts = tuple(map(IndexValue, tensor.axes))
                fill = Statement(tensor.name, subscripts, "=", expression, tensor.axes, tensor.span)
                bare = replace(self.program, statements=(fill,), reports=(), updates=())
                alone = replace(bare, tensors=(tensor,))
                values = run(alone, {}, self.extents)[tensor.name]
        return convert(tensor, values, self.dtype)

    def _flat(self, elements: Elements) -> list[Value]:
        values: list[Value] = []
        for item in elements.items:
            if isinstance(item, Elements):
                values += self._flat(item)
            else:
                values.append(self._number(item))
        return values

    def _draw(self, tensor: Tensor, draw: Draw, shape: tuple[int, ...]) -> Array:
        numbers = generator(self.seed, tensor.name, self.step)
        values = [as_float(self._number(argument)) for argument in draw.arguments]
        return _drawn(draw, values, shape, self._fans(tensor, shape), numbers)

    @cached_property
    def _first_reads(self) -> dict[str, tuple[Statement, Read]]:
        found: dict[str, tuple[Statement, Read]] = {}
        for statement in statements_of(self.program.statements):
            for read in reads(statement.value):
                found.setdefault(read.tensor, (statement, read))
        return found

    def _fans(self, tensor: Tensor, shape: tuple[int, ...]) -> tuple[int, int]:
        """The extents of the axes that the first statement reading a tensor binds; of the rest."""
        if tensor.name not in self._first_reads:
            return 1, math.prod(shape)
        statement, read = self._first_reads[tensor.name]
        kept = free_indices(*statement.subscripts)
        bound = [
            any(isinstance(n, IndexValue) and n.index not in kept for n in walk(subscript))
            for subscript in read.subscripts
        ]
        inward = math.prod(e for e, is_in in zip(shape, bound, strict=True) if is_in)
        outward = math.prod(e for e, is_in in zip(shape, bound, strict=True) if not is_in)
        return inward, outward


def _drawn(
    draw: Draw,
    values: list[float],
    shape: tuple[int, ...],
    fans: tuple[int, int],
    numbers: np.random.Generator,
) -> Array:
    fan_in, fan_out = fans
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
