"""How each name of a program is spelled: as where it is declared, else as where it first stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import cast

from einbatch.diagnostics import Span
from einbatch.syntax import nodes as n
from einbatch.syntax.spelling import key_of


def spellings(tree: n.Tree) -> dict[str, str]:
    """The spelling of each key; `T.grad` goes by the spelling of `T`."""
    found: dict[str, str] = {}
    for statement in tree.statements:
        for name in _declared(statement):
            _note(found, name)
    for statement in tree.statements:
        for name in _met(statement):
            _note(found, name)
    return found


def _note(found: dict[str, str], name: n.Identifier) -> None:
    if name.spelling and key_of(name.spelling) == name.key:
        found.setdefault(name.key.partition(".")[0], name.spelling.partition(".")[0])


def _declared(statement: n.Statement) -> Iterator[n.Identifier]:
    match statement:
        case n.Batch(index=index):
            yield index
        case n.Indices(groups=groups):
            for group in groups:
                yield from group.names
        case n.Let(name=name) | n.Input(name=name) | n.Param(name=name) | n.State(name=name):
            yield name
        case _:
            pass


def _met(root: n.Statement) -> Iterator[n.Identifier]:
    """Every identifier under a statement, in the order of the text."""
    waiting: list[object] = [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, n.Identifier):
            yield item
        elif isinstance(item, tuple):
            waiting.extend(reversed(cast("tuple[object, ...]", item)))
        elif is_dataclass(item) and not isinstance(item, Span):
            slots: tuple[str, ...] = getattr(item, "__slots__", ())
            waiting.extend(getattr(item, slot) for slot in reversed(slots))
