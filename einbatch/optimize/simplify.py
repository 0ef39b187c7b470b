"""The backward statements as a person would write them.

Before:

    for b,ŷ: s.grad[b,ŷ] -= loss.grad[b]*([ŷ = label[b]] - P[b,ŷ])
    for j:   C.grad[j]   += h.grad[j]*(2*y[j]^1)*1

After:

    for b,ŷ: s.grad[b,ŷ] += loss.grad[b]*(P[b,ŷ] - [ŷ = label[b]])
    for j:   C.grad[j]   += 2*h.grad[j]*y[j]

Only cotangents' statements change: what a person wrote stays as written.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import TypeGuard

from einbatch.ir.build import ONE, ZERO, divide, multiply
from einbatch.ir.program import (
    Apply,
    Expression,
    Number,
    Program,
    Read,
    Reduce,
    Statement,
    Step,
    statements_of,
)
from einbatch.ir.traverse import children, free_indices, map_statements, rebuild


def simplify(program: Program) -> Program:
    """Cotangents' statements without ones, zeros, double signs and nested products."""

    def rule(statement: Statement) -> Statement:
        if not statement.target.endswith(program.cotangent):
            return statement
        value = _simplified(statement.value)
        if value == ZERO:
            indices = free_indices(*statement.subscripts)
            return replace(statement, value=value, indices=indices)
        if set(free_indices(value)) != set(free_indices(statement.value)):
            return statement  # a loop less would add fewer terms
        return _signed(replace(statement, value=value))

    steps = map_statements(program.statements, rule)
    return replace(program, statements=_without_zeros(steps, program.cotangent))


def _simplified(expression: Expression) -> Expression:
    """`simplify_node` from the leaves up; subscripts stay: `x[b,t+0]` is not `x[b,t]`."""
    old = () if isinstance(expression, Read) else children(expression)
    new = tuple(map(_simplified, old))
    changed = any(a is not b for a, b in zip(old, new, strict=True))
    return simplify_node(rebuild(expression, new) if changed else expression)


def simplify_node(node: Expression) -> Expression:
    """One node over simplified children."""
    match node:
        case Apply(primitive="mul", arguments=arguments):
            return _product(node, arguments)
        case Apply(primitive="add", arguments=arguments):
            return _sum(node, arguments)
        case Apply(primitive="neg", arguments=(Apply(primitive="neg", arguments=(inner,)),)):
            return inner
        case Apply(primitive="neg", arguments=(Number(value=0) as zero,)):
            return zero
        case Apply(primitive="div", arguments=(above, Number(value=1))):
            return above
        case Apply(primitive="div", arguments=(Apply("neg", (above,)), below), span=span):
            return Apply("neg", (Apply("div", (above, below), span),), span)
        case Apply(primitive="pow", arguments=(base, Number(value=1))):
            return base
        case Apply(primitive="pow", arguments=(_, Number(value=0))):
            return ONE
        case Apply(primitive="select", arguments=(_, a, b)) if a == b:
            return a
        case Apply("select", (Apply("eq", (Number(value=a), Number(value=b))), same, other)):
            return same if a == b else other
        case Reduce(reduction="sum", body=Apply(primitive="neg", arguments=(inner,)), span=span):
            return Apply("neg", (replace(node, body=inner),), span)
        case _:
            return node


def _product(node: Apply, arguments: tuple[Expression, ...]) -> Expression:
    negative = False
    factors: list[Expression] = []
    for argument in arguments:
        match argument:
            case Apply(primitive="neg", arguments=(inner,)):
                negative = not negative
                factors += _factors(inner)
            case _:
                factors += _factors(argument)
    if ZERO in factors:
        return ZERO
    whole = _numbers_first(_cancelled(tuple(factor for factor in factors if factor != ONE)))
    result = ONE if not whole else whole[0] if len(whole) == 1 else replace(node, arguments=whole)
    return Apply("neg", (result,), node.span) if negative else result


def _numbers_first(factors: tuple[Expression, ...]) -> tuple[Expression, ...]:
    """`1/B*g*2*x` as `2/B*g*x`: the numbers, multiplied, stand in front."""
    numbers = [factor.value for factor in factors if _is_plain(factor)]
    others = tuple(factor for factor in factors if not _is_plain(factor))
    number = Number(math.prod(numbers))
    if number == ONE or not math.isfinite(number.value):
        return others if number == ONE else factors
    match others:
        case (Apply(primitive="div") as first, *rest):
            return (_times(number, first), *rest)
        case _:
            return (number, *others)


def _times(number: Number, factor: Expression) -> Expression:
    """A factor with a number in front, above its fraction bar: `2*g/|i|`, `2/B`."""
    match factor:
        case Number() if _is_plain(factor):
            return Number(number.value * factor.value)
        case Apply(primitive="div", arguments=(above, below)):
            return replace(factor, arguments=(_times(number, above), below))
        case Apply(primitive="mul", arguments=(Number() as first, *rest)) if _is_plain(first):
            return replace(factor, arguments=(Number(number.value * first.value), *rest))
        case _:
            return multiply(number, *_factors(factor))


