"""Subscripts are integers, and constant ones are inside their axis."""

from __future__ import annotations

from collections.abc import Iterator

from einbatch.diagnostics import Diagnostic, EinbatchError, diagnostic
from einbatch.elaborate.integers import integer_constants, is_integer
from einbatch.ir import (
    Apply,
    Constant,
    Expression,
    Number,
    Program,
    Read,
    Value,
    evaluate_constant,
    reads,
    statements_of,
    walk,
)


def check_subscripts(program: Program) -> Iterator[Diagnostic]:
    """Errors for subscripts that are no integers, or constants that are outside."""
    integers = {tensor.name for tensor in program.tensors if tensor.integer}
    constants = integer_constants(program)
    for statement in statements_of((*program.statements, *program.reports, *program.updates)):
        accesses = [(statement.target, statement.subscripts)]
        for expression in (*statement.subscripts, statement.value):
            accesses += [(read.tensor, read.subscripts) for read in reads(expression)]
        for name, subscripts in accesses:
            extents = program.tensor(name).extents
            for subscript, extent in zip(subscripts, extents, strict=True):
                if not is_integer(subscript, integers, constants):
                    yield _not_an_integer(program, name, subscript)
                elif isinstance(extent, Number):
                    yield from _outside(name, subscript, extent.value, program)


def _not_an_integer(program: Program, name: str, subscript: Expression) -> Diagnostic:
    given = program.find_tensor(subscript.tensor) if isinstance(subscript, Read) else None
    if given is None or given.kind != "input":
        return diagnostic(
            "E0416",
            f"a subscript of `{name}` is not an integer",
            (subscript.span, "this may be any number"),
            help="subscripts are indices, extents, inputs declared `in`, `floor(…)`, `argmax`, "
            "and sums, products and `mod` of those",
        )
    axes = f"[{','.join(given.axes)}]" if given.axes else ""
    return diagnostic(
        "E0416",
        f"a subscript of `{name}` is not an integer",
        (subscript.span, f"`{given.name}` may be any number"),
        (given.span, "declared here, without `in`"),
        help=f"declare the index that its integers are in: `input {given.name}{axes} in k`",
    )


def _outside(
    name: str, subscript: Expression, extent: int | float, program: Program
) -> Iterator[Diagnostic]:
    value = _constant(subscript, program)
    if value is not None and not 0 <= value < extent:
        yield diagnostic(
            "E0311",
            f"subscript {value} is outside `{name}`, whose axis has extent {extent}",
            (subscript.span, f"0 … {int(extent) - 1} are inside"),
            help="subscripts count from 0",
        )


def _constant(subscript: Expression, program: Program) -> Value | None:
    """The value of a subscript that is made of numbers and constants, else None."""
    if not all(isinstance(node, (Number, Constant, Apply)) for node in walk(subscript)):
        return None
    try:
        constants = {let.name: evaluate_constant(let.value, {}, {}) for let in program.lets}
        return evaluate_constant(subscript, constants, {})
    except (KeyError, EinbatchError):
        return None
