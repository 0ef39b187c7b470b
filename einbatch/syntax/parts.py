"""What the rules of the grammar hand to each other while lark parses.

A part knows its span with its parentheses, and how deep it is, so that what is
too deep is refused before anything has to walk it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from einbatch.diagnostics import EinbatchError, Span, fail
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

    node: n.Scan | n.For | n.Assign | n.Sample
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


Child = (
    Lexeme
    | Part
    | Step
    | Axes
    | Group
    | Settings
    | n.Draw
    | n.Assign
    | n.Option
    | n.Declaration
    | (n.Minimize | n.Report | n.Train)
)
Children = Sequence[Child]


def kind_of(child: Child) -> str:
    return child.type if isinstance(child, Lexeme) else ""


def span_of(children: Children) -> Span:
    return children[0].span.merge(children[-1].span)


def identifier_of(child: Child) -> n.Identifier:
    key = str(child)
    spelling = key if key in {"inf", "pi"} else child.span.text
    return n.Identifier(key, spelling, child.span)


def names_in(children: Children) -> tuple[n.Identifier, ...]:
    return tuple(identifier_of(child) for child in children if kind_of(child) == "NAME")


def axes_in(children: Children) -> tuple[n.Identifier, ...]:
    for child in children:
        if isinstance(child, Axes):
            return child.names
    return ()


def part_of(child: Child) -> Part:
    assert isinstance(child, Part)
    return child


def target_of(child: Child) -> n.Access | n.Name:
    node = part_of(child).node
    assert isinstance(node, n.Access | n.Name)
    return node


def expressions_in(children: Children) -> tuple[n.Expression, ...]:
    return tuple(expression_of(child) for child in children if isinstance(child, Part))


def expression_of(child: Child) -> n.Expression:
    """A part as an expression: brackets are then an Iverson bracket."""
    part = part_of(child)
    if not isinstance(part.node, Brackets):
        return part.node
    item, *others = part.node.items
    if others:
        raise fail(
            "E0118",
            "a list of elements stands where a number is expected",
            (part.span, f"lists {len(part.node.items)} elements"),
            help="a list is the whole value of an `input`, `param` or `state`; "
            "subscripts follow a name without a space",
        )
    return n.Iverson(expression_of(item), part.span)


def value_of(child: Child) -> n.Expression | n.Elements:
    """A part as what an input, a param or a state is given: brackets may then list elements."""
    part = part_of(child)
    if not isinstance(part.node, Brackets):
        return part.node
    items = part.node.items
    if len(items) == 1 and isinstance(items[0].node, n.Compare | n.Logic | n.Not):
        return n.Iverson(items[0].node, part.span)
    return n.Elements(tuple(value_of(item) for item in items), part.span)


def join(children: Children, node: n.Expression | Brackets, levels: int = 1) -> Part:
    parts = [child for child in children if isinstance(child, Part)]
    span = span_of(children)
    depth = deeper(max((part.depth for part in parts), default=0), span, levels)
    return Part(node, span, depth, any(part.chained for part in parts))


def deeper(depth: int, span: Span, levels: int = 1) -> int:
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