def _cancelled(factors: tuple[Expression, ...]) -> tuple[Expression, ...]:
    """`2*(g/2)*x` as `g*x` and `6*(g/4)*x` as `3*g/2*x`, where the numbers are integers."""
    above, below = 1, 1
    rest: list[Expression] = []
    for factor in factors:
        undivided, divisor = _undivided(factor)
        below *= divisor
        for part in _factors(undivided):
            if isinstance(part, Number) and isinstance(part.value, int):
                above *= part.value
            else:
                rest.append(part)
    if above == 1 or below == 1 or not rest:
        return factors
    number = Fraction(above, below)
    first = rest[0] if number.numerator == 1 else _times(Number(number.numerator), rest[0])
    if number.denominator == 1:
        return (*_factors(first), *rest[1:])
    count = 2 if _is_share(rest[0]) else 1
    run = multiply(*_factors(first), *rest[1:count])
    return (divide(run, Number(number.denominator)), *rest[count:])


def _is_share(factor: Expression) -> bool:
    """True for `1/B`, which leads its product."""
    return isinstance(factor, Apply) and factor.primitive == "div" and factor.arguments[0] == ONE


def _undivided(factor: Expression) -> tuple[Expression, int]:
    """A factor without the integers that it is divided by, and their product."""
    match factor:
        case Apply(primitive="div", arguments=(inner, Number(value=int(n)))) if n > 0:
            rest, divisor = _undivided(inner)
            return rest, divisor * n
        case Apply("div", (inner, Apply("mul", (Number(value=int(n)), *others)))) if n > 0:
            rest, divisor = _undivided(divide(inner, multiply(*others)))
            return rest, divisor * n
        case Apply(primitive="div", arguments=(inner, other)):
            rest, divisor = _undivided(inner)
            return (divide(rest, other), divisor) if divisor > 1 else (factor, 1)
        case _:
            return factor, 1


def _is_plain(factor: Expression) -> TypeGuard[Number]:
    """True for a number that is written in digits; `pi` and `inf` keep their names."""
    return isinstance(factor, Number) and factor.value not in (math.pi, math.inf)


def _factors(factor: Expression) -> tuple[Expression, ...]:
    match factor:
        case Apply(primitive="mul", arguments=arguments):
            return arguments
        case _:
            return (factor,)


def _sum(node: Apply, arguments: tuple[Expression, ...]) -> Expression:
    terms = [
        term
        for argument in arguments
        for term in (
            argument.arguments
            if isinstance(argument, Apply) and argument.primitive == "add"
            else (argument,)
        )
        if term != ZERO
    ]
    if not terms:
        return ZERO
    return terms[0] if len(terms) == 1 else replace(node, arguments=tuple(terms))


def _signed(statement: Statement) -> Statement:
    """A sign in front goes into a difference, or into the operator."""
    value = statement.value
    operator = statement.operator
    if operator not in ("+=", "-="):
        return statement
    negative = operator == "-="
    match value:
        case Apply(primitive="neg", arguments=(inner,)):
            negative, value = not negative, inner
        case _:
            pass
    if negative:
        turned = _turned(value)
        if turned is not None:
            negative, value = False, turned
    return replace(statement, operator="-=" if negative else "+=", value=value)


def _turned(value: Expression) -> Expression | None:
    """The value with its one difference the other way round: `g*(a - b)` as `g*(b - a)`."""
    match value:
        case Apply(
            primitive="mul", arguments=(*others, Apply("add", (a, Apply("neg", (b,)))) as d)
        ):
            turned = replace(d, arguments=(b, Apply("neg", (a,), d.span)))
            return replace(value, arguments=(*others, turned))
        case Apply(primitive="add", arguments=(a, Apply(primitive="neg", arguments=(b,)))):
            return replace(value, arguments=(b, Apply("neg", (a,), value.span)))
        case _:
            return None


def _without_zeros(steps: tuple[Step, ...], suffix: str) -> tuple[Step, ...]:
    """The steps without cotangents' contributions of zero, but for the only one of a tensor."""
    others = {s.target for s in statements_of(steps) if not _adds_nothing(s, suffix)}
    kept: list[Step] = []
    for step in steps:
        if not isinstance(step, Statement):
            kept.append(replace(step, body=_without_zeros(step.body, suffix)))
        elif not _adds_nothing(step, suffix):
            kept.append(step)
        elif step.target not in others:
            others.add(step.target)
            kept.append(step)
    return tuple(kept)


def _adds_nothing(statement: Statement, suffix: str) -> bool:
    zero = statement.operator in ("+=", "-=") and statement.value == ZERO
    return zero and statement.target.endswith(suffix)
