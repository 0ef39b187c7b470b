"""What the front end makes of a text: its extents, its statements, its errors."""

from __future__ import annotations

from textwrap import dedent

import pytest

from einbatch.diagnostics import Diagnostic, EinbatchError, Source
from einbatch.elaborate import elaborate, erase
from einbatch.elaborate.extents import show
from einbatch.ir import Program
from einbatch.syntax import parse, unparse

DECLARATIONS = ("let ", "batch ", "index ", "input ", "param ", "state ", "dtype ")


def program(text: str) -> Program:
    """The checked program of a text; what it prints is read as the same program."""
    found = elaborate(parse(Source("test.ein", dedent(text))))
    assert elaborate(parse(Source("printed.ein", unparse(erase(found))))) == found
    return found


def extents(text: str) -> dict[str, str]:
    """The extent of every index, as `check -v` shows it."""
    return {index.name: show(index.extent) for index in program(text).indices}


def shape(text: str, tensor: str) -> list[str]:
    """The extent of each axis of a tensor."""
    return [show(extent) for extent in program(text).tensor(tensor).extents]


def statements(text: str) -> list[str]:
    """The statements in canonical form, a line each."""
    lines = unparse(erase(program(text))).splitlines()
    return [line for line in lines if line and not line.startswith(DECLARATIONS)]


def errors(text: str) -> list[Diagnostic]:
    """Everything that is wrong with a text."""
    with pytest.raises(EinbatchError) as caught:
        elaborate(parse(Source("test.ein", dedent(text))))
    for item in caught.value.diagnostics:
        assert item.help
        assert item.labels
    return list(caught.value.diagnostics)


def codes(text: str) -> list[str]:
    """The codes of what is wrong."""
    return [item.code for item in errors(text)]
