"""Which calls of definitions a statement was typed with: what its parts came from."""

from __future__ import annotations

from collections.abc import Iterator

from einbatch.diagnostics import Span
from einbatch.syntax import nodes as tree
from einbatch.syntax import unparse
from einbatch.syntax.traverse import parts


def find_origins(program: tree.Tree) -> dict[Span, str]:
    """For each assignment that calls definitions, by its place: those calls, as typed.

    A statement that is derived from an assignment keeps its place.
    """
    names = {s.name.key for s in program.statements if isinstance(s, tree.Def)}
    found: dict[Span, str] = {}
    for assign in _assignments(program.statements) if names else ():
        calls = [*_calls(assign.target, names), *_calls(assign.value, names)]
        if calls:
            found[assign.span] = ", ".join(map(unparse, dict.fromkeys(calls)))
    return found


def _assignments(statements: tuple[tree.Statement, ...]) -> Iterator[tree.Assign]:
    for statement in statements:
        match statement:
            case tree.Assign():
                yield statement
            case tree.For(body=body) | tree.Scan(body=body):
                yield from _assignments(body)
            case _:
                pass


def _calls(node: tree.Expression, names: set[str]) -> Iterator[tree.Call]:
    """The calls that stand in no other call, from left to right."""
    if isinstance(node, tree.Call) and node.function in names:
        yield node
        return
    for part in parts(node):
        yield from _calls(part, names)
