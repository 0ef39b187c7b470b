"""Programs through the front end, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from einbatch.diagnostics import Diagnostic, EinbatchError, Source
from einbatch.elaborate import elaborate
from einbatch.ir import Program
from einbatch.syntax import parse


def checked(text: str, **options: object) -> Program:
    """The program of a text; options as of `elaborate`."""
    return elaborate(parse(Source("test.ein", text)), **options)  # type: ignore[arg-type]


def findings(text: str, constants: Mapping[str, int | float] | None = None) -> list[Diagnostic]:
    """Everything that is wrong with a text."""
    with pytest.raises(EinbatchError) as caught:
        checked(text, set=constants)
    return list(caught.value.diagnostics)


def codes_of(text: str) -> list[str]:
    """The codes of what is wrong with a text, in the order of the text."""
    return [item.code for item in findings(text)]
