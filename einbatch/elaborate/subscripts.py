"""Subscripts are integers, and constant ones are inside their axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from einbatch.diagnostics import Diagnostic, diagnostic
from einbatch.elaborate.affine import affine_form, with_extents
from einbatch.elaborate.integers import integer_constants, integer_values, is_integer
from einbatch.elaborate.polynomial import constant_difference, simplest
from einbatch.elaborate.show_extent import show
from einbatch.ir import (
    Apply,
    Expression,
    IndexValue,
    Program,
    Read,
    Statement,
    reads,
    statements_of,
    walk,
)
from einbatch.ir.build import ONE, ZERO, subtract


def check_subscripts(program: Program) -> Iterator[Diagnostic]:
    """Errors for subscripts that are no integers, or constants that are outside."""
    integers = {tensor.name for tensor in program.tensors if tensor.integer}
    constants = integer_constants(program)
    values = integer_values(program)
    for statement in statements_of((*program.statements, *program.reports, *program.updates)):
        for access in _accesses(statement):
            extents = program.tensor(access.tensor).extents
            for subscript, extent in zip(access.subscripts, extents, strict=True):
                if not is_integer(subscript, integers, constants):
                    yield _not_an_integer(program, access.tensor, subscript)
                elif access.otherwise is None:
                    yield from _outside(access.tensor, subscript, extent, program, values)


def _accesses(statement: Statement) -> Iterator[Read]:
    """Every read of a statement, and its target; one that is partial counts as guarded."""
    guard = ZERO if statement.partial else None
    yield Read(statement.target, statement.subscripts, guard, statement.span)
    for expression in (*statement.subscripts, statement.value):
        yield from reads(expression)


def _not_an_integer(program: Program, name: str, subscript: Expression) -> Diagnostic:
    given = program.find_tensor(subscript.tensor) if isinstance(subscript, Read) else None
    if given is None or given.kind != "input":
        return diagnostic(
            "E0416",
            f"a subscript of `{name}` is not an integer",
            (subscript.span, "this may be any number"),
            help=_integer_hint(subscript),
        )
    axes = f"[{','.join(given.axes)}]" if given.axes else ""
    return diagnostic(
        "E0416",
        f"a subscript of `{name}` is not an integer",
        (subscript.span, f"`{given.name}` may be any number"),
        (given.span, "declared here, without `in`"),
        help=f"declare the index that its integers are in: `input {given.name}{axes} in k`",
    )


def _integer_hint(subscript: Expression) -> str:
    if any(isinstance(node, Apply) and node.primitive == "div" for node in walk(subscript)):
        return "say where a division with a rest goes: `floor(…)`"
    return (
        "subscripts are indices, extents, inputs declared `in`, `floor(…)`, `argmax`, "
        "and sums, products and `mod` of those"
    )


def _outside(
    name: str,
    subscript: Expression,
    extent: Expression,
    program: Program,
    constants: Mapping[str, int],
) -> Iterator[Diagnostic]:
    """An affine subscript that leaves its axis, where extents say so whatever the data."""
    form = affine_form(subscript, constants)
    if form is None or isinstance(subscript, IndexValue):
        return
    extents = {index.name: index.extent for index in program.indices}
    least = with_extents(form.least(), extents)
    greatest = with_extents(form.greatest(), extents)
    below = constant_difference(least, ZERO)
    above = constant_difference(greatest, extent)
    if (below is not None and below < 0) or (above is not None and above >= 0):
        reach = show(simplest(least if below is not None and below < 0 else greatest))
        yield diagnostic(
            "E0311",
            f"subscript {reach} is outside `{name}`, whose axis has extent {show(extent)}",
            (subscript.span, f"reaches {reach}; 0 … {_last(extent)} are inside"),
            help="subscripts count from 0; `(x[…] else 0)` says what is read outside",
        )


def _last(extent: Expression) -> str:
    return show(simplest(subtract(extent, ONE)))
