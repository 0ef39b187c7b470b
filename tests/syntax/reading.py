"""Short ways to read a text in a test."""

from __future__ import annotations

import pytest

from einbatch.diagnostics import Diagnostic, EinbatchError, Source
from einbatch.syntax import nodes, parse, unparse


def read(text: str) -> nodes.Tree:
    """The tree of a program's text."""
    return parse(Source("test.ein", text))


def value(text: str, before: str = "") -> nodes.Expression:
    """An expression's tree, as the value of an assignment after other lines."""
    statement = read(f"{before}\nx = {text}\n").statements[-1]
    assert isinstance(statement, nodes.Assign)
    return statement.value


def shown(text: str, before: str = "") -> str:
    """An expression in canonical form, with its names as they are spelled."""
    return unparse(value(text, before))


def error(text: str) -> Diagnostic:
    """The one finding of a text that is no program."""
    with pytest.raises(EinbatchError) as caught:
        read(text)
    (found,) = caught.value.diagnostics
    return found


def code(text: str) -> str:
    """The code of a text that is no program."""
    return error(text).code
