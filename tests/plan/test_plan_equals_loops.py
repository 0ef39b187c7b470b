"""What a plan computes, against the loop nest, over random programs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import given, note, settings

from einbatch.autodiff import differentiate
from einbatch.backends.numpy import emit, load
from einbatch.diagnostics import Source
from einbatch.elaborate import bind_extents, elaborate, erase_statement
from einbatch.ir import Program
from einbatch.loops import run
from einbatch.optimize.stabilize import stabilize
from einbatch.plan import plan
from einbatch.syntax import parse, unparse
from tests.strategies import Case, cases


def compute(
    program: Program, arrays: Mapping[str, np.ndarray], extents: Mapping[str, int]
) -> dict[str, np.ndarray]:
    made = plan(
        program,
        extents,
        dtype="float64",
        describe_statement=lambda statement: unparse(erase_statement(program, statement)),
    )
    source = emit(made)
    note(source)
    return load(source, made).run(arrays)


def assert_equal(program: Program, arrays: dict[str, np.ndarray]) -> None:
    arrays = {name: array for name, array in arrays.items() if program.find_tensor(name)}
    extents = bind_extents(program, {name: array.shape for name, array in arrays.items()})
    before = {name: array.copy() for name, array in arrays.items()}
    found = compute(program, arrays, extents)
    expected = run(program, arrays, extents)
    assert found
    for name, array in found.items():
        wanted = expected[name]
        scale = 1 + np.abs(wanted)
        with np.errstate(invalid="ignore"):
            fits = (array == wanted) | (np.abs(array - wanted) <= 1e-9 * scale)
        assert np.all(fits | (np.isnan(array) & np.isnan(wanted))), name
    for name, array in arrays.items():
        assert np.array_equal(array, before[name]), f"{name} was changed"


@settings(max_examples=2 * settings.default.max_examples)
@given(cases())
def test_a_plan_computes_what_the_loop_nest_does(case: Case):
    assert_equal(elaborate(parse(Source("<random>", case.text))), case.arrays())


@settings(max_examples=2 * settings.default.max_examples)
@given(cases())
def test_so_does_the_plan_of_a_derived_program(case: Case):
    program = differentiate(elaborate(parse(Source("<random>", case.text))))
    assert_equal(program, case.arrays())
    assert_equal(stabilize(program), case.arrays())
