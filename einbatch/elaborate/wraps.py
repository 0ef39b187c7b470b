"""`x[mod(i+1)]` and `x[clamp(i+1)]`: the axis that a whole subscript wraps or is clamped to."""

from __future__ import annotations

from dataclasses import replace

from einbatch.ir import (
    Apply,
    Expression,
    Number,
    Program,
    Read,
    Statement,
    map_statements,
    transform,
)
from einbatch.ir.build import ONE, ZERO, subtract


def fill_wraps(program: Program) -> Program:
    """The program with the axis' extent written out: `mod(i+1, |i|)`, `clamp(i+1, 0, |i|-1)`."""

    def rule(node: Expression) -> Expression:
        if isinstance(node, Read):
            return replace(node, subscripts=_filled(program, node.tensor, node.subscripts))
        return node

    def statement(item: Statement) -> Statement:
        subscripts = tuple(transform(subscript, rule) for subscript in item.subscripts)
        return replace(
            item,
            subscripts=_filled(program, item.target, subscripts),
            value=transform(item.value, rule),
        )

    return replace(
        program,
        statements=map_statements(program.statements, statement),
        reports=tuple(statement(report) for report in program.reports),
        updates=map_statements(program.updates, statement),
    )


def _filled(
    program: Program, tensor: str, subscripts: tuple[Expression, ...]
) -> tuple[Expression, ...]:
    extents = program.tensor(tensor).extents
    pairs = zip(subscripts, extents, strict=True)
    return tuple(_whole(subscript, extent) for subscript, extent in pairs)


def _last(extent: Expression) -> Expression:
    """The last element of an axis."""
    match extent:
        case Number(value=int(number)):
            return Number(number - 1, extent.span)
        case _:
            return subtract(extent, ONE)


def _whole(subscript: Expression, extent: Expression) -> Expression:
    match subscript:
        case Apply(primitive="mod", arguments=(argument,)):
            return replace(subscript, arguments=(argument, extent))
        case Apply(primitive="clamp", arguments=(argument,)):
            return replace(subscript, arguments=(argument, ZERO, _last(extent)))
        case _:
            return subscript
