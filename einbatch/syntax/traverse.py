"""Walking and rebuilding the expressions of a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from einbatch.syntax import nodes as tree


def parts(node: tree.Expression) -> tuple[tree.Expression, ...]:
    """The expressions directly below a node of the tree."""
    match node:
        case tree.Access(subscripts=below) | tree.Call(arguments=below):
            return below
        case tree.Logic(operands=below):
            return below
        case tree.Sum(terms=pairs):
            return tuple(term for _, term in pairs)
        case tree.Product(factors=pairs):
            return tuple(factor for _, factor in pairs)
        case tree.Negate(operand=operand) | tree.Not(operand=operand):
            return (operand,)
        case tree.Power(base=base, exponent=exponent):
            return (base, exponent)
        case tree.Reduction(body=body):
            return (body,)
        case tree.If(condition=condition, consequent=consequent, alternative=alternative):
            return (condition, consequent, alternative)
        case tree.Compare(left=left, right=right):
            return (left, right)
        case tree.Iverson(condition=condition):
            return (condition,)
        case tree.Otherwise(read=read, alternative=alternative):
            return (read, alternative)
        case tree.Number() | tree.Name() | tree.ExtentOf():
            return ()


def with_parts(node: tree.Expression, below: tuple[tree.Expression, ...]) -> tree.Expression:
    """The same node over other expressions, as many as `parts` gave."""
    match node:
        case tree.Access():
            return replace(node, subscripts=below)
        case tree.Call():
            return replace(node, arguments=below)
        case tree.Logic():
            return replace(node, operands=below)
        case tree.Sum(terms=terms):
            pairs = tuple((sign, new) for (sign, _), new in zip(terms, below, strict=True))
            return replace(node, terms=pairs)
        case tree.Product(factors=factors):
            products = tuple((sign, new) for (sign, _), new in zip(factors, below, strict=True))
            return replace(node, factors=products)
        case tree.Negate() | tree.Not():
            return replace(node, operand=below[0])
        case tree.Power():
            return replace(node, base=below[0], exponent=below[1])
        case tree.Reduction():
            return replace(node, body=below[0])
        case tree.If():
            return replace(node, condition=below[0], consequent=below[1], alternative=below[2])
        case tree.Compare():
            return replace(node, left=below[0], right=below[1])
        case tree.Iverson():
            return replace(node, condition=below[0])
        case tree.Otherwise():
            read = below[0]
            assert isinstance(read, tree.Access)
            return replace(node, read=read, alternative=below[1])
        case tree.Number() | tree.Name() | tree.ExtentOf():
            return node


def walk(node: tree.Expression) -> Iterator[tree.Expression]:
    """Every node, parents first, left to right."""
    stack = [node]
    while stack:
        item = stack.pop()
        yield item
        stack.extend(reversed(parts(item)))
