"""Expressions as text, with no parenthesis that the grammar does not need.

`*`, `/` and `^` stand close, `+` and `-` have spaces except in subscripts:
`1/B*g[b,j]`, `P[b,k] - [k = t[b]]`, `x[b,t+1]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain
from typing import assert_never

from einbatch.diagnostics import InternalError
from einbatch.syntax import nodes as n

Spell = Callable[[n.Identifier], str]


class Level(IntEnum):
    """How tightly an expression binds, the loosest first."""

    OTHERWISE = -1
    """A read with its `else`: only inside parentheses that are there anyway."""
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


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place in the text for an expression that binds at least as tightly as `level`."""

    node: n.Expression
    level: Level
    tight: bool
    """True within a subscript, where sums print without spaces."""


_Pieces = list[str | _Slot]


def print_expression(node: n.Expression, spell: Spell, level: Level = Level.CONDITIONAL) -> str:
    """An expression's text where the grammar wants at least `level`."""
    # A stack instead of recursion: what other stages build may be deep, and Python's stack is not.
    done: list[str] = []
    waiting: _Pieces = [_Slot(node, level, tight=False)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            done.append(item)
            continue
        pieces = _pieces(item.node, spell, item.tight)
        if _level(item.node) < item.level:
            pieces = ["(", *pieces, ")"]
        waiting.extend(reversed(pieces))
    return "".join(done)


def _level(node: n.Expression) -> Level:
    signs = 0
    while isinstance(node, n.Negate):
        node, signs = node.operand, signs + 1
    level = _level_without_sign(node)
    if not signs:
        return level
    return Level.TERM if level == Level.TERM else Level.FACTOR


def _level_without_sign(node: n.Expression) -> Level:
    match node:
        case n.Otherwise():
            return Level.OTHERWISE
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
        case n.Product():
            return Level.TERM
        case n.Power():
            return Level.POWER
        case _:
            return Level.ATOM


def _pieces(node: n.Expression, spell: Spell, tight: bool) -> _Pieces:
    """An expression's text with places for its parts, without parentheses of its own."""

    def at(child: n.Expression, level: Level) -> _Slot:
        return _Slot(child, level, tight)

    match node:
        case n.Number(text=text):
            if not NUMERAL.fullmatch(text):
                raise InternalError(f"a number cannot be written as {text!r}")
            return [text]
        case n.Name(identifier=identifier):
            return [spell(identifier)]
        case n.ExtentOf(index=index):
            return [f"|{spell(index)}|"]
        case n.Access(tensor=tensor, subscripts=subscripts):
            inside = [_Slot(item, Level.CONDITIONAL, tight=True) for item in subscripts]
            return [spell(tensor), "[", *_joined(",", inside), "]"]
        case n.Sum(terms=terms):
            gap = "" if tight else " "
            tail = [(f"{gap}{sign}{gap}", at(term, Level.TERM)) for sign, term in terms[1:]]
            return [at(terms[0][1], Level.TERM), *chain.from_iterable(tail)]
        case n.Product(factors=factors):
            tail = [(sign, at(factor, Level.FACTOR)) for sign, factor in factors[1:]]
            return [at(factors[0][1], Level.POWER), *chain.from_iterable(tail)]
        case n.Negate(operand=operand):
            return ["-", at(operand, Level.TERM)]
        case n.Power(base=base, exponent=exponent):
            return [at(base, Level.ATOM), "^", at(exponent, Level.FACTOR)]
        case n.Call(function=function, arguments=arguments, indices=indices):
            inside = [at(item, Level.OTHERWISE) for item in arguments]
            over = f"[{','.join(map(spell, indices))}]" if indices else ""
            return [f"{function}{over}(", *_joined(", ", inside), ")"]
        case n.Reduction(operator=operator, indices=indices, body=body):
            return [
                f"{operator}[{','.join(map(spell, indices))}](",
                at(body, Level.OTHERWISE),
                ")",
            ]
        case n.Iverson(condition=condition):
            return ["[", at(condition, Level.CONDITIONAL), "]"]
        case n.Otherwise(read=read, alternative=alternative):
            return [at(read, Level.ATOM), " else ", at(alternative, Level.CONDITIONAL)]
        case n.If() | n.Compare() | n.Logic() | n.Not():
            return _condition(node, at)
        case _:
            assert_never(node)


def _condition(
    node: n.If | n.Compare | n.Logic | n.Not, at: Callable[[n.Expression, Level], _Slot]
) -> _Pieces:
    match node:
        case n.If(condition=condition, consequent=consequent, alternative=alternative):
            then = at(consequent, Level.CONDITIONAL)
            other = at(alternative, Level.CONDITIONAL)
            return ["if ", at(condition, Level.OR), " then ", then, " else ", other]
        case n.Compare(operator=operator, left=left, right=right):
            return [at(left, Level.SUM), f" {operator} ", at(right, Level.SUM)]
        case n.Logic(operator=operator, operands=operands):
            level = Level.AND if operator == "or" else Level.NOT
            return _joined(f" {operator} ", [at(item, level) for item in operands])
        case n.Not(operand=operand):
            return ["not ", at(operand, Level.NOT)]
        case _:
            assert_never(node)


def _joined(separator: str, slots: Sequence[_Slot]) -> _Pieces:
    pairs = ((separator, slot) for slot in slots)
    return list(chain.from_iterable(pairs))[1:]
