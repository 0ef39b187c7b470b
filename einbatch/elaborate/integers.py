"""Which expressions are integers, and so may be subscripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from dataclasses import replace

from einbatch.diagnostics import EinbatchError
from einbatch.ir import (
    PRIMITIVES,
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Extent,
    IndexValue,
    Number,
    Program,
    Read,
    Reduce,
    Tensor,
    children,
    evaluate_constant,
    statements_of,
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


def mark_integers(program: Program) -> Program:
    """Tensors that one `=` sets to an integer expression hold integers."""
    constants = integer_constants(program)
    integers = {tensor.name for tensor in program.tensors if tensor.integer}
    values = {tensor.name for tensor in program.tensors if tensor.kind == "value"}
    steps = tuple(statements_of((*program.statements, *program.updates)))
    writes = Counter(statement.target for statement in steps)
    for statement in steps:
        once = statement.operator == "=" and writes[statement.target] == 1
        if (
            once
            and statement.target in values
            and holds_integers(statement.value, integers, constants)
        ):
            integers.add(statement.target)
    return replace(program, tensors=tuple(_marked(t, t.name in integers) for t in program.tensors))


def _marked(tensor: Tensor, integer: bool) -> Tensor:
    return tensor if tensor.integer == integer else replace(tensor, integer=integer)


def integer_constants(program: Program) -> set[str]:
    """The constants whose values are integers by their form."""
    known: set[str] = set()
    for let in program.lets:
        if is_integer(let.value, frozenset(), known):
            known.add(let.name)
    return known


def integer_values(program: Program) -> dict[str, int]:
    """The constants whose integer value is known before data."""
    found: dict[str, int] = {}
    for let in program.lets:
        try:
            value = evaluate_constant(let.value, found, {})
        except (KeyError, EinbatchError):
            continue
        if isinstance(value, int):
            found[let.name] = value
    return found
