"""Dual numbers through the loop nest: exact directional derivatives.

A number a + a′ε with ε² = 0 carries its derivative along through everything that
is computed from it (forward mode; Clifford 1873). The loop nest stays as it is;
only the table of meanings changes. Nothing here knows of reverse mode: the two
tables of derivatives are written apart, and tests hold them to each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from einbatch.ir.program import Program
from einbatch.loops import MEANING, Cells, Meaning, Nest, cells_of, run_with


class Dual(float):
    """A float (the value) and its derivative along a direction."""

    __slots__ = ("tangent",)
    tangent: float

    def __new__(cls, value: float, tangent: float) -> Dual:
        number = super().__new__(cls, value)
        number.tangent = tangent
        return number


def directional_derivative(
    program: Program,
    arrays: Mapping[str, ArrayLike],
    extents: Mapping[str, int],
    tangents: Mapping[str, ArrayLike],
) -> float:
    """The derivative of the program's objective along `tangents`.

    The objective is the scalar that `minimize` names, or its mean over the batch;
    `tangents` gives a direction to some of `arrays`, in their shapes.
    """
    if program.objective is None:
        raise ValueError("the program minimizes nothing")
    return float(np.mean(tangents_of(program, arrays, extents, tangents)[program.objective.tensor]))


def tangents_of(
    program: Program,
    arrays: Mapping[str, ArrayLike],
    extents: Mapping[str, int],
    tangents: Mapping[str, ArrayLike],
) -> dict[str, NDArray[np.float64]]:
    """The derivative of every named tensor along `tangents`, element by element."""
    tensors: dict[str, Cells] = {}
    for name, array in arrays.items():
        tensors[name] = cells_of(program.tensor(name), array)
        if name in tangents:
            direction = np.asarray(tangents[name], dtype=np.float64)
            tensors[name] = {e: Dual(v, float(direction[e])) for e, v in tensors[name].items()}
    nest = run_with(DUAL_MEANING, program, tensors, extents)
    return {name: _tangents(nest, name) for name in nest.tensors}


def _tangents(nest: Nest, tensor: str) -> NDArray[np.float64]:
    values = [_tangent(value) for value in nest.tensors[tensor].values()]
    return np.array(values, dtype=np.float64).reshape(nest.shapes[tensor])


def _tangent(value: float) -> float:
    return value.tangent if isinstance(value, Dual) else 0.0


def _lifted(primitive: str) -> Callable[..., float]:
    """A primitive of duals: Σ_k ∂f/∂a_k · a_k′, over those arguments that vary."""
    function = MEANING[primitive]
    partials = DERIVATIVES.get(primitive)
    if partials is None:
        return lambda *arguments: function(*map(_value, arguments))

    def lifted(*arguments: float) -> float:
        values = [_value(argument) for argument in arguments]
        result = function(*values)
        if not any(_tangent(argument) for argument in arguments):
            return result
        slopes = partials(*values)
        terms = [s * _tangent(a) for s, a in zip(slopes, arguments, strict=True) if _tangent(a)]
        return Dual(result, sum(terms))

    return lifted


def _value(argument: float) -> float:
    return float(argument) if isinstance(argument, Dual) else argument


def _slopes_of_product(*values: float) -> tuple[float, ...]:
    return tuple(MEANING["mul"](*values[:k], *values[k + 1 :]) for k in range(len(values)))


def _slopes_of_power(a: float, b: float) -> tuple[float, float]:
    power = MEANING["pow"]
    return (
        0 if b == 0 else b * power(a, b - 1),
        0 if a == 0 else power(a, b) * MEANING["log"](a),
    )


def _slopes_of_maximum(a: float, b: float) -> tuple[float, float]:
    share = 0.5 if a == b else float(a > b)
    return share, 1 - share


def _slopes_of_clamp(x: float, low: float, high: float) -> tuple[float, float, float]:
    return float(low <= x <= high), float(x < low), float(x > high)


def _slope_of_gelu(x: float) -> float:
    density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return (1 + math.erf(x / math.sqrt(2))) / 2 + x * density


def _single(slope: Callable[[float], float]) -> Callable[[float], tuple[float]]:
    return lambda x: (slope(x),)


_divide = MEANING["div"]
_sigmoid = MEANING["sigmoid"]

SLOPES: dict[str, Callable[[float], float]] = {
    "neg": lambda x: -1,
    "exp": MEANING["exp"],
    "log": lambda x: _divide(1, x),
    "sqrt": lambda x: _divide(1, 2 * MEANING["sqrt"](x)),
    "abs": lambda x: (x > 0) - (x < 0),
    "sin": MEANING["cos"],
    "cos": lambda x: -MEANING["sin"](x),
    "tan": lambda x: _divide(1, MEANING["cos"](x) * MEANING["cos"](x)),
    "tanh": lambda x: (1 - MEANING["tanh"](x)) * (1 + MEANING["tanh"](x)),
    "sigmoid": lambda x: _sigmoid(x) * _sigmoid(-x),
    "relu": lambda x: float(x > 0),
    "stop": lambda x: 0.0,
    "softplus": _sigmoid,
    "gelu": _slope_of_gelu,
    "erf": lambda x: 2 / math.sqrt(math.pi) * math.exp(-x * x),
}

"""The derivatives of the primitives of one number."""

DERIVATIVES: dict[str, Callable[..., tuple[float, ...]]] = {
    **{name: _single(slope) for name, slope in SLOPES.items()},
    "add": lambda *values: (1,) * len(values),
    "mul": _slopes_of_product,
    "div": lambda *ab: (_divide(1, ab[1]), -_divide(_divide(*ab), ab[1])),
    "pow": _slopes_of_power,
    "max": _slopes_of_maximum,
    "min": lambda *ab: _slopes_of_maximum(*ab)[::-1],
    "mod": lambda *ab: (1, -MEANING["floor"](_divide(*ab))),
    "clamp": _slopes_of_clamp,
}
"""Each primitive's derivatives to its arguments; for those left out they are 0 or undefined.

`max` and `min` of two give half to each at a tie; `clamp` passes on what is in its
range, bounds included; `a^b` at a = 0 does not vary with b.
"""

DUAL_MEANING: Meaning = {name: _lifted(name) for name in MEANING}
