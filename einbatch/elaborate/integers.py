"""Which expressions are integers, and so may be subscripts."""

from __future__ import annotations

from collections.abc import Set

from einbatch.ir import (
    PRIMITIVES,
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Extent,
    IndexValue,
    Number,
    Read,
    Reduce,
    children,
)


def is_integer(expression: Expression, tensors: Set[str], constants: Set[str]) -> bool:
    """True where every value of an expression is an integer by its form.

    `tensors` and `constants` name those that hold integers.
    """
    match expression:
        case Number(value=value):
            return isinstance(value, int)
        case Constant(name=name):
            return name in constants
        case IndexValue() | Extent():
            return True
        case Read(tensor=tensor, otherwise=otherwise):
            other = otherwise is None or is_integer(otherwise, tensors, constants)
            return tensor in tensors and other
        case Reduce(reduction=("argmax" | "argmin")):
            return True
        case Reduce(reduction=reduction, body=body):
            return REDUCTIONS[reduction].integral and is_integer(body, tensors, constants)
        case Apply(primitive=("floor" | "iverson")):
            return True
        case Apply(primitive="select", arguments=(_, consequent, alternative)):
            return all(is_integer(e, tensors, constants) for e in (consequent, alternative))
        case Apply(primitive=primitive, arguments=arguments):
            integral = PRIMITIVES[primitive].integral
            return integral and all(is_integer(e, tensors, constants) for e in arguments)


def holds_integers(value: Expression, tensors: Set[str], constants: Set[str]) -> bool:
    """True where a tensor set to `value` is a tensor of integers.

    An integer that is made of numbers alone (`T[k] = 0`) makes no integer tensor:
    most such tensors go on to accumulate numbers.
    """
    return is_integer(value, tensors, constants) and _has_origin(value)


def _has_origin(value: Expression) -> bool:
    match value:
        case Read() | IndexValue():
            return True
        case Reduce(reduction=("argmax" | "argmin")) | Apply(primitive="floor"):
            return True
        case Apply(primitive="iverson"):
            return False
        case _:
            return any(_has_origin(child) for child in children(value))
