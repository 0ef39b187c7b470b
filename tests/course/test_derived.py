"""Derived programs of the course are programs: their text reads back as what was derived."""

from __future__ import annotations

import numpy as np
import pytest

from einbatch.diagnostics import Source
from einbatch.elaborate import elaborate, erase
from einbatch.ir import verify
from einbatch.syntax import format_source, parse, unparse
from tests.course.running import COURSE, LESSONS, run

NAMES = sorted(path.stem for path in COURSE.glob("*.ein"))


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_back(name: str):
    derived = LESSONS[f"course/{name}"].derived
    assert verify(derived) == []
    text = unparse(erase(derived))
    assert format_source(Source("derived.ein", text)) == text
    again = elaborate(parse(Source("derived.ein", text)))
    assert unparse(erase(again)) == text


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_as_text(name: str):
    """A person who copies it into a file gets the same numbers."""
    lesson = LESSONS[f"course/{name}"]
    text = unparse(erase(lesson.derived))
    again = elaborate(parse(Source("derived.ein", text)))
    arrays = lesson.arrays(2, np.random.default_rng(3))
    names = [f"{tensor.name}.grad" for tensor in lesson.program.of_kind("param")]
    wanted, found = (run(program, arrays, names, "loops") for program in (lesson.derived, again))
    for key in names:
        assert np.array_equal(found[key], wanted[key], equal_nan=True), key
