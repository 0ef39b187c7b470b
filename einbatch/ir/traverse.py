"""Walking and rebuilding expressions: the few functions that every pass shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from einbatch.ir.primitives import REDUCTIONS
from einbatch.ir.program import (
    Apply,
    Expression,
    IndexValue,
    Read,
    Reduce,
    Scan,
    Statement,
    Step,
)


def children(expression: Expression) -> tuple[Expression, ...]:
    """The expressions directly below one."""
    match expression:
        case Read(subscripts=subscripts, otherwise=otherwise):
            return subscripts if otherwise is None else (*subscripts, otherwise)
        case Apply(arguments=arguments):
            return arguments
        case Reduce(body=body):
            return (body,)
        case _:
            return ()


def rebuild(expression: Expression, parts: tuple[Expression, ...]) -> Expression:
    """The same node over other children, as many as `children` gave."""
    match expression:
        case Read(otherwise=None):
            return replace(expression, subscripts=parts)
        case Read():
            return replace(expression, subscripts=parts[:-1], otherwise=parts[-1])
        case Apply():
            return replace(expression, arguments=parts)
        case Reduce():
            return replace(expression, body=parts[0])
        case _:
            return expression


def transform(expression: Expression, rule: Callable[[Expression], Expression]) -> Expression:
    """`rule` applied to every node, children first; unchanged nodes are kept as they are."""
    old = children(expression)
    new = tuple(transform(child, rule) for child in old)
    changed = any(a is not b for a, b in zip(old, new, strict=True))
    return rule(rebuild(expression, new) if changed else expression)


def walk(expression: Expression) -> Iterator[Expression]:
    """Every node, parents first, left to right."""
    stack = [expression]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(children(node)))


def reads(expression: Expression) -> Iterator[Read]:
    """Every read, those in subscripts included."""
    return (node for node in walk(expression) if isinstance(node, Read))


def reads_itself(statement: Statement) -> bool:
    """True where a statement reads its own target, on the right or in a subscript."""
    parts = (*statement.subscripts, statement.value)
    return any(read.tensor == statement.target for part in parts for read in reads(part))


def free_indices(*expressions: Expression) -> tuple[str, ...]:
    """The indices that occur free, in order of first occurrence; extents do not count."""
    found: dict[str, None] = {}
    for expression in expressions:
        found.update(dict.fromkeys(_free(expression)))
    return tuple(found)


def _free(expression: Expression) -> Iterator[str]:
    match expression:
        case IndexValue(index=index):
            yield index
        case Reduce(reduction=reduction, indices=indices, body=body):
            bound = () if REDUCTIONS[reduction].keeps else indices
            yield from (name for name in free_indices(body) if name not in bound)
            if REDUCTIONS[reduction].keeps:
                yield from indices
        case _:
            for child in children(expression):
                yield from _free(child)


def substitute(expression: Expression, mapping: Mapping[str, Expression]) -> Expression:
    """Free indices replaced by expressions.

    No bound index may occur free in a replacement: rename bound indices first
    (`rename_bound`). A softmax' own index may only be replaced by another index.
    """
    if not mapping:
        return expression
    match expression:
        case IndexValue(index=index):
            return mapping.get(index, expression)
        case Reduce(reduction=reduction, indices=indices, body=body) if REDUCTIONS[reduction].keeps:
            names = tuple(_index_name(mapping.get(name), name) for name in indices)
            return replace(expression, indices=names, body=substitute(body, mapping))
        case Reduce(indices=indices, body=body):
            inner = {name: new for name, new in mapping.items() if name not in indices}
            return replace(expression, body=substitute(body, inner))
        case _:
            parts = tuple(substitute(child, mapping) for child in children(expression))
            return rebuild(expression, parts) if parts else expression


def _index_name(replacement: Expression | None, name: str) -> str:
    match replacement:
        case None:
            return name
        case IndexValue(index=index):
            return index
        case _:
            raise ValueError(f"the kept index {name} can only be renamed")


def rename_tensors(expression: Expression, names: Mapping[str, str]) -> Expression:
    """Reads of the tensors in `names` read the new names."""

    def rule(node: Expression) -> Expression:
        if isinstance(node, Read) and node.tensor in names:
            return replace(node, tensor=names[node.tensor])
        return node

    return transform(expression, rule)


def map_statements(
    steps: Iterable[Step], rule: Callable[[Statement], Statement]
) -> tuple[Step, ...]:
    """`rule` applied to every statement of a block, those inside scans included."""
    return tuple(
        rule(step)
        if isinstance(step, Statement)
        else replace(step, body=map_statements(step.body, rule))
        for step in steps
    )


def written(steps: Iterable[Step]) -> Iterator[str]:
    """The targets of a block's statements, in order, repeated where written repeatedly."""
    for step in steps:
        match step:
            case Statement(target=target):
                yield target
            case Scan(body=body):
                yield from written(body)
