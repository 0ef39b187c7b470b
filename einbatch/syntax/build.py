"""From the grammar's rules to the tree's nodes, bottom up, while lark parses.

Each method is a rule of `ein.lark` and gets the rule's tokens and parts in order.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

from lark import Transformer

from einbatch.diagnostics import EinbatchError, Span, fail
from einbatch.syntax import nodes as n
from einbatch.syntax.parts import (
    Axes,
    Brackets,
    Children,
    Group,
    Part,
    Settings,
    Step,
    axes_in,
    deeper,
    expression_of,
    expressions_in,
    identifier_of,
    join,
    kind_of,
    names_in,
    part_of,
    span_of,
    target_of,
    value_of,
)
from einbatch.syntax.words import Lexeme


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
        extents = expressions_in(children)
        return n.Batch(names_in(children)[0], extents[0] if extents else None, span_of(children))

    def indices(self, children: Children) -> n.Indices:
        groups = tuple(child.node for child in children if isinstance(child, Group))
        return n.Indices(groups, span_of(children))

    def group(self, children: Children) -> Group:
        node = n.IndexGroup(names_in(children), expressions_in(children)[0])
        return Group(node, span_of(children))

    def let(self, children: Children) -> n.Let:
        return n.Let(names_in(children)[0], expressions_in(children)[0], span_of(children))

    def axes(self, children: Children) -> Axes:
        return Axes(names_in(children), span_of(children))

    def input(self, children: Children) -> n.Input:
        name, *_ = names_in(children)
        member: n.Identifier | None = None
        literal: n.Expression | n.Elements | None = None
        source: str | None = None
        for before, child in pairwise(children):
            match kind_of(before):
                case "IN" | "ELEMENT_OF":
                    member = identifier_of(child)
                case "EQUAL":
                    literal = value_of(child)
                case "FROM":
                    source = str(child)[1:-1]
                case _:
                    pass
        return n.Input(name, axes_in(children), member, literal, source, span_of(children))

    def param(self, children: Children) -> n.Param:
        last = children[-1]
        initial = last if isinstance(last, n.Draw) else value_of(last)
        return n.Param(names_in(children)[0], axes_in(children), initial, span_of(children))

    def draw(self, children: Children) -> n.Draw:
        return n.Draw(names_in(children)[0].key, expressions_in(children), span_of(children))

    def state(self, children: Children) -> n.State:
        initial = value_of(children[-1])
        return n.State(names_in(children)[0], axes_in(children), initial, span_of(children))

    def dtype(self, children: Children) -> n.Dtype:
        return n.Dtype(names_in(children)[0].key, span_of(children))

    # --- statements

    def loop(self, children: Children) -> Step:
        steps = [child for child in children if isinstance(child, Step)]
        span = children[0].span.merge(steps[-1].span)
        body = tuple(step.node for step in steps if not isinstance(step.node, n.Scan))
        depth = deeper(max(step.depth for step in steps), span)
        return Step(n.For(names_in(children), body, span), span, depth)

    def scan(self, children: Children) -> Step:
        index, *direction = names_in(children)
        for word in direction:
            if word.key != "down":
                raise _no_direction(word)
        steps = [child for child in children if isinstance(child, Step)]
        span = children[0].span.merge(steps[-1].span)
        body = tuple(step.node for step in steps)
        depth = deeper(max(step.depth for step in steps), span)
        return Step(n.Scan(index, bool(direction), body, span), span, depth)

    def assign(self, children: Children) -> Step:
        target, operator, value = children
        span = span_of(children)
        kind = _ASSIGNMENTS[kind_of(operator)]
        depth = max(part_of(target).depth, part_of(value).depth)
        node = part_of(target).node
        partial = isinstance(node, n.Otherwise)
        written = node.read if partial else target_of(target)
        return Step(n.Assign(written, kind, expression_of(value), span, partial), span, depth)

    def partial(self, children: Children) -> Part:
        read, alternative = expressions_in(children)
        span = span_of(children)
        if not isinstance(read, n.Access) or alternative != n.Number("0"):
            raise fail(
                "E0121",
                "what is written outside its axes goes nowhere: the `else` of a target is 0",
                (alternative.span, "not 0"),
                help="write `(T[…] else 0) += …`",
            )
        return join(children, n.Otherwise(read, alternative, span))

    def sample(self, children: Children) -> Step:
        target, draw = children
        span = span_of(children)
        assert isinstance(draw, n.Draw)
        return Step(n.Sample(target_of(target), draw, span), span, part_of(target).depth)

    def definition(self, children: Children) -> n.Def:
        name = identifier_of(children[1])
        body = expression_of(children[-1])
        return n.Def(name, axes_in(children), names_in(children), body, span_of(children))

    def minimize(self, children: Children) -> n.Minimize:
        sense = "minimize" if kind_of(children[0]) == "MINIMIZE" else "maximize"
        return n.Minimize(sense, target_of(children[1]), span_of(children), names_in(children[2:]))

    def report(self, children: Children) -> n.Report:
        return n.Report(names_in(children)[0], expression_of(children[-1]), span_of(children))

    def train(self, children: Children) -> n.Train:
        names = names_in(children)
        settings = [child.options for child in children if isinstance(child, Settings)]
        options = tuple(child for child in children if isinstance(child, n.Option))
        return n.Train(
            names[0].key if names else None,
            settings[0] if settings else (),
            options,
            span_of(children),
        )

    def settings(self, children: Children) -> Settings:
        options = tuple(child for child in children if isinstance(child, n.Option))
        return Settings(options, span_of(children))

    def option(self, children: Children) -> n.Option:
        return n.Option(str(children[0]), expression_of(children[-1]), span_of(children))

    # --- expressions

    def conditional(self, children: Children) -> Part:
        condition, consequent, alternative = expressions_in(children)
        return join(children, n.If(condition, consequent, alternative, span_of(children)))

    def disjunction(self, children: Children) -> Part:
        return join(children, n.Logic("or", expressions_in(children), span_of(children)))

    def conjunction(self, children: Children) -> Part:
        return join(children, n.Logic("and", expressions_in(children), span_of(children)))

    def negated_condition(self, children: Children) -> Part:
        return join(children, n.Not(expressions_in(children)[0], span_of(children)))

    def comparison(self, children: Children) -> Part:
        pairs = tuple(
            n.Compare(
                _COMPARISONS[kind_of(children[at])],
                expression_of(children[at - 1]),
                expression_of(children[at + 1]),
                children[at - 1].span.merge(children[at + 1].span),
            )
            for at in range(1, len(children), 2)
        )
        if len(pairs) == 1:
            return join(children, pairs[0])
        for middle in children[2:-1:2]:
            if part_of(middle).chained:
                raise _chain_in_chain(middle.span)
        part = join(children, n.Logic("and", pairs, span_of(children)), levels=2)
        return Part(part.node, part.span, part.depth, chained=True)

    def sum(self, children: Children) -> Part:
        terms: list[tuple[n.Sign, n.Expression]] = []
        sign: n.Sign = "+"
        for child in children:
            if isinstance(child, Part):
                terms.append((sign, expression_of(child)))
            else:
                sign = "-" if kind_of(child) == "MINUS" else "+"
        return join(children, n.Sum(tuple(terms), span_of(children)))

    def negative(self, children: Children) -> Part:
        return join(children, n.Negate(expressions_in(children)[0], span_of(children)))

    def product(self, children: Children) -> Part:
        factors: list[tuple[n.ProductSign, n.Expression]] = []
        sign: n.ProductSign = "*"
        divisions = 0
        for child in children:
            if isinstance(child, Part):
                factors.append((sign, expression_of(child)))
                sign = "*"
            elif kind_of(child) == "SLASH":
                sign, divisions = "/", divisions + 1
        node = n.Product(tuple(factors), span_of(children))
        return join(children, node, levels=max(1, divisions))

    def reduced(self, children: Children) -> Part:
        return self._reduction(children)

    def reduction(self, children: Children) -> Part:
        return self._reduction(children)

    def _reduction(self, children: Children) -> Part:
        (body,) = expressions_in(children)
        node = n.Reduction(str(children[0]), names_in(children), body, span_of(children))
        return join(children, node)

    def power(self, children: Children) -> Part:
        base, *_, last = children
        if isinstance(last, Lexeme):
            exponent: n.Expression = n.Number(last.lstrip("+-"), last.span)
            if last.startswith("-"):
                exponent = n.Negate(exponent, last.span)
        else:
            exponent = expression_of(last)
        return join(children, n.Power(expression_of(base), exponent, span_of(children)))

    def number(self, children: Children) -> Part:
        span = span_of(children)
        return Part(n.Number(str(children[0]), span), span)

    def name(self, children: Children) -> Part:
        span = span_of(children)
        return Part(n.Name(identifier_of(children[0]), span), span)

    def extent(self, children: Children) -> Part:
        span = span_of(children)
        key = str(children[0])
        spelling = span.text[1:-1].strip(" \t")
        start = span.start + span.text.index(spelling, 1)
        place = Span(span.source, start, start + len(spelling))
        return Part(n.ExtentOf(n.Identifier(key, spelling, place), span), span)

    def parenthesised(self, children: Children) -> Part:
        inner = part_of(children[1])
        return Part(expression_of(inner), span_of(children), inner.depth, inner.chained)

    def access(self, children: Children) -> Part:
        node = n.Access(names_in(children)[0], expressions_in(children), span_of(children))
        return join(children, node)

    def call(self, children: Children) -> Part:
        arguments = expressions_in(children)
        return join(children, n.Call(str(children[0]), arguments, span_of(children)))

    def layer(self, children: Children) -> Part:
        arguments = expressions_in(children)
        node = n.Call(str(children[0]), arguments, span_of(children), axes_in(children))
        return join(children, node)

    def otherwise(self, children: Children) -> Part:
        read, alternative = expressions_in(children)
        if not isinstance(read, n.Access):
            raise fail(
                "E0121",
                "only a read of a tensor has an `else` without an `if`",
                (read.span, "not a read"),
                help="write `(x[t-1] else 0)`, or `if … then … else …`",
            )
        return join(children, n.Otherwise(read, alternative, span_of(children)))

    def bracketed(self, children: Children) -> Part:
        items = tuple(child for child in children if isinstance(child, Part))
        return join(children, Brackets(items))


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


def _no_direction(word: n.Identifier) -> EinbatchError:
    return fail(
        "E0122",
        f"a scan has no direction `{word.key}`",
        (word.span, "here"),
        help="write `scan t:` for upward, `scan t down:` for downward",
    )


def _chain_in_chain(span: Span) -> EinbatchError:
    return fail(
        "E0119",
        "a chain of comparisons stands inside a chain of comparisons",
        (span, "holds a chain of its own"),
        help="write one of them with `and`: `a < b and b < c`",
    )
