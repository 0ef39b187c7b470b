"""Capital slices, the slides' shorthand: `W[j,I] x[b,I]` is summed over `I`.

An undeclared index that begins with a capital and stands twice in a product is
summed in the smallest product that holds it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import replace

from einbatch.syntax import nodes as tree
from einbatch.syntax.traverse import parts, with_parts


def sum_capitals(program: tree.Tree) -> tree.Tree:
    """The tree with its capital slices written out."""
    declared = frozenset(_declared(program))
    statements = tuple(_statement(s, declared) for s in program.statements)
    return replace(program, statements=statements)


def _declared(program: tree.Tree) -> Iterator[str]:
    for statement in program.statements:
        match statement:
            case tree.Batch(index=index):
                yield index.key
            case tree.Indices(groups=groups):
                yield from (name.key for group in groups for name in group.names)
            case tree.Let(name=name):
                yield name.key
            case tree.Input(name=name) | tree.Param(name=name) | tree.State(name=name):
                yield name.key
            case _:
                pass


def _is_capital(key: str) -> bool:
    return key[:1].isupper()


def _statement(
    statement: tree.Statement, declared: Set[str], around: Set[str] = frozenset()
) -> tree.Statement:
    """A statement with its slices written out; `around` are the indices of loops around it."""
    match statement:
        case tree.For(indices=indices, body=body):
            known = around | {index.key for index in indices}
            inner = tuple(_statement(item, declared, known) for item in body)
            return replace(statement, body=inner)
        case tree.Scan(index=index, body=body):
            inner = tuple(_statement(item, declared, around | {index.key}) for item in body)
            return replace(statement, body=inner)
        case tree.Assign(target=target, value=value):
            loose = {*_slices(value)} - declared - around - {*_slices(target)}
            return replace(statement, value=_summed(value, loose))
        case tree.Report(value=value):
            return replace(statement, value=_summed(value, {*_slices(value)} - declared))
        case _:
            return statement


def _slices(node: tree.Expression) -> Iterator[str]:
    """The capital names that stand alone as subscripts, as often as they do."""
    if isinstance(node, tree.Access):
        for subscript in node.subscripts:
            if isinstance(subscript, tree.Name) and _is_capital(subscript.identifier.key):
                yield subscript.identifier.key
    for part in parts(node):
        yield from _slices(part)


def _summed(node: tree.Expression, loose: Set[str]) -> tree.Expression:
    """An expression with its slices written out, those that are in `loose`."""
    if isinstance(node, tree.Reduction):
        loose = loose - {index.key for index in node.indices}
    counts = Counter(name for name in _slices(node) if name in loose)
    if not counts:
        return node
    here: tuple[str, ...] = ()
    if isinstance(node, tree.Product | tree.Access):
        inside = [Counter(_slices(part)) for part in parts(node)]
        here = tuple(
            name
            for name, count in counts.items()
            if count > 1 and all(part[name] < 2 for part in inside)
        )
    deeper = loose - set(here)
    new = with_parts(node, tuple(_summed(part, deeper) for part in parts(node)))
    if not here:
        return new
    indices = tuple(tree.Identifier(name, name, node.span) for name in here)
    return tree.Reduction("sum", indices, new, node.span)
