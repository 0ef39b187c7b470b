"""Expressions as text, with no parenthesis that the grammar does not need.

`*`, `/` and `^` stand close, `+` and `-` have spaces except in subscripts:
`1/B*g[b,j]`, `P[b,k] - [k = t[b]]`, `x[b,t+1]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum
from typing import assert_never

from einbatch.diagnostics import InternalError
from einbatch.syntax import nodes as n

Spell = Callable[[n.Identifier], str]


class Level(IntEnum):
    """How tightly an expression binds, the loosest first."""

    CONDITIONAL = 0
    OR = 1
    AND = 2
    NOT = 3
    COMPARISON = 4
    SUM = 5
    TERM = 6
    """A term of a sum: it may begin with a minus."""
    FACTOR = 7
    """A factor after the first: it may begin with a minus, but holds no product."""
    POWER = 8
    ATOM = 9


NUMERAL = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def print_expression(
    node: n.Expression, spell: Spell, level: Level = Level.CONDITIONAL, tight: bool = False
) -> str:
    """An expression's text where the grammar wants at least `level`; `tight` in subscripts."""
    text = _text(node, spell, tight)
    return text if _level(node) >= level else f"({text})"


def _level(node: n.Expression) -> Level:
    match node:
        case n.If():
            return Level.CONDITIONAL
        case n.Logic(operator=operator):
            return Level.OR if operator == "or" else Level.AND
        case n.Not():
            return Level.NOT
        case n.Compare():
            return Level.COMPARISON
        case n.Sum():
            return Level.SUM
        case n.Negate(operand=operand):
            return Level.TERM if _level(operand) == Level.TERM else Level.FACTOR
        case n.Product():
            return Level.TERM
        case n.Power():
            return Level.POWER
        case _:
            return Level.ATOM


def _text(node: n.Expression, spell: Spell, tight: bool) -> str:
    def at(child: n.Expression, level: Level) -> str:
        return print_expression(child, spell, level, tight)

    match node:
        case n.Number(text=text):
            if not NUMERAL.fullmatch(text):
                raise InternalError(f"a number cannot be written as {text!r}")
            return text
        case n.Name(identifier=identifier):
            return spell(identifier)
        case n.ExtentOf(index=index):
            return f"|{spell(index)}|"
        case n.Access(tensor=tensor, subscripts=subscripts):
            inside = ",".join(print_expression(item, spell, tight=True) for item in subscripts)
            return f"{spell(tensor)}[{inside}]"
        case n.Sum(terms=terms):
            (_, first), *rest = terms
            gap = "" if tight else " "
            tail = [f"{gap}{sign}{gap}{at(term, Level.TERM)}" for sign, term in rest]
            return at(first, Level.TERM) + "".join(tail)
        case n.Product(factors=factors):
            (_, first), *rest = factors
            tail = [sign + at(factor, Level.FACTOR) for sign, factor in rest]
            return at(first, Level.POWER) + "".join(tail)
        case n.Negate(operand=operand):
            return "-" + at(operand, Level.TERM)
        case n.Power(base=base, exponent=exponent):
            return f"{at(base, Level.ATOM)}^{at(exponent, Level.FACTOR)}"
        case n.Call(function=function, arguments=arguments):
            return f"{function}({', '.join(at(item, Level.CONDITIONAL) for item in arguments)})"
        case n.Reduction(operator=operator, indices=indices, body=body):
            inside = ",".join(spell(index) for index in indices)
            return f"{operator}[{inside}]({at(body, Level.CONDITIONAL)})"
        case n.Iverson(condition=condition):
            return f"[{at(condition, Level.CONDITIONAL)}]"
        case n.If() | n.Compare() | n.Logic() | n.Not():
            return _condition(node, at)
        case _:
            assert_never(node)


def _condition(
    node: n.If | n.Compare | n.Logic | n.Not, at: Callable[[n.Expression, Level], str]
) -> str:
    match node:
        case n.If(condition=condition, consequent=consequent, alternative=alternative):
            then = f"then {at(consequent, Level.CONDITIONAL)}"
            other = f"else {at(alternative, Level.CONDITIONAL)}"
            return f"if {at(condition, Level.OR)} {then} {other}"
        case n.Compare(operator=operator, left=left, right=right):
            return f"{at(left, Level.SUM)} {operator} {at(right, Level.SUM)}"
        case n.Logic(operator=operator, operands=operands):
            level = Level.AND if operator == "or" else Level.NOT
            return f" {operator} ".join(at(item, level) for item in operands)
        case n.Not(operand=operand):
            return f"not {at(operand, Level.NOT)}"
        case _:
            assert_never(node)
