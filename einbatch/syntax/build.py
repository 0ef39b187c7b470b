"""From the grammar's rules to the tree's nodes, bottom up, while lark parses.

Each method is a rule of `ein.lark` and gets the rule's tokens and parts in
order. A part knows its span with its parentheses, and how deep it is, so that
what is too deep is refused before anything has to walk it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

from lark import Transformer

from einbatch.diagnostics import EinbatchError, Source, Span, fail
from einbatch.syntax import nodes as n
from einbatch.syntax.scan import NESTING
from einbatch.syntax.words import Lexeme


@dataclass(frozen=True, slots=True)
class Brackets:
    """`[…]` before its place has shown whether it is a condition or a list of elements."""

    items: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """An expression, its span with its parentheses, its depth, and whether it holds a chain."""

    node: n.Expression | Brackets
    span: Span
    depth: int = 0
    chained: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A statement that may stand under `for`, and its depth."""

    node: n.For | n.Assign
    span: Span
    depth: int


@dataclass(frozen=True, slots=True)
class Axes:
    """`[b,i]` after a declared name."""

    names: tuple[n.Identifier, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Group:
    """`r, c < 8`."""

    node: n.IndexGroup
    span: Span


@dataclass(frozen=True, slots=True)
class Settings:
    """`(lr=0.1, momentum=0.9)`."""

    options: tuple[n.Option, ...]
    span: Span


Child = Lexeme | Part | Step | Axes | Group | Settings | n.Draw | n.Option | n.Declaration | (
    n.Minimize | n.Report | n.Train
)
Children = Sequence[Child]


class Builder(Transformer[Lexeme, Any]):
    """One method a rule; without state, so one builder serves every parse."""

    # --- a program and its declarations

    def program(self, children: Children) -> tuple[n.Statement, ...]:
        return tuple(
            child.node if isinstance(child, Step) else cast("n.Statement", child)
            for child in children
            if not isinstance(child, Lexeme)
        )

    def batch(self, children: Children) -> n.Batch:
        extents = _expressions(children)
        return n.Batch(_names(children)[0], extents[0] if extents else None, _span(children))

    def indices(self, children: Children) -> n.Indices:
        groups = tuple(child.node for child in children if isinstance(child, Group))
        return n.Indices(groups, _span(children))

    def group(self, children: Children) -> Group:
        node = n.IndexGroup(_names(children), _expressions(children)[0])
        return Group(node, _span(children))

    def let(self, children: Children) -> n.Let:
        return n.Let(_names(children)[0], _expressions(children)[0], _span(children))

    def axes(self, children: Children) -> Axes:
        return Axes(_names(children), _span(children))

    def input(self, children: Children) -> n.Input:
        name, *_ = _names(children)
        member: n.Identifier | None = None
        literal: n.Expression | n.Elements | None = None
        source: str | None = None
        for before, child in pairwise(children):
            match _kind(before):
                case "IN" | "ELEMENT_OF":
                    member = _identifier(child)
                case "EQUAL":
                    literal = _value(child)
                case "FROM":
                    source = str(child)[1:-1]
                case _:
                    pass
        return n.Input(name, _axes(children), member, literal, source, _span(children))

    def param(self, children: Children) -> n.Param:
        last = children[-1]
        initial = last if isinstance(last, n.Draw) else _value(last)
        return n.Param(_names(children)[0], _axes(children), initial, _span(children))

    def draw(self, children: Children) -> n.Draw:
        return n.Draw(_names(children)[0].key, _expressions(children), _span(children))

    def state(self, children: Children) -> n.State:
        initial = _value(children[-1])
        return n.State(_names(children)[0], _axes(children), initial, _span(children))

    def dtype(self, children: Children) -> n.Dtype:
        return n.Dtype(_names(children)[0].key, _span(children))

    # --- statements

    def loop(self, children: Children) -> Step:
        steps = [child for child in children if isinstance(child, Step)]
        span = children[0].span.merge(steps[-1].span)
        body = tuple(step.node for step in steps)
        depth = _deeper(max(step.depth for step in steps), span)
        return Step(n.For(_names(children), body, span), span, depth)

    def assign(self, children: Children) -> Step:
        target, operator, value = children
        span = _span(children)
        kind = _ASSIGNMENTS[_kind(operator)]
        depth = max(_part(target).depth, _part(value).depth)
        return Step(n.Assign(_target(target), kind, _expression(value), span), span, depth)

    def minimize(self, children: Children) -> n.Minimize:
        sense = "minimize" if _kind(children[0]) == "MINIMIZE" else "maximize"
        return n.Minimize(sense, _target(children[1]), _span(children))

    def report(self, children: Children) -> n.Report:
        return n.Report(_names(children)[0], _expression(children[-1]), _span(children))

    def train(self, children: Children) -> n.Train:
        names = _names(children)
        settings = [child.options for child in children if isinstance(child, Settings)]
        options = tuple(child for child in children if isinstance(child, n.Option))
        return n.Train(
            names[0].key if names else None,
            settings[0] if settings else (),
            options,
            _span(children),
        )

    def settings(self, children: Children) -> Settings:
        options = tuple(child for child in children if isinstance(child, n.Option))
        return Settings(options, _span(children))

    def option(self, children: Children) -> n.Option:
        return n.Option(str(children[0]), _expression(children[-1]), _span(children))

    # --- expressions

    def conditional(self, children: Children) -> Part:
        condition, consequent, alternative = _expressions(children)
        return _node(children, n.If(condition, consequent, alternative, _span(children)))

    def disjunction(self, children: Children) -> Part:
        return _node(children, n.Logic("or", _expressions(children), _span(children)))

    def conjunction(self, children: Children) -> Part:
        return _node(children, n.Logic("and", _expressions(children), _span(children)))

    def negated_condition(self, children: Children) -> Part:
        return _node(children, n.Not(_expressions(children)[0], _span(children)))

    def comparison(self, children: Children) -> Part:
        pairs = tuple(
            n.Compare(
                _COMPARISONS[_kind(children[at])],
                _expression(children[at - 1]),
                _expression(children[at + 1]),
                children[at - 1].span.merge(children[at + 1].span),
            )
            for at in range(1, len(children), 2)
        )
        if len(pairs) == 1:
            return _node(children, pairs[0])
        for middle in children[2:-1:2]:
            if _part(middle).chained:
                raise _chain_in_chain(middle.span)
        part = _node(children, n.Logic("and", pairs, _span(children)), levels=2)
        return Part(part.node, part.span, part.depth, chained=True)

    def sum(self, children: Children) -> Part:
        terms: list[tuple[n.Sign, n.Expression]] = []
        sign: n.Sign = "+"
        for child in children:
            if isinstance(child, Part):
                terms.append((sign, _expression(child)))
            else:
                sign = "-" if _kind(child) == "MINUS" else "+"
        return _node(children, n.Sum(tuple(terms), _span(children)))

    def negative(self, children: Children) -> Part:
        return _node(children, n.Negate(_expressions(children)[0], _span(children)))

    def product(self, children: Children) -> Part:
        factors: list[tuple[n.ProductSign, n.Expression]] = []
        sign: n.ProductSign = "*"
        divisions = 0
        for child in children:
            if isinstance(child, Part):
                factors.append((sign, _expression(child)))
                sign = "*"
            elif _kind(child) == "SLASH":
                sign, divisions = "/", divisions + 1
        node = n.Product(tuple(factors), _span(children))
        return _node(children, node, levels=max(1, divisions))

    def reduced(self, children: Children) -> Part:
        return self._reduction(children)

    def reduction(self, children: Children) -> Part:
        return self._reduction(children)

    def _reduction(self, children: Children) -> Part:
        (body,) = _expressions(children)
        node = n.Reduction(str(children[0]), _names(children), body, _span(children))
        return _node(children, node)

    def power(self, children: Children) -> Part:
        base, *_, last = children
        if isinstance(last, Lexeme):
            exponent: n.Expression = n.Number(last.lstrip("+-"), last.span)
            if last.startswith("-"):
                exponent = n.Negate(exponent, last.span)
        else:
            exponent = _expression(last)
        return _node(children, n.Power(_expression(base), exponent, _span(children)))

    def number(self, children: Children) -> Part:
        span = _span(children)
        return Part(n.Number(str(children[0]), span), span)

    def name(self, children: Children) -> Part:
        span = _span(children)
        return Part(n.Name(_identifier(children[0]), span), span)

    def extent(self, children: Children) -> Part:
        span = _span(children)
        key = str(children[0])
        spelling = span.text[1:-1].strip(" \t")
        start = span.start + span.text.index(spelling, 1)
        place = Span(span.source, start, start + len(spelling))
        return Part(n.ExtentOf(n.Identifier(key, spelling, place), span), span)

    def parenthesised(self, children: Children) -> Part:
        inner = _part(children[1])
        return Part(_expression(inner), _span(children), inner.depth, inner.chained)

    def access(self, children: Children) -> Part:
        node = n.Access(_names(children)[0], _expressions(children), _span(children))
        return _node(children, node)

    def call(self, children: Children) -> Part:
        return _node(children, n.Call(str(children[0]), _expressions(children), _span(children)))

    def bracketed(self, children: Children) -> Part:
        items = tuple(child for child in children if isinstance(child, Part))
        return _node(children, Brackets(items))


_ASSIGNMENTS: dict[str, n.Assignment] = {
    "EQUAL": "=",
    "ADD_TO": "+=",
    "SUBTRACT_FROM": "-=",
    "MULTIPLY_INTO": "*=",
    "MAX_INTO": "max=",
    "MIN_INTO": "min=",
}

_COMPARISONS: dict[str, n.Comparison] = {
    "EQUAL": "=",
    "SAME": "=",
    "DIFFERENT": "!=",
    "LESS": "<",
    "AT_MOST": "<=",
    "GREATER": ">",
    "AT_LEAST": ">=",
}


def _kind(child: Child) -> str:
    return child.type if isinstance(child, Lexeme) else ""


def _span(children: Children) -> Span:
    return children[0].span.merge(children[-1].span)


def _identifier(child: Child) -> n.Identifier:
    key = str(child)
    spelling = key if key in {"inf", "pi"} else child.span.text
    return n.Identifier(key, spelling, child.span)


def _names(children: Children) -> tuple[n.Identifier, ...]:
    return tuple(_identifier(child) for child in children if _kind(child) == "NAME")


def _axes(children: Children) -> tuple[n.Identifier, ...]:
    for child in children:
        if isinstance(child, Axes):
            return child.names
    return ()


def _part(child: Child) -> Part:
    assert isinstance(child, Part)
    return child


def _target(child: Child) -> n.Access | n.Name:
    node = _part(child).node
    assert isinstance(node, n.Access | n.Name)
    return node


def _expressions(children: Children) -> tuple[n.Expression, ...]:
    return tuple(_expression(child) for child in children if isinstance(child, Part))


def _expression(child: Child) -> n.Expression:
    """A part as an expression: brackets are then an Iverson bracket."""
    part = _part(child)
    if not isinstance(part.node, Brackets):
        return part.node
    if len(part.node.items) > 1:
        raise fail(
            "E0118",
            "a list of elements stands where a number is expected",
            (part.span, f"lists {len(part.node.items)} elements"),
            help="a list is the whole value of an `input`, `param` or `state`; "
            "subscripts follow a name without a space",
        )
    return n.Iverson(_expression(part.node.items[0]), part.span)


def _value(child: Child) -> n.Expression | n.Elements:
    """A part as what an input, a param or a state is given: brackets may then list elements."""
    part = _part(child)
    if not isinstance(part.node, Brackets):
        return part.node
    items = part.node.items
    if len(items) == 1 and isinstance(items[0].node, n.Compare | n.Logic | n.Not):
        return n.Iverson(items[0].node, part.span)
    return n.Elements(tuple(_value(item) for item in items), part.span)


def _node(children: Children, node: n.Expression | Brackets, levels: int = 1) -> Part:
    parts = [child for child in children if isinstance(child, Part)]
    span = _span(children)
    depth = _deeper(max((part.depth for part in parts), default=0), span, levels)
    return Part(node, span, depth, any(part.chained for part in parts))


def _deeper(depth: int, span: Span, levels: int = 1) -> int:
    if depth + levels > NESTING:
        raise too_deep(span)
    return depth + levels


def too_deep(span: Span) -> EinbatchError:
    """The error for what is nested too deep to be read."""
    return fail(
        "E0106",
        f"this is nested more than {NESTING} deep",
        (span, "operators, brackets and `for` inside each other"),
        help="give a part of it a statement of its own (a long flat sum is no nesting)",
    )


def _chain_in_chain(span: Span) -> EinbatchError:
    return fail(
        "E0119",
        "a chain of comparisons stands inside a chain of comparisons",
        (span, "holds a chain of its own"),
        help="write one of them with `and`: `a < b and b < c`",
    )


